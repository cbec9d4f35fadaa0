//! Published pages and nodes from the network: verified, opened, and made again from their group when they are lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::crypto::Secret;
use crate::crypto::publish::{Reference, open_block, open_node, reseal_block, reseal_node};
use crate::format::published::{complement_sum, members};
use crate::store::{Outage, Store, StoreError};
use crate::types::Address;
use crate::types::limits::{NODE_READS_MAX, PAGE};

/// One opened page or node.
pub type Opened = Arc<Secret<PAGE>>;

/// What a reference is to. It follows from where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A page of a file.
    Page,
    /// A node of any kind, parity included.
    Node,
}

/// Everything that a lost chunk can be made from: the children of one node, and their parity.
pub struct Family {
    /// What the children are.
    pub sort: Sort,
    /// The children in the order in which they count, holes included.
    pub children: Vec<Option<Reference>>,
    /// Children that share one parity reference; 0: there is none.
    pub group: u8,
    /// One for each group.
    pub parity: Vec<Option<Reference>>,
}

/// Why a page or node cannot be had. The variant says what comes next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody has it now, nor enough of its group: ask again later.
    #[error("chunk {0} is not to be had at the moment")]
    Missing(Address),
    /// There is no network: whether the chunk is there is not known.
    #[error("chunk {0}: {1}")]
    Unavailable(Address, StoreError),
    /// The chunk is there and is not what its reference promises: asking again does not help.
    #[error("chunk {0} is not what its reference says")]
    Corrupt(Address),
}

/// Reads from a store, so many at a time.
#[derive(Clone)]
pub struct Fetcher {
    store: Arc<dyn Store>,
    /// Nodes do not queue behind pages: those of a sequence are asked for many at a time, and the next cannot be before
    /// their nodes are here. The endpoint limits both together.
    nodes: Arc<Semaphore>,
    pages: Arc<Semaphore>,
    requests: Arc<AtomicU64>,
}

impl Family {
    /// A family that helps nobody.
    pub const fn none(sort: Sort) -> Self {
        Self {
            sort,
            children: Vec::new(),
            group: 0,
            parity: Vec::new(),
        }
    }

    /// Children none of which is a hole, all nodes.
    pub fn nodes<'a>(
        children: impl IntoIterator<Item = &'a Reference>,
        group: u8,
        parity: &[Reference],
    ) -> Self {
        Self {
            sort: Sort::Node,
            children: children.into_iter().cloned().map(Some).collect(),
            group,
            parity: parity.iter().cloned().map(Some).collect(),
        }
    }

    /// A node that is alone with its parity.
    pub fn alone(child: &Reference, parity: Option<&Reference>) -> Self {
        Self {
            sort: Sort::Node,
            children: vec![Some(child.clone())],
            group: u8::from(parity.is_some()),
            parity: parity.cloned().map(Some).into_iter().collect(),
        }
    }

    /// The others of the first group that `reference` belongs to, as child or as parity.
    fn others(&self, reference: &Reference) -> Option<Vec<(Sort, Reference)>> {
        (0..).zip(&self.parity).find_map(|(number, parity)| {
            let children = self.children.iter().map(Option::as_ref);
            let members = members(children, self.group, number);
            let members = members.into_iter().filter_map(|at| {
                let child = self.children.get(at)?.clone()?;
                Some((self.sort, child))
            });
            let parity = parity.clone().map(|parity| (Sort::Node, parity));
            let all: Vec<_> = members.chain(parity).collect();
            let among = all.iter().any(|(_, member)| member == reference);
            among.then(|| {
                let others = all.into_iter().filter(|(_, member)| member != reference);
                others.collect()
            })
        })
    }
}

impl Fetcher {
    /// Reads from `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            nodes: Arc::new(Semaphore::new(NODE_READS_MAX)),
            pages: Arc::new(Semaphore::new(NODE_READS_MAX)),
            requests: Arc::default(),
        }
    }

    /// The store below.
    pub const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Chunks asked for so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The page or node that `reference` is to, made again from the others of its group when it is lost.
    ///
    /// # Errors
    /// [`FetchError`], of the chunk of this reference.
    pub async fn open(
        &self,
        sort: Sort,
        reference: &Reference,
        family: &Family,
    ) -> Result<Secret<PAGE>, FetchError> {
        let lost = match self.present(sort, reference).await {
            Err(lost @ FetchError::Missing(_)) => lost,
            other => return other,
        };
        let Some(others) = family.others(reference) else {
            return Err(lost);
        };
        let mut asked = JoinSet::new();
        for (sort, other) in others {
            let fetcher = self.clone();
            asked.spawn(async move { fetcher.present(sort, &other).await });
        }
        let mut pages = Vec::new();
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok(Ok(page)) => pages.push(page),
                _ => return Err(lost),
            }
        }
        let page = complement_sum(pages.iter().map(Secret::expose));
        let resealed = match sort {
            Sort::Page => reseal_block(reference, page.expose()),
            Sort::Node => reseal_node(reference, page.expose()),
        };
        resealed.map_or(Err(lost), |_| Ok(page))
    }

    /// The page or node of this very chunk.
    async fn present(&self, sort: Sort, reference: &Reference) -> Result<Secret<PAGE>, FetchError> {
        let address = reference.address();
        let permits = match sort {
            Sort::Page => &self.pages,
            Sort::Node => &self.nodes,
        };
        let Ok(permit) = permits.acquire().await else {
            let why = StoreError::unavailable(Outage::Down);
            return Err(FetchError::Unavailable(address, why));
        };
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answer = self.store.get(address).await;
        drop(permit);
        let chunk = match answer {
            Ok(chunk) => chunk,
            Err(StoreError::NotFound | StoreError::Corrupt) => {
                return Err(FetchError::Missing(address));
            }
            Err(why) => return Err(FetchError::Unavailable(address, why)),
        };
        let opened = match sort {
            Sort::Page => open_block(reference, &chunk).map(|page| Secret::from_bytes(&page)),
            Sort::Node => open_node(reference, &chunk),
        };
        opened.map_err(|_| FetchError::Corrupt(address))
    }
}
