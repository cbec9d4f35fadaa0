//! Messages as commands and programs see them.

use crate::control::MessageReport;
use crate::control::MessageWay;
use crate::format::card::SignedCard;
use crate::format::grant::Grant;
use crate::format::message::MessageBody;
use crate::format::rows::MessageState;
use crate::share::messages::Kept;
use crate::share::messages::MessageError;
use crate::share::messages::Messages;
use crate::share::messages::Way;
use crate::types::Rights;

/// What is told of a message.
pub(super) fn report(messages: &Messages, kept: &Kept) -> Result<MessageReport, MessageError> {
    let (row, message) = (&kept.row, &kept.row.message);
    let contact = messages.contact(&row.contact)?;
    let card = row.card.as_deref().filter(|_| contact.is_none());
    let card = card.map(|card| SignedCard::read(card.as_slice()));
    let card = card.transpose()?;
    let mut report = MessageReport {
        id: hex::encode(message.id.0),
        number: kept.number,
        way: match kept.way {
            Way::Received => MessageWay::Received,
            Way::Sent => MessageWay::Sent,
        },
        contact: contact.map(|contact| contact.name.as_str().to_owned()),
        fingerprint: hex::encode(row.contact.0),
        stranger: card.map(|card| hex::encode(card.card().owner().0)),
        state: state(row.state).to_owned(),
        time: message.time.secs,
        since: row.since.secs,
        answers: message.answers.map(|id| hex::encode(id.0)),
        ..MessageReport::default()
    };
    fill(&mut report, &message.body);
    if let Some(answered) = message.answers
        && report.what.is_none()
    {
        // It may have been forgotten meanwhile, and a contact may name any message: only theirs count.
        let asked = messages.one(&hex::encode(answered.0)).ok();
        let asked = asked.filter(|asked| asked.row.contact == row.contact);
        if let Some(MessageBody::Request(asked)) = asked.map(|asked| asked.row.message.body) {
            report.what = Some(asked.what.as_str().to_owned());
        }
    }
    if let Some(answer) = messages.answer_to(kept)? {
        match &answer.row.message.body {
            MessageBody::Denied { why } => {
                "denied".clone_into(&mut report.state);
                report.why = Some(why.as_str().to_owned());
            }
            MessageBody::Grant(_) => "granted".clone_into(&mut report.state),
            MessageBody::Request(_) | MessageBody::Arrived | MessageBody::Witness(_) => {}
        }
    }
    Ok(report)
}

fn fill(report: &mut MessageReport, body: &MessageBody) {
    match body {
        MessageBody::Grant(grant) => {
            "grant".clone_into(&mut report.kind);
            // One of a later podfs says nothing that could be shown.
            if let Ok(Grant { terms, .. }) = Grant::decode(grant) {
                let name = String::from_utf8_lossy(terms.name.as_bytes());
                report.what = Some(name.into_owned());
                report.purpose = Some(terms.purpose.as_str().to_owned());
                report.rights = rights(terms.rights);
                (report.from, report.until) = (terms.from, terms.until);
            }
        }
        MessageBody::Request(request) => {
            "request".clone_into(&mut report.kind);
            report.what = Some(request.what.as_str().to_owned());
            report.purpose = Some(request.purpose.as_str().to_owned());
            report.rights = rights(request.rights);
            (report.from, report.until) = (request.from, request.until);
        }
        MessageBody::Denied { why } => {
            "denied".clone_into(&mut report.kind);
            report.why = Some(why.as_str().to_owned());
        }
        MessageBody::Arrived => "arrived".clone_into(&mut report.kind),
        MessageBody::Witness(_) => "witness".clone_into(&mut report.kind),
    }
}

fn rights(rights: Rights) -> Vec<String> {
    let all = [(1, "read"), (2, "append"), (4, "write")];
    let given = all.iter().filter(|(bit, _)| rights.bits() & bit != 0);
    given.map(|(_, name)| (*name).to_owned()).collect()
}

const fn state(state: MessageState) -> &'static str {
    match state {
        MessageState::New => "new",
        MessageState::Seen => "seen",
        MessageState::Answered => "answered",
        MessageState::Accepted => "accepted",
        MessageState::Unsent => "unsent",
        MessageState::Sent => "sent",
        MessageState::Arrived => "arrived",
    }
}
