use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::crypto::swarm::SealedChunk;
use crate::store::{Answer, Pulse, Receipt, Store, StoreError};
use crate::types::Address;

/// Chunks in memory: the store that shows what a store is.
#[derive(Default)]
pub struct Memory {
    chunks: Mutex<BTreeMap<Address, SealedChunk>>,
}

impl Memory {
    /// How many chunks there are.
    pub fn len(&self) -> usize {
        self.chunks.lock().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.chunks.lock().is_empty()
    }
}

impl Store for Memory {
    fn put<'a>(&'a self, chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        Box::pin(async move {
            let mut chunks = self.chunks.lock();
            chunks
                .entry(chunk.address())
                .or_insert_with(|| chunk.clone());
            Ok(Receipt::Kept)
        })
    }

    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        Box::pin(async move {
            let chunk = self.chunks.lock().get(&address).cloned();
            chunk.ok_or(StoreError::NotFound)
        })
    }

    fn has(&self, address: Address) -> Answer<'_, bool> {
        Box::pin(async move { Ok(self.chunks.lock().contains_key(&address)) })
    }
}

impl Pulse for Memory {
    fn pulse(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
