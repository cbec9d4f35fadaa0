//! Where sealed chunks are: in memory, on a disk, in Swarm through a Bee node, or behind injected faults.
//!
//! [`Store`] is the one trait, and `tests/it/store` holds the one contract that all of them keep. Only
//! [`SealedChunk`] enters, and only the crypto room makes one from plaintext: nothing here ever saw a key.
//! What leaves was verified against its address. HTTP is a secret of [`bee`]; which node is asked, and for how long,
//! is decided in [`endpoints`]; when the same bytes go out again, in [`retry`].

pub mod bee;
pub mod breaker;
mod disk;
pub mod endpoints;
mod error;
mod fault;
mod memory;
pub mod retry;

use std::future::Future;
use std::pin::Pin;

use crate::crypto::swarm::SealedChunk;
use crate::types::Address;
use crate::types::limits::PAGE;

pub use disk::Disk;
pub use error::{Outage, Rejection, StoreError};
pub use fault::{Counts, Fault, Faults};
pub use memory::Memory;

/// What a store answers, some time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A place for sealed chunks. Every operation may be repeated: the same bytes twice are the same chunk once.
///
/// Dropping an answer ends the waiting, not necessarily the effect.
pub trait Store: Send + Sync {
    /// Hands a chunk over. What `Ok` promises says the [`Receipt`]; it is never that the network holds the chunk.
    /// At the address of another single-owner chunk either of the two is there afterwards: read it back.
    ///
    /// # Errors
    /// [`StoreError::Rejected`]: nothing was taken, and repeating will not help.
    /// [`StoreError::Unavailable`]: it may or may not have been taken; send the same bytes again.
    fn put<'a>(&'a self, chunk: &'a SealedChunk) -> Answer<'a, Receipt>;

    /// Fetches a chunk. Its bytes are those of the address, or there is none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]: not to be had here now; [`StoreError::Corrupt`]: other bytes came;
    /// [`StoreError::Unavailable`]: no answer.
    fn get(&self, address: Address) -> Answer<'_, SealedChunk>;

    /// Whether this very store holds the chunk, asking nobody else: a node looks into its own store and cache only.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: no answer.
    fn has(&self, address: Address) -> Answer<'_, bool>;
}

/// What a store promises for a chunk it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It is here, as durable as the store is: memory not at all, a disk beyond a power cut.
    Kept,
    /// A node took it and will carry it into the network. It may still lose it: verify before anything is given up.
    OnNode,
}

/// The chunk of `address`, if that is what `bytes` are. What a stranger sent is never used otherwise.
///
/// The swarm hash pads with zeros, so zeros at the end of a payload can be added or left out without changing the
/// address. The span cannot: up to a page it is the payload's length, and has to agree.
fn accepted(address: &Address, bytes: &[u8]) -> Result<SealedChunk, StoreError> {
    let chunk = SealedChunk::verified(address, bytes).map_err(|_| StoreError::Corrupt)?;
    let payload = chunk.payload().len();
    let span = bytes
        .len()
        .checked_sub(payload)
        .and_then(|behind| bytes.get(..behind)?.last_chunk())
        .map(|span| u64::from_le_bytes(*span));
    match span {
        Some(span) if span > PAGE as u64 || span == payload as u64 => Ok(chunk),
        _ => Err(StoreError::Corrupt),
    }
}

/// Something that can be asked whether it lives, cheaply and without moving data.
pub trait Pulse: Send + Sync {
    /// Answers when the other side does.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not.
    fn pulse(&self) -> Answer<'_, ()>;
}
