//! Swarm's own words: addresses of chunks, single-owner chunks, identifiers of feed updates.
//!
//! What is done here is defined by Swarm and checked against vectors of Bee, its first implementation.

mod bmt;
mod chunk;
mod keccak;
mod lanes;
mod soc;
#[cfg(test)]
mod tests;

pub use bmt::{
    PAGE_SPAN, PAYLOAD_MAX, SPAN_LEN, chunk_address, page_address, page_addresses,
    page_addresses_in,
};
pub use chunk::{CHUNK_LEN_MAX, CONTENT_LEN_MAX, ChunkError, SealedChunk};
pub use lanes::Lanes;
pub use soc::{
    RecoverableSignature, SIGNATURE_LEN, SOC_HEADER_LEN, SocId, recover_owner, soc_address,
    soc_owner,
};
