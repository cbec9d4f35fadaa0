//! Messages when keys are replaced.

use std::sync::Arc;

use crate::crypto::identity::Fingerprint;
use crate::format::grant::Grant;
use crate::format::message::MessageBody;
use crate::share::messages::error::MessageError;
use crate::share::messages::{MessageKeys, Messages, Way};

/// As long as it is held, nothing is sent and nothing is read, and nobody is at a door.
pub struct Still<'a> {
    _held: [tokio::sync::MutexGuard<'a, ()>; 4],
}

impl Messages {
    pub(super) fn keys(&self) -> Arc<MessageKeys> {
        Arc::clone(&self.keys.read())
    }

    /// Waits until nothing is sent or read any more.
    pub async fn still(&self) -> Still<'_> {
        Still {
            _held: [
                self.sending.lock().await,
                self.collecting.lock().await,
                self.knocking.lock().await,
                self.at_own_door.lock().await,
            ],
        }
    }

    /// From now on these are the keys of the pod. What is unsent is sealed with them.
    pub fn replace_keys(&self, keys: MessageKeys, _still: &Still<'_>) {
        *self.keys.write() = Arc::new(keys);
    }

    /// Forgets what was written of a grant: it is told of anew, and so it takes no more room each time.
    ///
    /// # Errors
    /// When the log fails.
    pub fn withdraw_grant(&self, contact: &Fingerprint, id: &[u8; 16]) -> Result<(), MessageError> {
        for kept in self.all(Way::Sent, 0, usize::MAX)? {
            let MessageBody::Grant(bytes) = &kept.row.message.body else {
                continue;
            };
            let is_it = Grant::decode(bytes).is_ok_and(|grant| grant.id == *id);
            if is_it && kept.row.contact == *contact {
                self.remove(kept.row.message.id)?;
            }
        }
        Ok(())
    }
}
