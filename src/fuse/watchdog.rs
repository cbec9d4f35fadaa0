use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Requests that can run at once without one being overlooked: far above the number of event loops, for requests
/// that wait for the network hold none.
const SLOTS: usize = 256;

/// The requests that run this moment, and how many there were.
pub struct Running {
    slots: Box<[Mutex<Option<Request>>]>,
    started: AtomicU64,
}

/// A request that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Name of the operation.
    pub op: &'static str,
    /// Inode it was sent to.
    pub ino: u64,
    /// When it came.
    pub since: Instant,
    /// Whether it was reported.
    told: bool,
}

/// Name of the one request that does not keep a mount from being idle.
pub(super) const STATFS: &str = "statfs";

/// A request from here to its end.
#[must_use = "the request ends when this is dropped"]
pub(super) struct Turn {
    running: Arc<Running>,
    slot: Option<usize>,
    request: Request,
}

impl Default for Running {
    /// None so far.
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Mutex::new(None)).collect(),
            started: AtomicU64::new(0),
        }
    }
}

impl Running {
    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>, op: &'static str, ino: u64) -> Turn {
        // Monitors and panels ask every mount for its free space, for ever: that is no use of it.
        if op != STATFS {
            self.started.fetch_add(1, Ordering::Relaxed);
        }
        let request = Request {
            op,
            ino,
            since: Instant::now(),
            told: false,
        };
        let free = |slot: &Mutex<Option<Request>>| {
            let place = slot.try_lock().filter(|place| place.is_none());
            place.map(|mut place| *place = Some(request)).is_some()
        };
        Turn {
            running: Arc::clone(self),
            slot: self.slots.iter().position(free),
            request,
        }
    }

    /// Requests so far, `statfs` aside: when it stands still, nobody uses the mount.
    pub fn requests(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// Requests that have been running for longer than that.
    pub fn overdue(&self, older_than: Duration) -> Vec<Request> {
        let running = self.slots.iter().filter_map(|slot| *slot.lock());
        running
            .filter(|request| request.since.elapsed() > older_than)
            .collect()
    }

    /// Logs each request that has been running for longer than that, once. Called every second or so.
    pub fn tell_overdue(&self, older_than: Duration) {
        for slot in &self.slots {
            let mut slot = slot.lock();
            let Some(request) = slot.as_mut() else {
                continue;
            };
            let age = request.since.elapsed();
            if age > older_than && !request.told {
                request.told = true;
                let (op, ino, seconds) = (request.op, request.ino, age.as_secs_f32());
                tracing::warn!(op, ino, seconds, "a request takes long");
            }
        }
    }
}

impl Turn {
    /// Name of the operation, and the inode it was sent to.
    pub(super) const fn at(&self) -> (&'static str, u64) {
        (self.request.op, self.request.ino)
    }

    /// When the request came.
    pub(super) const fn since(&self) -> Instant {
        self.request.since
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let slot = self.slot.and_then(|at| self.running.slots.get(at));
        if let Some(slot) = slot {
            *slot.lock() = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_seen_while_they_run() {
        let running = Arc::new(Running::default());
        assert!(running.overdue(Duration::ZERO).is_empty());
        let turn = running.begin("read", 7);
        let _other = running.begin("write", 8);
        let seen = running.overdue(Duration::ZERO);
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[0].op, seen[0].ino), ("read", 7));
        assert!(running.overdue(Duration::from_secs(60)).is_empty());
        drop(turn);
        assert_eq!(running.overdue(Duration::ZERO).len(), 1);
        assert_eq!(running.requests(), 2);
    }
}
