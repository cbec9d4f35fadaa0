//! The `F` row of no inode: which publication was prepared last, and for which migration all of the pod was queued.

use crate::crypto::keys::ScopeId;
use crate::format::rows::{Key, Published};
use crate::journal::{Change, JournalError};
use crate::sync::edit::KeptEdit;
use crate::sync::kept::Kept;
use crate::types::Ino;

/// No inode has this number.
pub(super) const NEWEST: Ino = Ino(0);

impl Kept {
    /// The row, or what it says before anything was prepared.
    pub(super) fn newest(&self) -> Result<Published, JournalError> {
        let row = self.published(NEWEST)?;
        Ok(row.unwrap_or(Published {
            publication: 0,
            scope: ScopeId([0; 16]),
            size: 0,
            contents: None,
            directory: None,
            number: None,
        }))
    }

    /// Number of the newest publication that was prepared, whether it was given up or not; 0: none was.
    pub(super) fn prepared(&self) -> Result<u64, JournalError> {
        Ok(self.newest()?.publication)
    }

    /// Number of the migration that all of the pod was queued for last; 0: none was.
    pub(super) fn migration(&self) -> Result<u64, JournalError> {
        Ok(self.newest()?.size)
    }
}

impl KeptEdit {
    /// All of the pod is queued for this migration; `before` is the row as it is.
    pub(super) fn listed(&mut self, before: Published, migration: u64) {
        let row = Published {
            size: migration,
            ..before
        };
        self.row(Key::published(NEWEST), Change::Put(row.encode().into()));
    }
}
