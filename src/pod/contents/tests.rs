use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::FallocateFlags;

use super::*;
use crate::crypto::Secret;
use crate::format::rows::Key;
use crate::index::{Rows, RowsParts};
use crate::pod::{Caller, Nowhere, PodParts, SetAttr};
use crate::types::limits::{BUCKET, FILE_SIZE_MAX};
use crate::types::{ROOT, system_clock};

const OWNER: Caller = Caller { uid: 0, gid: 0 };

fn file(pod: &Pod, name: &[u8]) -> Ino {
    pod.create(ROOT, name, 0o600, OWNER).unwrap().ino
}

fn sized(pod: &Pod, ino: Ino, size: u64) {
    let set = SetAttr {
        size: Some(size),
        ..SetAttr::default()
    };
    pod.setattr(ino, &set, OWNER).unwrap();
}

#[test]
fn the_largest_file_ends_at_the_largest_offset() {
    let pod = Pod::in_memory();
    let ino = file(&pod, b"f");
    assert_eq!(pod.write(ino, FILE_SIZE_MAX - 2, b"abc", false).unwrap(), 2);
    let beyond = pod.write(ino, FILE_SIZE_MAX, b"c", false);
    assert!(matches!(beyond, Err(PodError::FileTooLarge)));
    assert_eq!(pod.getattr(ino).unwrap().size, FILE_SIZE_MAX);
    let mut out = Vec::new();
    pod.read(ino, FILE_SIZE_MAX - 3, 100, &mut out).unwrap();
    assert_eq!(out, b"\0ab");
    assert_eq!(
        pod.seek(ino, 0, Seek::Data).unwrap(),
        FILE_SIZE_MAX - PAGE_BYTES
    );
    let more = pod.fallocate(ino, FILE_SIZE_MAX, 1, FallocateFlags::KEEP_SIZE);
    assert!(matches!(more, Err(PodError::FileTooLarge)));
    sized(&pod, ino, 0);
    assert_eq!(pod.rows.live(), (Vec::new(), 0));
}

#[test]
fn a_write_takes_suid_and_the_sgid_of_a_group_away() {
    let pod = Pod::in_memory();
    for (before, after) in [(0o6755, 0o755), (0o6745, 0o2745), (0o755, 0o755)] {
        let ino = file(&pod, format!("{before:o}").as_bytes());
        let mode = SetAttr {
            mode: Some(before),
            ..SetAttr::default()
        };
        pod.setattr(ino, &mode, OWNER).unwrap();
        pod.write(ino, 0, b"x", false).unwrap();
        assert_eq!(u32::from(pod.getattr(ino).unwrap().perm), before);
        pod.write(ino, 0, b"y", true).unwrap();
        assert_eq!(u32::from(pod.getattr(ino).unwrap().perm), after);
    }
}

#[test]
fn modes_of_fallocate_that_are_not_offered_say_so() {
    let pod = Pod::in_memory();
    let ino = file(&pod, b"f");
    for mode in [
        FallocateFlags::PUNCH_HOLE,
        FallocateFlags::COLLAPSE_RANGE,
        FallocateFlags::INSERT_RANGE,
        FallocateFlags::UNSHARE_RANGE,
        FallocateFlags::from_bits_retain(0x100),
    ] {
        let refused = pod.fallocate(ino, 0, 4096, mode);
        assert!(matches!(refused, Err(PodError::NotSupported)), "{mode:?}");
    }
    let empty = pod.fallocate(ino, 0, 0, FallocateFlags::empty());
    assert!(matches!(empty, Err(PodError::InvalidArgument)));
    let dir = pod.fallocate(ROOT, 0, 1, FallocateFlags::empty());
    assert!(matches!(dir, Err(PodError::IsADirectory)));
}

#[test]
fn what_cannot_be_preallocated_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let parts = RowsParts {
        dir: dir.path().to_owned(),
        secret: Secret::from_bytes(&[7; 32]),
        budget: Some(256 << 20),
        read_only: false,
    };
    Rows::create(&parts).unwrap();
    let rows = Rows::open(&parts).unwrap();
    let pod = Pod::over(PodParts {
        rows: Arc::new(rows),
        remote: Arc::new(Nowhere),
        clock: system_clock(),
        device: 0,
        owner: OWNER,
    })
    .unwrap();
    let ino = file(&pod, b"f");
    pod.write(ino, 0, b"abc", false).unwrap();
    let free = pod.rows.space().free;
    for len in [1 << 40, free - (1 << 20)] {
        let refused = pod.fallocate(ino, 0, len, FallocateFlags::empty());
        assert!(matches!(refused, Err(PodError::NoSpace)), "{refused:?}");
        assert_eq!(pod.check(false).unwrap().unwritten, 0, "all is given back");
        assert!(pod.rows.space().free > free - (8 << 20));
        assert_eq!(pod.getattr(ino).unwrap().size, 3);
        assert_eq!(pod.inode(ino).unwrap().pages, 1);
    }
    pod.fallocate(ino, 0, free / 3, FallocateFlags::empty())
        .unwrap();
    assert_eq!(pod.check(true).unwrap().findings, []);
}

#[test]
fn readers_see_whole_pages_while_they_are_overwritten() {
    const PAGES: u64 = 40;
    let pod = Pod::in_memory();
    let ino = file(&pod, b"f");
    pod.write(ino, 0, &vec![0; 40 * 4096], false).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for reader in 0..2_u64 {
            let (pod, done) = (&pod, &done);
            scope.spawn(move || {
                let mut out = Vec::new();
                let mut newest = vec![0; 40];
                while !done.load(Ordering::Relaxed) {
                    pod.read(ino, reader * 4096, 1 << 20, &mut out).unwrap();
                    for (page, newest) in out.chunks_exact(4096).zip(&mut newest) {
                        assert!(page.iter().all(|byte| *byte == page[0]), "a torn page");
                        assert!(page[0] >= *newest, "an older page");
                        *newest = page[0];
                    }
                }
            });
        }
        for turn in 1..=250_u8 {
            let start = u64::from(turn) * 7 % PAGES;
            // Every page gets every turn, in two pieces.
            let pages = vec![turn; 40 * 4096];
            let (head, tail) = pages.split_at(usize::try_from(start).unwrap() * 4096);
            pod.write(ino, start * 4096, tail, false).unwrap();
            pod.write(ino, 0, head, false).unwrap();
            if turn % 50 == 0 {
                pod.rows.checkpoint().unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn the_reaper_finishes_what_one_record_cannot() {
    let pod = Arc::new(Pod::in_memory());
    let (gone, cut, open) = (file(&pod, b"gone"), file(&pod, b"cut"), file(&pod, b"open"));
    for ino in [gone, cut, open] {
        pod.write(ino, 0, &vec![1; 10 * 131_072], false).unwrap();
    }
    pod.copy_range(gone, 0, cut, 0, 5 * BUCKET).unwrap();
    pod.release(gone).unwrap();
    pod.unlink(ROOT, b"gone").unwrap();
    pod.unlink(ROOT, b"open").unwrap();
    sized(&pod, cut, 70_000);
    assert_eq!(pod.orphans().unwrap(), [gone, cut, open]);
    assert_eq!(pod.check(true).unwrap().findings, []);
    pod.start_reaper().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while pod.orphans().unwrap() != [open] && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(pod.orphans().unwrap(), [open], "it is open and stays");
    assert_eq!(pod.inode(open).unwrap().pages, 320);
    assert_eq!(pod.inode(cut).unwrap().pages, 18);
    assert!(pod.find_inode(gone).unwrap().is_none());
    assert!(matches!(pod.open(gone), Err(PodError::NotFound)));
    pod.release(open).unwrap();
    pod.stop_reaper();
    pod.reap_all().unwrap();
    assert_eq!(pod.orphans().unwrap(), []);
    let report = pod.check(true).unwrap();
    assert_eq!((report.findings, report.inodes), (Vec::new(), 2));
    assert!(pod.rows.get(&Key::extent(cut, 1)).unwrap().is_none());
}

#[test]
fn a_copy_shares_pages_until_one_side_is_written() {
    let pod = Pod::in_memory();
    let (from, to) = (file(&pod, b"from"), file(&pod, b"to"));
    let bytes: Vec<u8> = (0..300_001_u32).map(|at| (at % 251) as u8).collect();
    pod.write(from, 0, &bytes, false).unwrap();
    let before = pod.rows.live().0;
    assert_eq!(pod.copy_range(from, 0, to, 0, 1 << 40).unwrap(), 300_001);
    assert_eq!(pod.rows.live().0, before, "no page was copied");
    assert_eq!(
        pod.getattr(to).unwrap().blocks,
        pod.getattr(from).unwrap().blocks
    );
    pod.write(from, 5000, b"changed", false).unwrap();
    assert_eq!(pod.rows.live().0.len(), before.len() + 1);
    sized(&pod, from, 0);
    pod.reap_all().unwrap();
    let mut out = Vec::new();
    pod.read(to, 0, 1 << 20, &mut out).unwrap();
    assert!(out == bytes);
    assert_eq!(pod.rows.live().0, before, "the copy alone is left");
}
