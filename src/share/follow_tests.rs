use crate::crypto::identity::Fingerprint;
use crate::format::card::{Card, SignedCard};
use crate::share::tests::{NOW, cards, changed, contacts, found, name, root};
use crate::share::{Contacts, Pinned, ShareError};
use crate::types::limits::{CARD_EPOCH_BITS, CARD_EPOCH_MAX, IDENTITIES_MAX};

/// Two cards of person 1, of which the second has fixed person 2 to follow.
fn fixed() -> [SignedCard; 2] {
    let all = cards(1, 2);
    let successor = Some(cards(2, 1)[0].card().owner());
    let second = changed(1, &all[1], |card| card.successor = successor);
    [all[0].clone(), second]
}

/// The first `count` cards of `person`, who follows the one of `before`.
fn heirs(person: u8, before: &SignedCard, count: u64) -> Vec<SignedCard> {
    let plain = cards(person, count);
    let mut heirs: Vec<SignedCard> = Vec::new();
    for card in &plain {
        let said = |now: &mut Card| {
            let first = before.card().fingerprint().0;
            now.previous = heirs.last().map_or(first, SignedCard::hash);
        };
        heirs.push(changed(person, card, said));
    }
    heirs
}

fn pin(contacts: &Contacts, cards: &[SignedCard]) -> Result<Pinned, ShareError> {
    contacts.pin(&name("Anna"), &found(cards), NOW)
}

fn is_pinned(contacts: &Contacts, card: &SignedCard) -> bool {
    contacts.named("Anna").unwrap().card.as_slice() == card.bytes()
}

#[test]
fn who_has_pinned_a_successor_follows_it_and_stays_with_the_same_person() {
    let contacts = contacts();
    let before = fixed();
    let heirs = heirs(2, &before[1], 3);
    pin(&contacts, &before).unwrap();
    let print = before[0].card().fingerprint();
    contacts.verify("Anna", &print).unwrap();
    let then = contacts.named("Anna").unwrap();
    assert_eq!(contacts.needed(heirs[0].card().owner()).unwrap(), Some(0));
    assert_eq!(pin(&contacts, &heirs[..2]).unwrap(), Pinned::Followed);
    let now = contacts.named("Anna").unwrap();
    assert!(now.verified && now.since == NOW && is_pinned(&contacts, &heirs[1]));
    // What is noted of them stands where it stood, and their keys are later ones.
    assert!(now.print() == Ok(print) && now.key() == then.key());
    assert_eq!(now.epoch(), Ok(1 << CARD_EPOCH_BITS));
    assert!(now.epoch().unwrap() > then.epoch().unwrap());
    assert_eq!(pin(&contacts, &heirs).unwrap(), Pinned::Newer);
    assert_eq!(pin(&contacts, &heirs).unwrap(), Pinned::Same);
    for print in [print, heirs[0].card().fingerprint()] {
        let found = contacts.with_identity(&print).unwrap().unwrap();
        assert_eq!(found.name.as_str(), "Anna");
    }
    assert_eq!(contacts.all().unwrap().len(), 1);
    contacts.remove("Anna").unwrap();
    assert!(contacts.with_identity(&print).unwrap().is_none());
}

#[test]
fn who_has_the_phrase_of_an_identity_that_was_left_is_nobody_any_more() {
    let contacts = contacts();
    let before = fixed();
    let heirs = heirs(2, &before[1], 1);
    pin(&contacts, &before).unwrap();
    pin(&contacts, &heirs).unwrap();
    // The newest that they can make, of whatever epoch, and the one that was pinned.
    let later = changed(1, &cards(1, 3)[2], |card| {
        card.epoch = CARD_EPOCH_MAX;
        card.previous = before[1].hash();
        card.successor = before[1].card().successor;
    });
    for cards in [
        vec![later.clone()],
        vec![before[1].clone(), later],
        before.to_vec(),
    ] {
        let refused = pin(&contacts, &cards);
        assert!(matches!(refused, Err(ShareError::Left(_))));
        let named = contacts.pin(&name("Ann"), &found(&cards), NOW);
        assert!(matches!(named, Err(ShareError::Known(_))));
    }
    assert!(is_pinned(&contacts, &heirs[0]) && contacts.named("Anna").unwrap().alarm.is_none());
}

#[test]
fn a_thief_cannot_name_another_successor() {
    let before = fixed();
    let other = Some(cards(3, 1)[0].card().owner());
    let next = |change: &dyn Fn(&mut Card)| {
        changed(1, &cards(1, 3)[2], |card| {
            (card.previous, card.successor) = (before[1].hash(), before[1].card().successor);
            change(card);
        })
    };
    // One that names another, or none, breaks the chain.
    for successor in [other, None] {
        let contacts = contacts();
        pin(&contacts, &before).unwrap();
        let forged = next(&|card| card.successor = successor);
        let met = pin(&contacts, &[forged]);
        assert!(matches!(met, Err(ShareError::Alarm(_))));
        // An identity that the pinned card does not name is somebody else.
        let theirs = heirs(3, &before[1], 1);
        let met = pin(&contacts, &theirs);
        assert!(matches!(met, Err(ShareError::NameTaken(_))));
        // The one that was fixed ends the alarm.
        let heirs = heirs(2, &before[1], 1);
        assert_eq!(pin(&contacts, &heirs).unwrap(), Pinned::Followed);
        assert!(contacts.named("Anna").unwrap().alarm.is_none());
    }
    // Who has pinned what the thief made in the same chain follows all the same.
    let contacts = contacts();
    pin(&contacts, &before).unwrap();
    let forged = next(&|card| (card.epoch, card.sign) = (CARD_EPOCH_MAX, [0xaa; 32]));
    assert_eq!(pin(&contacts, &[forged]).unwrap(), Pinned::Newer);
    let then = contacts.named("Anna").unwrap().epoch().unwrap();
    let heirs = heirs(2, &before[1], 1);
    assert_eq!(pin(&contacts, &heirs).unwrap(), Pinned::Followed);
    assert!(contacts.named("Anna").unwrap().epoch().unwrap() > then);
}

/// Who names somebody as the one to follow them gets nothing of theirs, and takes nothing of them.
#[test]
fn nobody_follows_who_does_not_say_so() {
    let (new, before) = (contacts, fixed());
    let stranger = cards(2, 2);
    let of_another = heirs(2, &cards(3, 1)[0], 1);
    for other in [&stranger[..], &of_another] {
        let contacts = new();
        pin(&contacts, &before).unwrap();
        let met = pin(&contacts, other);
        assert!(matches!(met, Err(ShareError::NameTaken(_))));
        assert_eq!(
            contacts.pin(&name("Ben"), &found(other), NOW).unwrap(),
            Pinned::New
        );
        assert!(is_pinned(&contacts, &before[1]));
    }
    // Nor does that keep the newer cards of somebody from being pinned.
    let all = new();
    pin(&all, &before).unwrap();
    let pinned = |cards: &[SignedCard]| all.pin(&name("Ben"), &found(cards), NOW);
    assert_eq!(pinned(&stranger[..1]).unwrap(), Pinned::New);
    assert_eq!(pinned(&stranger[1..]).unwrap(), Pinned::Newer);
    // Without the first card nobody knows.
    let contacts = new();
    pin(&contacts, &before).unwrap();
    let met = contacts.pin(&name("Ben"), &found(&stranger[1..]), NOW);
    assert!(matches!(met, Err(ShareError::Gap(_))));
    // One card is the first of an identity that follows, or the next of the same one.
    assert!(!before[1].card().succeeds(before[0].card()));
    assert!(!heirs(2, &before[1], 2)[1].card().succeeds(before[1].card()));
    assert!(!heirs(2, &before[1], 1)[0].follows(&before[1]));
}

/// Who was added anew under another name, before the card that fixes it was seen, is not believed under the old one.
#[test]
fn an_identity_that_was_left_is_stopped_when_the_next_one_has_another_name() {
    let (contacts, before) = (contacts(), fixed());
    let heirs = heirs(2, &before[1], 1);
    pin(&contacts, &before[..1]).unwrap();
    let added = contacts.pin(&name("Anna2"), &found(&heirs), NOW);
    assert_eq!(added.unwrap(), Pinned::New);
    assert_eq!(pin(&contacts, &before[1..]).unwrap(), Pinned::Newer);
    let met = pin(&contacts, &heirs);
    assert!(matches!(met, Err(ShareError::Alarm(_))));
    assert!(contacts.named("Anna").unwrap().alarm.is_some());
    assert!(contacts.named("Anna2").unwrap().alarm.is_none());
    assert!(matches!(pin(&contacts, &heirs), Err(ShareError::Known(_))));
}

#[test]
fn the_own_card_goes_on_with_the_identity_that_it_has_fixed() {
    let contacts = contacts();
    let before = fixed();
    let (heirs, others) = (heirs(2, &before[1], 2), heirs(3, &before[1], 1));
    contacts.use_own(&before[0]).unwrap();
    let refused = |card: &SignedCard| matches!(contacts.use_own(card), Err(ShareError::OwnOlder));
    assert!(refused(&heirs[0]));
    contacts.use_own(&before[1]).unwrap();
    assert!(refused(&heirs[1]) && refused(&others[0]));
    // Nor does a thief's, with another successor or none.
    let forged = |successor| {
        let said =
            |card: &mut Card| (card.previous, card.successor) = (before[1].hash(), successor);
        changed(1, &cards(1, 3)[2], said)
    };
    assert!(refused(&forged(None)) && refused(&forged(Some(others[0].card().owner()))));
    contacts.use_own(&heirs[0]).unwrap();
    assert!(refused(&before[1]));
    contacts.use_own(&heirs[1]).unwrap();
    assert!(contacts.own().unwrap().unwrap() == (heirs[1].clone(), false));
}

#[test]
fn identities_follow_each_other_up_to_a_limit() {
    let contacts = contacts();
    let before = fixed();
    pin(&contacts, &before).unwrap();
    let mut contact = contacts.named("Anna").unwrap();
    let key = contact.key().unwrap();
    contact.former = (0..IDENTITIES_MAX)
        .map(|_| before[0].card().fingerprint())
        .collect::<Vec<Fingerprint>>();
    contact.card = before[1].bytes().try_into().map(Box::new).unwrap();
    assert_eq!(contact.key().unwrap(), key);
    contacts.put(&contact).unwrap();
    let one_more = pin(&contacts, &heirs(2, &before[1], 1));
    assert!(matches!(one_more, Err(ShareError::TooMany)));
    let highest = contact.epoch().unwrap();
    assert_eq!(highest >> CARD_EPOCH_BITS, 255);
    assert!(root(1).identity(0).public_key() == before[0].card().identity);
}
