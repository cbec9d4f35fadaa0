use std::collections::BTreeSet;
use std::time::Duration;

use parking_lot::Mutex;

use crate::crypto::swarm::SealedChunk;
use crate::store::{Answer, Outage, Pulse, Receipt, Rejection, Store, StoreError, accepted};
use crate::types::Address;

/// What goes wrong, as shares of a thousand requests. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Puts and gets that nobody answers: no connection.
    pub unreachable: u32,
    /// Puts that are refused.
    pub refused: u32,
    /// Puts that are answered as if the chunk were kept, but it is not.
    pub accepted_and_lost: u32,
    /// Puts that have their effect, but whose answer does not arrive.
    pub lost_replies: u32,
    /// Gets that are answered with other bytes: one bit changed, cut short, or another chunk.
    pub wrong_bytes: u32,
    /// Gets after which the chunk is gone for good.
    pub forgotten: u32,
    /// Gets of a chunk that is there, answered with "not found".
    pub not_found: u32,
    /// Requests that take `delay` longer.
    pub slow: u32,
    /// How much longer.
    pub delay: Duration,
    /// Every request hangs without an answer.
    pub black_hole: bool,
}

/// How many requests arrived, and what was done to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Puts, whatever became of them.
    pub puts: u64,
    /// Gets, whatever became of them.
    pub gets: u64,
    /// Calls of `has`.
    pub looks: u64,
    /// Pulses.
    pub pulses: u64,
    /// Gets answered with other bytes.
    pub wrong_bytes: u64,
}

/// A store that misbehaves, as its seed and its [`Faults`] say. Used in front of any other store, by tests.
pub struct Fault<S> {
    inner: S,
    state: Mutex<State>,
}

struct State {
    faults: Faults,
    chance: u64,
    counts: Counts,
    lost: BTreeSet<Address>,
}

impl<S: Store> Fault<S> {
    /// Puts faults in front of `inner`. The same seed and the same requests give the same faults.
    pub fn new(inner: S, seed: u64, faults: Faults) -> Self {
        let state = State {
            faults,
            chance: seed,
            counts: Counts::default(),
            lost: BTreeSet::new(),
        };
        Self {
            inner,
            state: Mutex::new(state),
        }
    }

    /// Other faults from now on.
    pub fn set(&self, faults: Faults) {
        self.state.lock().faults = faults;
    }

    /// Loses a chunk, until it is put again.
    pub fn lose(&self, address: Address) {
        self.state.lock().lost.insert(address);
    }

    /// What arrived so far.
    pub fn counts(&self) -> Counts {
        self.state.lock().counts
    }

    /// The store behind.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The way to the store: no answer at all, a refused connection, or some delay.
    async fn travel(&self) -> Result<(), StoreError> {
        let (hole, unreachable, delay) = {
            let mut state = self.state.lock();
            let faults = state.faults.clone();
            let slow = state.happens(faults.slow);
            let unreachable = state.happens(faults.unreachable);
            (faults.black_hole, unreachable, slow.then_some(faults.delay))
        };
        if hole {
            std::future::pending::<()>().await;
        }
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        if unreachable {
            let why = Outage::Unreachable("injected".to_owned());
            return Err(StoreError::unavailable(why));
        }
        Ok(())
    }

    async fn put_faulty(&self, chunk: &SealedChunk) -> Result<Receipt, StoreError> {
        let (refused, dropped, reply_lost) = {
            let mut state = self.state.lock();
            let faults = state.faults.clone();
            (
                state.happens(faults.refused),
                state.happens(faults.accepted_and_lost),
                state.happens(faults.lost_replies),
            )
        };
        if refused {
            let full = Rejection::BucketFull(chunk.address());
            return Err(StoreError::Rejected(full));
        }
        if dropped {
            return Ok(Receipt::OnNode);
        }
        let receipt = self.inner.put(chunk).await?;
        self.state.lock().lost.remove(&chunk.address());
        if reply_lost {
            return Err(StoreError::unavailable(Outage::Cut));
        }
        Ok(receipt)
    }

    async fn get_faulty(&self, address: Address) -> Result<SealedChunk, StoreError> {
        let chunk = self.inner.get(address).await?;
        let wrong = {
            let mut state = self.state.lock();
            let faults = state.faults.clone();
            if state.happens(faults.forgotten) {
                state.lost.insert(address);
            }
            if state.lost.contains(&address) || state.happens(faults.not_found) {
                return Err(StoreError::NotFound);
            }
            if state.happens(faults.wrong_bytes) {
                state.counts.wrong_bytes += 1;
                Some(state.garble(chunk.bytes()))
            } else {
                None
            }
        };
        match wrong {
            Some(bytes) => accepted(&address, &bytes),
            None => Ok(chunk),
        }
    }
}

impl State {
    /// `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014).
    fn next(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    /// Draws even when the share is zero, so that one fault more does not move all the others.
    fn happens(&mut self, of_thousand: u32) -> bool {
        self.next() % 1000 < u64::from(of_thousand)
    }

    /// Other bytes than these, in one of the ways seen in the wild.
    fn garble(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut wrong = bytes.to_vec();
        match self.next() % 4 {
            0 => wrong.truncate(self.below(bytes.len())),
            1 => {
                let other = self.next().to_le_bytes();
                wrong.clear();
                wrong.extend_from_slice(&(other.len() as u64).to_le_bytes());
                wrong.extend_from_slice(&other);
            }
            2 => wrong.push(0),
            _ => {
                let (at, bit) = (self.below(bytes.len()), self.next() % 8);
                if let Some(byte) = wrong.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
        }
        wrong
    }
}

impl<S: Store> Store for Fault<S> {
    fn put<'a>(&'a self, chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        Box::pin(async move {
            self.state.lock().counts.puts += 1;
            self.travel().await?;
            self.put_faulty(chunk).await
        })
    }

    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        Box::pin(async move {
            self.state.lock().counts.gets += 1;
            self.travel().await?;
            self.get_faulty(address).await
        })
    }

    fn has(&self, address: Address) -> Answer<'_, bool> {
        Box::pin(async move {
            self.state.lock().counts.looks += 1;
            self.travel().await?;
            let lost = self.state.lock().lost.contains(&address);
            Ok(!lost && self.inner.has(address).await?)
        })
    }
}

impl<S: Store> Pulse for Fault<S> {
    fn pulse(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.state.lock().counts.pulses += 1;
            self.travel().await
        })
    }
}
