//! Runs of one extent row: cut out, put in, copied. Pure.

use std::ops::Range;

use crate::format::rows::{Bucket, Run, RunData, RunKind, SlotRange};
use crate::types::limits::BUCKET_PAGES;

/// Pages in a bucket, as file positions are counted.
pub(super) const PAGES: u64 = BUCKET_PAGES as u64;

/// Pages that were cut out of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removed {
    /// That many preallocated pages.
    Unwritten(u8),
    /// That many remote pages.
    Remote(u8),
    /// Sealed pages, and whether their run was marked as shared.
    Data(SlotRange, bool),
}

/// The pages of file range `pages` that lie in bucket `number`, counted within it.
pub(super) fn within(number: u64, pages: &Range<u64>) -> Range<u8> {
    let base = number * PAGES;
    let clip = |page: u64| u8::try_from(page.saturating_sub(base).min(PAGES)).unwrap_or(u8::MAX);
    clip(pages.start)..clip(pages.end)
}

/// The part of `run` inside `range`, with its tags.
pub(super) fn piece(run: &Run, range: &Range<u8>) -> Option<Run> {
    let end = run.start + run.count;
    let (from, to) = (run.start.max(range.start), end.min(range.end));
    if from >= to {
        return None;
    }
    let skip = from - run.start;
    let kind = match &run.kind {
        RunKind::Unwritten => RunKind::Unwritten,
        RunKind::Remote => RunKind::Remote,
        RunKind::Data(data) => RunKind::Data(RunData {
            slot: data.slot.add(u32::from(skip)),
            number: data.number.wrapping_add(u64::from(skip)),
            shared: data.shared,
            tags: data
                .tags
                .get(usize::from(skip)..usize::from(to - run.start))
                .unwrap_or_default()
                .to_vec(),
        }),
    };
    Some(Run {
        start: from,
        count: to - from,
        kind,
    })
}

/// Cuts `range` out of `bucket`, which leaves a hole; what was there is appended to `removed`.
pub(super) fn carve(bucket: &mut Bucket, range: &Range<u8>, removed: &mut Vec<Removed>) {
    let touches = |run: &Run| run.start < range.end && run.start + run.count > range.start;
    if !bucket.runs.iter().any(touches) {
        return;
    }
    let mut kept = Vec::with_capacity(bucket.runs.len() + 2);
    for run in bucket.runs.drain(..) {
        if !touches(&run) {
            kept.push(run);
            continue;
        }
        let end = run.start + run.count;
        let (from, to) = (run.start.max(range.start), end.min(range.end));
        removed.push(match &run.kind {
            RunKind::Unwritten => Removed::Unwritten(to - from),
            RunKind::Remote => Removed::Remote(to - from),
            RunKind::Data(data) => {
                let slot = data.slot.add(u32::from(from - run.start));
                let count = u32::from(to - from);
                Removed::Data(SlotRange { slot, count }, data.shared)
            }
        });
        kept.extend(piece(&run, &(run.start..from)));
        kept.extend(piece(&run, &(to..end)));
    }
    bucket.runs = kept;
}

/// Puts `run` into the hole where it belongs, and joins it with neighbours that it continues.
pub(super) fn insert(bucket: &mut Bucket, run: Run) {
    let at = bucket.runs.partition_point(|other| other.start < run.start);
    bucket.runs.insert(at, run);
    join(bucket, at);
    if let Some(before) = at.checked_sub(1) {
        join(bucket, before);
    }
}

/// Joins runs that came to lie side by side in the log, as those of small writes one after the other do.
pub(super) fn join_all(bucket: &mut Bucket) {
    let pairs = bucket.runs.iter().zip(bucket.runs.iter().skip(1));
    if !pairs.into_iter().any(|(run, next)| continues(run, next)) {
        return;
    }
    let mut joined: Vec<Run> = Vec::with_capacity(bucket.runs.len());
    for run in bucket.runs.drain(..) {
        match joined.last_mut() {
            Some(last) if continues(last, &run) => append(last, run),
            _ => joined.push(run),
        }
    }
    bucket.runs = joined;
}

/// The holes of `bucket` inside `range`.
pub(super) fn holes(bucket: &Bucket, range: &Range<u8>) -> Vec<Range<u8>> {
    let mut holes = Vec::new();
    let mut next = range.start;
    for run in &bucket.runs {
        let start = run.start.clamp(next, range.end.max(next));
        if start > next {
            holes.push(next..start);
        }
        next = next.max(run.start + run.count);
    }
    if next < range.end {
        holes.push(next..range.end);
    }
    holes
}

/// Adds a range, to the last one where it continues it.
pub(super) fn add_range(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}

/// Joins run `at` with the one behind it if they are one.
fn join(bucket: &mut Bucket, at: usize) {
    let joins = match bucket.runs.get(at..) {
        Some([run, next, ..]) => continues(run, next),
        _ => false,
    };
    if !joins {
        return;
    }
    let next = bucket.runs.remove(at + 1);
    if let Some(run) = bucket.runs.get_mut(at) {
        append(run, next);
    }
}

/// Makes `run` longer by `next`, which continues it.
fn append(run: &mut Run, next: Run) {
    run.count += next.count;
    if let (RunKind::Data(data), RunKind::Data(more)) = (&mut run.kind, next.kind) {
        data.tags.extend(more.tags);
    }
}

/// Whether `next` begins in file, log and numbering where `run` ends.
fn continues(run: &Run, next: &Run) -> bool {
    if run.start + run.count != next.start {
        return false;
    }
    match (&run.kind, &next.kind) {
        (RunKind::Unwritten, RunKind::Unwritten) | (RunKind::Remote, RunKind::Remote) => true,
        (RunKind::Data(data), RunKind::Data(more)) => {
            data.shared == more.shared && follows(data, u32::from(run.count), more)
        }
        _ => false,
    }
}

/// Whether `next` is the continuation, in the log and in numbering, of `count` pages of `data`.
pub(super) fn follows(data: &RunData, count: u32, next: &RunData) -> bool {
    data.slot.segment == next.slot.segment
        && data.slot.page.checked_add(count) == Some(next.slot.page)
        && data.number.wrapping_add(u64::from(count)) == next.number
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::rows::Slot;

    fn data(start: u8, count: u8, page: u32) -> Run {
        let tags = (page..page + u32::from(count)).map(|at| [u8::try_from(at).unwrap(); 16]);
        let tags = tags.collect();
        let data = RunData {
            slot: Slot { segment: 1, page },
            number: u64::from(page) + 100,
            shared: false,
            tags,
        };
        Run {
            start,
            count,
            kind: RunKind::Data(data),
        }
    }

    #[test]
    fn carving_the_middle_leaves_both_ends_and_refilling_joins_them() {
        let whole = Bucket {
            runs: vec![data(0, 32, 10)],
        };
        let mut bucket = whole.clone();
        let mut removed = Vec::new();
        carve(&mut bucket, &(4..6), &mut removed);
        let slot = Slot {
            segment: 1,
            page: 14,
        };
        assert_eq!(
            removed,
            [Removed::Data(SlotRange { slot, count: 2 }, false)]
        );
        assert_eq!(bucket.runs, [data(0, 4, 10), data(6, 26, 16)]);
        assert_eq!(holes(&bucket, &(0..32)), vec![4..6]);
        assert_eq!(holes(&bucket, &(5..32)), vec![5..6]);
        insert(&mut bucket, data(4, 2, 14));
        assert_eq!(bucket, whole);
    }

    #[test]
    fn runs_side_by_side_become_one() {
        let apart = data(9, 2, 50);
        let mut bucket = Bucket {
            runs: vec![data(3, 1, 7), data(4, 2, 8), data(6, 1, 10), apart.clone()],
        };
        join_all(&mut bucket);
        assert_eq!(bucket.runs, [data(3, 4, 7), apart]);
    }

    #[test]
    fn holes_are_all_that_no_run_covers() {
        let unwritten = |start, count| Run {
            start,
            count,
            kind: RunKind::Unwritten,
        };
        let bucket = Bucket {
            runs: vec![unwritten(2, 2), data(4, 1, 1), unwritten(30, 2)],
        };
        assert_eq!(holes(&bucket, &(0..32)), vec![0..2, 5..30]);
        assert_eq!(holes(&bucket, &(3..10)), vec![5..10]);
        assert_eq!(holes(&bucket, &(2..5)), Vec::<Range<u8>>::new());
        assert_eq!(holes(&Bucket::default(), &(7..9)), vec![7..9]);
    }

    #[test]
    fn pages_of_a_range_are_clipped_to_the_bucket() {
        assert_eq!(within(0, &(5..100)), 5..32);
        assert_eq!(within(1, &(5..100)), 0..32);
        assert_eq!(within(3, &(5..100)), 0..4);
        assert_eq!(within(3, &(5..96)), 0..0);
    }
}
