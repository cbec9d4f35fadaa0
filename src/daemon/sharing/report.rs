//! Grants as they are shown.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde::Serialize;

use crate::control::GivenReport;
use crate::control::ReceivedReport;
use crate::daemon::sharing::Sharing;
use crate::format::grant::Ended;
use crate::format::grant::Terms;
use crate::format::rows::FileKind;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::format::rows::Key;
use crate::format::rows::Received;
use crate::format::rows::ReceivedState;
use crate::share::back_id;
use crate::share::messages::MessageError;
use crate::types::Name;
use crate::types::Timespec;
use crate::types::limits::CONTROL_LINE_MAX;
use crate::types::limits::PATH_SHOWN_MAX;

/// Why somebody is told nothing new, and nothing of theirs is taken.
pub(super) const STOPPED: &str = "nothing new is published to them or taken of them: a card of theirs was met that nothing vouches for. \
     Talk to them; podfs contact show says what was pinned";

impl Sharing {
    pub(super) fn given_report(&self, given: &Given) -> Result<GivenReport, MessageError> {
        let contact = self.messages.contact(&given.contact)?;
        let with = contact.map_or_else(|| given.contact_name.clone(), |contact| contact.name);
        let (state, ended) = match given.state {
            GivenState::Waiting => ("waiting", None),
            GivenState::Offered => ("active", None),
            GivenState::Ended { why, when } => (ended_name(why), Some(when)),
        };
        let path = self.publishing.reader().path_of(given.target);
        Ok(GivenReport {
            id: hex::encode(given.id),
            with: with.as_str().to_owned(),
            fingerprint: hex::encode(given.contact.0),
            path: path.map(|names| shown(&names)),
            name: lossy(&given.terms.name),
            kind: kind_name(&given.terms),
            rights: given.terms.rights.to_string(),
            from: given.terms.from,
            until: given.terms.until,
            purpose: given.terms.purpose.as_str().to_owned(),
            snapshot: given.terms.snapshot,
            made: given.made.secs,
            state: state.to_owned(),
            ended: ended.map(|when: Timespec| when.secs),
            trouble: self.trouble_of(given)?,
        })
    }

    /// What the owner has to know of a grant that they gave.
    fn trouble_of(&self, given: &Given) -> Result<Option<String>, MessageError> {
        let is_over = matches!(given.state, GivenState::Ended { .. });
        if !is_over && self.is_stopped(&given.contact)? {
            return Ok(Some(STOPPED.to_owned()));
        }
        if let Some(why) = self.waits_for_room(given)? {
            return Ok(Some(why));
        }
        let held = self.held.lock();
        let held = held.get(&given.id).map(|held| held.why.clone());
        let untold = || self.untold.lock().get(&given.id).cloned();
        let waits = || self.waits.lock().get(&back_id(&given.id)).cloned();
        let uncarried = || self.uncarried(&Key::given(&given.id));
        Ok(held.or_else(untold).or_else(waits).or_else(uncarried))
    }

    /// Why the owner's other machines will not know of it yet.
    fn uncarried(&self, key: &Key) -> Option<String> {
        self.people.rows().trouble(key).map(|why| why.to_string())
    }

    pub(super) fn received_report(
        &self,
        received: &Received,
    ) -> Result<ReceivedReport, MessageError> {
        let contact = self.messages.contact(&received.contact)?;
        let (state, ended) = match received.state {
            ReceivedState::Offered => ("offered", None),
            ReceivedState::Accepted => ("accepted", None),
            ReceivedState::Ended { why, when } => (ended_name(why), Some(when)),
        };
        let is_shown = received.state == ReceivedState::Accepted;
        let path = self.person(received).ok().filter(|_| is_shown);
        let path = path.map(|person| {
            format!(
                "Shared with me/{}/{}",
                lossy(&person),
                lossy(&received.label)
            )
        });
        let seen = self.received.seen(&received.feed)?;
        let trouble = self.troubles.lock().get(&received.id).cloned();
        Ok(ReceivedReport {
            id: hex::encode(received.id),
            with: contact.map(|contact| contact.name.as_str().to_owned()),
            fingerprint: hex::encode(received.contact.0),
            path,
            name: lossy(&received.terms.name),
            kind: kind_name(&received.terms),
            rights: received.terms.rights.to_string(),
            from: received.terms.from,
            until: received.terms.until,
            purpose: received.terms.purpose.as_str().to_owned(),
            snapshot: received.terms.snapshot,
            made: received.made.secs,
            state: state.to_owned(),
            ended: ended.map(|when: Timespec| when.secs),
            version: seen
                .filter(|seen| seen.is_brought)
                .map(|seen| seen.time.secs),
            added: self.count_added(received),
            trouble: trouble
                .or_else(|| self.log_trouble(&received.contact))
                .or_else(|| self.uncarried(&Key::received(&received.id))),
        })
    }
}

/// As many of them as surely fit a line, one at least if there is any; and whether there are more.
pub(super) fn as_many_as_fit<T: Serialize, E>(
    mut reports: impl Iterator<Item = Result<T, E>>,
) -> Result<(Vec<T>, bool), E> {
    let (mut fitting, mut room) = (Vec::new(), CONTROL_LINE_MAX / 4);
    for report in &mut reports {
        let report = report?;
        // A comma stands behind it; what cannot be said at all is not said in part.
        let bytes = serde_json::to_vec(&report).map_or(usize::MAX, |line| line.len() + 1);
        if bytes > room && !fitting.is_empty() {
            return Ok((fitting, true));
        }
        room = room.saturating_sub(bytes);
        fitting.push(report);
    }
    Ok((fitting, false))
}

const fn ended_name(why: Ended) -> &'static str {
    match why {
        Ended::Revoked => "revoked",
        Ended::Expired => "expired",
        Ended::Gone => "gone",
    }
}

fn kind_name(terms: &Terms) -> String {
    let is_folder = terms.kind == FileKind::Directory;
    if is_folder { "folder" } else { "file" }.to_owned()
}

fn lossy(name: &Name) -> String {
    String::from_utf8_lossy(name.as_bytes()).into_owned()
}

/// A path; of one that is too long for a request of the kernel, the end.
fn shown(names: &[Name]) -> String {
    let parts = names.iter().map(|name| OsStr::from_bytes(name.as_bytes()));
    let path = parts.collect::<PathBuf>().to_string_lossy().into_owned();
    let over = path.len().saturating_sub(PATH_SHOWN_MAX);
    if over == 0 {
        return path;
    }
    let at = (over..path.len()).find(|at| path.is_char_boundary(*at));
    let end = at.and_then(|at| path.get(at..)).unwrap_or_default();
    format!("…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Response;
    use crate::control::SharingResponse;

    #[test]
    fn the_longest_answer_fits_a_line() {
        let name = Name::parse(&[1; 255]).unwrap();
        let names = vec![name; 400];
        let longest = GivenReport {
            id: "f".repeat(32),
            with: "\"".repeat(64),
            fingerprint: "f".repeat(64),
            path: Some(shown(&names)),
            name: lossy(&names[0]),
            purpose: "\"".repeat(400),
            trouble: Some("\"".repeat(1024)),
            ..GivenReport::default()
        };
        let short = GivenReport::default();
        for (reports, least) in [(vec![longest; 30], 1), (vec![short; 500], 50)] {
            let (mut left, mut count) = (reports.as_slice(), 0);
            while !left.is_empty() {
                let all = left.iter().map(|it| Ok::<_, ()>(it.clone()));
                let (grants, more) = as_many_as_fit(all).unwrap();
                left = &left[grants.len()..];
                assert_eq!(more, !left.is_empty());
                assert!(grants.len() >= least || !more, "{}", grants.len());
                count += grants.len();
                let answer = Response::Sharing(SharingResponse::Given { grants, more });
                let line = serde_json::to_string(&answer).unwrap();
                assert!(line.len() < CONTROL_LINE_MAX, "{}", line.len());
            }
            assert_eq!(count, reports.len());
        }
    }

    #[test]
    fn of_a_path_that_is_too_long_the_end_is_shown() {
        let name = Name::parse("ö".repeat(100).as_bytes()).unwrap();
        let said = shown(&vec![name.clone(); 3]);
        assert_eq!(said.matches('/').count(), 2);
        let said = shown(&vec![name; 100]);
        assert!(said.starts_with('…') && said.ends_with('ö') && said.len() < 4200);
    }
}
