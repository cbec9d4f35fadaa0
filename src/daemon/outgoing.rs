//! The way of messages into the network.

use std::sync::Arc;

use crate::crypto::swarm::SealedChunk;
use crate::daemon::publishing::Publishing;
use crate::store::Answer;
use crate::store::Outage;
use crate::store::Receipt;
use crate::store::Rejection;
use crate::store::Store;
use crate::store::StoreError;
use crate::types::Address;
use crate::types::limits::MAIL_PATIENCE;

/// The node that is written to, for a limited time.
pub(super) struct Outgoing(pub(super) Arc<Publishing>);

impl Store for Outgoing {
    fn put<'a>(&'a self, chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        Box::pin(async move {
            let put = self.0.publisher().put(chunk);
            let late = |_| StoreError::unavailable(Outage::Late(MAIL_PATIENCE));
            let put = tokio::time::timeout(MAIL_PATIENCE, put)
                .await
                .map_err(late)?;
            put.ok_or(StoreError::Rejected(Rejection::NoBatch))?
                .map(|()| Receipt::OnNode)
        })
    }

    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        self.0.sources().get(address)
    }

    fn has(&self, address: Address) -> Answer<'_, bool> {
        self.0.sources().has(address)
    }
}
