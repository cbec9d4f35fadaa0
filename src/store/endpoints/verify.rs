use std::sync::Arc;

use crate::store::bee::Mode;
use crate::store::endpoints::{Endpoint, Endpoints};
use crate::store::{Outage, StoreError};
use crate::types::Address;

/// How it is known that a chunk is in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// The development node that took it gave it back. There is no second copy, and the user is told so.
    SingleCopy,
    /// The node that took it looked for it in the network, leaving its own store aside, and found it.
    Stewardship,
    /// Fetched back through another endpoint than the one that took it.
    Elsewhere,
}

impl Endpoints {
    /// Whether the network was seen to hold the chunk that `writer` took: fetched back through another endpoint, or,
    /// when there is no other, by the word of the writer. `None`: not yet. Meant for the background, and slow; ask
    /// again after [`RETRIEVE_AGAIN`](crate::types::limits::RETRIEVE_AGAIN).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when nobody who could tell answers.
    pub async fn verify(
        &self,
        address: Address,
        writer: &Arc<Endpoint>,
    ) -> Result<Option<Proof>, StoreError> {
        let others = self.list.iter().filter(|other| !Arc::ptr_eq(other, writer));
        let (mut asked, mut silent) = (false, None);
        for other in others {
            match other.check(address).await {
                Ok(_) => return Ok(Some(Proof::Elsewhere)),
                Err(StoreError::NotFound | StoreError::Corrupt) => asked = true,
                // Who refuses to answer says nothing of the network.
                Err(error) => silent = Some(error),
            }
        }
        match (asked, silent) {
            (true, _) => Ok(None),
            (false, Some(error)) => Err(error),
            (false, None) => by_its_word(address, writer).await,
        }
    }
}

async fn by_its_word(
    address: Address,
    writer: &Arc<Endpoint>,
) -> Result<Option<Proof>, StoreError> {
    let node = match writer.mode().await? {
        Mode::Dev => None,
        Mode::Full | Mode::Light | Mode::UltraLight => writer.node(),
        // What a gateway kept is nobody's promise.
        Mode::Gateway => return Err(StoreError::unavailable(Outage::Nobody)),
    };
    let Some(bee) = node else {
        return match writer.check(address).await {
            Ok(_) => Ok(Some(Proof::SingleCopy)),
            Err(StoreError::NotFound | StoreError::Corrupt) => Ok(None),
            Err(error) => Err(error),
        };
    };
    let found = writer.guarded(bee.is_retrievable(address)).await?;
    Ok(found.then_some(Proof::Stewardship))
}
