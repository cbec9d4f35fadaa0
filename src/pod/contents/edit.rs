use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use crate::format::rows::{Bucket, Inode, Key, Run, RunData, RunKind, Slot, SlotRange};
use crate::journal::{Batch, Class, Sealed};
use crate::pod::Pod;
use crate::pod::contents::buckets::{self, PAGES, Removed};
use crate::pod::contents::shared::{References, SharedGuard, push_free};
use crate::pod::error::PodError;
use crate::types::Ino;

/// What takes the place of pages.
#[derive(Clone, Copy)]
pub(super) enum Fill<'a> {
    /// Nothing.
    Hole,
    /// Preallocation.
    Unwritten,
    /// The pages of the published version.
    Remote,
    /// Pages of the record in the making, from the given one on.
    Sealed(&'a Sealed, u32),
    /// Pages that are in the log already.
    Shared(&'a RunData),
}

/// The extent rows that one record changes, with all that follows from it: pages freed, counted, reserved.
///
/// The rows are loaded before they are changed, so a change is seen by the next one; a row is written once.
pub(super) struct Edit<'p> {
    pod: &'p Pod,
    buckets: BTreeMap<(Ino, u64), Loaded>,
    pub(super) references: References<'p>,
    frees: Vec<SlotRange>,
    reserve: i64,
    removed: Vec<Removed>,
}

#[derive(Default)]
struct Loaded {
    bucket: Bucket,
    /// Whether there is such a row.
    stored: bool,
    changed: bool,
}

impl<'p> Edit<'p> {
    /// Nothing loaded, nothing changed.
    pub(super) fn new(pod: &'p Pod) -> Self {
        Self {
            pod,
            buckets: BTreeMap::new(),
            references: References::new(&pod.rows, &pod.shared),
            frees: Vec::new(),
            reserve: 0,
            removed: Vec::new(),
        }
    }

    /// Loads the rows of the inode with `first <= bucket <= last`, `limit` at most. Gives the last bucket that is
    /// now known: `last`, unless the limit came before it.
    pub(super) fn load(
        &mut self,
        ino: Ino,
        (first, last): (u64, u64),
        limit: usize,
    ) -> Result<u64, PodError> {
        let (from, to) = (Key::extent(ino, first), Key::extent(ino, last));
        let rows = self.pod.rows.scan(&from, &to, limit)?;
        let known = match rows.last() {
            Some((key, _)) if rows.len() == limit => key.field(1),
            _ => last,
        };
        for (key, row) in rows {
            if let Entry::Vacant(place) = self.buckets.entry((ino, key.field(1))) {
                let mut bucket = Bucket::decode(&row)?;
                buckets::join_all(&mut bucket);
                place.insert(Loaded {
                    bucket,
                    stored: true,
                    changed: false,
                });
            }
        }
        Ok(known)
    }

    /// A loaded bucket; none where there is no row.
    pub(super) fn bucket(&self, ino: Ino, number: u64) -> Option<&Bucket> {
        self.buckets
            .get(&(ino, number))
            .map(|loaded| &loaded.bucket)
    }

    /// The loaded buckets of the inode with `first <= bucket <= last`.
    pub(super) fn numbers(&self, ino: Ino, (first, last): (u64, u64)) -> Vec<u64> {
        let there = self.buckets.range((ino, first)..=(ino, last));
        there.map(|((_, number), _)| *number).collect()
    }

    /// The runs in loaded buckets that are `wanted`: the pages of the file in `pages` that they cover.
    pub(super) fn ranges(
        &self,
        ino: Ino,
        pages: &Range<u64>,
        wanted: impl Fn(&Run) -> bool,
    ) -> Vec<Range<u64>> {
        let mut found = Vec::new();
        for number in self.numbers(ino, (pages.start / PAGES, pages.end / PAGES)) {
            let base = number * PAGES;
            let runs = self.bucket(ino, number).map(|bucket| bucket.runs.iter());
            for run in runs.into_iter().flatten().filter(|run| wanted(run)) {
                let start = (base + u64::from(run.start)).max(pages.start);
                let end = (base + u64::from(run.start + run.count)).min(pages.end);
                if start < end {
                    buckets::add_range(&mut found, start..end);
                }
            }
        }
        found
    }

    /// The run that page `page` of the file is in, if it is no hole.
    pub(super) fn run_at(&self, ino: Ino, page: u64) -> Option<&Run> {
        let at = u8::try_from(page % PAGES).ok()?;
        let bucket = self.bucket(ino, page / PAGES)?;
        let inside = |run: &&Run| run.start <= at && at < run.start + run.count;
        bucket.runs.iter().find(inside)
    }

    /// Marks the runs of a bucket as shared that have data in `range`. The mark alone changes no count.
    pub(super) fn mark_shared(&mut self, ino: Ino, number: u64, range: &Range<u8>) {
        let Some(loaded) = self.buckets.get_mut(&(ino, number)) else {
            return;
        };
        for run in &mut loaded.bucket.runs {
            let touches = run.start < range.end && run.start + run.count > range.start;
            let data = run.kind.data_mut();
            if let Some(data) = data.filter(|data| touches && !data.shared) {
                data.shared = true;
                loaded.changed = true;
            }
        }
    }

    /// Replaces pages `pages` of the file, whose rows are loaded; `inode.pages` follows.
    pub(super) fn replace(
        &mut self,
        ino: Ino,
        inode: &mut Inode,
        pages: Range<u64>,
        fill: Fill<'_>,
    ) -> Result<(), PodError> {
        if pages.is_empty() {
            return Ok(());
        }
        let (first, last) = (pages.start / PAGES, (pages.end - 1) / PAGES);
        if matches!(fill, Fill::Hole) {
            for number in self.numbers(ino, (first, last)) {
                self.clear(ino, inode, number, &buckets::within(number, &pages))?;
            }
            return Ok(());
        }
        for number in first..=last {
            let range = buckets::within(number, &pages);
            self.clear(ino, inode, number, &range)?;
            let done = number * PAGES + u64::from(range.start) - pages.start;
            let run = fill.run(&range, u32::try_from(done).unwrap_or(u32::MAX));
            if run.kind == RunKind::Unwritten {
                self.reserve += i64::from(run.count);
            }
            inode.pages += u64::from(run.count);
            let loaded = self.buckets.entry((ino, number)).or_default();
            loaded.changed = true;
            buckets::insert(&mut loaded.bucket, run);
        }
        Ok(())
    }

    /// Makes `range` of a bucket a hole.
    fn clear(
        &mut self,
        ino: Ino,
        inode: &mut Inode,
        number: u64,
        range: &Range<u8>,
    ) -> Result<(), PodError> {
        let Some(loaded) = self.buckets.get_mut(&(ino, number)) else {
            return Ok(());
        };
        buckets::carve(&mut loaded.bucket, range, &mut self.removed);
        loaded.changed |= !self.removed.is_empty();
        for removed in self.removed.drain(..) {
            let count = match removed {
                Removed::Unwritten(count) => {
                    self.reserve -= i64::from(count);
                    u64::from(count)
                }
                Removed::Remote(count) => u64::from(count),
                Removed::Data(range, true) => {
                    self.references.release(range, &mut self.frees)?;
                    u64::from(range.count)
                }
                Removed::Data(range, false) => {
                    let start = range.slot.as_u64();
                    push_free(&mut self.frees, start, start + u64::from(range.count));
                    u64::from(range.count)
                }
            };
            let left = inode.pages.checked_sub(count);
            inode.pages =
                left.ok_or_else(|| PodError::Corrupt(format!("inode {ino}: page count")))?;
        }
        Ok(())
    }

    /// Puts the changed rows into `batch`. The guard is held until that is appended.
    pub(super) fn finish(self, batch: &mut Batch) -> SharedGuard<'p> {
        for ((ino, number), loaded) in self.buckets {
            if loaded.changed && (loaded.stored || !loaded.bucket.runs.is_empty()) {
                batch.extent(Key::extent(ino, number), loaded.bucket);
            }
        }
        batch.frees.extend(self.frees);
        batch.reserve += self.reserve;
        self.references.finish(batch)
    }

    /// Appends the changed rows and the inode's as one record.
    pub(super) fn append(
        self,
        ino: Ino,
        inode: &Inode,
        class: Class,
        sealed: Option<Sealed>,
    ) -> Result<(), PodError> {
        let pod = self.pod;
        let mut batch = Batch::new(class);
        let guard = self.finish(&mut batch);
        batch.put(Key::inode(ino), inode.encode());
        pod.rows.append(batch, sealed)?;
        drop(guard);
        Ok(())
    }
}

impl Fill<'_> {
    /// The run for `range` of a bucket; `done` pages of the filling went into buckets before.
    fn run(self, range: &Range<u8>, done: u32) -> Run {
        let count = range.end - range.start;
        let tags = |tags: &[[u8; 16]], from: u32| {
            let from = usize::try_from(from).unwrap_or(usize::MAX);
            let tags = tags.get(from..).unwrap_or_default();
            tags.get(..usize::from(count)).unwrap_or_default().to_vec()
        };
        let kind = match self {
            Fill::Hole | Fill::Unwritten => RunKind::Unwritten,
            Fill::Remote => RunKind::Remote,
            Fill::Sealed(sealed, from) => RunKind::Data(RunData {
                slot: Slot::pending(from + done),
                number: sealed.number.wrapping_add(u64::from(from + done)),
                shared: false,
                tags: tags(&sealed.tags, from + done),
            }),
            Fill::Shared(data) => RunKind::Data(RunData {
                slot: data.slot.add(done),
                number: data.number.wrapping_add(u64::from(done)),
                shared: true,
                tags: tags(&data.tags, done),
            }),
        };
        Run {
            start: range.start,
            count,
            kind,
        }
    }
}
