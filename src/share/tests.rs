use std::sync::Arc;

use k256::ecdsa::SigningKey;
use sha3::{Digest, Keccak256};

use crate::crypto::Secret;
use crate::crypto::identity::{Fingerprint, card_topic, sign_card, xwing_public_key};
use crate::crypto::keys::{IdentityKey, RootKey};
use crate::crypto::phrase::Phrase;
use crate::crypto::scalar::Owner;
use crate::crypto::swarm::{SocId, chunk_address, soc_owner};
use crate::format::card::{Card, SignedCard};
use crate::share::rows_tests::{Files, people_rows};
use crate::share::{Called, Contacts, Found, Pinned, ShareError, newest_card};
use crate::store::endpoints::{Endpoint, Endpoints, Patience, Role};
use crate::store::{Fault, Faults, Memory, Store, StoreError};
use crate::types::limits::{CARD_CHAIN_MAX, CARD_REACH};
use crate::types::{ContactName, Timespec};

pub(super) const NOW: Timespec = Timespec { secs: 7, nanos: 0 };

pub(super) fn root(person: u8) -> RootKey {
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[person; 32]));
    RootKey::derive(&phrase.seed(), None)
}

/// The first `count` cards of a person.
pub(super) fn cards(person: u8, count: u64) -> Vec<SignedCard> {
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
            successor: None,
        };
        let chunk = sign_card(&identity, number, &card.encode()).unwrap();
        cards.push(SignedCard::read(chunk.bytes()).unwrap());
    }
    cards
}

pub(super) fn found(cards: &[SignedCard]) -> Found {
    let (newest, before) = cards.split_last().unwrap();
    Found {
        before: before.to_vec(),
        ..Found::alone(newest.clone())
    }
}

/// Signs what `change` makes of a card.
pub(super) fn changed(person: u8, card: &SignedCard, change: impl Fn(&mut Card)) -> SignedCard {
    let mut card = card.card().clone();
    change(&mut card);
    let chunk = sign_card(&root(person).identity(0), card.number, &card.encode()).unwrap();
    SignedCard::read(chunk.bytes()).unwrap()
}

fn print(card: &SignedCard) -> Fingerprint {
    Fingerprint::of(&card.card().identity)
}

/// The same card with another signature, which is as good.
fn signed_otherwise(card: &SignedCard) -> SignedCard {
    let mut bytes = card.bytes().to_vec();
    // v counts twice: 27 and 31 are the same parity.
    bytes[96] += 4;
    SignedCard::read(&bytes).unwrap()
}

pub(super) fn name(text: &str) -> ContactName {
    ContactName::parse(text).unwrap()
}

pub(super) fn contacts() -> Contacts {
    Contacts::new(Arc::new(people_rows(&Files::new())))
}

async fn stored(cards: &[SignedCard]) -> Arc<Fault<Memory>> {
    let store = Fault::new(Memory::default(), 1, Faults::default());
    for card in cards {
        store.put(card.chunk()).await.unwrap();
    }
    Arc::new(store)
}

/// Asks stores one after the other.
async fn look_in(
    stores: &[&Arc<Fault<Memory>>],
    of: &SignedCard,
    from: u64,
) -> Result<Option<Found>, ShareError> {
    let endpoints = stores.iter().map(|store| {
        let role = Role::Other;
        Endpoint::new("store", role, Arc::clone(store))
    });
    let endpoints = Endpoints::new(endpoints.collect(), Patience::default());
    newest_card(&endpoints, of.card().owner(), from).await
}

async fn look(
    store: &Arc<Fault<Memory>>,
    of: &SignedCard,
    from: u64,
) -> Result<Option<Found>, ShareError> {
    look_in(&[store], of, from).await
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
    let all = cards(1, 3);
    let foreign = sign_card(&root(1).identity(0), 1, b"a later version").unwrap();
    let store = stored(&[]).await;
    store.put(&foreign).await.unwrap();
    let seen = look(&store, &all[0], 0).await;
    assert!(matches!(seen, Err(ShareError::NoCard(_))));
    // It does not hide what can be read below and above it.
    for (there, newest, unread_above) in [(&all[..1], 0, true), (&all[2..], 2, false)] {
        let store = stored(there).await;
        store.put(&foreign).await.unwrap();
        let seen = look(&store, &all[0], 0).await.unwrap().unwrap();
        assert!(seen.newest == all[newest] && seen.unread_above == unread_above);
    }
}

#[test]
fn a_card_is_the_same_however_it_is_signed() {
    let all = cards(1, 2);
    let other = signed_otherwise(&all[0]);
    assert!(other == all[0] && other.bytes() != all[0].bytes());
    let contacts = contacts();
    let pin = |cards: &[SignedCard]| contacts.pin(&name("Anna"), &found(cards), NOW);
    pin(&all[..1]).unwrap();
    assert_eq!(pin(std::slice::from_ref(&other)).unwrap(), Pinned::Same);
    assert_eq!(pin(&[other, all[1].clone()]).unwrap(), Pinned::Newer);
    assert_eq!(contacts.named("Anna").unwrap().alarm, None);
}

#[test]
fn what_follows_keeps_to_the_chain() {
    let all = cards(1, 2);
    assert!(all[1].follows(&all[0]) && !all[0].follows(&all[1]) && !all[0].follows(&all[0]));
    let follows = |change: fn(&mut Card)| changed(1, &all[1], change).follows(&all[0]);
    assert!(follows(
        |card| (card.epoch, card.successor) = (1, Some(Owner([4; 20])))
    ));
    assert!(!follows(|card| card.number = 2));
    assert!(!follows(|card| card.previous[0] ^= 1));
    assert!(!follows(|card| card.identity_number = 1));
    // Epochs never go back, and a successor that was fixed stays.
    let later = changed(1, &all[0], |card| {
        (card.epoch, card.successor) = (5, Some(Owner([4; 20])));
    });
    let after = |epoch: u32, successor: u8| {
        let card = changed(1, &all[1], |card| {
            let successor = Some(Owner([successor; 20])).filter(|_| successor > 0);
            (card.epoch, card.successor, card.previous) = (epoch, successor, later.hash());
        });
        card.follows(&later)
    };
    assert!(after(5, 4) && after(6, 4));
    assert!(!after(4, 4) && !after(5, 0) && !after(5, 6));
}

/// A chunk that is longer than what is kept of it would be another one.
#[test]
fn a_card_with_another_span_is_none() {
    let mut card = cards(1, 1)[0].bytes().to_vec();
    assert!(SignedCard::read(&card).is_ok());
    let signed = sign_spanned(&root(1).identity(0), &card[105..], 5000);
    card[..105].copy_from_slice(&signed);
    card.resize(4201, 0);
    assert!(soc_owner(&card) == Some(root(1).identity(0).owner()));
    assert!(SignedCard::read(&card).is_err());
    assert!(SignedCard::read(&card[..1544]).is_err());
}

/// Identifier, signature and span of a card whose span is not that of its payload.
fn sign_spanned(identity: &IdentityKey, card: &[u8], span: u64) -> Vec<u8> {
    let keccak = |parts: &[&[u8]]| -> [u8; 32] { Keccak256::digest(parts.concat()).into() };
    let id = SocId::of_update(&card_topic(), 0).0;
    let mut payload = card.to_vec();
    payload.resize(4096, 0);
    let content = chunk_address(span, &payload).unwrap();
    let digest = keccak(&[&id, &content.0]);
    let digest = keccak(&[b"\x19Ethereum Signed Message:\n32", &digest]);
    let key = SigningKey::from_slice(identity.secret().expose()).unwrap();
    let (signature, parity) = key.sign_prehash_recoverable(&digest);
    let signature = [&signature.to_bytes()[..], &[27 + parity.to_byte()]].concat();
    [&id[..], &signature, &span.to_le_bytes()].concat()
}

#[test]
fn a_card_is_pinned_and_renewed_along_its_chain() {
    let contacts = contacts();
    let all = cards(1, 5);
    let anna = name("Anna");
    let pin = |cards: &[SignedCard]| contacts.pin(&anna, &found(cards), NOW);
    assert_eq!(pin(&all[..2]).unwrap(), Pinned::New);
    assert_eq!(pin(&all[..2]).unwrap(), Pinned::Same);
    contacts.verify("Anna", &print(&all[0])).unwrap();
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
    let other = changed(1, &all[1], |card| card.sign = [0xaa; 32]);
    let after_other = changed(1, &all[2], |card| card.previous = other.hash());
    let chains = [
        vec![other.clone()],
        vec![after_other.clone()],
        vec![all[0].clone(), other.clone(), after_other],
    ];
    for chain in chains {
        let contacts = contacts();
        let pin = |cards: &[SignedCard]| contacts.pin(&anna, &found(cards), NOW);
        pin(&all[1..2]).unwrap();
        contacts.verify("Anna", &print(&all[0])).unwrap();
        assert!(matches!(pin(&chain), Err(ShareError::Alarm(_))));
        let stopped = contacts.named("Anna").unwrap();
        assert!(stopped.alarm.is_some());
        assert_eq!(stopped.card().unwrap().number, 1);
        let verified = contacts.verify("Anna", &print(&all[0]));
        for step in [pin(&all[1..2]).map(drop), verified] {
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
    contacts.use_own(&cards(3, 1)[0]).unwrap();
    let pin = |name_: &str, cards: &[SignedCard]| contacts.pin(&name(name_), &found(cards), NOW);
    assert!(matches!(pin("me", &cards(3, 2)), Err(ShareError::Own)));
    pin("Anna", &anna).unwrap();
    assert!(matches!(pin("Anna", &ben), Err(ShareError::NameTaken(_))));
    assert!(
        matches!(pin("Ann", &anna), Err(ShareError::Known(known)) if known == Called::new("Anna"))
    );
    pin("ben", &ben).unwrap();
    let names = contacts.all().unwrap();
    let names: Vec<_> = names.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["Anna", "ben"]);
    assert!(matches!(
        contacts.remove("Ben"),
        Err(ShareError::Unknown(_))
    ));
    let unknown = |verified| matches!(verified, Err(ShareError::Unknown(_)));
    assert!(unknown(contacts.verify("Ben", &print(&ben[0]))));
    // Somebody else may have the name by the time that the words were compared.
    assert!(unknown(contacts.verify("Anna", &print(&ben[0]))));
    assert!(!contacts.named("Anna").unwrap().verified);
}

#[test]
fn the_own_card_never_goes_back() {
    let contacts = contacts();
    let all = cards(3, 4);
    let own = || contacts.own().unwrap().unwrap();
    contacts.use_own(&all[1]).unwrap();
    contacts.own_is_published(&all[0]).unwrap();
    assert!(own() == (all[1].clone(), false));
    contacts.own_is_published(&all[1]).unwrap();
    contacts.use_own(&all[1]).unwrap();
    assert!(own() == (all[1].clone(), true));
    let other = changed(3, &all[1], |card| card.sign = [0xaa; 32]);
    for refused in [&all[0], &other, &cards(4, 3)[2]] {
        assert!(matches!(
            contacts.use_own(refused),
            Err(ShareError::OwnOlder)
        ));
    }
    contacts.use_own(&all[3]).unwrap();
    contacts.own_is_published(&all[1]).unwrap();
    assert!(own() == (all[3].clone(), false));
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
