//! Grants: what is handed over, the records of their feeds, and the rows that keep both.

use podfs::crypto::Phrase;
use podfs::crypto::Secret;
use podfs::crypto::identity::Fingerprint;
use podfs::crypto::keys::{CapKey, GrantSecret, RootKey};
use podfs::crypto::publish::{RecordPlace, Reference, open_record, record_chunk, seal_record};
use podfs::crypto::swarm::SealedChunk;
use podfs::format::audit::Checkpoint;
use podfs::format::base::Base;
use podfs::format::grant::{Ended, Grant, GrantRecord, RecordState, ShownLog, Terms};
use podfs::format::message::MessageId;
use podfs::format::published::{Attributes, Entry};
use podfs::format::rows::{
    Epochs, FileKind, Given, GivenState, LastRecord, Received, ReceivedState, SeenRecord, Taken,
};
use podfs::types::{ContactName, Ino, Name, Purpose, Rights, Timespec};

use crate::layouts::Named;
use crate::layouts::wrong::{Changed, Cut};

pub(super) const ID: [u8; 16] = [0x1d; 16];
pub(super) const MADE: Timespec = time(1_795_000_000, 5);

const fn time(secs: i64, nanos: u32) -> Timespec {
    Timespec { secs, nanos }
}

/// Of the golden pod.
fn secret() -> GrantSecret {
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[0; 32]));
    let root = RootKey::derive(&phrase.seed(), None);
    root.pod(&root.pod_id(0), 0).box_secret(0, 0).grant(&ID)
}

fn cap() -> CapKey {
    secret().cap_key()
}

fn place(index: u64) -> RecordPlace {
    RecordPlace {
        feed: secret().feed(),
        index,
    }
}

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes()).unwrap()
}

fn terms() -> Terms {
    Terms {
        name: name("Laborwerte 2026"),
        kind: FileKind::Directory,
        rights: Rights::APPEND,
        snapshot: false,
        from: None,
        until: Some(1_800_000_000),
        purpose: Purpose::parse("Überweisung vom 3. März").unwrap(),
    }
}

/// All that can be left out is the other way round.
fn other_terms() -> Terms {
    Terms {
        name: name("a"),
        kind: FileKind::Regular,
        rights: Rights::WRITE,
        snapshot: true,
        from: Some(-1),
        until: None,
        purpose: Purpose::default(),
    }
}

fn grant(terms: Terms) -> Vec<u8> {
    let (feed, cap) = (secret().feed(), cap());
    let grant = Grant {
        id: ID,
        terms,
        feed,
        cap,
    };
    grant.encode().unwrap().to_vec()
}

fn reference(number: u8) -> Option<Reference> {
    Reference::from_bytes(&[number; 80])
}

fn directory() -> Entry {
    let attributes = Attributes {
        mode: 0o040_750,
        ino: Ino::new(1, 77),
        uid: None,
        gid: None,
        nlink: 3,
        rdev: 0,
        size: 12,
        mtime: MADE,
        ctime: time(1_795_000_001, 0),
        btime: MADE,
        atime: MADE,
        xattrs: true,
        target: Box::default(),
        contents: reference(1),
        directory: reference(2),
        attached: None,
    };
    Entry {
        name: name("Laborwerte 2026"),
        attributes,
    }
}

fn file() -> Entry {
    let attributes = Attributes {
        mode: 0o100_644,
        ino: Ino(5),
        uid: Some(1000),
        nlink: 1,
        size: 4097,
        xattrs: false,
        directory: None,
        ..directory().attributes
    };
    Entry {
        name: Name::parse(b"\xff").unwrap(),
        attributes,
    }
}

fn record(index: u64, state: RecordState) -> GrantRecord {
    GrantRecord {
        grant: ID,
        index,
        previous: if index == 0 { [0; 32] } else { [0xbe; 32] },
        time: MADE,
        until: (index == 0).then_some(1_800_000_000),
        state,
        log: None,
    }
}

/// Of a log of nine records, shown to somebody who saw five.
pub(super) fn shown(since: Option<(u64, Vec<[u8; 32]>)>) -> GrantRecord {
    let checkpoint = Checkpoint {
        origin: [0xe1; 32],
        size: 9,
        root: [0xe2; 32],
        time: MADE,
        previous: [0xe3; 32],
    };
    let log = ShownLog {
        checkpoint: checkpoint.sign(&Secret::from_bytes(&[1; 32])),
        since,
    };
    GrantRecord {
        log: Some(log),
        ..record(1, RecordState::Live(Box::new(file())))
    }
}

fn first() -> GrantRecord {
    record(0, RecordState::Live(Box::new(directory())))
}

fn plain(record: &GrantRecord) -> Vec<u8> {
    record.encode().unwrap().expose().to_vec()
}

fn chunk(record: &GrantRecord) -> Vec<u8> {
    let index = record.index;
    let payload = seal_record(&cap(), &place(index), &record.encode().unwrap());
    let chunk = record_chunk(&secret(), index, &payload).unwrap();
    chunk.bytes().to_vec()
}

fn given(state: GivenState, answers: Option<MessageId>) -> Vec<u8> {
    let given = Given {
        id: ID,
        contact: Fingerprint([0xf1; 32]),
        contact_name: ContactName::parse("Dr. Müller").unwrap(),
        target: Ino::new(1, 77),
        directory: Ino(1),
        name: name("Labor"),
        terms: terms(),
        made: MADE,
        epochs: Epochs { own: 1, theirs: 2 },
        state,
        answers,
    };
    given.encode().unwrap()
}

fn last(pending: bool) -> Vec<u8> {
    let payload = seal_record(&cap(), &place(0), &first().encode().unwrap());
    let last = LastRecord {
        index: 0,
        hash: *blake3::hash(payload.as_slice()).as_bytes(),
        said: GrantRecord::said(first().until, &first().state).unwrap(),
        pending: pending.then_some(payload),
    };
    last.encode().unwrap()
}

fn received(terms: Terms, state: ReceivedState) -> Vec<u8> {
    let (feed, cap) = (secret().feed(), cap());
    let received = Received {
        id: ID,
        contact: Fingerprint([0xf2; 32]),
        terms,
        feed,
        cap,
        made: MADE,
        epoch: 3,
        state,
        label: name("Laborwerte 2026 (2)"),
    };
    received.encode().unwrap().to_vec()
}

fn taken(is_taken: bool) -> Vec<u8> {
    let made = Some((Ino(9), MADE));
    Taken { is_taken, made }.encode().unwrap()
}

pub(super) fn good() -> Named {
    let seen = SeenRecord {
        index: 8,
        hash: [0xbe; 32],
        time: MADE,
        is_brought: true,
    };
    let when = time(1_800_000_000, 9);
    let over = GivenState::Ended {
        why: Ended::Expired,
        when,
    };
    let lost = ReceivedState::Ended {
        why: Ended::Gone,
        when,
    };
    let revoked = record(2, RecordState::Ended(Ended::Revoked));
    let of_file = record(1, RecordState::Live(Box::new(file())));
    vec![
        ("grant-body-good", grant(terms())),
        ("grant-body-other", grant(other_terms())),
        ("grant-record-directory", plain(&first())),
        ("grant-record-file", plain(&of_file)),
        ("grant-record-ended", plain(&revoked)),
        ("grant-record-log", plain(&shown(None))),
        (
            "grant-record-log-since",
            plain(&shown(Some((5, vec![[0xe4; 32], [0xe5; 32]])))),
        ),
        ("grant-chunk-good", chunk(&first())),
        (
            "grant-base-file",
            Base::of_file(reference(7).as_ref()).encode(),
        ),
        ("grant-base-empty", Base::of_file(None).encode()),
        ("grant-base-link", Base::of_link(b"../scan").encode()),
        ("rows-given-waiting", given(GivenState::Waiting, None)),
        (
            "rows-given-answering",
            given(GivenState::Waiting, Some(MessageId([0xa5; 16]))),
        ),
        ("rows-given-offered", given(GivenState::Offered, None)),
        ("rows-given-ended", given(over, None)),
        (
            "rows-received-offered",
            received(other_terms(), ReceivedState::Offered),
        ),
        (
            "rows-received-accepted",
            received(terms(), ReceivedState::Accepted),
        ),
        ("rows-received-ended", received(terms(), lost)),
        ("rows-last-record-pending", last(true)),
        ("rows-last-record-sent", last(false)),
        ("rows-seen-record-good", seen.encode().unwrap()),
        ("rows-taken-plain", Taken::PLAIN.encode().unwrap()),
        ("rows-taken-made", taken(true)),
        ("rows-taken-new", taken(false)),
    ]
}

pub(super) const CHANGED: [Changed; 29] = [
    ("grant-record-wrong-log", "grant-record-file", 70, 2),
    ("grant-body-wrong-version", "grant-body-good", 0, 2),
    ("grant-body-wrong-rights", "grant-body-good", 102, 2),
    ("grant-body-wrong-kind", "grant-body-good", 103, 2),
    ("grant-body-wrong-flags", "grant-body-good", 104, 12),
    ("grant-body-wrong-name", "grant-body-good", 114, b'/'),
    ("grant-body-wrong-purpose", "grant-body-good", 131, b'\n'),
    ("grant-record-wrong-version", "grant-record-file", 0, 2),
    ("grant-record-wrong-first", "grant-record-file", 18, 0),
    ("grant-record-wrong-before", "grant-record-directory", 26, 1),
    ("grant-record-wrong-nanos", "grant-record-file", 69, 0x40),
    ("grant-record-wrong-flags", "grant-record-file", 70, 4),
    ("grant-record-wrong-state", "grant-record-ended", 71, 4),
    ("grant-record-wrong-live", "grant-record-ended", 71, 0),
    ("grant-record-wrong-behind", "grant-record-ended", 4035, 1),
    ("grant-record-wrong-pipe", "grant-record-file", 77, 0x10),
    ("grant-chunk-wrong-id", "grant-chunk-good", 0, 0),
    ("grant-chunk-wrong-signature", "grant-chunk-good", 40, 0),
    ("grant-chunk-wrong-nonce", "grant-chunk-good", 105, 0),
    ("rows-given-wrong-state", "rows-given-waiting", 156, 3),
    (
        "rows-last-record-wrong-payload",
        "rows-last-record-pending",
        300,
        0,
    ),
    ("rows-given-wrong-why", "rows-given-ended", 157, 0),
    ("rows-given-wrong-contact", "rows-given-waiting", 71, b'/'),
    ("rows-received-wrong-state", "rows-received-offered", 183, 3),
    (
        "rows-seen-record-wrong-brought",
        "rows-seen-record-good",
        52,
        2,
    ),
    ("grant-base-wrong-version", "grant-base-file", 0, 2),
    ("grant-base-wrong-kind", "grant-base-link", 1, 3),
    ("rows-taken-wrong-taken", "rows-taken-made", 0, 2),
    ("rows-taken-wrong-nanos", "rows-taken-made", 20, 0x40),
];

pub(super) const CUT: [Cut; 9] = [
    ("grant-body-wrong-longer", "grant-body-other", 117, b"\0"),
    (
        "grant-record-wrong-shorter",
        "grant-record-ended",
        4035,
        b"",
    ),
    (
        "grant-record-wrong-longer",
        "grant-record-ended",
        4036,
        b"\0",
    ),
    ("rows-given-wrong-longer", "rows-given-waiting", 157, b"\0"),
    (
        "rows-received-wrong-longer",
        "rows-received-offered",
        184,
        b"\0",
    ),
    ("grant-base-wrong-shorter", "grant-base-file", 33, b""),
    ("grant-base-wrong-longer", "grant-base-file", 34, b"\0"),
    ("rows-taken-wrong-shorter", "rows-taken-made", 20, b""),
    (
        "rows-taken-wrong-file",
        "rows-taken-new",
        7,
        b"\xff\xff\x01\0\0\0\0\0\0\0\x05\0\0\0",
    ),
];

pub(super) fn written_again(kind: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match kind {
        "grant-body" => Grant::decode(bytes).ok()?.encode().unwrap().to_vec(),
        "grant-record" => plain(&GrantRecord::decode(bytes).ok()?),
        "grant-chunk" => {
            let place = place(0);
            let found = SealedChunk::verified(&place.address(), bytes).ok()?;
            let opened = open_record(&cap(), &place, found.payload()).ok()?;
            chunk(&GrantRecord::decode(opened.expose()).ok()?)
        }
        "grant-base" => Base::decode(bytes).ok()?.encode(),
        "rows-taken" => Taken::decode(bytes).ok()?.encode().unwrap(),
        "rows-given" => Given::decode(bytes).ok()?.encode().unwrap(),
        "rows-received" => Received::decode(bytes).ok()?.encode().unwrap().to_vec(),
        "rows-last-record" => LastRecord::decode(bytes).ok()?.encode().unwrap(),
        "rows-seen-record" => SeenRecord::decode(bytes).ok()?.encode().unwrap(),
        _ => return None,
    })
}
