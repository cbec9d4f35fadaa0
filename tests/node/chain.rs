//! The chain that batches are bought on: blocks, the price, and who owns which batch until when.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::node::clock::{Clock, nanos};
use crate::node::hash::{Owner, keccak};

pub type BatchId = [u8; 32];

/// Seconds from block to block.
pub const BLOCK_SECONDS: u64 = 5;
/// A batch may be used when this many blocks stand on top of its own.
pub const USABLE_AFTER: u64 = 10;
/// The shortest time a batch can be bought for: a day.
const VALIDITY_MIN: u128 = 17_280;
const FIRST_BLOCK: u64 = 40_000_000;
const FIRST_TOTAL: u128 = 1_000_000_000_000;

/// What a batch is on the chain.
#[derive(Clone)]
pub struct Batch {
    pub id: BatchId,
    pub owner: Owner,
    /// PLUR a chunk that the total must not reach.
    pub value: u128,
    /// PLUR a chunk that were paid.
    pub amount: u128,
    pub depth: u8,
    pub bucket_depth: u8,
    pub immutable: bool,
    /// The block it was created in.
    pub start: u64,
}

/// What is asked for: PLUR a chunk, 2^depth slots.
pub struct Order {
    pub amount: u128,
    pub depth: u8,
    pub immutable: bool,
}

/// Why the contract says no.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    OutOfFunds,
    InvalidDepth,
    InsufficientValidity,
    NoSuchBatch,
}

pub struct Chain {
    clock: Clock,
    genesis: u64,
    /// PLUR for a chunk and a block.
    price: u128,
    /// The total that had been paid for a chunk when the price last changed, and in which block.
    settled: (u128, u64),
    batches: BTreeMap<BatchId, Batch>,
    bought: u64,
}

impl Chain {
    /// A chain whose block 40 million is as old as `genesis`, in nanoseconds of Unix time.
    pub fn new(clock: Clock, genesis: u64) -> Self {
        Self {
            clock,
            genesis,
            price: 24_000,
            settled: (FIRST_TOTAL, FIRST_BLOCK),
            batches: BTreeMap::new(),
            bought: 0,
        }
    }

    pub fn block(&self) -> u64 {
        let age = self.clock.now().saturating_sub(self.genesis);
        FIRST_BLOCK + age / nanos(Duration::from_secs(BLOCK_SECONDS))
    }

    pub fn price(&self) -> u128 {
        self.price
    }

    /// PLUR that a chunk has cost from the first block on.
    pub fn total(&self) -> u128 {
        let (paid, since) = self.settled;
        paid + self.price * u128::from(self.block() - since)
    }

    pub fn set_price(&mut self, price: u128) {
        self.settled = (self.total(), self.block());
        self.price = price;
    }

    pub fn batch(&self, id: &BatchId) -> Option<&Batch> {
        self.batches
            .get(id)
            .filter(|batch| batch.value > self.total())
    }

    pub fn batches(&self) -> impl Iterator<Item = &Batch> {
        let total = self.total();
        self.batches
            .values()
            .filter(move |batch| batch.value > total)
    }

    pub fn usable(&self, batch: &Batch) -> bool {
        self.block().saturating_sub(batch.start) >= USABLE_AFTER
    }

    /// Seconds until it ends.
    pub fn ttl(&self, batch: &Batch) -> i64 {
        let left = batch.value.saturating_sub(self.total()) * u128::from(BLOCK_SECONDS);
        left.checked_div(self.price)
            .map_or(-1, |seconds| i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    pub fn buy(&mut self, owner: Owner, order: &Order, funds: &mut u128) -> Result<Batch, Refusal> {
        let Order {
            amount,
            depth,
            immutable,
        } = *order;
        if !(17..=41).contains(&depth) {
            return Err(Refusal::InvalidDepth);
        }
        if amount < self.price * VALIDITY_MIN {
            return Err(Refusal::InsufficientValidity);
        }
        pay(funds, amount, depth)?;
        self.bought += 1;
        let batch = Batch {
            id: keccak(&[
                &owner,
                &self.genesis.to_be_bytes(),
                &self.bought.to_be_bytes(),
            ]),
            owner,
            value: self.total() + amount,
            amount,
            depth,
            bucket_depth: 16,
            immutable,
            start: self.block(),
        };
        self.insert(batch.clone());
        Ok(batch)
    }

    pub fn top_up(
        &mut self,
        id: &BatchId,
        amount: u128,
        funds: &mut u128,
    ) -> Result<Batch, Refusal> {
        let mut batch = self.batch(id).ok_or(Refusal::NoSuchBatch)?.clone();
        pay(funds, amount, batch.depth)?;
        batch.value += amount;
        batch.amount += amount;
        self.insert(batch.clone());
        Ok(batch)
    }

    /// Twice the slots for half of the time, as often as the depth grows.
    pub fn dilute(&mut self, id: &BatchId, depth: u8) -> Result<Batch, Refusal> {
        let mut batch = self.batch(id).ok_or(Refusal::NoSuchBatch)?.clone();
        if depth <= batch.depth || depth > 41 {
            return Err(Refusal::InvalidDepth);
        }
        let left = (batch.value - self.total()) >> (depth - batch.depth);
        if left < self.price * VALIDITY_MIN {
            return Err(Refusal::InsufficientValidity);
        }
        batch.value = self.total() + left;
        batch.depth = depth;
        self.insert(batch.clone());
        Ok(batch)
    }

    /// A batch as it stands on the chain, also one from before a restart.
    pub fn insert(&mut self, batch: Batch) {
        self.bought = self.bought.max(self.batches.len() as u64 + 1);
        self.batches.insert(batch.id, batch);
    }

    /// Ends a batch now.
    pub fn expire(&mut self, id: &BatchId) {
        let total = self.total();
        if let Some(batch) = self.batches.get_mut(id) {
            batch.value = total;
        }
    }
}

fn pay(funds: &mut u128, amount: u128, depth: u8) -> Result<(), Refusal> {
    let cost = amount.checked_mul(1 << depth).ok_or(Refusal::OutOfFunds)?;
    *funds = funds.checked_sub(cost).ok_or(Refusal::OutOfFunds)?;
    Ok(())
}
