//! The view on this machine: which leaf of the newest checkpoint holds a row. The only room that names sled.
//!
//! Rows themselves stand in the checkpoint's leaves, not in sled: measured with a million files, two million rows in
//! sled took 840 MB of disk and 25 s to fill, a batch of ten thousand kept 4 GB of memory, and nothing tells whether
//! a row that sled lost was ever there. With one entry a leaf it is small enough to be compared with the manifest at
//! every opening, and to be built anew within a second when it does not agree. Nothing rests on it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::crypto::{BoxKey, LocalPurpose, Secret, local_key, open_box, seal_box};
use crate::format::node::{self, Pointer};
use crate::format::rows::Key;
use crate::format::wire::Reader;
use crate::journal::{Journal, JournalError, Root, View};
use crate::types::limits::INDEX_CACHE;

/// First key of a leaf → where the leaf is.
pub struct Index {
    db: sled::Db,
    key: BoxKey,
    /// Something did not fit: the journal answers, until the index is built anew at the next opening.
    broken: AtomicBool,
}

const NONCE_LEN: usize = 12;

impl Index {
    /// Opens the index in `dir` and compares it with the newest checkpoint; builds it anew when they differ.
    pub fn open(dir: &Path, secret: &Secret<32>, journal: &Journal) -> Result<Self, JournalError> {
        let open = || {
            let key = BoxKey::new(local_key(secret, LocalPurpose::IndexValue));
            let config = sled::Config::new()
                .path(dir)
                .cache_capacity(INDEX_CACHE)
                .flush_every_ms(Some(500));
            // sled panics on some damaged files.
            let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
            let db = opened.ok().and_then(Result::ok)?;
            Some(Self {
                db,
                key,
                broken: AtomicBool::new(false),
            })
        };
        if let Some(index) = open().filter(|index| index.agrees(journal)) {
            return Ok(index);
        }
        let damaged =
            |what: &dyn std::fmt::Display| JournalError::Damaged(format!("index ({what})"));
        if dir.exists() {
            std::fs::remove_dir_all(dir).map_err(|error| damaged(&error))?;
        }
        let index = open().ok_or_else(|| damaged(&"sled does not open"))?;
        journal.pointers(|pointer| index.insert(pointer).map_err(|error| damaged(&error)))?;
        tracing::info!(leaves = journal.root().leaves, "index built anew");
        Ok(index)
    }

    /// Whether every entry is genuine and together they are the checkpoint's leaves.
    fn agrees(&self, journal: &Journal) -> bool {
        let root = journal.root();
        let sum = catch_unwind(AssertUnwindSafe(|| {
            let mut entries = self.db.iter();
            entries.try_fold((0_u64, 0_u128), |(count, sum), entry| {
                let (key, value) = entry.ok()?;
                let pointer = self.pointer(&key, &value)?;
                Some((count + 1, sum.wrapping_add(journal.digest(&pointer))))
            })
        }));
        sum.ok().flatten() == Some((root.leaves, u128::from_le_bytes(root.digest)))
    }

    fn insert(&self, pointer: &Pointer) -> sled::Result<()> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|error| sled::Error::Unsupported(error.to_string()))?;
        let key = pointer.first.as_bytes();
        let mut value = Vec::with_capacity(128);
        node::put_pointer(&mut value, pointer);
        seal_box(&self.key, nonce, key, &mut value);
        value.splice(..0, nonce);
        self.db.insert(key, value).map(drop)
    }

    fn pointer(&self, key: &[u8], value: &[u8]) -> Option<Pointer> {
        let (nonce, sealed) = value.split_first_chunk::<NONCE_LEN>()?;
        let mut plain = sealed.to_vec();
        open_box(&self.key, *nonce, key, &mut plain).ok()?;
        let pointer = node::pointer(&mut Reader::new(&plain, "index entry")).ok()?;
        (pointer.first.as_bytes() == key).then_some(pointer)
    }

    /// The leaf that would hold `key`.
    pub fn find(&self, key: &Key, journal: &Journal) -> Result<Option<Pointer>, JournalError> {
        if !self.broken.load(Ordering::Relaxed) {
            let before = self.db.range(..=key.as_bytes()).next_back();
            let entry = before.or_else(|| self.db.iter().next()).transpose();
            match entry
                .ok()
                .map(|entry| entry.map(|(key, value)| self.pointer(&key, &value)))
            {
                Some(None) => return Ok(None),
                Some(Some(Some(pointer))) => return Ok(Some(pointer)),
                Some(Some(None)) | None => self.give_up(),
            }
        }
        journal.find(key).map(|(pointer, _)| pointer)
    }

    /// The first key of the leaf after the one that would hold `key`.
    pub fn next(&self, key: &Key, journal: &Journal) -> Result<Option<Key>, JournalError> {
        if !self.broken.load(Ordering::Relaxed) {
            let (mut behind, after) = (
                key.as_bytes().to_vec(),
                self.db.range(..=key.as_bytes()).next_back(),
            );
            behind.push(0);
            let mut range = self.db.range(behind..);
            let entry = if after.is_some() {
                range.next()
            } else {
                range.nth(1)
            };
            match entry
                .transpose()
                .map(|entry| entry.map(|(key, _)| Key::parse(&key)))
            {
                Ok(None) => return Ok(None),
                Ok(Some(Some(next))) => return Ok(Some(next)),
                Ok(Some(None)) | Err(_) => self.give_up(),
            }
        }
        journal.find(key).map(|(_, next)| next)
    }

    fn give_up(&self) {
        if !self.broken.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "the index does not answer; the log is asked until the next mount builds it anew"
            );
        }
    }

    /// Hands everything to the kernel, so that the next opening finds it.
    pub fn close(&self) {
        if let Err(error) = self.db.flush() {
            tracing::info!(%error, "index not flushed; it will be built anew");
        }
    }
}

impl View for Index {
    /// New entries from the last to the first, then those that are no more: at every moment in between a look-up finds
    /// either the old leaf or the new one, and both are whole.
    fn replace(&self, removed: &[Pointer], added: &[Pointer], _root: &Root) {
        let mut added: Vec<&Pointer> = added.iter().collect();
        added.sort_unstable_by_key(|pointer| std::cmp::Reverse(pointer.first));
        let gone = |old: &&Pointer| {
            added
                .binary_search_by(|new| old.first.cmp(&new.first))
                .is_err()
        };
        let inserted = added.iter().try_for_each(|pointer| self.insert(pointer));
        let mut gone = removed.iter().filter(gone);
        let outcome = inserted
            .and_then(|()| gone.try_for_each(|old| self.db.remove(old.first.as_bytes()).map(drop)));
        if outcome.is_err() {
            self.give_up();
        }
    }
}
