//! The checkpoint of the audit log on its way into heads.

use std::sync::Arc;

use crate::format::published::{Head, Skippable};
use crate::journal::Snapshot;
use crate::sync::error::SyncError;
use crate::sync::publisher::Publisher;

/// The newest checkpoint, and the one that was the newest before the last cut: what a head says must not be newer than
/// the log that is published with it.
#[derive(Default)]
pub(super) struct Checkpoints {
    newest: Option<Box<[u8]>>,
    cut: Option<(u64, Option<Box<[u8]>>)>,
}

impl Checkpoints {
    /// What belongs to the publication with this number; nothing after a start, when it was cut before that.
    pub(super) fn of(&self, generation: u64) -> Option<Box<[u8]>> {
        let (_, seen) = self.cut.as_ref().filter(|(cut, _)| *cut == generation)?;
        seen.clone()
    }
}

impl Publisher {
    /// Cuts the log, to be published as it is now.
    pub(super) async fn make_cut(&self) -> Result<Arc<Snapshot>, SyncError> {
        let rows = Arc::clone(self.kept.rows());
        let seen = self.checkpoints.lock().newest.clone();
        let made = tokio::task::spawn_blocking(move || rows.make_cut()).await;
        let cut = made.map_err(|_| SyncError::Interrupted)??;
        self.checkpoints.lock().cut = Some((cut.generation, seen));
        Ok(cut)
    }

    /// The newest checkpoint of the audit log, at most 512 bytes: the next head has it. It is said after the log has it,
    /// and makes no publication.
    pub fn set_checkpoint(&self, checkpoint: Vec<u8>) {
        self.checkpoints.lock().newest = Some(checkpoint.into());
    }

    /// The checkpoint that belongs to the publication under way: its head will have it. Nothing after a start.
    pub fn published_checkpoint(&self) -> Option<Box<[u8]>> {
        let checkpoints = self.checkpoints.lock();
        checkpoints.cut.as_ref().and_then(|(_, seen)| seen.clone())
    }

    /// The checkpoint in the newest head of this machine, if it has one.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn headed_checkpoint(&self) -> Result<Option<Vec<u8>>, SyncError> {
        let last = self.last_head()?;
        let parts = last.into_iter().flat_map(|(_, head)| head.skippable);
        let mut found = parts.filter(|part| part.kind == Head::AUDIT);
        Ok(found.next().map(|part| part.bytes.into()))
    }
}

/// The parts that a reader may skip, with this checkpoint in place of the one among them.
pub(super) fn with_checkpoint(
    parts: Vec<Skippable>,
    checkpoint: Option<Box<[u8]>>,
) -> Vec<Skippable> {
    let Some(bytes) = checkpoint else {
        return parts;
    };
    let kind = Head::AUDIT;
    let mut parts = without_checkpoint(parts);
    parts.push(Skippable { kind, bytes });
    parts.sort_unstable_by_key(|part| part.kind);
    parts
}

/// The same without.
pub(super) fn without_checkpoint(mut parts: Vec<Skippable>) -> Vec<Skippable> {
    parts.retain(|part| part.kind != Head::AUDIT);
    parts
}
