//! A file that moves between two folders while a publication is under way is in one of them, whoever looks when.

use std::sync::Arc;

use podfs::pod::Taken;
use podfs::types::ROOT;

use crate::published::Chunks;
use crate::published::read::listing;
use crate::publishing::shelf::{Desk, Shelf};
use crate::publishing::world::{OWNER, World};

/// Puts after which the publication stands still: of pages, nodes, directories, the head.
const MOMENTS: std::ops::Range<usize> = 0..16;

/// The folder in which the newest state has the file.
#[track_caller]
fn folder(chunks: &Chunks) -> char {
    let listing = listing(chunks).unwrap();
    let of_file = |line: &&str| line.contains("/file ");
    let lines: Vec<_> = listing.lines().filter(of_file).collect();
    assert_eq!(lines.len(), 1, "{lines:?} of\n{listing}");
    lines[0]
        .trim_start_matches(['"', '/'])
        .chars()
        .next()
        .unwrap()
}

#[test]
fn a_rename_between_two_folders_during_publication() {
    let mut world = World::new("moved");
    let make = |name: &[u8]| world.pod().mkdir(ROOT, name, 0o755, OWNER).unwrap().ino;
    let folders = [make(b"a"), make(b"b")];
    let file = world
        .pod()
        .mknod(folders[0], b"file", (0o100_644, 0), OWNER);
    let ino = file.unwrap().ino;
    let shelf = Arc::new(Shelf::default());
    let mut desk = Desk::new(world.pod(), &shelf);
    desk.publish();
    let mut old = 'a';
    for puts in MOMENTS {
        let bytes = world.random.bytes(50_000);
        world.pod().write(ino, 0, &bytes, false).unwrap();
        desk.publish_until(puts);
        let at = puts % 2;
        let (from, to) = ((folders[at], &b"file"[..]), (folders[1 - at], &b"file"[..]));
        world.pod().rename(from, to, Taken::Keep).unwrap();
        assert_eq!(folder(&shelf.chunks.lock()), old, "before the head");
        if puts % 3 == 0 {
            desk.stop();
            world.reopen(puts % 2 == 0);
            desk = Desk::new(world.pod(), &shelf);
        } else {
            *shelf.left.lock() = None;
            desk.stop();
            desk = Desk::new(world.pod(), &shelf);
        }
        desk.publish();
        world.compare(&shelf.chunks.lock());
        old = ['b', 'a'][at];
        assert_eq!(folder(&shelf.chunks.lock()), old);
    }
    desk.stop();
}
