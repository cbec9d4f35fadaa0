//! Messages, and the rows that keep them; one as it stands in Swarm.

use std::fs;
use std::path::Path;

use podfs::crypto::identity::{Fingerprint, sign_public_key, xwing_public_key};
use podfs::crypto::keys::RootKey;
use podfs::crypto::message::{Correspondents, MessagePlace, open_message, seal_message};
use podfs::crypto::pairwise::{Direction, PairSecret};
use podfs::crypto::{Phrase, Secret};
use podfs::format::audit::{Checkpoint, Witness};
use podfs::format::message::{AccessRequest, Message, MessageBody, MessageId};
use podfs::format::rows::{
    FeedCursor, FeedPlace, KeysTag, MessageRow, MessageState, SealedMessage,
};
use podfs::types::{PlainText, Rights, Timespec};

use crate::layouts::wrong::{Changed, Cut};
use crate::layouts::{FOLDER, Named, people};

fn text(text: &str) -> PlainText {
    PlainText::parse(text).unwrap()
}

fn message(body: MessageBody, answers: Option<MessageId>) -> Message {
    Message {
        id: MessageId([0x1d; 16]),
        time: Timespec {
            secs: 1_795_000_000,
            nanos: 5,
        },
        answers,
        body,
    }
}

pub(super) fn request() -> Message {
    let asked = AccessRequest {
        what: text("Befunde/2026"),
        purpose: text("Behandlung"),
        rights: Rights::READ,
        from: Some(1_795_000_000),
        until: Some(1_797_000_000),
    };
    message(MessageBody::Request(asked), None)
}

fn row(state: MessageState, sealed: bool) -> MessageRow {
    let place = FeedPlace {
        week: 2967,
        index: 3,
    };
    MessageRow {
        contact: Fingerprint([0xf1; 32]),
        since: Timespec {
            secs: 1_795_000_009,
            nanos: 9,
        },
        epoch: 4,
        state,
        card: None,
        place: (sealed || state != MessageState::Unsent).then_some(place),
        sealed: sealed.then(|| SealedMessage {
            keys: KeysTag([0xa5; 8]),
            payload: Box::new([0x5e; 4096]),
        }),
        recorded: false,
        message: request(),
    }
}

fn witness() -> MessageBody {
    let checkpoint = Checkpoint {
        origin: [0xe1; 32],
        size: 1,
        root: [0xe2; 32],
        time: Timespec::default(),
        previous: [0; 32],
    };
    let signed = checkpoint.sign(&Secret::from_bytes(&[1; 32]));
    let witness = Witness::sign(signed, [7; 32], &Secret::from_bytes(&[2; 32]));
    MessageBody::Witness(Box::new(witness))
}

pub(super) fn good() -> Named {
    let answer = Some(MessageId([0xa2; 16]));
    let open_ended = AccessRequest {
        what: text("x"),
        purpose: text("y"),
        rights: Rights::WRITE,
        from: None,
        until: None,
    };
    let denied = MessageBody::Denied { why: text("nein") };
    let grant = MessageBody::Grant([7; 40].into());
    let cursor = FeedCursor {
        keys: KeysTag([0xa5; 8]),
        received: FeedPlace {
            week: 2959,
            index: 0,
        },
        sent: FeedPlace {
            week: 2967,
            index: 4,
        },
    };
    let stranger = MessageRow {
        card: Some(people::bytes()),
        ..row(MessageState::New, false)
    };
    let encoded = |message: Message| message.encode().unwrap();
    vec![
        ("message-plain-request", encoded(request())),
        (
            "message-plain-open-ended",
            encoded(message(MessageBody::Request(open_ended), None)),
        ),
        ("message-plain-denied", encoded(message(denied, answer))),
        ("message-plain-grant", encoded(message(grant, answer))),
        ("message-plain-witness", encoded(message(witness(), None))),
        (
            "message-plain-arrived",
            encoded(message(MessageBody::Arrived, answer)),
        ),
        (
            "rows-message-received",
            row(MessageState::Seen, false).encode().unwrap(),
        ),
        (
            "rows-message-recorded",
            MessageRow {
                recorded: true,
                ..row(MessageState::Seen, false)
            }
            .encode()
            .unwrap(),
        ),
        (
            "rows-message-unsent",
            row(MessageState::Unsent, false).encode().unwrap(),
        ),
        (
            "rows-message-sealed",
            row(MessageState::Unsent, true).encode().unwrap(),
        ),
        ("rows-message-stranger", stranger.encode().unwrap()),
        (
            "rows-message-arrived",
            row(MessageState::Arrived, false).encode().unwrap(),
        ),
        ("rows-feeds-good", cursor.encode()),
    ]
}

pub(super) const CHANGED: [Changed; 16] = [
    ("message-plain-wrong-answer", "message-plain-witness", 3, 1),
    ("message-plain-wrong-version", "message-plain-request", 0, 2),
    ("message-plain-wrong-kind", "message-plain-denied", 2, 6),
    ("message-plain-wrong-flag", "message-plain-request", 3, 14),
    ("message-plain-wrong-limits", "message-plain-denied", 3, 3),
    (
        "message-plain-wrong-nanos",
        "message-plain-request",
        31,
        0x40,
    ),
    (
        "message-plain-wrong-no-right",
        "message-plain-request",
        32,
        0,
    ),
    ("message-plain-wrong-right", "message-plain-request", 32, 9),
    (
        "message-plain-wrong-control",
        "message-plain-request",
        53,
        7,
    ),
    ("message-plain-wrong-end", "message-plain-request", 48, 0x80),
    ("rows-message-wrong-state", "rows-message-received", 1, 8),
    ("rows-message-wrong-sealed", "rows-message-sealed", 1, 2),
    ("rows-message-wrong-placeless", "rows-message-unsent", 1, 6),
    ("rows-message-wrong-flag", "rows-message-received", 0, 17),
    ("rows-message-wrong-card", "rows-message-stranger", 1, 6),
    ("message-plain-wrong-arrived", "message-plain-arrived", 3, 0),
];

pub(super) const CUT: [Cut; 4] = [
    (
        "message-plain-wrong-longer",
        "message-plain-grant",
        92,
        b"\0",
    ),
    (
        "message-plain-wrong-shorter",
        "message-plain-grant",
        91,
        b"",
    ),
    (
        "message-plain-wrong-empty",
        "message-plain-request",
        49,
        b"\0\0\0\0\x01\0\0\0y",
    ),
    ("rows-feeds-wrong-longer", "rows-feeds-good", 32, b"\0"),
];

pub(super) fn written_again(kind: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    match kind {
        "message-plain" => Message::decode(bytes).ok()?.encode().ok(),
        "rows-message" => MessageRow::decode(bytes).ok()?.encode().ok(),
        "rows-feeds" => Some(FeedCursor::decode(bytes).ok()?.encode()),
        _ => None,
    }
}

/// From the person of the golden card, whose Ed25519 seed is 32 times 01, to the person of the phrase of 32 bytes 01.
#[test]
fn a_message_in_swarm_is_frozen() {
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
    let (sign, xwing) = (Secret::from_bytes(&[1; 32]), people[1].kem_xwing(0));
    let agreed = |own: usize, other: usize| {
        let theirs = people[other].kem_x25519(0).public_key();
        PairSecret::agree(
            &people[own].kem_x25519(0),
            &theirs,
            [&prints[own], &prints[other]],
        )
    };
    let direction = Direction::of(&prints[0], &prints[1]);
    let (pair, there) = (agreed(0, 1).unwrap(), agreed(1, 0).unwrap());
    let signer = pair.signer(direction, 2967);
    let topic = pair.topic(direction, 2967);
    assert_eq!(topic, there.topic(direction, 2967));
    let place = MessagePlace {
        owner: signer.owner(),
        topic,
        index: 3,
    };
    let key = xwing_public_key(&xwing);
    let body = request().padded().unwrap();
    let seed = Secret::from_bytes(&[5; 32]);
    let sealed = seal_message(&body, &place, between, (&sign, &key), seed).unwrap();
    let chunk = signer.chunk(&topic, 3, sealed.as_slice()).unwrap();
    let file = Path::new(FOLDER).join("message-chunk-good.bin");
    if std::env::var_os("PODFS_WRITE_GOLDEN").is_some() {
        fs::write(&file, chunk.bytes()).unwrap();
    }
    assert!(
        fs::read(&file).unwrap() == chunk.bytes(),
        "it is sealed another way now"
    );
    let signer = sign_public_key(&sign);
    let opened = open_message(chunk.payload(), &place, between, &signer, &xwing).unwrap();
    assert!(Message::decode_padded(&opened) == Ok(request()));
}
