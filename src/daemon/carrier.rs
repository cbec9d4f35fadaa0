//! The node that a mounted pod is written to: how its batches are, and what is in the way of writing there.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;

use crate::daemon::trouble::Place;
use crate::daemon::trouble::Trouble;
use crate::format::published::Batch;
use crate::format::published::BatchUse;
use crate::store::Rejection;
use crate::store::StoreError;
use crate::store::bee::BatchId;
use crate::store::bee::Bee;
use crate::store::bee::Mode;
use crate::store::endpoints::Endpoints;
use crate::sync::Part;
use crate::sync::Publisher;
use crate::sync::SyncError;
use crate::types::limits::BATCHES_AGAIN;
use crate::types::limits::BATCHES_SOON;
use crate::types::limits::FOLLOW_MAX;
use crate::types::limits::POSTAGE_WARNING;

/// All is well again when nothing was in the way for so long: a node may take some chunks and refuse others, and one that
/// refuses is asked again after a while.
const CALM: Duration = Duration::from_secs(10);

/// How a batch stands with its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lease {
    /// It takes chunks, as far as its node says.
    Good,
    /// Not yet.
    Young,
    /// No more.
    Ended,
    /// The node does not know it.
    Unknown,
}

/// A postage batch in use, when it was last looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLight {
    /// Which.
    pub(super) id: BatchId,
    /// How it stands.
    pub(super) lease: Lease,
    /// It has 2^depth slots; 0 when that is not known.
    pub(super) depth: u8,
    /// Days until it ends; nothing when the node does not know.
    pub(super) days_left: Option<u64>,
    /// How full the fullest bucket is.
    pub(super) fill_percent: u64,
}

/// What a batch pays for.
type Paid = (BatchId, BatchUse);

/// The node that is written to, for as long as it is the one.
pub(super) struct Carrier {
    node: String,
    bee: Arc<Bee>,
    endpoints: Endpoints,
    paid: Vec<Paid>,
    flag: String,
    batches: Mutex<Vec<BatchLight>>,
    single_copy: AtomicBool,
}

impl Carrier {
    /// The writer among `endpoints`, with a batch for pages and perhaps another one for nodes; nothing without one.
    /// `flag` is what commands about the pod need besides.
    pub(super) fn new(
        endpoints: Endpoints,
        (pages, for_nodes): (BatchId, Option<BatchId>),
        flag: String,
    ) -> Option<Self> {
        let writer = endpoints.writer()?;
        let paid = match for_nodes.filter(|nodes| *nodes != pages) {
            Some(nodes) => vec![(pages, BatchUse::Pages), (nodes, BatchUse::Nodes)],
            None => vec![(pages, BatchUse::All)],
        };
        let unseen = |(id, _): &Paid| BatchLight {
            id: *id,
            lease: Lease::Good,
            depth: 0,
            days_left: None,
            fill_percent: 0,
        };
        Some(Self {
            node: writer.name().to_owned(),
            bee: Arc::clone(writer.node()?),
            batches: Mutex::new(paid.iter().map(unseen).collect()),
            paid,
            flag,
            endpoints,
            single_copy: AtomicBool::new(false),
        })
    }

    /// The batches that pay, as they were when they were last looked at.
    pub(super) fn batches(&self) -> Vec<BatchLight> {
        self.batches.lock().clone()
    }

    /// Whether there is no network behind the node.
    pub(super) fn is_single_copy(&self) -> bool {
        self.single_copy.load(Ordering::Relaxed)
    }

    /// What a failure of publishing there means.
    pub(super) fn trouble(&self, part: Part, error: &SyncError) -> Trouble {
        let list = self.endpoints.list().iter();
        let down = list.filter(|it| !it.is_up()).map(|it| it.name()).collect();
        let place = Place {
            node: &self.node,
            down,
            batches: &self.batches.lock(),
            flag: &self.flag,
        };
        Trouble::of(part, error, &place)
    }

    /// Looks at the batches and tells what is in the way, for as long as it is the carrier.
    pub(super) async fn attend(self: Arc<Self>, publisher: Arc<Publisher>) {
        tokio::join!(self.watch(&publisher), self.tell(&publisher));
    }

    /// Looks at the batches now and then, and when one is refused.
    async fn watch(&self, publisher: &Publisher) {
        let mut troubles = publisher.progress().troubles();
        loop {
            let refused = publisher.progress().trouble();
            let refused = refused.is_some_and(|(_, error)| is_of_batch(&error));
            let looked = self.look(publisher).await;
            if let Err(error) = &looked {
                let node = &self.node;
                tracing::info!(%error, "the node {node} does not tell of its batches");
            }
            let again = if refused || looked.is_err() {
                BATCHES_SOON
            } else {
                BATCHES_AGAIN
            };
            let refusal = async {
                if refused {
                    // That it is refused is known, and was looked into.
                    std::future::pending::<()>().await;
                }
                let refusal =
                    troubles.wait_for(|now| now.first().is_some_and(|(_, it)| is_of_batch(it)));
                drop(refusal.await);
            };
            if tokio::time::timeout(again, refusal).await.is_ok() {
                tracing::debug!("a postage batch is refused");
            }
        }
    }

    async fn look(&self, publisher: &Publisher) -> Result<(), StoreError> {
        let is_dev = self.bee.mode().await? == Mode::Dev;
        self.single_copy.store(is_dev, Ordering::Relaxed);
        let (mut lights, mut batches) = (Vec::new(), Vec::new());
        for (id, pays) in &self.paid {
            let (mut light, batch) = self.look_at(*id, *pays, publisher.now()).await?;
            // What a development node says of time is noise.
            light.days_left = light.days_left.filter(|_| !is_dev);
            lights.push(light);
            batches.extend(batch);
        }
        let soonest = lights
            .iter()
            .filter_map(|light| Some((light.days_left?, light.id)))
            .min();
        if let Some((days, batch)) = soonest.filter(|(days, _)| *days < POSTAGE_WARNING) {
            let next = format!("podfs stamp topup {batch} --days 60{}", self.flag);
            tracing::warn!(days, %batch, next, "a postage batch ends soon");
        }
        *self.batches.lock() = lights;
        if batches.len() == self.paid.len() {
            batches.sort_unstable_by_key(|batch: &Batch| batch.id);
            publisher.set_batches(batches);
        }
        Ok(())
    }

    /// How a batch is, and how heads name it when the node knows it.
    async fn look_at(
        &self,
        id: BatchId,
        pays: BatchUse,
        now: i64,
    ) -> Result<(BatchLight, Option<Batch>), StoreError> {
        let unseen = |lease| BatchLight {
            id,
            lease,
            depth: 0,
            days_left: None,
            fill_percent: 0,
        };
        let batch = match self.bee.batch(id).await {
            Err(StoreError::Rejected(Rejection::BatchUnknown)) => {
                return Ok((unseen(Lease::Unknown), None));
            }
            Err(StoreError::Rejected(Rejection::BatchUnusable)) => {
                return Ok((unseen(Lease::Young), None));
            }
            looked => looked?,
        };
        // One whose time the node cannot tell and that takes nothing is one that is no more.
        let lease = match (batch.usable, batch.time_left) {
            (true, _) => Lease::Good,
            (false, Some(left)) if !left.is_zero() => Lease::Young,
            (false, _) => Lease::Ended,
        };
        let left = batch.time_left.map_or(0, |left| left.as_secs());
        let light = BatchLight {
            depth: batch.depth,
            days_left: batch.time_left.map(|left| left.as_secs() / 86_400),
            fill_percent: batch.utilization * 100 / batch.bucket_slots().max(1),
            ..unseen(lease)
        };
        let named = Batch {
            id: id.0,
            pays,
            depth: batch.depth,
            expires: now.saturating_add_unsigned(left),
        };
        Ok((light, Some(named)))
    }

    /// Tells in the log what is in the way: when it begins, when it becomes the owner's business, and when it is over.
    async fn tell(&self, publisher: &Publisher) {
        let mut troubles = publisher.progress().troubles();
        let mut told = None;
        loop {
            let now = troubles.borrow_and_update().clone();
            let trouble = now.first().map(|(part, error)| self.trouble(part, error));
            let Some(trouble) = trouble else {
                let news = tokio::time::timeout(CALM, troubles.changed()).await;
                if news.is_err() && told.take().is_some() {
                    tracing::info!("publishing goes on");
                }
                continue;
            };
            if told != Some(trouble.blocked) {
                told = Some(trouble.blocked);
                let (why, next) = (trouble.what, trouble.next);
                if trouble.blocked.is_some() {
                    tracing::warn!(why, next, "publishing waits until somebody sees to it");
                } else {
                    tracing::info!(why, next, "publishing waits");
                }
            }
            // What is known of the batches changes what is to be told of the same failure.
            drop(tokio::time::timeout(FOLLOW_MAX, troubles.changed()).await);
        }
    }
}

/// Whether the batches have to be looked at to know what it means.
const fn is_of_batch(error: &SyncError) -> bool {
    matches!(
        error,
        SyncError::BatchFull
            | SyncError::Store(StoreError::Rejected(
                Rejection::BatchUnusable | Rejection::BatchUnknown | Rejection::BucketFull(_)
            ))
    )
}
