//! What a publication is made from, and what comes of it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::Place;
use crate::journal::Snapshot;
use crate::sync::box_heads::BoxDraft;
use crate::sync::boxes::BoxSecrets;
use crate::sync::error::SyncError;
use crate::sync::follow::{Followed, Seen};
use crate::sync::heads::OwnFeed;
use crate::sync::kept::Kept;
use crate::sync::pace::Pace;
use crate::sync::prepare::Draft;
use crate::sync::renew::Renewals;
use crate::types::Ino;
use crate::types::limits::PAGE;

/// A node that is not on this machine: whose, its place, and what it is referred to by.
pub(in crate::sync) type Lacking = (Ino, Place, Reference);

/// Reads such nodes from the network: one answer for each.
pub(in crate::sync) type Fetch<'a> =
    &'a dyn Fn(Vec<Lacking>) -> Vec<Result<Secret<PAGE>, SyncError>>;

/// Later attempts at sealing, for chunks whose bucket in the postage batch is full.
pub(in crate::sync) type Attempts = BTreeMap<(Ino, Place), u8>;

/// What a publication is made from.
pub(in crate::sync) struct Parts<'a> {
    /// What is published; its generation is the number of the publication.
    pub(in crate::sync) cut: &'a Snapshot,
    /// What was published last.
    pub(in crate::sync) base: Option<&'a Snapshot>,
    /// Rows and what is kept.
    pub(in crate::sync) kept: &'a Kept,
    /// The feed that the publication is for.
    pub(in crate::sync) feed: &'a OwnFeed,
    /// Secrets of the boxes that are attached to directories.
    pub(in crate::sync) boxes: &'a BoxSecrets,
    /// Owner and group that stand for the owner of the pod.
    pub(in crate::sync) owner: (u32, u32),
    /// Places that are sealed anew.
    pub(in crate::sync) attempts: &'a Attempts,
    /// Reads nodes that are not on this machine.
    pub(in crate::sync) fetch: Fetch<'a>,
    /// What somebody else is told of as well.
    pub(in crate::sync) followed: &'a [Followed],
    /// What is sealed anew.
    pub(in crate::sync) renewals: &'a Renewals,
    /// Whether the program ends.
    pub(in crate::sync) stopped: &'a AtomicBool,
    /// How fast it may go.
    pub(in crate::sync) pace: &'a Pace,
}

/// What a publication says once everything that is queued was sent.
#[derive(Default)]
pub(in crate::sync) struct Prepared {
    /// What goes into the head; nothing when the newest head says the same.
    pub(in crate::sync) draft: Option<Draft>,
    /// What the heads of all boxes say.
    pub(in crate::sync) boxes: Vec<BoxDraft>,
    /// What is followed, as it is published; one for each.
    pub(in crate::sync) seen: Vec<Option<Seen>>,
}
