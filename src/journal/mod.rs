//! The truth on this machine: one append-only sealed log, its replay, its checkpoints, its space.
//!
//! An operation is a record: row after-images and the pages they name. It is in the file before it is answered
//! ([`Journal::append`]) and durable when [`Journal::sync`] returned. Rows changed since the newest checkpoint are
//! held in memory; a checkpoint merges them into copy-on-write leaves, which stand in the same log, and writes a
//! manifest that points to them. Only then are dead pages given back to the disk.

mod append;
mod batch;
mod checkpoint;
mod disk;
mod error;
#[cfg(test)]
pub(crate) mod history;
mod keeper;
mod leaf;
mod merge;
mod open;
mod order;
mod overlay;
mod pins;
mod read;
mod reclaim;
mod replay;
mod scan;
mod segments;
mod snapshot;
mod space;
mod sync;
mod tail;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};

use parking_lot::{Mutex, RwLock};

pub use batch::{Batch, Change, Class, Pages, Sealed, Value};
pub use checkpoint::View;
pub use error::JournalError;
pub use leaf::{Leaf, Root};
pub use open::JournalParts;
pub use overlay::{Image, Layered};
pub use snapshot::{Difference, Snapshot, Step};
pub use space::Space;

use crate::crypto::{BoxKey, Secret};
use crate::format::rows::{Key, SlotRange};
use crate::journal::keeper::Keeper;
use crate::journal::leaf::Nodes;
use crate::journal::order::Order;
use crate::journal::overlay::Overlay;
use crate::journal::pins::Pins;
use crate::journal::segments::{Segments, Session};
use crate::journal::sync::GroupSync;
use crate::journal::tail::Tail;

/// The log of one pod, open for this process alone.
pub struct Journal {
    dir: PathBuf,
    segments: Segments,
    session: Arc<Session>,
    /// Number of the first record of this session.
    first_record: u64,
    tail: Mutex<Tail>,
    overlay: Overlay,
    order: Order,
    /// Highest record number known durable.
    durable: AtomicU64,
    group: GroupSync,
    /// Segments before this one are synced.
    synced_segment: AtomicU32,
    watermark: Option<OwnedFd>,
    watermark_key: BoxKey,
    manifest_key: BoxKey,
    digest_key: Secret<32>,
    root: RwLock<Arc<Root>>,
    nodes: Nodes,
    checkpointing: Mutex<()>,
    /// Number of the next segment.
    growing: Mutex<u32>,
    budget: Option<u64>,
    read_only: bool,
    damage: Mutex<Option<String>>,
    keeper: Keeper,
    /// Dead pages that the disk did not take back, counted as dead already.
    unpunched: Mutex<Vec<SlotRange>>,
    pins: Mutex<Pins>,
    replayed: u64,
}

impl Journal {
    /// Records that were replayed when the log was opened.
    pub fn replayed(&self) -> u64 {
        self.replayed
    }

    /// Why nothing more is accepted, if so.
    pub fn broken(&self) -> Option<String> {
        let asked = self.read_only.then(|| "mounted read-only".to_owned());
        self.damage().or(asked)
    }

    /// What is wrong with the log, if anything.
    pub fn damage(&self) -> Option<String> {
        self.damage.lock().clone()
    }

    /// Counter of an inode this pod never had.
    pub fn next_ino(&self) -> u64 {
        self.tail.lock().next_ino
    }

    /// What the overlay says of a row: nothing (`None`), gone, or its value.
    pub fn image(&self, key: &Key) -> Option<Image> {
        self.overlay.get(key)
    }

    /// Images with `from <= key <= to`; reading stops after `limit` rows that exist.
    pub fn images(&self, from: &Key, to: &Key, limit: usize) -> Layered {
        self.overlay.range(from, to, limit)
    }

    /// Images with `from <= key <= to` from the last on, up to and with the first that exists.
    pub fn images_back(&self, from: &Key, to: &Key) -> Layered {
        self.overlay.range_back(from, to)
    }

    /// Changes whenever rows went from the overlay into a checkpoint: who found a leaf before and reads the overlay
    /// after may miss them, and looks again.
    pub fn epoch(&self) -> u64 {
        self.overlay.epoch()
    }

    fn generation(&self) -> u64 {
        self.root.read().generation
    }

    fn writable(&self) -> Result<(), JournalError> {
        self.broken()
            .map_or(Ok(()), |why| Err(JournalError::ReadOnly(why)))
    }

    /// From now on nothing is accepted: what was answered may be lost if we went on as if nothing had happened.
    fn break_off(&self, why: &str) -> JournalError {
        let mut damage = self.damage.lock();
        if damage.is_none() {
            tracing::error!(why, "the pod is read-only from now on");
            *damage = Some(why.to_owned());
        }
        drop(damage);
        self.order.fail();
        JournalError::ReadOnly(why.to_owned())
    }
}
