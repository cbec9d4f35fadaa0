//! Clocks go back: what is written at the very time that a file has already is published all the same.

use std::sync::Arc;

use podfs::pod::{Attr, Pod, XattrMode};
use podfs::types::{Ino, ROOT};

use crate::publishing::shelf::{Desk, Shelf};
use crate::publishing::world::{OWNER, World};

const PAGE: usize = 4096;

/// Publishes what `change` leaves, twice; before each time the pod is opened again, and its clock begins anew.
#[track_caller]
fn check(name: &str, change: impl Fn(&Pod, Ino, Vec<u8>)) {
    let mut world = World::new(name);
    let file = world.pod().mknod(ROOT, b"file", (0o100_644, 0), OWNER);
    let ino = file.unwrap().ino;
    let bytes = world.random.bytes(9 * PAGE);
    world.pod().write(ino, 0, &bytes, false).unwrap();
    let shelf = Arc::new(Shelf::default());
    let mut times: Option<Attr> = None;
    for _ in 0..2 {
        world.reopen(true);
        let bytes = world.random.bytes(PAGE);
        change(world.pod(), ino, bytes);
        let now = world.pod().getattr(ino).unwrap();
        if let Some(before) = times.replace(now) {
            assert_eq!((before.mtime, before.ctime), (now.mtime, now.ctime));
        }
        let desk = Desk::new(world.pod(), &shelf);
        desk.publish();
        desk.stop();
        world.compare(&shelf.chunks.lock());
    }
}

#[test]
fn a_page_that_is_written_at_the_same_time() {
    check("page at the same time", |pod, ino, bytes| {
        pod.write(ino, 5 * PAGE as u64, &bytes, false).unwrap();
    });
}

#[test]
fn an_attribute_that_is_set_at_the_same_time() {
    check("attribute at the same time", |pod, ino, bytes| {
        let set = pod.setxattr(ino, b"user.a", &bytes[..9], XattrMode::Either);
        set.unwrap();
    });
}
