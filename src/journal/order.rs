use std::collections::BTreeSet;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::journal::JournalError;
use crate::types::limits::JOURNAL_WAIT;

/// Records are written in parallel and answered in order: a record counts only when all before it are in the file,
/// else an answered one could stand behind a gap that replay does not cross.
pub(in crate::journal) struct Order {
    state: Mutex<State>,
    moved: Condvar,
}

struct State {
    /// All records up to this number are written.
    written: u64,
    /// Written records above it.
    ahead: BTreeSet<u64>,
    /// The journal broke.
    broken: bool,
}

impl Order {
    /// Nothing is in the making; the last record is `written`.
    pub(in crate::journal) fn new(written: u64) -> Self {
        let state = State {
            written,
            ahead: BTreeSet::new(),
            broken: false,
        };
        Self {
            state: Mutex::new(state),
            moved: Condvar::new(),
        }
    }

    /// Number up to which all records are written.
    pub(in crate::journal) fn written(&self) -> u64 {
        self.state.lock().written
    }

    /// Record `number` is written: waits until all before it are.
    pub(in crate::journal) fn finish(&self, number: u64) -> Result<(), JournalError> {
        let mut state = self.state.lock();
        state.ahead.insert(number);
        let before = state.written;
        while let Some(next) = state
            .ahead
            .first()
            .copied()
            .filter(|next| *next == state.written + 1)
        {
            state.ahead.remove(&next);
            state.written = next;
        }
        if state.written != before {
            self.moved.notify_all();
        }
        self.wait_locked(&mut state, number)
    }

    /// Waits until all records up to `number` are written.
    pub(in crate::journal) fn wait(&self, number: u64) -> Result<(), JournalError> {
        self.wait_locked(&mut self.state.lock(), number)
    }

    fn wait_locked(
        &self,
        state: &mut parking_lot::MutexGuard<'_, State>,
        number: u64,
    ) -> Result<(), JournalError> {
        let deadline = Instant::now() + JOURNAL_WAIT;
        while state.written < number {
            if state.broken {
                return Err(JournalError::ReadOnly(
                    "an earlier write to the log failed".into(),
                ));
            }
            if self.moved.wait_until(state, deadline).timed_out() && state.written < number {
                return Err(JournalError::Busy);
            }
        }
        Ok(())
    }

    /// A write failed: nobody waits any longer.
    pub(in crate::journal) fn fail(&self) {
        self.state.lock().broken = true;
        self.moved.notify_all();
    }
}
