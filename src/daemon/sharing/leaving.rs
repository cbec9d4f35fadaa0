//! Contacts who are forgotten, or stopped: what becomes of what is shared with them.

use std::sync::atomic::Ordering;

use crate::control::PeopleRequest;
use crate::control::PeopleResponse;
use crate::control::Refusal;
use crate::crypto::identity::Fingerprint;
use crate::daemon::refused::Refused;
use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::report::STOPPED;
use crate::format::grant::RevocationLevel;
use crate::format::rows::Contact;
use crate::format::rows::Given;
use crate::share::ShareError;
use crate::share::messages::MessageError;

impl Sharing {
    /// The answer to a request about people: nobody is forgotten with whom something is shared.
    pub(in crate::daemon) async fn answer_people(&self, request: PeopleRequest) -> PeopleResponse {
        if let PeopleRequest::Remove { name, revoke } = &request
            && self.publishing.is_running()
            && let Err(Refused(why, what)) = self.let_go(name, *revoke).await
        {
            return PeopleResponse::Refused { why, what };
        }
        self.people.answer(request).await
    }

    async fn let_go(&self, name: &str, revoke: bool) -> Result<(), Refused> {
        self.people.complete().await?;
        let contact = self.people.contacts().named(name)?;
        let shared = self.given.of(&contact.print().map_err(ShareError::from)?)?;
        let back = self.added_to_others()?;
        let count = shared.iter().filter(|it| !back.contains(&it.id)).count();
        if count > 0 && !revoke {
            let what =
                format!("{count} grants of {name:?} are alive: forgotten people keep nothing");
            return Err(Refused(Refusal::Taken, what));
        }
        for given in &shared {
            self.take_back(given, RevocationLevel::Feed).await?;
        }
        Ok(())
    }

    /// Whether nothing new is told to somebody, nor taken of them: a card of theirs was met that nothing vouches for.
    pub(super) fn is_stopped(&self, who: &Fingerprint) -> Result<bool, MessageError> {
        let contact = self.messages.contact(who)?;
        Ok(contact.is_some_and(|contact| contact.alarm.is_some()))
    }

    /// Whether no version is told of a grant: to somebody who is stopped; nor where somebody reads it who has the keys that
    /// the other one replaced since. It goes on elsewhere first.
    pub(super) fn is_silent(&self, given: &Given) -> bool {
        let is_doubtful = |contact: Contact| {
            let theirs = contact.epoch().ok();
            contact.alarm.is_some() || theirs != Some(given.epochs.theirs)
        };
        // Who is a contact no more is told how it ends.
        let contact = self.messages.contact(&given.contact);
        contact.map_or(true, |contact| contact.is_some_and(is_doubtful))
    }

    /// Fails for somebody who is stopped: whoever passes himself off as them may have written it.
    pub(super) fn refuse_stopped(&self, who: &Fingerprint) -> Result<(), String> {
        match self.is_stopped(who) {
            Ok(false) => Ok(()),
            Ok(true) => Err(STOPPED.to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Who was stopped and is no more is told what is published by now.
    pub(super) fn look_at_stopped(&self) -> Result<(), MessageError> {
        let mut count = 0;
        for given in self.given.followed()? {
            count += usize::from(self.is_stopped(&given.contact)?);
        }
        if self.stopped.swap(count, Ordering::AcqRel) > count {
            self.publishing.publisher().follow_now();
        }
        Ok(())
    }
}
