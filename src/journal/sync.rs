use std::sync::atomic::Ordering;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::crypto::domain::ad;
use crate::crypto::{BoxKey, seal_box};
use crate::journal::{Journal, JournalError, disk};
use crate::types::limits::{
    DEAD_CHECKPOINT, JOURNAL_WAIT, OVERLAY_CHECKPOINT, PAGE, STREAM_WRITE, UNSYNCED_MAX,
};

/// One `fdatasync` serves all who wait.
#[derive(Default)]
pub(in crate::journal) struct GroupSync {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Default)]
struct State {
    running: bool,
    /// Bytes of the log known durable, counted as appended.
    synced: u64,
}

/// Bytes of the watermark file: nonce, two numbers, tag.
pub(in crate::journal) const WATERMARK_LEN: usize = 12 + 16 + 16;

impl Journal {
    /// Makes everything appended so far durable.
    pub fn sync(&self) -> Result<(), JournalError> {
        let target = self.order.written();
        let mut state = self.group.state.lock();
        while self.durable.load(Ordering::Acquire) < target {
            self.writable()?;
            if state.running {
                self.group.done.wait(&mut state);
                continue;
            }
            state.running = true;
            drop(state);
            let outcome = self.sync_now();
            state = self.group.state.lock();
            state.running = false;
            if let Ok(bytes) = outcome {
                state.synced = state.synced.max(bytes);
            }
            self.group.done.notify_all();
            outcome?;
        }
        Ok(())
    }

    /// Syncs the files that changed; gives the appended bytes that are durable now.
    fn sync_now(&self) -> Result<u64, JournalError> {
        let first = self.synced_segment.load(Ordering::Relaxed);
        // Before the tail is looked at: a record written later may be in a segment that the tail did not name yet.
        let upto = self.order.written();
        let (bytes, next, oldest, last) = {
            let tail = self.tail.lock();
            (
                tail.appended,
                tail.next_record,
                tail.oldest(),
                tail.newest(),
            )
        };
        let stream = bytes.saturating_sub(self.synced()) >= STREAM_WRITE;
        for number in (first..=last).filter(|number| self.segments.get(*number).is_some()) {
            match self.segments.sync(number, stream) {
                // Removed meanwhile: nothing in it counts.
                Err(_) if self.segments.get(number).is_none() => {}
                // A failed sync is never retried as a success: the kernel has marked the pages clean.
                other => other.map_err(|error| self.break_off(&error.to_string()))?,
            }
        }
        if upto + 1 == next {
            // Nothing was under way: what is older than the tail is done with.
            self.synced_segment.store(oldest, Ordering::Relaxed);
        }
        self.durable.fetch_max(upto, Ordering::AcqRel);
        self.write_watermark();
        Ok(bytes)
    }

    /// Notes the highest durable record where a cut of the log does not reach it. Not synced itself: it follows.
    pub(in crate::journal) fn write_watermark(&self) {
        let Some(file) = &self.watermark else { return };
        let mut nonce = [0; 12];
        if getrandom::fill(&mut nonce).is_err() {
            return;
        }
        let mut mark = self.durable.load(Ordering::Acquire).to_le_bytes().to_vec();
        mark.extend_from_slice(&self.generation().to_le_bytes());
        seal_box(&self.watermark_key, nonce, ad::WATERMARK, &mut mark);
        mark.splice(..0, nonce);
        if let Err(errno) = disk::write_all(file, &mark, 0) {
            tracing::warn!(%errno, "the watermark was not written");
        }
    }

    /// Bytes of the log known durable, counted as appended.
    pub(in crate::journal) fn synced(&self) -> u64 {
        self.group.state.lock().synced
    }

    /// Bytes appended and not yet durable.
    pub fn unsynced(&self) -> u64 {
        let appended = self.tail.lock().appended;
        appended.saturating_sub(self.synced())
    }

    /// Waits until there is room for `bytes` more that are not durable, and for their rows. Call before locks are taken.
    pub fn admit(&self, bytes: u64) -> Result<(), JournalError> {
        self.writable()?;
        let appended = self.tail.lock().appended;
        let deadline = Instant::now() + JOURNAL_WAIT;
        let mut state = self.group.state.lock();
        while appended + bytes > state.synced + UNSYNCED_MAX {
            self.keeper.wake();
            if self.group.done.wait_until(&mut state, deadline).timed_out() {
                return Err(JournalError::Busy);
            }
            self.writable()?;
        }
        drop(state);
        while self.checkpoint_is_late(bytes) && self.keeper.checkpoint_wait(deadline) {
            self.writable()?;
        }
        Ok(())
    }
}

impl Journal {
    /// Whether writers outrun the checkpoints, in memory or in dead pages on the disk. What brings no data waits for
    /// no dead pages: after the deletion of a huge file they are many, and go back in one checkpoint.
    fn checkpoint_is_late(&self, bytes: u64) -> bool {
        let tail = self.tail.lock();
        let dead = (tail.dead_pages + tail.leaving) * PAGE as u64;
        drop(tail);
        (bytes > 0 && dead > 2 * DEAD_CHECKPOINT) || self.overlay.bytes() > 2 * OVERLAY_CHECKPOINT
    }
}

/// Opens a watermark: the highest record known durable, and the generation of the manifest then.
pub(in crate::journal) fn open_watermark(key: &BoxKey, bytes: &[u8]) -> Option<(u64, u64)> {
    let (nonce, sealed) = bytes.get(..WATERMARK_LEN)?.split_first_chunk::<12>()?;
    let mut mark = sealed.to_vec();
    crate::crypto::open_box(key, *nonce, ad::WATERMARK, &mut mark).ok()?;
    let (durable, generation) = mark.split_first_chunk::<8>()?;
    Some((
        u64::from_le_bytes(*durable),
        u64::from_le_bytes(*generation.first_chunk()?),
    ))
}
