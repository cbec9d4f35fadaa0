//! What changes cost, in chunks.

use std::sync::Arc;
use std::time::Instant;

use podfs::pod::{Pod, SetAttr, SetTime, Taken};
use podfs::types::{Address, Ino, ROOT, Timespec};

use crate::publishing::shelf::{Desk, Shelf};
use crate::publishing::world::{OWNER, World};
use crate::support::random::Random;
use crate::support::rounds;

const PAGE: u64 = 4096;
/// Chunks of a head, and of the parity of its changes.
const HEAD: usize = 2 + 1;

fn file(pod: &Pod, name: &[u8]) -> Ino {
    pod.mknod(ROOT, name, (0o100_644, 0), OWNER).unwrap().ino
}

fn write(pod: &Pod, ino: Ino, at: u64, bytes: &[u8]) {
    for (piece, at) in bytes.chunks(1 << 20).zip((at..).step_by(1 << 20)) {
        pod.write(ino, at, piece, false).unwrap();
    }
}

fn published(world: &World) -> Desk {
    let desk = Desk::new(world.pod(), &Arc::new(Shelf::default()));
    desk.publish();
    desk
}

/// Publishes, and prints what it cost.
fn cost(desk: &Desk, what: &str) -> usize {
    let puts: Vec<Address> = desk.publish();
    println!("{what}: {} chunks", puts.len());
    puts.len()
}

/// Issue 3, line 5. Every node is there, each with few pages; the deep test has all of them.
#[test]
fn one_page_of_a_gibibyte() {
    let mut world = World::new("gibibyte");
    let ino = file(world.pod(), b"big");
    let pages = (1 << 30) / PAGE;
    let each = rounds(51, 1);
    for page in (0..pages).step_by(each as usize) {
        let bytes = world.random.bytes(4096);
        write(world.pod(), ino, page * PAGE, &bytes);
    }
    let size = SetAttr {
        size: Some(1 << 30),
        ..SetAttr::default()
    };
    world.pod().setattr(ino, &size, OWNER).unwrap();
    let desk = published(&world);
    for at in [0, 51, 2448 - 51, 100_011, pages / each * each - each] {
        let bytes = world.random.bytes(4096);
        write(world.pod(), ino, at * PAGE, &bytes);
        let chunks = cost(&desk, &format!("page {at} of 1 GiB"));
        assert!(chunks <= 14, "{chunks}");
    }
    let bytes = world.random.bytes(9);
    write(world.pod(), ino, 1 << 30, &bytes);
    let chunks = cost(&desk, "9 bytes appended to 1 GiB");
    assert!(chunks <= 14, "{chunks}");
    desk.stop();
}

#[test]
fn saving_again_costs_what_differs() {
    let mut world = World::new("saving again");
    // As large as an inode holds, one node, several, and a tree of two levels.
    for pages in [0, 3, 44, 45, 300, 2100] {
        let name = format!("file of {pages}").into_bytes();
        let bytes = world.random.bytes((pages * PAGE) as usize + 999);
        let first = file(world.pod(), &name);
        write(world.pod(), first, 0, &bytes);
        let desk = published(&world);
        for more in [0, 1] {
            let bytes = [bytes.clone(), vec![7; more]].concat();
            let again = file(world.pod(), b"temporary");
            write(world.pod(), again, 0, &bytes);
            let (from, to) = ((ROOT, &b"temporary"[..]), (ROOT, &name[..]));
            world.pod().rename(from, to, Taken::Replace).unwrap();
            let chunks = cost(
                &desk,
                &format!("{pages} pages saved again, {more} byte more"),
            );
            // With a byte more: the last page, its path of at most two nodes with parity, and the inode.
            let most = if more == 0 {
                HEAD
            } else {
                HEAD + 1 + 2 * 2 + 1
            };
            assert!(chunks <= most, "{chunks}");
        }
        desk.stop();
    }
}

#[test]
fn names_and_times_cost_no_data() {
    let mut world = World::new("names and times");
    let bytes = world.random.bytes(2_000_000);
    let ino = file(world.pod(), b"file");
    write(world.pod(), ino, 0, &bytes);
    let dir = world.pod().mkdir(ROOT, b"dir", 0o755, OWNER).unwrap().ino;
    let below = world.pod().mkdir(dir, b"below", 0o755, OWNER).unwrap();
    let desk = published(&world);
    let (from, to) = ((ROOT, &b"file"[..]), (dir, &b"other"[..]));
    world.pod().rename(from, to, Taken::Keep).unwrap();
    assert!(cost(&desk, "a file renamed") <= HEAD);
    let (from, to) = ((ROOT, &b"dir"[..]), (ROOT, &b"moved"[..]));
    world.pod().rename(from, to, Taken::Keep).unwrap();
    assert!(cost(&desk, "a directory moved") <= HEAD);
    world.pod().link(ino, below.ino, b"link").unwrap();
    assert!(cost(&desk, "a link") <= HEAD);
    let time = Timespec { secs: 9, nanos: 9 };
    let times = SetAttr {
        atime: Some(SetTime::At(time)),
        ..SetAttr::default()
    };
    world.pod().setattr(ino, &times, OWNER).unwrap();
    assert!(cost(&desk, "a file touched") <= HEAD);
    let mode = SetAttr {
        mode: Some(0o711),
        ..SetAttr::default()
    };
    world.pod().setattr(ROOT, &mode, OWNER).unwrap();
    assert!(cost(&desk, "the top directory's mode") <= HEAD);
    world.compare(&desk.shelf.chunks.lock());
    world.pod().unlink(dir, b"other").unwrap();
    world.pod().unlink(below.ino, b"link").unwrap();
    assert!(cost(&desk, "a file deleted") <= HEAD);
    world
        .pod()
        .mknod(ROOT, b"x", (0o100_600, 0), OWNER)
        .unwrap();
    world.pod().unlink(ROOT, b"x").unwrap();
    assert!(cost(&desk, "made and deleted at once") <= 2);
    assert_eq!(cost(&desk, "nothing"), 0);
    world.compare(&desk.shelf.chunks.lock());
    desk.stop();
}

#[test]
fn many_small_files() {
    let mut world = World::new("small files");
    let desk = published(&world);
    let dir = world.pod().mkdir(ROOT, b"dir", 0o755, OWNER).unwrap().ino;
    let count = rounds(1000, 20_000);
    for number in 0..count {
        let name = format!("file number {number}.txt");
        let made = world
            .pod()
            .mknod(dir, name.as_bytes(), (0o100_644, 0), OWNER);
        let bytes = world.random.bytes(2048);
        write(world.pod(), made.unwrap().ino, 0, &bytes);
    }
    let chunks = cost(&desk, &format!("{count} files of 2 KiB"));
    assert!(chunks as u64 <= count * 5 / 4, "{chunks}");
    let mut random = Random::new("some of many");
    // More changes than a head holds: the directory is written, of which few nodes differ.
    for number in 0..70 {
        let name = format!("file number {}.txt", 300 + number);
        let ino = world.pod().lookup(dir, name.as_bytes()).unwrap().ino;
        write(world.pod(), ino, 0, &random.bytes(10));
    }
    let began = Instant::now();
    let chunks = cost(&desk, "70 of them changed");
    println!("in {:?}", began.elapsed());
    assert!(chunks <= if count == 1000 { 120 } else { 500 }, "{chunks}");
    world.compare(&desk.shelf.chunks.lock());
    desk.stop();
}
