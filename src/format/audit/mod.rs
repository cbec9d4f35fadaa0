//! The audit log: who did what with a pod, in records that a tree of hashes and a chain of signatures hold together.

mod checkpoint;
mod event;
mod record;

pub use checkpoint::{
    CHECKPOINT_LEN, Checkpoint, SIGNED_CHECKPOINT_LEN, SignedCheckpoint, WITNESS_LEN, Witness,
};
pub use event::{Event, Kind, Outcome};
pub use record::{Content, Record, records};
