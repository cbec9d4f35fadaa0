//! What is said before and after a grant is ended.

use serde::Deserialize;
use serde::Serialize;

use crate::control::GivenReport;

/// What ending a grant would do, at each level. Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each answers a question of its own"
)]
#[serde(default)]
pub struct PreviewReport {
    /// The grant.
    pub grant: GivenReport,
    /// Whether it was ever handed over: if not, they could open nothing.
    pub handed_over: bool,
    /// Records of its feed: a version each, and the end.
    pub records: u64,
    /// Names that they could read, and may have kept; nothing when it is there no more.
    pub names: Option<u64>,
    /// Whether all that is there is published, so that the figures are of all of it.
    pub complete: bool,
    /// What each level costs.
    pub levels: Vec<LevelReport>,
    /// Batches that pay for what was published so far: what was sealed before is there until they end.
    pub batches: Vec<BatchEnd>,
    /// Other grants that open any of it.
    pub others: Vec<OtherGrant>,
    /// Whether there are more of these.
    pub more_others: bool,
}

/// What a level costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LevelReport {
    /// 0 to 3.
    pub level: u8,
    /// Chunks that are sent, each with a stamp; directories above and the head, as with any change, come on top.
    pub chunks: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Bytes that are fetched first, for they are not on this machine.
    pub fetched_bytes: u64,
}

/// When a batch ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchEnd {
    /// Its id.
    pub id: String,
    /// As forecast now, if nobody pays on.
    pub ends: i64,
}

/// Another grant that opens some of the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OtherGrant {
    /// Its id.
    pub id: String,
    /// Whom it was given to.
    pub with: String,
    /// What it is of.
    pub path: Option<String>,
    /// One version, with the keys of then: it opens what is still paid for.
    pub snapshot: bool,
    /// It is of the same person, who goes on reading by it.
    pub same_person: bool,
}

/// What was done when a grant was ended, or how far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReceiptReport {
    /// Id of the grant.
    pub id: String,
    /// Whom it was given to.
    pub with: String,
    /// Fingerprint of their identity.
    pub fingerprint: String,
    /// 0 to 3.
    pub level: u8,
    /// `sealing`, `waiting` for room, or `done`.
    pub state: String,
    /// When it was asked for.
    pub asked: i64,
    /// When it was done.
    pub done: Option<i64>,
    /// Names that were sealed anew.
    pub names: u64,
    /// Chunks that were.
    pub chunks: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Of the names, those that could not be, for parts of them are lost.
    pub left: u64,
    /// Records of the audit log at the checkpoint in the receipt.
    pub log_size: Option<u64>,
    /// Ed25519 key that signed the receipt.
    pub key: Option<String>,
    /// The receipt, as `FORMAT.md` has it.
    pub receipt: Option<String>,
}
