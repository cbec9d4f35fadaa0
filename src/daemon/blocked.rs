//! Contacts who are forgotten, and of whom nothing is taken any more.

use crate::control::BlockedReport;
use crate::control::PeopleResponse;
use crate::control::Refusal;
use crate::crypto::identity::Fingerprint;
use crate::daemon::happened;
use crate::daemon::people::People;
use crate::daemon::refused::Refused;
use crate::share::ShareError;
use crate::types::limits::CONTACTS_AT_ONCE;

/// Fewest digits that stand for somebody who is no contact.
const DIGITS_MIN: usize = 8;

impl People {
    /// They are a contact no more.
    pub(super) async fn remove(&self, name: &str) -> Result<PeopleResponse, Refused> {
        let print = self.contacts().named(name)?.print();
        let print = print.map_err(ShareError::from)?;
        self.contacts().remove(name)?;
        self.rows().forget_log(&print)?;
        self.record(&happened::removed(&print, name)).await?;
        Ok(PeopleResponse::Done)
    }

    /// Nothing of theirs is taken from now on, or it is again. What somebody wrote who is no contact is forgotten.
    pub(super) async fn block(&self, who: &str, on: bool) -> Result<PeopleResponse, Refused> {
        let print = self.meant(who)?;
        let messages = self.mail().messages();
        let contact = messages.contact(&print)?;
        let is_so = self.contacts().is_blocked(&print)? == on;
        if on {
            self.contacts().block(&print, self.now())?;
            if contact.is_none() {
                messages.forget_stranger(&print)?;
            }
        } else {
            self.contacts().unblock(&print)?;
        }
        if !is_so {
            let name = contact.as_ref().map_or("", |contact| contact.name.as_str());
            self.record(&happened::blocked(&print, name, on)).await?;
        }
        Ok(PeopleResponse::Done)
    }

    pub(super) fn blocked(&self, skip: usize) -> Result<PeopleResponse, Refused> {
        let all = self.contacts().blocked()?;
        let mut left = all.iter().skip(skip);
        let mut people = Vec::new();
        for blocked in left.by_ref().take(CONTACTS_AT_ONCE) {
            let contact = self.mail().messages().contact(&blocked.fingerprint)?;
            people.push(BlockedReport {
                name: contact.map(|contact| contact.name.as_str().to_owned()),
                fingerprint: hex::encode(blocked.fingerprint.0),
                since: blocked.since.secs,
            });
        }
        let more = left.next().is_some();
        Ok(PeopleResponse::Blocked { people, more })
    }

    /// A contact of that name, or somebody whose fingerprint begins so and who was met.
    fn meant(&self, who: &str) -> Result<Fingerprint, Refused> {
        match self.contacts().named(who) {
            Ok(contact) => return Ok(contact.print().map_err(ShareError::from)?),
            Err(ShareError::Unknown(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let digits = who.to_ascii_lowercase();
        let mut whole = Fingerprint([0; 32]);
        if hex::decode_to_slice(&digits, &mut whole.0).is_ok() {
            let contact = self.contacts().with_identity(&whole)?;
            let person = contact.map_or(Ok(whole), |contact| contact.print());
            return Ok(person.map_err(ShareError::from)?);
        }
        let blocked = self.contacts().blocked()?;
        let mut met = self.mail().messages().strangers()?;
        met.extend(blocked.iter().map(|blocked| blocked.fingerprint));
        met.retain(|print| hex::encode(print.0).starts_with(&digits));
        met.sort_unstable();
        met.dedup();
        match met.as_slice() {
            [print] if digits.len() >= DIGITS_MIN => Ok(*print),
            _ => {
                let what = format!(
                    "there is no contact {who:?}, and not one person whose fingerprint begins with these digits, at least 8"
                );
                Err(Refused(Refusal::Unknown, what))
            }
        }
    }
}
