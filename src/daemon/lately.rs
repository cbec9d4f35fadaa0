//! What may happen often, on its way into the audit log: little of it, however much there is.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::daemon::build::House;
use crate::share::audit::Happening;
use crate::types::Ino;
use crate::types::Timespec;
use crate::types::limits::LATELY_WINDOW;

/// What happened lately; a key for each thing of which once in a stretch of time is enough.
pub(super) struct Lately<K> {
    /// Things that are recorded in one stretch.
    most: usize,
    /// What is recorded of everything else when a stretch is over, if anything.
    told: fn(&Besides) -> Option<Happening>,
    window: Mutex<Window<K>>,
    came: Notify,
    /// Held while somebody records.
    recording: tokio::sync::Mutex<()>,
}

/// What happened and is not recorded one by one.
#[derive(Default)]
pub(super) struct Besides {
    /// How often what is recorded happened again.
    pub(super) again: u64,
    /// How often something else happened, beyond what is recorded.
    pub(super) beyond: u64,
}

struct Window<K> {
    since: Option<Timespec>,
    seen: BTreeSet<K>,
    besides: Besides,
    /// What is not recorded yet, and of which file it tells.
    new: Vec<(Option<Ino>, Happening)>,
}

impl<K: Ord> Lately<K> {
    pub(super) const fn new(most: usize, told: fn(&Besides) -> Option<Happening>) -> Self {
        let window = Window {
            since: None,
            seen: BTreeSet::new(),
            besides: Besides {
                again: 0,
                beyond: 0,
            },
            new: Vec::new(),
        };
        Self {
            most,
            told,
            window: Mutex::new(window),
            came: Notify::const_new(),
            recording: tokio::sync::Mutex::const_new(()),
        }
    }

    /// Something happened with a file. Of each thing the first time in an hour is recorded, of a few things; the rest is
    /// counted.
    pub(super) fn note(
        &self,
        key: K,
        ino: Ino,
        happening: impl FnOnce(&K) -> Happening,
        now: Timespec,
    ) {
        let mut window = self.window.lock();
        let length = LATELY_WINDOW.as_secs();
        let is_over = |since: Timespec| now.secs.abs_diff(since.secs) >= length;
        if window.since.is_none_or(is_over) {
            self.close(&mut window);
            window.since = Some(now);
        }
        if window.seen.contains(&key) {
            window.besides.again = window.besides.again.saturating_add(1);
        } else if window.seen.len() < self.most {
            let happening = happening(&key);
            window.seen.insert(key);
            window.new.push((Some(ino), happening));
            self.came.notify_one();
        } else {
            window.besides.beyond = window.besides.beyond.saturating_add(1);
        }
    }

    /// The next stretch begins with what happens next.
    fn close(&self, window: &mut Window<K>) {
        window.seen.clear();
        window.since = None;
        let besides = std::mem::take(&mut window.besides);
        let told = (self.told)(&besides).map(|happening| (None, happening));
        window.new.extend(told);
    }

    /// Records it as long as the mount lasts.
    pub(super) async fn record(self: Arc<Self>, house: House) {
        loop {
            self.came.notified().await;
            self.record_new(&house).await;
        }
    }

    /// Records what is not recorded yet, for the mount ends.
    pub(super) async fn record_last(&self, house: &House) {
        self.close(&mut self.window.lock());
        self.record_new(house).await;
    }

    async fn record_new(&self, house: &House) {
        // Who waits here finds all recorded that somebody else took.
        let _turn = self.recording.lock().await;
        let new = std::mem::take(&mut self.window.lock().new);
        for (ino, mut happening) in new {
            let names = ino.and_then(|ino| house.publishing().reader().path_of(ino));
            if let Some(names) = names {
                let parts = names.iter().map(|name| OsStr::from_bytes(name.as_bytes()));
                let path: PathBuf = parts.collect();
                happening = happening.of(path.as_os_str().as_bytes());
            }
            if let Err(fault) = house.people().audit().record(&happening).await {
                let kind = happening.kind().name();
                tracing::warn!(%fault, kind, "what happened is not in the audit log");
            }
        }
    }

    /// What is not recorded yet.
    #[cfg(test)]
    pub(super) fn new_ones(&self) -> Vec<(Option<Ino>, Happening)> {
        std::mem::take(&mut self.window.lock().new)
    }

    /// As when the mount ends.
    #[cfg(test)]
    pub(super) fn last(&self) -> Vec<(Option<Ino>, Happening)> {
        self.close(&mut self.window.lock());
        self.new_ones()
    }
}
