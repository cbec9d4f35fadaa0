//! A node that speaks Bee's HTTP, as far as podfs uses it, for tests and for a household's own chunks.
//!
//! Several nodes share one [`Network`]: its clock, its chain, and the chunks its neighbourhoods keep. What a node keeps
//! itself (unsent chunks of tagged uploads, what it fetched, pins, tags, how full its buckets are) is its own. Nothing
//! happens by itself: time moves when a test moves it, and a tagged chunk reaches the network with the request that
//! brings it, unless a fault says otherwise. Statuses, sentences and headers are those of Bee 2.8.

#![allow(
    missing_docs,
    unused_imports,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a node for tests fails by panicking, has a clock of its own, is built twice with other uses, and its replies have the fields that Bee gives them"
)]

mod chain;
mod clock;
mod counts;
mod disk;
mod faults;
mod hash;
mod inner;
mod issuer;
mod misdeeds;
mod network;
mod params;
mod record;
mod reply;
mod revival;
mod route;
mod routes;
mod server;
mod tags;
mod upload;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use k256::ecdsa::SigningKey;
use tokio::runtime::{Builder, Runtime};

pub use chain::BatchId;
pub use clock::Clock;
pub use counts::Counts;
pub use faults::{Fault, Faults, Push, Rule, SKIP};
pub use hash::{keccak, plain_address, sign};
pub use issuer::stamp_digest;
pub use network::{Network, Overwrite, Slot};
pub use route::Route;
pub use routes::hexadecimal;

use crate::node::clock::nanos;
use crate::node::disk::Durable;
use crate::node::inner::{Inner, State};
use crate::node::issuer::Issuer;

/// How long a freed port may take to be free.
const REBIND: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Full,
    Light,
    /// `bee dev`: no network, tagged uploads only, every purchase succeeds.
    Dev,
    /// A proxy in front of somebody's node: few routes, its own batch.
    Gateway,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V2_8_0,
    /// `POST /bytes` without a redundancy level is refused here, for real nodes would add parities.
    V2_8_1,
}

#[derive(Clone)]
pub struct Options {
    pub mode: Mode,
    pub version: Version,
    /// Shared with other nodes, or one of its own.
    pub network: Option<Network>,
    pub listen: SocketAddr,
    /// Where chunks, batches, tags and pins are kept; in memory without.
    pub dir: Option<PathBuf>,
    pub threads: usize,
    /// Decides the node's key, and what faults draw.
    pub seed: u64,
    /// PLUR in the wallet; 10^16 are one xBZZ.
    pub funds: u128,
    /// How long after its start the node answers 503 to most requests.
    pub syncing: Duration,
}

impl Options {
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            version: Version::V2_8_1,
            network: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            dir: None,
            threads: 1,
            seed: 1,
            funds: 10_000 * 10_u128.pow(16),
            syncing: Duration::ZERO,
        }
    }

    /// A light node of this network; the seed tells nodes apart.
    pub fn light(network: &Network, seed: u64) -> Self {
        Self {
            network: Some(network.clone()),
            seed,
            ..Self::new(Mode::Light)
        }
    }

    pub fn gateway(network: &Network, seed: u64) -> Self {
        Self {
            mode: Mode::Gateway,
            ..Self::light(network, seed)
        }
    }
}

/// What a node has lost when it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    Nothing,
    /// What it had not sent, had fetched or pinned, and its tags.
    LocalStore,
    /// How full its buckets are: it stamps from slot 0 again, and the network replaces older chunks.
    Counters,
}

/// A node that listens. It ends when it is dropped.
pub struct Node {
    inner: Arc<Inner>,
    address: SocketAddr,
    runtime: Option<Runtime>,
    /// Disconnected as soon as nobody listens any more.
    listening: Option<Receiver<()>>,
}

impl Node {
    /// Starts a node.
    ///
    /// # Panics
    /// When it cannot listen there, or cannot use its folder.
    pub fn start(options: Options) -> Self {
        let listener = TcpListener::bind(options.listen).expect("a free address to listen on");
        let address = listener.local_addr().unwrap();
        let mut inner = revival::revive(options);
        inner.adopt_gateway_batch();
        let mut node = Self {
            inner: Arc::new(inner),
            address,
            runtime: None,
            listening: None,
        };
        node.run(listener);
        node
    }

    fn run(&mut self, listener: TcpListener) {
        let inner = &self.inner;
        let until = self.clock().now() + nanos(inner.options.syncing);
        inner.synced_at.store(until, Ordering::SeqCst);
        let runtime = Builder::new_multi_thread()
            .worker_threads(inner.options.threads)
            .thread_name("bee-node")
            .enable_all()
            .build()
            .unwrap();
        listener.set_nonblocking(true).unwrap();
        let inner = Arc::clone(inner);
        let (listens, listening) = channel::<()>();
        self.listening = Some(listening);
        runtime.spawn(async move {
            let _listens = listens;
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let router = routes::router(&inner);
            server::serve(listener, inner, router).await
        });
        self.runtime = Some(runtime);
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:…`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn network(&self) -> &Network {
        &self.inner.network
    }

    pub fn clock(&self) -> &Clock {
        self.inner.network.clock()
    }

    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// What it has been asked so far.
    pub fn counts(&self) -> Counts {
        self.inner.counts.lock().clone()
    }

    pub fn reset_counts(&self) {
        self.inner.counts.lock().reset();
    }

    /// Whether `/readiness` says so.
    pub fn set_ready(&self, ready: bool) {
        self.inner.ready.store(ready, Ordering::SeqCst);
    }

    /// A batch that may be used at once, bought from the wallet for 60 days.
    pub fn buy_batch(&self, depth: u8) -> BatchId {
        self.inner.buy_usable(depth, "test")
    }

    /// Sends what waits, as the pusher does when it can again.
    pub fn send_waiting(&self) {
        self.inner.send_waiting();
    }

    /// Forgets what was fetched.
    pub fn drop_cache(&self) {
        self.inner.state().cache.clear();
    }

    /// Whether the node itself has a chunk, in its cache or waiting to be sent.
    pub fn has(&self, address: &podfs::types::Address) -> bool {
        self.inner.local(address).is_some()
    }

    /// Ends all connections without a word; the port refuses from now on.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        if let Some(listening) = self.listening.take() {
            // It ends with an error, for nobody ever sends.
            let _closed = listening.recv_timeout(REBIND);
        }
    }

    pub fn is_up(&self) -> bool {
        self.runtime.is_some()
    }

    /// Comes back at the same address, having lost something.
    ///
    /// # Panics
    /// When the port is not free again.
    pub fn restart(&mut self, loss: Loss) {
        self.kill();
        self.inner.lose(loss);
        let begun = Instant::now();
        let listener = loop {
            match TcpListener::bind(self.address) {
                Ok(listener) => break listener,
                Err(error) => assert!(begun.elapsed() < REBIND, "{}: {error}", self.address),
            }
            std::thread::yield_now();
        };
        self.run(listener);
    }

    pub fn stop(mut self) {
        self.kill();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Inner {
    pub fn synced(&self) -> bool {
        self.network.clock().now() >= self.synced_at.load(Ordering::SeqCst)
    }

    fn lose(&self, loss: Loss) {
        let mut state = self.state();
        match loss {
            Loss::Nothing => {}
            Loss::LocalStore => {
                let funds = state.funds;
                let issuers = std::mem::take(&mut state.issuers);
                let log = state.log.take();
                *state = State {
                    issuers,
                    funds,
                    log,
                    ..State::default()
                };
            }
            Loss::Counters => {
                let world = self.network.world();
                for issuer in state.issuers.values_mut() {
                    if let Some(batch) = world.chain.batch(&issuer.id) {
                        *issuer = Issuer::new(batch, "recovered");
                    }
                }
            }
        }
    }

    /// Buys a batch of 60 days that can be used at once.
    fn buy_usable(&self, depth: u8, label: &str) -> BatchId {
        if self.options.mode == Mode::Dev {
            return self.buy_dev(10_000_000, depth, true, label);
        }
        let mut state = self.state();
        let mut world = self.network.world();
        let blocks = 60 * 86_400 / chain::BLOCK_SECONDS;
        let amount = world.chain.price() * u128::from(blocks);
        let mut funds = state.funds;
        let order = chain::Order {
            amount,
            depth,
            immutable: true,
        };
        let bought = world.chain.buy(self.owner(), &order, &mut funds);
        let mut batch = bought.expect("a wallet that can pay");
        batch.start -= chain::USABLE_AFTER;
        world.chain.insert(batch.clone());
        state.take_batch(&batch, label, funds);
        batch.id
    }

    fn adopt_gateway_batch(&mut self) {
        if self.options.mode == Mode::Gateway {
            self.gateway_batch = Some(self.buy_usable(24, "gateway"));
        }
    }

    /// A batch of a development node: it stands on no chain and never ends.
    fn buy_dev(&self, amount: u128, depth: u8, immutable: bool, label: &str) -> BatchId {
        let mut state = self.state();
        let number = state.issuers.len() as u64 + 1;
        let batch = chain::Batch {
            id: keccak(&[&self.owner(), &number.to_be_bytes(), b"dev"]),
            owner: self.owner(),
            value: amount.checked_shl(u32::from(depth)).unwrap_or(u128::MAX),
            amount,
            depth,
            bucket_depth: 0,
            immutable,
            start: 0,
        };
        let funds = state.funds;
        state.take_batch(&batch, label, funds);
        batch.id
    }

    /// Resolves when everything this request changed survives a power cut.
    fn durable(&self) -> Durable {
        let state = self.state();
        let log = state.log.as_ref();
        log.map_or_else(Durable::at_once, disk::Log::durable)
    }

    fn key_of(seed: u64) -> SigningKey {
        SigningKey::from_slice(&keccak(&[b"bee node", &seed.to_be_bytes()])).unwrap()
    }
}
