//! A node or a gateway that misbehaves, as the client sees it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use podfs::store::bee::Cache;
use podfs::store::endpoints::{Endpoint, Endpoints, Patience, Role, Sought, Verdict};
use podfs::store::retry::{Next, next};
use podfs::store::{Outage, Pulse, Store, StoreError};

use crate::node::{Fault, Loss, Node, Options, Route};
use crate::store::{SOON, impatient, node_and_writer, patient, random_chunk, random_chunks};
use crate::support::random::Random;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_asks_for_a_pause_and_gets_it() {
    let mut random = Random::new("a_node_asks_for_a_pause_and_gets_it");
    let (node, bee, _, writer) = node_and_writer(22).await;
    let chunk = random_chunk(&mut random);
    for status in [429, 503] {
        node.faults()
            .add(Fault::Page(status, Some(17)).everywhere());
        let asked = Some(Duration::from_secs(17));
        let busy = StoreError::Unavailable {
            why: Outage::Busy(status),
            retry_after: asked,
        };
        assert_eq!(writer.put(&chunk).await, Err(busy.clone()));
        assert_eq!(
            bee.get(chunk.address(), Cache::Keep).await,
            Err(busy.clone())
        );
        assert_eq!(Some(next(&busy, 0, 0)), asked.map(Next::Again));
        node.faults().clear();
    }
    writer.put(&chunk).await.unwrap();
    assert_eq!(
        node.counts().requests(Route::PostChunk),
        3,
        "asked once each"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_is_not_retrievable_is_not_found_however_it_is_said() {
    let mut random = Random::new("a_chunk_that_is_not_retrievable_is_not_found_however_it_is_said");
    let (node, bee, _, writer) = node_and_writer(22).await;
    let chunk = random_chunk(&mut random);
    writer.put(&chunk).await.unwrap();
    for fault in [
        Fault::Say(404, "chunk not found"),
        Fault::Say(500, "read chunk failed"),
        Fault::Page(404, None),
        Fault::Page(500, None),
    ] {
        node.faults().add(fault.on(Route::GetChunk).times(1));
        let missing = bee.get(chunk.address(), Cache::Keep).await;
        assert_eq!(missing, Err(StoreError::NotFound));
        assert_eq!(
            bee.get(chunk.address(), Cache::Keep).await,
            Ok(chunk.clone())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_for_people_are_no_answers() {
    let mut random = Random::new("pages_for_people_are_no_answers");
    let (node, bee, _, writer) = node_and_writer(22).await;
    let chunk = random_chunk(&mut random);
    for (status, expected) in [(200, true), (502, true), (504, true), (302, false)] {
        node.faults().add(Fault::Page(status, None).everywhere());
        let put = writer.put(&chunk).await.unwrap_err();
        let silent = matches!(put, StoreError::Unavailable { .. });
        assert_eq!(silent, expected, "{status}: {put}");
        let got = bee.get(chunk.address(), Cache::Keep).await.unwrap_err();
        assert_eq!(got == StoreError::Corrupt, status == 200, "{status}: {got}");
        assert!(bee.batches().await.is_err() && bee.mode().await.is_err());
        node.faults().clear();
    }
}

/// Done by the node, unknown to us: the same bytes again, one chunk, one slot.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_has_no_second_effect() {
    let mut random = Random::new("a_lost_reply_has_no_second_effect");
    let (node, bee, postage, writer) = node_and_writer(22).await;
    node.faults()
        .add(Fault::LoseReply.on(Route::PostChunk).one_in(3));
    let chunks = random_chunks(&mut random, 60);
    for chunk in &chunks {
        let mut attempt = 0;
        while let Err(error) = writer.put(chunk).await {
            assert!(
                matches!(next(&error, attempt, 0), Next::Again(_)),
                "{error}"
            );
            attempt += 1;
            assert!(attempt < 20, "{error}");
        }
    }
    node.faults().clear();
    for chunk in &chunks {
        assert_eq!(
            bee.get(chunk.address(), Cache::Keep).await.as_ref(),
            Ok(chunk)
        );
    }
    assert_eq!(node.network().chunks().len(), chunks.len());
    let fill = bee.fill(postage.batch).await.unwrap();
    assert_eq!(fill.used.iter().sum::<u32>(), 60, "slots paid");
    assert!(!node.counts().put_again().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_of_another_chunk_is_no_receipt() {
    let mut random = Random::new("the_reference_of_another_chunk_is_no_receipt");
    let (node, _, _, writer) = node_and_writer(22).await;
    node.faults()
        .add(Fault::WrongReference.on(Route::PostChunk));
    let error = writer.put(&random_chunk(&mut random)).await.unwrap_err();
    let StoreError::Unavailable { why, .. } = error else {
        panic!("{error}")
    };
    assert!(matches!(why, Outage::Garbled(_)));
}

/// Flipped, cut, swollen, another chunk: over HTTP as well none of ten thousand is shown.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_over_http_are_never_shown() {
    let mut random = Random::new("wrong_bytes_over_http_are_never_shown");
    let (node, bee, _, writer) = node_and_writer(22).await;
    let chunks = random_chunks(&mut random, 16);
    for chunk in &chunks {
        writer.put(chunk).await.unwrap();
    }
    let mut tried = 0;
    let mut show = async |fault: Fault, times: usize| {
        let rule = node.faults().add(fault.on(Route::GetChunk));
        for round in 0..times {
            let address = chunks[round % chunks.len()].address();
            match bee.get(address, Cache::Keep).await {
                Err(StoreError::Corrupt | StoreError::Unavailable { .. }) => tried += 1,
                other => panic!("{other:?}"),
            }
        }
        node.faults().remove(rule);
    };
    show(Fault::Corrupt, 8000).await;
    show(Fault::Swell(1), 500).await;
    show(Fault::Swell(1 << 20), 20).await;
    show(Fault::Truncate(100), 480).await;
    for (one, other) in chunks.iter().zip(chunks.iter().skip(1)) {
        node.faults().set_view(one.address(), other.bytes());
    }
    for chunk in &chunks[..15] {
        for _ in 0..67 {
            let other = bee.get(chunk.address(), Cache::Keep).await;
            assert_eq!(other, Err(StoreError::Corrupt));
            tried += 1;
        }
    }
    assert!(tried >= 10_000, "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_or_drips_ends_with_its_deadline() {
    let mut random = Random::new("a_node_that_hangs_or_drips_ends_with_its_deadline");
    let (node, _, _, writer) = node_and_writer(22).await;
    let chunk = random_chunk(&mut random);
    writer.put(&chunk).await.unwrap();
    let bee = impatient(&node.url());
    for fault in [Fault::Hang, Fault::Drip(16, Duration::from_millis(50))] {
        node.faults().add(fault.everywhere());
        let start = Instant::now();
        let (read, pulse) = tokio::join!(bee.get(chunk.address(), Cache::Keep), bee.pulse());
        assert_eq!(read, Err(StoreError::unavailable(Outage::Late(SOON))));
        assert!(start.elapsed() < SOON * 3, "{:?}", start.elapsed());
        drop(pulse);
        node.faults().clear();
    }
    assert_eq!(bee.get(chunk.address(), Cache::Keep).await, Ok(chunk));
}

/// 201 and lost; there, and forgotten later: the writer's word is not enough, and a second put heals it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_lost_is_noticed_and_put_again() {
    let mut random = Random::new("what_a_node_lost_is_noticed_and_put_again");
    let (mut node, bee, postage, writer) = node_and_writer(22).await;
    let own = Endpoint::bee("own", Role::Own, Arc::clone(&bee));
    let gateway = Node::start(Options::gateway(node.network(), 2));
    let second = Endpoint::bee("gateway", Role::Gateway, patient(&gateway.url()));
    let endpoints = Endpoints::new(vec![Arc::clone(&own), second], Patience::default());
    let chunk = random_chunk(&mut random);
    let (address, sought) = (chunk.address(), Sought::Content(chunk.address()));
    let held = |verdict| matches!(verdict, Ok(Verdict::Held(_)));
    node.faults()
        .add(Fault::Forget.on(Route::PostChunk).times(1));
    writer.put(&chunk).await.unwrap();
    assert_eq!(endpoints.verify(sought, &own).await, Ok(Verdict::NotYet));
    writer.put(&chunk).await.unwrap();
    assert!(held(endpoints.verify(sought, &own).await));
    node.network().forget(&address);
    gateway.drop_cache();
    node.restart(Loss::LocalStore);
    assert_eq!(endpoints.verify(sought, &own).await, Ok(Verdict::NotYet));
    let tag = Some(bee.new_tag().await.unwrap());
    let again = podfs::store::bee::Postage { tag, ..postage };
    bee.put(&chunk, &again).await.unwrap();
    assert!(held(endpoints.verify(sought, &own).await));
}

/// A black hole with a node behind it: one deadline, then a moment; the node is not asked for chunks meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_opens_the_breaker_and_life_closes_it() {
    let mut random = Random::new("a_black_hole_opens_the_breaker_and_life_closes_it");
    let (node, _, _, writer) = node_and_writer(22).await;
    let chunk = random_chunk(&mut random);
    writer.put(&chunk).await.unwrap();
    let patience = Patience {
        read: SOON,
        ..Patience::default()
    };
    let endpoint = Endpoint::bee("own", Role::Own, patient(&node.url()));
    let endpoints = Endpoints::new(vec![Arc::clone(&endpoint)], patience);
    assert_eq!(endpoints.get(chunk.address()).await.as_ref(), Ok(&chunk));
    node.faults().add(Fault::Hang.everywhere());
    let start = Instant::now();
    let Err(StoreError::Unavailable { why, .. }) = endpoints.get(chunk.address()).await else {
        panic!("a node that hangs answered")
    };
    assert!(matches!(why, Outage::Late(_)), "{why}");
    assert!(start.elapsed() < SOON * 2, "{:?}", start.elapsed());
    node.reset_counts();
    let start = Instant::now();
    for _ in 0..5 {
        let down = endpoints.get(chunk.address()).await;
        assert!(down.is_err() && !endpoint.is_up(), "{down:?}");
    }
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(node.counts().requests(Route::GetChunk), 0);
    node.faults().clear();
    let limit = Duration::from_secs(30);
    let back = async {
        while endpoints.get(chunk.address()).await.as_ref() != Ok(&chunk) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(limit, back).await.unwrap();
    assert!(endpoint.is_up());
}
