use std::ops::Range;

use crate::format::rows::{Inode, Key};
use crate::journal::{Batch, Class};
use crate::pod::Pod;
use crate::pod::contents::buckets::PAGES;
use crate::pod::contents::edit::{Edit, Fill};
use crate::pod::contents::{ROWS_MAX, SharedGuard};
use crate::pod::error::PodError;
use crate::types::Ino;

/// Bytes that one record may bring to the log: its rows, of which remote pages take next to nothing.
const STEP_BYTES: u64 = 128 * 1024;

impl Pod {
    /// Gives a new file its remote pages: all but the last of them in records of their own, in which it is an orphan,
    /// the last in `batch`; there it is one too if it has no name. Its lock is held until that is appended: whoever
    /// ends orphans takes it for one.
    pub(in crate::pod) fn put_remote(
        &self,
        ino: Ino,
        inode: &mut Inode,
        pages: &[Range<u64>],
        batch: &mut Batch,
    ) -> Result<SharedGuard<'_>, PodError> {
        let most = ROWS_MAX.saturating_mul(PAGES);
        let mut edit = Edit::new(self);
        let mut left = most;
        let mut is_noted = false;
        for range in pages {
            let mut next = range.start;
            while next < range.end {
                if left == 0 {
                    self.rows.admit(STEP_BYTES)?;
                    let orphan = Inode {
                        nlink: 0,
                        ..inode.clone()
                    };
                    let mut batch = Batch::new(Class::Data);
                    let guard = std::mem::replace(&mut edit, Edit::new(self)).finish(&mut batch);
                    batch.put(Key::inode(ino), orphan.encode());
                    batch.put(Key::orphan(ino), Vec::new());
                    self.rows.append_unseen(batch, None)?;
                    drop(guard);
                    (left, is_noted) = (most, true);
                    // Where a bucket is cut in two, its first half is in a row by now.
                    edit.load(ino, (next / PAGES, next / PAGES), 1)?;
                }
                let end = range.end.min(next.saturating_add(left));
                edit.replace(ino, inode, next..end, Fill::Remote)?;
                left = left.saturating_sub(end.saturating_sub(next));
                next = end;
            }
        }
        if inode.nlink == 0 {
            batch.put(Key::orphan(ino), Vec::new());
        } else if is_noted {
            batch.delete(Key::orphan(ino));
        }
        Ok(edit.finish(batch))
    }
}
