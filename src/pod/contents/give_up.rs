use std::ops::Range;

use crate::format::rows::{Bucket, PageState};
use crate::journal::{Batch, Class};
use crate::pod::Pod;
use crate::pod::contents::buckets::{PAGES, add_range};
use crate::pod::contents::edit::{Edit, Fill};
use crate::pod::contents::{ROWS_MAX, regular};
use crate::pod::error::PodError;
use crate::types::Ino;

/// Bytes that one record may bring to the log: its rows, of which remote pages take next to nothing.
const STEP_BYTES: u64 = 128 * 1024;

impl Pod {
    /// Turns pages of a file into remote ones, and gives their room back. `published` are extent rows, by number of
    /// bucket, as they stood when the version was published that the network holds now, without the pages that are
    /// to stay. Pages that were written anew since, or moved, stay. Gives how many went; nothing else of the inode
    /// changes.
    pub fn give_up(&self, ino: Ino, published: &[(u64, Bucket)]) -> Result<u64, PodError> {
        let rows = usize::try_from(ROWS_MAX).unwrap_or(usize::MAX);
        let steps = published.chunks(rows);
        steps.map(|rows| self.give_up_step(ino, rows)).sum()
    }

    /// One record.
    fn give_up_step(&self, ino: Ino, published: &[(u64, Bucket)]) -> Result<u64, PodError> {
        self.rows.admit(STEP_BYTES)?;
        let _held = self.locks.lock(&[ino]);
        let mut inode = self.inode(ino)?;
        regular(&inode)?;
        let mut edit = Edit::new(self);
        let mut given = 0;
        for (number, then) in published {
            edit.load(ino, (*number, *number), 1)?;
            let Some(now) = edit.bucket(ino, *number) else {
                continue;
            };
            for pages in unchanged(number.saturating_mul(PAGES), now, then) {
                given += pages.end - pages.start;
                edit.replace(ino, &mut inode, pages, Fill::Remote)?;
            }
        }
        if given > 0 {
            let mut batch = Batch::new(Class::Meta);
            let guard = edit.finish(&mut batch);
            self.rows.append_unseen(batch, None)?;
            drop(guard);
        }
        Ok(given)
    }
}

/// The pages of a bucket, which begins at page `base` of the file, that are in the log where they were.
fn unchanged(base: u64, now: &Bucket, then: &Bucket) -> Vec<Range<u64>> {
    let mut found = Vec::new();
    for (page, (now, then)) in (base..).zip(now.pages().iter().zip(&then.pages())) {
        if is_same(now, then) {
            add_range(&mut found, page..page + 1);
        }
    }
    found
}

/// A place may be filled again, its number and tag are others then.
fn is_same(now: &PageState, then: &PageState) -> bool {
    let place = |page: &PageState| match page {
        PageState::Data {
            slot, number, tag, ..
        } => Some((*slot, *number, *tag)),
        PageState::Hole | PageState::Unwritten | PageState::Remote => None,
    };
    place(now).is_some_and(|now| place(then) == Some(now))
}
