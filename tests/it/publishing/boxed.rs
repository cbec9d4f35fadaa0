//! Boxes in what is published: no chunk of one is ever a chunk of another, whatever becomes a box and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use podfs::crypto::keys::{BoxSecret, RootKey};
use podfs::crypto::publish::{Reference, open_block, same_page};
use podfs::crypto::swarm::SealedChunk;
use podfs::crypto::{Phrase, Secret};
use podfs::format::published::{Contents, Inode, InodeKind};
use podfs::pod::{FileKind, Pod, PodError, Taken};
use podfs::types::{Address, Ino, ROOT};

use crate::published::found::Whole;
use crate::published::read::whole_box;
use crate::published::{Chunks, pod_secret};
use crate::publishing::evicted::give_up;
use crate::publishing::shelf::{Desk, Shelf};
use crate::publishing::world::{OWNER, World};
use crate::support::random::Random;
use crate::support::rounds;

/// Boxes in which chunks were ever seen.
#[derive(Default)]
struct Boxes(BTreeMap<Address, u32>);

impl Boxes {
    fn see(&mut self, world: &World, whole: &Whole) {
        let boxes = world.pod().boxes();
        let above = |dir: Ino| world.names.iter().find(|(_, it)| it.0 == dir).unwrap().0.0;
        let told = whole.head.journal.references();
        let told: BTreeSet<_> = told.map(Reference::address).collect();
        for (address, seen) in &whole.chunks {
            let mut of = seen.of.clone();
            // What a box hangs from is read, for parity, with the directory above it.
            for (dir, _) in boxes.iter().filter(|(dir, _)| seen.of.contains(dir)) {
                of.remove(&above(*dir));
            }
            // So is what the changes in the head refer to, with the pod's own directory.
            if told.contains(address) {
                of.remove(&ROOT);
            }
            for ino in of {
                let number = world.box_of(ino);
                let known = *self.0.entry(*address).or_insert(number);
                assert_eq!(known, number, "{address} of inode {ino}: {seen:?}");
            }
        }
    }
}

#[test]
fn what_is_in_a_box_shares_no_chunk_with_what_is_in_another() {
    let mut world = World::new("boxes");
    world.boxes = true;
    let (shelf, mut seen) = (Arc::new(Shelf::default()), Boxes::default());
    let mut desk = Desk::new(world.pod(), &shelf);
    for round in 0..rounds(14, 300) {
        world.live(if round == 0 { 300 } else { 60 });
        if world.random.below(3) == 0 {
            // What was prepared for a publication that did not come to its end is prepared again.
            let puts = world.random.index(60);
            desk.publish_until(puts);
            desk.stop();
            let cleanly = world.random.below(2) == 0;
            world.reopen(cleanly);
            desk = Desk::new(world.pod(), &shelf);
            world.live(30);
        }
        let puts = desk.publish().len();
        let whole = world.compare(&shelf.chunks.lock());
        seen.see(&world, &whole);
        boxes_open_alone(&shelf.chunks.lock(), &whole);
        let given = give_up(&mut world);
        assert_eq!(desk.publish(), [], "nothing changed");
        let (boxes, chunks) = (world.pod().boxes().len(), whole.chunks.len());
        println!(
            "round {round}: {boxes} boxes, {chunks} chunks, {puts} put, {given} pages given up"
        );
        let report = world.pod().check(true).unwrap();
        assert_eq!(report.found, 0, "{:?}", report.findings);
    }
    desk.stop();
}

/// Whoever has the secret of a box reads all that is in it, and finds no head of another one.
fn boxes_open_alone(chunks: &Chunks, whole: &Whole) {
    let attached = whole.entries.iter();
    let attached = attached.filter_map(|(path, of)| Some((path, of, of.attached?)));
    for (path, of, attached) in attached {
        let alone = whole_box(chunks, pod_secret().box_secret(attached.number, 0));
        assert_eq!(alone.head.box_number, attached.number);
        assert_eq!(alone.head.one_scope, attached.one_scope);
        assert_eq!(alone.head.root.attributes.ino, of.ino);
        let below = [&path[..], b"/"].concat();
        let inside = whole.entries.iter().filter_map(|(path, of)| {
            let path = path.strip_prefix(&below[..])?;
            Some((path.to_vec(), of.ino, of.mtime))
        });
        let found = alone.entries.iter().filter(|(path, _)| *path != b".");
        let found = found.map(|(path, of)| (path.clone(), of.ino, of.mtime));
        assert!(found.eq(inside), "box {}", attached.number);
    }
}

fn file(pod: &Pod, dir: Ino, name: &[u8], bytes: &[u8]) -> Ino {
    let ino = pod.mknod(dir, name, (0o100_644, 0), OWNER).unwrap().ino;
    pod.write(ino, 0, bytes, false).unwrap();
    ino
}

/// Addresses of the pages of a file as they are published; this box made their keys.
fn pages(shelf: &Shelf, whole: &Whole, path: &str, of: &BoxSecret) -> Vec<Address> {
    let chunks = shelf.chunks.lock();
    let chunk = |address: &Address| SealedChunk::verified(address, &chunks[address]).unwrap();
    let inode = whole.entries[path.as_bytes()].contents.clone().unwrap();
    let node = podfs::crypto::publish::open_node(&inode, &chunk(&inode.address())).unwrap();
    let inode = Inode::decode(node.expose(), InodeKind::File).unwrap();
    let Contents::Tree { children, .. } = inode.contents else {
        panic!("{path} is small");
    };
    let pages = children.into_iter().flatten().map(|page| {
        let bytes = open_block(&page, &chunk(&page.address())).unwrap();
        let keys = [of.conv(), of.conv_file(&inode.scope)];
        let made = keys.iter().any(|key| same_page(key, &page, &bytes));
        assert!(made, "{path} is sealed under other keys");
        page.address()
    });
    pages.collect()
}

#[test]
fn equal_files_are_one_chunk_only_within_a_box_that_is_made_so() {
    let world = World::new("equal files");
    let pod = world.pod();
    let dir = |name: &[u8]| pod.mkdir(ROOT, name, 0o700, OWNER).unwrap().ino;
    let dirs = [dir(b"own"), dir(b"apart"), dir(b"one"), dir(b"other")];
    let bytes = Random::new("equal files").bytes(5 * 4096);
    let made = pod.make_box(dirs[1], false, false).unwrap().0;
    assert_eq!((made.number, made.one_scope), (1, false));
    for at in dirs {
        file(pod, at, b"a", &bytes);
        file(pod, at, b"b", &bytes);
    }
    let (shelf, secrets) = (Arc::new(Shelf::default()), pod_secret());
    let desk = Desk::new(pod, &shelf);
    desk.publish();
    let before = world.compare(&shelf.chunks.lock());
    let old = pages(&shelf, &before, "one/a", &secrets.box_secret(0, 0));
    // What was published is sealed anew.
    for (at, number) in [(dirs[2], 2), (dirs[3], 3)] {
        let (made, extent) = pod.make_box(at, true, false).unwrap();
        assert_eq!((made.number, extent.names), (number, 2));
        assert_eq!(extent.bytes, 2 * 5 * 4096);
    }
    desk.publish();
    let whole = world.compare(&shelf.chunks.lock());
    let of = |path: &str, number| {
        let secret = secrets.box_secret(number, 0);
        pages(&shelf, &whole, path, &secret)
    };
    let apart = [
        of("own/a", 0),
        of("own/b", 0),
        of("apart/a", 1),
        of("apart/b", 1),
        of("one/a", 2),
        of("other/a", 3),
        old,
    ];
    for (at, one) in apart.iter().enumerate() {
        assert_eq!(one.len(), 5);
        for other in &apart[at + 1..] {
            assert!(one.iter().all(|page| !other.contains(page)));
        }
    }
    assert_eq!(of("one/a", 2), of("one/b", 2));
    assert_eq!(of("other/a", 3), of("other/b", 3));
    // An ordinary folder again, it is sealed under the keys of the pod.
    pod.unmake_box(dirs[2], false).unwrap();
    desk.publish();
    let whole = world.compare(&shelf.chunks.lock());
    let last = pages(&shelf, &whole, "one/a", &secrets.box_secret(0, 0));
    assert!(last.iter().all(|page| !apart[4].contains(page)));
    desk.stop();
}

/// Through another file and a rename, as programs do; and what is moved out of a former box comes with nothing of it.
#[test]
fn saving_again_in_a_box_costs_what_differs() {
    let world = World::new("saving again in a box");
    let pod = world.pod();
    let dir = |at: Ino, name: &[u8]| pod.mkdir(at, name, 0o700, OWNER).unwrap().ino;
    let (boxed, bytes) = (dir(ROOT, b"boxed"), Random::new("saving").bytes(40 * 4096));
    let below = dir(boxed, b"below");
    pod.make_box(boxed, false, false).unwrap();
    file(pod, below, b"a", &bytes);
    let (shelf, secrets) = (Arc::new(Shelf::default()), pod_secret());
    let desk = Desk::new(pod, &shelf);
    desk.publish();
    file(pod, below, b"temporary", &[&bytes[..], b"more"].concat());
    let saved = ((below, &b"temporary"[..]), (below, &b"a"[..]));
    pod.rename(saved.0, saved.1, Taken::Replace).unwrap();
    let puts = desk.publish().len();
    // The last page and its path, with parity; the tops of both directories; the heads of the pod and of the box.
    assert!(puts <= 20, "{puts} chunks of one more page");
    let before = world.compare(&shelf.chunks.lock());
    let before = pages(&shelf, &before, "boxed/below/a", &secrets.box_secret(1, 0));
    pod.unmake_box(boxed, false).unwrap();
    let moved = ((boxed, &b"below"[..]), (ROOT, &b"moved"[..]));
    pod.rename(moved.0, moved.1, Taken::Keep).unwrap();
    desk.publish();
    let whole = world.compare(&shelf.chunks.lock());
    let now = pages(&shelf, &whole, "moved/a", &secrets.box_secret(0, 0));
    assert!(now.iter().all(|page| !before.contains(page)));
    desk.stop();
}

/// The heads of boxes say at once, and without a change, what they said with the keys before.
#[test]
fn a_box_opens_alone_as_soon_as_the_keys_of_its_pod_are_replaced() {
    let world = World::new("boxes of two epochs");
    let pod = world.pod();
    let dir = |name: &[u8]| pod.mkdir(ROOT, name, 0o700, OWNER).unwrap().ino;
    let dirs = [dir(b"one"), dir(b"other"), dir(b"gone")];
    for (at, one_scope) in dirs.into_iter().zip([false, true, false]) {
        pod.make_box(at, one_scope, false).unwrap();
        file(pod, at, b"a", b"as it was");
    }
    let shelf = Arc::new(Shelf::default());
    let desk = Desk::new(pod, &shelf);
    desk.publish();
    pod.unmake_box(dirs[2], false).unwrap();
    desk.publish();
    let (phrase, later) = (Phrase::from_entropy(&Secret::from_bytes(&[0; 32])), 1);
    let root = RootKey::derive(&phrase.seed(), None);
    let secret = root.pod(&root.pod_id(0), later);
    desk.turn_to((&secret, later), 3);
    for number in [1, 2] {
        let before = whole_box(&shelf.chunks.lock(), pod_secret().box_secret(number, 0));
        let now = whole_box(&shelf.chunks.lock(), secret.box_secret(number, 0));
        assert_eq!((now.head.epoch, now.head.index), (later, 0));
        assert_eq!(now.listing, before.listing);
        assert_eq!(now.head.adopted.unwrap().index, before.head.index);
    }
    // And from then on what changes.
    file(pod, dirs[0], b"b", b"later");
    desk.publish();
    let now = whole_box(&shelf.chunks.lock(), secret.box_secret(1, 0));
    assert!(now.entries.contains_key(&b"b"[..]));
    assert_eq!(now.head.index, 1);
    desk.stop();
}

/// The number of a box that was removed is not given to another.
#[test]
fn a_box_of_the_same_folder_has_other_keys_the_second_time() {
    let mut world = World::new("second box");
    let dir = world.pod().mkdir(ROOT, b"d", 0o700, OWNER).unwrap().ino;
    for number in [1, 2] {
        assert_eq!(
            world.pod().make_box(dir, false, true).unwrap().0.number,
            number
        );
        assert_eq!(
            world.pod().make_box(dir, false, false).unwrap().0.number,
            number
        );
        let (from, to) = ((ROOT, &b"f"[..]), (dir, &b"f"[..]));
        file(world.pod(), ROOT, b"f", b"1");
        let moved = world.pod().rename(from, to, Taken::Replace);
        assert!(matches!(moved, Err(PodError::CrossDevice)));
        world.reopen(number == 1);
        let moved = world.pod().rename(from, to, Taken::Replace);
        assert!(matches!(moved, Err(PodError::CrossDevice)));
        assert_eq!(world.pod().boxes().len(), 1);
        world.pod().unmake_box(dir, false).unwrap();
        world.pod().rename(from, to, Taken::Replace).unwrap();
        world.pod().unlink(dir, b"f").unwrap();
        assert_eq!(world.pod().getattr(dir).unwrap().kind, FileKind::Directory);
    }
    assert!(world.pod().boxes().is_empty());
}
