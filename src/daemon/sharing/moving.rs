//! Grants that go on in another feed, since the keys of one of both were replaced: who has the old ones finds nothing
//! there any more.

use crate::daemon::sharing::Sharing;
use crate::format::grant::RecordState;
use crate::format::message::MessageBody;
use crate::format::rows::Contact;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::share::GrantKeys;
use crate::share::Said;
use crate::share::ShareError;
use crate::share::messages::MessageError;
use crate::store::Outage;
use crate::store::StoreError;
use crate::types::limits::MAIL_PATIENCE;

impl Sharing {
    /// What is shared is made of these keys of the owner from now on.
    pub(in crate::daemon) fn replace_keys(&self, keys: GrantKeys) {
        self.given.replace_keys(keys);
    }

    /// Tells those whose grants were handed over with keys that are no longer those of both where they go on, or that they
    /// are over.
    pub(in crate::daemon) fn move_grants(&self) -> Result<(), MessageError> {
        let now = (self.clock)();
        for given in self.given.all()? {
            let is_due = match given.state {
                GivenState::Waiting => false,
                GivenState::Offered => !given.terms.snapshot,
                GivenState::Ended { .. } => self.given.end_goes_on(&given, now)?,
            };
            if is_due && let Some((contact, moved)) = self.moved(&given)? {
                self.goes_on_elsewhere(&contact, &moved, None)?;
            }
        }
        Ok(())
    }

    /// The same of grants of one version: the one that was told is told again, which the network may have to give.
    pub(super) async fn move_versions(&self) -> Result<(), MessageError> {
        let now = (self.clock)();
        for given in self.given.all()? {
            let is_one = given.terms.snapshot && !given.terms.is_past(now);
            if given.state != GivenState::Offered || !is_one {
                continue;
            }
            let Some((contact, moved)) = self.moved(&given)? else {
                continue;
            };
            let said = match self.said(&given).await {
                Ok(Said::Nothing) => None,
                Ok(Said::Last(said)) => Some(said),
                Ok(Said::Unknown) => continue,
                Err(why) => {
                    let why = format!("it does not go on with other keys yet: {why}");
                    self.untold.lock().insert(given.id, why);
                    continue;
                }
            };
            self.goes_on_elsewhere(&contact, &moved, said.as_deref())?;
        }
        Ok(())
    }

    async fn said(&self, given: &Given) -> Result<Said, ShareError> {
        let endpoints = self.publishing.sources().now();
        let said = self.given.said(given, &endpoints);
        let late = |_| StoreError::unavailable(Outage::Late(MAIL_PATIENCE));
        let said = tokio::time::timeout(MAIL_PATIENCE, said).await;
        said.map_err(late)?
    }

    /// Whom it was given to, and the grant with the keys of both, when those are other ones than it was handed over with.
    fn moved(&self, given: &Given) -> Result<Option<(Contact, Given)>, MessageError> {
        let Some(contact) = self.messages.contact(&given.contact)? else {
            return Ok(None);
        };
        let theirs = contact.epoch().map_err(ShareError::from)?;
        let moved = self.given.with_keys(given, theirs);
        Ok((moved.epochs != given.epochs).then_some((contact, moved)))
    }

    fn goes_on_elsewhere(
        &self,
        contact: &Contact,
        moved: &Given,
        said: Option<&RecordState>,
    ) -> Result<(), MessageError> {
        let now = (self.clock)();
        self.messages.withdraw_grant(&moved.contact, &moved.id)?;
        let grant = self.given.handed_over(moved)?;
        let body = MessageBody::Grant(grant.as_slice().into());
        if let Err(error) = self.messages.post(contact, body, None, now) {
            // A contact that is stopped is told of nothing.
            tracing::info!(%error, "a grant cannot go on with other keys yet");
            let why = format!(
                "it does not go on with other keys yet: {}",
                error.for_people()
            );
            self.untold.lock().insert(moved.id, why);
            return Ok(());
        }
        self.given.is_moved(moved, said, now)?;
        self.untold.lock().remove(&moved.id);
        self.people.mail().wake();
        self.publishing.publisher().follow_now();
        Ok(())
    }

    /// Something is to be done now.
    pub(in crate::daemon) fn wake(&self) {
        self.wake.notify_one();
    }
}
