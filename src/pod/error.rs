use std::ops::Range;

use crate::format::wire::Malformed;
use crate::journal::JournalError;
use crate::types::{Ino, NameError};

/// Why an operation of the file system was not done. Each variant is one answer to the caller; `fuse::errno` has
/// the number for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PodError {
    /// No such name, or the inode is gone.
    #[error("not found")]
    NotFound,
    /// The name is taken.
    #[error("exists already")]
    Exists,
    /// A directory was needed.
    #[error("not a directory")]
    NotADirectory,
    /// A directory was not wanted.
    #[error("is a directory")]
    IsADirectory,
    /// The directory has entries.
    #[error("directory not empty")]
    NotEmpty,
    /// Not a file name.
    #[error("not a file name")]
    NameInvalid,
    /// A name above 255 bytes, or a symlink target above 4095.
    #[error("name too long")]
    NameTooLong,
    /// The inode has as many hard links as it may have.
    #[error("too many links")]
    TooManyLinks,
    /// The operation is forbidden on this object, whoever asks (`EPERM`).
    #[error("operation not permitted")]
    NotPermitted,
    /// The caller lacks the right (`EACCES`).
    #[error("permission denied")]
    Denied,
    /// The two ends are in different boxes.
    #[error("crosses a box")]
    CrossDevice,
    /// An argument makes no sense.
    #[error("invalid argument")]
    InvalidArgument,
    /// podfs does not offer this.
    #[error("not supported")]
    NotSupported,
    /// The answer does not fit the caller's buffer.
    #[error("the buffer is too small")]
    Range,
    /// No such extended attribute, or no data behind the offset.
    #[error("no data")]
    NoData,
    /// A value or a list above its limit.
    #[error("too large")]
    TooLarge,
    /// The file would grow above its limit.
    #[error("file too large")]
    FileTooLarge,
    /// An offset behind the end of the file.
    #[error("no such offset")]
    NoSuchOffset,
    /// No contact of that name.
    #[error("no such contact")]
    NoSuchPerson,
    /// Too much of what podfs tells is open.
    #[error("too many open files")]
    TooManyOpen,
    /// The budget or the disk is full.
    #[error("no space left")]
    NoSpace,
    /// Nothing is accepted any more until the pod is mounted again.
    #[error("read-only")]
    ReadOnly,
    /// A directory would become its own ancestor.
    #[error("a directory cannot be moved into itself")]
    Loop,
    /// The directory of a box: it stays until the box is removed.
    #[error("it is a box")]
    IsBox,
    /// The inode went away while it was used.
    #[error("stale")]
    Stale,
    /// Somebody has it open, and may change it still.
    #[error("somebody has it open")]
    InUse,
    /// The disk does not keep up.
    #[error("busy")]
    Busy,
    /// Pages that the operation needs are not on this machine: it can be done once they were fetched.
    #[error("pages {} to {} of inode {ino} are not on this machine", .pages.start, .pages.end)]
    Absent {
        /// Whose they are.
        ino: Ino,
        /// The first, and the one behind the last.
        pages: Range<u64>,
    },
    /// The network did not give what is not on this machine; it may later.
    #[error("not to be had from the network: {0}")]
    Unreachable(String),
    /// What is stored cannot be verified or makes no sense: never shown.
    #[error("damaged: {0}")]
    Corrupt(String),
    /// The disk answered with an error.
    #[error("{0}")]
    Io(String),
}

impl From<JournalError> for PodError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::NoSpace => Self::NoSpace,
            JournalError::Corrupt(_) | JournalError::Damaged(_) => Self::Corrupt(error.to_string()),
            JournalError::ReadOnly(_) => Self::ReadOnly,
            JournalError::Io(_, _) => Self::Io(error.to_string()),
            JournalError::Busy => Self::Busy,
        }
    }
}

impl From<Malformed> for PodError {
    fn from(error: Malformed) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl From<NameError> for PodError {
    fn from(error: NameError) -> Self {
        match error {
            NameError::TooLong => Self::NameTooLong,
            NameError::Invalid => Self::NameInvalid,
        }
    }
}
