use proptest::prelude::*;

use super::*;
use crate::crypto::Secret;
use crate::format::audit::{
    Content, Event, Kind, Outcome, Record, SignedCheckpoint, Witness, records,
};
use crate::types::Timespec;
use crate::types::limits::{AUDIT_NAME_MAX, AUDIT_OBJECT_MAX, AUDIT_TEXT_MAX};

const ORIGIN: [u8; 32] = [9; 32];

fn seed(byte: u8) -> Secret<32> {
    Secret::from_bytes(&[byte; 32])
}

fn said(number: u8) -> Circumstances {
    Circumstances {
        time: Timespec {
            secs: 1_795_000_000 + i64::from(number),
            nanos: 0,
        },
        device: 0,
        salt: [number; 16],
    }
}

/// Records about so many contacts, signed with the keys of these seeds in turn, and the checkpoints behind them.
fn log(names: &[&str], seeds: &[u8]) -> (Vec<Record>, Vec<SignedCheckpoint>) {
    let mut tail = Tail::new(ORIGIN);
    let (mut all, mut checkpoints) = (Vec::new(), Vec::new());
    for (at, (name, key)) in names.iter().zip(seeds).enumerate() {
        let number = u8::try_from(at).unwrap();
        let happening = Happening::new(Kind::ContactAdded).with([number; 32], name);
        let bytes = tail.append(&happening, &said(number), &seed(*key)).unwrap();
        all.push(records(&bytes).next().unwrap().unwrap());
        checkpoints.push(*tail.newest().unwrap());
    }
    (all, checkpoints)
}

fn evidence(held: Vec<Held>) -> Evidence {
    Evidence {
        origin: ORIGIN,
        key: None,
        held,
    }
}

fn fault(log: &[Record], held: Vec<Held>) -> Option<(Option<u64>, &'static str)> {
    let verdict = verify(log.iter().cloned().map(Ok), &evidence(held));
    verdict
        .fault
        .map(|fault| (fault.record, fault.wrong.name()))
}

fn witness(seen: SignedCheckpoint) -> Held {
    Held::witnessed(
        Holder::Person("Ben".to_owned()),
        &Witness::sign(seen, [7; 32], &seed(9)),
    )
}

const NAMES: [&str; 20] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t",
];
/// A machine that was lost after seven records.
const SEEDS: [u8; 20] = [1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2];

#[test]
fn a_log_as_it_was_made_is_good() {
    let (log, checkpoints) = log(&NAMES, &SEEDS);
    let held: Vec<Held> = checkpoints.iter().map(|seen| witness(*seen)).collect();
    let verdict = verify(log.iter().cloned().map(Ok), &evidence(held));
    assert_eq!((verdict.fault, verdict.records), (None, 20));
    assert_eq!(verdict.agreed.len(), 20);
    let from: Vec<u64> = verdict.keys.iter().map(|(from, _)| *from).collect();
    assert_eq!(from, [0, 7]);
    assert_eq!(verdict.root, checkpoints[19].checkpoint.root);
    let bytes: Vec<u8> = log.iter().flat_map(Record::encode).collect();
    let tail = Tail::of(ORIGIN, &bytes).unwrap();
    assert_eq!((tail.size(), tail.newest()), (20, Some(&checkpoints[19])));
    assert_eq!(fault(&[], Vec::new()), None);
}

#[test]
fn one_record_that_is_not_what_it_was_is_named() {
    let (good, checkpoints) = log(&NAMES, &SEEDS);
    let held = || vec![witness(checkpoints[19])];
    for at in 0..20 {
        let number = at as u64;
        let mut log = good.clone();
        let Content::Full { event, .. } = &mut log[at].content else {
            panic!("nothing was deleted");
        };
        *event.last_mut().unwrap() ^= 1;
        assert_eq!(fault(&log, held()), Some((Some(number), "changed")));
        let mut log = good.clone();
        log.remove(at);
        let what = if at == 19 { "missing" } else { "moved" };
        assert_eq!(fault(&log, held()), Some((Some(number), what)));
        for other in at + 1..20 {
            let mut log = good.clone();
            log.swap(at, other);
            assert_eq!(fault(&log, held()), Some((Some(number), "moved")));
        }
        let mut log = good.clone();
        log.insert(at, good[at].clone());
        let next = (Some(number + 1), "moved");
        assert_eq!(fault(&log, held()), Some(next));
        let log = &good[..at];
        assert_eq!(fault(log, held()), Some((Some(number), "missing")));
    }
}

/// Whoever has the keys signs all of it anew: only what somebody else holds tells.
#[test]
fn what_was_written_anew_is_bounded_by_checkpoints_that_others_hold() {
    let (_, checkpoints) = log(&NAMES, &SEEDS);
    for at in 0..20 {
        let mut names = NAMES;
        names[at] = "x";
        let (anew, _) = log(&names, &SEEDS);
        assert_eq!(fault(&anew, Vec::new()), None);
        for size in 1..=20 {
            let held = vec![witness(checkpoints[size - 1])];
            let expected = (at < size).then_some((Some(0), "rewritten"));
            assert_eq!(fault(&anew, held), expected, "{at} {size}");
        }
        // Each record was seen by somebody: then it is named.
        let held = checkpoints.iter().map(|seen| witness(*seen)).collect();
        assert_eq!(fault(&anew, held), Some((Some(at as u64), "rewritten")));
    }
}

#[test]
fn a_checkpoint_that_is_not_of_this_log_is_told() {
    let (log, checkpoints) = log(&NAMES, &SEEDS);
    let mut other = checkpoints[3].checkpoint;
    other.origin = [8; 32];
    let unsigned = SignedCheckpoint {
        signature: [1; 64],
        ..checkpoints[3]
    };
    let mut not_theirs = Witness::sign(checkpoints[3], [7; 32], &seed(9));
    not_theirs.key = [3; 32];
    for held in [
        witness(other.sign(&seed(1))),
        Held::own(Holder::Head, unsigned),
        Held::witnessed(Holder::Person("Ben".to_owned()), &not_theirs),
    ] {
        assert_eq!(fault(&log, vec![held]), Some((None, "unsigned")));
    }
    let expected = Evidence {
        key: Some(checkpoints[0].key),
        ..evidence(Vec::new())
    };
    let verdict = verify(log.iter().cloned().map(Ok), &expected);
    let fault = verdict.fault.unwrap();
    assert_eq!((fault.record, fault.wrong), (Some(7), Wrong::Stranger));
}

#[test]
fn a_deleted_event_leaves_a_log_that_is_good() {
    let (mut log, checkpoints) = log(&NAMES, &SEEDS);
    for at in [0, 7, 19] {
        log[at].erase();
        let before = log[at].clone();
        log[at].erase();
        assert_eq!(log[at], before);
        assert_eq!((log[at].event(), log[at].number()), (None, None));
    }
    let bytes: Vec<u8> = log.iter().flat_map(Record::encode).collect();
    assert!(!bytes.windows(4).any(|it| it == [0, 1, b'h', 0]));
    let read: Vec<Record> = records(&bytes).collect::<Result<_, _>>().unwrap();
    assert_eq!(read, log);
    assert_eq!(fault(&log, vec![witness(checkpoints[19])]), None);
    log.remove(7);
    assert_eq!(fault(&log, Vec::new()), Some((Some(7), "moved")));
}

#[test]
fn what_others_spelt_is_recorded_whatever_it_is() {
    let long = "ä\u{1b}[2J".repeat(200);
    let happening = Happening::new(Kind::RequestReceived)
        .with([1; 32], &long)
        .of(&[b'x'; AUDIT_OBJECT_MAX + 1])
        .because(&long)
        .under([2; 16])
        .until(7)
        .went(Outcome::Refused);
    let bytes = Tail::new(ORIGIN)
        .append(&happening, &said(0), &seed(1))
        .unwrap();
    let event = records(&bytes).next().unwrap().unwrap().event().unwrap();
    assert_eq!(event.object.len(), AUDIT_OBJECT_MAX);
    assert!((AUDIT_NAME_MAX - 3..=AUDIT_NAME_MAX).contains(&event.name.len()));
    assert!((AUDIT_TEXT_MAX - 3..=AUDIT_TEXT_MAX).contains(&event.text.len()));
    assert!(!event.text.chars().any(char::is_control));
}

/// What a later podfs writes is not known here, but is as good as any other record.
#[test]
fn an_event_of_a_later_podfs_is_verified_all_the_same() {
    let mut tail = Tail::new(ORIGIN);
    let first = Happening::new(Kind::Exported);
    let mut bytes = tail.append(&first, &said(0), &seed(1)).unwrap();
    let mut record = records(&bytes).next().unwrap().unwrap();
    let Content::Full { event, .. } = &mut record.content else {
        panic!("nothing was deleted");
    };
    event[0] = 2;
    event.extend_from_slice(b"something new");
    let mut later = Tail::new(ORIGIN);
    let unsigned = later.follow(&record).unwrap();
    record.signature = unsigned.checkpoint.sign(&seed(1)).signature;
    assert_eq!(fault(&[record.clone()], Vec::new()), None);
    let line = Line::of(0, &record);
    assert_eq!((&line.kind, line.time), (&None, said(0).time.secs));
    assert_eq!(line.record(0), Ok(record));
    bytes.pop();
    assert!(Tail::of(ORIGIN, &bytes).is_err());
}

#[test]
fn words_that_are_not_those_of_the_record_are_refused() {
    let (log, _) = log(&NAMES, &SEEDS);
    let line = Line::of(7, &log[7]);
    assert_eq!(line.record(7), Ok(log[7].clone()));
    let mut wrong = line.clone();
    wrong.name = Some("somebody else".to_owned());
    assert!(wrong.record(7).is_err());
    let mut wrong = line.clone();
    wrong.signature = wrong.signature.to_uppercase();
    assert!(wrong.record(7).is_err());
    let mut wrong = line;
    wrong.commitment.clone_from(&wrong.key);
    assert!(wrong.record(7).is_err());
    assert_eq!(object_text(b"a/\xff\"b\\\n"), "a/\\xff\\\"b\\\\\\n");
    assert_eq!(object_text("ä\n".as_bytes()), "ä\n");
}

fn any_event() -> impl Strategy<Value = Event> {
    let text = "[^\\pC]{0,20}";
    let bits = (any::<[u8; 32]>(), any::<[u8; 16]>(), any::<i64>(), 0..8_u8);
    let object = proptest::collection::vec(any::<u8>(), 0..40);
    let time = (any::<i64>(), 0..1_000_000_000_u32, any::<(u64, u16)>());
    (
        object,
        text,
        text,
        bits,
        time,
        0..Kind::ALL.len(),
        0..3_usize,
    )
        .prop_map(
            |(object, name, text, (who, grant, until, has), time, kind, outcome)| Event {
                number: time.2.0,
                kind: Kind::ALL[kind],
                outcome: Outcome::ALL[outcome],
                time: Timespec {
                    secs: time.0,
                    nanos: time.1,
                },
                device: time.2.1,
                object,
                who: (has & 1 != 0).then_some(who),
                name: name.chars().take(16).collect(),
                grant: (has & 2 != 0).then_some(grant),
                text,
                until: (has & 4 != 0).then_some(until),
            },
        )
}

proptest! {
    #[test]
    fn events_come_back(event in any_event()) {
        let bytes = event.encode().unwrap();
        let read = Event::decode(&bytes);
        prop_assert_eq!(read.as_ref(), Ok(&event));
        for end in 0..bytes.len() {
            prop_assert!(Event::decode(&bytes[..end]).is_err());
        }
        let record = Record {
            key: event.who,
            signature: [3; 64],
            content: Content::Full { salt: [4; 16], event: bytes },
        };
        let line = Line::of(event.number, &record);
        let text = serde_json::to_string(&line).unwrap();
        let read: Line = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read.record(event.number), Ok(record));
    }

    #[test]
    fn any_bytes_are_a_log_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let all: Vec<_> = records(&bytes).collect();
        let good: Vec<u8> = all.iter().flatten().flat_map(Record::encode).collect();
        prop_assert!(bytes.starts_with(&good));
        prop_assert!(all.iter().rev().skip(1).all(Result::is_ok));
    }

    /// Of a log in a file of the pod, any bit.
    #[test]
    fn any_bit_that_is_another_is_noticed(at: proptest::sample::Index, bit in 0..8_u8) {
        let (log, checkpoints) = log(&NAMES[..9], &SEEDS);
        let mut bytes: Vec<u8> = log.iter().flat_map(Record::encode).collect();
        let ends = log.iter().scan(0, |end, record| {
            *end += record.encode().len();
            Some(*end)
        });
        let at = at.index(bytes.len());
        let number = ends.filter(|end| *end <= at).count() as u64;
        bytes[at] ^= 1 << bit;
        let verdict = verify(read(&bytes), &evidence(vec![witness(checkpoints[8])]));
        prop_assert_eq!(verdict.fault.map(|fault| fault.record), Some(Some(number)));
    }
}
