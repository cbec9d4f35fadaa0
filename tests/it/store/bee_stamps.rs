//! Batches: what is bought, what is full, young, unknown or over.

use std::sync::Arc;
use std::time::Duration;

use podfs::store::bee::{BatchId, Bee, Deadlines, Plur, Postage, Through};
use podfs::store::retry::{Next, next};
use podfs::store::{Outage, Rejection, Store, StoreError};

use crate::node::{Fault, Mode, Network, Node, Options, Route};
use crate::store::{node_and_writer, patient, random_chunk, random_chunks};
use crate::support::random::Random;

const DAY: Duration = Duration::from_secs(86_400);

fn refused(rejection: Rejection) -> StoreError {
    StoreError::Rejected(rejection)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_bought_once_and_is_young_at_first() {
    let mut random = Random::new("a_batch_is_bought_once_and_is_young_at_first");
    let node = Node::start(Options::light(&Network::new(), 1));
    let bee = patient(&node.url());
    let amount = bee.chain().await.unwrap().amount_for(30 * DAY).unwrap();
    let id = bee.buy(amount, 20, "my pod & more").await.unwrap();
    assert_eq!(bee.buy(amount, 20, "my pod & more").await, Ok(id));
    let batches = bee.batches().await.unwrap();
    assert_eq!(batches.len(), 1);
    assert_eq!(
        (batches[0].id, batches[0].label.as_str()),
        (id, "my pod & more")
    );
    assert!(batches[0].immutable && !batches[0].usable);
    let postage = Postage {
        batch: id,
        tag: None,
    };
    let writer = Through::writer(Arc::clone(&bee), postage);
    let chunk = random_chunk(&mut random);
    let young = writer.put(&chunk).await.unwrap_err();
    assert_eq!(young, refused(Rejection::BatchUnusable));
    assert!(matches!(next(&young, 0, 0), Next::LookAtBatch(_)));
    node.clock().advance(Duration::from_secs(60));
    writer.put(&chunk).await.unwrap();
    let batch = bee.batch(id).await.unwrap();
    let left = batch.time_left.unwrap();
    assert!(
        batch.usable && left <= 30 * DAY && left > 29 * DAY,
        "{left:?}"
    );
    assert_eq!((batch.utilization, batch.bucket_slots()), (1, 16));
}

/// The purchase is mined, its answer lost, and the list of batches shows it later, under its label or as one that the
/// node found on the chain: nothing is paid twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_whose_answer_was_lost_is_found_again() {
    for recovers in [false, true] {
        let node = Node::start(Options::light(&Network::new(), 1));
        let bee = patient(&node.url());
        let amount = bee.chain().await.unwrap().amount_for(30 * DAY).unwrap();
        let funds = bee.wallet().await.unwrap().bzz_balance;
        // The first list is the one before the purchase.
        node.faults().set_unlisted(3);
        node.faults().set_recovers(recovers);
        let lost = Fault::LoseReply.on(Route::Stamps).after(1).times(1);
        node.faults().add(lost);
        let id = bee.buy(amount, 20, "pod").await.unwrap();
        let batches = bee.batches().await.unwrap();
        let ids: Vec<_> = batches.iter().map(|batch| batch.id).collect();
        assert_eq!(ids, [id]);
        let left = bee.wallet().await.unwrap().bzz_balance;
        assert_eq!(funds.0 - left.0, amount.for_depth(20).unwrap().0);
    }
}

/// Nobody knows whether it was paid: whoever asked looks at the list of batches next and does not simply ask again.
#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_that_is_not_found_is_not_to_be_repeated() {
    let (node, patient, postage, _) = node_and_writer(18).await;
    let deadlines = Deadlines {
        settle: Duration::from_millis(300),
        ..Deadlines::default()
    };
    let bee = Bee::new(node.url().parse().unwrap(), deadlines).unwrap();
    let amount = bee.chain().await.unwrap().amount_for(30 * DAY).unwrap();
    let unsettled = StoreError::unavailable(Outage::Unsettled);
    assert!(matches!(next(&unsettled, 0, 0), Next::LookAtBatch(_)));
    let fails = [
        Fault::Close,
        Fault::Say(500, "cannot create batch"),
        Fault::Page(504, None),
    ];
    for fault in fails {
        let rule = fault.on(Route::Stamps).after(1).times(1);
        node.faults().add(rule);
        let unknown = bee.buy(amount, 20, "pod").await;
        assert_eq!(unknown, Err(unsettled.clone()));
    }
    node.faults()
        .add(Fault::LoseReply.on(Route::Stamps).times(2));
    assert_eq!(
        bee.top_up(postage.batch, amount).await,
        Err(unsettled.clone())
    );
    assert_eq!(bee.dilute(postage.batch, 19).await, Err(unsettled));
    // A node that does something else just now has done nothing.
    node.faults()
        .add(Fault::Page(429, None).on(Route::Stamps).after(1).times(1));
    let busy = StoreError::unavailable(Outage::Busy(429));
    assert_eq!(bee.buy(amount, 20, "pod").await, Err(busy));
    assert_eq!(patient.batches().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_topped_up_and_diluted() {
    let (node, bee, postage, _) = node_and_writer(18).await;
    let id = postage.batch;
    let before = bee.batch(id).await.unwrap();
    let price = bee.chain().await.unwrap().current_price;
    bee.top_up(id, Plur(price.0 * 17_280)).await.unwrap();
    let longer = bee.batch(id).await.unwrap();
    let added = longer
        .time_left
        .unwrap()
        .checked_sub(before.time_left.unwrap());
    assert_eq!(added.map(|added| added.as_secs() / 3600), Some(24));
    bee.dilute(id, 19).await.unwrap();
    let deeper = bee.batch(id).await.unwrap();
    assert_eq!((deeper.depth, deeper.bucket_slots()), (19, 8));
    assert!(matches!(
        bee.dilute(id, 19).await,
        Err(StoreError::Rejected(Rejection::Invalid(_)))
    ));
    let unknown = BatchId([9; 32]);
    assert!(bee.top_up(unknown, Plur(1)).await.is_err());
    let poor = Node::start(Options {
        funds: 5,
        ..Options::light(node.network(), 2)
    });
    let poor = patient(&poor.url());
    let amount = Plur(price.0 * 20_000);
    let broke = poor.buy(amount, 20, "pod").await;
    assert_eq!(broke, Err(refused(Rejection::OutOfFunds)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_bucket_is_named_and_others_have_room() {
    let mut random = Random::new("a_full_bucket_is_named_and_others_have_room");
    let (node, bee, postage, writer) = node_and_writer(17).await;
    let chunks = random_chunks(&mut random, 3);
    let address = chunks[0].address();
    let bucket = u32::from(u16::from_be_bytes([address.0[0], address.0[1]]));
    node.faults().fill_bucket(postage.batch.0, bucket);
    let refusal = writer.put(&chunks[0]).await.unwrap_err();
    assert_eq!(refusal, refused(Rejection::BucketFull(address)));
    assert_eq!(next(&refusal, 0, 0), Next::OtherAddress);
    for chunk in &chunks[1..] {
        writer.put(chunk).await.unwrap();
    }
    let fill = bee.fill(postage.batch).await.unwrap();
    assert_eq!((fill.slots, fill.used.len()), (2, 65_536));
    let used = chunks[1..].iter().map(|chunk| {
        let bits = [chunk.address().0[0], chunk.address().0[1]];
        fill.used[usize::from(u16::from_be_bytes(bits))]
    });
    assert!(used.min().unwrap() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_or_expired_batch_stops_the_writer() {
    let mut random = Random::new("an_unknown_or_expired_batch_stops_the_writer");
    let (node, bee, postage, writer) = node_and_writer(20).await;
    let unknown = Postage {
        batch: BatchId([7; 32]),
        ..postage
    };
    let chunk = random_chunk(&mut random);
    let stranger = Through::writer(Arc::clone(&bee), unknown);
    let error = stranger.put(&chunk).await.unwrap_err();
    assert_eq!(error, refused(Rejection::BatchUnknown));
    let gone = bee.batch(unknown.batch).await.unwrap_err();
    assert_eq!(gone, refused(Rejection::BatchUnknown));
    node.network().expire(&postage.batch.0);
    for unusable in [false, true] {
        node.faults().set_expired_is_unusable(unusable);
        let over = writer.put(&chunk).await.unwrap_err();
        let expected = [Rejection::BatchUnknown, Rejection::BatchUnusable];
        assert_eq!(over, refused(expected[usize::from(unusable)].clone()));
        let Next::LookAtBatch(wait) = next(&over, 0, 0) else {
            panic!("{over}")
        };
        assert!(
            wait >= Duration::from_secs(1),
            "at most one request a second"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_development_node_sells_at_once_and_changes_nothing() {
    let node = Node::start(Options::new(Mode::Dev));
    let bee = patient(&node.url());
    let id = bee.buy(Plur(10_000_000), 20, "pod").await.unwrap();
    let batch = bee.batch(id).await.unwrap();
    assert!(batch.usable, "{batch:?}");
    let unsupported = Err(refused(Rejection::Unsupported));
    assert_eq!(bee.top_up(id, Plur(1)).await, unsupported);
    assert_eq!(bee.dilute(id, 21).await, unsupported);
}
