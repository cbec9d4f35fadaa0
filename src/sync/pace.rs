//! Publishing gives way to the folder: while it is in use, one chunk at a time goes out, with a pause behind it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Condvar;
use tokio::sync::{Mutex, MutexGuard};

use crate::types::limits::{FOLDER_IN_USE, FOLDER_LEFT_ALONE, FOLDER_LOOK, PACE_PAUSE};

/// How many requests reached the folder in all.
type Requests = Box<dyn Fn() -> u64 + Send + Sync>;

/// Whether the folder is in use, and whose turn it is then.
#[derive(Default)]
pub(super) struct Pace {
    requests: OnceLock<Requests>,
    usage: parking_lot::Mutex<Option<Usage>>,
    /// Room is short: what is not published is in the way of the folder itself.
    tight: AtomicBool,
    sending: Mutex<()>,
    confirming: Mutex<()>,
    resting: parking_lot::Mutex<()>,
    left_alone: Condvar,
}

/// What the last look at the folder showed.
struct Usage {
    at: Instant,
    requests: u64,
    in_use: Instant,
}

/// What a turn is for. One does not wait for the other.
#[derive(Clone, Copy)]
pub(super) enum Work {
    Sending,
    Confirming,
}

impl Pace {
    /// Who tells how many requests there were: asked when there is work, and only then. Said once.
    pub(super) fn watch(&self, requests: Requests) {
        if self.requests.set(requests).is_err() {
            tracing::warn!("the folder is watched already");
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
        !self.is_tight()
            && (self.requests.get())
                .is_some_and(|requests| self.is_in_use(Instant::now(), requests))
    }

    /// Whether the folder was in use not long ago. Who comes first has just been mounted, and is about to be used.
    fn is_in_use(&self, now: Instant, requests: &Requests) -> bool {
        let mut usage = self.usage.lock();
        let usage = usage.get_or_insert_with(|| Usage {
            at: now,
            requests: requests(),
            in_use: now,
        });
        let since = now.saturating_duration_since(usage.at);
        if since >= FOLDER_LOOK {
            let all = requests();
            let more = u128::from(all.saturating_sub(usage.requests)) * 1000;
            if more > u128::from(FOLDER_IN_USE) * since.as_millis() {
                usage.in_use = now;
            }
            (usage.at, usage.requests) = (now, all);
        }
        let is_in_use = now.saturating_duration_since(usage.in_use) < FOLDER_LEFT_ALONE;
        if !is_in_use {
            self.left_alone.notify_all();
        }
        is_in_use
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn a_folder_is_in_use_at_once_and_for_a_while() {
        let count = Arc::new(AtomicU64::new(0));
        let asked = Arc::clone(&count);
        let requests: Requests = Box::new(move || asked.load(Ordering::Relaxed));
        let (pace, start) = (Pace::default(), Instant::now());
        let at = |ms: u64| pace.is_in_use(start + Duration::from_millis(ms), &requests);
        assert!(at(0) && at(900), "it was just mounted");
        assert!(!at(1100));
        count.fetch_add(3, Ordering::Relaxed);
        assert!(!at(1200), "30 in a second");
        count.fetch_add(100, Ordering::Relaxed);
        assert!(at(1300) && at(1800) && at(2200));
        assert!(!at(2400));
        count.fetch_add(100, Ordering::Relaxed);
        assert!(!at(2410), "not looked at so soon");
        assert!(at(2500));
    }
}
