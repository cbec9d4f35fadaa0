//! Cards, and the rows that keep them.

use podfs::crypto::Phrase;
use podfs::crypto::Secret;
use podfs::crypto::identity::{Fingerprint, sign_card, sign_public_key, xwing_public_key};
use podfs::crypto::keys::RootKey;
use podfs::crypto::scalar::Owner;
use podfs::format::card::{Card, SIGNED_CARD_LEN, SignedCard};
use podfs::format::rows::{Contact, OwnCard};
use podfs::types::{ContactName, Timespec};

use crate::layouts::Named;
use crate::layouts::wrong::{Changed, Cut};

/// The first card of the phrase of 32 times `entropy`, with the signing key of a device whose seed is 32 times 01, as it
/// is, or `change`d.
fn card_of(entropy: u8, change: impl FnOnce(&mut Card)) -> SignedCard {
    let root = RootKey::derive(
        &Phrase::from_entropy(&Secret::from_bytes(&[entropy; 32])).seed(),
        None,
    );
    let identity = root.identity(0);
    let mut card = Card {
        number: 0,
        identity_number: 0,
        epoch: 0,
        made: Timespec {
            secs: 1_795_000_000,
            nanos: 5,
        },
        identity: identity.public_key(),
        sign: sign_public_key(&Secret::from_bytes(&[1; 32])),
        x25519: root.kem_x25519(0).public_key(),
        xwing: xwing_public_key(&root.kem_xwing(0)),
        previous: [0; 32],
        successor: None,
    };
    change(&mut card);
    let chunk = sign_card(&identity, card.number, &card.encode()).unwrap();
    SignedCard::read(chunk.bytes()).unwrap()
}

/// The card of the phrase of the golden pod.
pub(super) fn signed() -> SignedCard {
    card_of(0, |_| {})
}

/// The one behind it, which fixes the person of another phrase; and the first card of that one, which says so too.
fn fixed_and_heir() -> [SignedCard; 2] {
    let fixed = card_of(0, |card| {
        (card.number, card.previous) = (1, signed().hash());
        card.successor = Some(card_of(1, |_| {}).card().owner());
    });
    let heir = card_of(1, |card| {
        (card.epoch, card.previous) = (1, fixed.card().fingerprint().0);
    });
    assert!(fixed.follows(&signed()) && heir.card().succeeds(fixed.card()));
    [fixed, heir]
}

pub(super) fn bytes() -> Box<[u8; SIGNED_CARD_LEN]> {
    Box::new(signed().bytes().try_into().unwrap())
}

pub(super) fn good() -> Named {
    let second = Card {
        number: 1,
        identity_number: 2,
        epoch: 3,
        previous: [7; 32],
        successor: Some(Owner([8; 20])),
        ..signed().card().clone()
    };
    let [fixed, heir] = fixed_and_heir();
    let own = OwnCard {
        published: true,
        card: bytes(),
    };
    let contact = Contact {
        name: ContactName::parse("Dr. Müller").unwrap(),
        verified: true,
        alarm: None,
        since: Timespec {
            secs: 1_795_000_009,
            nanos: 9,
        },
        former: Vec::new(),
        card: bytes(),
    };
    let stopped = Contact {
        alarm: Some([0xee; 32]),
        verified: false,
        ..contact.clone()
    };
    let followed = Contact {
        former: vec![Fingerprint([0xf0; 32]), Fingerprint([0xf1; 32])],
        ..contact.clone()
    };
    vec![
        ("card-signed-fixed", fixed.bytes().to_vec()),
        ("card-signed-heir", heir.bytes().to_vec()),
        ("rows-contact-followed", followed.encode()),
        ("card-plain-first", signed().card().encode()),
        ("card-plain-second", second.encode()),
        ("card-signed-good", bytes().to_vec()),
        ("rows-own-card-good", own.encode()),
        ("rows-contact-good", contact.encode()),
        ("rows-contact-stopped", stopped.encode()),
    ]
}

pub(super) const CHANGED: [Changed; 13] = [
    ("card-plain-wrong-version", "card-plain-first", 0, 2),
    ("card-plain-wrong-nanos", "card-plain-first", 29, 0x40),
    ("card-plain-wrong-point", "card-plain-first", 30, 5),
    ("card-plain-wrong-epoch", "card-plain-first", 17, 1),
    ("card-plain-wrong-successor", "card-plain-second", 1427, 1),
    ("card-plain-wrong-second", "card-plain-first", 2, 1),
    ("card-signed-wrong-signature", "card-signed-good", 40, 0),
    ("card-signed-wrong-place", "card-signed-good", 0, 0),
    ("card-signed-wrong-key", "card-signed-good", 300, 0),
    ("rows-own-card-wrong-flag", "rows-own-card-good", 0, 2),
    ("rows-contact-wrong-flag", "rows-contact-good", 0, 8),
    ("rows-contact-wrong-count", "rows-contact-followed", 13, 0),
    ("rows-contact-wrong-name", "rows-contact-good", 1557, b'/'),
];

pub(super) const CUT: [Cut; 5] = [
    ("card-plain-wrong-longer", "card-plain-first", 1439, b"\0"),
    (
        "card-signed-wrong-longer",
        "card-signed-good",
        1544,
        b"\x01",
    ),
    ("card-signed-wrong-shorter", "card-signed-good", 1543, b""),
    (
        "rows-own-card-wrong-longer",
        "rows-own-card-good",
        1545,
        b"\0",
    ),
    (
        "rows-contact-wrong-nameless",
        "rows-contact-good",
        1557,
        b"",
    ),
];

pub(super) fn written_again(kind: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match kind {
        "card-plain" => Card::decode(bytes).ok()?.encode(),
        "card-signed" => SignedCard::read(bytes).ok()?.bytes().to_vec(),
        "rows-own-card" => OwnCard::decode(bytes).ok()?.encode(),
        "rows-contact" => Contact::decode(bytes).ok()?.encode(),
        _ => return None,
    })
}
