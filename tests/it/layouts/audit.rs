//! The audit log: events, records, checkpoints, and what others say of these.

use podfs::crypto::Secret;
use podfs::format::audit::{
    Checkpoint, Event, Kind, Outcome, Record, SignedCheckpoint, Witness, records,
};
use podfs::share::audit::{Circumstances, Happening, Tail};
use podfs::types::Timespec;

use crate::layouts::Named;
use crate::layouts::wrong::{Changed, Cut};

fn seed(byte: u8) -> Secret<32> {
    Secret::from_bytes(&[byte; 32])
}

const TIME: Timespec = Timespec {
    secs: 1_795_000_000,
    nanos: 5,
};

fn full() -> Event {
    Event {
        number: 3,
        kind: Kind::RequestApproved,
        outcome: Outcome::Refused,
        time: TIME,
        device: 1,
        object: b"Labs/2026 \xff.pdf".to_vec(),
        who: Some([7; 32]),
        name: "Dr. Müller".to_owned(),
        grant: Some([8; 16]),
        text: "second opinion".to_owned(),
        until: Some(1_796_000_000),
    }
}

/// The first record of a log, which names its key.
fn first() -> (Vec<u8>, SignedCheckpoint) {
    let mut tail = Tail::new([9; 32]);
    let said = Circumstances {
        time: TIME,
        device: 0,
        salt: [5; 16],
    };
    let happening = Happening::new(Kind::ContactAdded).with([7; 32], "Dr. Müller");
    let record = tail.append(&happening, &said, &seed(1)).unwrap();
    (record, *tail.newest().unwrap())
}

pub(super) fn good() -> Named {
    let empty = Event {
        number: 0,
        kind: Kind::Exported,
        outcome: Outcome::Done,
        device: 0,
        object: Vec::new(),
        who: None,
        name: String::new(),
        grant: None,
        text: String::new(),
        until: None,
        ..full()
    };
    let (record, signed) = first();
    let mut erased = records(&record).next().unwrap().unwrap();
    erased.erase();
    let second = Checkpoint {
        size: 2,
        previous: signed.checkpoint.hash(),
        root: [3; 32],
        ..signed.checkpoint
    };
    vec![
        ("audit-event-full", full().encode().unwrap()),
        ("audit-event-empty", empty.encode().unwrap()),
        ("audit-record-full", record),
        ("audit-record-erased", erased.encode()),
        ("audit-checkpoint-first", signed.encode()),
        ("audit-checkpoint-second", second.sign(&seed(1)).encode()),
        (
            "audit-witness-good",
            Witness::sign(signed, [7; 32], &seed(2)).encode(),
        ),
    ]
}

pub(super) const CHANGED: [Changed; 10] = [
    ("audit-event-wrong-version", "audit-event-full", 0, 2),
    ("audit-event-wrong-nanos", "audit-event-full", 20, 0x40),
    ("audit-event-wrong-kind", "audit-event-full", 21, 0),
    ("audit-event-wrong-outcome", "audit-event-full", 22, 3),
    ("audit-event-wrong-fields", "audit-event-full", 23, 8),
    ("audit-event-wrong-control", "audit-event-full", 120, 0x1b),
    ("audit-record-wrong-flags", "audit-record-full", 4, 4),
    ("audit-record-wrong-nanos", "audit-record-erased", 144, 0x40),
    (
        "audit-checkpoint-wrong-version",
        "audit-checkpoint-first",
        0,
        2,
    ),
    (
        "audit-checkpoint-wrong-first",
        "audit-checkpoint-second",
        33,
        1,
    ),
];

pub(super) const CUT: [Cut; 3] = [
    ("audit-event-wrong-longer", "audit-event-empty", 32, b"\0"),
    ("audit-record-wrong-shorter", "audit-record-full", 100, b""),
    (
        "audit-witness-wrong-longer",
        "audit-witness-good",
        341,
        b"\0",
    ),
];

pub(super) fn written_again(kind: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match kind {
        "audit-event" => Event::decode(bytes).ok()?.encode().ok()?,
        "audit-record" => {
            let all: Result<Vec<Record>, _> = records(bytes).collect();
            all.ok()?.iter().flat_map(Record::encode).collect()
        }
        "audit-checkpoint" => SignedCheckpoint::decode(bytes).ok()?.encode(),
        "audit-witness" => Witness::decode(bytes).ok()?.encode(),
        _ => return None,
    })
}
