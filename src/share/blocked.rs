//! People of whom nothing is taken any more, contacts or not.

use crate::crypto::identity::Fingerprint;
use crate::format::rows::{Blocked, Key};
use crate::share::contacts::Contacts;
use crate::share::error::ShareError;
use crate::types::Timespec;
use crate::types::limits::BLOCKED_MAX;

impl Contacts {
    /// From now on nothing of them is taken.
    ///
    /// # Errors
    /// [`ShareError::TooManyBlocked`]; or it cannot be written.
    pub fn block(&self, who: &Fingerprint, now: Timespec) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        let all = self.blocked()?;
        if all.iter().any(|blocked| blocked.fingerprint == *who) {
            return Ok(());
        }
        if all.len() >= BLOCKED_MAX {
            return Err(ShareError::TooManyBlocked);
        }
        let row = Blocked {
            fingerprint: *who,
            since: now,
        };
        self.rows.put(Key::blocked(who), row.encode())
    }

    /// Their messages are taken again.
    ///
    /// # Errors
    /// [`ShareError::NotBlocked`].
    pub fn unblock(&self, who: &Fingerprint) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        if !self.is_blocked(who)? {
            return Err(ShareError::NotBlocked);
        }
        self.rows.delete(Key::blocked(who))
    }

    /// Whether nothing of them is taken.
    ///
    /// # Errors
    /// When the log does not tell.
    pub fn is_blocked(&self, who: &Fingerprint) -> Result<bool, ShareError> {
        Ok(self.blocked_since(who)?.is_some())
    }

    /// Since when nothing of them is taken.
    ///
    /// # Errors
    /// When the log does not tell.
    pub fn blocked_since(&self, who: &Fingerprint) -> Result<Option<Timespec>, ShareError> {
        let Some(row) = self.rows.get(&Key::blocked(who))? else {
            return Ok(None);
        };
        let blocked = Blocked::decode(&row)?;
        Ok((blocked.fingerprint == *who).then_some(blocked.since))
    }

    /// All of them.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn blocked(&self) -> Result<Vec<Blocked>, ShareError> {
        let (first, last) = Key::all_blocked();
        let rows = self.rows.scan(&first, &last, usize::MAX)?;
        let blocked = rows.iter().map(|(_, row)| Blocked::decode(row));
        Ok(blocked.collect::<Result<_, _>>()?)
    }
}
