//! What is left over in the queue beside publications: what the network lost, and a whole pod on its way to another
//! node. It goes out a stretch of time after another, so that what changes meanwhile does not wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::format::rows::Key;
use crate::sync::error::SyncError;
use crate::sync::load::Part;
use crate::sync::network::Network;
use crate::sync::publisher::Publisher;
use crate::sync::upload::Outcome;
use crate::types::Ino;
use crate::types::limits::{LEFTOVER_STRETCH, LOST_TOLD};

/// How far what is left over is.
#[derive(Default)]
pub(super) struct Leftover {
    /// The row to go on with, when the round is not over.
    next: Option<Key>,
    /// Whether the last round came to its end, so that what is still there has to stay.
    is_over: bool,
    round: Lost,
    /// What the last whole round left.
    last: Lost,
    /// Nodes without which nobody knows what else there is.
    nowhere: BTreeMap<Ino, u64>,
}

/// What stays left over.
#[derive(Clone, Default)]
struct Lost {
    chunks: u64,
    refused: u64,
    files: BTreeMap<Ino, u64>,
}

/// What nobody can carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Chunks that are neither on this machine nor in the network.
    pub chunks: u64,
    /// Whose they are, not all when there are many.
    pub inodes: Vec<Ino>,
}

impl Lost {
    fn add(&mut self, outcome: Outcome) {
        self.refused += outcome.refused;
        self.refused += u64::try_from(outcome.no_room.len()).unwrap_or(u64::MAX);
        for (ino, chunks) in outcome.lost {
            self.chunks += chunks;
            if self.files.len() < LOST_TOLD {
                *self.files.entry(ino).or_default() += chunks;
            }
        }
    }
}

impl Leftover {
    /// Nothing is known of it any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Nothing is left over.
    fn is_done(&mut self) {
        *self = Self {
            nowhere: std::mem::take(&mut self.nowhere),
            ..Self::default()
        };
    }

    /// Nodes of what is published no more are missed no more.
    pub(super) fn keep(&mut self, is_published: impl Fn(Ino) -> bool) {
        self.nowhere.retain(|ino, _| is_published(*ino));
    }

    /// What the last whole round could not carry, and nobody can.
    pub(super) fn missing(&self) -> Missing {
        let inodes = self.last.files.keys().chain(self.nowhere.keys());
        let inodes: BTreeSet<_> = inodes.copied().collect();
        Missing {
            chunks: self.last.chunks + self.nowhere.values().sum::<u64>(),
            inodes: inodes.into_iter().collect(),
        }
    }

    /// A node of this inode is nowhere.
    pub(super) fn is_nowhere(&mut self, ino: Ino) {
        *self.nowhere.entry(ino).or_default() += 1;
    }

    fn ended(&mut self, outcome: Outcome) {
        self.next = outcome.next;
        self.round.add(outcome);
        self.is_over = self.next.is_none();
        if self.is_over {
            let before = std::mem::replace(&mut self.last, std::mem::take(&mut self.round));
            let missing = self.last.chunks;
            if missing > before.chunks {
                tracing::warn!(missing, "chunks are neither here nor in the network");
            }
        }
    }
}

impl Publisher {
    /// Sends of it for a while. Says whether the round is over.
    pub(super) async fn send_leftover(&self, network: &Network) -> Result<bool, SyncError> {
        let from = self.leftover.lock().next;
        if self.kept.waiting().0 == 0 {
            self.leftover.lock().is_done();
            return Ok(true);
        }
        let now = Instant::now();
        if from.is_none() {
            if !self.schedule.lock().may_send_again(now) {
                return Ok(self.leftover.lock().is_over);
            }
            self.leftover.lock().is_over = false;
        }
        let from = from.unwrap_or(Key::queued(Ino(0), 0));
        let part = Part::Rest(from, now + LEFTOVER_STRETCH);
        let outcome = self.upload(network).send_all(part).await?;
        let mut leftover = self.leftover.lock();
        leftover.ended(outcome);
        Ok(leftover.is_over)
    }

    /// The batch had no room for what is left over.
    ///
    /// # Errors
    /// [`SyncError::BatchFull`]
    pub(super) fn is_room_left(&self) -> Result<(), SyncError> {
        if self.leftover.lock().last.refused > 0 && self.kept.waiting().0 > 0 {
            return Err(SyncError::BatchFull);
        }
        Ok(())
    }
}
