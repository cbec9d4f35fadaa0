use super::*;
use crate::format::audit::{Checkpoint, SignedCheckpoint, Witness};
use crate::format::rows::MessageState;

/// Of Anna's audit log.
fn checkpoint(size: u64) -> SignedCheckpoint {
    let checkpoint = Checkpoint {
        origin: [1; 32],
        size,
        root: [2; 32],
        time: NOW,
        previous: [u8::from(size > 1); 32],
    };
    checkpoint.sign(&Secret::from_bytes(&[1; 32]))
}

impl Person {
    fn countersigns(&self, other: &Self, size: u64) {
        let print = Fingerprint::of(&other.card.card().identity);
        let said = self.messages.countersign(&print, checkpoint(size), NOW);
        said.unwrap();
    }

    fn witness(&self) -> Witness {
        let [kept] = self.received().try_into().ok().unwrap();
        let MessageBody::Witness(witness) = kept.row.message.body else {
            panic!("no witness");
        };
        *witness
    }
}

#[tokio::test]
async fn what_is_countersigned_when_keys_are_replaced_is_signed_with_the_new_ones() {
    let (anna, ben, net) = two();
    ben.countersigns(&anna, 3);
    let newer = ben.replaces_keys(2, 1).await;
    let found = Found::alone(newer.clone());
    let name = ContactName::parse("Ben").unwrap();
    anna.contacts.pin(&name, &found, NOW).unwrap();
    ben.sends(&net, NOW).await;
    assert_eq!(anna.collects(&net, NOW).await.received, 1);
    let witness = anna.witness();
    assert_eq!(
        (witness.key, witness.seen),
        (newer.card().sign, checkpoint(3))
    );
    assert!(witness.is_signed());
}

#[tokio::test]
async fn what_somebody_else_countersigned_is_not_taken() {
    let (anna, ben, net) = two();
    let contact = ben.contacts.named("Anna").unwrap();
    let print = |person: &Person| Fingerprint::of(&person.card.card().identity).0;
    let pair = ben.pair("Anna");
    let keys = ben.messages.keys();
    let own = Secret::from_bytes(&[2; 32]);
    let wrong = [
        (print(&ben), Secret::from_bytes(&[7; 32])),
        (print(&anna), own),
    ];
    for (index, (who, seed)) in (0..).zip(wrong) {
        let witness = Witness::sign(checkpoint(3), who, &seed);
        let message = Message {
            id: MessageId([u8::try_from(index).unwrap(); 16]),
            time: NOW,
            answers: None,
            body: MessageBody::Witness(Box::new(witness)),
        };
        let feed = pair.feed(Way::Sent, week_of(NOW));
        let seed = Secret::from_bytes(&[9; 32]);
        let sealed = pair.seal(&keys, &message, &feed.place(index), seed);
        let chunk = feed.chunk(index, &sealed.unwrap()).unwrap();
        net.store.put(&chunk).await.unwrap();
    }
    ben.messages
        .post(&contact, request("after"), None, NOW)
        .unwrap();
    ben.sends(&net, NOW).await;
    let read = anna.collects(&net, NOW).await;
    assert_eq!((read.skipped, read.received), (2, 1));
}

#[tokio::test]
async fn one_thing_is_said_of_a_log_at_a_time() {
    let (anna, ben, net) = two();
    let told = |person: &Person| {
        let told = person.messages.told_of_logs().unwrap();
        let told = told.values().next().unwrap();
        (told.state, told.seen)
    };
    ben.countersigns(&anna, 3);
    ben.countersigns(&anna, 4);
    assert_eq!(ben.written().len(), 1);
    assert_eq!(told(&ben), (MessageState::Unsent, checkpoint(4)));
    ben.sends(&net, NOW).await;
    assert_eq!(told(&ben), (MessageState::Sent, checkpoint(4)));
    anna.collects(&net, NOW).await;
    assert_eq!(anna.witness().seen, checkpoint(4));
}
