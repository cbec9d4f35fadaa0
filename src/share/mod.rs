//! Other people: who they are, which of their keys are trusted, what they and the owner write to each other, what is
//! shared, and the log of all that.
//!
//! A [contact](crate::format::rows::Contact) is somebody whose card is pinned: from then on only a card that follows it
//! in its chain takes its place. What breaks the chain is never used, and stops everything that would use the contact,
//! until the owner says what it was.
//!
//! A *grant* is a row, one message to the contact, and a feed of its own in which each publication tells what is shared
//! now ([`GivenGrants`]); whoever received it ([`ReceivedGrants`]) follows that feed. Everything is a row before it is in
//! the network, and what has to outlive the machine is a file of the pod as well ([`PeopleRows`]).

pub mod audit;
mod back;
mod blocked;
mod cards;
mod contacts;
mod error;
mod feed;
mod follow;
#[cfg(test)]
mod follow_tests;
mod given;
#[cfg(test)]
mod grants_tests;
pub mod messages;
mod received;
#[cfg(test)]
mod received_tests;
mod rows;
#[cfg(test)]
mod rows_tests;
mod seen_logs;
#[cfg(test)]
mod tests;

pub use back::{
    back_id, back_terms, copy_name, is_added_to, is_copy_name, is_written_to, takes_place_of,
};
pub use cards::{Found, has_newer_card, is_left, newest_card, successor_of};
pub use contacts::{Contacts, Pinned};
pub use error::{Called, ShareError};
pub use given::{GivenGrants, GrantKeys, Said, Told, Unsent};
pub use received::{Arrival, ReceivedGrants};
pub use rows::{PeopleRows, Shelf, ShelfError, file_name, key_of_file};
pub use seen_logs::{LogSeen, LogTrouble, SeenLogs};
