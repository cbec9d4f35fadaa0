//! What is kept of messages.

use std::time::Instant;

use super::*;
use crate::format::rows::forgotten_message;
use crate::share::messages::door::day;
use crate::types::limits::{DOOR_DAY, MAIL_FORGOTTEN};

#[test]
fn a_message_is_found_by_the_beginning_of_its_id() {
    let (_, ben, _) = two();
    let ids = [0; 40].map(|_: u8| ben.asks("Anna", "x"));
    for id in ids {
        let whole = hex::encode(id.0);
        assert!(ben.messages.one(&whole).unwrap().row.message.id == id);
        let found = ben.messages.one(&hex::encode_upper(&id.0[..4])).unwrap();
        assert!(found.row.message.id == id);
    }
    for none in ["", "abc", "xyz1", "0x12", &"0".repeat(33)] {
        assert!(
            matches!(ben.messages.one(none), Err(MessageError::NoId(_))),
            "{none}"
        );
    }
    assert!(matches!(
        ben.messages.one("00000000"),
        Err(MessageError::Unknown(_))
    ));
    let twin = |last: u8| {
        let mut id = [0xab; 16];
        id[15] = last;
        *ben.messages.random.lock() = Box::new(move |bytes: &mut [u8]| {
            bytes.copy_from_slice(&id[..bytes.len()]);
            Ok(())
        });
        ben.asks("Anna", "x")
    };
    twin(1);
    twin(2);
    let ambiguous = ben.messages.one("abababab");
    assert!(matches!(ambiguous, Err(MessageError::Ambiguous(_))));
    let whole = format!("{}01", "ab".repeat(15));
    assert!(ben.messages.one(&whole).is_ok());
}

#[tokio::test]
async fn a_state_never_goes_back() {
    let (anna, ben, net) = two();
    let id = ben.asks("Anna", "x");
    let own = ben.messages.mark(id, MessageState::Seen);
    assert!(matches!(own, Err(MessageError::Own(_))));
    ben.sends(&net, NOW).await;
    anna.collects(&net, NOW).await;
    let steps = [
        (MessageState::Seen, MessageState::Seen),
        (MessageState::New, MessageState::Seen),
        (MessageState::Accepted, MessageState::Accepted),
        (MessageState::Answered, MessageState::Accepted),
    ];
    for (marked, then) in steps {
        anna.messages.mark(id, marked).unwrap();
        assert_eq!(anna.received()[0].row.state, then);
    }
    assert!(anna.messages.mark(id, MessageState::Sent).is_err());
    let unknown = anna.messages.mark(MessageId([0; 16]), MessageState::Seen);
    assert!(matches!(unknown, Err(MessageError::Unknown(_))));
}

#[test]
fn only_what_they_wrote_is_answered() {
    let (_anna, ben, _) = two();
    let own = ben.asks("Anna", "x");
    let anna_there = ben.contacts.named("Anna").unwrap();
    for id in [own, MessageId([7; 16])] {
        let denied = MessageBody::Denied { why: plain("") };
        let posted = ben.messages.post(&anna_there, denied, Some(id), NOW);
        assert!(matches!(posted, Err(MessageError::Unknown(_))));
    }
    assert_eq!(ben.written().len(), 1);
}

#[test]
fn without_a_card_with_its_keys_a_pod_writes_nothing() {
    let (_, ben, _) = two();
    let other = machine(2, 1, Some(&ben.card));
    ben.contacts.use_own(&other.card).unwrap();
    let anna = ben.contacts.named("Anna").unwrap();
    let posted = ben.messages.post(&anna, request("x"), None, NOW);
    assert!(matches!(posted, Err(MessageError::NoCard)));
}

#[tokio::test]
async fn a_flood_is_refused_and_told() {
    let (anna, ben, net) = two();
    let pair = ben.pair("Anna");
    let feed = pair.feed(Way::Sent, week_of(NOW));
    for number in 0..=MESSAGES_KEPT_MAX as u64 {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let message = Message {
            id: MessageId(id),
            time: NOW,
            answers: None,
            body: request("flood"),
        };
        let seed = Secret::from_bytes(blake3::hash(&id).as_bytes());
        let sealed = pair.seal(&ben.messages.keys(), &message, &feed.place(number), seed);
        let chunk = feed.chunk(number, &sealed.unwrap()).unwrap();
        net.store.put(&chunk).await.unwrap();
    }
    let mut rounds = 0;
    let full = loop {
        let read = anna.collects(&net, NOW).await;
        rounds += 1;
        if !read.full.is_empty() {
            break read.full;
        }
    };
    assert!(rounds > 1, "not everything in one go");
    assert!(full.len() == 1 && full[0].as_str() == "Ben");
    assert_eq!(anna.received().len(), MESSAGES_KEPT_MAX);
    // What is forgotten makes room, and does not come back.
    let first = anna.received()[0].row.message.id;
    anna.messages.remove(first).unwrap();
    let read = anna.collects(&net, NOW).await;
    assert!(read.received == 1 && read.full.is_empty());
    assert!(
        anna.received()
            .iter()
            .all(|kept| kept.row.message.id != first)
    );
}

#[test]
fn ten_thousand_messages_are_listed_at_once() {
    let (anna, ben, _) = two();
    let print = Fingerprint::of(&ben.card.card().identity);
    for number in 0..10_000_u64 {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_le_bytes());
        let row = MessageRow {
            epoch: 0,
            contact: print,
            since: NOW,
            state: MessageState::New,
            place: Some(crate::format::rows::FeedPlace::default()),
            card: None,
            sealed: None,
            recorded: false,
            message: Message {
                id: MessageId(id),
                time: NOW,
                answers: None,
                body: request(&"for the treatment ".repeat(40)),
            },
        };
        anna.messages.put(Way::Received, number + 1, &row).unwrap();
    }
    let begun = Instant::now();
    let (mut after, mut listed) = (0, 0);
    while let Some(last) = anna.messages.all(Way::Received, after, 8).unwrap().last() {
        listed += last.number - after;
        after = last.number;
    }
    let one = anna.messages.one("0f27").unwrap();
    assert_eq!((listed, one.number), (10_000, 10_000));
    let took = begun.elapsed();
    println!("10 000 messages in {took:?}");
    assert!(took.as_millis() < 1000, "{took:?}");
}

/// What was answered is there after the end of the process, and is read as it was.
#[tokio::test]
async fn another_ledger_says_the_same() {
    let (anna, ben, net) = two();
    let id = ben.asks("Anna", "one");
    ben.asks("Anna", "two");
    ben.sends(&net, NOW).await;
    anna.collects(&net, NOW).await;
    *anna.messages.ledger.lock() = None;
    anna.messages.readings.lock().clear();
    // The week may be read again, and nothing is kept twice.
    let read = anna.collects(&net, NOW).await;
    assert_eq!((read.received, read.repeated), (0, 2));
    assert!(anna.messages.one(&hex::encode(id.0)).is_ok());
    assert_eq!(anna.purposes(), ["one", "two"]);
}

/// What was forgotten stays away though its feed is read from its beginning; only for as long as a feed can be.
#[tokio::test]
async fn what_was_forgotten_does_not_come_back() {
    let (anna, ben, net) = two();
    for purpose in ["one", "two"] {
        ben.asks("Anna", purpose);
    }
    ben.sends(&net, NOW).await;
    anna.collects(&net, NOW).await;
    let id = anna.received()[0].row.message.id;
    anna.messages.remove(id).unwrap();
    let rows = |day| {
        let (first, last) = Key::forgotten_until(day);
        anna.messages.rows.scan(&first, &last, 9).unwrap()
    };
    let [(key, row)] = &rows(u32::MAX)[..] else {
        panic!("one row")
    };
    assert!(forgotten_message(key, row).is_ok_and(|it| it == id));
    *anna.messages.ledger.lock() = None;
    anna.messages.readings.lock().clear();
    let read = anna.collects(&net, NOW).await;
    assert_eq!((read.received, read.repeated), (0, 2));
    assert_eq!(anna.purposes(), ["two"]);

    let over = later(i64::from(MAIL_FORGOTTEN) * DOOR_DAY);
    ben.asks("Anna", "three");
    ben.sends(&net, over).await;
    anna.collects(&net, over).await;
    let newest = anna.received().pop().unwrap();
    anna.messages.remove(newest.row.message.id).unwrap();
    assert!(rows(day(NOW.secs)).is_empty() && rows(u32::MAX).len() == 1);
}
