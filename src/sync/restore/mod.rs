//! Recovery of the tree of names: from a head to rows, the bytes of files left where they are.
//!
//! Directories are walked depth first and wide, so what is waited for is bounded by the depth of the tree and not by
//! its size. Nothing is believed: every directory has as many names as it says, every inode as many names, and every
//! node stands where its parent says. Rows are written as they come; an interrupted recovery is begun anew.

pub(in crate::sync) mod details;
mod directory;
mod entry;
mod node;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::crypto::Secret;
use crate::crypto::keys::{BoxSecret, ScopeKey};
use crate::format::published::Head;
use crate::format::rows::{Key, NextBox, SeenHeads};
use crate::format::wire::Malformed;
use crate::journal::JournalError;
use crate::sync::contents::ContentsError;
use crate::sync::fetch::{Family, FetchError, Fetcher};
use crate::sync::kept::Kept;
use crate::sync::restore::details::{Details, Found};
use crate::sync::restore::directory::Directory;
use crate::sync::restore::entry::Links;
use crate::sync::restore::node::Node;
use crate::sync::restore::writer::Writer;
use crate::types::limits::{PAGE, RESTORE_READS_MAX, XATTRS_MAX};
use crate::types::{Ino, ROOT};

/// Number of the publication that everything found in a head belongs to: before the first of this machine.
pub const RESTORED: u64 = 0;

/// What a tree of names is recovered from, and where to.
pub struct RestoreParts<'a> {
    /// Where the rows go. There are none yet.
    pub kept: Arc<Kept>,
    /// Where the nodes come from.
    pub fetcher: Fetcher,
    /// The box of the head, in its epochs.
    pub secret: &'a BoxSecret,
    /// The head.
    pub head: &'a Head,
    /// Heads to be remembered as seen.
    pub seen: &'a SeenHeads,
    /// User and group of whoever recovers: the owner of what belongs to the owner of the pod.
    pub owner: (u32, u32),
}

/// How far a recovery is, and at the end what it brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Names.
    pub names: u64,
    /// Directories, the top one included.
    pub directories: u64,
    /// Bytes of files: what is to be had on demand.
    pub bytes: u64,
    /// Inodes that came without their extended attributes: a page of these is not to be had.
    pub lost: u64,
}

/// Why a tree of names is not recovered. The variant says what comes next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RestoreError {
    /// A node of this inode is not to be had: ask again later, or begin with the head before.
    #[error("inode {0}: {1}")]
    Fetch(Ino, FetchError),
    /// What was published of this inode makes no sense: begin with the head before.
    #[error("inode {0}: {1}")]
    Malformed(Ino, Malformed),
    /// What was published of this inode contradicts itself: begin with the head before.
    #[error("inode {0}: {1}")]
    Contradiction(Ino, &'static str),
    /// The log refused or failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What is fetched.
enum Job {
    /// A node of a directory.
    Node(Node),
    /// The inode of something that has extended attributes or a long target.
    Details(Box<Details>),
}

/// What was fetched.
enum Done {
    Node(Node, Secret<PAGE>),
    Details(Box<Details>, Option<Box<Found>>),
}

struct Restore<'a> {
    head: &'a Head,
    fetcher: Fetcher,
    scopes: ScopeKey,
    owner: (u32, u32),
    writer: Writer,
    /// The newest on top: depth first.
    queue: Vec<Job>,
    directories: BTreeMap<Ino, Directory>,
    links: BTreeMap<Ino, Links>,
    /// Inodes whose rows wait for what is fetched of them.
    waiting: BTreeSet<Ino>,
    /// Directories with changes that were not met yet.
    changed: BTreeSet<Ino>,
    changes: Arc<Family>,
    /// Numbers of the boxes that are attached to directories.
    boxes: BTreeSet<u32>,
    done: Restored,
}

/// Recovers the names below a head. `progress` hears of it every now and then.
///
/// # Errors
/// [`RestoreError`]; the rows are to be thrown away then.
pub async fn restore(
    parts: RestoreParts<'_>,
    progress: &(dyn Fn(Restored) + Send + Sync),
) -> Result<Restored, RestoreError> {
    let journal = &parts.head.journal;
    let mut restore = Restore {
        head: parts.head,
        fetcher: parts.fetcher,
        scopes: parts.secret.scope_key(),
        owner: parts.owner,
        writer: Writer::new(parts.kept),
        queue: Vec::new(),
        directories: BTreeMap::new(),
        links: BTreeMap::new(),
        waiting: BTreeSet::new(),
        changed: journal
            .changes
            .iter()
            .map(|change| change.directory)
            .collect(),
        changes: Arc::new(Family::nodes(
            journal.references(),
            journal.group,
            &journal.parity,
        )),
        boxes: BTreeSet::new(),
        done: Restored::default(),
    };
    restore.root()?;
    restore.run(progress).await?;
    restore.settled()?;
    if let Some(last) = restore.boxes.last() {
        let next = NextBox(last.saturating_add(1));
        restore.writer.put(Key::next_box(), next.encode());
    }
    restore.writer.put(Key::seen_heads(), parts.seen.encode());
    restore.writer.flush().await?;
    Ok(restore.done)
}

impl Restore<'_> {
    fn root(&mut self) -> Result<(), RestoreError> {
        let root = &self.head.root;
        if root.attributes.ino != ROOT {
            let why = "it is the top directory, and its number is not 1";
            return Err(RestoreError::Contradiction(root.attributes.ino, why));
        }
        let family = match &root.attributes.directory {
            Some(names) => Family::alone(names, root.parity.as_ref()),
            None => Family::nodes([], 0, &[]),
        };
        self.inode(&root.attributes, &Arc::new(family))
    }

    async fn run(
        &mut self,
        progress: &(dyn Fn(Restored) + Send + Sync),
    ) -> Result<(), RestoreError> {
        let mut running = JoinSet::new();
        loop {
            while running.len() < RESTORE_READS_MAX
                && let Some(job) = self.queue.pop()
            {
                running.spawn(job.run(self.fetcher.clone()));
            }
            let Some(done) = running.join_next().await else {
                return Ok(());
            };
            match done.unwrap_or_else(|_| Err(ended()))? {
                Done::Node(node, page) => self.node(node, page)?,
                Done::Details(details, found) => {
                    self.details(&details, found.map(|found| *found));
                }
            }
            if self.writer.is_full() {
                self.writer.flush().await?;
                progress(self.done);
            }
        }
    }

    /// At the end nothing is open any more.
    fn settled(&self) -> Result<(), RestoreError> {
        if let Some((ino, _)) = self.links.iter().find(|(_, links)| links.left > 0) {
            return Err(RestoreError::Contradiction(
                *ino,
                "it has fewer names than it says",
            ));
        }
        if let Some(ino) = self.changed.first() {
            let why = "there are changes of this directory, and it is nowhere";
            return Err(RestoreError::Contradiction(*ino, why));
        }
        Ok(())
    }
}

impl Job {
    async fn run(self, fetcher: Fetcher) -> Result<Done, RestoreError> {
        match self {
            Self::Node(node) => {
                let page = node.fetch(&fetcher).await?;
                Ok(Done::Node(node, page))
            }
            Self::Details(details) => {
                let found = details.fetch(&fetcher, XATTRS_MAX).await?;
                Ok(Done::Details(details, found.map(Box::new)))
            }
        }
    }
}

impl RestoreError {
    fn of_contents(ino: Ino, error: ContentsError) -> Self {
        match error {
            ContentsError::Fetch(error) => Self::Fetch(ino, error),
            ContentsError::Malformed(error) => Self::Malformed(ino, error),
            ContentsError::Large(_) => Self::Contradiction(ino, "its attributes are too large"),
        }
    }
}

fn ended() -> RestoreError {
    JournalError::Busy.into()
}
