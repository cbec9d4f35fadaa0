use std::time::Duration;

use super::*;
use crate::share::messages::Way;

#[tokio::test]
async fn a_record_that_is_refused_keeps_no_other_back() {
    let anna = Machine::new();
    let (refused, other) = (anna.shares(1), anna.shares(2));
    anna.refuses(&refused, 0, Rejection::NoSpace);
    let node = Arc::clone(&anna.node);
    anna.sharing.send_records(&*node).await.unwrap();
    assert!(anna.finds(&refused).await.is_none());
    assert_eq!(anna.finds(&other).await.unwrap().0, 0);
    let report = anna.sharing.given_report(&refused).unwrap();
    let trouble = report.trouble.unwrap();
    assert!(trouble.starts_with("it is not sent: "), "{trouble}");
    assert_eq!(anna.sharing.given_report(&other).unwrap().trouble, None);
    node.refuse.lock().clear();
    anna.sharing.send_records(&*node).await.unwrap();
    assert_eq!(anna.finds(&refused).await.unwrap().0, 0);
    assert_eq!(anna.sharing.given_report(&refused).unwrap().trouble, None);
}

#[tokio::test]
async fn an_end_that_a_node_took_and_lost_is_sent_again() {
    let anna = Machine::new();
    let (given, node) = (anna.shares(1), Arc::clone(&anna.node));
    anna.sharing.send_records(&*node).await.unwrap();
    anna.sharing.end(&given, Ended::Revoked).await.unwrap();
    node.loses.store(true, Ordering::Relaxed);
    anna.sharing.send_records(&*node).await.unwrap();
    assert_eq!(anna.finds(&given).await.unwrap().0, 0);
    assert!(anna.sharing.given_report(&given).unwrap().trouble.is_some());
    node.loses.store(false, Ordering::Relaxed);
    anna.sharing.send_records(&*node).await.unwrap();
    let record = anna.finds(&given).await.unwrap().1;
    assert!(record.state == RecordState::Ended(Ended::Revoked));
    assert_eq!(anna.sharing.given_report(&given).unwrap().trouble, None);
}

#[tokio::test]
async fn where_the_batch_has_no_room_the_next_index_is_taken() {
    let anna = Machine::new();
    let given = anna.shares(1);
    let full = |index| anna.refuses(&given, index, Rejection::BucketFull(Address([0; 32])));
    full(0);
    full(1);
    let node = Arc::clone(&anna.node);
    anna.sharing.send_records(&*node).await.unwrap();
    let (index, record) = anna.finds(&given).await.unwrap();
    assert_eq!((index, record.index, record.previous), (2, 2, [0; 32]));
    // No further than whoever follows looks.
    assert_eq!(anna.publishes(&given, 2), Told::Made);
    (3..9).for_each(full);
    anna.sharing.send_records(&*node).await.unwrap();
    anna.sharing.send_records(&*node).await.unwrap();
    let trouble = anna.sharing.given_report(&given).unwrap().trouble.unwrap();
    assert!(trouble.contains("no room"), "{trouble}");
    node.refuse.lock().clear();
    anna.sharing.send_records(&*node).await.unwrap();
    let (index, record) = anna.finds(&given).await.unwrap();
    assert_eq!(index, 3 + GRANT_GAP - 1);
    assert!(record.previous != [0; 32]);
}

#[tokio::test]
async fn what_takes_the_place_of_a_shared_thing_keeps_no_other_back() {
    let anna = Machine::new();
    let given = [1, 2, 3].map(|id| anna.shares(id));
    let node = Arc::clone(&anna.node);
    anna.sharing.send_records(&*node).await.unwrap();
    let seen = |given: &Given, attributes: Attributes| {
        let place = (given.directory, given.name.clone());
        let followed = crate::sync::Followed {
            ino: given.target,
            place,
        };
        let now = followed.clone();
        (followed, Some(crate::sync::Seen { now, attributes }))
    };
    // A link stands where the first was; the second says something that no record can tell.
    let mut link = folder(given[0].target, 2);
    link.mode = 0o120_777;
    link.target = b"elsewhere".to_vec().into();
    link.directory = None;
    let mut odd = folder(given[1].target, 2);
    odd.nlink = 0;
    let last = folder(given[2].target, 2);
    let all = given.iter().zip([link, odd, last]);
    let told = all.map(|(given, attributes)| seen(given, attributes));
    anna.sharing.published(told.collect()).unwrap();
    anna.sharing.send_records(&*node).await.unwrap();
    let newest = |given| anna.finds(given);
    let first = newest(&given[0]).await.unwrap().1;
    assert!(first.state == RecordState::Ended(Ended::Gone));
    assert_eq!(newest(&given[1]).await.unwrap().0, 0);
    assert_eq!(newest(&given[2]).await.unwrap().0, 1);
    let report = anna.sharing.given_report(&given[1]).unwrap();
    let trouble = report.trouble.unwrap();
    assert!(trouble.contains("not told"), "{trouble}");
}

#[tokio::test]
async fn nothing_is_told_after_a_revocation_or_the_end_of_the_time() {
    let anna = Machine::new();
    let node = Arc::clone(&anna.node);
    let revoked = anna.shares(1);
    let sent = anna.shares(2);
    anna.sharing.send_records(&*node).await.unwrap();
    assert_eq!(anna.publishes(&sent, 2), Told::Made);
    // What waits to be sent is not sent any more.
    let never_sent = anna.shares(3);
    let chunk = anna.sharing.given.unsent(&never_sent, at(10)).unwrap();
    let chunk = chunk.unwrap().chunk;
    for given in [&revoked, &sent, &never_sent] {
        anna.sharing.end(given, Ended::Revoked).await.unwrap();
    }
    anna.sharing.send_records(&*node).await.unwrap();
    for (given, index) in [(&revoked, 1), (&sent, 2), (&never_sent, 1)] {
        let (found, record) = anna.finds(given).await.unwrap();
        assert_eq!((found, record.index), (index, index));
        assert!(record.state == RecordState::Ended(Ended::Revoked));
    }
    assert!(!node.has(chunk.address()).await.unwrap());

    let until = Terms {
        until: Some(100),
        ..terms()
    };
    let given = anna.gives(4, until);
    anna.sharing.given.is_offered(&given).unwrap();
    assert_eq!(anna.publishes(&given, 1), Told::Made);
    anna.now.store(100, Ordering::Relaxed);
    // Neither what waits nor what is published now.
    anna.sharing.send_records(&*node).await.unwrap();
    assert!(anna.finds(&given).await.is_none());
    assert_eq!(anna.publishes(&given, 2), Told::Already);
    anna.sharing.keep_time().await.unwrap();
    anna.sharing.send_records(&*node).await.unwrap();
    let record = anna.finds(&given).await.unwrap().1;
    assert!(record.state == RecordState::Ended(Ended::Expired));
}

#[tokio::test]
async fn a_request_is_answered_by_what_is_handed_over_later() {
    let mut anna = Machine::new();
    let asked = anna.writes(BEN, MessageBody::Request(request()));
    let later = Terms {
        from: Some(100),
        ..terms()
    };
    for (id, answers) in [(1, asked), (2, MessageId([0x77; 16]))] {
        let given = Given {
            answers: Some(answers),
            ..Machine::grant_of(id, later.clone())
        };
        anna.sharing.given.give(&given).unwrap();
    }
    anna.sharing.keep_time().await.unwrap();
    assert_eq!(anna.says(1), ("waiting".to_owned(), None));
    anna.now.store(100, Ordering::Relaxed);
    anna.sharing.keep_time().await.unwrap();
    let sent = anna.sharing.messages.all(Way::Sent, 0, 9).unwrap();
    let answers: Vec<_> = sent.iter().map(|sent| sent.row.message.answers).collect();
    // What the other one answers is not kept any more.
    assert_eq!(answers, [Some(asked), None]);
    let asked = anna.sharing.messages.one(&hex::encode(asked.0)).unwrap();
    assert_eq!(asked.row.state, MessageState::Answered);
    for id in [1, 2] {
        assert_eq!(anna.says(id), ("active".to_owned(), None));
        let given = anna.sharing.given.find(&[id; 16]).unwrap().unwrap();
        assert_eq!(given.answers, None);
    }
}

#[tokio::test]
async fn what_cannot_be_handed_over_waits_and_says_why() {
    let anna = Machine::with_card(false);
    anna.gives(1, terms());
    anna.sharing.keep_time().await.unwrap();
    let (state, why) = anna.says(1);
    assert_eq!(state, "waiting");
    let why = why.unwrap();
    assert!(why.contains("this pod has no card"), "{why}");
    let ben = anna.sharing.people.contacts().named("Ben").unwrap();
    let admitted = anna.sharing.messages.admits(&ben);
    assert!(matches!(admitted, Err(MessageError::NoCard)));
    anna.sharing.people.contacts().remove("Ben").unwrap();
    anna.sharing.keep_time().await.unwrap();
    let why = anna.says(1).1.unwrap();
    assert!(why.contains("a contact no more"), "{why}");
}

/// A network that does not answer keeps what others share away, and nothing else back.
#[tokio::test(start_paused = true)]
async fn a_grant_ends_in_time_while_the_network_is_silent() {
    let anna = Machine::new();
    let until = Terms {
        until: Some(100),
        ..terms()
    };
    let given = anna.gives(1, until);
    anna.sharing.given.is_offered(&given).unwrap();
    for id in 10..30 {
        let received = &anna.sharing.received;
        received
            .arrives(print(BEN), grant([id; 16]), (0, at(5)))
            .unwrap();
        received.accept(&[id; 16], &terms().name).unwrap();
    }
    anna.node.is_silent.store(true, Ordering::Relaxed);
    anna.sharing.people.reconciliation().look();
    anna.sharing.start(&Handle::current());
    tokio::time::sleep(Duration::from_secs(5)).await;
    anna.now.store(100, Ordering::Relaxed);
    tokio::time::sleep(SHARING_TICK * 2).await;
    assert_eq!(anna.says(1).0, "expired");
    // Several are looked for at once: all of them soon.
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(anna.sharing.troubles.lock().len(), 20);
}
