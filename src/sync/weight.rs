//! How many chunks a pod is, about: for who chooses a postage batch for all of it.

use crate::format::rows::{Bucket, Key, PageState};
use crate::journal::JournalError;
use crate::sync::kept::{Kept, damaged};
use crate::types::Ino;

/// Rows that are looked at together.
const ROWS: usize = 4096;
/// Heads, their replicas and those that lead to them.
const HEADS: u64 = 64;
/// Pages for which there is a node with its parity, a little fewer than there are.
const PAGES_A_NODE: u64 = 44;
/// Inodes for which there is a leaf or a parity, a little fewer than there are.
const INODES_A_LEAF: u64 = 8;

impl Kept {
    /// Chunks that the pod is when all of it is published, rather too many than too few. Holes count nothing.
    ///
    /// # Errors
    /// [`JournalError`] when the log does not tell.
    pub fn weight(&self) -> Result<u64, JournalError> {
        let mut pages = 0;
        let (mut ino, mut of_one) = (0, 0);
        self.each(
            Key::extent(Ino(0), 0),
            Key::extent(Ino::LAST_OWN, 0),
            |key, row| {
                if key.field(0) != ino {
                    pages += many(of_one);
                    (ino, of_one) = (key.field(0), 0);
                }
                let bucket = Bucket::decode(row).map_err(damaged)?;
                let has_bytes =
                    |page: &&PageState| page.data().is_some() || matches!(page, PageState::Remote);
                let with_bytes = bucket.pages().iter().filter(has_bytes).count();
                of_one += u64::try_from(with_bytes).unwrap_or(u64::MAX);
                Ok(())
            },
        )?;
        pages += many(of_one);
        let mut inodes = 0;
        self.each(Key::inode(Ino(0)), Key::inode(Ino::LAST_OWN), |_, _| {
            inodes += 1;
            Ok(())
        })?;
        let nodes = pages.div_ceil(PAGES_A_NODE) + inodes + inodes.div_ceil(INODES_A_LEAF);
        Ok(pages + nodes + HEADS)
    }

    fn each(
        &self,
        from: Key,
        to: Key,
        mut show: impl FnMut(&Key, &[u8]) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let mut next = Some(from);
        while let Some(from) = next {
            let rows = self.rows().scan(&from, &to, ROWS)?;
            next = rows.last().and_then(|(key, _)| key.successor());
            for (key, row) in &rows {
                show(key, row)?;
            }
            if rows.len() < ROWS {
                break;
            }
        }
        Ok(())
    }
}

/// A single page stands in the inode, but for a long one.
const fn many(pages: u64) -> u64 {
    if pages > 1 { pages } else { 0 }
}
