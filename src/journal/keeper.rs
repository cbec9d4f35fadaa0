use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::journal::Journal;
use crate::types::limits::{
    DEAD_CHECKPOINT, IDLE_CHECKPOINT, OVERLAY_CHECKPOINT, PAGE, REPLAY_CHECKPOINT, SYNC_AFTER,
    UNSYNCED_SYNC,
};

/// Says when a sync or a checkpoint is due. Two threads ask it: one syncs, one makes checkpoints.
pub(in crate::journal) struct Keeper {
    state: Mutex<State>,
    changed: Condvar,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent request or fact"
)]
struct State {
    /// First change since the last sync.
    unsynced_since: Option<Instant>,
    /// Last change since the newest checkpoint.
    changed_at: Option<Instant>,
    sync_now: bool,
    checkpoint_now: bool,
    stopped: bool,
    /// Checkpoints that began.
    began: u64,
    /// Checkpoints that ended, well or not.
    ended: u64,
    /// Whether the last one ended well.
    well: bool,
}

impl Keeper {
    pub(in crate::journal) fn new() -> Self {
        let state = State {
            unsynced_since: None,
            changed_at: None,
            sync_now: false,
            checkpoint_now: false,
            stopped: false,
            began: 0,
            ended: 0,
            well: true,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// A record was appended.
    pub(in crate::journal) fn wake_if_due(&self, journal: &Journal) {
        let (appended, dead, replay) = {
            let tail = journal.tail.lock();
            (
                tail.appended,
                tail.dead_pages * PAGE as u64,
                tail.replay_bytes,
            )
        };
        let sync = appended.saturating_sub(journal.synced()) > UNSYNCED_SYNC;
        let checkpoint = dead > DEAD_CHECKPOINT
            || replay > REPLAY_CHECKPOINT
            || journal.overlay.bytes() > OVERLAY_CHECKPOINT;
        let now = Instant::now();
        let mut state = self.state.lock();
        let first = state.unsynced_since.is_none() || state.changed_at.is_none();
        state.unsynced_since.get_or_insert(now);
        state.changed_at = Some(now);
        let urgent = (sync && !state.sync_now) || (checkpoint && !state.checkpoint_now);
        state.sync_now |= sync;
        state.checkpoint_now |= checkpoint;
        if first || urgent {
            self.changed.notify_all();
        }
    }

    /// Asks for a sync at once.
    pub(in crate::journal) fn wake(&self) {
        self.state.lock().sync_now = true;
        self.changed.notify_all();
    }

    /// Asks for a checkpoint and waits until one that began later ended: whether it ended well and in time.
    pub(in crate::journal) fn checkpoint_wait(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        let before = state.began;
        while state.ended <= before && !state.stopped {
            if state.began == before && !state.checkpoint_now {
                state.checkpoint_now = true;
                self.changed.notify_all();
            }
            if self.changed.wait_until(&mut state, deadline).timed_out() {
                return false;
            }
        }
        state.well && !state.stopped
    }

    /// Waits until a sync is due; false: the end.
    fn sync_due(&self) -> bool {
        let mut state = self.state.lock();
        loop {
            let due = state.unsynced_since.map(|since| since + SYNC_AFTER);
            if state.stopped {
                return false;
            }
            if state.sync_now || due.is_some_and(|due| due <= Instant::now()) {
                state.sync_now = false;
                state.unsynced_since = None;
                return true;
            }
            self.wait(&mut state, due);
        }
    }

    /// Waits until a checkpoint is due; false: the end.
    fn checkpoint_due(&self) -> bool {
        let mut state = self.state.lock();
        loop {
            let due = state.changed_at.map(|since| since + IDLE_CHECKPOINT);
            if state.stopped {
                return false;
            }
            if state.checkpoint_now || due.is_some_and(|due| due <= Instant::now()) {
                state.checkpoint_now = false;
                state.changed_at = None;
                state.began += 1;
                return true;
            }
            self.wait(&mut state, due);
        }
    }

    fn wait(&self, state: &mut parking_lot::MutexGuard<'_, State>, due: Option<Instant>) {
        match due {
            Some(due) => {
                self.changed.wait_until(state, due);
            }
            None => self.changed.wait(state),
        }
    }

    /// Waits until then or the end.
    fn pause(&self, until: Instant) {
        let mut state = self.state.lock();
        while !state.stopped && !self.changed.wait_until(&mut state, until).timed_out() {}
    }

    /// A checkpoint ended.
    fn ended(&self, well: bool) {
        let mut state = self.state.lock();
        state.ended = state.began;
        state.well = well;
        drop(state);
        self.changed.notify_all();
    }

    /// Whether the end has come.
    pub(in crate::journal) fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Ends both threads' loops and everybody's waiting.
    pub(in crate::journal) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }
}

/// Pause after a checkpoint that failed, so that a full disk is not hammered.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

impl Journal {
    /// Syncs whenever it is due, until [`Journal::stop`]. Runs on a thread of its own.
    pub fn sync_loop(&self) {
        while self.keeper.sync_due() {
            if let Err(error) = self.sync() {
                tracing::error!(%error, "sync");
            }
        }
    }

    /// Makes checkpoints whenever they are due, until [`Journal::stop`]. Runs on a thread of its own.
    pub fn checkpoint_loop(&self, view: &dyn crate::journal::View) {
        self.resume_reclaim();
        let mut pause_until = Instant::now();
        while self.keeper.checkpoint_due() {
            self.keeper.pause(pause_until);
            let outcome = self.checkpoint(view);
            if let Err(error) = &outcome {
                tracing::error!(%error, "checkpoint");
                pause_until = Instant::now() + AFTER_FAILURE;
            }
            self.keeper.ended(outcome.is_ok());
        }
    }

    /// Whether a checkpoint is being made, or a pin changed: what is written meanwhile may belong to the next one.
    pub fn is_checkpointing(&self) -> bool {
        self.checkpointing.is_locked()
    }

    /// Ends the loops.
    pub fn stop(&self) {
        self.keeper.stop();
    }
}
