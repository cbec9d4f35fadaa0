//! Programs choose what is in files: also bytes that podfs itself would write.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use podfs::types::ROOT;

use crate::publishing::shelf::{Desk, Shelf};
use crate::publishing::world::{OWNER, World};

/// Opened nodes, entries, heads and records of every kind, right and wrong ones.
fn layouts() -> Vec<Vec<u8>> {
    let files = fs::read_dir("tests/golden/v1").unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        ["published-", "grant-record-"]
            .iter()
            .any(|kind| name.starts_with(kind))
    });
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A page of a file that holds a node is a page: it comes back as a file, and its chunk is not that of the node.
#[test]
fn a_file_that_holds_a_node_is_a_file() {
    let mut world = World::new("nodes in files");
    world.live(100);
    let layouts = layouts();
    let nodes = layouts.iter().filter(|bytes| bytes.len() == 4096);
    assert!(nodes.count() > 10, "{} layouts", layouts.len());
    let shelf = Arc::new(Shelf::default());
    let desk = Desk::new(world.pod(), &shelf);
    desk.publish();
    let before: BTreeSet<_> = shelf.chunks.lock().keys().copied().collect();
    // Each in a file of its own, and all of them as pages of one, where nodes of it would stand beside.
    let all = layouts.concat();
    for (number, bytes) in layouts.iter().chain([&all]).enumerate() {
        let name = format!("layout {number}").into_bytes();
        let file = world.pod().mknod(ROOT, &name, (0o100_644, 0), OWNER);
        let ino = file.unwrap().ino;
        world.pod().write(ino, 0, bytes, false).unwrap();
    }
    let puts = desk.publish();
    assert!(puts.iter().any(|put| !before.contains(put)));
    let whole = world.compare(&shelf.chunks.lock());
    let names = whole.entries.keys();
    let found = names.filter(|name| name.starts_with(b"layout "));
    assert_eq!(found.count(), layouts.len() + 1);
    desk.stop();
}
