//! What every store keeps, whatever is behind it.

use std::sync::Arc;

use podfs::store::bee::{Postage, Through};
use podfs::store::{Disk, Fault, Faults, Memory, Store, StoreError};
use tokio::task::JoinSet;

use crate::store::{live, node_and_writer, nowhere, owned_chunk, random_chunk, random_chunks};
use crate::support::applicable;
use crate::support::random::Random;

/// Runs the whole contract.
async fn kept(store: Arc<dyn Store>, random: &mut Random) {
    nothing_is_where_nothing_was_put(&*store, random).await;
    what_was_put_is_there(&*store, random).await;
    many_at_once(Arc::clone(&store), random).await;
    owned_chunks_travel_whole(&*store, random).await;
    of_two_owned_chunks_one_is_there(&*store, random).await;
}

async fn nothing_is_where_nothing_was_put(store: &dyn Store, random: &mut Random) {
    let address = nowhere(random);
    assert_eq!(store.get(address).await, Err(StoreError::NotFound));
    assert_eq!(store.has(address).await, Ok(false));
}

async fn what_was_put_is_there(store: &dyn Store, random: &mut Random) {
    let chunks = random_chunks(random, 8);
    for chunk in &chunks {
        store.put(chunk).await.unwrap();
        store.put(chunk).await.unwrap();
    }
    for chunk in &chunks {
        let got = store.get(chunk.address()).await.unwrap();
        assert_eq!(&got, chunk);
        assert_eq!(got.bytes(), chunk.bytes());
        assert_eq!(store.has(chunk.address()).await, Ok(true));
    }
}

async fn many_at_once(store: Arc<dyn Store>, random: &mut Random) {
    let chunks = random_chunks(random, 64);
    let mut tasks = JoinSet::new();
    // Every chunk twice, by two who do not know of each other.
    for at in 0..2 * chunks.len() {
        let (store, chunk) = (Arc::clone(&store), chunks[at % chunks.len()].clone());
        tasks.spawn(async move { store.put(&chunk).await.map(drop) });
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome.unwrap().unwrap();
    }
    for chunk in chunks {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            assert_eq!(store.get(chunk.address()).await?, chunk);
            Ok(())
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome.unwrap().unwrap();
    }
}

async fn owned_chunks_travel_whole(store: &dyn Store, random: &mut Random) {
    let id = random.bytes(32).try_into().unwrap();
    let chunk = owned_chunk(id, &random.bytes(4096));
    store.put(&chunk).await.unwrap();
    let got = store.get(chunk.address()).await.unwrap();
    assert!(got.is_single_owner());
    assert_eq!(got.bytes(), chunk.bytes());
}

async fn of_two_owned_chunks_one_is_there(store: &dyn Store, random: &mut Random) {
    let id = random.bytes(32).try_into().unwrap();
    let (one, other) = (random.bytes(4096), random.bytes(4096));
    let (one, other) = (owned_chunk(id, &one), owned_chunk(id, &other));
    assert_eq!(one.address(), other.address());
    store.put(&one).await.unwrap();
    store.put(&other).await.unwrap();
    let got = store.get(one.address()).await.unwrap();
    assert!(got == one || got == other);
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    let mut random = Random::new("memory_keeps_the_contract");
    kept(Arc::new(Memory::default()), &mut random).await;
}

#[tokio::test]
async fn a_disk_keeps_the_contract() {
    let mut random = Random::new("a_disk_keeps_the_contract");
    let dir = tempfile::tempdir().unwrap();
    kept(Arc::new(Disk::open(dir.path()).unwrap()), &mut random).await;
}

#[tokio::test]
async fn faults_that_never_happen_keep_the_contract() {
    let mut random = Random::new("faults_that_never_happen_keep_the_contract");
    let store = Fault::new(Memory::default(), random.next(), Faults::default());
    kept(Arc::new(store), &mut random).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_keeps_the_contract() {
    let mut random = Random::new("a_node_keeps_the_contract");
    let (_node, bee, postage, writer) = node_and_writer(22).await;
    kept(Arc::new(writer), &mut random).await;
    // An untagged chunk is handed on, and the node need not hold it itself.
    let untagged = Postage {
        tag: None,
        ..postage
    };
    let writer = Through::writer(bee, untagged);
    let chunk = random_chunk(&mut random);
    writer.put(&chunk).await.unwrap();
    assert_eq!(writer.get(chunk.address()).await, Ok(chunk));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_node_keeps_the_contract() {
    if !applicable("a_live_node_keeps_the_contract", &[live::URL]) {
        return;
    }
    let mut random = Random::new("a_live_node_keeps_the_contract");
    let bee = live::node();
    println!(
        "{} is a {:?} node",
        bee.address(),
        bee.mode().await.unwrap()
    );
    let batch = live::batch(&bee).await;
    let tag = Some(bee.new_tag().await.unwrap());
    let writer = Through::writer(bee, Postage { batch, tag });
    kept(Arc::new(writer), &mut random).await;
}
