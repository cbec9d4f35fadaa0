use std::time::Duration;

use crate::types::Address;

/// Why a chunk was not taken or not given. The variant says what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Not to be had here now. Ask another endpoint, then again after [`RETRIEVE_AGAIN`]; to a reader it is an I/O
    /// error, never "no such file": nodes answer so for chunks that exist.
    ///
    /// [`RETRIEVE_AGAIN`]: crate::types::limits::RETRIEVE_AGAIN
    #[error("the chunk is not retrievable at the moment")]
    NotFound,
    /// Refused, without effect. The same request would be refused again: something has to change first.
    #[error("refused: {0}")]
    Rejected(Rejection),
    /// No answer, or none that tells whether anything happened. Send the same bytes again, not before `retry_after`.
    #[error("not available: {why}")]
    Unavailable {
        /// What went wrong.
        why: Outage,
        /// What the other side asked for; none when it said nothing.
        retry_after: Option<Duration>,
    },
    /// The bytes that came are not those of the address. Whoever sent them is wrong or lies: ask somebody else.
    #[error("the bytes are not those of their address")]
    Corrupt,
}

impl StoreError {
    /// An outage without a word on when to come back.
    pub const fn unavailable(why: Outage) -> Self {
        Self::Unavailable {
            why,
            retry_after: None,
        }
    }
}

/// Why something was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The batch has no slot left for this address (402). Take the next `t`, dilute, or use another batch.
    #[error("the postage batch has no room left at this address")]
    BucketFull(Address),
    /// The batch is too young, or expired (422): look at the list of batches until one or the other is clear.
    #[error("the postage batch is not usable yet, or expired")]
    BatchUnusable,
    /// The node does not own the batch (404).
    #[error("the node does not know the postage batch")]
    BatchUnknown,
    /// No batch was given.
    #[error("no postage batch is set")]
    NoBatch,
    /// The node forgot the tag (404): make a new one and send again what it covered.
    #[error("the node does not know the upload's tag")]
    TagUnknown,
    /// The node's wallet cannot pay.
    #[error("the node's wallet has not enough funds")]
    OutOfFunds,
    /// The node has no blockchain behind it: an ultra-light one.
    #[error("the node works without the blockchain and cannot do that")]
    NoChain,
    /// The node does not offer this: a gateway, a development node, another version.
    #[error("the node does not offer that")]
    Unsupported,
    /// Credentials are missing or wrong (401, 403).
    #[error("the node does not allow that")]
    Forbidden,
    /// The node sends us elsewhere, where nobody follows: correct the address of the node.
    #[error("the node redirects; use the address that it points to")]
    Redirected,
    /// No room on the disk.
    #[error("no space left")]
    NoSpace,
    /// More than the node takes (413), or a chunk that no node would take for what it is.
    #[error("the chunk has a size that cannot be sent")]
    Size,
    /// The request makes no sense to the node: a mistake in this program, or another version.
    #[error("the node does not understand the request: {0}")]
    Invalid(String),
}

/// Why there was no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Outage {
    /// No connection: nobody listens, no such name, no route, no trust.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// No complete answer within the time it was given.
    #[error("no answer within {:.1} s", .0.as_secs_f64())]
    Late(Duration),
    /// The connection broke in the middle.
    #[error("the connection broke")]
    Cut,
    /// The node asks for a pause (429, 503).
    #[error("the node is busy ({0})")]
    Busy(u16),
    /// The node failed (5xx).
    #[error("the node failed ({0} {1})")]
    Failed(u16, String),
    /// An answer that is none: another address, a page for people, too long, not what the interface says.
    #[error("the answer makes no sense: {0}")]
    Garbled(String),
    /// Something was perhaps paid for: not to be paid again before the list of batches says that it was not.
    #[error("not known whether it was paid")]
    Unsettled,
    /// Known to be down; nobody was asked.
    #[error("known to be down")]
    Down,
    /// No endpoint is set that could be asked.
    #[error("no node is set")]
    Nobody,
    /// The disk failed.
    #[error("the disk failed: {0}")]
    Disk(String),
}
