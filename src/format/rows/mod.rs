//! Rows: the pod as one sorted map. A key is a type byte and big-endian fields, so that byte order is the order
//! we read in; values are little-endian. `FORMAT.md` has the table.

mod attached;
mod contact;
mod dentry;
mod extent;
mod grant;
mod heads;
mod inode;
mod key;
mod message;
mod published;
mod revocation;
mod seen_log;
mod shared;
mod taken;
mod xattr;

pub use attached::{Attached, NextBox};
pub use contact::{Blocked, Contact, OwnCard, check_blocked_row, check_card_row};
pub use dentry::{Dentries, Dentry};
pub use extent::{Bucket, PageState, Run, RunData, RunKind, Slot, SlotRange, Tag};
pub use grant::{
    Epochs, Given, GivenState, LastRecord, Received, ReceivedState, SeenRecord, check_given_row,
    check_received_row,
};
pub use heads::{HeadState, OwnHead, SeenHead, SeenHeads};
pub use inode::{FileKind, Inode};
pub use key::Key;
pub use message::{
    FeedCursor, FeedPlace, KeysTag, MessageRow, MessageState, SealedMessage, forgotten_message,
};
pub use published::{KeptNode, KeptNodes, Published, Queued};
pub use revocation::{Revocation, RevocationState, check_revocation_row};
pub use seen_log::{RecordAt, SeenLog, ToldLog, check_seen_log_row};
pub use shared::{SHARED_PAGES_MAX, Shared};
pub use taken::Taken;
pub use xattr::{Xattr, Xattrs};
