//! Gives up local copies when room is short: only of what the network was seen to hold, and the longest unused first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::format::rows::{Bucket, Key, PageState, Published};
use crate::journal::{Journal, Snapshot};
use crate::sync::error::SyncError;
use crate::sync::kept::{Kept, damaged};
use crate::sync::queue::queued;
use crate::types::Ino;
use crate::types::limits::{CUT_STANDS, PAGE};

/// What the file system does for it.
pub trait Files: Send + Sync {
    /// Turns pages of a file into remote ones, as far as they are where these extent rows say; gives how many went.
    ///
    /// # Errors
    /// A sentence that says why not.
    fn give_up(&self, ino: Ino, published: &[(u64, Bucket)]) -> Result<u64, String>;

    /// Whether a file was opened since this was last asked of it.
    fn was_used(&self, ino: Ino) -> bool;
}

/// Goes round the files, like the hand of a clock: one that was used since the last round is passed over once.
#[derive(Default)]
pub(super) struct Evict {
    hand: Mutex<Option<Ino>>,
}

/// Room is short when less than one part in so many is free.
const SHORT: u64 = 6;
/// It is no longer when one part in so many is.
const ROOMY: u64 = 3;
/// Notices that a cut gets nowhere.
#[derive(Default)]
pub(super) struct Standstill {
    /// Its generation, how many chunks were taken in all, and since when.
    seen: Mutex<Option<(u64, u64, Instant)>>,
}

/// Rows that are looked at together.
const ROWS: usize = 256;
/// Rounds in which the hand finds nothing before it rests: in the first everything may have been used.
const ROUNDS: u32 = 2;

/// Bytes that have to be given up; 0 when there is room.
pub(super) fn shortage(kept: &Kept) -> u64 {
    let space = kept.rows().space();
    if space.free >= space.total / SHORT {
        return 0;
    }
    (space.total / ROOMY).saturating_sub(space.free)
}

impl Standstill {
    /// Whether the cut of that generation stands for long, `taken` chunks having been taken in all.
    pub(super) fn is_long(&self, generation: u64, taken: u64, now: Instant) -> bool {
        let mut seen = self.seen.lock();
        let before = seen.filter(|(cut, chunks, _)| (*cut, *chunks) == (generation, taken));
        let (.., since) = *seen.insert(before.unwrap_or((generation, taken, now)));
        now.saturating_duration_since(since) >= CUT_STANDS
    }
}

impl Evict {
    /// Gives up about `bytes`, less when no more can be or it is `stopped`. Gives how many it were.
    pub(super) fn run(
        &self,
        kept: &Kept,
        files: &dyn Files,
        bytes: u64,
        stopped: &AtomicBool,
    ) -> Result<u64, SyncError> {
        let journal = kept.rows().journal();
        let Some(base) = journal.base() else {
            return Ok(0);
        };
        let (mut gone, mut rounds) = (0, 0);
        while gone < bytes && rounds < ROUNDS {
            let from = *self.hand.lock();
            let first = Key::published(from.unwrap_or(Ino(0)));
            let rows = kept
                .rows()
                .scan(&first, &Key::published(Ino::LAST_OWN), ROWS)?;
            let whole = rows.len() == ROWS;
            let mut next = None;
            for (key, row) in rows {
                if stopped.load(Ordering::Acquire) {
                    return Ok(gone);
                }
                let ino = Ino(key.field(0));
                next = whole.then_some(Ino(ino.0.saturating_add(1)));
                let published = Published::decode(&row).map_err(damaged)?;
                let of_base = is_of(&published, &base);
                if !of_base || files.was_used(ino) || kept.is_pinned(ino)? {
                    continue;
                }
                gone += give_up((kept, journal), &base, files, ino, stopped)? * PAGE as u64;
                if gone >= bytes {
                    next = Some(Ino(ino.0.saturating_add(1)));
                    break;
                }
            }
            *self.hand.lock() = next;
            rounds += u32::from(next.is_none());
        }
        Ok(gone)
    }
}

/// Whether the pages that `base` has of a file are those that are published of it. What a cut under way publishes
/// instead, the network may not hold.
fn is_of(published: &Published, base: &Snapshot) -> bool {
    published.contents.is_some() && published.publication <= base.generation
}

/// Gives up what the network holds of one file.
fn give_up(
    (kept, journal): (&Kept, &Journal),
    base: &Snapshot,
    files: &dyn Files,
    ino: Ino,
    stopped: &AtomicBool,
) -> Result<u64, SyncError> {
    let (mut from, last) = (Some(Key::extent(ino, 0)), Key::extent(ino, u64::MAX));
    let mut gone = 0;
    while let Some(first) = from.filter(|_| !stopped.load(Ordering::Acquire)) {
        let step = journal.rows_at(base, &first, &last)?;
        let mut buckets = Vec::new();
        // Nothing is queued between the look at the queue and the end of the local copy.
        let _held = kept.hold();
        if !kept.published(ino)?.is_some_and(|now| is_of(&now, base)) {
            break;
        }
        for (key, row) in &step.rows {
            let number = key.field(1);
            let waiting = queued(kept.rows(), &Key::queued(ino, number))?;
            let mask = waiting.unsent | waiting.sent;
            let mut pages = Bucket::decode(row)?.pages();
            for (at, page) in (0_u32..).zip(&mut pages) {
                if mask.checked_shr(at).is_some_and(|mask| mask & 1 == 1) {
                    *page = PageState::Hole;
                }
            }
            let held = Bucket::from_pages(&pages);
            if held.runs.iter().any(|run| run.data().is_some()) {
                buckets.push((number, held));
            }
        }
        if !buckets.is_empty() {
            match files.give_up(ino, &buckets) {
                Ok(pages) => gone += pages,
                Err(why) => tracing::info!(why, "a local copy stays"),
            }
        }
        from = step.next;
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_stands_still_when_it_and_the_chunks_stay_the_same() {
        let (still, now) = (Standstill::default(), Instant::now());
        assert!(!still.is_long(7, 3, now));
        assert!(still.is_long(7, 3, now + CUT_STANDS));
        assert!(!still.is_long(7, 4, now + CUT_STANDS));
        assert!(!still.is_long(8, 4, now + CUT_STANDS * 2));
        assert!(!still.is_long(8, 4, now + CUT_STANDS * 5 / 2));
        assert!(still.is_long(8, 4, now + CUT_STANDS * 3));
    }
}
