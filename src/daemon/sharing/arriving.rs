//! What comes in messages: grants, and what is countersigned.

use std::sync::atomic::Ordering;

use crate::crypto::identity::Fingerprint;
use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::happened;
use crate::format::grant::Grant;
use crate::format::message::MessageBody;
use crate::format::rows::FileKind;
use crate::format::rows::GivenState;
use crate::format::rows::ReceivedState;
use crate::share::Arrival;
use crate::share::messages::Kept;
use crate::share::messages::MessageError;
use crate::share::messages::Way;
use crate::types::Timespec;
use crate::types::limits::MESSAGES_TAKEN;

impl Sharing {
    /// Grants in messages that came, and what is countersigned in them.
    pub(super) async fn take_grants(&self) -> Result<(), MessageError> {
        loop {
            let after = self.taken.load(Ordering::Acquire);
            let messages = self.messages.all(Way::Received, after, MESSAGES_TAKEN)?;
            if messages.is_empty() {
                return Ok(());
            }
            for kept in messages {
                match self.take_one(&kept).await {
                    Ok(()) => {}
                    // It is looked at again when there is room.
                    Err(error) if error.passes() => return Err(error),
                    // What cannot be kept of one person keeps nobody else's back.
                    Err(error) => tracing::info!(%error, "what came in a message is not kept"),
                }
                self.taken.store(kept.number, Ordering::Release);
            }
        }
    }

    /// The grant in a message, or what is countersigned in it, if there is either.
    async fn take_one(&self, kept: &Kept) -> Result<(), MessageError> {
        let bytes = match &kept.row.message.body {
            MessageBody::Grant(bytes) => bytes,
            MessageBody::Witness(witness) => {
                if self.is_countersigned(&kept.row.contact, witness).await? {
                    self.messages.remove(kept.row.message.id)?;
                }
                return Ok(());
            }
            MessageBody::Request(_) | MessageBody::Denied { .. } | MessageBody::Arrived => {
                return Ok(());
            }
        };
        let Ok(grant) = Grant::decode(bytes) else {
            tracing::debug!("a grant that this podfs cannot read");
            return Ok(());
        };
        let told = (kept.row.epoch, kept.row.message.time);
        if self.takes(kept.row.contact, grant, told).await? {
            self.messages.remove(kept.row.message.id)?;
        }
        Ok(())
    }

    /// Keeps a grant. One that comes back for what its giver adds is taken at once, as long as they may add, and its
    /// message is of no use to anybody, nor is one that tells where a grant goes on: then this is true.
    async fn takes(
        &self,
        from: Fingerprint,
        grant: Grant,
        told: (u32, Timespec),
    ) -> Result<bool, MessageError> {
        let id = grant.id;
        let answered = self.answered_by(&id, &from)?;
        if let Some(given) = &answered {
            let is_over = matches!(given.state, GivenState::Ended { .. });
            if is_over || grant.terms.kind != FileKind::Directory {
                return Ok(true);
            }
        }
        if answered.is_none() && self.is_place_of_answer(&id)? {
            tracing::info!("a grant is in the place of one that somebody else is to give");
            return Ok(true);
        }
        let label = grant.terms.name.clone();
        let arrival = self.received.arrives(from, grant, told)?;
        if arrival == Arrival::Anothers {
            tracing::info!("a grant has the id of one that somebody else gave");
            return Ok(answered.is_some());
        }
        let Some(received) = self.received.find(&id)? else {
            return Ok(false);
        };
        if answered.is_none() && arrival == Arrival::New {
            let name = self.name_of(&from)?;
            self.note(&happened::received(&received, &name)).await;
        } else if answered.is_some() && received.state == ReceivedState::Offered {
            self.received.accept(&id, &label)?;
        }
        // People have seen the first message of it, or will.
        Ok(answered.is_some() || arrival == Arrival::Moved)
    }
}
