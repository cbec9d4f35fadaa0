//! Who did what with a pod: a log that grows at its end, of which nothing can be changed unnoticed before a checkpoint
//! that somebody else holds.
//!
//! It attests that these events were recorded, in this order, and when by the clock of the machine. It attests neither
//! that everything was recorded, nor what somebody did with what they were given.

mod happening;
mod line;
mod published;
mod tail;
#[cfg(test)]
mod tests;
mod verify;
mod witnesses;

pub use happening::Happening;
pub use line::{Header, HeldLine, Line, object_text};
pub use published::PublishedLog;
pub use tail::{Circumstances, Tail};
pub use verify::{Agreed, Evidence, Fault, Held, Holder, Verdict, Wrong, read, verify};
pub use witnesses::{Countersigned, countersigned};

/// Name of the log among the files that the pod keeps for itself.
pub const LOG: &str = "audit";
/// Name of the file of checkpoints that others countersigned.
pub const WITNESSES: &str = "witnesses";
/// Name of the file that says which log it is, when the pod may be handed over.
pub const ORIGIN: &str = "origin";
