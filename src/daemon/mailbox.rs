//! Messages that are kept, as people see and forget them.

use crate::control::MessageWay;
use crate::control::MessagesResponse;
use crate::daemon::message_report::report;
use crate::daemon::messages::Answered;
use crate::daemon::messages::Mail;
use crate::format::message::MessageBody;
use crate::format::rows::MessageState;
use crate::share::messages::Kept;
use crate::share::messages::MessageError;
use crate::share::messages::Way;
use crate::types::limits::MESSAGES_IN_ANSWER;

impl Mail {
    pub(super) fn list(&self, way: MessageWay, after: u64) -> Answered {
        let way = match way {
            MessageWay::Received => Way::Received,
            MessageWay::Sent => Way::Sent,
        };
        let mut found = self.shown(way, after, MESSAGES_IN_ANSWER + 1)?;
        let more = found.len() > MESSAGES_IN_ANSWER;
        found.truncate(MESSAGES_IN_ANSWER);
        let reports = found.iter().map(|kept| report(&self.messages, kept));
        Ok(MessagesResponse::Messages {
            messages: reports.collect::<Result<_, _>>()?,
            more,
        })
    }

    /// Messages that are for people.
    fn shown(&self, way: Way, mut after: u64, limit: usize) -> Result<Vec<Kept>, MessageError> {
        let mut shown = Vec::new();
        loop {
            let read = self.messages.all(way, after, limit)?;
            let is_last = read.len() < limit;
            after = read.last().map_or(after, |last| last.number);
            let body = |kept: &Kept| matches!(kept.row.message.body, MessageBody::Witness(_));
            shown.extend(read.into_iter().filter(|kept| !body(kept)));
            if is_last || shown.len() >= limit {
                shown.truncate(limit);
                return Ok(shown);
            }
        }
    }

    pub(super) fn show(&self, id: &str) -> Answered {
        let kept = self.messages.one(id)?;
        let report = report(&self.messages, &kept)?;
        Ok(MessagesResponse::Message(Box::new(report)))
    }

    pub(super) fn seen(&self, ids: &[String]) -> Answered {
        for id in ids {
            match self.messages.one(id) {
                Ok(kept) => self
                    .messages
                    .mark(kept.row.message.id, MessageState::Seen)?,
                // It was forgotten since it was shown.
                Err(MessageError::Unknown(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(MessagesResponse::Done)
    }

    pub(super) fn forget(&self, id: &str) -> Answered {
        let id = self.messages.one(id)?.row.message.id;
        self.messages.remove(id)?;
        Ok(MessagesResponse::Done)
    }
}
