//! What is said at a door, and what is kept of who is not let in; one slot as it stands in Swarm.

use std::fs;
use std::path::Path;

use podfs::crypto::door::{DoorSlot, open_door, seal_door};
use podfs::crypto::identity::{Fingerprint, sign_public_key, xwing_public_key};
use podfs::crypto::keys::RootKey;
use podfs::crypto::message::Correspondents;
use podfs::crypto::{Phrase, Secret};
use podfs::format::door::Knock;
use podfs::format::rows::Blocked;
use podfs::types::Timespec;

use crate::layouts::wrong::{Changed, Cut};
use crate::layouts::{FOLDER, Named, messages, people};

/// The request of the golden message, with the golden card.
fn knock() -> Knock {
    Knock {
        card: people::signed(),
        message: messages::request(),
    }
}

pub(super) fn good() -> Named {
    let blocked = Blocked {
        fingerprint: Fingerprint([0xf1; 32]),
        since: Timespec {
            secs: 1_795_000_009,
            nanos: 9,
        },
    };
    vec![
        ("door-plain-good", knock().padded().unwrap().to_vec()),
        ("rows-blocked-good", blocked.encode()),
    ]
}

pub(super) const CHANGED: [Changed; 4] = [
    // The kind of the message, a flag of it, a byte of the card, a byte behind.
    ("door-plain-wrong-kind", "door-plain-good", 1546, 3),
    ("door-plain-wrong-answer", "door-plain-good", 1547, 7),
    ("door-plain-wrong-card", "door-plain-good", 300, 0),
    ("door-plain-wrong-behind", "door-plain-good", 2887, 1),
];

pub(super) const CUT: [Cut; 3] = [
    ("door-plain-wrong-longer", "door-plain-good", 2888, b"\0"),
    ("door-plain-wrong-shorter", "door-plain-good", 2887, b""),
    ("rows-blocked-wrong-longer", "rows-blocked-good", 44, b"\0"),
];

pub(super) fn written_again(kind: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    match kind {
        "door-plain" => Some(Knock::decode_padded(bytes).ok()?.padded().ok()?.to_vec()),
        "rows-blocked" => Some(Blocked::decode(bytes).ok()?.encode()),
        _ => None,
    }
}

/// From the person of the golden card, whose Ed25519 seed is 32 times 01, to the person of the phrase of 32 bytes 01.
#[test]
fn a_slot_of_a_door_is_frozen() {
    let root = |byte| {
        let phrase = Phrase::from_entropy(&Secret::from_bytes(&[byte; 32]));
        RootKey::derive(&phrase.seed(), None)
    };
    let people = [root(0), root(1)];
    let print = |root: &RootKey| Fingerprint::of(&root.identity(0).public_key());
    let prints = people.each_ref().map(print);
    let between = Correspondents {
        sender: &prints[0],
        recipient: &prints[1],
    };
    let slot = DoorSlot::of(&prints[1], 20_775, 5);
    let (sign, xwing) = (Secret::from_bytes(&[1; 32]), people[1].kem_xwing(0));
    let keys = (&sign, &*xwing_public_key(&xwing));
    let body = knock().padded().unwrap();
    let seed = Secret::from_bytes(&[5; 32]);
    let payload = seal_door(&body, slot.place(), between, keys, seed).unwrap();
    let chunk = slot.chunk(payload.as_slice()).unwrap();
    assert_eq!(chunk.address(), slot.address());
    let file = Path::new(FOLDER).join("door-chunk-good.bin");
    if std::env::var_os("PODFS_WRITE_GOLDEN").is_some() {
        fs::write(&file, chunk.bytes()).unwrap();
    }
    assert!(
        fs::read(&file).unwrap() == chunk.bytes(),
        "it is sealed another way now"
    );
    let opened = open_door(chunk.payload(), slot.place(), &xwing).unwrap();
    let signer = sign_public_key(&sign);
    opened.is_signed_by(&signer, between).unwrap();
    assert!(Knock::decode_padded(opened.body()) == Ok(knock()));
}
