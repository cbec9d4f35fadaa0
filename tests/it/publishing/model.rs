//! Random changes, publications at random moments: what is read back is always the pod as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use podfs::types::Address;

use crate::published::found::{Seen, Whole};
use crate::publishing::shelf::{Desk, Shelf};
use crate::publishing::world::World;
use crate::support::{rounds, wait_until};

type Live = BTreeMap<Address, Seen>;

/// How parity of nodes of a file begins, of an odd and of an even number of them.
const PARITY: [[u8; 2]; 2] = [[254, 254], [255, 255]];

/// Nothing is put that was put before, unless something came to have it that did not.
fn nothing_twice(puts: &[Address], before: &Live, now: &Whole) {
    let files = now.entries.values().filter(|entry| !entry.is_dir());
    let files: BTreeSet<_> = files.map(|entry| entry.ino).collect();
    let mut counts: BTreeMap<Address, usize> = BTreeMap::new();
    for put in puts {
        *counts.entry(*put).or_default() += 1;
    }
    let mut parity = 0;
    for (address, count) in counts {
        let Some(now) = now.chunks.get(&address) else {
            continue;
        };
        let old = before.get(&address).cloned().unwrap_or_default();
        let new = now.of.difference(&old.of).count();
        if count > new && PARITY.contains(&now.begin) && now.of.is_subset(&files) {
            parity += 1;
        } else {
            assert!(count <= new, "{count} times: {now:?}, before: {old:?}");
        }
    }
    // When a tree gets another level, the parity of its lowest nodes stands elsewhere.
    assert!(parity <= 6, "{parity}");
}

#[test]
fn what_is_published_is_what_the_pod_says() {
    let (start, copies) = (Instant::now(), [false, true]);
    for copies in copies {
        let mut world = World::new("publishing");
        world.copies = copies;
        let shelf = Arc::new(Shelf::default());
        let mut desk = Desk::new(world.pod(), &shelf);
        let mut before = BTreeMap::new();
        for round in 0..rounds(12, 400) {
            let steps = world.one_of(&[3, 40, 200]);
            world.live(if round == 0 { 300 } else { steps });
            let restart = world.random.below(3);
            if restart == 0 {
                let cleanly = world.random.below(2) == 0;
                desk.stop();
                world.reopen(cleanly);
                desk = Desk::new(world.pod(), &shelf);
            }
            let puts = desk.publish();
            let whole = world.compare(&shelf.chunks.lock());
            if !copies {
                nothing_twice(&puts, &before, &whole);
            }
            println!(
                "round {round}: {} names, {} chunks, {} put, {} changes in the head, {:?}",
                whole.entries.len(),
                whole.chunks.len(),
                puts.len(),
                whole.head.journal.changes.len(),
                start.elapsed()
            );
            before = whole.chunks;
        }
        assert_eq!(desk.publish(), [], "nothing changed");
        desk.stop();
    }
}

/// The chunks are a function of the pod and its key: whoever publishes it anew gives the same.
#[test]
fn the_same_pod_gives_the_same_chunks() {
    let mut world = World::new("same chunks");
    world.live(400);
    let published = |world: &World| {
        let copy = tempfile::tempdir().unwrap();
        world.pod().rows().checkpoint().unwrap();
        world.duplicate(copy.path());
        let pod = crate::support::sample::open(copy.path());
        let desk = Desk::new(&pod, &Arc::new(Shelf::default()));
        desk.publish();
        let whole = world.compare(&desk.shelf.chunks.lock());
        desk.stop();
        whole.chunks
    };
    assert!(published(&world) == published(&world));
}

/// Something that is looked for while it is published anew is not taken for the new one.
#[test]
fn what_is_found_is_not_taken_for_what_came_after_it() {
    let mut world = World::new("looks");
    world.copies = false;
    world.live(120);
    let shelf = Arc::new(Shelf::default());
    let mut desk = Desk::new(world.pod(), &shelf);
    // The feed is read before the first publication.
    desk.publish();
    for _ in 0..rounds(3, 30) {
        world.live(20);
        shelf.silent.store(true, Ordering::Release);
        desk.publish_until(usize::MAX);
        world.live(30);
        // What stands at the places that are looked for is queued anew when the answers come.
        let sent = world.random.index(20);
        desk.publish_until(sent);
        shelf.silent.store(false, Ordering::Release);
        wait_until(Duration::from_secs(2), || desk.kept.waiting().1 == 0);
        desk.stop();
        world.reopen(true);
        desk = Desk::new(world.pod(), &shelf);
        desk.publish();
        world.compare(&shelf.chunks.lock());
    }
    desk.stop();
}
