//! Audit logs of others, as their grants tell of them: seen, and countersigned.

use crate::crypto::identity::Fingerprint;
use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::happened;
use crate::format::audit::Witness;
use crate::format::card::Card;
use crate::format::grant::GrantRecord;
use crate::format::rows::Received;
use crate::format::rows::RecordAt;
use crate::share::LogSeen;
use crate::share::LogTrouble;
use crate::share::messages::MessageError;

impl Sharing {
    /// Looks at the audit log that a record of a grant shows.
    pub(super) async fn see_log(&self, received: &Received, record: &GrantRecord) {
        let Some(shown) = &record.log else {
            return;
        };
        let at = RecordAt {
            grant: record.grant,
            index: record.index,
            time: record.time,
        };
        match self.seen_logs.see(&received.contact, at, shown) {
            Ok(LogSeen::Other { before, now }) => {
                tracing::warn!(before, now, "the audit log of a contact is not what it was");
                let name = self.name_of(&received.contact).unwrap_or_default();
                let happening = happened::rolled_back(&received.contact, &name, (before, now));
                self.note(&happening).await;
            }
            Ok(LogSeen::Higher | LogSeen::Known) => {}
            Err(error) => tracing::warn!(%error, "what was seen of an audit log is not kept"),
        }
    }

    /// Countersigns what is due.
    pub(super) fn countersign(&self) -> Result<(), MessageError> {
        let now = (self.clock)();
        for seen in self.seen_logs.due(now)? {
            if self.people.contacts().is_blocked(&seen.contact)? {
                continue;
            }
            match self.messages.countersign(&seen.contact, seen.newest, now) {
                Ok(()) => {
                    self.seen_logs.is_told(&seen, now)?;
                    self.people.mail().wake();
                }
                Err(error) => tracing::debug!(%error, "an audit log is not countersigned yet"),
            }
        }
        Ok(())
    }

    /// Somebody countersigned what they saw of the log of this pod. Whether the message has done its work.
    pub(super) async fn is_countersigned(
        &self,
        by: &Fingerprint,
        witness: &Witness,
    ) -> Result<bool, MessageError> {
        let contact = self.messages.contact(by)?;
        let card = contact.map(|contact| contact.card()).transpose()?;
        let is_theirs =
            |card: Card| (card.fingerprint().0, card.sign) == (witness.who, witness.key);
        if !card.is_some_and(is_theirs) {
            tracing::info!("a checkpoint was countersigned with a key that is not on the card");
            return Ok(true);
        }
        match self.people.audit().witnessed(witness).await {
            Ok(false) => Ok(true),
            Ok(true) => {
                tracing::warn!("a contact has seen another audit log of this pod");
                let name = self.name_of(by)?;
                let size = witness.seen.checkpoint.size;
                self.note(&happened::is_another(by, &name, size)).await;
                Ok(true)
            }
            Err(fault) => {
                tracing::warn!(%fault, "what was countersigned is not kept");
                Ok(false)
            }
        }
    }

    /// What is wrong with the audit log of a contact, for people.
    pub(super) fn log_trouble(&self, contact: &Fingerprint) -> Option<String> {
        let what = match self.seen_logs.trouble(contact).ok().flatten()? {
            LogTrouble::Other => {
                "their audit log is not what it was: it was cut, or written anew. Talk to them; podfs contact \
                 verify NAME then starts anew"
            }
            LogTrouble::NotShown => {
                "for a week their audit log was not shown to be the one that this pod countersigned. Talk to \
                 them; podfs contact verify NAME then starts anew"
            }
        };
        Some(what.to_owned())
    }
}
