//! The network as a publication sees it: endpoints that are read from, and one node that is paid to store.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::crypto::swarm::SealedChunk;
use crate::store::bee::{BatchId, Bee, Mode, Postage, UploadTag};
use crate::store::endpoints::{Endpoint, Endpoints, Patience};
use crate::store::{Answer, Receipt, Rejection, Store, StoreError};
use crate::types::Address;
use crate::types::limits::TAG_CHUNKS;

/// What a chunk is, which decides what it is paid with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freight {
    /// A page of a file.
    Page,
    /// A node, or a head.
    Node,
}

/// Endpoints, and where chunks are put.
#[derive(Clone)]
pub struct Network {
    /// What is read from, and asked about chunks.
    pub endpoints: Endpoints,
    /// The endpoint that is written to.
    pub writer: Arc<Endpoint>,
    pages: Arc<dyn Store>,
    nodes: Arc<dyn Store>,
    /// All of the pod is carried there, whatever was published elsewhere before: number of the migration.
    pub(super) migration: Option<u64>,
}

impl Network {
    /// Writes through `writer`, a node, with a batch for pages and one for nodes and heads.
    ///
    /// # Errors
    /// [`Rejection::NoBatch`] when the endpoint is no node that can be written to.
    pub fn of_node(
        endpoints: Endpoints,
        writer: &Arc<Endpoint>,
        (pages, nodes): (BatchId, BatchId),
    ) -> Result<Self, StoreError> {
        let bee = writer
            .node()
            .ok_or(StoreError::Rejected(Rejection::NoBatch))?;
        let post = |batch| -> Arc<dyn Store> {
            Arc::new(writer.guard(Post {
                endpoint: Arc::clone(writer),
                bee: Arc::clone(bee),
                batch,
                tag: Mutex::new(None),
            }))
        };
        let pages_post = post(pages);
        let nodes_post = if nodes == pages {
            Arc::clone(&pages_post)
        } else {
            post(nodes)
        };
        Ok(Self {
            endpoints,
            writer: Arc::clone(writer),
            pages: pages_post,
            nodes: nodes_post,
            migration: None,
        })
    }

    /// What was published elsewhere before is carried there too. The number, not 0, tells this time from another.
    #[must_use]
    pub fn of_whole_pod(self, migration: Option<u64>) -> Self {
        Self { migration, ..self }
    }

    /// Writes everything to one store behind `writer`.
    pub fn of_store(endpoints: Endpoints, writer: &Arc<Endpoint>, store: Arc<dyn Store>) -> Self {
        Self {
            endpoints,
            writer: Arc::clone(writer),
            pages: Arc::clone(&store),
            nodes: store,
            migration: None,
        }
    }

    /// Where chunks of this kind are put.
    pub fn store(&self, freight: Freight) -> &Arc<dyn Store> {
        match freight {
            Freight::Page => &self.pages,
            Freight::Node => &self.nodes,
        }
    }
}

/// The endpoints that are read from, which can become others while somebody reads.
pub struct Sources(RwLock<Endpoints>);

impl Default for Sources {
    fn default() -> Self {
        Self(RwLock::new(Endpoints::new(Vec::new(), Patience::default())))
    }
}

impl Sources {
    /// From now on it is these.
    pub fn set(&self, endpoints: Endpoints) {
        *self.0.write() = endpoints;
    }

    /// Those that it is now.
    pub fn now(&self) -> Endpoints {
        self.0.read().clone()
    }
}

impl Store for Sources {
    fn put<'a>(&'a self, _chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        Box::pin(async { Err(StoreError::Rejected(Rejection::NoBatch)) })
    }

    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        Box::pin(async move { self.now().get(address).await })
    }

    fn has(&self, address: Address) -> Answer<'_, bool> {
        Box::pin(async move { self.now().has(address).await })
    }
}

/// A node that is paid with one batch. Development nodes take chunks only with a tag; a tag is used for some time and
/// then replaced, since an error of one request may drop others of its tag.
struct Post {
    endpoint: Arc<Endpoint>,
    bee: Arc<Bee>,
    batch: BatchId,
    tag: Mutex<Option<(UploadTag, usize)>>,
}

impl Post {
    async fn tag(&self) -> Result<Option<UploadTag>, StoreError> {
        if self.endpoint.mode().await? != Mode::Dev {
            return Ok(None);
        }
        if let Some((tag, used)) = &mut *self.tag.lock()
            && *used < TAG_CHUNKS
        {
            *used += 1;
            return Ok(Some(*tag));
        }
        let tag = self.bee.new_tag().await?;
        *self.tag.lock() = Some((tag, 1));
        Ok(Some(tag))
    }

    async fn send(&self, chunk: &SealedChunk) -> Result<Receipt, StoreError> {
        let postage = Postage {
            batch: self.batch,
            tag: self.tag().await?,
        };
        let outcome = self.bee.put(chunk, &postage).await;
        if outcome == Err(StoreError::Rejected(Rejection::TagUnknown)) {
            *self.tag.lock() = None;
        }
        outcome
    }
}

impl Store for Post {
    fn put<'a>(&'a self, chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        Box::pin(self.send(chunk))
    }

    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        Box::pin(self.bee.get(address, crate::store::bee::Cache::Bypass))
    }

    fn has(&self, address: Address) -> Answer<'_, bool> {
        Box::pin(self.bee.has(address))
    }
}
