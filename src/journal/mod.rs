//! The truth on this machine: one append-only sealed log, its replay, its checkpoints, its space.

mod batch;
mod error;

pub use batch::{Batch, Change, Class, Sealed, Value};
pub use error::JournalError;
