//! Publishing gives way to the folder: while it is in use, one chunk at a time goes out, with a pause behind it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Condvar;
use tokio::sync::{Mutex, MutexGuard};

use crate::types::limits::{FOLDER_IN_USE, PACE_PAUSE};

/// Whether the folder is in use, and whose turn it is then.
#[derive(Default)]
pub(super) struct Pace {
    requests: AtomicU64,
    in_use: AtomicBool,
    /// Room is short: what is not published is in the way of the folder itself.
    tight: AtomicBool,
    sending: Mutex<()>,
    confirming: Mutex<()>,
    resting: parking_lot::Mutex<()>,
    left_alone: Condvar,
}

/// What a turn is for. One does not wait for the other.
#[derive(Clone, Copy)]
pub(super) enum Work {
    Sending,
    Confirming,
}

impl Pace {
    /// Takes note of how many requests there were in all; told about once a second.
    pub(super) fn note(&self, requests: u64) {
        let before = self.requests.swap(requests, Ordering::Relaxed);
        let in_use = requests.saturating_sub(before) > FOLDER_IN_USE;
        self.in_use.store(in_use, Ordering::Relaxed);
        if !in_use {
            self.left_alone.notify_all();
        }
    }

    /// Whether room is short.
    pub(super) fn set_tight(&self, tight: bool) {
        self.tight.store(tight, Ordering::Relaxed);
    }

    /// Whether room was short when it was last looked at.
    pub(super) fn is_tight(&self) -> bool {
        self.tight.load(Ordering::Relaxed)
    }

    fn gives_way(&self) -> bool {
        self.in_use.load(Ordering::Relaxed) && !self.is_tight()
    }

    /// Waits for its turn, for one request; at once while nobody uses the folder.
    pub(super) async fn turn(&self, work: Work) -> Option<MutexGuard<'_, ()>> {
        if !self.gives_way() {
            return None;
        }
        let turns = match work {
            Work::Sending => &self.sending,
            Work::Confirming => &self.confirming,
        };
        let turn = turns.lock().await;
        tokio::time::sleep(PACE_PAUSE).await;
        Some(turn)
    }

    /// Rests for as long as was worked since `began`, while the folder is in use. Blocks.
    pub(super) fn rest(&self, began: Instant) {
        if self.gives_way() {
            let mut resting = self.resting.lock();
            self.left_alone
                .wait_for(&mut resting, began.elapsed().min(REST_MAX));
        }
    }
}

/// The longest rest at once: the program may end meanwhile.
const REST_MAX: Duration = Duration::from_millis(500);
