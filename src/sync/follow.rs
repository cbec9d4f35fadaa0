//! What is told to others as it is published: grants follow a folder or a file from publication to publication.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use crate::format::grant::Renewed;
use crate::format::published::Attributes;
use crate::format::rows::Revocation;
use crate::sync::error::SyncError;
use crate::sync::kept::Kept;
use crate::sync::publisher::Publisher;
use crate::types::{Address, Ino, Name};

/// Something that is followed.
#[derive(Clone, PartialEq, Eq)]
pub struct Followed {
    /// What it is.
    pub ino: Ino,
    /// Directory and name under which it was seen last: what programs save by writing anew and renaming is found there.
    pub place: (Ino, Name),
}

/// What is followed, as a publication has it. Everything that it refers to was handed to a node.
#[derive(Clone)]
pub struct Seen {
    /// What it is, and where, by now.
    pub now: Followed,
    /// What its entry says.
    pub attributes: Attributes,
}

/// Who tells others.
pub trait Followers: Send + Sync {
    /// Everything that is followed.
    ///
    /// # Errors
    /// A sentence that says why it is not known.
    fn followed(&self) -> Result<Vec<Followed>, String>;

    /// A publication has these; nothing in place of what is there no more.
    ///
    /// # Errors
    /// A sentence that says why nobody is told.
    fn published(&self, seen: Vec<(Followed, Option<Seen>)>) -> Result<(), String>;

    /// Where the newest records stand that tell others of what is published.
    ///
    /// # Errors
    /// A sentence that says why that is not known.
    fn records(&self) -> Result<Vec<Address>, String>;

    /// What was asked for was sealed anew, so much of it, and handed to a node.
    ///
    /// # Errors
    /// A sentence that says why that is not noted.
    fn renewed(&self, asked: &Revocation, renewed: Renewed) -> Result<(), String>;

    /// What was asked for cannot be sealed anew now: what has to be fetched for it finds no room. No publication seals it
    /// until it is asked for again.
    ///
    /// # Errors
    /// A sentence that says why that is not noted.
    fn has_no_room(&self, asked: &Revocation) -> Result<(), String>;
}

/// Those who follow, as the publisher knows them.
#[derive(Default)]
pub(super) struct Follow {
    followers: OnceLock<Weak<dyn Followers>>,
    /// How often it was asked for.
    asked: AtomicU64,
    /// Up to which of these it was done.
    told: AtomicU64,
}

/// The list at the beginning of a publication.
#[derive(Default)]
pub(super) struct List {
    pub(super) followed: Vec<Followed>,
    asked: u64,
}

impl Follow {
    /// Whether somebody waits to be told, though nothing may have changed.
    pub(super) fn is_due(&self) -> bool {
        self.asked.load(Ordering::Acquire) > self.told.load(Ordering::Acquire)
    }

    /// What is followed now. When that is not known nobody is told: the pod is published all the same.
    pub(super) fn list(&self) -> List {
        let asked = self.asked.load(Ordering::Acquire);
        let Some(followers) = self.followers.get().and_then(Weak::upgrade) else {
            return List::default();
        };
        match followers.followed() {
            Ok(followed) => List { followed, asked },
            Err(why) => {
                tracing::error!(why, "whom something is shared with is not known");
                List::default()
            }
        }
    }

    /// Tells what was made of the list.
    pub(super) fn tell(&self, list: List, seen: Vec<Option<Seen>>) {
        let followers = self.followers.get().and_then(Weak::upgrade);
        if let Some(followers) = followers.filter(|_| !list.followed.is_empty()) {
            let seen = list.followed.into_iter().zip(seen).collect();
            if let Err(why) = followers.published(seen) {
                tracing::error!(why, "whom something is shared with is not told");
                return;
            }
        }
        self.told.fetch_max(list.asked, Ordering::AcqRel);
    }

    /// Where the newest records stand; nowhere without followers.
    ///
    /// # Errors
    /// When that is not known: it has to be asked again.
    pub(super) fn records(&self) -> Result<Vec<Address>, SyncError> {
        let followers = self.followers.get().and_then(Weak::upgrade);
        let records = followers.map(|followers| followers.records()).transpose();
        records.map(Option::unwrap_or_default).map_err(|why| {
            tracing::error!(why, "where others are told of what is shared is not known");
            SyncError::Interrupted
        })
    }

    /// Tells that something was sealed anew.
    ///
    /// # Errors
    /// When nobody has noted it: it has to be told again.
    pub(super) fn is_renewed(&self, asked: &Revocation, renewed: Renewed) -> Result<(), SyncError> {
        self.note(|followers| followers.renewed(asked, renewed))
    }

    /// Tells that something cannot be sealed anew now.
    ///
    /// # Errors
    /// When nobody has noted it: it has to be told again.
    pub(super) fn has_no_room(&self, asked: &Revocation) -> Result<(), SyncError> {
        self.note(|followers| followers.has_no_room(asked))
    }

    fn note(
        &self,
        tell: impl FnOnce(&dyn Followers) -> Result<(), String>,
    ) -> Result<(), SyncError> {
        let followers = self.followers.get().and_then(Weak::upgrade);
        let Some(followers) = followers else {
            return Err(SyncError::Interrupted);
        };
        tell(&*followers).map_err(|why| {
            tracing::error!(
                why,
                "what became of something to be sealed anew is not noted"
            );
            SyncError::Interrupted
        })
    }
}

impl Publisher {
    /// From now on they are told what is published. Said once.
    pub fn set_followers(&self, followers: Weak<dyn Followers>) {
        if self.follow.followers.set(followers).is_err() {
            tracing::warn!("what is published is told to whom it was said first");
        }
    }

    /// What is kept of what is published, for who brings what others publish.
    pub fn kept_shared(&self) -> Arc<Kept> {
        Arc::clone(&self.kept)
    }

    /// Somebody new follows: they are told soon, also if nothing changes.
    pub fn follow_now(&self) {
        self.follow.asked.fetch_add(1, Ordering::AcqRel);
        self.publish_now();
    }
}
