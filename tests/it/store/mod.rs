//! The store room from outside: one contract over every store, the client against a node, what a crash leaves.

mod bee;
mod bee_faults;
mod bee_stamps;
mod contract;
mod disk;
pub mod live;
mod wrong_bytes;

use std::sync::Arc;
use std::time::Duration;

use podfs::crypto::keys::RootKey;
use podfs::crypto::swarm::{SealedChunk, SocId, chunk_address};
use podfs::store::bee::{Bee, Deadlines, Postage, Through};
use podfs::types::Address;

use crate::node::{Network, Node, Options};
use crate::support::random::Random;
use crate::support::sample;

/// The deadline of an impatient client.
pub const SOON: Duration = Duration::from_millis(1500);

/// A chunk of random bytes, as full as every chunk of ours.
pub fn random_chunk(random: &mut Random) -> SealedChunk {
    let payload = random.bytes(4096);
    let address = chunk_address(4096, &payload).unwrap();
    let bytes = [&4096_u64.to_le_bytes()[..], &payload].concat();
    SealedChunk::verified(&address, &bytes).unwrap()
}

/// Chunks of random bytes.
pub fn random_chunks(random: &mut Random, count: usize) -> Vec<SealedChunk> {
    (0..count).map(|_| random_chunk(random)).collect()
}

/// A single-owner chunk of this identifier.
pub fn owned_chunk(id: [u8; 32], payload: &[u8]) -> SealedChunk {
    let root = RootKey::derive(&sample::phrase().seed(), None);
    let pod = root.pod(&root.pod_id(0), 0);
    let signer = pod.box_secret(0, 0).feed_signer(0);
    SealedChunk::single_owner(&signer, &SocId(id), payload).unwrap()
}

/// A client whose requests for chunks end soon, for tests in which they end late; long enough for a busy machine.
pub fn impatient(url: &str) -> Arc<Bee> {
    let deadlines = Deadlines {
        read: SOON,
        verify: SOON,
        write: SOON,
        pulse: SOON,
        ..Deadlines::default()
    };
    Arc::new(Bee::new(url.parse().unwrap(), deadlines).unwrap())
}

/// A light node with a batch that can be used, and a writer with a tag.
pub async fn node_and_writer(depth: u8) -> (Node, Arc<Bee>, Postage, Through) {
    let node = Node::start(Options::light(&Network::new(), 1));
    let bee = patient(&node.url());
    let batch = podfs::store::bee::BatchId(node.buy_batch(depth));
    let tag = Some(bee.new_tag().await.unwrap());
    let postage = Postage { batch, tag };
    let writer = Through::writer(Arc::clone(&bee), postage);
    (node, bee, postage, writer)
}

/// A client with the deadlines of every day.
pub fn patient(url: &str) -> Arc<Bee> {
    Arc::new(Bee::new(url.parse().unwrap(), Deadlines::default()).unwrap())
}

/// An address at which nothing is.
pub fn nowhere(random: &mut Random) -> Address {
    Address(random.bytes(32).try_into().unwrap())
}
