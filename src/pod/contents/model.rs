//! Random operations on two files, against plain bytes and a map of pages; all invariants after each.
#![expect(clippy::cast_possible_truncation, reason = "all numbers are small")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rustix::fs::FallocateFlags;

use crate::format::rows::{Bucket, Key, Shared};
use crate::journal::{Batch, Class};
use crate::pod::contents::{PAGE_BYTES, Seek};
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

    fn apply(&mut self, pod: &Pod, op: &Op, turn: usize) {
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
                assert_eq!(pod.write(ino, at, &data, false).unwrap(), len as u32);
                self.put(at, &data);
            }
            Op::Read(at, len) => {
                let mut out = vec![7; 100];
                pod.read(ino, at, len, &mut out).unwrap();
                let size = self.bytes.len();
                let (from, to) = (
                    (at as usize).min(size),
                    (at as usize + len as usize).min(size),
                );
                assert!(out == self.bytes[from..to], "read differs");
            }
            Op::Resize(size) => {
                resize(pod, ino, size);
                self.resize(size);
            }
            Op::Allocate(at, len, keep) => {
                pod.fallocate(ino, at, len, keep_size(keep)).unwrap();
                self.allocate(at, at + len, keep);
            }
            Op::Punch(at, len) => {
                let mode = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                pod.fallocate(ino, at, len, mode).unwrap();
                self.clear(at, at + len, State::Hole);
            }
            Op::Zero(at, len, keep) => {
                let mode = FallocateFlags::ZERO_RANGE | keep_size(keep);
                pod.fallocate(ino, at, len, mode).unwrap();
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
            Op::Clone(..) => {}
        }
    }

    /// Contents are the model's; the map of pages is, where the rows may say so.
    fn check(&mut self, pod: &Pod, pages_known: bool) {
        let mut out = Vec::new();
        pod.read(self.ino, 0, u32::MAX, &mut out).unwrap();
        assert!(out == self.bytes, "contents differ");
        let inode = pod.inode(self.ino).unwrap();
        let mut pages = vec![State::Hole; self.pages.len()];
        let mut counted = 0;
        for (number, bucket) in buckets(pod, self.ino) {
            counted += u64::from(bucket.taken());
            if number >= inode.cut {
                continue;
            }
            for run in bucket.runs {
                let start = number as usize * 32 + run.start as usize;
                let state = if run.data.is_some() {
                    State::Data
                } else {
                    State::Unwritten
                };
                pages[start..start + run.count as usize].fill(state);
            }
        }
        assert_eq!(inode.pages, counted, "pages");
        if pages_known {
            assert!(pages == self.pages, "map of pages differs");
        }
        self.pages = pages;
        let last = self.bytes.len() as u64 / PAGE_BYTES;
        let tail = self.bytes.len() % PAGE;
        if tail > 0 {
            let row = pod.rows.get(&Key::extent(self.ino, last / 32)).unwrap();
            let bucket = row
                .map(|row| Bucket::decode(&row).unwrap())
                .unwrap_or_default();
            let at = (last % 32) as u8;
            let run = bucket
                .runs
                .iter()
                .find(|run| run.start <= at && at < run.start + run.count);
            let mut page = [1; PAGE];
            pod.read_page(run, last, &mut page).unwrap();
            assert!(
                page[tail..].iter().all(|byte| *byte == 0),
                "old bytes behind the end"
            );
        }
    }
}

fn buckets(pod: &Pod, ino: Ino) -> Vec<(u64, Bucket)> {
    let (from, to) = (Key::extent(ino, 0), Key::extent(ino, u64::MAX));
    let rows = pod.rows.scan(&from, &to, usize::MAX).unwrap();
    rows.iter()
        .map(|(key, row)| (key.field(1), Bucket::decode(row).unwrap()))
        .collect()
}

fn resize(pod: &Pod, ino: Ino, size: u64) {
    let _held = pod.locks.lock(&[ino]);
    let mut inode = pod.inode(ino).unwrap();
    let mut batch = Batch::new(Class::Meta);
    let resized = pod.resize(ino, &mut inode, size, &mut batch).unwrap();
    batch.put(Key::inode(ino), inode.encode());
    pod.rows.append(batch, resized.sealed).unwrap();
    drop(resized.guard);
}

fn reap(pod: &Pod, ino: Ino) {
    let mut cursor = 0;
    while pod.reap_step(ino, &mut cursor).unwrap() {}
}

/// Every page in the log is named as often as the counts say, and freed when by none; the reserve is exact.
fn check_pages(pod: &Pod, inos: &[Ino]) {
    let mut named: BTreeMap<u64, (u32, bool)> = BTreeMap::new();
    let mut unwritten = 0;
    for ino in inos {
        for (_, bucket) in buckets(pod, *ino) {
            unwritten += i64::from(bucket.unwritten());
            for data in bucket.runs.iter().filter_map(|run| run.data.as_ref()) {
                for nth in 0..data.tags.len() as u64 {
                    let entry = named.entry(data.slot.as_u64() + nth).or_insert((0, true));
                    *entry = (entry.0 + 1, entry.1 && data.shared);
                }
            }
        }
    }
    let (live, reserved) = pod.rows.live();
    assert_eq!(
        live,
        named.keys().copied().collect::<Vec<_>>(),
        "live pages"
    );
    assert_eq!(reserved, unwritten, "reserve");
    let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
    let (from, to) = (
        Key::parse(b"R\0\0\0\0\0\0\0\0").unwrap(),
        Key::parse(&[b'R', 255, 255, 255, 255, 255, 255, 255, 255]).unwrap(),
    );
    for (key, row) in pod.rows.scan(&from, &to, usize::MAX).unwrap() {
        let shared = Shared::decode(&row).unwrap();
        for slot in key.field(0)..key.field(0) + u64::from(shared.count) {
            assert!(
                counts.insert(slot, shared.references).is_none(),
                "counted twice"
            );
        }
    }
    for (slot, (times, marked)) in named {
        assert_eq!(
            times,
            counts.remove(&slot).unwrap_or(1),
            "references of {slot}"
        );
        assert!(times == 1 || marked, "shared and not marked");
    }
    assert!(counts.is_empty(), "counts of pages that nobody names");
}

fn clone(pod: &Pod, files: &mut [Model; 2], op: &Op, flip: bool) {
    let Op::Clone(at, to, len, same) = *op else {
        return;
    };
    let source = usize::from(flip);
    let target = if same { source } else { 1 - source };
    let (from, dest) = (files[source].ino, files[target].ino);
    let size = files[source].bytes.len() as u64;
    let left = len.min(size.saturating_sub(at));
    match pod.copy_range(from, at, dest, to, len) {
        Err(PodError::InvalidArgument) => assert!(same && at.abs_diff(to) < left),
        Err(error) => panic!("{error}"),
        Ok(done) => {
            assert!(done <= left && (done > 0) == (left > 0));
            assert!(!same || left == 0 || at.abs_diff(to) >= left);
            assert!(
                done == left || at % PAGE_BYTES != to % PAGE_BYTES,
                "stopped at {done} of {left}"
            );
            let bytes = files[source].bytes
                [(at.min(size)) as usize..(at.min(size) + done) as usize]
                .to_vec();
            if done > 0 {
                files[target].put(to, &bytes);
            }
        }
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
        let pod = Pod::in_memory();
        let mut files = [Model::new(&pod, b"a"), Model::new(&pod, b"b")];
        let inos = [files[0].ino, files[1].ino];
        for (turn, (flip, op)) in ops.iter().enumerate() {
            let cloned = matches!(op, Op::Clone(..));
            files[usize::from(*flip)].apply(&pod, op, turn);
            clone(&pod, &mut files, op, *flip);
            for file in &mut files {
                file.check(&pod, !cloned);
            }
            check_pages(&pod, &inos);
            let report = pod.check(true).unwrap();
            prop_assert!(report.findings.is_empty(), "{:?}", report.findings);
        }
        for file in &files {
            resize(&pod, file.ino, 0);
            reap(&pod, file.ino);
        }
        check_pages(&pod, &inos);
        prop_assert_eq!(pod.rows.live(), (Vec::new(), 0));
    }
}
