//! Carries what is on this machine to Swarm, and brings it back.
//!
//! It meets the file system in the rows of the log alone, so a crash between "written" and "uploaded" is the ordinary
//! case. A *publication* begins with a cut of the log, a checkpoint that stays readable; what differs from the
//! publication before is sealed anew, node by node, and queued; chunks go out children first, the head last.

mod audited;
mod box_heads;
mod boxes;
mod changes;
mod confirm;
mod contents;
mod edit;
mod enlist;
mod epoch;
mod error;
mod evict;
pub mod fetch;
pub mod find;
mod follow;
mod heads;
mod kept;
mod leftover;
mod load;
mod migrate;
mod network;
mod newest;
mod notes;
mod pace;
mod pin;
mod prepare;
mod progress;
mod publish;
mod publisher;
mod queue;
pub mod reader;
pub mod receive;
mod remake;
mod renew;
pub mod restore;
#[cfg(test)]
mod sample;
mod schedule;
mod scrub;
mod standing;
mod state;
mod still;
mod upload;
mod view;
mod walk;
mod weight;

pub use boxes::BoxSecrets;
pub use contents::ContentsError;
pub use edit::KeptEdit;
pub use epoch::{Beginning, EpochFeeds, settled};
pub use error::SyncError;
pub use evict::Files;
pub use follow::{Followed, Followers, Seen};
pub use heads::OwnFeed;
pub use kept::Kept;
pub use leftover::Missing;
pub use migrate::Migration;
pub use network::{Freight, Network, Sources};
pub use progress::{Part, Progress, Troubles};
pub use publisher::{Publisher, PublisherParts};
pub use queue::Mark;
pub use renew::Weight;
pub use scrub::Scrubbed;
pub use state::{Figures, Level};
