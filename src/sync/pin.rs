//! What is to stay on this machine: the `K` rows. A directory that is pinned pins all below it.

use crate::format::rows::Key;
use crate::journal::{Batch, Class, JournalError};
use crate::sync::kept::Kept;
use crate::types::limits::PIN_DEPTH_MAX;
use crate::types::{Ino, ROOT};

impl Kept {
    /// Says that an inode, and what is below it, is to stay on this machine, or need not.
    ///
    /// # Errors
    /// [`JournalError`]: nothing was changed.
    pub fn pin(&self, ino: Ino, on: bool) -> Result<(), JournalError> {
        let mut batch = Batch::new(Class::Meta);
        if on {
            batch.put(Key::pinned(ino), Vec::new());
        } else {
            batch.delete(Key::pinned(ino));
        }
        self.rows().append(batch, None)
    }

    /// Whether an inode, or a directory that leads to it, is to stay on this machine.
    ///
    /// # Errors
    /// [`JournalError`] when the log does not tell.
    pub fn is_pinned(&self, ino: Ino) -> Result<bool, JournalError> {
        let mut left = vec![(ino, 0)];
        while let Some((ino, depth)) = left.pop() {
            if self.rows().get(&Key::pinned(ino))?.is_some() {
                return Ok(true);
            }
            if ino == ROOT || depth > PIN_DEPTH_MAX {
                continue;
            }
            let (first, last) = (Ino(0), Ino(u64::MAX));
            let from = Key::parent(ino, first, 0);
            let to = Key::parent(ino, last, u64::MAX);
            let parents = self.rows().scan(&from, &to, usize::MAX)?;
            left.extend(
                parents
                    .iter()
                    .map(|(key, _)| (Ino(key.field(1)), depth + 1)),
            );
        }
        Ok(false)
    }
}
