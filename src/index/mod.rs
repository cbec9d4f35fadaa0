//! The view on this machine: which leaf of the newest checkpoint holds a row. The only room that names sled.
//!
//! Rows themselves stand in the checkpoint's leaves, not in sled: measured with a million files, two million rows in
//! sled took 840 MB of disk and 25 s to fill, a batch of ten thousand kept 4 GB of memory, and nothing tells whether
//! a row that sled lost was ever there. With one entry a leaf it is small enough to be compared with the manifest at
//! every opening, and to be built anew within a second when it does not agree. Nothing rests on it.
//!
//! [`Rows`] is what other rooms use: the newest rows, wherever they are.

mod rows;
#[cfg(test)]
mod scratch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::crypto::{BoxKey, LocalPurpose, Secret, local_key, open_box, seal_box};
use crate::format::node::{self, Pointer};
use crate::format::rows::Key;
use crate::format::wire::Reader;
use crate::journal::{Journal, JournalError, Root, View};
use crate::types::limits::INDEX_CACHE;

pub use rows::{Rows, RowsParts};

/// First key of a leaf → where the leaf is.
pub struct Index {
    /// Nothing when it could not be opened or built, or nothing may be written.
    db: Option<sled::Db>,
    key: BoxKey,
    /// Something did not fit: the journal answers, until the index is built anew at the next opening.
    broken: AtomicBool,
}

const NONCE_LEN: usize = 12;

impl Index {
    /// Opens the index in `dir` and compares it with the newest checkpoint; builds it anew when they differ. When
    /// that fails, or the log takes nothing, the log answers in its place.
    pub fn open(dir: &Path, secret: &Secret<32>, journal: &Journal) -> Self {
        let with = |db| Self {
            db,
            key: BoxKey::new(local_key(secret, LocalPurpose::IndexValue)),
            broken: AtomicBool::new(false),
        };
        if journal.broken().is_some() {
            return with(None);
        }
        if let Ok(db) = open(dir) {
            let index = with(Some(db));
            if index.agrees(journal) {
                return index;
            }
        }
        match anew(dir) {
            Ok(db) => {
                let index = with(Some(db));
                let built = journal.pointers(|pointer| {
                    let inserted = index.ask(|db| index.insert(db, pointer));
                    inserted.ok_or_else(|| JournalError::Damaged("index".into()))
                });
                match built {
                    Ok(()) => tracing::info!(leaves = journal.root().leaves, "index built anew"),
                    Err(error) => {
                        tracing::error!(%error, "building the index");
                        index.give_up();
                    }
                }
                index
            }
            Err(why) => {
                tracing::error!(%why, "the index does not open; the log is asked in its place");
                with(None)
            }
        }
    }

    /// Whether every entry is genuine and together they are the checkpoint's leaves.
    fn agrees(&self, journal: &Journal) -> bool {
        let root = journal.root();
        let sum = self.try_ask(|db| {
            let mut entries = db.iter();
            entries.try_fold((0_u64, 0_u128), |(count, sum), entry| {
                let (key, value) = entry.ok()?;
                let pointer = self.pointer(&key, &value)?;
                Some((count + 1, sum.wrapping_add(journal.digest(&pointer))))
            })
        });
        sum == Some((root.leaves, u128::from_le_bytes(root.digest)))
    }

    /// Asks sled, which panics on some damaged files; nothing when it did not answer well.
    fn try_ask<T>(&self, question: impl FnOnce(&sled::Db) -> Option<T>) -> Option<T> {
        let db = self.db.as_ref()?;
        catch_unwind(AssertUnwindSafe(|| question(db)))
            .ok()
            .flatten()
    }

    /// Asks sled until it failed once.
    fn ask<T>(&self, question: impl FnOnce(&sled::Db) -> Option<T>) -> Option<T> {
        if self.db.is_none() || self.broken.load(Ordering::Relaxed) {
            return None;
        }
        let answer = self.try_ask(question);
        if answer.is_none() {
            self.give_up();
        }
        answer
    }

    fn insert(&self, db: &sled::Db, pointer: &Pointer) -> Option<()> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).ok()?;
        let key = pointer.first.as_bytes();
        let mut value = Vec::with_capacity(128);
        node::put_pointer(&mut value, pointer);
        seal_box(&self.key, nonce, key, &mut value);
        value.splice(..0, nonce);
        db.insert(key, value).ok().map(drop)
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
        let answer = self.ask(|db| {
            let before = db.range(..=key.as_bytes()).next_back();
            match before.or_else(|| db.iter().next()) {
                None => Some(None),
                Some(entry) => {
                    let (key, value) = entry.ok()?;
                    self.pointer(&key, &value).map(Some)
                }
            }
        });
        answer.map_or_else(|| journal.find(key).map(|(pointer, _)| pointer), Ok)
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
        if self.db.is_some() && self.try_ask(|db| db.flush().ok()).is_none() {
            tracing::info!("index not flushed; it will be built anew");
        }
    }
}

impl Drop for Index {
    /// sled writes once more when it goes, and panics when the disk takes nothing.
    fn drop(&mut self) {
        let db = self.db.take();
        if catch_unwind(AssertUnwindSafe(|| drop(db))).is_err() {
            tracing::warn!("index not written; it will be built anew");
        }
    }
}

fn open(dir: &Path) -> Result<sled::Db, String> {
    let config = sled::Config::new()
        .path(dir)
        .cache_capacity(INDEX_CACHE)
        .flush_every_ms(Some(500));
    // sled panics on some damaged files.
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(opened) => opened.map_err(|error| error.to_string()),
        Err(_) => Err("sled panicked".to_owned()),
    }
}

/// An empty one in place of what is there.
fn anew(dir: &Path) -> Result<sled::Db, String> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => open(dir),
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
        let mut gone = removed.iter().filter(gone);
        self.ask(|db| {
            added
                .iter()
                .try_for_each(|pointer| self.insert(db, pointer))?;
            gone.try_for_each(|old| db.remove(old.first.as_bytes()).ok().map(drop))
        });
    }
}
