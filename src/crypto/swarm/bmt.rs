//! The address of a chunk: the root of a binary Merkle tree over 128 segments of 32 bytes, hashed behind the span.
//!
//! A level of the tree is its hashes side by side, so two segments that are hashed together lie together, and a level
//! of several pages is simply a longer one. That is what fills the lanes.

use std::sync::LazyLock;

use crate::crypto::seal::PAGE_LEN;
use crate::crypto::swarm::chunk::ChunkError;
use crate::crypto::swarm::keccak;
use crate::crypto::swarm::keccak::{Block, HASH_LEN, Hash, Message};
use crate::crypto::swarm::lanes::Lanes;
use crate::types::Address;

/// Bytes of the span that stands before a payload: how many bytes of a file are beneath it, little-endian.
pub const SPAN_LEN: usize = 8;
/// The longest payload of a chunk.
pub const PAYLOAD_MAX: usize = PAGE_LEN;

/// Segments of a chunk.
const SEGMENTS: usize = PAYLOAD_MAX / HASH_LEN;
/// Levels of hashing between the segments and the root.
const LEVELS: usize = 7;
const _: () = assert!(1 << LEVELS == SEGMENTS, "the tree is binary and full");
/// Pages whose levels are hashed together: as many as there are lanes at most, so that even the roots fill them.
const TOGETHER: usize = 8;
/// Span of a full page.
pub const PAGE_SPAN: u64 = 4096;

/// Entry `i` is the root over 2ⁱ segments of zeros.
pub(super) static ZERO_ROOTS: LazyLock<[Hash; LEVELS + 1]> = LazyLock::new(|| {
    let mut below = [0; HASH_LEN];
    let mut roots = [below; LEVELS + 1];
    for root in roots.iter_mut().skip(1) {
        below = keccak::hash(&twice(&below), Message::Pair);
        *root = below;
    }
    roots
});

/// The address of a chunk with any span and a payload of at most [`PAYLOAD_MAX`] bytes.
///
/// # Errors
/// When the payload is longer.
pub fn chunk_address(span: u64, payload: &[u8]) -> Result<Address, ChunkError> {
    if payload.len() > PAYLOAD_MAX {
        return Err(ChunkError::Length);
    }
    Ok(address(Lanes::widest(), span, payload))
}

/// The address of a full page.
pub fn page_address(page: &[u8; PAGE_LEN]) -> Address {
    let mut address = [Address([0; HASH_LEN])];
    together(Lanes::widest(), std::slice::from_ref(page), &mut address);
    let [address] = address;
    address
}

/// The addresses of full pages, in their order. The fast way for many: the lanes are full on every level.
pub fn page_addresses(pages: &[[u8; PAGE_LEN]]) -> Vec<Address> {
    page_addresses_in(Lanes::widest(), pages)
}

/// [`page_addresses`] in a given number of lanes, to compare them.
pub fn page_addresses_in(lanes: Lanes, pages: &[[u8; PAGE_LEN]]) -> Vec<Address> {
    let mut addresses = vec![Address([0; HASH_LEN]); pages.len()];
    for (pages, addresses) in pages.chunks(TOGETHER).zip(addresses.chunks_mut(TOGETHER)) {
        together(lanes, pages, addresses);
    }
    addresses
}

/// The addresses of at most [`TOGETHER`] pages, level by level.
fn together(lanes: Lanes, pages: &[[u8; PAGE_LEN]], addresses: &mut [Address]) {
    let mut level = [[0; HASH_LEN]; TOGETHER * SEGMENTS / 2];
    let mut above = [[0; HASH_LEN]; TOGETHER * SEGMENTS / 4];
    let (mut level, mut above) = (level.as_mut_slice(), above.as_mut_slice());
    let mut width = SEGMENTS / 2;
    lanes.hash_all(pairs(pages.as_flattened()), Message::Pair, level);
    while width > 1 {
        let whole = pages.len().saturating_mul(width);
        let hashed = level.get(..whole).unwrap_or_default();
        lanes.hash_all(pairs(hashed.as_flattened()), Message::Pair, above);
        std::mem::swap(&mut level, &mut above);
        width /= 2;
    }
    let mut messages = [[0; 64]; TOGETHER];
    for (message, root) in messages.iter_mut().zip(level.iter()).take(pages.len()) {
        *message = headed(PAGE_SPAN, root);
    }
    lanes.hash_all(&messages, Message::Headed, above);
    for (address, hash) in addresses.iter_mut().zip(above) {
        *address = Address(*hash);
    }
}

/// The address of a chunk whose payload is not too long.
pub(super) fn address(lanes: Lanes, span: u64, payload: &[u8]) -> Address {
    Address(keccak::hash(
        &headed(span, &root(lanes, payload)),
        Message::Headed,
    ))
}

/// The root over a payload and the zeros behind it. Subtrees of nothing but zeros are known and not hashed.
fn root(lanes: Lanes, payload: &[u8]) -> Hash {
    let mut level = [[0; HASH_LEN]; SEGMENTS];
    let mut above = [[0; HASH_LEN]; SEGMENTS / 2];
    let (mut level, mut above) = (level.as_mut_slice(), above.as_mut_slice());
    for (to, from) in level.as_flattened_mut().iter_mut().zip(payload) {
        *to = *from;
    }
    let mut width = payload.len().div_ceil(HASH_LEN).max(1);
    for zeros in ZERO_ROOTS.iter().take(LEVELS) {
        if let Some(beside) = level.get_mut(width) {
            *beside = *zeros;
        }
        width = width.div_ceil(2);
        let used = level.get(..width.saturating_mul(2)).unwrap_or_default();
        lanes.hash_all(pairs(used.as_flattened()), Message::Pair, above);
        std::mem::swap(&mut level, &mut above);
    }
    level.first().copied().unwrap_or_default()
}

/// Segments two by two, as they are hashed.
fn pairs(segments: &[u8]) -> &[Block] {
    segments.as_chunks().0
}

/// The last message of a chunk: the span, the root, and the first byte of the padding.
fn headed(span: u64, root: &Hash) -> Block {
    let mut message = [0; 64];
    let parts = span.to_le_bytes().into_iter().chain(*root).chain([1]);
    for (to, from) in message.iter_mut().zip(parts) {
        *to = from;
    }
    message
}

/// A subtree beside one like it.
fn twice(root: &Hash) -> Block {
    let mut pair = [0; 64];
    for half in pair.as_chunks_mut().0 {
        *half = *root;
    }
    pair
}
