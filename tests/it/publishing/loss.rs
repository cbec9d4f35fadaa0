//! Chunks that are lost, of a pod that the engine published.

use std::sync::Arc;

use podfs::crypto::publish::Reference;
use podfs::crypto::swarm::{SocId, soc_address};

use crate::published::box_secret;
use crate::published::read::{listing, whole};
use crate::publishing::shelf::{Desk, Shelf};
use crate::publishing::world::World;
use crate::support::rounds;

/// No lost chunk takes more than one page of one file with it.
#[test]
fn only_pages_of_files_can_be_lost() {
    let mut world = World::new("loss");
    world.small = true;
    world.live(rounds(60, 200));
    let shelf = Arc::new(Shelf::default());
    let desk = Desk::new(world.pod(), &shelf);
    desk.publish();
    // So that there are changes in the head.
    world.live(8);
    desk.publish();
    desk.stop();
    let chunks = shelf.chunks.lock().clone();
    let all = whole(&chunks);
    // The head has parity of the names of the top directory, and none of its attributes.
    let bare = all.head.root.attributes.contents.as_ref();
    let bare = bare.map(Reference::address);
    let (mut pages, mut less) = (0, chunks.clone());
    for (address, seen) in all.chunks.iter().filter(|it| Some(*it.0) != bare) {
        let bytes = less.remove(address).unwrap();
        match listing(&less) {
            Ok(found) => assert!(found == all.listing, "without {seen:?}"),
            Err(lost) => {
                assert_eq!(lost, "a page", "without {seen:?}");
                pages += 1;
            }
        }
        less.insert(*address, bytes);
    }
    println!("{pages} of {} chunks are pages", all.chunks.len());
    let secret = box_secret();
    let owner = secret.feed_signer(1).owner();
    for topic in [secret.feed_topic(1), secret.feed_replica_topic(1)] {
        let head = soc_address(&SocId::of_update(&topic, all.head.index), &owner);
        let bytes = less.remove(&head).unwrap();
        assert!(listing(&less) == Ok(all.listing.clone()));
        less.insert(head, bytes);
    }
}
