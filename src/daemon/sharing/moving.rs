//! Grants that go on in another feed, since the keys of one of both were replaced: who has the old ones finds nothing
//! there any more.

use crate::crypto::keys::BoxSecret;
use crate::daemon::sharing::Sharing;
use crate::format::message::MessageBody;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::share::ShareError;
use crate::share::messages::MessageError;

impl Sharing {
    /// What is shared is made of these keys of the owner from now on.
    pub(in crate::daemon) fn replace_keys(&self, epoch: u32, secret: BoxSecret) {
        self.given.replace_keys(epoch, secret);
    }

    /// Tells those whose grants were handed over with keys that are no longer those of both where they go on.
    pub(in crate::daemon) fn move_grants(&self) -> Result<(), MessageError> {
        for given in self.given.all()? {
            if given.state != GivenState::Offered {
                continue;
            }
            let Some(contact) = self.messages.contact(&given.contact)? else {
                continue;
            };
            let theirs = contact.epoch().map_err(ShareError::from)?;
            let moved = self.given.with_keys(&given, theirs);
            // Of the one version that was told of there comes no other; with other keys of the owner nobody knows whether it
            // was.
            let is_own = moved.epochs.own == given.epochs.own;
            let is_done = given.terms.snapshot && (!is_own || self.given.is_told(&given)?);
            if moved.epochs == given.epochs || is_done {
                continue;
            }
            self.messages.withdraw_grant(&given.contact, &given.id)?;
            let grant = self.given.handed_over(&moved)?;
            let body = MessageBody::Grant(grant.as_slice().into());
            match self.messages.post(&contact, body, None, (self.clock)()) {
                Ok(_) => self.goes_on_elsewhere(&moved)?,
                // A contact that is stopped is told of nothing.
                Err(error) => tracing::info!(%error, "a grant cannot go on with other keys yet"),
            }
        }
        Ok(())
    }

    fn goes_on_elsewhere(&self, moved: &Given) -> Result<(), MessageError> {
        self.given.is_moved(moved)?;
        self.people.mail().wake();
        self.publishing.publisher().follow_now();
        Ok(())
    }

    /// Something is to be done now.
    pub(in crate::daemon) fn wake(&self) {
        self.wake.notify_one();
    }
}
