use std::sync::Arc;

use super::rows_tests::{Files, people_rows_over};
use super::{Arrival, GivenGrants, GrantKeys, ReceivedGrants, ShareError, Told};
use crate::crypto::Secret;
use crate::crypto::identity::Fingerprint;
use crate::crypto::keys::{CapKey, GrantFeed, PodSecret, Topic};
use crate::crypto::scalar::Owner;
use crate::format::grant::{Ended, Grant, Terms};
use crate::format::rows::{Epochs, FileKind, Given, GivenState, Key};
use crate::index::Rows;
use crate::types::limits::GRANTS_MAX;
use crate::types::{ContactName, Ino, Name, Purpose, ROOT, Rights, Timespec};

const BEN: Fingerprint = Fingerprint([2; 32]);
const EVE: Fingerprint = Fingerprint([5; 32]);

const fn at(secs: i64) -> Timespec {
    Timespec { secs, nanos: 0 }
}

fn terms(until: Option<i64>) -> Terms {
    Terms {
        name: Name::parse(b"notes.txt").unwrap(),
        kind: FileKind::Regular,
        rights: Rights::READ,
        snapshot: false,
        from: None,
        until,
        purpose: Purpose::default(),
    }
}

fn grant(id: [u8; 16]) -> Grant {
    Grant {
        id,
        terms: terms(None),
        feed: GrantFeed {
            owner: Owner([1; 20]),
            topic: Topic([2; 32]),
        },
        cap: CapKey::restore(Secret::from_bytes(&[3; 32])),
    }
}

fn given(id: [u8; 16]) -> Given {
    Given {
        id,
        contact: BEN,
        contact_name: ContactName::parse("Ben").unwrap(),
        target: Ino(5),
        directory: ROOT,
        name: Name::parse(b"notes.txt").unwrap(),
        terms: terms(None),
        made: at(1),
        epochs: Epochs::default(),
        state: GivenState::Waiting,
        answers: None,
    }
}

/// Keys of the owner in an epoch.
fn keys(epoch: u8) -> GrantKeys {
    let secret = |epoch: u8| {
        let secret = Secret::from_bytes(&[epoch + 1; 32]);
        PodSecret::restore(secret).box_secret(0, 0)
    };
    GrantKeys {
        epoch: epoch.into(),
        secret: secret(epoch),
        before: epoch.checked_sub(1).map(secret),
    }
}

fn received(files: &Arc<Files>) -> ReceivedGrants {
    let rows = Arc::new(Rows::memory());
    ReceivedGrants::new(Arc::new(people_rows_over(&rows, files)), rows)
}

#[test]
fn a_grant_in_the_place_of_another_is_not_taken_for_it() {
    let received = received(&Files::new());
    let (id, mut near) = ([7; 16], [7; 16]);
    near[15] = 8;
    let arrives = |from, id| received.arrives(from, grant(id), (0, at(1))).unwrap();
    assert_eq!(arrives(EVE, near), Arrival::New);
    assert_eq!(arrives(BEN, id), Arrival::Anothers);
    assert_eq!(arrives(BEN, near), Arrival::Anothers);
    assert_eq!(arrives(EVE, near), Arrival::Known);
    assert!(received.find(&id).unwrap().is_none());
    let label = Name::parse(b"notes.txt").unwrap();
    let accepted = received.accept(&id, &label);
    assert!(matches!(accepted, Err(ShareError::NoGrant(_))));
    assert!(received.find(&near).unwrap().unwrap().contact == EVE);
}

fn numbered(number: usize) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    id
}

#[test]
fn what_is_over_makes_room_for_what_comes() {
    let received = received(&Files::new());
    for number in 0..GRANTS_MAX {
        let arrival = received.arrives(EVE, grant(numbered(number)), (0, at(1)));
        assert_eq!(arrival.unwrap(), Arrival::New);
    }
    let more = |number| received.arrives(EVE, grant(numbered(number)), (0, at(1)));
    let refused = more(GRANTS_MAX);
    assert!(matches!(refused, Err(ShareError::TooManyGrants)));
    let of_ben = received.arrives(BEN, grant([0xbe; 16]), (0, at(1)));
    assert_eq!(of_ben.unwrap(), Arrival::New);
    received.end(&numbered(3), Ended::Expired, at(2)).unwrap();
    assert_eq!(more(GRANTS_MAX).unwrap(), Arrival::New);
    assert!(more(GRANTS_MAX + 1).is_err());
}

#[test]
fn what_is_over_makes_room_for_what_is_given() {
    let rows = Arc::new(Rows::memory());
    let people = Arc::new(people_rows_over(&rows, &Files::new()));
    let grants = GivenGrants::new(people, rows, keys(0));
    for number in 0..GRANTS_MAX {
        grants.give(&given(numbered(number))).unwrap();
    }
    let more = given(numbered(GRANTS_MAX));
    let refused = grants.give(&more);
    assert!(matches!(refused, Err(ShareError::TooManyGrants)));
    let over = given(numbered(3));
    grants.end(&over, Ended::Revoked, at(2)).unwrap();
    grants.give(&more).unwrap();
}

/// What is refused is not done, and what is done is not refused.
#[test]
fn what_cannot_be_carried_to_other_machines_is_done_all_the_same() {
    let files = Files::new();
    let rows = Arc::new(Rows::memory());
    let people = Arc::new(people_rows_over(&rows, &files));
    let grants = GivenGrants::new(Arc::clone(&people), rows, keys(0));
    let given = given([7; 16]);
    files.refuse(true);
    grants.give(&given).unwrap();
    assert!(people.trouble(&Key::given(&given.id)).is_some());
    assert_eq!(
        grants.end(&given, Ended::Revoked, at(2)).unwrap(),
        Told::Already
    );
    let now = grants.find(&given.id).unwrap().unwrap();
    assert!(matches!(now.state, GivenState::Ended { .. }));
    let received = ReceivedGrants::new(Arc::clone(&people), Arc::new(Rows::memory()));
    let arrival = received.arrives(EVE, grant([9; 16]), (0, at(1)));
    assert_eq!(arrival.unwrap(), Arrival::New);
    files.refuse(false);
    people.carry().unwrap();
    assert_eq!(files.all().len(), 2);
}
