use crate::format::rows::Slot;

/// What the caller does next is in the variant; where it happened is in the text.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The budget or the disk is full: give something back, or wait for reclaim.
    #[error("no space left in the pod's budget or on its disk")]
    NoSpace,
    /// The bytes on disk are not those that were written: never shown. Run `podfs check`.
    #[error("log segment {:016x}, page {}: damaged", .0.segment, .0.page)]
    Corrupt(Slot),
    /// Another file of the state is damaged.
    #[error("{0}: damaged")]
    Damaged(String),
    /// A write or sync failed before: nothing more is accepted until the pod is mounted again.
    #[error("the pod is read-only: {0}")]
    ReadOnly(String),
    /// The disk answered with an error.
    #[error("{0}: {1}")]
    Io(String, rustix::io::Errno),
    /// The journal did not get to it in time.
    #[error("the disk does not keep up")]
    Busy,
}
