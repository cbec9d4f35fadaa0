//! Random operations on two files, against plain bytes and a map of pages; all invariants after each. Pages go to a
//! network and come back.
#![expect(clippy::cast_possible_truncation, reason = "all numbers are small")]

mod checks;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use rustix::fs::FallocateFlags;

use crate::format::rows::{Bucket, Key, PageState, Run, RunKind};
use crate::journal::{Batch, Class};
use crate::pod::contents::buckets::{piece, within};
use crate::pod::contents::model::checks::{check_pages, one_page};
use crate::pod::contents::{PAGE_BYTES, Seek};
use crate::pod::fake::{Fake, extents};
use crate::pod::{Caller, Pod, PodError};
use crate::types::limits::{BUCKET, PAGE};
use crate::types::{Ino, ROOT};

/// Files stay below this: seven buckets.
const SPACE: u64 = BUCKET * 7;
const OWNER: Caller = Caller { uid: 0, gid: 0 };

#[derive(Clone, Debug)]
enum Op {
    Write(u64, usize),
    Read(u64, u32),
    Resize(u64),
    Allocate(u64, u64, bool),
    Punch(u64, u64),
    Zero(u64, u64, bool),
    Clone(u64, u64, u64, bool),
    Reap,
    Seek(u64),
    Publish,
    GiveUp(u64, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Hole,
    Unwritten,
    Data,
}

struct Model {
    ino: Ino,
    bytes: Vec<u8>,
    pages: Vec<State>,
    /// Extent rows of the published version.
    published: Vec<(u64, Bucket)>,
}

fn place() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..SPACE,
        (0..SPACE / PAGE_BYTES).prop_map(|page| page * PAGE_BYTES),
        (0..SPACE / BUCKET).prop_map(|bucket| bucket * BUCKET),
    ]
}

fn length() -> impl Strategy<Value = u64> {
    prop_oneof![
        1..3 * PAGE_BYTES,
        (1..70_u64).prop_map(|pages| pages * PAGE_BYTES),
        1..SPACE / 2
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (place(), 1_usize..3 * PAGE).prop_map(|(at, len)| Op::Write(at, len)),
        3 => (place(), (1_usize..70)).prop_map(|(at, n)| Op::Write(at / PAGE_BYTES * PAGE_BYTES, n * PAGE)),
        2 => (place(), 1_u32..400_000).prop_map(|(at, len)| Op::Read(at, len)),
        2 => place().prop_map(Op::Resize),
        1 => Just(Op::Resize(0)),
        1 => (place(), length(), any::<bool>()).prop_map(|(a, l, k)| Op::Allocate(a, l, k)),
        2 => (place(), length()).prop_map(|(a, l)| Op::Punch(a, l)),
        1 => (place(), length(), any::<bool>()).prop_map(|(a, l, k)| Op::Zero(a, l, k)),
        3 => (place(), place(), length(), any::<bool>()).prop_map(|(a, b, l, s)| Op::Clone(a, b, l, s)),
        1 => Just(Op::Reap),
        2 => place().prop_map(Op::Seek),
        3 => Just(Op::Publish),
        5 => (place(), length()).prop_map(|(a, l)| Op::GiveUp(a, l)),
    ]
}

/// Bytes of a write, different for each.
fn fresh(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at.wrapping_mul(31) ^ (at >> 8) ^ seed.wrapping_mul(97)) as u8 | 1)
        .collect()
}

impl Model {
    fn new(pod: &Pod, name: &[u8]) -> Self {
        let ino = pod.create(ROOT, name, 0o600, OWNER).unwrap().ino;
        Self {
            ino,
            bytes: Vec::new(),
            pages: vec![State::Hole; 2 * (SPACE / PAGE_BYTES) as usize],
            published: Vec::new(),
        }
    }

    fn grow(&mut self, size: u64) {
        let size = self.bytes.len().max(size as usize);
        self.bytes.resize(size, 0);
    }

    fn put(&mut self, at: u64, data: &[u8]) {
        let end = at + data.len() as u64;
        self.grow(end);
        self.bytes[at as usize..end as usize].copy_from_slice(data);
        self.pages[(at / PAGE_BYTES) as usize..end.div_ceil(PAGE_BYTES) as usize].fill(State::Data);
    }

    fn resize(&mut self, size: u64) {
        let shrinks = size <= self.bytes.len() as u64;
        self.bytes.resize(size as usize, 0);
        if shrinks {
            self.pages[size.div_ceil(PAGE_BYTES) as usize..].fill(State::Hole);
        }
    }

    fn allocate(&mut self, at: u64, end: u64, keep: bool) {
        for page in &mut self.pages[(at / PAGE_BYTES) as usize..end.div_ceil(PAGE_BYTES) as usize] {
            if *page == State::Hole {
                *page = State::Unwritten;
            }
        }
        if !keep {
            self.grow(end);
        }
    }

    fn clear(&mut self, at: u64, end: u64, state: State) {
        let size = self.bytes.len();
        let zeroed = (at as usize).min(size)..(end as usize).min(size);
        self.bytes[zeroed].fill(0);
        let first = at.div_ceil(PAGE_BYTES) as usize;
        let last = if end >= size as u64 {
            end.div_ceil(PAGE_BYTES)
        } else {
            end / PAGE_BYTES
        };
        if first < last as usize {
            self.pages[first..last as usize].fill(state);
        }
    }

    /// What `lseek` has to answer.
    fn seek(&self, at: u64, what: Seek) -> Option<u64> {
        let size = self.bytes.len() as u64;
        let fits = |page: u64| (self.pages[page as usize] == State::Data) == (what == Seek::Data);
        let found = (at / PAGE_BYTES..size.div_ceil(PAGE_BYTES)).find(|page| fits(*page));
        match (at < size, found, what) {
            (false, _, _) | (true, None, Seek::Data) => None,
            (true, Some(page), _) => Some((page * PAGE_BYTES).max(at)),
            (true, None, Seek::Hole) => Some(size),
        }
    }

    fn apply(&mut self, pod: &Pod, fake: &Fake, op: &Op, turn: usize) {
        let ino = self.ino;
        let keep_size = |keep| {
            if keep {
                FallocateFlags::KEEP_SIZE
            } else {
                FallocateFlags::empty()
            }
        };
        match *op {
            Op::Write(at, len) => {
                let data = fresh(turn, len);
                let written = fake.wait(|| pod.write(ino, at, &data, false));
                assert_eq!(written.unwrap(), len as u32);
                self.put(at, &data);
            }
            Op::Read(at, len) => {
                let mut out = vec![7; 100];
                fake.wait(|| pod.read(ino, at, len, &mut out)).unwrap();
                let size = self.bytes.len();
                let (from, to) = (
                    (at as usize).min(size),
                    (at as usize + len as usize).min(size),
                );
                assert!(out == self.bytes[from..to], "read differs");
            }
            Op::Resize(size) => {
                fake.wait(|| resize(pod, ino, size)).unwrap();
                self.resize(size);
            }
            Op::Allocate(at, len, keep) => {
                pod.fallocate(ino, at, len, keep_size(keep)).unwrap();
                self.allocate(at, at + len, keep);
            }
            Op::Punch(at, len) => {
                let mode = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                fake.wait(|| pod.fallocate(ino, at, len, mode)).unwrap();
                self.clear(at, at + len, State::Hole);
            }
            Op::Zero(at, len, keep) => {
                let mode = FallocateFlags::ZERO_RANGE | keep_size(keep);
                fake.wait(|| pod.fallocate(ino, at, len, mode)).unwrap();
                self.clear(at, at + len, State::Unwritten);
                self.allocate(at, at + len, keep);
            }
            Op::Reap => reap(pod, ino),
            Op::Seek(at) => {
                for what in [Seek::Data, Seek::Hole] {
                    assert_eq!(
                        pod.seek(ino, at, what).ok(),
                        self.seek(at, what),
                        "{what:?}"
                    );
                }
            }
            Op::Publish => self.publish(pod, fake),
            Op::GiveUp(at, len) => self.give_up(pod, at, at + len),
            Op::Clone(..) => {}
        }
    }

    /// All that is written now is in the network, and nothing else.
    fn publish(&mut self, pod: &Pod, fake: &Fake) {
        let mut pages = BTreeMap::new();
        self.published = extents(pod, self.ino);
        for (number, bucket) in &self.published {
            for (page, state) in (number * 32..).zip(bucket.pages()) {
                let bytes = match state {
                    PageState::Hole | PageState::Unwritten => continue,
                    PageState::Remote => fake.published(self.ino, page),
                    PageState::Data { .. } => one_page(pod, fake, self.ino, page),
                };
                pages.insert(page, bytes);
            }
        }
        fake.publish(self.ino, pages);
    }

    /// What was published goes, where it is still the same.
    fn give_up(&self, pod: &Pod, at: u64, end: u64) {
        let range = at / PAGE_BYTES..end.div_ceil(PAGE_BYTES);
        let published = self.published.iter().map(|(number, bucket)| {
            let runs = bucket.runs.iter();
            let runs = runs.filter_map(|run| piece(run, &within(*number, &range)));
            let runs = runs.collect();
            (*number, Bucket { runs })
        });
        let published: Vec<(u64, Bucket)> = published.collect();
        let mut expected: BTreeMap<_, _> = (extents(pod, self.ino).into_iter())
            .map(|(number, bucket)| (number, bucket.pages()))
            .collect();
        let mut count = 0;
        for (number, then) in &published {
            let now = expected.get_mut(number).into_iter().flatten();
            for (now, then) in now.zip(then.pages()) {
                let place = |page: &PageState| match page {
                    PageState::Data { slot, number, .. } => Some((*slot, *number)),
                    PageState::Hole | PageState::Unwritten | PageState::Remote => None,
                };
                if place(now).is_some() && place(now) == place(&then) {
                    *now = PageState::Remote;
                    count += 1;
                }
            }
        }
        assert_eq!(pod.give_up(self.ino, &published).unwrap(), count);
        for (number, bucket) in extents(pod, self.ino) {
            assert!(bucket.pages() == expected[&number], "bucket {number}");
        }
    }
}

fn resize(pod: &Pod, ino: Ino, size: u64) -> Result<(), PodError> {
    let _held = pod.locks.lock(&[ino]);
    let mut inode = pod.inode(ino).unwrap();
    let mut batch = Batch::new(Class::Meta);
    let resized = pod.resize(ino, &mut inode, size, &mut batch)?;
    batch.put(Key::inode(ino), inode.encode());
    pod.rows.append(batch, resized.sealed)?;
    drop(resized.guard);
    Ok(())
}

fn reap(pod: &Pod, ino: Ino) {
    let mut cursor = 0;
    while pod.reap_step(ino, &mut cursor).unwrap() {}
}

fn has_remote(pod: &Pod, ino: Ino) -> bool {
    let remote = |run: &Run| run.kind == RunKind::Remote;
    extents(pod, ino)
        .iter()
        .any(|(_, bucket)| bucket.runs.iter().any(remote))
}

fn clone(pod: &Pod, fake: &Fake, files: &mut [Model; 2], op: &Op, flip: bool) {
    let Op::Clone(at, to, len, same) = *op else {
        return;
    };
    let source = usize::from(flip);
    let target = if same { source } else { 1 - source };
    let (from, dest) = (files[source].ino, files[target].ino);
    let size = files[source].bytes.len() as u64;
    let left = len.min(size.saturating_sub(at));
    let mut done = 0;
    while done < left {
        let copy = || pod.copy_range(from, at + done, dest, to + done, left - done);
        let bytes = match fake.wait(copy) {
            Err(PodError::InvalidArgument) if done == 0 => {
                return assert!(same && at.abs_diff(to) < left);
            }
            outcome => outcome.unwrap(),
        };
        assert!(!same || at.abs_diff(to) >= left);
        assert!(bytes > 0 && done + bytes <= left);
        // Only what has to be fetched ends a copy early.
        let remote = [from, dest].iter().any(|ino| has_remote(pod, *ino));
        assert!(done + bytes == left || remote || at % PAGE_BYTES != to % PAGE_BYTES);
        let copied = (at + done) as usize..(at + done + bytes) as usize;
        let copied = files[source].bytes[copied].to_vec();
        files[target].put(to + done, &copied);
        done += bytes;
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn two_files_behave_as_plain_bytes(ops in prop::collection::vec((any::<bool>(), op()), 1..60)) {
        let fake = Arc::new(Fake::default());
        let pod = Pod::in_memory_with(Arc::<Fake>::clone(&fake));
        let mut files = [Model::new(&pod, b"a"), Model::new(&pod, b"b")];
        let inos = [files[0].ino, files[1].ino];
        for (turn, (flip, op)) in ops.iter().enumerate() {
            let cloned = matches!(op, Op::Clone(..));
            files[usize::from(*flip)].apply(&pod, &fake, op, turn);
            clone(&pod, &fake, &mut files, op, *flip);
            for file in &mut files {
                file.check(&pod, &fake, !cloned);
            }
            check_pages(&pod, &inos);
            fake.forget();
            let report = pod.check(true).unwrap();
            prop_assert!(report.findings.is_empty(), "{:?}", report.findings);
        }
        for file in &files {
            resize(&pod, file.ino, 0).unwrap();
            reap(&pod, file.ino);
        }
        check_pages(&pod, &inos);
        prop_assert_eq!(pod.rows.live(), (Vec::new(), 0));
    }
}
