//! Contents of files: pages, where they are, and what happens to them.
//!
//! Every change is one record made of an [`edit::Edit`]: extent rows are loaded, changed in memory and appended with
//! the inode and the sealed pages they name. What always holds between two records:
//!
//! - Bytes of the last page behind the end of the file are zero, so that growing a file never shows old bytes.
//! - `Inode::pages` counts the pages of all extent rows, remote ones and dead ones behind `Inode::cut` included.
//! - A page in the log is named by one run, or by as many as its `R` row counts ([`shared`]).
//! - No page behind `Inode::cut` is within the size of the file.
//! - A remote run stands where it was made, in place of published pages; it goes, and is never moved or copied.

mod adopt;
mod allocate;
mod arrive;
mod buckets;
mod clone;
mod edit;
mod give_up;
mod read;
mod reap;
mod resize;
mod seek;
mod shared;
mod write;

#[cfg(test)]
mod model;
#[cfg(test)]
mod remote_tests;
#[cfg(test)]
mod tests;

use crate::format::rows::{FileKind, Inode};
use crate::pod::Pod;
use crate::pod::error::PodError;
use crate::pod::received::refuse_received;
use crate::types::Ino;
use crate::types::limits::PAGE;

pub(in crate::pod) use reap::Reaper;
pub(in crate::pod) use resize::{Freed, Resized};
pub use seek::Seek;
pub(in crate::pod) use shared::SharedGuard;

/// Bytes of a page, as file positions are counted.
const PAGE_BYTES: u64 = PAGE as u64;
/// Most extent rows that one record changes for one file: 32 MiB of it. Tests see the seams sooner.
pub(in crate::pod) const ROWS_MAX: u64 = if cfg!(test) { 2 } else { 256 };
/// The page behind all pages.
const PAGES_END: u64 = u64::MAX / PAGE_BYTES;

impl Pod {
    /// The inode, which has to be a regular file.
    fn file(&self, ino: Ino) -> Result<Inode, PodError> {
        let inode = self.inode(ino)?;
        regular(&inode)?;
        Ok(inode)
    }
}

/// Refuses whatever has no contents to change.
fn regular(inode: &Inode) -> Result<(), PodError> {
    match inode.kind() {
        FileKind::Regular => Ok(()),
        FileKind::Directory => Err(PodError::IsADirectory),
        FileKind::Symlink
        | FileKind::Fifo
        | FileKind::Socket
        | FileKind::CharDevice
        | FileKind::BlockDevice => Err(PodError::InvalidArgument),
    }
}

impl Pod {
    /// The inode of a regular file whose lock is held, with nothing dead among its buckets up to `last`.
    fn file_clear_to(&self, ino: Ino, last: u64) -> Result<Inode, PodError> {
        refuse_received(&[ino])?;
        let mut inode = self.file(ino)?;
        if inode.cut <= last {
            self.finish_reaping(ino, &mut inode)?;
        }
        Ok(inode)
    }

    /// Contents changed now.
    fn touch(&self, inode: &mut Inode) {
        let now = self.now();
        inode.mtime = now;
        inode.ctime = now;
    }
}

/// The bucket that holds the last byte before `end`.
fn last_bucket(end: u64) -> u64 {
    end.saturating_sub(1) / crate::types::limits::BUCKET
}
