use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::Place;
use crate::format::rows::{KeptNodes, Key, Queued};
use crate::journal::{Class, JournalError};
use crate::sync::edit::KeptEdit;
use crate::sync::fetch::Opened;
use crate::sync::kept::Kept;
use crate::sync::reader::{ReadError, Reader};
use crate::types::Ino;
use crate::types::limits::{BUCKET_PAGES, FETCHED_RESERVE, FETCHED_WRITES_MAX};

/// Rows that are looked at together.
const ROWS: usize = 64;
/// How often it is looked whether all is written.
const SETTLE_TICK: Duration = Duration::from_millis(5);

/// What was fetched of an inode, on its way into the log.
pub(super) struct At {
    pub(super) ino: Ino,
    publication: u64,
    fetched: Mutex<Vec<Fetched>>,
}

struct Fetched {
    place: Place,
    reference: Reference,
    page: Opened,
}

impl At {
    pub(super) const fn new(ino: Ino, publication: u64) -> Self {
        Self {
            ino,
            publication,
            fetched: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn note(&self, place: Place, reference: &Reference, page: &Opened) {
        self.fetched.lock().push(Fetched {
            place,
            reference: reference.clone(),
            page: Arc::clone(page),
        });
    }

    /// Writes nodes, and pages as long as there is room for them.
    fn write(&self, kept: &Kept) -> Result<(), JournalError> {
        let fetched = std::mem::take(&mut *self.fetched.lock());
        let (pages, nodes): (Vec<_>, Vec<_>) = fetched
            .into_iter()
            .partition(|fetched| fetched.place.as_page().is_some());
        self.write_as(kept, Class::Meta, nodes)?;
        if kept.rows().space().free > FETCHED_RESERVE {
            self.write_as(kept, Class::Data, pages)?;
        }
        Ok(())
    }

    fn write_as(
        &self,
        kept: &Kept,
        class: Class,
        fetched: Vec<Fetched>,
    ) -> Result<(), JournalError> {
        let mut edit = KeptEdit::new(class);
        for Fetched {
            place,
            reference,
            page,
        } in fetched
        {
            let page = Secret::from_bytes(page.expose());
            edit.put_fetched((self.ino, self.publication), place, reference, page);
            if edit.is_full() {
                kept.write(std::mem::replace(&mut edit, KeptEdit::new(class)))?;
            }
        }
        kept.write(edit)
    }
}

impl Reader {
    /// Has written what was fetched, unless too much is being written already: then it stays in memory only.
    pub(super) fn keep_soon(&self, at: &Arc<At>) {
        if at.fetched.lock().is_empty() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.writes).try_acquire_owned() else {
            at.fetched.lock().clear();
            return;
        };
        let (kept, at) = (Arc::clone(&self.kept), Arc::clone(at));
        tokio::task::spawn_blocking(move || {
            if let Err(error) = at.write(&kept) {
                tracing::debug!(%error, "keeping what was fetched");
            }
            drop(permit);
        });
    }

    /// Writes what was fetched.
    pub(super) async fn keep_now(&self, at: At) -> Result<(), ReadError> {
        let kept = Arc::clone(&self.kept);
        let written = tokio::task::spawn_blocking(move || at.write(&kept));
        Ok(written.await.unwrap_or(Err(JournalError::Busy))?)
    }

    /// Waits until everything fetched so far is written that is kept.
    pub async fn settled(&self) {
        // Waiting for the permits themselves would take them from whoever fetches meanwhile.
        while self.writes.available_permits() < FETCHED_WRITES_MAX {
            tokio::time::sleep(SETTLE_TICK).await;
        }
    }

    /// Gives about `wanted` fetched pages up that the log keeps; says how many it were. Files that were not read
    /// lately go first. Nodes stay: with them a page is one request away. Ends early once it is `stopped`.
    ///
    /// # Errors
    /// [`JournalError`]: what was given up before stays given up.
    pub fn drop_pages(&self, wanted: u64, stopped: &AtomicBool) -> Result<u64, JournalError> {
        let mut dropped = 0;
        let start = *self.cursor.lock();
        let mut cursor = start;
        let mut wrapped = false;
        while dropped < wanted && !stopped.load(Ordering::Acquire) {
            let Some(ino) = self.next_kept(cursor)? else {
                if wrapped || start == Ino(0) {
                    break;
                }
                (cursor, wrapped) = (Ino(0), true);
                continue;
            };
            if wrapped && ino >= start {
                break;
            }
            if !self.memory.lock().is_recent(ino) {
                dropped += self.drop_pages_of(ino, wanted - dropped)?;
            }
            cursor = Ino(ino.0.saturating_add(1));
        }
        *self.cursor.lock() = cursor;
        let recent = self.memory.lock().recent();
        for ino in recent {
            if dropped >= wanted || stopped.load(Ordering::Acquire) {
                break;
            }
            dropped += self.drop_pages_of(ino, wanted - dropped)?;
        }
        Ok(dropped)
    }

    /// The first inode from `from` on of which anything is kept.
    fn next_kept(&self, from: Ino) -> Result<Option<Ino>, JournalError> {
        let (from, to) = (Key::nodes(from, 0), Key::nodes(Ino(u64::MAX), u64::MAX));
        let rows = self.kept.rows().scan(&from, &to, 1)?;
        Ok(rows.first().map(|(key, _)| Ino(key.field(0))))
    }

    fn drop_pages_of(&self, ino: Ino, wanted: u64) -> Result<u64, JournalError> {
        if self.kept.is_pinned(ino)? {
            return Ok(0);
        }
        let last = Place::page(u64::MAX).row().0;
        let (mut bucket, mut dropped) = (0, 0);
        while dropped < wanted && bucket <= last {
            // Nothing is queued between the look at the queue and the removal.
            let _held = self.kept.hold();
            let rows = self.kept.places(ino, bucket, ROWS)?;
            let mut edit = KeptEdit::new(Class::Meta);
            for (number, nodes) in rows.iter().filter(|(number, _)| *number <= last) {
                for place in self.idle(ino, *number, nodes)? {
                    if dropped < wanted {
                        edit.remove(ino, place);
                        dropped += 1;
                    }
                }
            }
            if !edit.is_empty() {
                self.kept.write(edit)?;
            }
            match rows.last() {
                Some((number, _)) if rows.len() == ROWS => bucket = number.saturating_add(1),
                _ => break,
            }
        }
        Ok(dropped)
    }

    /// The pages in a row that are not on their way into the network.
    fn idle(&self, ino: Ino, bucket: u64, nodes: &KeptNodes) -> Result<Vec<Place>, JournalError> {
        let queued = self.kept.rows().get(&Key::queued(ino, bucket))?;
        let queued = queued.map(|row| Queued::decode(&row)).transpose();
        // A row that makes no sense may mean any of them.
        let Ok(queued) = queued else {
            return Ok(Vec::new());
        };
        let busy = queued.map_or(0, |queued| queued.unsent | queued.sent);
        let positions = nodes.0.iter().map(|(position, _)| *position);
        let idle =
            positions.filter(|position| busy & (1 << (usize::from(*position) % BUCKET_PAGES)) == 0);
        Ok(idle
            .map(|position| Place::of_row(bucket, position))
            .collect())
    }
}
