use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, OnceCell, Semaphore};
use tokio::time::Instant;

use crate::crypto::swarm::SealedChunk;
use crate::store::bee::{Bee, Cache, Mode, Through};
use crate::store::breaker::{Admission, Breaker, is_silence};
use crate::store::{Answer, Outage, Pulse, Receipt, Store, StoreError};
use crate::types::Address;
use crate::types::limits::{
    GATEWAY_READS_MAX, HEDGE_AFTER, KNOWN_DOWN, NODE_READS_MAX, PULSE_DEADLINE,
};

/// What an endpoint is used for, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Where the pod was kept before: read from, and asked first, since what is not carried away yet is nowhere else.
    /// What it says proves nothing of the network that the pod is kept in now.
    Source,
    /// A node of ours, which has a batch: writes go there.
    Own,
    /// Another node, for reading and verifying.
    Other,
    /// Somebody's gateway, for reading and verifying.
    Gateway,
}

/// One node or gateway, and what is known of it.
pub struct Endpoint {
    name: String,
    role: Role,
    reads: Arc<dyn Store>,
    checks: Arc<dyn Store>,
    pulse: Arc<dyn Pulse>,
    bee: Option<Arc<Bee>>,
    mode: OnceCell<Mode>,
    overlay: OnceCell<Option<[u8; 32]>>,
    breaker: Mutex<Breaker>,
    /// Told whenever a pulse was felt.
    felt: Notify,
    slots: Semaphore,
}

impl Endpoint {
    /// A node or gateway over HTTP. `name` is what people call it.
    pub fn bee(name: &str, role: Role, bee: Arc<Bee>) -> Arc<Self> {
        let reads = Arc::new(Through::reader(Arc::clone(&bee), Cache::Keep));
        let checks = Arc::new(Through::reader(Arc::clone(&bee), Cache::Bypass));
        let pulse = Arc::clone(&reads);
        Self::of(name, role, (reads, checks, pulse), Some(bee))
    }

    /// Any store that has a pulse.
    pub fn new<S: Store + Pulse + 'static>(name: &str, role: Role, store: Arc<S>) -> Arc<Self> {
        let (reads, checks) = (Arc::clone(&store), Arc::clone(&store));
        Self::of(name, role, (reads, checks, store), None)
    }

    fn of<S: Store + Pulse + 'static>(
        name: &str,
        role: Role,
        (reads, checks, pulse): (Arc<S>, Arc<S>, Arc<S>),
        bee: Option<Arc<Bee>>,
    ) -> Arc<Self> {
        let slots = match role {
            Role::Source | Role::Own | Role::Other => NODE_READS_MAX,
            Role::Gateway => GATEWAY_READS_MAX,
        };
        Arc::new(Self {
            name: name.to_owned(),
            role,
            reads,
            checks,
            pulse,
            bee,
            mode: OnceCell::new(),
            overlay: OnceCell::new(),
            breaker: Mutex::default(),
            felt: Notify::new(),
            slots: Semaphore::new(slots),
        })
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is used for.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The node behind it.
    pub const fn node(&self) -> Option<&Arc<Bee>> {
        self.bee.as_ref()
    }

    /// Whether it answered when it was last asked.
    pub fn is_up(&self) -> bool {
        self.breaker.lock().is_closed()
    }

    /// What kind of node it is; asked once. A store that is no node is like a development node: nothing is behind it.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn mode(self: &Arc<Self>) -> Result<Mode, StoreError> {
        let Some(bee) = &self.bee else {
            return Ok(Mode::Dev);
        };
        let asked = self.mode.get_or_try_init(|| self.guarded(bee.mode()));
        asked.await.copied()
    }

    /// The same as far as it was asked before.
    pub fn known_mode(&self) -> Option<Mode> {
        self.mode.get().copied()
    }

    /// Whether both are ways to the same node, which then has only one word.
    pub(super) async fn is_node_of(
        self: &Arc<Self>,
        other: &Arc<Self>,
    ) -> Result<bool, StoreError> {
        let Some(overlay) = self.overlay().await? else {
            return Ok(false);
        };
        Ok(other.overlay().await? == Some(overlay))
    }

    /// Its place in the network; asked once. A gateway need not tell, and is somebody else; a store that is no node has none.
    async fn overlay(self: &Arc<Self>) -> Result<Option<[u8; 32]>, StoreError> {
        let Some(bee) = &self.bee else {
            return Ok(None);
        };
        let asked =
            self.overlay
                .get_or_try_init(async || match self.guarded(bee.overlay()).await {
                    Err(StoreError::Rejected(_)) if self.role == Role::Gateway => Ok(None),
                    answer => answer.map(Some),
                });
        asked.await.copied()
    }

    /// Runs a request under this endpoint's breaker: not at all when it is known to be down, and remembered when it
    /// is not answered. A request that is dropped after a while without an answer counts as not answered.
    ///
    /// # Errors
    /// [`Outage::Down`] within [`KNOWN_DOWN`]; else what the request says.
    pub async fn guarded<T>(
        self: &Arc<Self>,
        request: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.enter(KNOWN_DOWN).await?;
        self.watched(request, HEDGE_AFTER).await
    }

    /// A store that goes through [`Endpoint::guarded`], such as a node with a batch.
    pub fn guard<S: Store>(self: &Arc<Self>, store: S) -> Guarded<S> {
        Guarded {
            endpoint: Arc::clone(self),
            store,
        }
    }

    /// Reads without asking the breaker, but telling it.
    pub(super) async fn read(
        self: &Arc<Self>,
        address: Address,
        until: Instant,
    ) -> Result<SealedChunk, StoreError> {
        self.limited(&*self.reads, address, until).await
    }

    /// Whether it holds the chunk itself.
    pub(super) async fn holds(self: &Arc<Self>, address: Address) -> Result<bool, StoreError> {
        self.guarded(self.reads.has(address)).await
    }

    /// Fetches back for verification.
    pub(super) async fn check(
        self: &Arc<Self>,
        address: Address,
    ) -> Result<SealedChunk, StoreError> {
        self.guarded(self.checks.get(address)).await
    }

    async fn limited(
        self: &Arc<Self>,
        store: &dyn Store,
        address: Address,
        until: Instant,
    ) -> Result<SealedChunk, StoreError> {
        let patience = until.duration_since(Instant::now());
        let late = |_| StoreError::unavailable(Outage::Late(patience));
        let slot = tokio::time::timeout_at(until, self.slots.acquire()).await;
        let slot = slot.map_err(late)?;
        // Whoever got its slot late cut the node's time short itself.
        let enough = HEDGE_AFTER.min(patience / 2);
        let answer = self.watched(store.get(address), enough);
        let outcome = tokio::time::timeout_at(until, answer).await;
        drop(slot);
        outcome.map_err(late)?
    }

    /// Waits until the breaker lets requests pass, as long as the pulse has been felt for less than `patience`. That
    /// is counted for all together: one waits for a sign of life, those who come later are told at once.
    pub(super) async fn enter(self: &Arc<Self>, patience: Duration) -> Result<(), StoreError> {
        loop {
            let felt = self.felt.notified();
            let since = match self.knock() {
                Admission::Pass => return Ok(()),
                Admission::Probe => Instant::now(),
                Admission::Wait(since) => since,
                Admission::Refuse(wait) => {
                    return Err(StoreError::Unavailable {
                        why: Outage::Down,
                        retry_after: Some(wait),
                    });
                }
            };
            let felt = tokio::time::timeout_at(since + patience, felt).await;
            felt.map_err(|_| StoreError::unavailable(Outage::Down))?;
        }
    }

    /// Whether requests pass now. When it is time to feel the pulse, that begins.
    pub(super) fn knock(self: &Arc<Self>) -> Admission {
        let admission = self.breaker.lock().admit(Instant::now());
        if admission == Admission::Probe {
            let endpoint = Arc::clone(self);
            // On its own: whoever happens to wait may go away.
            tokio::spawn(async move {
                let pulse = tokio::time::timeout(PULSE_DEADLINE, endpoint.pulse.pulse());
                // A refusal is an answer too: a gateway need not offer this route.
                let alive = match pulse.await {
                    Ok(Ok(())) => true,
                    Ok(Err(error)) => !is_silence(&error),
                    Err(_) => false,
                };
                if endpoint.breaker.lock().felt(alive, Instant::now()) {
                    tracing::info!("the node {} answers again", endpoint.name);
                }
                endpoint.felt.notify_waiters();
            });
        }
        admission
    }

    /// Tells the breaker how the request went; when it is dropped without an answer, only after `enough` time.
    async fn watched<T>(
        self: &Arc<Self>,
        request: impl Future<Output = Result<T, StoreError>>,
        enough: Duration,
    ) -> Result<T, StoreError> {
        let mut watch = Watch {
            endpoint: self,
            began: Instant::now(),
            enough,
            answered: false,
        };
        let outcome = request.await;
        watch.answered = true;
        self.note(outcome.as_ref().err(), watch.began);
        outcome
    }

    fn note(&self, failure: Option<&StoreError>, began: Instant) {
        if failure == Some(&StoreError::Corrupt) {
            tracing::warn!("the node {} sent bytes of another chunk", self.name);
        }
        if self.breaker.lock().note(failure, began, Instant::now()) {
            let why = failure.map(ToString::to_string);
            tracing::info!(why, "the node {} does not answer", self.name);
        }
    }
}

/// Tells the breaker of a request that nobody waited for any more.
struct Watch<'a> {
    endpoint: &'a Arc<Endpoint>,
    began: Instant,
    enough: Duration,
    answered: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let waited = self.began.elapsed();
        if !self.answered && waited >= self.enough {
            let late = StoreError::unavailable(Outage::Late(waited));
            self.endpoint.note(Some(&late), self.began);
        }
    }
}

/// See [`Endpoint::guard`].
pub struct Guarded<S> {
    endpoint: Arc<Endpoint>,
    store: S,
}

impl<S: Store> Store for Guarded<S> {
    fn put<'a>(&'a self, chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        Box::pin(self.endpoint.guarded(self.store.put(chunk)))
    }

    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        Box::pin(self.endpoint.guarded(self.store.get(address)))
    }

    fn has(&self, address: Address) -> Answer<'_, bool> {
        Box::pin(self.endpoint.guarded(self.store.has(address)))
    }
}
