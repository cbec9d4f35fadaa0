//! The publisher ends at any moment, cuts are given up, batches are full: in the end everything is published.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use podfs::types::{Address, ROOT};

use crate::publishing::shelf::{Desk, Shelf};
use crate::publishing::world::{OWNER, World};
use crate::support::rounds;

const NODES: u64 = 900;

/// Nothing is lost, what was noted as sent is not sent again, and the rest once more at most.
#[test]
fn a_publication_that_broke_off_is_gone_on_with() {
    let mut world = World::new("broken off");
    world.copies = false;
    world.live(150);
    let shelf = Arc::new(Shelf::default());
    let mut desk = Desk::new(world.pod(), &shelf);
    for round in 0..rounds(10, 200) {
        world.live(if round == 0 { 0 } else { 40 });
        let before = shelf.puts.lock().len();
        let most = world.one_of(&[1, 5, 30, 300]);
        let puts = world.random.index(most);
        desk.publish_until(puts);
        desk.stop();
        let cleanly = world.random.below(2) == 0;
        world.reopen(cleanly);
        desk = Desk::new(world.pod(), &shelf);
        let (unsent, _) = desk.kept.waiting();
        let broke_off = world.pod().rows().journal().cut().is_some();
        let after = desk.publish();
        let whole = world.compare(&shelf.chunks.lock());
        if broke_off {
            let heads = 2;
            assert!(
                after.len() as u64 <= unsent + heads,
                "{unsent}: {}",
                after.len()
            );
        }
        let mut counts: BTreeMap<Address, usize> = BTreeMap::new();
        let all = &shelf.puts.lock()[before..];
        for put in all {
            *counts.entry(*put).or_default() += 1;
        }
        for (address, count) in &counts {
            // What several inodes have is put for each of them.
            let of = whole.chunks.get(address).map_or(1, |seen| seen.of.len());
            assert!(
                *count <= 2 * of,
                "{count} times: {:?}",
                whole.chunks.get(address)
            );
        }
        let twice = counts.values().filter(|count| **count == 2).count();
        println!(
            "round {round}: broken off after {puts}, {} in all, {twice} twice",
            all.len()
        );
    }
    desk.stop();
}

/// A file of so many nodes that they are noted in several steps: the end may come between any two of them.
#[test]
fn a_preparation_that_broke_off_is_gone_on_with() {
    let mut world = World::new("preparation");
    let ino = world.pod().mknod(ROOT, b"big", (0o100_600, 0), OWNER);
    let ino = ino.unwrap().ino;
    let change = |world: &mut World, nth: u64| {
        for node in 0..NODES {
            let bytes = world.random.bytes(4096);
            let at = (node * 51 + nth % 51) * 4096;
            world.pod().write(ino, at, &bytes, false).unwrap();
        }
    };
    change(&mut world, 0);
    let shelf = Arc::new(Shelf::default());
    let mut desk = Desk::new(world.pod(), &shelf);
    for round in 1..rounds(4, 60) {
        desk.publish();
        change(&mut world, round);
        desk.publisher.publish_now();
        std::thread::sleep(Duration::from_millis(world.random.below(300)));
        let kept = Arc::clone(&desk.kept);
        desk.stop();
        println!("round {round}: {:?} are queued", kept.waiting());
        drop(kept);
        if world.random.below(2) == 0 {
            world.pod().rows().journal().drop_cut().unwrap();
            world.live(30);
        }
        world.reopen(true);
        desk = Desk::new(world.pod(), &shelf);
    }
    desk.publish();
    world.compare(&shelf.chunks.lock());
    desk.stop();
}

/// What was prepared, or sent, for a cut that was given up does no harm to what is published instead.
#[test]
fn a_cut_may_be_given_up() {
    let mut world = World::new("given up");
    let shelf = Arc::new(Shelf::default());
    let mut desk = Desk::new(world.pod(), &shelf);
    for round in 0..rounds(12, 200) {
        let steps = world.one_of(&[5, 100]);
        world.live(steps);
        let marked = world.mark();
        let (steps, most) = (world.one_of(&[2, 30]), world.one_of(&[1, 4, 400]));
        world.live(steps);
        let puts = world.random.index(most);
        desk.publish_until(puts);
        desk.stop();
        world.pod().rows().journal().drop_cut().unwrap();
        world.pod().rows().checkpoint().unwrap();
        if world.random.below(2) == 0 {
            world.undo(&marked);
        }
        let more = world.one_of(&[0, 3, 60]);
        world.live(more);
        if world.random.below(2) == 0 {
            world.reopen(true);
        }
        desk = Desk::new(world.pod(), &shelf);
        desk.publish();
        world.compare(&shelf.chunks.lock());
        println!("round {round}");
    }
    desk.stop();
}

/// A chunk whose bucket in the batch is full is sealed another way, whatever it is; so is a head.
#[test]
fn full_buckets_do_not_keep_anything_back() {
    for (bits, rounds) in [(1, rounds(2, 30)), (2, rounds(1, 20))] {
        let mut world = World::new("full buckets");
        let shelf = Arc::new(Shelf::default());
        // Half of all addresses, or one in four.
        shelf.fill(move |address| address.0[0] >> (8 - bits) == 0);
        let desk = Desk::new(world.pod(), &shelf);
        for round in 0..rounds {
            world.live(if round == 0 { 200 } else { 30 });
            let puts = desk.publish();
            let whole = world.compare(&shelf.chunks.lock());
            println!(
                "round {round}: {} put, head {}",
                puts.len(),
                whole.head.index
            );
        }
        desk.stop();
    }
}
