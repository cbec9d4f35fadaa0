use super::*;
use crate::share::messages::Way;

/// Keys of the epoch after that of a new machine, or the one after that.
fn keys(epoch: u32) -> GrantKeys {
    let secret = |epoch| {
        let secret = Secret::from_bytes(&[0x30 + u8::try_from(epoch).unwrap(); 32]);
        crate::crypto::keys::PodSecret::restore(secret).box_secret(OWN_BOX.0, OWN_BOX.1)
    };
    let first = || root(1).pod(&root(1).pod_id(0), 0);
    let before = match epoch {
        1 => first().box_secret(OWN_BOX.0, OWN_BOX.1),
        _ => secret(epoch - 1),
    };
    GrantKeys {
        epoch,
        secret: secret(epoch),
        before: Some(before),
    }
}

fn of_one_version() -> Terms {
    Terms {
        snapshot: true,
        ..terms()
    }
}

impl Machine {
    fn now(&self, id: u8) -> Given {
        self.sharing.given.find(&[id; 16]).unwrap().unwrap()
    }

    fn send(&self) -> impl Future<Output = Result<(), MessageError>> {
        self.sharing.send_records(&*self.node)
    }

    /// Handed over, as grants are.
    fn offers(&self, id: u8, terms: Terms) -> Given {
        let given = self.gives(id, terms);
        self.sharing.given.is_offered(&given).unwrap();
        given
    }

    /// Ids of the grants that messages tell of, each once.
    fn told(&self) -> BTreeSet<u8> {
        let sent = self.sharing.messages.all(Way::Sent, 0, 99).unwrap();
        assert!(sent.len() <= 4, "one message of each grant is kept");
        let sent = sent.into_iter().filter_map(|kept| {
            let MessageBody::Grant(bytes) = kept.row.message.body else {
                return None;
            };
            Some(Grant::decode(&bytes).unwrap().id[0])
        });
        sent.collect()
    }

    async fn is_replaced(&self, epoch: u32) {
        self.sharing.replace_keys(keys(epoch));
        self.sharing.move_grants().unwrap();
        self.sharing.move_versions().await.unwrap();
        self.send().await.unwrap();
    }

    /// The version that is told in the feed that counts now.
    async fn version(&self, id: u8) -> Option<u64> {
        match self.finds(&self.now(id)).await?.1.state {
            RecordState::Live(entry) => Some(entry.attributes.size),
            RecordState::Ended(_) => None,
        }
    }

    async fn is_ended(&self, id: u8) -> bool {
        let found = self.finds(&self.now(id)).await;
        found.is_some_and(|(_, record)| record.state == RecordState::Ended(Ended::Revoked))
    }
}

#[tokio::test]
async fn one_version_goes_on_with_other_keys_as_it_was_told() {
    let anna = Machine::new();
    let sent = anna.offers(1, of_one_version());
    assert_eq!(anna.publishes(&sent, 1), Told::Made);
    anna.send().await.unwrap();
    let waits = anna.offers(2, of_one_version());
    assert_eq!(anna.publishes(&waits, 1), Told::Made);
    let chunk = anna.sharing.given.unsent(&waits, at(10)).unwrap().unwrap();
    let untold = anna.offers(3, of_one_version());

    anna.sharing.replace_keys(keys(1));
    // What was sealed with the keys of before and not sent is not sent any more.
    anna.send().await.unwrap();
    assert!(!anna.node.has(chunk.chunk.address()).await.unwrap());
    // Without the network nobody knows what was told.
    let none = Endpoints::new(Vec::new(), Patience::default());
    anna.publishing().sources().set(none);
    anna.sharing.move_versions().await.unwrap();
    assert!(anna.says(1).1.unwrap().contains("other keys"));
    assert_eq!((anna.now(1).epochs.own, anna.now(2).epochs.own), (0, 1));
    anna.publishing().sources().set(anna.endpoints());
    for epoch in [1, 2] {
        anna.is_replaced(epoch).await;
        assert_eq!(anna.told(), BTreeSet::from([1, 2, 3]));
        assert_eq!(anna.says(1), ("active".to_owned(), None));
        // Only what was told of nothing is told of the next publication.
        let all = anna.sharing.given.followed().unwrap();
        let all: Vec<_> = all.iter().map(|given| given.id[0]).collect();
        assert_eq!(all, if epoch == 1 { vec![3] } else { vec![] });
        if epoch == 1 {
            assert_eq!(anna.publishes(&untold, 2), Told::Made);
            anna.send().await.unwrap();
        }
        for (id, version) in [(1, 1), (2, 1), (3, 2)] {
            assert_eq!(anna.now(id).epochs.own, epoch);
            assert_eq!(anna.version(id).await, Some(version), "{id} in {epoch}");
        }
    }
}

/// Who has the old keys writes where what was told stands, and that is told to nobody.
#[tokio::test]
async fn what_another_wrote_with_the_old_keys_does_not_go_on() {
    let anna = Machine::new();
    let given = anna.offers(1, of_one_version());
    let other = Machine::new();
    other.offers(1, of_one_version());
    assert_eq!(other.publishes(&given, 7), Told::Made);
    let forged = other.sharing.given.unsent(&given, at(10)).unwrap();
    anna.node.put(&forged.unwrap().chunk).await.unwrap();
    anna.is_replaced(1).await;
    assert_eq!((anna.now(1).epochs.own, anna.told()), (0, BTreeSet::new()));
    assert_eq!(anna.publishes(&given, 1), Told::Already);
}

#[tokio::test]
async fn an_end_that_may_not_be_known_is_told_with_other_keys_too() {
    let anna = Machine::new();
    let all = [1, 2, 3].map(|id| anna.shares(id));
    anna.send().await.unwrap();
    // One is known for long, one was sent just now, one waits; one was never handed over.
    let later = Terms {
        from: Some(i64::MAX),
        ..terms()
    };
    let never = anna.gives(4, later);
    let end = async |given: &Given| anna.sharing.end(given, Ended::Revoked).await.unwrap();
    end(&all[0]).await;
    end(&never).await;
    anna.send().await.unwrap();
    let weeks = 9 * 7 * 86_400;
    anna.now.store(weeks, Ordering::Relaxed);
    end(&all[1]).await;
    anna.send().await.unwrap();
    end(&all[2]).await;
    anna.is_replaced(1).await;
    assert_eq!(anna.told(), BTreeSet::from([2, 3]));
    let own = [1, 2, 3, 4].map(|id| anna.now(id).epochs.own);
    assert_eq!(own, [0, 1, 1, 0]);
    for id in [1, 2, 3] {
        assert!(anna.is_ended(id).await, "{id}");
    }
    // It is told once for each replacement, as long as somebody may not know it.
    anna.sharing.move_grants().unwrap();
    anna.now.store(weeks * 2, Ordering::Relaxed);
    anna.is_replaced(2).await;
    assert_eq!([1, 2, 3].map(|id| anna.now(id).epochs.own), [0, 1, 1]);
}

#[tokio::test]
async fn what_ends_before_it_went_on_with_other_keys_is_told_as_over() {
    let anna = Machine::new();
    let given = anna.shares(1);
    anna.send().await.unwrap();
    anna.sharing.replace_keys(keys(1));
    anna.sharing.end(&given, Ended::Revoked).await.unwrap();
    anna.send().await.unwrap();
    let (index, record) = anna.finds(&given).await.unwrap();
    assert_eq!(index, 1);
    assert!(record.state == RecordState::Ended(Ended::Revoked));
    anna.is_replaced(1).await;
    assert_eq!(anna.now(1).epochs.own, 1);
    assert!(anna.is_ended(1).await);
    assert_eq!(anna.told(), BTreeSet::from([1]));
}

/// Nobody is shown once more what they were given, or lost.
#[tokio::test]
async fn where_a_grant_goes_on_is_no_news() {
    for is_over in [false, true] {
        let mut anna = Machine::new();
        anna.comes(BEN, &grant([7; 16]));
        anna.sharing.take_grants().await.unwrap();
        let received = &anna.sharing.received;
        if is_over {
            received.end(&[7; 16], Ended::Revoked, at(9)).unwrap();
        }
        let elsewhere = Grant {
            feed: GrantFeed {
                owner: Owner([1; 20]),
                topic: Topic([3; 32]),
            },
            ..grant([7; 16])
        };
        anna.comes_at(BEN, &elsewhere, 10);
        anna.sharing.take_grants().await.unwrap();
        let shown = anna.sharing.messages.all(Way::Received, 0, 99).unwrap();
        assert_eq!(shown.len(), 1);
        let topic = anna.received(7).unwrap().feed.topic;
        assert_eq!(topic == Topic([3; 32]), !is_over);
    }
}

/// What was sent in one feed says nothing of the other.
#[tokio::test]
async fn a_grant_that_moves_while_a_record_is_sent_is_told_of_in_its_new_feed() {
    let anna = Machine::new();
    let given = anna.shares(1);
    let waiting = anna.sharing.given.unsent(&given, at(10)).unwrap().unwrap();
    anna.sharing.replace_keys(keys(1));
    anna.sharing.move_grants().unwrap();
    let moved = anna.now(1);
    assert_eq!(anna.publishes(&moved, 2), Told::Made);
    // Only now the node says that it took it.
    let sent = anna.sharing.given.is_sent(&waiting.given, waiting.index);
    sent.unwrap();
    // Whoever began with the grant as it was before comes to an end all the same.
    anna.send().await.unwrap();
    assert_eq!(anna.version(1).await, Some(2));
    assert!(anna.sharing.given.unsent(&given, at(10)).unwrap().is_none());
}
