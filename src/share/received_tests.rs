use std::sync::Arc;

use crate::crypto::Secret;
use crate::crypto::identity::Fingerprint;
use crate::crypto::keys::{GrantSecret, PodSecret};
use crate::crypto::publish::{RecordPlace, record_chunk, seal_record};
use crate::crypto::swarm::SealedChunk;
use crate::format::grant::{Ended, Grant, GrantRecord, RecordState, Terms};
use crate::format::rows::{FileKind, Received, ReceivedState};
use crate::index::Rows;
use crate::share::rows_tests::{Files, people_rows};
use crate::share::{Arrival, ReceivedGrants, ShareError};
use crate::store::endpoints::{Endpoint, Endpoints, Patience, Role};
use crate::store::{Fault, Faults, Memory, Store};
use crate::types::{Name, Purpose, Rights, Timespec};

const NOW: Timespec = Timespec { secs: 7, nanos: 0 };
const ID: [u8; 16] = [4; 16];
const ANNA: Fingerprint = Fingerprint([1; 32]);
const EVE: Fingerprint = Fingerprint([2; 32]);

/// Of somebody who gives grants.
fn secret(of: u8) -> GrantSecret {
    let pod = PodSecret::restore(Secret::from_bytes(&[of; 32]));
    pod.box_secret(0, 0).grant(&ID)
}

fn grant(of: u8, until: i64) -> Grant {
    let secret = secret(of);
    Grant {
        id: ID,
        terms: Terms {
            name: Name::parse(b"lab").unwrap(),
            kind: FileKind::Directory,
            rights: Rights::READ,
            snapshot: false,
            from: None,
            until: Some(until),
            purpose: Purpose::parse("").unwrap(),
        },
        feed: secret.feed(),
        cap: secret.cap_key(),
    }
}

/// What a feed says: ends of all sorts are as good as what is shared.
fn record(index: u64, previous: [u8; 32], why: Ended) -> GrantRecord {
    GrantRecord {
        grant: ID,
        index,
        previous,
        time: NOW,
        until: Some(9),
        state: RecordState::Ended(why),
        log: None,
    }
}

/// The chunk of a record in the feed of one, sealed and signed by another, and the hash that the next one carries.
fn chunk(of: u8, by: u8, record: &GrantRecord) -> (SealedChunk, [u8; 32]) {
    let place = RecordPlace {
        feed: secret(of).feed(),
        index: record.index,
    };
    let payload = seal_record(&secret(of).cap_key(), &place, &record.encode().unwrap());
    let chunk = record_chunk(&secret(by), record.index, &payload).unwrap();
    (chunk, *blake3::hash(payload.as_slice()).as_bytes())
}

/// Somebody who received the grant, and the network.
struct Place {
    grants: ReceivedGrants,
    store: Arc<Fault<Memory>>,
}

impl Place {
    fn new() -> Self {
        let people = Arc::new(people_rows(&Files::new()));
        let grants = ReceivedGrants::new(people, Arc::new(Rows::memory()));
        let arrival = grants.arrives(ANNA, grant(1, 9), (0, NOW)).unwrap();
        assert_eq!(arrival, Arrival::New);
        Self {
            grants,
            store: Arc::new(Fault::new(Memory::default(), 1, Faults::default())),
        }
    }

    fn received(&self) -> Received {
        self.grants.find(&ID).unwrap().unwrap()
    }

    async fn put(&self, chunk: &SealedChunk) {
        self.store.put(chunk).await.unwrap();
    }

    /// Looks for news, and takes them.
    async fn looks(&self) -> Result<Option<u64>, ShareError> {
        let endpoint = Endpoint::new("store", Role::Own, Arc::clone(&self.store));
        let endpoints = Endpoints::new(vec![endpoint], Patience::default());
        let newest = self.grants.newest(&self.received(), &endpoints).await?;
        Ok(newest.map(|(seen, _)| {
            self.grants.is_seen(&secret(1).feed(), &seen).unwrap();
            seen.index
        }))
    }
}

/// Where it goes on is said by who gave it, with newer keys, or later with the same.
#[test]
fn a_grant_goes_on_where_its_giver_says_last() {
    let place = Place::new();
    let later = Timespec {
        secs: NOW.secs + 1,
        nanos: 0,
    };
    let arrives = |of, told| place.grants.arrives(ANNA, grant(of, 9), told).unwrap();
    for (of, told, arrival, feed) in [
        (2, (1, NOW), Arrival::Moved, 2),
        (2, (1, NOW), Arrival::Known, 2),
        (1, (0, later), Arrival::Known, 2),
        (3, (1, later), Arrival::Moved, 3),
    ] {
        assert_eq!(arrives(of, told), arrival);
        assert!(place.received().feed == secret(feed).feed());
    }
    // Of one that is over there is nothing more to be said.
    place.grants.end(&ID, Ended::Revoked, NOW).unwrap();
    assert_eq!(arrives(4, (2, later)), Arrival::Moved);
    assert!(place.received().feed == secret(3).feed());
}

/// Neither who gave it nor anybody else changes what was agreed, opens again what ended, or takes its id over.
#[test]
fn a_grant_that_is_known_stays_what_it_is() {
    let place = Place::new();
    let agreed = place.received();
    let again = [
        (ANNA, grant(1, 99), Arrival::Known),
        (EVE, grant(2, 9), Arrival::Anothers),
    ];
    for (from, again, arrival) in again {
        let arrived = place.grants.arrives(from, again, (0, NOW)).unwrap();
        assert_eq!(arrived, arrival);
        let now = place.received();
        assert!(now.terms == agreed.terms && now.feed == agreed.feed);
        assert_eq!(now.contact, ANNA);
        assert!(now.cap.secret().eq_ct(agreed.cap.secret()));
    }
    place.grants.end(&ID, Ended::Revoked, NOW).unwrap();
    let arrived = place.grants.arrives(ANNA, grant(1, 9), (0, NOW)).unwrap();
    assert_eq!(arrived, Arrival::Known);
    let now = place.received().state;
    let why = Ended::Revoked;
    assert_eq!(now, ReceivedState::Ended { why, when: NOW });
    let accepted = place.grants.accept(&ID, &agreed.label);
    assert!(matches!(accepted, Err(ShareError::IsOver)));
}

/// Whoever holds the cap key can seal a record that says what it likes. Only the giver can put it where it is read.
#[tokio::test]
async fn who_reads_a_feed_says_nothing_in_it() {
    let place = Place::new();
    let (forged, _) = chunk(1, 2, &record(0, [0; 32], Ended::Gone));
    place.put(&forged).await;
    assert_eq!(place.looks().await.unwrap(), None);
    let address = RecordPlace {
        feed: secret(1).feed(),
        index: 0,
    };
    let as_hers = SealedChunk::verified(&address.address(), forged.bytes());
    assert!(as_hers.is_err(), "a node cannot pass it off as hers");
    let (right, _) = chunk(1, 1, &record(0, [0; 32], Ended::Gone));
    place.put(&right).await;
    assert_eq!(place.looks().await.unwrap(), Some(0));
}

/// Records of one's own past are no news, however few of the newer ones a node gives out.
#[tokio::test]
async fn a_feed_never_goes_back() {
    let (first, hash) = chunk(1, 1, &record(0, [0; 32], Ended::Gone));
    let (second, _) = chunk(1, 1, &record(1, hash, Ended::Expired));
    let place = Place::new();
    place.put(&first).await;
    place.put(&second).await;
    assert_eq!(place.looks().await.unwrap(), Some(1));
    let withheld = Fault::new(Memory::default(), 1, Faults::default());
    withheld.put(&first).await.unwrap();
    let place = Place {
        store: Arc::new(withheld),
        ..place
    };
    assert_eq!(place.looks().await.unwrap(), None);
    let seen = place.grants.seen(&secret(1).feed()).unwrap().unwrap();
    assert_eq!(seen.index, 1);
}

/// Two things at one place, or a record behind something else than what was seen, are told and not followed.
#[tokio::test]
async fn a_feed_that_is_not_the_one_that_was_seen_is_refused() {
    let (one, hash) = chunk(1, 1, &record(0, [0; 32], Ended::Gone));
    let (other, elsewhere) = chunk(1, 1, &record(0, [0; 32], Ended::Revoked));
    let (behind, _) = chunk(1, 1, &record(1, elsewhere, Ended::Revoked));
    for forked in [other, behind] {
        let place = Place::new();
        place.put(&one).await;
        assert_eq!(place.looks().await.unwrap(), Some(0));
        let store = Fault::new(Memory::default(), 1, Faults::default());
        store.put(&forked).await.unwrap();
        let place = Place {
            store: Arc::new(store),
            ..place
        };
        let looked = place.looks().await;
        assert!(matches!(looked, Err(ShareError::Forked)));
        let seen = place.grants.seen(&secret(1).feed()).unwrap().unwrap();
        assert_eq!((seen.index, seen.hash), (0, hash));
    }
}

/// A record says which grant it is of: one that is put into the feed of another is none.
#[tokio::test]
async fn a_record_of_another_grant_is_none() {
    let place = Place::new();
    let of_another = GrantRecord {
        grant: [5; 16],
        ..record(0, [0; 32], Ended::Gone)
    };
    place.put(&chunk(1, 1, &of_another).0).await;
    assert_eq!(place.looks().await.unwrap(), None);
}
