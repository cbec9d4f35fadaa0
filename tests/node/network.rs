//! What all nodes of a test share: the chain, and the chunks that the neighbourhoods keep for as long as they are paid.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use podfs::types::Address;

use crate::node::chain::{BLOCK_SECONDS, Batch, BatchId, Chain, USABLE_AFTER};
use crate::node::clock::{Clock, nanos};
use crate::node::disk::Held;
use crate::node::hash::{Chunk, Owner};

/// What becomes of a single-owner chunk at an address that already holds another content. Both were seen at real nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// The new content stands there from now on.
    Replaced,
    /// The answer is 201, the old content stays.
    Ignored,
}

/// Which slot of which batch a chunk fills, since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub batch: BatchId,
    pub bucket: u32,
    pub index: u32,
    /// Nanoseconds of Unix time; the newer of two chunks in a slot stays.
    pub timestamp: u64,
}

/// Why the storers turn a chunk away.
#[derive(Debug, PartialEq, Eq)]
pub enum Turned {
    /// The batch is not on the chain (any more).
    Unpaid,
    /// The bucket is not the address's, or has no such slot.
    WrongSlot,
    /// A chunk with a newer stamp fills the slot.
    Older,
}

struct Entry {
    bytes: Held,
    slots: Vec<Slot>,
    /// When it can be fetched, in nanoseconds of Unix time.
    visible: u64,
}

pub struct World {
    pub chain: Chain,
    pub overwrite: Overwrite,
    clock: Clock,
    chunks: HashMap<Address, Entry>,
    filled: HashMap<(BatchId, u32, u32), Address>,
    delay: Duration,
    /// All that was ever stored, what was overwritten since too; only when a test wants it.
    recorded: Option<Vec<(Address, Held)>>,
}

/// Nodes that were started with clones of one network see the same chunks and the same chain.
#[derive(Clone)]
pub struct Network {
    clock: Clock,
    world: Arc<Mutex<World>>,
}

impl Network {
    /// A network whose clock stands until it is moved.
    pub fn new() -> Self {
        let clock = Clock::standing();
        let genesis = clock.now();
        Self::at(clock, genesis)
    }

    /// A network of this clock whose chain began at `genesis`, in nanoseconds of Unix time.
    pub fn at(clock: Clock, genesis: u64) -> Self {
        let world = World {
            chain: Chain::new(clock.clone(), genesis),
            overwrite: Overwrite::Replaced,
            clock: clock.clone(),
            chunks: HashMap::new(),
            filled: HashMap::new(),
            delay: Duration::ZERO,
            recorded: None,
        };
        Self {
            clock,
            world: Arc::new(Mutex::new(world)),
        }
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock()
    }

    pub fn set_overwrite(&self, overwrite: Overwrite) {
        self.world().overwrite = overwrite;
    }

    /// Keeps all that is stored from now on, also what is overwritten.
    pub fn record(&self) {
        self.world().recorded = Some(Vec::new());
    }

    /// What was stored since then, in order.
    pub fn recorded(&self) -> Vec<(Address, Vec<u8>)> {
        let world = self.world();
        let recorded = world.recorded.iter().flatten();
        recorded
            .map(|(address, bytes)| (*address, bytes.read()))
            .collect()
    }

    /// Chunks can be fetched only this long after they came.
    pub fn set_delay(&self, delay: Duration) {
        self.world().delay = delay;
    }

    pub fn set_price(&self, price: u128) {
        self.world().chain.set_price(price);
    }

    pub fn expire(&self, batch: &BatchId) {
        self.world().chain.expire(batch);
    }

    /// Somebody's batch on the chain, usable at once and for 60 days.
    pub fn add_batch(&self, id: BatchId, owner: Owner, depth: u8) {
        let mut world = self.world();
        let blocks = 60 * 86_400 / BLOCK_SECONDS;
        let amount = world.chain.price() * u128::from(blocks);
        let batch = Batch {
            id,
            owner,
            value: world.chain.total() + amount,
            amount,
            depth,
            bucket_depth: 16,
            immutable: true,
            start: world.chain.block() - USABLE_AFTER,
        };
        world.chain.insert(batch);
    }

    /// All storers lose a chunk; whether there was one.
    pub fn forget(&self, address: &Address) -> bool {
        self.world().remove(address)
    }

    /// All chunks that are still paid, with their bytes.
    pub fn chunks(&self) -> Vec<(Address, Vec<u8>)> {
        let world = self.world();
        let live = world.chunks.iter().filter(|(_, entry)| world.paid(entry));
        live.map(|(address, entry)| (*address, entry.bytes.read()))
            .collect()
    }

    /// How many chunks a batch pays for.
    pub fn paid_by(&self, batch: &BatchId) -> usize {
        let world = self.world();
        let chunks = world.chunks.values();
        let is_paid = |entry: &&Entry| entry.slots.iter().any(|slot| slot.batch == *batch);
        chunks.filter(is_paid).count()
    }

    pub fn batch(&self, id: &BatchId) -> Option<Batch> {
        self.world().chain.batch(id).cloned()
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// Stores a chunk as the neighbourhood does.
    pub fn put(&mut self, chunk: &Chunk, slot: Slot) -> Result<(), Turned> {
        self.admit(&chunk.address, slot)?;
        let bytes = Held::Memory(Arc::clone(&chunk.bytes));
        self.keep(chunk.address, bytes, slot);
        Ok(())
    }

    /// What storers check: that the stamp is paid, belongs to the address, and is newer than the slot's.
    pub fn admit(&self, address: &Address, slot: Slot) -> Result<(), Turned> {
        let batch = self.chain.batch(&slot.batch).ok_or(Turned::Unpaid)?;
        let slots = 1_u64 << (batch.depth - batch.bucket_depth);
        if slot.bucket != bucket_of(address, batch.bucket_depth) || u64::from(slot.index) >= slots {
            return Err(Turned::WrongSlot);
        }
        let holder = self.filled.get(&(slot.batch, slot.bucket, slot.index));
        let older = holder
            .filter(|holder| *holder != address)
            .and_then(|holder| self.chunks.get(holder))
            .is_some_and(|entry| {
                let same = |held: &&Slot| place(held) == place(&slot);
                let held = entry.slots.iter().find(same);
                held.is_some_and(|held| held.timestamp >= slot.timestamp)
            });
        if older { Err(Turned::Older) } else { Ok(()) }
    }

    /// Stores what was admitted.
    pub fn keep(&mut self, address: Address, bytes: Held, slot: Slot) {
        if let Some(recorded) = &mut self.recorded {
            recorded.push((address, bytes.clone()));
        }
        if let Some(before) = self.filled.insert(place(&slot), address)
            && before != address
        {
            self.vacate(&before, &slot);
        }
        let visible = self.clock.now() + nanos(self.delay);
        let single_owner = self.overwrite;
        let entry = self.chunks.entry(address).or_insert_with(|| Entry {
            bytes: bytes.clone(),
            slots: Vec::with_capacity(1),
            visible,
        });
        entry.slots.retain(|held| place(held) != place(&slot));
        entry.slots.push(slot);
        if single_owner == Overwrite::Replaced {
            entry.bytes = bytes;
        }
    }

    /// The bytes at an address, when they are paid and have arrived everywhere.
    pub fn get(&self, address: &Address) -> Option<Held> {
        let entry = self.chunks.get(address)?;
        (entry.visible <= self.clock.now() && self.paid(entry)).then(|| entry.bytes.clone())
    }

    /// The bytes at an address, visible and paid or not.
    pub fn bytes(&self, address: &Address) -> Option<Held> {
        self.chunks.get(address).map(|entry| entry.bytes.clone())
    }

    pub fn remove(&mut self, address: &Address) -> bool {
        let Some(entry) = self.chunks.remove(address) else {
            return false;
        };
        for slot in &entry.slots {
            self.filled.remove(&place(slot));
        }
        true
    }

    fn paid(&self, entry: &Entry) -> bool {
        let live = |slot: &Slot| self.chain.batch(&slot.batch).is_some();
        entry.slots.iter().any(live)
    }

    /// Takes a slot away from the chunk that filled it; a chunk without any is gone.
    fn vacate(&mut self, address: &Address, slot: &Slot) {
        if let Some(entry) = self.chunks.get_mut(address) {
            entry.slots.retain(|held| place(held) != place(slot));
            if entry.slots.is_empty() {
                self.chunks.remove(address);
            }
        }
    }
}

fn place(slot: &Slot) -> (BatchId, u32, u32) {
    (slot.batch, slot.bucket, slot.index)
}

/// The first `depth` bits of an address.
pub fn bucket_of(address: &Address, depth: u8) -> u32 {
    let [first, second, third, fourth, ..] = address.0;
    let prefix = u64::from(u32::from_be_bytes([first, second, third, fourth]));
    u32::try_from(prefix >> (32 - depth)).unwrap()
}
