//! What is said to others of their audit logs: to each of them one thing at a time, the newest.

use std::collections::BTreeMap;

use crate::crypto::identity::Fingerprint;
use crate::format::audit::{SignedCheckpoint, Witness};
use crate::format::message::MessageBody;
use crate::format::rows::MessageState;
use crate::share::messages::error::MessageError;
use crate::share::messages::pair::Pair;
use crate::share::messages::{Kept, Messages, Way};
use crate::types::Timespec;

/// What was said last to somebody of their audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldOfLog {
    /// How far that is.
    pub state: MessageState,
    /// Since when it is said.
    pub since: Timespec,
    /// The checkpoint that was seen.
    pub seen: SignedCheckpoint,
}

impl Messages {
    /// Tells a contact that this checkpoint of their audit log was seen, in place of what was told of it before.
    ///
    /// # Errors
    /// Those of [`Messages::post`].
    pub fn countersign(
        &self,
        print: &Fingerprint,
        seen: SignedCheckpoint,
        now: Timespec,
    ) -> Result<(), MessageError> {
        let Some(contact) = self.contact(print)? else {
            return Ok(());
        };
        let (own, _) = self.contacts.own()?.ok_or(MessageError::NoCard)?;
        let own = own.card().fingerprint();
        let witness = Box::new(Witness::sign(seen, own.0, &self.keys().sign));
        let posted = self.post(&contact, MessageBody::Witness(witness), None, now)?;
        for (kept, _) in self.witnesses()? {
            if kept.row.contact == *print && kept.row.message.id != posted {
                self.remove(kept.row.message.id)?;
            }
        }
        Ok(())
    }

    /// What was said last to each contact.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn told_of_logs(&self) -> Result<BTreeMap<Fingerprint, ToldOfLog>, MessageError> {
        let told = self.witnesses()?.into_iter().map(|(kept, witness)| {
            let said = ToldOfLog {
                state: kept.row.state,
                since: kept.row.since,
                seen: witness.seen,
            };
            (kept.row.contact, said)
        });
        Ok(told.collect())
    }

    fn witnesses(&self) -> Result<Vec<(Kept, Witness)>, MessageError> {
        let sent = self.all(Way::Sent, 0, usize::MAX)?.into_iter();
        let witnesses = sent.filter_map(|kept| {
            let MessageBody::Witness(witness) = &kept.row.message.body else {
                return None;
            };
            let witness = **witness;
            Some((kept, witness))
        });
        Ok(witnesses.collect())
    }

    /// As who the owner is when it is sealed: only what was signed with the keys of then is believed.
    pub(super) fn signed_now(&self, pair: &Pair, body: &mut MessageBody) {
        if let MessageBody::Witness(witness) = body {
            **witness = Witness::sign(witness.seen, pair.own.0, &self.keys().sign);
        }
    }
}
