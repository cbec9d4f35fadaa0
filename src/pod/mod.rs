//! The file system: the meaning of every operation. It knows no FUSE.
//!
//! An operation is one record: it locks the inodes it changes, reads their rows, builds the rows they shall have and
//! appends them in one batch. Nothing is cached here and nothing is done later, but for huge deletions, which leave
//! a note and go on in the background. All functions are prompt and may be called from any thread.

mod added;
mod attr;
mod boxes;
mod check;
mod contents;
mod create;
mod desk;
mod dir;
mod edit;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod handles;
mod locks;
mod opens;
mod placing;
#[cfg(test)]
mod power;
mod received;
mod remote;
mod remove;
mod rename;
mod setattr;
mod state;
mod statfs;
#[cfg(test)]
mod storm;
mod tray;
mod xattr;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use crate::format::rows::{Inode, Key};
use crate::index::Rows;
use crate::journal::{Batch, Class};
use crate::pod::boxes::Boxes;
use crate::pod::contents::Reaper;
use crate::pod::locks::Locks;
use crate::pod::opens::Opens;
use crate::pod::tray::{Numbers, Trays};
use crate::types::{Clock, Ino, ROOT, Timespec};

pub use crate::format::rows::FileKind;
pub use added::{Copy, Note, Target};
pub use attr::Attr;
pub use boxes::{BoxError, Extent};
pub use check::{Finding, Report};
pub use contents::Seek;
pub use desk::{Desk, Doing, Drawer, Item, Opening, ShareWish, Told, contact_of, told};
pub use dir::Entry;
pub use error::PodError;
pub use placing::Placing;
pub use received::{Arrived, Kernel};
pub use remote::{Fetch, Nowhere, Remote};
pub use rename::Taken;
pub use setattr::{SetAttr, SetTime};
pub use statfs::StatFs;
pub use tray::Tray;
pub use xattr::XattrMode;

/// Who asks: user and group of the calling process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Caller {
    /// Whether the rules for the superuser hold.
    pub const fn is_root(self) -> bool {
        self.uid == 0
    }
}

/// What a pod is made of.
pub struct PodParts {
    /// The rows.
    pub rows: Arc<Rows>,
    /// Where the pages are that are not in the log.
    pub remote: Arc<dyn Remote>,
    /// The wall clock.
    pub clock: Clock,
    /// Number of this device, the upper bits of new inode numbers.
    pub device: u16,
    /// Owner of the root directory when it has to be made.
    pub owner: Caller,
}

/// A pod: one tree of files.
pub struct Pod {
    rows: Arc<Rows>,
    remote: Arc<dyn Remote>,
    locks: Locks,
    clock: Clock,
    device: u16,
    counter: AtomicU64,
    opens: Opens,
    /// Guards the counts of shared pages.
    shared: parking_lot::Mutex<()>,
    reaper: Reaper,
    /// Who remembers names and attributes, and must hear when somebody else changes them.
    kernel: OnceLock<Arc<dyn Kernel>>,
    /// Who tells programs what is in `.pod`.
    desk: OnceLock<Weak<dyn Desk>>,
    /// Held while files in `.pod` change.
    state: parking_lot::Mutex<()>,
    /// Where what is added to what others share stands.
    trays: parking_lot::RwLock<Arc<Trays>>,
    /// Which of them the kernel knows by other numbers.
    numbers: Numbers,
    boxes: Boxes,
}

impl Pod {
    /// The file system over `parts`; the root directory is made when it is missing.
    pub fn over(parts: PodParts) -> Result<Self, PodError> {
        let counter = parts.rows.next_ino().max(ROOT.counter() + 1);
        let boxes = Boxes::read(&parts.rows)?;
        let pod = Self {
            rows: parts.rows,
            remote: parts.remote,
            locks: Locks::new(),
            clock: parts.clock,
            device: parts.device,
            counter: AtomicU64::new(counter),
            opens: Opens::new(),
            shared: parking_lot::Mutex::new(()),
            reaper: Reaper::new(),
            kernel: OnceLock::new(),
            desk: OnceLock::new(),
            state: parking_lot::Mutex::new(()),
            trays: parking_lot::RwLock::default(),
            numbers: Numbers::default(),
            boxes,
        };
        if pod.find_inode(ROOT)?.is_none() {
            pod.make_root(parts.owner)?;
        }
        Ok(pod)
    }

    fn make_root(&self, owner: Caller) -> Result<(), PodError> {
        let mode = FileKind::Directory.bits() | 0o700;
        let root = Inode::born(mode, owner.uid, owner.gid, self.now());
        let mut batch = Batch::new(Class::Meta);
        batch.put(Key::inode(ROOT), root.encode());
        Ok(self.rows.append(batch, None)?)
    }

    /// The rows below, for the daemon's background work.
    pub const fn rows(&self) -> &Arc<Rows> {
        &self.rows
    }

    /// Brings what a [`PodError::Absent`] names onto this machine.
    pub fn fetch(&self, ino: Ino, pages: Range<u64>) -> Fetch<'_> {
        self.remote.fetch(ino, pages)
    }

    fn now(&self) -> Timespec {
        (self.clock)()
    }

    fn fresh_ino(&self) -> Ino {
        Ino::new(self.device, self.counter.fetch_add(1, Ordering::Relaxed))
    }

    /// The inode, if it is there.
    fn find_inode(&self, ino: Ino) -> Result<Option<Inode>, PodError> {
        match self.rows.get(&Key::inode(ino))? {
            Some(row) => Ok(Some(Inode::decode(&row)?)),
            None => Ok(None),
        }
    }

    /// The inode; [`PodError::NotFound`] when it is gone.
    fn inode(&self, ino: Ino) -> Result<Inode, PodError> {
        self.find_inode(ino)?.ok_or(PodError::NotFound)
    }
}

#[cfg(test)]
impl Pod {
    /// A pod over rows in memory, owned by root, whose clock moves a second at each look.
    pub(crate) fn in_memory() -> Self {
        Self::in_memory_with(Arc::new(Nowhere))
    }

    /// The same, with pages in a network.
    pub(crate) fn in_memory_with(remote: Arc<dyn Remote>) -> Self {
        let ticks = AtomicU64::new(1_000_000_000);
        Self::over(PodParts {
            rows: Arc::new(Rows::memory()),
            remote,
            clock: Arc::new(move || Timespec {
                secs: i64::try_from(ticks.fetch_add(1, Ordering::Relaxed)).unwrap(),
                nanos: 5,
            }),
            device: 0,
            owner: Caller { uid: 0, gid: 0 },
        })
        .unwrap()
    }
}
