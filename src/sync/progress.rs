//! What can be told of publishing while it goes on.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::sync::error::SyncError;

/// Counters since the start, and what is in the way.
#[derive(Default)]
pub struct Progress {
    taken: AtomicU64,
    confirmed: AtomicU64,
    troubles: watch::Sender<Troubles>,
}

/// What is in the way of sending, and of looking for what was sent. Whoever tells people of it knows which node and
/// which batch it is about, and what helps.
#[derive(Clone, Default)]
pub struct Troubles([Option<SyncError>; 2]);

/// What of publishing something is in the way of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Sending chunks to the node that takes them.
    Sending = 0,
    /// Looking whether the network has what was sent, through whichever node can tell.
    Looking = 1,
}

impl Troubles {
    /// The first of them; nothing when all is well.
    pub fn first(&self) -> Option<(Part, &SyncError)> {
        let [sending, looking] = &self.0;
        let sending = sending.as_ref().map(|error| (Part::Sending, error));
        sending.or_else(|| Some((Part::Looking, looking.as_ref()?)))
    }
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

    /// What is in the way; nothing when all is well.
    pub fn trouble(&self) -> Option<(Part, SyncError)> {
        let troubles = self.troubles.borrow();
        troubles.first().map(|(part, error)| (part, error.clone()))
    }

    /// The same, now and whenever it changes.
    pub fn troubles(&self) -> watch::Receiver<Troubles> {
        self.troubles.subscribe()
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
        self.change(part, None);
    }

    /// Forgets what was in the way, unless nobody answered: that goes by itself.
    pub(super) fn may_be_well(&self, part: Part) {
        self.troubles.send_if_modified(|troubles| {
            let trouble = troubles.0.get_mut(part as usize);
            trouble.is_some_and(|it| it.take_if(|error| !error.is_outage()).is_some())
        });
    }

    /// Takes note of a failure.
    pub(super) fn is_troubled(&self, part: Part, why: impl Into<SyncError>) {
        self.change(part, Some(why.into()));
    }

    fn change(&self, part: Part, to: Option<SyncError>) {
        let text = |trouble: &Option<SyncError>| trouble.as_ref().map(ToString::to_string);
        self.troubles.send_if_modified(|troubles| {
            let Some(trouble) = troubles.0.get_mut(part as usize) else {
                return false;
            };
            let is_new = text(trouble) != text(&to);
            *trouble = to;
            is_new
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Outage, Rejection, StoreError};

    #[test]
    fn a_refusal_is_forgotten_when_somebody_asks_again_and_an_outage_is_not() {
        let progress = Progress::default();
        let refused = StoreError::Rejected(Rejection::BatchUnknown);
        progress.is_troubled(Part::Sending, refused);
        progress.may_be_well(Part::Sending);
        assert!(progress.trouble().is_none());
        progress.is_troubled(Part::Sending, StoreError::unavailable(Outage::Down));
        progress.may_be_well(Part::Sending);
        assert!(progress.trouble().is_some());
    }

    #[test]
    fn a_trouble_goes_with_what_it_was_in_the_way_of() {
        let progress = Progress::default();
        let mut troubles = progress.troubles();
        let mut first = || {
            let now = troubles.borrow_and_update().clone();
            now.first()
                .map_or(String::new(), |(_, error)| error.to_string())
        };
        progress.is_troubled(Part::Looking, StoreError::NotFound);
        progress.taken();
        assert!(first().contains("not retrievable"));
        progress.is_troubled(Part::Sending, StoreError::unavailable(Outage::Down));
        assert!(first().contains("known to be down"));
        progress.is_well(Part::Looking);
        progress.taken();
        assert_eq!(first(), "");
        progress.taken();
        assert!(!troubles.has_changed().unwrap(), "nothing is no news");
    }
}
