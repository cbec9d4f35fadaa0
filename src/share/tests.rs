use std::sync::Arc;

use crate::crypto::Secret;
use crate::crypto::identity::{sign_card, xwing_public_key};
use crate::crypto::keys::RootKey;
use crate::crypto::phrase::Phrase;
use crate::format::card::{Card, SignedCard};
use crate::index::Rows;
use crate::share::{Contacts, Found, Pinned, ShareError, newest_card};
use crate::store::{Fault, Faults, Memory, Store, StoreError};
use crate::types::limits::{CARD_CHAIN_MAX, CARD_REACH};
use crate::types::{ContactName, Timespec};

const NOW: Timespec = Timespec { secs: 7, nanos: 0 };

fn root(person: u8) -> RootKey {
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[person; 32]));
    RootKey::derive(&phrase.seed(), None)
}

/// The first `count` cards of a person.
fn cards(person: u8, count: u64) -> Vec<SignedCard> {
    let root = root(person);
    let identity = root.identity(0);
    let mut cards: Vec<SignedCard> = Vec::new();
    for number in 0..count {
        let card = Card {
            number,
            identity_number: 0,
            epoch: 0,
            made: NOW,
            identity: identity.public_key(),
            sign: [u8::try_from(number % 251).unwrap(); 32],
            x25519: root.kem_x25519(0).public_key(),
            xwing: xwing_public_key(&root.kem_xwing(0)),
            previous: cards.last().map_or([0; 32], SignedCard::hash),
            next_identity: [0; 32],
        };
        let chunk = sign_card(&identity, number, &card.encode()).unwrap();
        cards.push(SignedCard::read(chunk.bytes()).unwrap());
    }
    cards
}

fn found(cards: &[SignedCard]) -> Found {
    let (newest, before) = cards.split_last().unwrap();
    Found {
        newest: newest.clone(),
        before: before.to_vec(),
    }
}

fn name(text: &str) -> ContactName {
    ContactName::parse(text).unwrap()
}

fn contacts() -> Contacts {
    Contacts::new(Arc::new(Rows::memory()))
}

async fn stored(cards: &[SignedCard]) -> Arc<Fault<Memory>> {
    let store = Fault::new(Memory::default(), 1, Faults::default());
    for card in cards {
        store.put(card.chunk()).await.unwrap();
    }
    Arc::new(store)
}

async fn look(
    store: &Arc<Fault<Memory>>,
    of: &SignedCard,
    from: u64,
) -> Result<Option<Found>, ShareError> {
    let store = Arc::clone(store) as Arc<dyn Store>;
    newest_card(&store, of.card().owner(), from).await
}

#[tokio::test]
async fn the_newest_card_is_found_over_some_that_are_lost() {
    let all = cards(1, 30);
    let store = stored(&all).await;
    for from in [0, 7, 29] {
        let newest = look(&store, &all[0], from).await.unwrap().unwrap();
        assert!(newest.newest == all[29]);
        let from = usize::try_from(from).unwrap();
        assert!(newest.before == all[from..29]);
    }
    assert!(look(&store, &all[0], 30).await.unwrap().is_none());
    assert!(look(&store, &cards(2, 1)[0], 0).await.unwrap().is_none());
    // As many as are asked for at once may be missing, less one.
    let gap = usize::try_from(CARD_REACH).unwrap();
    for (lost, newest) in [(gap - 1, 29), (gap, 9)] {
        let left = [&all[..10], &all[10 + lost..]].concat();
        let store = stored(&left).await;
        let seen = look(&store, &all[0], 0).await.unwrap().unwrap();
        assert!(seen.newest == all[newest], "{lost} lost");
    }
}

#[tokio::test]
async fn an_outage_is_not_taken_for_no_card() {
    let all = cards(1, 3);
    let store = stored(&all).await;
    store.set(Faults {
        unreachable: 1000,
        ..Faults::default()
    });
    let seen = look(&store, &all[0], 0).await;
    let is_outage =
        |error: &ShareError| matches!(error, ShareError::Store(StoreError::Unavailable { .. }));
    assert!(seen.is_err_and(|error| is_outage(&error)));
}

#[tokio::test]
async fn what_stands_at_the_place_of_a_card_and_is_none_is_told() {
    let all = cards(1, 1);
    let store = stored(&all).await;
    let foreign = sign_card(&root(1).identity(0), 1, b"a later version").unwrap();
    store.put(&foreign).await.unwrap();
    let seen = look(&store, &all[0], 0).await;
    assert!(matches!(seen, Err(ShareError::NoCard(_))));
}

#[test]
fn a_card_is_pinned_and_renewed_along_its_chain() {
    let contacts = contacts();
    let all = cards(1, 5);
    let anna = name("Anna");
    let pin = |cards: &[SignedCard]| contacts.pin(&anna, &found(cards), NOW);
    assert_eq!(pin(&all[..2]).unwrap(), Pinned::New);
    assert_eq!(pin(&all[..2]).unwrap(), Pinned::Same);
    contacts.verify("Anna").unwrap();
    assert!(matches!(pin(&all[3..4]), Err(ShareError::Gap(_))));
    assert!(matches!(pin(&all[..1]), Err(ShareError::Older(_))));
    assert_eq!(pin(&all[2..3]).unwrap(), Pinned::Newer);
    // The pinned one may come again among those that lead to the newest.
    assert_eq!(pin(&all[2..]).unwrap(), Pinned::Newer);
    let now = contacts.named("Anna").unwrap();
    assert_eq!((now.card().unwrap().number, now.verified), (4, true));
    assert_eq!((now.since, now.alarm), (NOW, None));
}

#[test]
fn another_card_in_place_of_the_pinned_one_stops_the_contact() {
    let anna = name("Anna");
    let all = cards(1, 3);
    let mut other = all[1].card().clone();
    other.sign = [0xaa; 32];
    let chunk = sign_card(&root(1).identity(0), 1, &other.encode()).unwrap();
    let other = SignedCard::read(chunk.bytes()).unwrap();
    let after_other = {
        let mut card = all[2].card().clone();
        card.previous = other.hash();
        let chunk = sign_card(&root(1).identity(0), 2, &card.encode()).unwrap();
        SignedCard::read(chunk.bytes()).unwrap()
    };
    let chains = [
        vec![other.clone()],
        vec![after_other.clone()],
        vec![all[0].clone(), other.clone(), after_other],
    ];
    for chain in chains {
        let contacts = contacts();
        let pin = |cards: &[SignedCard]| contacts.pin(&anna, &found(cards), NOW);
        pin(&all[1..2]).unwrap();
        contacts.verify("Anna").unwrap();
        assert!(matches!(pin(&chain), Err(ShareError::Alarm(_))));
        let stopped = contacts.named("Anna").unwrap();
        assert!(stopped.alarm.is_some());
        assert_eq!(stopped.card().unwrap().number, 1);
        for step in [pin(&all[1..2]).map(drop), contacts.verify("Anna")] {
            assert!(matches!(step, Err(ShareError::Alarm(_))));
        }
        contacts.remove("Anna").unwrap();
        assert_eq!(pin(&all).unwrap(), Pinned::New);
        assert!(!contacts.named("Anna").unwrap().verified);
    }
}

#[test]
fn a_name_is_one_person_and_a_person_one_name() {
    let contacts = contacts();
    let (anna, ben) = (cards(1, 1), cards(2, 1));
    contacts.set_own(&cards(3, 1)[0], false).unwrap();
    let pin = |name_: &str, cards: &[SignedCard]| contacts.pin(&name(name_), &found(cards), NOW);
    assert!(matches!(pin("me", &cards(3, 2)), Err(ShareError::Own)));
    pin("Anna", &anna).unwrap();
    assert!(matches!(pin("Anna", &ben), Err(ShareError::NameTaken(_))));
    assert!(matches!(pin("Ann", &anna), Err(ShareError::Known(known)) if known == "Anna"));
    pin("ben", &ben).unwrap();
    let names = contacts.all().unwrap();
    let names: Vec<_> = names.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["Anna", "ben"]);
    assert!(matches!(
        contacts.remove("Ben"),
        Err(ShareError::Unknown(_))
    ));
    assert!(matches!(
        contacts.verify("Ben"),
        Err(ShareError::Unknown(_))
    ));
    let (own, published) = contacts.own().unwrap().unwrap();
    assert!(own == cards(3, 1)[0] && !published);
    contacts.set_own(&own, true).unwrap();
    assert!(contacts.own().unwrap().unwrap().1);
}

/// A chain is followed as far as one look reaches, and at the next look further.
#[tokio::test]
async fn a_long_chain_is_followed_in_steps() {
    let all = cards(1, CARD_CHAIN_MAX + 20);
    let store = stored(&all).await;
    let contacts = contacts();
    let mut pinned = 0;
    contacts.pin(&name("Anna"), &found(&all[..1]), NOW).unwrap();
    while pinned + 1 < all.len() as u64 {
        let newer = look(&store, &all[0], pinned).await.unwrap().unwrap();
        assert_eq!(
            contacts.pin(&name("Anna"), &newer, NOW).unwrap(),
            Pinned::Newer
        );
        let now = contacts.named("Anna").unwrap().card().unwrap().number;
        assert!(now > pinned);
        pinned = now;
    }
}
