//! A node's own stamping: how full each bucket of its batches is, and which chunk has a slot already.

use std::collections::HashMap;

use podfs::types::Address;

use crate::node::chain::{Batch, BatchId};
use crate::node::hash::{Chunk, Owner, RawSignature, keccak, recover};
use crate::node::network::{Slot, bucket_of};

/// The bucket of this chunk has no slot left.
#[derive(Debug)]
pub struct BucketFull;

/// One batch that this node stamps with.
pub struct Issuer {
    pub id: BatchId,
    pub label: String,
    pub depth: u8,
    pub bucket_depth: u8,
    pub amount: u128,
    pub immutable: bool,
    /// The block the batch was created in.
    pub block: u64,
    buckets: Vec<u32>,
    fullest: u32,
    /// The newest timestamp given, in nanoseconds of Unix time: no two are the same, even while the clock stands.
    newest: u64,
    slots: HashMap<Address, (u32, u32)>,
}

impl Issuer {
    pub fn new(batch: &Batch, label: &str) -> Self {
        Self {
            id: batch.id,
            label: label.to_owned(),
            depth: batch.depth,
            bucket_depth: batch.bucket_depth,
            amount: batch.amount,
            immutable: batch.immutable,
            block: batch.start,
            buckets: vec![0; 1 << batch.bucket_depth],
            fullest: 0,
            newest: 0,
            slots: HashMap::new(),
        }
    }

    /// Slots of one bucket.
    pub fn bound(&self) -> u32 {
        1 << (self.depth - self.bucket_depth)
    }

    pub fn buckets(&self) -> &[u32] {
        &self.buckets
    }

    /// How full the fullest bucket is.
    pub fn fullest(&self) -> u32 {
        self.fullest
    }

    /// A slot for a chunk: the one it has, or the next of its bucket. A full bucket of a mutable batch starts anew.
    pub fn stamp(&mut self, chunk: &Chunk, now: u64) -> Result<Slot, BucketFull> {
        self.stamp_address(&chunk.address, &chunk.identity, now)
    }

    /// The same for an address whose bytes are not at hand.
    pub fn stamp_address(
        &mut self,
        address: &Address,
        identity: &Address,
        now: u64,
    ) -> Result<Slot, BucketFull> {
        let (bucket, index) = match self.slots.get(identity) {
            Some(slot) => *slot,
            None => self.next(bucket_of(address, self.bucket_depth))?,
        };
        self.slots.insert(*identity, (bucket, index));
        self.newest = now.max(self.newest + 1);
        Ok(Slot {
            batch: self.id,
            bucket,
            index,
            timestamp: self.newest,
        })
    }

    fn next(&mut self, bucket: u32) -> Result<(u32, u32), BucketFull> {
        let bound = self.bound();
        let count = &mut self.buckets[bucket as usize];
        if *count >= bound {
            if self.immutable {
                return Err(BucketFull);
            }
            *count = 0;
        }
        let index = *count;
        *count += 1;
        self.fullest = self.fullest.max(*count);
        Ok((bucket, index))
    }

    /// A slot that was given before a restart.
    pub fn recall(&mut self, identity: Address, slot: &Slot) {
        self.slots.insert(identity, (slot.bucket, slot.index));
        self.newest = self.newest.max(slot.timestamp);
        let count = &mut self.buckets[slot.bucket as usize];
        *count = (*count).max(slot.index + 1);
        self.fullest = self.fullest.max(*count);
    }
}

/// `batch 32 ‖ bucket 4 ‖ index 4 ‖ timestamp 8 ‖ signature 65`, big-endian, as a client signs it.
pub struct SignedStamp {
    pub slot: Slot,
    signature: RawSignature,
}

impl SignedStamp {
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (batch, rest) = bytes.split_first_chunk()?;
        let (bucket, rest) = rest.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        let (timestamp, rest) = rest.split_first_chunk()?;
        Some(Self {
            slot: Slot {
                batch: *batch,
                bucket: u32::from_be_bytes(*bucket),
                index: u32::from_be_bytes(*index),
                timestamp: u64::from_be_bytes(*timestamp),
            },
            signature: rest.try_into().ok()?,
        })
    }

    /// Who signed it for a chunk at `address`; nothing when nobody can have.
    pub fn signer(&self, address: &Address) -> Option<Owner> {
        recover(&stamp_digest(address, &self.slot), &self.signature)
    }
}

/// What the owner of a batch signs.
pub fn stamp_digest(address: &Address, slot: &Slot) -> [u8; 32] {
    keccak(&[
        &address.0,
        &slot.batch,
        &slot.bucket.to_be_bytes(),
        &slot.index.to_be_bytes(),
        &slot.timestamp.to_be_bytes(),
    ])
}
