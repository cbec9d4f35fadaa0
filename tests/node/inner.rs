//! What a node is while it runs, and how it finds chunks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use k256::ecdsa::SigningKey;
use parking_lot::{Mutex, MutexGuard};
use podfs::types::Address;

use crate::node::Mode;
use crate::node::Options;
use crate::node::chain::BatchId;
use crate::node::clock::nanos;
use crate::node::counts::Counts;
use crate::node::disk::{Held, Log};
use crate::node::faults::{Faults, SKIP};
use crate::node::hash::{Chunk, Owner, owner_of};
use crate::node::issuer::Issuer;
use crate::node::network::{Network, Slot};
use crate::node::tags::Tags;

/// A chunk of a tagged upload that has not been sent.
#[derive(Clone)]
pub struct Waiting {
    pub bytes: Held,
    pub batches: Vec<BatchId>,
    pub slots: Vec<Slot>,
    pub tag: u64,
    /// The how manyth chunk it was.
    pub number: u64,
}

impl Waiting {
    pub fn new(bytes: Held, tag: u64, number: u64) -> Self {
        Self {
            bytes,
            batches: Vec::with_capacity(1),
            slots: Vec::with_capacity(1),
            tag,
            number,
        }
    }
}

/// What changes.
#[derive(Default)]
pub struct State {
    pub issuers: BTreeMap<BatchId, Issuer>,
    pub tags: Tags,
    pub pins: BTreeSet<Address>,
    /// Chunks that were fetched or pinned here.
    pub cache: HashMap<Address, Held>,
    pub waiting: HashMap<Address, Waiting>,
    /// Chunks that ever waited.
    pub arrived: u64,
    /// PLUR in the wallet.
    pub funds: u128,
    /// What a development node was last asked to upload again; it believes that this alone is retrievable.
    pub steward: Option<Address>,
    pub log: Option<Log>,
}

impl State {
    /// Keeps a chunk on disk, when there is one; gives what to read it from.
    pub fn log_chunk(
        &mut self,
        chunk: &Chunk,
        slot: &Slot,
        tag: Option<u64>,
        before: Option<Held>,
    ) -> Held {
        let Some(log) = &mut self.log else {
            return Held::Memory(Arc::clone(&chunk.bytes));
        };
        let same = before.filter(|held| held.read() == *chunk.bytes);
        log.chunk(chunk, slot, tag, same)
    }

    pub fn log_seen(&mut self, tag: u64) {
        if let Some(log) = &mut self.log {
            log.seen(tag);
        }
    }

    pub fn log_forgotten(&mut self, address: &Address) {
        if let Some(log) = &mut self.log {
            log.forgotten(address);
        }
    }
}

pub struct Inner {
    pub options: Options,
    pub network: Network,
    pub faults: Faults,
    pub key: SigningKey,
    pub counts: Mutex<Counts>,
    state: Mutex<State>,
    /// The batch that a gateway stamps everything with.
    pub gateway_batch: Option<BatchId>,
    /// When the node will have synced, in nanoseconds of Unix time.
    pub synced_at: AtomicU64,
    pub ready: AtomicBool,
    pub buying: AtomicBool,
}

impl Inner {
    pub fn new(options: Options, network: Network, key: SigningKey, state: State) -> Self {
        let faults = Faults::new(options.seed);
        Self {
            options,
            network,
            faults,
            key,
            counts: Mutex::default(),
            state: Mutex::new(state),
            gateway_batch: None,
            synced_at: AtomicU64::new(0),
            ready: AtomicBool::new(true),
            buying: AtomicBool::new(false),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub fn owner(&self) -> Owner {
        owner_of(self.key.verifying_key())
    }

    /// What this node has itself.
    pub fn local(&self, address: &Address) -> Option<Held> {
        let state = self.state();
        let waiting = state.waiting.get(address).map(|held| held.bytes.clone());
        waiting.or_else(|| state.cache.get(address).cloned())
    }

    /// A chunk from the network, as far as this node sees it; its own copies do not count.
    pub fn remote(&self, address: &Address) -> Option<Held> {
        let now = self.network.clock().now();
        let skips = {
            let switches = self.faults.switches();
            if let Some(view) = switches.views.get(address) {
                return Some(Held::Memory(Arc::clone(view)));
            }
            let skipped = switches.skipped.get(address).is_some_and(|t| *t > now);
            if switches.blind || skipped || switches.hidden.contains(address) {
                return None;
            }
            switches.skips
        };
        let found = self.network.world().get(address);
        if found.is_none() && skips {
            let until = now + nanos(SKIP);
            self.faults.switches().skipped.insert(*address, until);
        }
        found
    }

    /// A chunk from wherever it is; fetched ones stay here when `keep` says so.
    pub fn find(&self, address: &Address, keep: bool) -> Option<Held> {
        let hidden = {
            let switches = self.faults.switches();
            let hidden = switches.blind || switches.hidden.contains(address);
            hidden || switches.views.contains_key(address)
        };
        if !hidden && let Some(held) = self.local(address) {
            return Some(held);
        }
        let found = self.remote(address)?;
        if keep && self.options.mode != Mode::Gateway {
            self.state().cache.insert(*address, found.clone());
        }
        Some(found)
    }
}
