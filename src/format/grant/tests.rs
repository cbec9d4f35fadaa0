use crate::crypto::Secret;
use crate::crypto::identity::Fingerprint;
use crate::crypto::keys::{CapKey, GrantFeed, Topic};
use crate::crypto::publish::Reference;
use crate::crypto::scalar::Owner;
use crate::format::grant::{Ended, Grant, GrantRecord, RecordState, Terms};
use crate::format::published::{Attributes, Entry};
use crate::format::rows::{
    Attached, Epochs, FileKind, Given, GivenState, LastRecord, Received, ReceivedState, SeenRecord,
};
use crate::types::limits::{GRANT_MAX, PURPOSE_MAX};
use crate::types::{ContactName, Ino, Name, Purpose, Rights, Timespec};

const THEN: Timespec = Timespec {
    secs: 1_795_000_000,
    nanos: 7,
};

fn terms() -> Terms {
    Terms {
        name: Name::parse(b"results").unwrap(),
        kind: FileKind::Directory,
        rights: Rights::APPEND,
        snapshot: false,
        from: None,
        until: Some(1_800_000_000),
        purpose: Purpose::parse("Überweisung").unwrap(),
    }
}

/// As long as any.
fn long() -> Terms {
    Terms {
        name: Name::parse(&[0xff; 255]).unwrap(),
        from: Some(-1),
        snapshot: true,
        purpose: Purpose::parse(&"p".repeat(PURPOSE_MAX)).unwrap(),
        ..terms()
    }
}

fn cap() -> (GrantFeed, CapKey) {
    let feed = GrantFeed {
        owner: Owner([1; 20]),
        topic: Topic([2; 32]),
    };
    (feed, CapKey::restore(Secret::from_bytes(&[3; 32])))
}

fn entry() -> Entry {
    let attributes = Attributes {
        mode: 0o040_750,
        ino: Ino::new(1, 9),
        uid: None,
        gid: Some(5),
        nlink: 3,
        rdev: 0,
        size: 4,
        mtime: THEN,
        ctime: THEN,
        btime: THEN,
        atime: THEN,
        xattrs: false,
        target: Box::default(),
        contents: None,
        directory: Reference::from_bytes(&[9; 80]),
        attached: None,
    };
    Entry {
        name: Name::parse(b"results").unwrap(),
        attributes,
    }
}

fn record(state: RecordState) -> GrantRecord {
    GrantRecord {
        grant: [4; 16],
        index: 7,
        previous: [5; 32],
        time: THEN,
        until: Some(-3),
        state,
        log: None,
    }
}

fn live(entry: Entry) -> RecordState {
    RecordState::Live(Box::new(entry))
}

fn given(state: GivenState) -> Given {
    Given {
        id: [4; 16],
        contact: Fingerprint([6; 32]),
        contact_name: ContactName::parse("Dr. Müller").unwrap(),
        target: Ino(77),
        directory: Ino(1),
        name: Name::parse(b"lab").unwrap(),
        terms: terms(),
        made: THEN,
        epochs: Epochs { own: 1, theirs: 2 },
        state,
        answers: None,
    }
}

fn received(terms: Terms, state: ReceivedState) -> Received {
    let (feed, cap) = cap();
    Received {
        id: [4; 16],
        contact: Fingerprint([6; 32]),
        label: terms.name.clone(),
        terms,
        feed,
        cap,
        made: THEN,
        epoch: 3,
        state,
    }
}

/// Of every beginning and of anything longer, only the whole is read.
fn only_whole(bytes: &[u8], reads: impl Fn(&[u8]) -> bool) {
    assert!(reads(bytes));
    assert!((0..bytes.len()).all(|len| !reads(&bytes[..len])));
    assert!(!reads(&[bytes, &[0]].concat()));
}

#[test]
fn a_grant_comes_back_and_fits_into_a_message() {
    for terms in [terms(), long()] {
        let (feed, cap) = cap();
        let grant = Grant {
            id: [8; 16],
            terms,
            feed,
            cap,
        };
        let bytes = grant.encode().unwrap();
        assert!(bytes.len() <= GRANT_MAX);
        let again = Grant::decode(&bytes).ok().unwrap();
        assert!(again.terms == grant.terms && again.cap.secret().eq_ct(grant.cap.secret()));
        assert_eq!((again.id, again.feed), (grant.id, grant.feed));
        only_whole(&bytes, |bytes| Grant::decode(bytes).is_ok());
    }
}

#[test]
fn terms_that_contradict_each_other_are_refused() {
    let (feed, cap) = cap();
    let mut grant = Grant {
        id: [8; 16],
        terms: terms(),
        feed,
        cap,
    };
    for (from, until, good) in [(4, 5, true), (5, 5, false), (6, 5, false)] {
        (grant.terms.from, grant.terms.until) = (Some(from), Some(until));
        assert_eq!(grant.encode().is_ok(), good);
    }
    grant.terms = terms();
    grant.terms.kind = FileKind::Symlink;
    assert!(grant.encode().is_err());
}

#[test]
fn a_record_comes_back() {
    let ended = Ended::ALL.map(RecordState::Ended);
    for state in ended.into_iter().chain([live(entry())]) {
        let record = record(state);
        let bytes = record.encode().unwrap();
        assert!(GrantRecord::decode(bytes.expose()).is_ok_and(|again| again == record));
    }
}

#[test]
fn what_is_no_record_is_refused() {
    let good = record(live(entry()));
    let bytes = *good.encode().unwrap().expose();
    // Version, nanoseconds, flags, state, the last zero.
    for at in [0, 1, 69, 70, 71, bytes.len() - 1] {
        let mut wrong = bytes;
        wrong[at] |= 0x80;
        assert!(GrantRecord::decode(&wrong).is_err(), "{at}");
    }
    assert!(GrantRecord::decode(&bytes[1..]).is_err());
    // The first has none before it.
    let mut wrong = bytes;
    wrong[18..26].fill(0);
    assert!(GrantRecord::decode(&wrong).is_err());
    assert!(GrantRecord { index: 0, ..good }.encode().is_err());
}

#[test]
fn nothing_but_files_and_directories_of_the_box_is_shared() {
    let mut attached = entry();
    attached.attributes.attached = Some(Attached {
        number: 3,
        one_scope: false,
    });
    let mut pipe = entry();
    (pipe.attributes.mode, pipe.attributes.size) = (0o010_600, 0);
    pipe.attributes.directory = None;
    for entry in [attached, pipe] {
        let encoded = entry.encode().unwrap();
        assert!(record(live(entry)).encode().is_err());
        // Nor is such an entry read where a good one stood.
        let state = RecordState::Ended(Ended::Gone);
        let mut bytes = *record(state).encode().unwrap().expose();
        bytes[71] = 0;
        bytes[80..80 + encoded.len()].copy_from_slice(&encoded);
        assert!(GrantRecord::decode(&bytes).is_err());
    }
}

#[test]
fn what_a_record_says_changes_with_all_but_its_place_and_time() {
    let said = |until, state: &RecordState| GrantRecord::said(until, state).unwrap();
    let mut hashes = vec![said(None, &live(entry())), said(Some(0), &live(entry()))];
    assert_eq!(hashes[0], said(None, &live(entry())));
    hashes.extend(Ended::ALL.map(|ended| said(None, &RecordState::Ended(ended))));
    let mut changed = [entry(), entry()];
    changed[0].name = Name::parse(b"other").unwrap();
    changed[1].attributes.directory = Reference::from_bytes(&[8; 80]);
    hashes.extend(changed.map(|entry| said(None, &live(entry))));
    let different: std::collections::BTreeSet<_> = hashes.iter().collect();
    assert_eq!(different.len(), hashes.len());
}

#[test]
fn rows_of_grants_given_come_back() {
    let ended = Ended::ALL.map(|why| GivenState::Ended { why, when: THEN });
    let states = [GivenState::Waiting, GivenState::Offered];
    for state in states.into_iter().chain(ended) {
        let row = given(state);
        let bytes = row.encode().unwrap();
        assert!(Given::decode(&bytes).is_ok_and(|again| again == row));
        only_whole(&bytes, |bytes| Given::decode(bytes).is_ok());
    }
}

#[test]
fn rows_of_records_come_back() {
    let payload = Box::new([3; 4096]);
    let last = |pending: Option<Box<[u8; 4096]>>| LastRecord {
        index: 8,
        hash: *blake3::hash(payload.as_slice()).as_bytes(),
        said: [2; 32],
        pending,
    };
    for row in [last(None), last(Some(payload.clone()))] {
        let bytes = row.encode().unwrap();
        assert!(LastRecord::decode(&bytes).is_ok_and(|again| again == row));
        let whole = |bytes: &[u8]| LastRecord::decode(bytes).is_ok_and(|it| it == row);
        only_whole(&bytes, whole);
    }
    assert!(last(Some(Box::new([4; 4096]))).encode().is_err());
    let end = LastRecord {
        index: u64::MAX,
        ..last(None)
    };
    assert!(end.encode().is_err());
    for is_brought in [false, true] {
        let row = SeenRecord {
            index: 8,
            hash: [1; 32],
            time: THEN,
            is_brought,
        };
        let bytes = row.encode().unwrap();
        assert_eq!(SeenRecord::decode(&bytes), Ok(row));
        only_whole(&bytes, |bytes| SeenRecord::decode(bytes).is_ok());
        let index = u64::MAX;
        assert!(SeenRecord { index, ..row }.encode().is_err());
    }
}

#[test]
fn rows_of_grants_received_come_back() {
    let ended = Ended::ALL.map(|why| ReceivedState::Ended { why, when: THEN });
    let states = [ReceivedState::Offered, ReceivedState::Accepted];
    for state in states.into_iter().chain(ended) {
        let row = received(long(), state);
        let bytes = row.encode().unwrap();
        let again = Received::decode(&bytes).ok().unwrap();
        assert_eq!(*again.encode().unwrap(), *bytes);
        assert!(again.cap.secret().eq_ct(row.cap.secret()) && again.terms == row.terms);
        assert_eq!(again.state, state);
        only_whole(&bytes, |bytes| Received::decode(bytes).is_ok());
    }
}
