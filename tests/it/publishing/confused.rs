//! Programs choose what is in files: also bytes that podfs itself would write.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use podfs::crypto::keys::ConvKey;
use podfs::crypto::publish::{Reference, seal_node};
use podfs::format::published::{Contents, Inode, InodeKind, XattrPlace};
use podfs::format::rows::{Key, Published};
use podfs::journal::{Batch, Class};
use podfs::pod::{Pod, XattrMode};
use podfs::types::{Ino, ROOT};

use crate::published::box_secret;
use crate::publishing::evicted::buckets;
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

/// What was taken over from others is published as they published it, and they may have published anything.
#[test]
fn what_makes_no_sense_keeps_nothing_else_back() {
    let world = World::new("nonsense of others");
    let pod = world.pod();
    let shelf = Arc::new(Shelf::default());
    let desk = Desk::new(pod, &shelf);
    let file = |name: &[u8], pages: usize| {
        let ino = pod.mknod(ROOT, name, (0o100_644, 0), OWNER).unwrap().ino;
        pod.write(ino, 0, &vec![7; pages * 4096], false).unwrap();
        ino
    };
    let others = [file(b"no inode", 40), file(b"no pages", 40)];
    desk.publish();
    let conv: ConvKey = box_secret().conv();
    let inline = Inode {
        kind: InodeKind::File,
        scope: box_secret().scope_key().scope_id(ROOT.0, b"no pages"),
        size: 5,
        contents: Contents::Inline(b"short".as_slice().into()),
        xattrs: XattrPlace::Inline(Vec::new()),
    };
    let inline = inline.encode().unwrap();
    for (ino, node) in others.into_iter().zip([&[9; 4096], inline.expose()]) {
        let (reference, chunk) = seal_node(&conv, 0, node);
        shelf
            .chunks
            .lock()
            .insert(chunk.address(), chunk.bytes().to_vec());
        put(pod, ino, reference);
        let given = pod.give_up(ino, &buckets(pod, ino)).unwrap();
        assert_eq!(given, 40);
        pod.setxattr(ino, b"user.mine", b"mine", XattrMode::Either)
            .unwrap();
    }
    file(b"mine", 3);
    assert_ne!(desk.publish(), []);
    for name in [b"no inode", b"no pages"] {
        pod.unlink(ROOT, name).unwrap();
    }
    desk.publish();
    world.compare(&shelf.chunks.lock());
    desk.stop();
}

/// The inode is published as this node.
fn put(pod: &Pod, ino: Ino, node: Reference) {
    let key = Key::published(ino);
    let row = pod.rows().get(&key).unwrap().unwrap();
    let published = Published {
        contents: Some(node),
        ..Published::decode(&row).unwrap()
    };
    let mut batch = Batch::new(Class::Meta);
    batch.put(key, published.encode());
    pod.rows().append(batch, None).unwrap();
}
