use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;

use crate::pod::attr::Attr;
use crate::types::Ino;

/// Shards, so that opens of different files do not wait for one another.
const SHARDS: usize = 64;
/// Most attributes of removed inodes kept in one shard; above it the oldest answers are simply `ENOENT`.
const GONE_MAX: usize = 1024;

/// Most used inodes kept in one shard; above it all count as unused.
const USED_MAX: usize = 4096;

/// What is open, and what was removed but is still known to someone.
pub(super) struct Opens {
    shards: Box<[Mutex<Shard>]>,
}

#[derive(Default)]
struct Shard {
    open: HashMap<Ino, Open>,
    /// Opened since somebody asked whether it was.
    used: HashSet<Ino>,
    gone: HashMap<Ino, Attr>,
}

#[derive(Clone, Copy, Default)]
struct Open {
    count: u32,
    /// It has no name left: the last close removes it.
    orphan: bool,
    /// Its rows are being deleted this moment: it can no longer be opened.
    doomed: bool,
}

impl Opens {
    /// Nothing is open.
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    fn shard(&self, ino: Ino) -> Option<&Mutex<Shard>> {
        let at = usize::try_from(ino.0 % SHARDS as u64).ok()?;
        self.shards.get(at)
    }

    /// Counts one more open; false when the inode is being removed.
    pub(super) fn open(&self, ino: Ino) -> bool {
        let Some(shard) = self.shard(ino) else {
            return false;
        };
        let mut shard = shard.lock();
        let entry = shard.open.entry(ino).or_default();
        if entry.doomed {
            return false;
        }
        entry.count = entry.count.saturating_add(1);
        if shard.used.len() >= USED_MAX {
            shard.used.clear();
        }
        shard.used.insert(ino);
        true
    }

    /// Whether the inode was opened since this was last asked.
    pub(super) fn was_used(&self, ino: Ino) -> bool {
        self.shard(ino)
            .is_some_and(|shard| shard.lock().used.remove(&ino))
    }

    /// Whether somebody has it open.
    pub(super) fn is_open(&self, ino: Ino) -> bool {
        self.shard(ino)
            .is_some_and(|shard| shard.lock().open.contains_key(&ino))
    }

    /// Counts one less; true when it was the last open of an inode without names.
    pub(super) fn close(&self, ino: Ino) -> bool {
        let Some(shard) = self.shard(ino) else {
            return false;
        };
        let mut shard = shard.lock();
        let Some(entry) = shard.open.get_mut(&ino) else {
            return false;
        };
        entry.count = entry.count.saturating_sub(1);
        if entry.count > 0 || entry.doomed {
            return false;
        }
        let orphan = entry.orphan;
        shard.open.remove(&ino);
        orphan
    }

    /// Called with the inode's lock held, before its last name goes. True: nobody has it open and nobody can open
    /// it until [`Opens::spare`]. False: it is open and is from now on an orphan.
    pub(super) fn doom(&self, ino: Ino) -> bool {
        let Some(shard) = self.shard(ino) else {
            return true;
        };
        let mut shard = shard.lock();
        let entry = shard.open.entry(ino).or_default();
        entry.doomed = entry.count == 0;
        entry.orphan = true;
        entry.doomed
    }

    /// Ends what [`Opens::doom`] began when the removal failed.
    pub(super) fn spare(&self, ino: Ino) {
        if let Some(shard) = self.shard(ino) {
            let mut shard = shard.lock();
            if let Some(entry) = shard.open.get_mut(&ino) {
                entry.doomed = false;
                entry.orphan = false;
                if entry.count == 0 {
                    shard.open.remove(&ino);
                }
            }
        }
    }

    /// Ends what [`Opens::doom`] began when the inode's rows are gone; `last` is what it looked like. A descriptor
    /// opened with `O_PATH` or a working directory may still ask for it until the kernel forgets the inode.
    pub(super) fn bury(&self, ino: Ino, last: Attr) {
        if let Some(shard) = self.shard(ino) {
            let mut shard = shard.lock();
            shard.open.remove(&ino);
            if shard.gone.len() < GONE_MAX {
                shard.gone.insert(ino, last);
            }
        }
    }

    /// What a removed inode looked like.
    pub(super) fn gone(&self, ino: Ino) -> Option<Attr> {
        self.shard(ino)?.lock().gone.get(&ino).copied()
    }

    /// Nobody knows the inode any more.
    pub(super) fn forget(&self, ino: Ino) {
        if let Some(shard) = self.shard(ino) {
            shard.lock().gone.remove(&ino);
        }
    }
}

impl Default for Opens {
    fn default() -> Self {
        Self::new()
    }
}
