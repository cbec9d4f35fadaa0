use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::FallocateFlags;

use super::*;
use crate::format::rows::PageState;
use crate::pod::fake::{Fake, Network, extents};
use crate::pod::{Caller, SetAttr};
use crate::types::ROOT;

const OWNER: Caller = Caller { uid: 0, gid: 0 };
const LEN: u64 = 70 * PAGE_BYTES - 1000;

/// A file of 70 pages, the last one not full, all of them remote.
fn remote_file() -> (Pod, Arc<Fake>, Ino, Vec<u8>) {
    let fake = Arc::new(Fake::default());
    let pod = Pod::in_memory_with(Arc::<Fake>::clone(&fake));
    let ino = pod.create(ROOT, b"f", 0o600, OWNER).unwrap().ino;
    let bytes: Vec<u8> = (0..LEN).map(|at| (at / 7 % 251) as u8 + 1).collect();
    pod.write(ino, 0, &bytes, false).unwrap();
    let rows = fake.publish_all(&pod, ino);
    assert_eq!(pod.give_up(ino, &rows).unwrap(), 70);
    (pod, fake, ino, bytes)
}

fn is_remote(pod: &Pod, ino: Ino, page: u64) -> bool {
    let found = extents(pod, ino)
        .into_iter()
        .find(|(number, _)| *number == page / 32);
    found.unwrap().1.pages()[(page % 32) as usize] == PageState::Remote
}

fn size(size: u64) -> SetAttr {
    SetAttr {
        size: Some(size),
        ..SetAttr::default()
    }
}

fn all(pod: &Pod, fake: &Fake, ino: Ino) -> Vec<u8> {
    let mut out = Vec::new();
    fake.wait(|| pod.read(ino, 0, 1 << 20, &mut out)).unwrap();
    out
}

fn absent<T: std::fmt::Debug>(outcome: Result<T, PodError>) -> std::ops::Range<u64> {
    match outcome {
        Err(PodError::Absent { pages, .. }) => pages,
        other => panic!("{other:?}"),
    }
}

#[test]
fn giving_up_frees_the_room_and_changes_nothing_else() {
    let fake = Arc::new(Fake::default());
    let pod = Pod::in_memory_with(Arc::<Fake>::clone(&fake));
    let ino = pod.create(ROOT, b"f", 0o600, OWNER).unwrap().ino;
    pod.write(ino, 0, &vec![1; 10 * 4096], false).unwrap();
    let published = fake.publish_all(&pod, ino);
    pod.write(ino, 4096, &[2; 4096], false).unwrap();
    pod.fallocate(ino, 20 * 4096, 4096, FallocateFlags::empty())
        .unwrap();
    let before = pod.getattr(ino).unwrap();
    assert_eq!(pod.give_up(ino, &published).unwrap(), 9);
    assert_eq!(pod.getattr(ino).unwrap(), before);
    assert_eq!(pod.rows.live().0.len(), 1, "what was written since stays");
    assert_eq!(pod.give_up(ino, &published).unwrap(), 0);
    assert_eq!(pod.seek(ino, 0, Seek::Hole).unwrap(), 10 * 4096);
    assert_eq!(pod.check(true).unwrap().findings, []);
    assert!(matches!(pod.give_up(ROOT, &[]), Ok(0)));
    let root = pod.give_up(ROOT, &published);
    assert!(matches!(root, Err(PodError::IsADirectory)));
}

#[test]
fn shared_pages_stay_for_the_other_file() {
    let fake = Arc::new(Fake::default());
    let pod = Pod::in_memory_with(Arc::<Fake>::clone(&fake));
    let ino = pod.create(ROOT, b"f", 0o600, OWNER).unwrap().ino;
    let copy = pod.create(ROOT, b"c", 0o600, OWNER).unwrap().ino;
    pod.write(ino, 0, &vec![1; 40 * 4096], false).unwrap();
    let published = fake.publish_all(&pod, ino);
    pod.copy_range(ino, 0, copy, 0, 40 * 4096).unwrap();
    assert_eq!(pod.give_up(ino, &published).unwrap(), 40);
    assert_eq!(pod.rows.live().0.len(), 40);
    assert_eq!(pod.check(true).unwrap().findings, []);
    pod.setattr(copy, &size(0), OWNER).unwrap();
    assert!(pod.rows.live().0.is_empty());
    assert_eq!(all(&pod, &fake, ino), vec![1; 40 * 4096]);
}

#[test]
fn one_fetch_brings_all_that_a_read_needs() {
    let (pod, fake, ino, bytes) = remote_file();
    let mut out = Vec::new();
    assert_eq!(absent(pod.read(ino, 5000, 9000, &mut out)), 1..4);
    assert!(all(&pod, &fake, ino) == bytes);
    assert_eq!(fake.forget(), [(0, 70)]);
    // What lies far from the rest waits for a second turn.
    pod.write(ino, 4 * 4096, &vec![9; 30 * 4096], false)
        .unwrap();
    assert_eq!(absent(pod.read(ino, 0, 1 << 20, &mut out)), 0..4);
    let again = all(&pod, &fake, ino);
    assert_eq!(fake.forget(), [(0, 4), (34, 70)]);
    assert!(again[..4 * 4096] == bytes[..4 * 4096] && again[34 * 4096..] == bytes[34 * 4096..]);
    fake.set(Network::Down);
    let unreachable = fake.wait(|| pod.read(ino, 0, 1, &mut out));
    assert!(matches!(unreachable, Err(PodError::Unreachable(_))));
    assert_eq!(pod.check(true).unwrap().findings, []);
}

#[test]
fn without_a_network_remote_pages_are_an_error() {
    let pod = Pod::in_memory();
    let ino = pod.create(ROOT, b"f", 0o600, OWNER).unwrap().ino;
    pod.write(ino, 0, b"abc", false).unwrap();
    assert_eq!(pod.give_up(ino, &extents(&pod, ino)).unwrap(), 1);
    assert_eq!(absent(pod.read(ino, 0, 3, &mut Vec::new())), 0..1);
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.build().unwrap();
    let fetched = runtime.block_on(pod.fetch(ino, 0..1));
    assert!(matches!(fetched, Err(PodError::Unreachable(_))));
}

#[test]
fn what_replaces_whole_pages_fetches_nothing() {
    let (pod, fake, ino, mut bytes) = remote_file();
    pod.write(ino, 4096, &vec![3; 2 * 4096], false).unwrap();
    bytes[4096..3 * 4096].fill(3);
    // The end of the file lies in this page.
    pod.write(ino, 69 * 4096, &[4; 3096], false).unwrap();
    bytes[69 * 4096..].fill(4);
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    pod.fallocate(ino, 8 * 4096, 4096, punch).unwrap();
    bytes[8 * 4096..9 * 4096].fill(0);
    let zero = FallocateFlags::ZERO_RANGE;
    pod.fallocate(ino, 30 * 4096, 4 * 4096, zero).unwrap();
    bytes[30 * 4096..34 * 4096].fill(0);
    pod.fallocate(ino, 0, LEN, FallocateFlags::empty()).unwrap();
    pod.setattr(ino, &size(60 * 4096), OWNER).unwrap();
    pod.setattr(ino, &size(61 * 4096), OWNER).unwrap();
    bytes.truncate(60 * 4096);
    bytes.resize(61 * 4096, 0);
    assert_eq!(fake.forget(), []);
    assert!(is_remote(&pod, ino, 0) && !is_remote(&pod, ino, 1));
    assert_eq!(pod.inode(ino).unwrap().pages, 60);
    assert_eq!(pod.check(true).unwrap().findings, []);
    assert!(all(&pod, &fake, ino) == bytes);
}

#[test]
fn what_keeps_a_part_of_a_page_fetches_it() {
    let (pod, fake, ino, mut bytes) = remote_file();
    assert_eq!(absent(pod.write(ino, 4095, b"ab", false)), 0..2);
    let ends = 4095_usize..40 * 4096 + 1;
    let data = vec![7; ends.len()];
    fake.wait(|| pod.write(ino, 4095, &data, false)).unwrap();
    bytes[ends].fill(7);
    assert_eq!(fake.forget(), [(0, 1), (40, 41)]);
    fake.wait(|| pod.write(ino, LEN, b"more", false)).unwrap();
    bytes.extend_from_slice(b"more");
    assert_eq!(fake.forget(), [(69, 70)]);
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let hole = || pod.fallocate(ino, 50 * 4096 + 5, 3 * 4096, punch);
    assert_eq!(absent(hole()), 50..54);
    fake.wait(hole).unwrap();
    bytes[50 * 4096 + 5..53 * 4096 + 5].fill(0);
    fake.forget();
    let before = pod.inode(ino).unwrap();
    let cut = || pod.setattr(ino, &size(60 * 4096 + 1), OWNER);
    assert_eq!(absent(cut()), 60..61);
    assert_eq!(pod.inode(ino).unwrap(), before);
    fake.wait(cut).unwrap();
    bytes.truncate(60 * 4096 + 1);
    assert_eq!(pod.check(true).unwrap().findings, []);
    assert!(all(&pod, &fake, ino) == bytes);
}

#[test]
fn copies_of_remote_pages_are_bytes_of_their_own() {
    let (pod, fake, ino, mut bytes) = remote_file();
    let copy = pod.create(ROOT, b"c", 0o600, OWNER).unwrap().ino;
    pod.write(ino, 0, &vec![5; 2 * 4096], false).unwrap();
    bytes[..2 * 4096].fill(5);
    // The first two pages can be shared, so that much is done without the network.
    let done = pod.copy_range(ino, 0, copy, 0, LEN).unwrap();
    assert_eq!(done, 2 * 4096);
    let more = |done| pod.copy_range(ino, done, copy, done, LEN - done);
    // In tests a record reaches no further.
    assert_eq!(absent(more(done)), 2..66);
    assert_eq!(fake.wait(|| more(done)).unwrap(), 64 * 4096);
    let done = 66 * 4096;
    assert_eq!(fake.wait(|| more(done)).unwrap(), LEN - done);
    let inside = || pod.copy_range(ino, 10 * 4096, ino, 20 * 4096, 4096);
    assert_eq!(fake.wait(inside).unwrap(), 4096);
    let moved = bytes[10 * 4096..11 * 4096].to_vec();
    assert!(is_remote(&pod, ino, 10) && !is_remote(&pod, ino, 20));
    assert!(!is_remote(&pod, copy, 10));
    fake.forget();
    assert!(all(&pod, &fake, copy) == bytes);
    assert_eq!(fake.forget(), []);
    bytes[20 * 4096..21 * 4096].copy_from_slice(&moved);
    assert!(all(&pod, &fake, ino) == bytes);
    assert_eq!(pod.check(true).unwrap().findings, []);
}

#[test]
fn readers_and_a_writer_do_not_see_pages_come_and_go() {
    let (pod, fake, ino, _) = remote_file();
    pod.write(ino, 0, &vec![0; 70 * 4096], false).unwrap();
    let done = AtomicBool::new(false);
    let given = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut newest = vec![0; 70];
            while !done.load(Ordering::Relaxed) {
                for (page, newest) in all(&pod, &fake, ino).chunks(4096).zip(&mut newest) {
                    assert!(page.iter().all(|byte| *byte == page[0]), "a torn page");
                    assert!(page[0] >= *newest, "an older page");
                    *newest = page[0];
                }
            }
        });
        let sender = scope.spawn(|| {
            let mut given = 0;
            while !done.load(Ordering::Relaxed) {
                let rows = fake.publish_all(&pod, ino);
                std::thread::yield_now();
                given += pod.give_up(ino, &rows).unwrap();
            }
            given
        });
        for turn in 1..=200_u8 {
            let start = u64::from(turn) * 13 % 60;
            let some = vec![turn; 10 * 4096];
            pod.write(ino, start * 4096, &some, false).unwrap();
            pod.write(ino, 0, &vec![turn; 70 * 4096], false).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        sender.join().unwrap()
    });
    assert!(given > 0);
    assert!(all(&pod, &fake, ino) == vec![200; 70 * 4096]);
    assert_eq!(pod.check(true).unwrap().findings, []);
}
