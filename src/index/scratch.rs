use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::crypto::Secret;
use crate::format::rows::{Key, Slot};
use crate::index::{Rows, RowsParts};
use crate::journal::{Batch, Sealed};

/// A pod in a folder that goes with it, and a strict look at every operation.
#[derive(Default)]
pub(crate) struct Scratch {
    dir: Option<tempfile::TempDir>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    live: BTreeSet<u64>,
    reserved: i64,
}

impl Scratch {
    pub(crate) fn before(&self, batch: &Batch) {
        let mut seen = self.seen.lock();
        for free in &batch.frees {
            for page in 0..free.count {
                let live = seen.live.remove(&free.slot.add(page).as_u64());
                assert!(live || self.dir.is_none(), "a page is freed twice");
            }
        }
        seen.reserved += batch.reserve;
        let mut keys: Vec<Key> = batch.rows.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        assert!(keys.is_sorted_by(|a, b| a < b), "a key is named twice");
    }

    pub(crate) fn after(&self, base: Option<Slot>, pages: Option<&Sealed>) {
        let pages = pages.map_or(0, Sealed::pages);
        let slots = base
            .into_iter()
            .flat_map(|base| (0..pages).map(move |page| base.add(page)));
        self.seen.lock().live.extend(slots.map(Slot::as_u64));
    }
}

impl Rows {
    /// Rows of an empty pod in a folder that goes with them.
    pub(crate) fn memory() -> Self {
        Self::memory_of(None)
    }

    /// The same, of which the log takes at most so many bytes.
    pub(crate) fn memory_of(budget: Option<u64>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let secret = Secret::from_bytes(&[7; 32]);
        let parts = RowsParts {
            dir: dir.path().to_owned(),
            secret,
            budget,
            read_only: false,
        };
        Self::create(&parts).unwrap();
        let mut rows = Self::open(&parts).unwrap();
        rows.scratch.dir = Some(dir);
        rows
    }

    /// The slots that were appended and not freed, and the preallocated pages.
    pub(crate) fn live(&self) -> (Vec<u64>, i64) {
        let seen = self.scratch.seen.lock();
        (seen.live.iter().copied().collect(), seen.reserved)
    }
}
