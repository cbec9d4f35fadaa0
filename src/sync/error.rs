use crate::crypto::publish::Reference;
use crate::format::wire::Malformed;
use crate::journal::JournalError;
use crate::store::StoreError;
use crate::sync::fetch::FetchError;
use crate::sync::find::FindError;
use crate::sync::reader::ReadError;
use crate::types::Ino;

/// Why something was not carried to or from the network. The variant says what comes next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SyncError {
    /// The log refused or failed: nothing is lost, it is tried again.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The network refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was published before cannot be read: it is tried again.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What stands in the own feed is not known: it is tried again.
    #[error(transparent)]
    Find(#[from] FindError),
    /// This machine published more than its folder knows: the folder was put back as it was. Recover the pod.
    #[error(
        "this folder is older than what this machine published: the network has head {newest}, {}",
        known.map_or("here there is none".to_owned(), |known| format!("here the newest is {known}"))
    )]
    Behind {
        /// The newest head that this folder knows.
        known: Option<u64>,
        /// A newer one that was found.
        newest: u64,
    },
    /// Another head stands where this machine's should: the folder was copied, or put back. Recover the pod.
    #[error("another copy of this folder publishes as this machine")]
    Forked,
    /// A row or a published node makes no sense.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// A node that is kept here cannot be read: what hangs below it waits.
    #[error("what is kept of inode {0} cannot be read")]
    Damaged(Ino),
    /// The postage batch has no room for many addresses: make it deeper, or use another one.
    #[error("the postage batch is full")]
    BatchFull,
    /// What has to be fetched finds no room on this machine: it is tried again when some is given back.
    #[error("too little room on this machine for what has to be fetched")]
    NoRoom,
    /// The end of the program: what was begun is gone on with at the next start.
    #[error("interrupted")]
    Interrupted,
    /// Rows contradict each other: `podfs check` tells more.
    #[error("inode {0}: {1}")]
    Contradiction(Ino, &'static str),
}

impl SyncError {
    /// Whether nobody answered, so that it goes by itself.
    pub(super) const fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Store(StoreError::Unavailable { .. })
                | Self::Find(FindError::Unavailable(_))
                | Self::Read(ReadError::Fetch(..))
        )
    }

    /// What was published of an inode is no node, though it opens.
    pub(super) fn corrupt(ino: Ino, node: &Reference) -> Self {
        ReadError::Fetch(ino, FetchError::Corrupt(node.address())).into()
    }

    /// Whether what is known of this inode, and of nothing else, makes no sense.
    pub(super) fn contradicts(&self, ino: Ino) -> bool {
        matches!(self, Self::Contradiction(at, _) if *at == ino)
    }

    /// Whether something published is to be had nowhere, though the network answers.
    pub(super) const fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::Read(ReadError::Fetch(
                _,
                FetchError::Missing(_) | FetchError::Corrupt(_)
            ))
        )
    }
}
