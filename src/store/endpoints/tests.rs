use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::crypto::Secret;
use crate::crypto::keys::RootKey;
use crate::crypto::phrase::Phrase;
use crate::crypto::swarm::{SealedChunk, SocId};
use crate::store::{Counts, Fault, Faults, Memory, Outage, Rejection, Store, StoreError};
use crate::types::limits::{BREAKER_MAX, GATEWAY_READS_MAX};

type Faulty = Arc<Fault<Memory>>;

fn chunk(number: u64) -> SealedChunk {
    let mut sealed = [0; 4096];
    let mut seed = blake3::Hasher::new();
    seed.update(&number.to_le_bytes());
    seed.finalize_xof().fill(&mut sealed);
    SealedChunk::content(&sealed)
}

fn faulty() -> Faulty {
    Arc::new(Fault::new(Memory::default(), 7, Faults::default()))
}

fn hole() -> Faults {
    Faults {
        black_hole: true,
        ..Faults::default()
    }
}

fn slow(delay: Duration) -> Faults {
    Faults {
        slow: 1000,
        delay,
        ..Faults::default()
    }
}

fn own(store: &Faulty) -> Arc<Endpoint> {
    Endpoint::new("own", Role::Own, Arc::clone(store))
}

fn gateway(store: &Faulty) -> Arc<Endpoint> {
    Endpoint::new("gateway", Role::Gateway, Arc::clone(store))
}

fn endpoints(list: Vec<Arc<Endpoint>>) -> Endpoints {
    Endpoints::new(list, Patience::default())
}

/// How long a read took, and what came of it.
async fn timed(endpoints: &Endpoints, chunk: &SealedChunk) -> (Duration, Result<(), StoreError>) {
    let start = Instant::now();
    let read = endpoints.get(chunk.address()).await;
    if let Ok(read) = &read {
        assert_eq!(read, chunk);
    }
    (start.elapsed(), read.map(drop))
}

fn down(outcome: &Result<(), StoreError>) -> bool {
    matches!(
        outcome,
        Err(StoreError::Unavailable {
            why: Outage::Down,
            ..
        })
    )
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_costs_one_deadline_and_then_a_moment() {
    let (store, chunk) = (faulty(), chunk(1));
    store.put(&chunk).await.unwrap();
    store.set(hole());
    let endpoints = endpoints(vec![own(&store)]);
    let (took, outcome) = timed(&endpoints, &chunk).await;
    assert!(took <= CHUNK_DEADLINE, "{took:?}");
    assert_eq!(
        outcome,
        Err(StoreError::unavailable(Outage::Late(CHUNK_DEADLINE)))
    );
    let gets = store.counts().gets;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(300) {
        let (took, outcome) = timed(&endpoints, &chunk).await;
        assert!(down(&outcome), "{outcome:?}");
        // When the kernel's read-ahead fails, it asks for the page alone.
        let (again, outcome) = timed(&endpoints, &chunk).await;
        assert!(down(&outcome), "{outcome:?}");
        let took = took + again;
        assert!(took <= KNOWN_DOWN + Duration::from_millis(2), "{took:?}");
        // Not `advance`: that passes the end of a pulse before the pulse sees it.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let Counts {
        gets: now, pulses, ..
    } = store.counts();
    assert_eq!(now, gets, "a dead node was asked for chunks");
    assert!(
        (10..=40).contains(&pulses),
        "{pulses} pulses in five minutes"
    );
    store.set(Faults::default());
    tokio::time::advance(BREAKER_MAX).await;
    let (took, outcome) = timed(&endpoints, &chunk).await;
    assert!(outcome.is_ok() && took <= Duration::from_millis(100));
    assert!(endpoints.list()[0].is_up());
}

#[tokio::test(start_paused = true)]
async fn many_readers_of_a_dead_node_share_one_deadline() {
    let store = faulty();
    store.set(hole());
    let endpoints = endpoints(vec![own(&store)]);
    let start = Instant::now();
    let mut readers = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let (endpoints, address) = (endpoints.clone(), chunk(number).address());
        readers.spawn(async move { endpoints.get(address).await.unwrap_err() });
    }
    while let Some(error) = readers.join_next().await {
        assert!(matches!(error.unwrap(), StoreError::Unavailable { .. }));
    }
    assert!(start.elapsed() <= CHUNK_DEADLINE, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_is_hedged_and_then_left_aside() {
    let (first, second, chunk) = (faulty(), faulty(), chunk(2));
    second.put(&chunk).await.unwrap();
    first.set(hole());
    let endpoints = endpoints(vec![gateway(&second), own(&first)]);
    assert_eq!(endpoints.list()[0].name(), "own", "own nodes come first");
    let (took, outcome) = timed(&endpoints, &chunk).await;
    assert!(outcome.is_ok() && took >= HEDGE_AFTER && took < HEDGE_AFTER * 2);
    for _ in 0..20 {
        let (took, outcome) = timed(&endpoints, &chunk).await;
        assert!(
            outcome.is_ok() && took < Duration::from_millis(100),
            "{took:?}"
        );
    }
    assert_eq!(first.counts().gets, 1);
}

#[tokio::test(start_paused = true)]
async fn a_missing_or_wrong_chunk_is_fetched_elsewhere_at_once() {
    let (first, second, chunk) = (faulty(), faulty(), chunk(3));
    second.put(&chunk).await.unwrap();
    let endpoints = endpoints(vec![own(&first), gateway(&second)]);
    let (took, outcome) = timed(&endpoints, &chunk).await;
    assert!(outcome.is_ok() && took < Duration::from_millis(10));
    first.put(&chunk).await.unwrap();
    first.set(Faults {
        wrong_bytes: 1000,
        ..Faults::default()
    });
    for _ in 0..50 {
        let (_, outcome) = timed(&endpoints, &chunk).await;
        assert!(outcome.is_ok());
    }
    assert_eq!(first.counts().wrong_bytes, 50);
    second.lose(chunk.address());
    assert_eq!(timed(&endpoints, &chunk).await.1, Err(StoreError::NotFound));
}

#[tokio::test(start_paused = true)]
async fn one_slow_chunk_takes_nobody_down() {
    let (store, chunks) = (faulty(), [chunk(4), chunk(5)]);
    for chunk in &chunks {
        store.put(chunk).await.unwrap();
    }
    let endpoints = endpoints(vec![own(&store)]);
    store.set(hole());
    let waiting = endpoints.clone();
    let address = chunks[0].address();
    let slow = tokio::spawn(async move { waiting.get(address).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    store.set(Faults::default());
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(timed(&endpoints, &chunks[1]).await.1.is_ok());
    }
    let late = Outage::Late(CHUNK_DEADLINE);
    assert_eq!(slow.await.unwrap(), Err(StoreError::unavailable(late)));
    assert!(endpoints.list()[0].is_up());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_refuses_connections_costs_nothing() {
    let (store, chunk) = (faulty(), chunk(6));
    store.set(Faults {
        unreachable: 1000,
        ..Faults::default()
    });
    let endpoints = endpoints(vec![own(&store)]);
    for _ in 0..3 {
        let (took, outcome) = timed(&endpoints, &chunk).await;
        assert!(outcome.is_err() && took <= Duration::from_millis(100));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_node_is_waited_for_and_its_neighbour_asked_besides() {
    let (first, second, chunk) = (faulty(), faulty(), chunk(7));
    for store in [&first, &second] {
        store.put(&chunk).await.unwrap();
        store.set(slow(Duration::from_secs(8)));
    }
    let endpoints = endpoints(vec![own(&first), gateway(&second)]);
    let (took, outcome) = timed(&endpoints, &chunk).await;
    assert_eq!((took.as_secs(), outcome), (8, Ok(())));
    assert_eq!((first.counts().gets, second.counts().gets), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn writes_go_to_one_node_and_are_not_tried_while_it_is_down() {
    let (store, spare, chunk) = (faulty(), faulty(), chunk(8));
    let endpoints = endpoints(vec![gateway(&spare), own(&store)]);
    let refused = endpoints.put(&chunk).await;
    assert_eq!(refused, Err(StoreError::Rejected(Rejection::NoBatch)));
    let writer = endpoints.writer().unwrap();
    let guarded = writer.guard(Fault::new(Memory::default(), 1, hole()));
    let late = tokio::time::timeout(Duration::from_secs(60), guarded.put(&chunk)).await;
    assert!(late.is_err());
    store.set(hole());
    let start = Instant::now();
    let error = guarded.put(&chunk).await.unwrap_err();
    assert!(down(&Err(error)) && start.elapsed() <= Duration::from_millis(100));
    assert_eq!(spare.counts().puts, 0);
}

#[tokio::test(start_paused = true)]
async fn a_chunk_is_confirmed_by_somebody_else_or_as_the_single_copy() {
    let (first, second, chunk) = (faulty(), faulty(), chunk(9));
    first.put(&chunk).await.unwrap();
    let alone = endpoints(vec![own(&first)]);
    let sought = Sought::Content(chunk.address());
    let verdict = alone.verify(sought, &alone.list()[0]).await;
    assert_eq!(verdict, Ok(Verdict::Held(Proof::SingleCopy)));
    let both = endpoints(vec![own(&first), gateway(&second)]);
    let writer = both.writer().unwrap();
    assert_eq!(both.verify(sought, writer).await, Ok(Verdict::NotYet));
    assert_eq!(first.counts().gets, 1, "the writer vouched for itself");
    second.put(&chunk).await.unwrap();
    assert_eq!(
        both.verify(sought, writer).await,
        Ok(Verdict::Held(Proof::Elsewhere))
    );
    second.set(hole());
    let outcome = tokio::time::timeout(Duration::from_secs(45), both.verify(sought, writer));
    assert!(
        outcome.await.is_err(),
        "the other end's own deadline ends it"
    );
    let unknown = both.verify(sought, writer).await.unwrap_err();
    assert!(matches!(unknown, StoreError::Unavailable { .. }));
}

/// An owner can sign two payloads for one address: the one is no proof of the other.
#[tokio::test(start_paused = true)]
async fn another_payload_at_the_address_is_told() {
    let root = RootKey::derive(
        &Phrase::from_entropy(&Secret::from_bytes(&[5; 32])).seed(),
        None,
    );
    let signer = root.pod(&root.pod_id(0), 0).box_secret(0, 0).feed_signer(0);
    let head =
        |payload| SealedChunk::single_owner(&signer, &SocId([1; 32]), &[payload; 4096]).unwrap();
    let (first, second, ours) = (faulty(), faulty(), head(1));
    let other = Memory::default();
    other.put(&head(2)).await.unwrap();
    let other = Arc::new(Fault::new(other, 7, Faults::default()));
    first.put(&ours).await.unwrap();
    let sought = Sought::Owned(&ours);
    for (elsewhere, verdict) in [(&second, Verdict::NotYet), (&other, Verdict::Other)] {
        let both = endpoints(vec![own(&first), gateway(elsewhere)]);
        assert_eq!(both.verify(sought, &both.list()[0]).await, Ok(verdict));
    }
    let alone = endpoints(vec![own(&other)]);
    let verdict = alone.verify(sought, &alone.list()[0]).await;
    assert_eq!(verdict, Ok(Verdict::Other));
    second.put(&ours).await.unwrap();
    let both = endpoints(vec![own(&first), gateway(&second)]);
    let verdict = both.verify(sought, &both.list()[0]).await;
    assert_eq!(verdict, Ok(Verdict::Held(Proof::Elsewhere)));
}

/// Readers that waited for one of our own slots had the node for a moment only: it is slow, not silent.
#[tokio::test(start_paused = true)]
async fn a_slot_that_came_late_is_not_the_nodes_silence() {
    let (store, chunk) = (faulty(), chunk(10));
    store.put(&chunk).await.unwrap();
    store.set(slow(CHUNK_DEADLINE * 23 / 48));
    let endpoints = endpoints(vec![gateway(&store)]);
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..GATEWAY_READS_MAX * 3 {
        let (endpoints, address) = (endpoints.clone(), chunk.address());
        readers.spawn(async move { endpoints.get(address).await });
    }
    let outcomes = readers.join_all().await;
    let late = StoreError::unavailable(Outage::Late(CHUNK_DEADLINE));
    let read = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(read, GATEWAY_READS_MAX * 2);
    assert!(
        outcomes
            .iter()
            .filter_map(|outcome| outcome.as_ref().err())
            .all(|error| *error == late)
    );
    assert_eq!(store.counts().gets, GATEWAY_READS_MAX as u64 * 3);
    assert!(endpoints.list()[0].is_up());
}

/// One has the chunk and just came back, the others were asked in vain: nobody gives up before its pulse was felt.
#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_is_waited_for() {
    let (first, second, third, chunk) = (faulty(), faulty(), faulty(), chunk(11));
    third.put(&chunk).await.unwrap();
    let endpoints = endpoints(vec![own(&first), gateway(&second), gateway(&third)]);
    second.set(hole());
    third.set(hole());
    assert!(timed(&endpoints, &chunk).await.1.is_err());
    tokio::time::advance(BREAKER_MAX).await;
    assert!(!endpoints.list()[1].is_up() && !endpoints.list()[2].is_up());
    first.set(slow(Duration::from_secs(1)));
    second.set(slow(Duration::from_millis(20)));
    third.set(slow(Duration::from_millis(200)));
    let (took, outcome) = timed(&endpoints, &chunk).await;
    assert_eq!(outcome, Ok(()));
    assert!(took < HEDGE_AFTER, "{took:?}");
}

/// The same when nobody was up at first.
#[tokio::test(start_paused = true)]
async fn the_second_to_come_back_is_asked_too() {
    let (first, second, chunk) = (faulty(), faulty(), chunk(12));
    second.put(&chunk).await.unwrap();
    let endpoints = endpoints(vec![own(&first), gateway(&second)]);
    first.set(hole());
    second.set(hole());
    assert!(timed(&endpoints, &chunk).await.1.is_err());
    tokio::time::advance(BREAKER_MAX).await;
    first.set(slow(Duration::from_millis(10)));
    second.set(slow(Duration::from_millis(60)));
    assert_eq!(timed(&endpoints, &chunk).await.1, Ok(()));
}
