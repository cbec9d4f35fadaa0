//! The log as it is published, for those who are told of it.

use std::collections::BTreeMap;

use crate::crypto::merkle::{Hash, consistency};
use crate::format::audit::SignedCheckpoint;
use crate::format::grant::ShownLog;
use crate::share::audit::Tail;
use crate::types::limits::LOG_PROOF_MAX;

/// A log up to a checkpoint, and how far others are known to have seen it.
pub struct PublishedLog {
    checkpoint: SignedCheckpoint,
    leaves: Vec<Hash>,
    /// Records that were countersigned, by the fingerprint of who did.
    held: BTreeMap<[u8; 32], u64>,
}

impl PublishedLog {
    /// The log that ends there, or later, as it was at this checkpoint.
    pub fn new(
        checkpoint: SignedCheckpoint,
        tail: Option<&Tail>,
        held: BTreeMap<[u8; 32], u64>,
    ) -> Self {
        let size = usize::try_from(checkpoint.checkpoint.size).unwrap_or(usize::MAX);
        let leaves = tail.and_then(|tail| tail.leaves().get(..size));
        Self {
            checkpoint,
            leaves: leaves.unwrap_or_default().to_vec(),
            held,
        }
    }

    /// What is shown of it to somebody: that it goes on where they are known to have seen it end.
    pub fn shown_to(&self, who: &[u8; 32]) -> ShownLog {
        let size = self.held.get(who).copied();
        let since = size.and_then(|size| {
            let path = consistency(&self.leaves, usize::try_from(size).ok()?)?;
            (path.len() <= LOG_PROOF_MAX).then_some((size, path))
        });
        ShownLog {
            checkpoint: self.checkpoint,
            since,
        }
    }
}
