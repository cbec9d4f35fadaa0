//! Forgetting messages.

use crate::crypto::identity::Fingerprint;
use crate::format::message::{MessageBody, MessageId};
use crate::format::rows::{DoorForgotten, Key, MessageRow};
use crate::journal::{Batch, Class};
use crate::share::messages::door::day;
use crate::share::messages::error::MessageError;
use crate::share::messages::ledger::Ledger;
use crate::share::messages::{Messages, Way};
use crate::types::limits::{DOOR_DAYS_OLD, DOOR_FORGOTTEN};

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

    /// It may still stand at the door.
    fn remember_forgotten(&self, row: &MessageRow, batch: &mut Batch) -> Result<(), MessageError> {
        if !matches!(row.message.body, MessageBody::Request(_)) {
            return Ok(());
        }
        let DoorForgotten(mut all) = self.forgotten()?;
        let today = day(row.since.secs);
        all.retain(|(day, _)| today.saturating_sub(*day) <= DOOR_DAYS_OLD);
        all.push((today, row.message.id));
        let excess = all.len().saturating_sub(DOOR_FORGOTTEN);
        all.drain(..excess);
        batch.put(Key::door_forgotten(), DoorForgotten(all).encode());
        Ok(())
    }

    /// What came through the door and was forgotten.
    pub(super) fn forgotten(&self) -> Result<DoorForgotten, MessageError> {
        let row = self.rows.get(&Key::door_forgotten())?;
        let row = row.map(|row| DoorForgotten::decode(&row)).transpose()?;
        Ok(row.unwrap_or_default())
    }
}
