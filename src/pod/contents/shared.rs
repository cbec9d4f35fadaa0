//! Pages that several runs name: how often, in the `R` rows.
//!
//! A row counts a range of pages named at least twice; no row means once (see [`Shared`]). Two inodes can share
//! pages, so the inode locks do not guard these rows: one mutex does, from the first row read to the append.

use std::collections::BTreeMap;
use std::ops::Bound;

use parking_lot::{Mutex, MutexGuard};

use crate::format::rows::{Key, SHARED_PAGES_MAX, Shared, Slot, SlotRange};
use crate::index::Rows;
use crate::journal::Batch;
use crate::pod::error::PodError;

/// Keeps others from the counts that a batch changes: held until the batch is appended.
#[must_use = "held until the batch is appended"]
pub(in crate::pod) struct SharedGuard<'p> {
    _held: Option<MutexGuard<'p, ()>>,
}

/// The counts that one batch changes, seen with its own earlier changes.
pub(super) struct References<'p> {
    rows: &'p Rows,
    mutex: &'p Mutex<()>,
    held: Option<MutexGuard<'p, ()>>,
    /// Rows as they are stored, by first slot: all that touch a range asked for so far.
    stored: BTreeMap<u64, Shared>,
    /// The same ranges as they shall be.
    now: BTreeMap<u64, Shared>,
}

impl<'p> References<'p> {
    /// Nothing loaded, nothing locked.
    pub(super) fn new(rows: &'p Rows, mutex: &'p Mutex<()>) -> Self {
        Self {
            rows,
            mutex,
            held: None,
            stored: BTreeMap::new(),
            now: BTreeMap::new(),
        }
    }

    /// One more run names these pages.
    pub(super) fn add(&mut self, range: SlotRange) -> Result<(), PodError> {
        let (start, end) = self.prepare(range)?;
        let inside: Vec<(u64, Shared)> =
            self.now.range(start..end).map(|(k, v)| (*k, *v)).collect();
        let mut next = start;
        for (at, shared) in inside {
            self.set(next, at, 2);
            let more = shared.references.checked_add(1);
            let references = more.ok_or(PodError::TooManyLinks)?;
            next = at + u64::from(shared.count);
            self.set(at, next, references);
        }
        self.set(next, end, 2);
        Ok(())
    }

    /// One run less names these pages; those that none names any more are appended to `frees`.
    pub(super) fn release(
        &mut self,
        range: SlotRange,
        frees: &mut Vec<SlotRange>,
    ) -> Result<(), PodError> {
        let (start, end) = self.prepare(range)?;
        let inside: Vec<(u64, Shared)> =
            self.now.range(start..end).map(|(k, v)| (*k, *v)).collect();
        let mut next = start;
        for (at, shared) in inside {
            push_free(frees, next, at);
            next = at + u64::from(shared.count);
            self.now.remove(&at);
            if shared.references > 2 {
                self.set(at, next, shared.references - 1);
            }
        }
        push_free(frees, next, end);
        Ok(())
    }

    /// Puts what changed into `batch`. The guard is held until that is appended.
    pub(super) fn finish(self, batch: &mut Batch) -> SharedGuard<'p> {
        let mut stored = self.stored;
        for (start, shared) in joined(self.now) {
            if stored.remove(&start) != Some(shared) {
                batch.put(key(start), shared.encode());
            }
        }
        for start in stored.into_keys() {
            batch.delete(key(start));
        }
        SharedGuard { _held: self.held }
    }

    /// Loads the rows that touch `range`, splits them at its ends, and gives it as first slot and the one behind.
    fn prepare(&mut self, range: SlotRange) -> Result<(u64, u64), PodError> {
        self.held.get_or_insert_with(|| self.mutex.lock());
        let start = range.slot.as_u64();
        let end = start + u64::from(range.count);
        let back = start.saturating_sub(u64::from(SHARED_PAGES_MAX - 1));
        if let Some((key, row)) = self.rows.last(&key(back), &key(start))? {
            let shared = Shared::decode(&row)?;
            if key.field(0) + u64::from(shared.count) > start {
                self.keep(key.field(0), shared);
            }
        }
        if range.count > 1 {
            let limit = usize::try_from(range.count).unwrap_or(usize::MAX);
            let rows = self.rows.scan(&key(start + 1), &key(end - 1), limit)?;
            for (key, row) in rows {
                self.keep(key.field(0), Shared::decode(&row)?);
            }
        }
        self.split(start);
        self.split(end);
        Ok((start, end))
    }

    fn keep(&mut self, start: u64, shared: Shared) {
        if self.stored.insert(start, shared).is_none() {
            self.now.insert(start, shared);
        }
    }

    fn split(&mut self, at: u64) {
        let before = (Bound::Unbounded, Bound::Excluded(at));
        let Some((&start, &shared)) = self.now.range::<u64, _>(before).next_back() else {
            return;
        };
        let end = start + u64::from(shared.count);
        if end > at {
            self.set(start, at, shared.references);
            self.set(at, end, shared.references);
        }
    }

    fn set(&mut self, start: u64, end: u64, references: u32) {
        let count = u32::try_from(end.saturating_sub(start)).unwrap_or(u32::MAX);
        if count > 0 {
            self.now.insert(start, Shared { count, references });
        }
    }
}

/// The ranges as rows: neighbours with the same count become one, as far as a row reaches.
fn joined(ranges: BTreeMap<u64, Shared>) -> Vec<(u64, Shared)> {
    let mut rows: Vec<(u64, Shared)> = Vec::with_capacity(ranges.len());
    for (mut start, mut left) in ranges {
        while left.count > 0 {
            let last = rows.last_mut().filter(|(at, row)| {
                at + u64::from(row.count) == start
                    && row.references == left.references
                    && row.count < SHARED_PAGES_MAX
            });
            let room = SHARED_PAGES_MAX - last.as_ref().map_or(0, |(_, row)| row.count);
            let taken = left.count.min(room);
            match last {
                Some((_, row)) => row.count += taken,
                None => rows.push((
                    start,
                    Shared {
                        count: taken,
                        ..left
                    },
                )),
            }
            start += u64::from(taken);
            left.count -= taken;
        }
    }
    rows
}

fn key(start: u64) -> Key {
    Key::shared(Slot::from_u64(start))
}

/// Appends slots `start..end` to `frees`, as part of the last range where they continue it.
pub(super) fn push_free(frees: &mut Vec<SlotRange>, start: u64, end: u64) {
    let count = u32::try_from(end.saturating_sub(start)).unwrap_or(u32::MAX);
    if count == 0 {
        return;
    }
    match frees.last_mut() {
        Some(last) if last.slot.as_u64() + u64::from(last.count) == start => last.count += count,
        _ => frees.push(SlotRange {
            slot: Slot::from_u64(start),
            count,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Class;
    use proptest::prelude::*;

    fn range(page: u32, count: u32) -> SlotRange {
        let slot = Slot { segment: 3, page };
        SlotRange { slot, count }
    }

    /// References of every page by the rows, checked to be sound.
    fn counts(rows: &Rows, pages: usize) -> Vec<u32> {
        let mut counts = vec![1; pages];
        let mut next = 0;
        let (from, to) = (key(0), key(u64::MAX));
        for (key, row) in rows.scan(&from, &to, usize::MAX).unwrap() {
            let (slot, shared) = (Slot::from_u64(key.field(0)), Shared::decode(&row).unwrap());
            assert!(slot.segment == 3 && slot.page >= next, "rows overlap");
            next = slot.page + shared.count;
            counts[slot.page as usize..next as usize].fill(shared.references);
        }
        counts
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 300,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]
        #[test]
        fn rows_count_what_a_plain_array_counts(
            batches in prop::collection::vec(
                prop::collection::vec((any::<bool>(), 0_u32..640, 1_u32..400), 1..5), 1..20)
        ) {
            let (rows, mutex) = (Rows::memory(), Mutex::new(()));
            let mut model = vec![1_u32; 1040];
            for operations in batches {
                let mut references = References::new(&rows, &mutex);
                let mut batch = Batch::new(Class::Meta);
                for (add, page, count) in operations {
                    let pages = page as usize..(page + count) as usize;
                    if add {
                        references.add(range(page, count)).unwrap();
                        model[pages].iter_mut().for_each(|count| *count += 1);
                        continue;
                    }
                    let mut frees = Vec::new();
                    references.release(range(page, count), &mut frees).unwrap();
                    let freed: Vec<u32> = frees
                        .iter()
                        .flat_map(|free| free.slot.page..free.slot.page + free.count)
                        .collect();
                    let once: Vec<u32> = (page..page + count).filter(|p| model[*p as usize] == 1).collect();
                    prop_assert_eq!(freed, once);
                    // A page that was freed is new when it comes again, and then named once.
                    model[pages].iter_mut().for_each(|count| *count = (*count - 1).max(1));
                }
                let guard = references.finish(&mut batch);
                rows.append(batch, None).unwrap();
                drop(guard);
                prop_assert_eq!(&counts(&rows, 1040), &model);
            }
        }
    }
}
