//! Finding heads: which feeds there are, the newest head of each, and the one that a pod goes on from.
//!
//! Nothing here looks a feed up at a node: the addresses are computed, and asked for one by one (`FORMAT.md`, "Reading
//! a pod"). What is not there may be lost, late or kept back; so no single chunk decides, and "there is none" is
//! never concluded from a network that does not answer.

mod head;
mod probe;
mod survey;
#[cfg(test)]
mod tests;

pub use head::{Feed, FoundHead};
pub use probe::{at, leads, newer, newest, next_known, way};
pub use survey::{Known, PodKeys, Progress, Survey, survey};

use crate::store::StoreError;

/// Why no head is given. The variant says what comes next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FindError {
    /// The network does not answer, so nothing is known: ask again when it does.
    #[error("looking for heads: {0}")]
    Unavailable(StoreError),
    /// A head that another one names is not to be had: ask again later.
    #[error("head {1} of {0} is not to be had at the moment")]
    Missing(Feed, u64),
    /// A newer head of this feed was seen before. Somebody keeps it back, or it is lost; ask again later.
    #[error("{feed} goes back: head {seen} was seen, now {}", found.map_or("none is there".to_owned(), |found| format!("the newest is {found}")))]
    RolledBack {
        /// The feed.
        feed: Feed,
        /// Index that was seen before.
        seen: u64,
        /// Highest index that is there now.
        found: Option<u64>,
    },
    /// The head of this place was another one: two machines write this feed, or somebody has its key.
    #[error("head {1} of {0} is not the one that was seen there before")]
    Forked(Feed, u64),
}
