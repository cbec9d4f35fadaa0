//! Reading a mounted pod on demand: pages that are not in its log, and nodes that its publisher needs.
//!
//! Everything is found from what the `F` row names, reference by reference, so what is kept here or in the log of an
//! older publication can never be taken for the newest. Pages are fetched as they are asked for and no further; nodes
//! a little ahead, since a page costs a way of several requests and a node saves it for fifty.

mod family;
mod keep;
mod memory;
mod network;
#[cfg(test)]
mod tests;
mod walk;

use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::format::published::Place;
use crate::format::wire::Malformed;
use crate::journal::JournalError;
use crate::sync::fetch::{FetchError, Fetcher};
use crate::sync::kept::Kept;
use crate::sync::reader::keep::At;
use crate::sync::reader::memory::Memory;
use crate::sync::reader::network::Flights;
use crate::sync::reader::walk::Found;
use crate::types::Ino;
use crate::types::limits::{FETCHED_AHEAD, FETCHED_WRITES_MAX, PAGE};

/// Why a published page or node is not given. The variant says what comes next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing of this inode is published: whoever asks for it is mistaken.
    #[error("inode {0}: nothing of it is published")]
    Unpublished(Ino),
    /// The published version of this inode has no such page, node or reference.
    #[error("inode {0}: what is published of it has no such part")]
    Behind(Ino),
    /// A chunk is not to be had: ask again later.
    #[error("inode {0}: {1}")]
    Fetch(Ino, FetchError),
    /// What is published makes no sense: asking again does not help.
    #[error("inode {0}: {1}")]
    Malformed(Ino, Malformed),
    /// The log failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Reads what is published of a pod, from its log and from the network.
pub struct Reader {
    kept: Arc<Kept>,
    fetcher: Fetcher,
    memory: Mutex<Memory>,
    flights: Flights,
    /// Records that are being written.
    writes: Arc<Semaphore>,
    /// Calls that look ahead.
    ahead: Arc<Semaphore>,
    /// Where giving pages up goes on.
    cursor: Mutex<Ino>,
}

impl Reader {
    /// Reads by `fetcher` what is not in `kept`.
    pub fn new(kept: Arc<Kept>, fetcher: Fetcher) -> Arc<Self> {
        Arc::new(Self {
            kept,
            fetcher,
            memory: Mutex::new(Memory::new()),
            flights: Flights::default(),
            writes: Arc::new(Semaphore::new(FETCHED_WRITES_MAX)),
            ahead: Arc::new(Semaphore::new(1)),
            cursor: Mutex::new(Ino(0)),
        })
    }

    /// Copies page `page` of the published version of `ino` into `out`, zeros behind its end; false when it has to be
    /// fetched first. Prompt: asks no network.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::Behind`] when this version has no such page.
    pub fn page(&self, ino: Ino, page: u64, out: &mut [u8; PAGE]) -> Result<bool, ReadError> {
        let published = self.published(ino)?;
        self.memory.lock().used(ino);
        let reference = match self.find(ino, &published, page)? {
            Found::Absent => return Ok(false),
            Found::Hole => {
                out.fill(0);
                return Ok(true);
            }
            Found::Inline(bytes) => {
                out.fill(0);
                for (to, from) in out.iter_mut().zip(bytes.iter()) {
                    *to = *from;
                }
                return Ok(true);
            }
            Found::Page(reference) => reference,
        };
        let known = self.memory.lock().page(&reference.address());
        if let Some(known) = known {
            *out = *known.expose();
        } else if let Some(kept) = self.kept_node(ino, Place::page(page), &reference) {
            *out = *kept.expose();
        } else {
            return Ok(false);
        }
        blank(out, page, published.size);
        Ok(true)
    }

    /// Brings these pages of the published version of `ino` onto this machine, for long enough that [`Reader::page`]
    /// gives them. Pages that this version does not have are passed over.
    ///
    /// # Errors
    /// [`ReadError`] when one is not to be had; others may have come.
    pub async fn fetch(self: &Arc<Self>, ino: Ino, pages: Range<u64>) -> Result<(), ReadError> {
        let published = self.published(ino)?;
        let at = Arc::new(At::new(ino, published.publication));
        let goes_on = self.memory.lock().asked(ino, &pages);
        let fetched = self.fetch_pages(&at, &published, pages.clone()).await;
        self.keep_soon(&at);
        let shape = fetched?;
        let next = pages.end..pages.end.saturating_add(FETCHED_AHEAD);
        if goes_on
            && shape.is_some_and(|shape| shape.level() > 0 && next.start < shape.pages())
            && let Ok(permit) = Arc::clone(&self.ahead).try_acquire_owned()
        {
            let reader = Arc::clone(self);
            let at = Arc::new(At::new(ino, published.publication));
            tokio::spawn(async move {
                let looked = reader.pages_of(&at, &published, next).await;
                reader.keep_soon(&at);
                if let Err(error) = looked {
                    tracing::debug!(%error, "looking ahead");
                }
                drop(permit);
            });
        }
        Ok(())
    }
}

/// Bytes behind the end of a file are zeros, whatever was published.
fn blank(out: &mut [u8; PAGE], page: u64, size: u64) {
    let start = page.saturating_mul(PAGE as u64);
    let left = usize::try_from(size.saturating_sub(start)).unwrap_or(usize::MAX);
    out.get_mut(left..).unwrap_or_default().fill(0);
}
