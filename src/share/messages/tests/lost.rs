//! What the network does to messages.

use super::*;

fn unreachable() -> Faults {
    Faults {
        unreachable: 1000,
        ..Faults::default()
    }
}

#[tokio::test]
async fn what_is_sent_again_is_the_same_bytes() {
    let (anna, ben, net) = two();
    ben.asks("Anna", "treatment");
    for faults in [
        Faults {
            refused: 1000,
            ..Faults::default()
        },
        Faults {
            accepted_and_lost: 1000,
            ..Faults::default()
        },
    ] {
        net.faults(faults);
        let sending = ben.sends(&net, NOW).await;
        assert_eq!((sending.sent, sending.waiting), (0, 1));
        assert!(sending.why.is_some());
    }
    // The effect without the answer: it is found there.
    net.faults(Faults {
        lost_replies: 1000,
        ..Faults::default()
    });
    assert_eq!(ben.sends(&net, later(60)).await.sent, 0);
    net.faults(Faults::default());
    assert_eq!(ben.sends(&net, later(120)).await.sent, 1);
    let put = net.chunks();
    assert_eq!(put.len(), 3);
    assert!(put.iter().all(|chunk| chunk.bytes() == put[0].bytes()));
    assert_eq!(anna.collects(&net, NOW).await.received, 1);
}

#[tokio::test]
async fn an_outage_is_neither_an_empty_feed_nor_a_free_place() {
    let (anna, ben, net) = two();
    for purpose in ["one", "two"] {
        ben.asks("Anna", purpose);
    }
    net.faults(unreachable());
    let sending = ben.sends(&net, NOW).await;
    assert_eq!((sending.sent, sending.waiting), (0, 2));
    assert!(net.chunks().is_empty());
    assert!(ben.written()[0].row.sealed.is_none());
    net.faults(Faults::default());
    assert_eq!(ben.sends(&net, NOW).await.sent, 2);
    // Weeks go by; nobody answers for any of them.
    net.faults(unreachable());
    for weeks in [0, 1, 2, 3] {
        for seconds in [0, MAIL_SURE + 1] {
            let read = anna
                .collects(&net, later(weeks * MAIL_WEEK + seconds))
                .await;
            let is_outage = matches!(read.silent, Some(StoreError::Unavailable { .. }));
            assert!(is_outage && read.received == 0);
        }
    }
    net.faults(Faults::default());
    let read = anna.collects(&net, later(3 * MAIL_WEEK)).await;
    assert!(read.received == 2 && read.silent.is_none());
    assert_eq!(anna.purposes(), ["one", "two"]);
}

/// Nodes say "not found" of what is there. A feed that is over is asked for twice, some time apart.
#[tokio::test]
async fn one_miss_does_not_end_a_feed() {
    let (anna, ben, net) = two();
    ben.asks("Anna", "treatment");
    ben.sends(&net, NOW).await;
    let away = later(3 * MAIL_WEEK);
    let missing = Faults {
        not_found: 1000,
        ..Faults::default()
    };
    net.faults(missing.clone());
    assert_eq!(anna.collects(&net, away).await.received, 0);
    net.faults(Faults::default());
    assert_eq!(
        anna.collects(&net, later(3 * MAIL_WEEK + 60))
            .await
            .received,
        1
    );

    // When it was empty twice it is left, and what comes there later is not read.
    ben.asks("Anna", "late");
    let week = ben.pair("Anna").feed(Way::Sent, week_of(NOW));
    let message = ben.written()[1].row.message.clone();
    for seconds in [120, 120 + MAIL_SURE] {
        anna.collects(&net, later(3 * MAIL_WEEK + seconds)).await;
    }
    let seed = Secret::from_bytes(&[9; 32]);
    let sealed = ben
        .pair("Anna")
        .seal(&ben.messages.keys(), &message, &week.place(1), seed);
    let chunk = week.chunk(1, &sealed.unwrap()).unwrap();
    net.store.put(&chunk).await.unwrap();
    assert_eq!(
        anna.collects(&net, later(3 * MAIL_WEEK + 2000))
            .await
            .received,
        0
    );
    // Ben's machine knows that it is too late for that week, and takes the one that is now.
    assert_eq!(ben.sends(&net, later(3 * MAIL_WEEK + 2000)).await.sent, 1);
    assert_eq!(
        anna.collects(&net, later(3 * MAIL_WEEK + 2000))
            .await
            .received,
        1
    );
    assert_eq!(anna.purposes(), ["treatment", "late"]);
}

/// What a node took and lost is nothing that others can bring. Those behind it are read once it is sure to be gone.
#[tokio::test]
async fn a_message_that_is_lost_hides_none_behind_it() {
    let (anna, ben, net) = two();
    for purpose in ["one", "lost", "lost too", "four"] {
        ben.asks("Anna", purpose);
    }
    assert_eq!(ben.sends(&net, NOW).await.sent, 4);
    let (left, chunks) = (Net::new(), net.chunks());
    for at in [0, 3] {
        left.store.put(&chunks[at]).await.unwrap();
    }
    let mut received = 0;
    for seconds in [0, 60, MAIL_SURE - 1] {
        received += anna.collects(&left, later(seconds)).await.received;
    }
    assert_eq!(received, 1, "a node may have been late");
    assert_eq!(anna.collects(&left, later(MAIL_SURE)).await.received, 1);
    assert_eq!(anna.purposes(), ["one", "four"]);

    // Behind the last one it is looked as often, and as long as somebody does not answer the feed is not left.
    ben.asks("Anna", "five");
    ben.asks("Anna", "six");
    assert_eq!(ben.sends(&net, NOW).await.sent, 2);
    let last = net.chunks().pop().unwrap();
    for seconds in [2, 3 * MAIL_SURE] {
        anna.collects(&left, later(MAIL_SURE + seconds)).await;
    }
    left.store.put(&last).await.unwrap();
    let soon = later(4 * MAIL_SURE + MAIL_SURE - 1);
    assert_eq!(anna.collects(&left, soon).await.received, 0);
    let over = later(3 * MAIL_WEEK);
    left.faults(unreachable());
    assert!(anna.collects(&left, over).await.silent.is_some());
    left.faults(Faults::default());
    assert_eq!(anna.collects(&left, over).await.received, 1);
    assert_eq!(anna.purposes(), ["one", "four", "six"]);
}

/// Sealed and perhaps put in one week, and seen only in a later one: it is kept once.
#[tokio::test]
async fn what_was_not_seen_in_its_week_goes_to_the_next() {
    for lost in [true, false] {
        let (anna, ben, net) = two();
        ben.asks("Anna", "treatment");
        net.faults(Faults {
            accepted_and_lost: if lost { 1000 } else { 0 },
            lost_replies: if lost { 0 } else { 1000 },
            ..Faults::default()
        });
        assert_eq!(ben.sends(&net, NOW).await.waiting, 1);
        net.faults(Faults::default());
        assert_eq!(ben.sends(&net, later(MAIL_WEEK)).await.sent, 1);
        assert_eq!(net.chunks().len(), if lost { 2 } else { 1 });
        let read = anna.collects(&net, later(MAIL_WEEK)).await;
        assert_eq!((read.received, read.repeated), (1, 0));
    }
}

/// Two machines of one person write at the same time and find each other's messages at their places.
#[tokio::test]
async fn two_machines_share_a_feed() {
    let (anna, ben, net) = two();
    let other = machine(2, 0, None);
    other.knows("Anna", &anna);
    // Their random numbers differ, as those of machines do.
    *other.messages.random.lock() = {
        let mut count = 0_u64;
        Box::new(move |bytes: &mut [u8]| {
            count += 1;
            bytes.copy_from_slice(&blake3::hash(&count.to_be_bytes()).as_bytes()[..bytes.len()]);
            Ok(())
        })
    };
    for round in 0..3 {
        ben.asks("Anna", &format!("one {round}"));
        other.asks("Anna", &format!("other {round}"));
        if round == 1 {
            // What was sealed for a place that the other one took meanwhile is sealed anew.
            net.faults(unreachable_puts());
            ben.sends(&net, NOW).await;
            net.faults(Faults::default());
        }
        other.sends(&net, NOW).await;
        assert_eq!(ben.sends(&net, NOW).await.sent, 1);
    }
    anna.collects(&net, NOW).await;
    assert_eq!(
        anna.purposes(),
        ["other 0", "one 0", "other 1", "one 1", "other 2", "one 2"]
    );
}

fn unreachable_puts() -> Faults {
    Faults {
        refused: 1000,
        ..Faults::default()
    }
}
