//! What can be told of publishing while it goes on.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Counters since the start, and what is in the way.
#[derive(Default)]
pub struct Progress {
    taken: AtomicU64,
    confirmed: AtomicU64,
    /// What is in the way of sending, and of looking for what was sent.
    troubles: [Mutex<Option<String>>; 2],
}

/// What of publishing something is in the way of.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Sending = 0,
    Looking = 1,
}

impl Progress {
    /// Chunks that a node took since the start.
    pub fn sent(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Chunks that were seen in the network since the start.
    pub fn confirmed(&self) -> u64 {
        self.confirmed.load(Ordering::Relaxed)
    }

    /// What is in the way, for people; nothing when all is well.
    pub fn trouble(&self) -> Option<String> {
        let mut troubles = self.troubles.iter();
        troubles.find_map(|trouble| trouble.lock().clone())
    }

    /// A chunk was taken: nothing is in the way of sending.
    pub(super) fn taken(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.is_well(Part::Sending);
    }

    pub(super) fn is_confirmed(&self) {
        self.confirmed.fetch_add(1, Ordering::Relaxed);
    }

    /// Nothing is in the way of this.
    pub(super) fn is_well(&self, part: Part) {
        if let Some(trouble) = self.troubles.get(part as usize) {
            *trouble.lock() = None;
        }
    }

    /// Takes note of a failure; told in the log once.
    pub(super) fn is_troubled(&self, part: Part, why: &dyn std::fmt::Display) {
        let why = why.to_string();
        let Some(trouble) = self.troubles.get(part as usize) else {
            return;
        };
        let mut trouble = trouble.lock();
        if trouble.as_ref() != Some(&why) {
            tracing::info!(why, "publishing waits");
            *trouble = Some(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_goes_with_what_it_was_in_the_way_of() {
        let progress = Progress::default();
        progress.is_troubled(Part::Looking, &"nobody tells");
        progress.taken();
        assert_eq!(progress.trouble().as_deref(), Some("nobody tells"));
        progress.is_troubled(Part::Sending, &"nobody takes");
        assert_eq!(progress.trouble().as_deref(), Some("nobody takes"));
        progress.is_well(Part::Looking);
        progress.taken();
        assert_eq!(progress.trouble(), None);
    }
}
