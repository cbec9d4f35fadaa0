//! Who finds what, and what is believed of it.

use super::*;
use crate::crypto::message::MessagePayload;
use crate::crypto::swarm::PAYLOAD_MAX;
use crate::format::rows::FeedPlace;

#[tokio::test]
async fn a_message_arrives_and_is_answered() {
    let (anna, ben, net) = two();
    let id = ben.asks("Anna", "treatment");
    assert_eq!(ben.written()[0].row.state, MessageState::Unsent);
    assert_eq!(ben.sends(&net, NOW).await.sent, 1);
    let sent = &ben.written()[0].row;
    assert!(sent.state == MessageState::Sent && sent.sealed.is_none());
    assert_eq!(anna.collects(&net, NOW).await.received, 1);
    assert_eq!(anna.purposes(), ["treatment"]);
    let asked = anna.messages.one(&hex::encode(&id.0[..2])).unwrap();
    assert!(asked.row.state == MessageState::New && asked.row.message.id == id);

    let denied = MessageBody::Denied { why: plain("no") };
    let who = anna.messages.contact(&asked.row.contact).unwrap().unwrap();
    assert_eq!(who.name.as_str(), "Ben");
    anna.messages.post(&who, denied, Some(id), NOW).unwrap();
    assert_eq!(anna.received()[0].row.state, MessageState::Answered);
    anna.sends(&net, NOW).await;
    ben.collects(&net, NOW).await;
    let answer = ben.messages.answer_to(&ben.written()[0]).unwrap().unwrap();
    assert!(
        matches!(&answer.row.message.body, MessageBody::Denied { why } if why.as_str() == "no")
    );
    // Nothing more, and nothing twice.
    let again = anna.collects(&net, NOW).await;
    assert_eq!((again.received, again.repeated, again.skipped), (0, 0, 0));
    assert_eq!(net.chunks().len(), 2);
}

#[tokio::test]
async fn messages_come_in_their_order_over_the_end_of_a_week() {
    let (anna, ben, net) = two();
    let end = MAIL_WEEK / 2;
    for (number, seconds) in [0, 1, end - 10, end + 10, end + 20].into_iter().enumerate() {
        ben.asks("Anna", &number.to_string());
        assert_eq!(ben.sends(&net, later(seconds)).await.sent, 1);
    }
    // A clock that is a bit behind looks at the week that is to come.
    anna.collects(&net, later(end - 3600)).await;
    assert_eq!(anna.purposes(), ["0", "1", "2", "3", "4"]);
    // And somebody who was away for long sees all of it.
    let away = machine(1, 0, None);
    let ben_once = ben.card.clone();
    let name = ContactName::parse("Ben").unwrap();
    away.contacts
        .pin(&name, &Found::alone(ben_once), NOW)
        .unwrap();
    away.collects(&net, later(30 * MAIL_WEEK)).await;
    assert_eq!(away.purposes(), ["0", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn nobody_else_opens_it_or_writes_in_its_name() {
    let (anna, ben, net) = two();
    let eve = machine(3, 0, None);
    ben.asks("Anna", "treatment");
    ben.sends(&net, NOW).await;
    // The keys of everybody but Anna do not even find the place; given the place, they do not open it.
    let (theirs, ours) = (ben.pair("Anna"), anna.pair("Ben"));
    let feed = ours.feed(Way::Received, week_of(NOW));
    let chunk = net.store.get(feed.address(0)).await.unwrap();
    let place = feed.place(0);
    let opens = |keys: &MessageKeys| ours.open(keys, chunk.payload(), &place).is_some();
    assert!(opens(&anna.messages.keys()));
    assert!(!opens(&eve.messages.keys()) && !opens(&ben.messages.keys()));
    // It is that of the own direction.
    assert_eq!(
        theirs.feed(Way::Sent, week_of(NOW)).address(0),
        feed.address(0)
    );
    assert_ne!(
        theirs.feed(Way::Received, week_of(NOW)).address(0),
        feed.address(0)
    );

    // Anna can sign for this place too; what she puts there is not from Ben.
    let message = ben.written()[0].row.message.clone();
    let at = feed.place(1);
    let forged = anna.pair("Ben").seal(
        &anna.messages.keys(),
        &message,
        &at,
        Secret::from_bytes(&[1; 32]),
    );
    let moved: MessagePayload = chunk.payload().try_into().unwrap();
    for (index, payload) in [(1, *forged.unwrap()), (2, moved), (3, [0; PAYLOAD_MAX])] {
        let chunk = feed.chunk(index, &payload).unwrap();
        net.store.put(&chunk).await.unwrap();
    }
    let read = anna.collects(&net, NOW).await;
    assert_eq!((read.received, read.skipped), (1, 3));
    assert_eq!(anna.purposes(), ["treatment"]);
}

/// Who is not one of the two has no key for the place: what stands there is signed by another owner, or is no chunk of it.
#[tokio::test]
async fn outsiders_cannot_take_a_place() {
    let (anna, _ben, _) = two();
    let eve = machine(3, 0, None);
    eve.knows("Anna", &anna);
    let feed = anna.pair("Ben").feed(Way::Received, week_of(NOW));
    let (address, place) = (feed.address(0), feed.place(0));
    // Even with the owner and the topic known, her chunk under the same identifier stands elsewhere.
    let id = SocId::of_update(&place.topic, 0);
    let signer = root(3)
        .pod(&root(3).pod_id(0), 0)
        .box_secret(0, 0)
        .feed_signer(0);
    let hers = SealedChunk::single_owner(&signer, &id, &[0; PAYLOAD_MAX]).unwrap();
    assert_ne!(hers.address(), address);
    assert!(SealedChunk::verified(&address, hers.bytes()).is_err());
    let theirs = eve.pair("Anna").feed(Way::Sent, week_of(NOW)).place(0);
    assert!(theirs.owner != place.owner && theirs.topic != place.topic);
}

#[tokio::test]
async fn a_message_that_was_received_is_not_received_again() {
    let (anna, ben, net) = two();
    ben.asks("Anna", "treatment");
    ben.sends(&net, NOW).await;
    anna.collects(&net, NOW).await;
    // The same message, signed anew by Ben for a later place, and once more in a later week.
    let pair = ben.pair("Anna");
    let message = ben.written()[0].row.message.clone();
    for (week, index) in [(week_of(NOW), 1), (week_of(NOW) + 1, 0)] {
        let feed = pair.feed(Way::Sent, week);
        let seed = Secret::from_bytes(&[9; 32]);
        let sealed = pair.seal(&ben.messages.keys(), &message, &feed.place(index), seed);
        let chunk = feed.chunk(index, &sealed.unwrap()).unwrap();
        net.store.put(&chunk).await.unwrap();
    }
    let again = anna.collects(&net, later(MAIL_WEEK)).await;
    assert_eq!((again.received, again.repeated), (0, 2));
    assert_eq!(anna.received().len(), 1);
}

/// What stands in the network of three people who write to each other: no owner and no topic occurs in two relations or
/// directions or weeks, none is that of a card, and all payloads are equally long.
#[tokio::test]
async fn chunks_of_different_people_have_nothing_in_common() {
    let people = [1, 2, 3].map(|person| machine(person, 0, None));
    let net = Net::new();
    for (at, one) in people.iter().enumerate() {
        for (beside, other) in people
            .iter()
            .enumerate()
            .filter(|(beside, _)| *beside != at)
        {
            one.knows(&beside.to_string(), other);
        }
    }
    // Owner, and identifiers under it.
    let mut feeds: BTreeMap<[u8; 20], BTreeSet<[u8; 32]>> = BTreeMap::new();
    let mut seen = 0;
    for week in 0..2 {
        for (at, one) in people.iter().enumerate() {
            for beside in (0..3).filter(|beside| *beside != at) {
                let before: BTreeSet<_> = feeds.keys().copied().collect();
                let mut owners = BTreeSet::new();
                for _ in 0..3 {
                    one.asks(&beside.to_string(), "treatment");
                }
                assert_eq!(one.sends(&net, later(week * MAIL_WEEK)).await.sent, 3);
                for chunk in &net.chunks()[seen..] {
                    assert_eq!(chunk.payload().len(), PAYLOAD_MAX);
                    assert!(chunk.is_single_owner());
                    let owner = soc_owner(chunk.bytes()).unwrap();
                    let id: [u8; 32] = *chunk.bytes().first_chunk().unwrap();
                    owners.insert(owner.0);
                    assert!(feeds.entry(owner.0).or_default().insert(id));
                }
                seen = net.chunks().len();
                // One feed for each, which no other relation has.
                assert_eq!(owners.len(), 1);
                assert!(owners.is_disjoint(&before));
            }
        }
    }
    assert_eq!((feeds.len(), seen), (12, 36));
    let ids: BTreeSet<_> = feeds.values().flatten().collect();
    assert_eq!(ids.len(), 36, "no identifier is used twice");
    for person in &people {
        assert!(!feeds.contains_key(&person.card.card().owner().0));
    }
    for (at, one) in people.iter().enumerate() {
        assert_eq!(
            one.collects(&net, later(MAIL_WEEK)).await.received,
            12,
            "{at}"
        );
    }
}

#[tokio::test]
async fn nothing_is_exchanged_with_a_contact_that_is_stopped() {
    let (anna, ben, net) = two();
    ben.asks("Anna", "treatment");
    ben.sends(&net, NOW).await;
    let mut forged = ben.card.card().clone();
    forged.x25519 = [9; 32];
    let chunk = sign_card(&ben.identity, 0, &forged.encode()).unwrap();
    let found = Found::alone(SignedCard::read(chunk.bytes()).unwrap());
    let name = ContactName::parse("Ben").unwrap();
    anna.contacts.pin(&name, &found, NOW).unwrap_err();
    assert_eq!(anna.collects(&net, NOW).await.received, 0);
    let stopped = anna.contacts.named("Ben").unwrap();
    let posted = anna.messages.post(&stopped, request("x"), None, NOW);
    assert!(matches!(
        posted,
        Err(MessageError::Share(ShareError::Alarm(_)))
    ));
}

/// A new machine signs with a key of its own. What it wrote before its card was pinned is not lost.
#[tokio::test]
async fn what_was_written_with_newer_keys_is_read_once_they_are_pinned() {
    let (anna, ben, net) = two();
    ben.asks("Anna", "old");
    ben.sends(&net, NOW).await;
    anna.collects(&net, NOW).await;
    let newer = machine(2, 1, Some(&ben.card));
    newer.knows("Anna", &anna);
    newer.asks("Anna", "new");
    // The place of the first message is taken: it goes to the next one.
    assert_eq!(newer.sends(&net, NOW).await.sent, 1);
    assert_eq!(
        newer.written()[0].row.place,
        Some(FeedPlace {
            week: week_of(NOW),
            index: 1
        })
    );
    assert_eq!(anna.collects(&net, NOW).await.skipped, 1);
    anna.knows("Ben", &newer);
    let read = anna.collects(&net, later(60)).await;
    assert_eq!(read.received, 1);
    assert_eq!(anna.purposes(), ["old", "new"]);
}

/// Nobody reads any more what was sealed for keys that are replaced.
#[tokio::test]
async fn what_was_not_read_before_keys_were_replaced_is_sent_again() {
    let (anna, ben, net) = two();
    let asked = anna.asks("Ben", "hers");
    anna.sends(&net, NOW).await;
    ben.collects(&net, NOW).await;
    let contact = ben.contacts.named("Anna").unwrap();
    let denied = MessageBody::Denied { why: plain("no") };
    ben.messages
        .post(&contact, denied, Some(asked), NOW)
        .unwrap();
    let his = [ben.asks("Anna", "old"), ben.asks("Anna", "new")];
    // One of long ago is not of interest any more, and one was answered.
    let weeks = i64::from(crate::types::limits::MAIL_WEEKS_BEFORE + 1) * MAIL_WEEK;
    let body = request("long ago");
    let long_ago = later(-weeks);
    ben.messages.post(&contact, body, None, long_ago).unwrap();
    assert_eq!(ben.sends(&net, NOW).await.sent, 4);
    // She has not read any of it.
    let card = anna.replaces_keys(1, 1).await;
    assert_eq!(anna.collects(&net, NOW).await.received, 0);
    let found = Found::alone(card);
    let name = ContactName::parse("Anna").unwrap();
    ben.contacts.pin(&name, &found, NOW).unwrap();
    ben.collects(&net, later(60)).await;
    assert_eq!(ben.messages.unsent().unwrap(), 3);
    assert_eq!(ben.sends(&net, later(60)).await.sent, 3);
    let read = anna.collects(&net, later(90)).await;
    assert_eq!(read.received, 3);
    let ids: Vec<_> = anna.received().iter().map(|it| it.row.message.id).collect();
    assert!(his.iter().all(|id| ids.contains(id)));
    // It is not sent a third time.
    ben.collects(&net, later(120)).await;
    assert_eq!(ben.messages.unsent().unwrap(), 0);
    // What is read and answered is left alone the next time.
    let contact = anna.contacts.named("Ben").unwrap();
    let yes = MessageBody::Denied { why: plain("no") };
    anna.messages
        .post(&contact, yes, Some(his[0]), later(120))
        .unwrap();
    anna.sends(&net, later(120)).await;
    ben.collects(&net, later(150)).await;
    let card = anna.replaces_keys(1, 2).await;
    ben.contacts.pin(&name, &Found::alone(card), NOW).unwrap();
    ben.collects(&net, later(180)).await;
    assert_eq!(ben.messages.unsent().unwrap(), 2);
}
