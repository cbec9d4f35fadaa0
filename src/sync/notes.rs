//! Marks that are noted in the log together.

use std::sync::Arc;
use std::time::Instant;

use crate::format::published::Place;
use crate::journal::Class;
use crate::sync::edit::{KeptEdit, Look};
use crate::sync::error::SyncError;
use crate::sync::kept::Kept;
use crate::sync::queue::Mark;
use crate::types::Ino;
use crate::types::limits::{NOTE_AFTER, NOTE_CHUNKS};

/// What is not in the log yet. Lost with the process: then it is done again.
pub(super) struct Notes {
    kept: Arc<Kept>,
    /// What was learnt before all was queued anew is not noted.
    era: u64,
    edit: KeptEdit,
    count: usize,
    since: Instant,
}

impl Notes {
    pub(super) fn new(kept: &Arc<Kept>) -> Self {
        Self {
            kept: Arc::clone(kept),
            era: kept.totals.era(),
            edit: KeptEdit::new(Class::Meta),
            count: 0,
            since: Instant::now(),
        }
    }

    pub(super) fn mark(&mut self, ino: Ino, place: Place, mark: Mark) {
        self.edit.mark(ino, place, mark);
        self.count += 1;
    }

    /// What became of something that was looked for.
    pub(super) fn looked(&mut self, look: Look) {
        self.edit.looks.push(look);
        self.count += 1;
    }

    pub(super) async fn flush_if_due(&mut self) -> Result<(), SyncError> {
        if self.count < NOTE_CHUNKS && self.since.elapsed() < NOTE_AFTER {
            return Ok(());
        }
        self.flush().await
    }

    pub(super) async fn flush(&mut self) -> Result<(), SyncError> {
        self.since = Instant::now();
        if std::mem::take(&mut self.count) == 0 {
            return Ok(());
        }
        let edit = std::mem::replace(&mut self.edit, KeptEdit::new(Class::Meta));
        let (kept, era) = (Arc::clone(&self.kept), self.era);
        let written = tokio::task::spawn_blocking(move || {
            let _held = kept.hold();
            if kept.totals.era() == era {
                kept.write(edit)
            } else {
                Ok(())
            }
        });
        let written = written.await;
        Ok(written.map_err(|_| SyncError::Interrupted)??)
    }
}
