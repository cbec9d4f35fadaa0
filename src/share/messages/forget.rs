//! Forgetting messages.

use crate::crypto::identity::Fingerprint;
use crate::format::message::MessageId;
use crate::format::rows::{Key, MessageRow};
use crate::journal::{Batch, Class};
use crate::share::messages::door::day;
use crate::share::messages::error::MessageError;
use crate::share::messages::ledger::Ledger;
use crate::share::messages::{Messages, Way};
use crate::types::limits::{MAIL_FORGOTTEN, MAIL_FORGOTTEN_AT_ONCE};

impl Messages {
    /// Forgets a message. One that was not sent yet is not sent any more, unless it is on its way; to somebody who is
    /// no contact nothing is sent any more when nothing of theirs is left.
    ///
    /// # Errors
    /// [`MessageError::Unknown`].
    pub fn remove(&self, id: MessageId) -> Result<(), MessageError> {
        self.with_ledger(|ledger| {
            let found = ledger.ids.get(&id).copied();
            let (way, number) = found.ok_or_else(|| MessageError::Unknown(hex::encode(id.0)))?;
            let kept = self.kept(way, number)?;
            let mut gone = vec![(way, number, kept.row)];
            if let Some((.., row)) = gone.first()
                && row.card.is_some()
                && ledger.kept(row.contact, Way::Received) == 1
                && self.contact(&row.contact)?.is_none()
            {
                let unsent = self.unsent_to(ledger, &row.contact)?;
                gone.extend(unsent);
            }
            let mut batch = Batch::new(Class::Meta);
            for (way, number, row) in &gone {
                batch.delete(way.key(*number));
                if *way == Way::Received {
                    self.remember_forgotten(row, &mut batch)?;
                }
            }
            self.rows.append(batch, None)?;
            for (way, number, row) in &gone {
                ledger.remove(*way, *number, row);
                if *way == Way::Received {
                    ledger.forgotten.insert(row.message.id);
                }
            }
            Ok(())
        })
    }

    /// Forgets all that somebody who is no contact has written.
    ///
    /// # Errors
    /// When the log does not take it.
    pub fn forget_stranger(&self, who: &Fingerprint) -> Result<(), MessageError> {
        for id in self.with_ledger(|ledger| Ok(ledger.of_stranger(who)))? {
            match self.remove(id) {
                Ok(()) | Err(MessageError::Unknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn unsent_to(
        &self,
        ledger: &Ledger,
        who: &Fingerprint,
    ) -> Result<Vec<(Way, u64, MessageRow)>, MessageError> {
        let mut all = Vec::new();
        for number in &ledger.unsent {
            let kept = self.kept(Way::Sent, *number)?;
            if kept.row.contact == *who {
                all.push((Way::Sent, *number, kept.row));
            }
        }
        Ok(all)
    }

    /// It may be met again: at the door, in the feed of a week that is not over, and when a feed is read again.
    fn remember_forgotten(&self, row: &MessageRow, batch: &mut Batch) -> Result<(), MessageError> {
        let today = day(row.since.secs);
        batch.put(
            Key::forgotten(today, &row.message.id.0),
            row.message.id.0.to_vec(),
        );
        if let Some(over) = today.checked_sub(MAIL_FORGOTTEN) {
            let (first, last) = Key::forgotten_until(over);
            for (key, _) in self.rows.scan(&first, &last, MAIL_FORGOTTEN_AT_ONCE)? {
                batch.delete(key);
            }
        }
        Ok(())
    }
}
