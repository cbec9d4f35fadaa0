use std::sync::Arc;

use crate::crypto::swarm::SealedChunk;
use crate::store::bee::{Bee, Cache, Postage};
use crate::store::{Answer, Pulse, Receipt, Rejection, Store, StoreError};
use crate::types::Address;

/// A node as a [`Store`]: what is put is paid with one postage, what is got is cached by the node or not.
#[derive(Clone, Debug)]
pub struct Through {
    bee: Arc<Bee>,
    postage: Option<Postage>,
    cache: Cache,
}

impl Through {
    /// For reading; whatever is put is refused for want of a batch.
    pub const fn reader(bee: Arc<Bee>, cache: Cache) -> Self {
        Self {
            bee,
            postage: None,
            cache,
        }
    }

    /// For writing, too.
    pub const fn writer(bee: Arc<Bee>, postage: Postage) -> Self {
        Self {
            bee,
            postage: Some(postage),
            cache: Cache::Keep,
        }
    }
}

impl Store for Through {
    fn put<'a>(&'a self, chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        Box::pin(async move {
            match &self.postage {
                Some(postage) => self.bee.put(chunk, postage).await,
                None => Err(StoreError::Rejected(Rejection::NoBatch)),
            }
        })
    }

    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        Box::pin(self.bee.get(address, self.cache))
    }

    fn has(&self, address: Address) -> Answer<'_, bool> {
        Box::pin(self.bee.has(address))
    }
}

impl Pulse for Through {
    fn pulse(&self) -> Answer<'_, ()> {
        self.bee.pulse()
    }
}
