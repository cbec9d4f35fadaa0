//! How far a pod, or one file of it, is on its way into the network.

use std::sync::Arc;

use crate::crypto::publish::Reference;
use crate::format::published::Adopted;
use crate::format::rows::{HeadState, Inode, Key};
use crate::journal::Snapshot;
use crate::sync::error::SyncError;
use crate::sync::publisher::Publisher;
use crate::sync::queue::Mark;
use crate::types::{Ino, Timespec};

/// The ladder, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// On this machine alone.
    Local,
    /// Belongs to a publication that is being sent.
    Queued,
    /// A node took all of it.
    OnNode,
    /// The network was seen to hold all of it.
    Confirmed,
}

impl Level {
    /// As people and programs read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Queued => "queued",
            Self::OnNode => "on-node",
            Self::Confirmed => "confirmed",
        }
    }
}

/// How far a pod is, in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// How far the pod is as a whole.
    pub level: Level,
    /// Chunks that no node took yet, as far as they are known.
    pub unsent: u64,
    /// Chunks that a node took and that were not seen in the network yet.
    pub sent: u64,
    /// Number of the newest publication that was begun; 0 before the first.
    pub publication: u64,
    /// Number of the newest publication that a node has all of.
    pub on_node: Option<u64>,
    /// Number of the newest publication that the network was seen to hold all of.
    pub confirmed: Option<u64>,
    /// Index of the newest head, and when it was made.
    pub head: Option<(u64, Timespec)>,
}

impl Publisher {
    /// How far the pod is, in figures.
    ///
    /// # Errors
    /// When the log does not tell.
    pub fn figures(&self) -> Result<Figures, SyncError> {
        let (unsent, sent) = self.kept.waiting();
        let journal = self.kept.rows().journal();
        let begun = journal.cut().or(journal.base());
        let last = self.last_head()?;
        let own = last.as_ref().map(|(own, _)| own);
        Ok(Figures {
            level: self.level()?,
            unsent,
            sent,
            publication: begun.map_or(0, |begun| begun.generation),
            on_node: own
                .filter(|own| own.state > HeadState::Made)
                .map(|own| own.publication),
            confirmed: own.map(|own| own.confirmed).filter(|number| *number > 0),
            head: last.map(|(own, head)| (own.index, head.time)),
        })
    }

    /// Whether the network has a head with the keys of this machine: a node took one, or one was recovered from.
    ///
    /// # Errors
    /// When the log does not tell.
    pub fn is_begun(&self) -> Result<bool, SyncError> {
        Ok(self.last_head()?.is_some_and(|(own, head)| {
            let adopted = head.adopted.as_ref();
            let has_same_keys = |adopted: &Adopted| {
                (adopted.epoch, adopted.box_epoch) == (head.epoch, head.box_epoch)
            };
            own.state > HeadState::Made || adopted.is_some_and(has_same_keys)
        }))
    }

    /// What changed until now belongs to a publication of at least this number.
    pub fn next_publication(&self) -> u64 {
        let journal = self.kept.rows().journal();
        // A checkpoint under way may have been frozen before the change: asked first, for it may end meanwhile.
        let under_way = journal.is_checkpointing();
        journal.root().generation + 1 + u64::from(under_way)
    }

    /// How far the pod is.
    ///
    /// # Errors
    /// When the log does not tell.
    pub fn level(&self) -> Result<Level, SyncError> {
        let rows = self.kept.rows();
        if !self.schedule.lock().is_idle(rows.operations()) {
            return Ok(Level::Local);
        }
        // In this order: a cut is settled after its head was made.
        if rows.journal().cut().is_some() {
            return Ok(Level::Queued);
        }
        if self.is_to_move()? {
            return Ok(Level::Queued);
        }
        let head = self.last_head()?.map(|(head, _)| head.state);
        Ok(match (head, self.kept.waiting()) {
            (None, _) => Level::Local,
            (Some(HeadState::Confirmed), (0, 0)) => Level::Confirmed,
            (Some(_), _) => Level::OnNode,
        })
    }

    /// What the entry of a file that is published as it is now refers to, which may be nothing; `None` as long as it is
    /// not published so.
    ///
    /// # Errors
    /// When the log does not tell.
    pub fn version_of(&self, ino: Ino) -> Result<Option<Option<Reference>>, SyncError> {
        let (rows, key) = (self.kept.rows(), Key::inode(ino));
        let Some(base) = rows.journal().base() else {
            return Ok(None);
        };
        let Some(published) = self.kept.published(ino)? else {
            return Ok(None);
        };
        // Asked last: what a publication in the making says of it, the base does not have.
        let now = rows.get(&key)?;
        let is_in_base = now.is_some() && rows.journal().row_at(&base, &key)? == now;
        let is_of_base = published.publication <= base.generation;
        Ok((is_in_base && is_of_base).then_some(published.contents))
    }

    /// Whether a file as it is now is published later than another one, which is published; or is not yet.
    ///
    /// # Errors
    /// When the log does not tell.
    pub fn is_told_after(&self, ino: Ino, other: Ino) -> Result<bool, SyncError> {
        let Some(before) = self.kept.published(other)? else {
            return Ok(false);
        };
        if self.version_of(ino)?.is_none() {
            return Ok(true);
        }
        let now = self.kept.published(ino)?;
        Ok(now.is_none_or(|now| now.publication > before.publication))
    }

    /// How far an inode is, as it is now.
    ///
    /// # Errors
    /// When the log does not tell.
    pub fn level_of(&self, ino: Ino) -> Result<Level, SyncError> {
        if ino.is_received() {
            // Whoever shares it has published it.
            return Ok(Level::Confirmed);
        }
        let rows = self.kept.rows();
        let journal = rows.journal();
        let key = Key::inode(ino);
        let Some(now) = rows.get(&key)? else {
            return Ok(Level::Local);
        };
        if Inode::decode(&now)?.nlink == 0 {
            return Ok(Level::Local);
        }
        // Every change of an inode, of its contents too, leaves another row, but where a clock shows a time twice.
        let is_in = |at: Option<Arc<Snapshot>>| match at {
            Some(at) => Ok::<_, SyncError>(journal.row_at(&at, &key)?.as_ref() == Some(&now)),
            None => Ok(false),
        };
        let published = is_in(journal.base())?;
        if !published {
            return Ok(if is_in(journal.cut())? {
                Level::Queued
            } else {
                Level::Local
            });
        }
        match self.kept.first_queued(ino)? {
            Mark::Unsent => return Ok(Level::Queued),
            Mark::Sent => return Ok(Level::OnNode),
            Mark::Done => {}
        }
        let publication = self
            .kept
            .published(ino)?
            .map(|published| published.publication);
        Ok(match self.last_head()? {
            Some((head, _)) if head.state == HeadState::Confirmed => Level::Confirmed,
            Some((head, _)) if publication.is_some_and(|it| it <= head.confirmed) => {
                Level::Confirmed
            }
            _ => Level::OnNode,
        })
    }
}
