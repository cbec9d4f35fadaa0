use std::sync::Arc;

use crate::crypto::swarm::SealedChunk;
use crate::store::bee::Mode;
use crate::store::endpoints::{Endpoint, Endpoints, Role};
use crate::store::{Answer, Outage, Receipt, Rejection, Store, StoreError};
use crate::types::Address;

/// What the network should hold.
#[derive(Clone, Copy, Debug)]
pub enum Sought<'a> {
    /// The content-addressed chunk that stands here: its address says what is in it.
    Content(Address),
    /// This single-owner chunk: its owner can have put another payload at the same address.
    Owned(&'a SealedChunk),
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The network holds it, as far as this proof goes.
    Held(Proof),
    /// Not yet, or no more: ask again after [`RETRIEVE_AGAIN`](crate::types::limits::RETRIEVE_AGAIN), or put it again.
    NotYet,
    /// Another payload of the same owner stands at the address. Putting again does not help: it has to be another address.
    Other,
}

/// How it is known that a chunk is in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// The development node that took it gave it back. There is no second copy, and the user is told so.
    SingleCopy,
    /// The node that took it looked for it in the network, leaving its own store aside, and found it. Of a single-owner
    /// chunk, it found a payload there and has ours itself.
    Stewardship,
    /// Fetched back through another node than the one that took it.
    Elsewhere,
}

impl Sought<'_> {
    fn address(&self) -> Address {
        match self {
            Self::Content(address) => *address,
            Self::Owned(chunk) => chunk.address(),
        }
    }

    fn is(&self, found: &SealedChunk) -> bool {
        match self {
            Self::Content(_) => !found.is_single_owner(),
            Self::Owned(chunk) => found.payload() == chunk.payload(),
        }
    }

    /// What a fetch says; an error when it says nothing.
    fn judged(
        &self,
        fetched: Result<SealedChunk, StoreError>,
        proof: Proof,
    ) -> Result<Verdict, StoreError> {
        match fetched {
            Ok(found) if self.is(&found) => Ok(Verdict::Held(proof)),
            Ok(_) => Ok(Verdict::Other),
            Err(StoreError::NotFound | StoreError::Corrupt) => Ok(Verdict::NotYet),
            Err(error) => Err(error),
        }
    }
}

impl Endpoints {
    /// Whether the network was seen to hold what `writer` took: fetched back through another node, or, when there is
    /// no other, by the word of the writer. Two endpoints with the same overlay are one node. Meant for the background,
    /// and slow.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when nobody who could tell answers.
    pub async fn verify(
        &self,
        sought: Sought<'_>,
        writer: &Arc<Endpoint>,
    ) -> Result<Verdict, StoreError> {
        let others = self.list.iter();
        let others =
            others.filter(|other| !Arc::ptr_eq(other, writer) && other.role() != Role::Source);
        let (mut asked, mut silent) = (false, None);
        for other in others {
            let fetched = match other.is_node_of(writer).await {
                Ok(true) => continue,
                Ok(false) => other.check(sought.address()).await,
                Err(error) => Err(error),
            };
            match sought.judged(fetched, Proof::Elsewhere) {
                Ok(Verdict::NotYet) => asked = true,
                Ok(verdict) => return Ok(verdict),
                // Who refuses to answer says nothing of the network.
                Err(error) => silent = Some(error),
            }
        }
        match (asked, silent) {
            (true, _) => Ok(Verdict::NotYet),
            (false, Some(error)) => Err(error),
            (false, None) => by_its_word(sought, writer).await,
        }
    }
}

impl Endpoints {
    /// The chunk, from whoever has it; nothing when everybody answers and nobody has it. Meant for the background, and
    /// slow.
    ///
    /// # Errors
    /// When nobody who answers has it and somebody does not answer: it may be there.
    pub async fn search(&self, address: Address) -> Result<Option<SealedChunk>, StoreError> {
        if self.list.is_empty() {
            return Err(StoreError::unavailable(Outage::Nobody));
        }
        let mut silent = None;
        for endpoint in self.list() {
            match endpoint.check(address).await {
                Ok(chunk) => return Ok(Some(chunk)),
                Err(StoreError::NotFound | StoreError::Corrupt) => {}
                Err(error) => silent = Some(error),
            }
        }
        silent.map_or(Ok(None), Err)
    }

    /// What the endpoints have, asked one after the other and each for as long as it takes to search the network: for
    /// the background. Nothing is believed of an endpoint that does not answer.
    pub fn unhurried(&self) -> Arc<dyn Store> {
        Arc::new(Unhurried(self.clone()))
    }
}

/// See [`Endpoints::unhurried`].
struct Unhurried(Endpoints);

impl Store for Unhurried {
    fn put<'a>(&'a self, _chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        Box::pin(async { Err(StoreError::Rejected(Rejection::NoBatch)) })
    }

    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        Box::pin(async move {
            let mut failure = StoreError::unavailable(Outage::Nobody);
            for endpoint in self.0.list() {
                match endpoint.check(address).await {
                    Err(StoreError::NotFound) => failure = StoreError::NotFound,
                    Err(_) if failure == StoreError::NotFound => {}
                    Err(error) => failure = error,
                    found => return found,
                }
            }
            Err(failure)
        })
    }

    fn has(&self, address: Address) -> Answer<'_, bool> {
        self.0.has(address)
    }
}

async fn by_its_word(sought: Sought<'_>, writer: &Arc<Endpoint>) -> Result<Verdict, StoreError> {
    let node = match writer.mode().await? {
        Mode::Dev => None,
        Mode::Full | Mode::Light | Mode::UltraLight => writer.node(),
        // What a gateway kept is nobody's promise.
        Mode::Gateway => return Err(StoreError::unavailable(Outage::Nobody)),
    };
    let address = sought.address();
    let Some(bee) = node else {
        return sought.judged(writer.check(address).await, Proof::SingleCopy);
    };
    // Stewardship looks at the address alone.
    if let Sought::Owned(_) = sought {
        let own = sought.judged(writer.check(address).await, Proof::Stewardship)?;
        if !matches!(own, Verdict::Held(_)) {
            return Ok(own);
        }
    }
    Ok(if writer.guarded(bee.is_retrievable(address)).await? {
        Verdict::Held(Proof::Stewardship)
    } else {
        Verdict::NotYet
    })
}
