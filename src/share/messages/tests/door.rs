//! At the door: who is not known is heard and told so, whoever writes over it; and nothing else is let in.

use std::time::Instant;

use super::*;
use crate::crypto::door::{DOOR_BODY_LEN, DoorSlot, has_work, seal_door};
use crate::crypto::identity::Fingerprint;
use crate::crypto::message::Correspondents;
use crate::crypto::swarm::PAYLOAD_MAX;
use crate::format::door::Knock;
use crate::share::messages::door::day;
use crate::types::limits::{DOOR_DAY, DOOR_GIVES_UP, DOOR_KEPT, DOOR_PUTS, DOOR_SLOTS};

/// Ben has the card of Anna, who does not have his.
fn strangers() -> (Person, Person, Net) {
    let (anna, ben) = (machine(1, 0, None), machine(2, 0, None));
    ben.knows("Anna", &anna);
    (anna, ben, Net::overwriting())
}

impl Person {
    fn print(&self) -> Fingerprint {
        Fingerprint::of(&self.card.card().identity)
    }

    async fn knocks(&self, net: &Net, now: Timespec) -> usize {
        let endpoints = net.endpoints();
        let put = self.messages.knock(&endpoints, &*net.store, now).await;
        put.unwrap()
    }

    async fn opens(&self, net: &Net, now: Timespec) -> Collected {
        let endpoints = net.endpoints();
        self.messages.look_at_door(&endpoints, now).await.unwrap()
    }

    fn slots(&self, day: u32) -> Vec<DoorSlot> {
        let slots = 0..DOOR_SLOTS;
        slots
            .map(|it| DoorSlot::of(&self.print(), day, it))
            .collect()
    }

    /// What stands at the door, by slot.
    async fn at_door(&self, net: &Net) -> Vec<(DoorSlot, SealedChunk)> {
        let mut all = Vec::new();
        for slot in self.slots(day(NOW.secs)) {
            if let Ok(chunk) = net.store.get(slot.address()).await {
                all.push((slot, chunk));
            }
        }
        all
    }

    /// What somebody puts there who signs what this one says with another key, or shows another card.
    fn knock_of(to: &Self, sign: u8, card: &SignedCard, slot: &DoorSlot) -> SealedChunk {
        let knock = Knock {
            card: card.clone(),
            message: Message {
                id: MessageId([sign; 16]),
                time: NOW,
                answers: None,
                body: request("forged"),
            },
        };
        let between = Correspondents {
            sender: &Fingerprint::of(&card.card().identity),
            recipient: &to.print(),
        };
        let keys = (&Secret::from_bytes(&[sign; 32]), &*to.card.card().xwing);
        let seed = Secret::from_bytes(&[sign; 32]);
        let body = knock.padded().unwrap();
        let payload = seal_door(&body, slot.place(), between, keys, seed).unwrap();
        slot.chunk(payload.as_slice()).unwrap()
    }
}

fn state(kept: &[Kept]) -> Vec<MessageState> {
    kept.iter().map(|kept| kept.row.state).collect()
}

#[tokio::test]
async fn a_stranger_is_heard_at_the_door_and_is_told() {
    let (anna, ben, net) = strangers();
    ben.asks("Anna", "treatment");
    ben.sends(&net, NOW).await;
    assert_eq!(anna.collects(&net, NOW).await.received, 0);
    assert_eq!(anna.opens(&net, NOW).await.received, 0);
    assert_eq!(ben.knocks(&net, NOW).await, 1);
    assert_eq!(anna.opens(&net, NOW).await.received, 1);
    assert_eq!(anna.purposes(), ["treatment"]);
    let [kept] = &anna.received()[..] else {
        panic!("one message")
    };
    assert_eq!(kept.row.contact, ben.print());
    assert!(kept.row.card.as_ref().unwrap().as_slice() == ben.card.bytes());
    // It stands there still, and is not taken twice.
    let again = anna.opens(&net, NOW).await;
    assert_eq!((again.received, again.repeated), (0, 1));

    let written = ben.written();
    assert_eq!(state(&written), [MessageState::Sent]);
    assert_eq!(anna.sends(&net, NOW).await.sent, 1);
    // What was told is not kept.
    assert_eq!(anna.written().len(), 0);
    assert_eq!(ben.collects(&net, NOW).await.received, 0);
    assert_eq!(state(&ben.written()), [MessageState::Arrived]);
    // Nothing more is put, on no day.
    for later_on in [0, DOOR_DAY] {
        assert_eq!(ben.knocks(&net, later(later_on)).await, 0);
    }

    // Once she knows him it comes by the feed too, and is the same message.
    anna.knows("Ben", &ben);
    let read = anna.collects(&net, NOW).await;
    assert_eq!((read.received, read.repeated), (0, 1));
    // What he asks now goes to the door as before, since she never wrote to him as one who knows him.
    ben.asks("Anna", "again");
    assert_eq!(ben.knocks(&net, NOW).await, 1);
    // A request of hers shows that she does.
    anna.asks("Ben", "his");
    anna.sends(&net, NOW).await;
    assert_eq!(ben.collects(&net, NOW).await.received, 1);
    ben.asks("Anna", "a third time");
    assert_eq!(ben.knocks(&net, later(100)).await, 0);
}

#[tokio::test]
async fn a_denial_reaches_a_stranger() {
    let (anna, ben, net) = strangers();
    let asked = ben.asks("Anna", "treatment");
    ben.knocks(&net, NOW).await;
    anna.opens(&net, NOW).await;
    let who = anna.messages.correspondent(&ben.print()).unwrap().unwrap();
    assert!(who.name.as_str().starts_with("stranger "));
    let denied = MessageBody::Denied { why: plain("no") };
    anna.messages.post(&who, denied, Some(asked), NOW).unwrap();
    assert_eq!(anna.sends(&net, NOW).await.sent, 2);
    assert_eq!(ben.collects(&net, NOW).await.received, 1);
    let sent = &ben.written()[0];
    assert!(ben.messages.answer_to(sent).unwrap().is_some());
    // The door is left alone, though the request was never seen in the feed.
    assert_eq!(ben.knocks(&net, later(100)).await, 0);
}

/// What is told to somebody is sealed for the keys that they have.
#[tokio::test]
async fn a_stranger_who_replaced_their_keys_is_answered_with_the_new_ones() {
    let (anna, ben, net) = strangers();
    let asked = [ben.asks("Anna", "one"), ben.asks("Anna", "other")];
    assert_eq!(ben.knocks(&net, NOW).await, 2);
    assert_eq!(anna.opens(&net, NOW).await.received, 2);
    // One is denied and the other told to have arrived, and he reads neither.
    let who = anna.messages.correspondent(&ben.print()).unwrap().unwrap();
    let denied = MessageBody::Denied { why: plain("no") };
    anna.messages
        .post(&who, denied, Some(asked[0]), NOW)
        .unwrap();
    assert_eq!(anna.sends(&net, NOW).await.sent, 3);
    let card = ben.replaces_keys(2, 1).await;
    assert_eq!(ben.collects(&net, NOW).await.received, 0);
    // He asks with the new card at once; what he put before stands there still.
    assert_eq!(ben.knocks(&net, later(1)).await, 2);
    let seen = anna.opens(&net, later(1)).await;
    assert_eq!((seen.received, seen.repeated + seen.skipped), (0, 4));
    let all = anna.received();
    let mut cards = all.iter().map(|kept| kept.row.card.as_ref().unwrap());
    assert!(cards.all(|shown| shown.as_slice() == card.bytes()));
    assert_eq!(anna.sends(&net, later(1)).await.sent, 2);
    assert_eq!(ben.collects(&net, later(1)).await.received, 1);
    assert_eq!(state(&ben.written())[1], MessageState::Arrived);
    assert_eq!(ben.knocks(&net, later(DOOR_DAY)).await, 0);
    // Whoever has the keys of before is not heard any more.
    let slot = &anna.slots(day(NOW.secs))[31];
    let forged = Person::knock_of(&anna, 2, &ben.card, slot);
    net.store.put(&forged).await.unwrap();
    assert_eq!(anna.opens(&net, later(2)).await.received, 0);
    let who = anna.messages.correspondent(&ben.print()).unwrap().unwrap();
    assert!(who.card.as_slice() == card.bytes());
}

/// What was put for keys that are replaced can be opened by nobody.
#[tokio::test]
async fn what_stands_at_a_door_is_put_anew_when_its_owner_replaced_the_keys() {
    let (anna, ben, net) = strangers();
    ben.asks("Anna", "treatment");
    assert_eq!(ben.knocks(&net, NOW).await, 1);
    let card = anna.replaces_keys(1, 1).await;
    assert_eq!(anna.opens(&net, NOW).await.received, 0);
    let found = Found::alone(card);
    let name = ContactName::parse("Anna").unwrap();
    ben.contacts.pin(&name, &found, NOW).unwrap();
    assert_eq!(ben.knocks(&net, later(1)).await, 1);
    assert_eq!(anna.opens(&net, later(1)).await.received, 1);
}

#[tokio::test]
async fn what_was_overwritten_is_put_again_and_nothing_is_forged() {
    let (anna, ben, net) = strangers();
    ben.asks("Anna", "treatment");
    assert_eq!(ben.knocks(&net, NOW).await, 1);
    let (first, knock) = anna.at_door(&net).await.pop().unwrap();
    // A vandal writes over every slot: what is random, and what Ben has put, wherever it does not belong.
    let vandal = |slot: &DoorSlot, nth: usize| {
        let mut junk = [u8::try_from(nth).unwrap(); PAYLOAD_MAX];
        if nth.is_multiple_of(2) && slot.address() != first.address() {
            junk.copy_from_slice(knock.payload());
        }
        slot.chunk(&junk).unwrap()
    };
    let today = day(NOW.secs);
    for round in 0..3 {
        for (nth, slot) in anna.slots(today).iter().enumerate() {
            net.store.put(&vandal(slot, nth)).await.unwrap();
        }
        let seen = anna.opens(&net, NOW).await;
        assert_eq!((seen.received, seen.skipped), (0, 32), "{round}");
        // Not at once: each time takes a stamp.
        assert_eq!(ben.knocks(&net, later(round * 4000 + 1)).await, 0);
        assert_eq!(ben.knocks(&net, later((round + 1) * 4000)).await, 1);
    }
    // Then the vandal goes.
    let seen = anna.opens(&net, NOW).await;
    assert_eq!((seen.received, seen.skipped), (1, 31));
    assert_eq!(anna.purposes(), ["treatment"]);
    // What was put yesterday is nothing today.
    for slot in anna.slots(today + 1) {
        let moved = slot.chunk(knock.payload()).unwrap();
        net.store.put(&moved).await.unwrap();
    }
    let seen = anna.opens(&net, later(DOOR_DAY)).await;
    assert_eq!((seen.received, seen.skipped), (0, 32 + 31));
}

#[tokio::test]
async fn who_persists_closes_the_door_and_costs_no_more_than_that() {
    let (anna, ben, net) = strangers();
    ben.asks("Anna", "treatment");
    assert_eq!(ben.knocks(&net, NOW).await, 1);
    let overwrite = async || {
        for (slot, _) in anna.at_door(&net).await {
            let junk = slot.chunk(&[7; PAYLOAD_MAX]).unwrap();
            net.store.put(&junk).await.unwrap();
        }
    };
    for at in ben.messages.at_doors.lock().values_mut() {
        at.puts = DOOR_PUTS - 1;
    }
    overwrite().await;
    assert_eq!(ben.knocks(&net, later(4000)).await, 1);
    // That was the last time on this day.
    overwrite().await;
    assert_eq!(ben.knocks(&net, later(8000)).await, 0);
    assert_eq!(anna.opens(&net, later(8000)).await.received, 0);
    assert_eq!(ben.knocks(&net, later(DOOR_DAY)).await, 1);
    assert_eq!(ben.knocks(&net, later(DOOR_GIVES_UP + 1)).await, 0);
}

#[tokio::test]
async fn only_who_shows_a_card_has_signed_what_is_said() {
    let (anna, ben, net) = strangers();
    let cleo = machine(3, 0, None);
    anna.knows("Cleo", &cleo);
    let slots = anna.slots(day(NOW.secs));
    let newer = machine(3, 1, Some(&cleo.card));
    // The seed of the signing key of machine m of person p is p + 16 m.
    for (slot, sign, card) in [
        // In the name of Ben and of a contact, by somebody else.
        (0, 9, &ben.card),
        (1, 9, &cleo.card),
        // The owner's own card.
        (2, 1, &anna.card),
        // A newer card of a contact, which is not pinned.
        (3, 19, &newer.card),
    ] {
        let forged = Person::knock_of(&anna, sign, card, &slots[slot]);
        net.store.put(&forged).await.unwrap();
    }
    // To somebody else, in a slot of hers.
    let elsewhere = Person::knock_of(&cleo, 2, &ben.card, &slots[4]);
    net.store.put(&elsewhere).await.unwrap();
    let seen = anna.opens(&net, NOW).await;
    assert_eq!((seen.received, seen.skipped), (0, 5));
    assert_eq!(anna.written().len(), 0);

    // What the contact has signed is taken, and is hers.
    let good = Person::knock_of(&anna, 3, &cleo.card, &slots[5]);
    net.store.put(&good).await.unwrap();
    assert_eq!(anna.opens(&net, NOW).await.received, 1);
    let [kept] = &anna.received()[..] else {
        panic!("one message")
    };
    assert!(kept.row.contact == cleo.print() && kept.row.card.is_none());
}

#[tokio::test]
async fn a_stranger_is_kept_within_limits_forgotten_and_blocked() {
    let (anna, ben, net) = strangers();
    for nth in 0..=DOOR_KEPT.1 {
        ben.asks("Anna", &format!("{nth}"));
    }
    assert_eq!(ben.knocks(&net, NOW).await, DOOR_KEPT.1 + 1);
    let seen = anna.opens(&net, NOW).await;
    assert_eq!(seen.received, DOOR_KEPT.1);
    assert!(seen.is_door_full);
    // What is forgotten makes room, and does not come back though it stands there.
    let first = anna.received()[0].row.message.id;
    anna.messages.remove(first).unwrap();
    let seen = anna.opens(&net, NOW).await;
    assert_eq!((seen.received, seen.is_door_full), (1, false));
    assert_eq!(anna.opens(&net, NOW).await.received, 0);
    assert!(
        anna.received()
            .iter()
            .all(|kept| kept.row.message.id != first)
    );

    // Who is blocked is not heard, not told, and nothing of them is left.
    anna.contacts.block(&ben.print(), NOW).unwrap();
    anna.messages.forget_stranger(&ben.print()).unwrap();
    assert_eq!(anna.received().len(), 0);
    assert_eq!(anna.sends(&net, NOW).await, Sending::default());
    assert!(anna.messages.correspondent(&ben.print()).unwrap().is_none());
    ben.asks("Anna", "once more");
    assert_eq!(ben.knocks(&net, later(1)).await, 1);
    let seen = anna.opens(&net, NOW).await;
    assert_eq!((seen.received, seen.skipped), (0, DOOR_KEPT.1 + 2));
    // Not as a contact either, until he is let in again.
    anna.knows("Ben", &ben);
    ben.sends(&net, NOW).await;
    assert_eq!(anna.collects(&net, NOW).await.received, 0);
    anna.contacts.unblock(&ben.print()).unwrap();
    assert!(anna.contacts.unblock(&ben.print()).is_err());
    assert!(anna.collects(&net, NOW).await.received > 0);
}

#[test]
fn ten_thousand_junk_slots_cost_little() {
    let (anna, ben, _) = strangers();
    let slot = &anna.slots(day(NOW.secs))[0];
    let own = anna.print();
    let mut junk = [7; PAYLOAD_MAX];
    let begun = Instant::now();
    for nth in 0..10_000_u64 {
        junk[..8].copy_from_slice(&nth.to_le_bytes());
        assert!(!has_work(&junk, slot.place()));
        assert!(anna.messages.heard(&junk, slot, &own).unwrap().is_none());
    }
    let idle = begun.elapsed();
    // One for which the work was done costs as much as opening it, and whoever sends it the work.
    let worked = Instant::now();
    let forged = Person::knock_of(&anna, 9, &ben.card, slot);
    let spent = worked.elapsed();
    let opening = Instant::now();
    for _ in 0..100 {
        let heard = anna.messages.heard(forged.payload(), slot, &own);
        assert!(heard.unwrap().is_none());
    }
    let opened = opening.elapsed() / 100;
    println!("10 000 without work: {idle:?}; work: {spent:?}; opening one: {opened:?}");
    assert!(idle.as_millis() < 2000, "{idle:?}");
    assert!(opened * 10 < spent, "{opened:?} {spent:?}");
    assert_eq!(DOOR_BODY_LEN, 2888);
}
