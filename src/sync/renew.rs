//! What is sealed anew: somebody could open what they should open no more, and everybody else still can.
//!
//! A row asks for it, and it is the cut that has the row which does it; so after a crash the same cut does the same. The
//! base is the cut before, and what that one has asked for is done.

use std::collections::{BTreeMap, BTreeSet};

use crate::crypto::keys::RenewalId;
use crate::format::grant::{Renewed, RevocationLevel};
use crate::format::published::Batch;
use crate::format::rows::{Bucket, Dentries, FileKind, Given, Inode, Key, PageState, Revocation};
use crate::journal::Snapshot;
use crate::sync::error::SyncError;
use crate::sync::kept::Kept;
use crate::sync::publisher::Publisher;
use crate::sync::view::View;
use crate::sync::walk::{Errand, Tally, Walk};
use crate::types::Ino;
use crate::types::limits::{FETCHED_RESERVE, PAGE_BYTES};

/// Rows that are looked at together.
const ROWS: usize = 1024;

/// What a cut seals anew, and how.
#[derive(Clone, Default)]
pub(super) struct Renewals {
    /// The newest of all, whose scopes are taken from now on.
    pub(super) newest: Option<RenewalId>,
    /// The inodes of which nodes are sealed anew, and whether pages are too.
    pub(super) inodes: BTreeMap<Ino, bool>,
    /// Of these, those that are in another box than before.
    moved: BTreeSet<Ino>,
}

/// What there is below something, itself included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// What is published of it.
    pub published: Renewed,
    /// Of its pages, those that are not on this machine.
    pub remote: u64,
}

impl Renewals {
    /// What this cut seals anew.
    pub(super) fn between(
        kept: &Kept,
        base: Option<&Snapshot>,
        cut: &Snapshot,
    ) -> Result<Self, SyncError> {
        let view = View::new(kept.rows().journal(), cut);
        let all = view.revocations()?;
        let renews = |row: &&Revocation| row.level.seals() && !row.is_of_adopted();
        let sealing = all.iter().filter(renews);
        let newest = sealing.max_by_key(|row| (row.asked, row.grant));
        let mut renewals = Self {
            newest: newest.map(|row| row.renewal),
            ..Self::default()
        };
        for row in due(kept, base, cut)? {
            let pages = row.level == RevocationLevel::Pages;
            let target = target(kept, cut, &row)?;
            let (inodes, _) = below(target, |ino| view.inode(ino), |dir| view.named_in(dir))?;
            for ino in inodes {
                *renewals.inodes.entry(ino).or_default() |= pages;
            }
        }
        Ok(renewals)
    }

    /// These are sealed anew as well, with their pages: they are in another box than before.
    pub(super) fn add(&mut self, moved: BTreeSet<Ino>) {
        self.inodes.extend(moved.iter().map(|ino| (*ino, true)));
        self.moved = moved;
    }

    /// Whether its pages can be sealed anew as well by a later cut: somebody asked for it, and nothing else needs it.
    pub(super) fn can_wait(&self, ino: Ino) -> bool {
        !self.moved.contains(&ino)
    }

    /// Whether all nodes of an inode are sealed anew.
    pub(super) fn has(&self, ino: Ino) -> bool {
        self.inodes.contains_key(&ino)
    }

    /// Whether its pages are, too.
    pub(super) fn has_pages(&self, ino: Ino) -> bool {
        self.inodes.get(&ino).copied().unwrap_or(false)
    }
}

/// What the cut is asked for and the one before was not.
fn due(kept: &Kept, base: Option<&Snapshot>, cut: &Snapshot) -> Result<Vec<Revocation>, SyncError> {
    let journal = kept.rows().journal();
    let before = base.map(|base| View::new(journal, base).revocations());
    let before = before.transpose()?.unwrap_or_default();
    let mut due = View::new(journal, cut).revocations()?;
    due.retain(|row| row.is_asked() && !before.contains(row));
    Ok(due)
}

/// What is sealed anew by a cut: what was shared, or the file that took its place since, as when a program saves it. That
/// goes on with the keys of the one before.
fn target(kept: &Kept, cut: &Snapshot, row: &Revocation) -> Result<Ino, SyncError> {
    let journal = kept.rows().journal();
    let view = View::new(journal, cut);
    if view.inode(row.target)?.is_some_and(|inode| inode.nlink > 0) {
        return Ok(row.target);
    }
    let given = journal.row_at(cut, &Key::given(&row.grant))?;
    let Some(given) = given.map(|row| Given::decode(&row)).transpose()? else {
        return Ok(row.target);
    };
    let (dir, name) = (given.directory, &given.name);
    let hash = kept.rows().name_hash(dir, name.as_bytes());
    let there = view.named(dir, hash, name)?.unwrap_or(row.target);
    // A folder is not saved anew.
    let is_file = view.inode(there)?.is_some_and(|inode| !inode.is_dir());
    let is_of_file = given.id == row.grant && given.terms.kind != FileKind::Directory;
    Ok(if is_of_file && is_file {
        there
    } else {
        row.target
    })
}

/// Everything below `top` and itself, as long as it has a name, each once; and how many names that are.
fn below(
    top: Ino,
    inode: impl Fn(Ino) -> Result<Option<Inode>, SyncError>,
    named: impl Fn(Ino) -> Result<Vec<Ino>, SyncError>,
) -> Result<(BTreeSet<Ino>, u64), SyncError> {
    let (mut found, mut left, mut total) = (BTreeSet::new(), vec![top], 0_u64);
    while let Some(ino) = left.pop() {
        let Some(of) = inode(ino)?.filter(|of| of.nlink > 0) else {
            continue;
        };
        total = total.saturating_add(1);
        if found.insert(ino) && of.is_dir() {
            left.extend(named(ino)?);
        }
    }
    Ok((found, total))
}

impl Publisher {
    /// What is published of everything below `top`, itself included, as it is now.
    ///
    /// # Errors
    /// When a node is not to be had now.
    pub async fn weigh(&self, top: Ino) -> Result<Weight, SyncError> {
        let (inodes, names) = tokio::task::block_in_place(|| self.below_now(top))?;
        let tally = self.tally(&inodes).await?;
        Ok(Weight {
            published: Renewed {
                names,
                nodes: tally.nodes,
                pages: tally.pages,
                left: 0,
            },
            remote: self.kept.remote(&inodes)?,
        })
    }

    /// Tells whoever asked what the cut sealed anew. All of it was handed to a node.
    pub(super) async fn tell_renewed(&self, cut: &Snapshot) -> Result<(), SyncError> {
        let journal = self.kept.rows().journal();
        for row in due(&self.kept, journal.base().as_deref(), cut)? {
            let view = View::new(journal, cut);
            let target = target(&self.kept, cut, &row)?;
            let (inodes, names) = below(target, |ino| view.inode(ino), |dir| view.named_in(dir))?;
            let mut renewed = BTreeSet::new();
            for ino in &inodes {
                let published = self.kept.published(*ino)?;
                if published.is_none_or(|published| published.publication == cut.generation) {
                    renewed.insert(*ino);
                }
            }
            let Tally { nodes, pages } = self.tally(&renewed).await?;
            let pages = if row.level == RevocationLevel::Pages {
                pages
            } else {
                0
            };
            let renewed = Renewed {
                names,
                nodes,
                pages,
                left: count(inodes.len().saturating_sub(renewed.len())),
            };
            self.follow.is_renewed(&row, renewed)?;
        }
        Ok(())
    }

    /// The postage batches as heads name them, in ascending order of their ids.
    pub fn set_batches(&self, batches: Vec<Batch>) {
        *self.batches.write() = batches;
    }

    /// The postage batches as heads name them.
    pub fn batches(&self) -> Vec<Batch> {
        self.batches.read().clone()
    }

    /// Bytes that are published of what is below any of `tops` and are not on this machine; and how many may be fetched
    /// so that what is written next finds room.
    ///
    /// # Errors
    /// When the log does not tell.
    pub fn to_be_fetched(&self, tops: &BTreeSet<Ino>) -> Result<(u64, u64), SyncError> {
        let mut below = BTreeSet::new();
        for top in tops {
            below.append(&mut self.below_now(*top)?.0);
        }
        let space = self.kept.rows().space();
        let room = space.free.saturating_sub(FETCHED_RESERVE);
        Ok((self.kept.remote(&below)?.saturating_mul(PAGE_BYTES), room))
    }

    /// Gives a cut up that asks for more to be sealed anew than finds room on this machine: it waits, and what else
    /// changed does not. Says whether it did.
    pub(super) fn put_off(&self, cut: &Snapshot) -> Result<bool, SyncError> {
        let journal = self.kept.rows().journal();
        let _one = self.heading.lock();
        if !self.has_cut(cut.generation) {
            return Ok(true);
        }
        let mut asked = due(&self.kept, journal.base().as_deref(), cut)?;
        asked.retain(|row| row.level == RevocationLevel::Pages);
        if asked.is_empty() {
            return Ok(false);
        }
        for row in &asked {
            self.follow.has_no_room(row)?;
        }
        tracing::warn!("what is to be sealed anew waits: room is short");
        journal.drop_cut()?;
        self.schedule.lock().hurry();
        Ok(true)
    }

    /// Everything below `top`, itself included, as it is now.
    fn below_now(&self, top: Ino) -> Result<(BTreeSet<Ino>, u64), SyncError> {
        let rows = self.kept.rows();
        let inode = |ino: Ino| {
            let row = rows.get(&Key::inode(ino))?;
            Ok(row.map(|row| Inode::decode(&row)).transpose()?)
        };
        let named = |dir: Ino| {
            let (mut found, mut next) = (Vec::new(), Some(Key::dentry(dir, 0)));
            while let Some(from) = next {
                let some = rows.scan(&from, &Key::dentry(dir, u64::MAX), ROWS)?;
                next = some.last().and_then(|(key, _)| key.successor());
                next = next.filter(|_| some.len() == ROWS);
                for (_, row) in some {
                    found.extend(Dentries::decode(&row)?.0.into_iter().map(|entry| entry.ino));
                }
            }
            Ok(found)
        };
        below(top, inode, named)
    }

    /// Chunks that are published of these inodes.
    async fn tally(&self, inodes: &BTreeSet<Ino>) -> Result<Tally, SyncError> {
        let mut walk = Walk::new(self, Errand::Count(Tally::default()));
        for ino in inodes {
            if let Some(published) = self.kept.published(*ino)? {
                walk.begin(*ino, published);
                walk.go_on(ROWS).await?;
            }
        }
        walk.end().await
    }
}

impl Kept {
    /// Pages of these inodes that are published and not on this machine.
    fn remote(&self, inodes: &BTreeSet<Ino>) -> Result<u64, SyncError> {
        let mut remote = 0_u64;
        for ino in inodes {
            let mut next = Some(Key::extent(*ino, 0));
            while let Some(from) = next {
                let rows = self
                    .rows()
                    .scan(&from, &Key::extent(*ino, u64::MAX), ROWS)?;
                next = rows.last().and_then(|(key, _)| key.successor());
                next = next.filter(|_| rows.len() == ROWS);
                for (_, row) in rows {
                    remote = remote.saturating_add(remote_in(&row)?);
                }
            }
        }
        Ok(remote)
    }
}

fn remote_in(bucket: &[u8]) -> Result<u64, SyncError> {
    let pages = Bucket::decode(bucket)?.pages();
    let remote = pages
        .iter()
        .filter(|page| matches!(page, PageState::Remote));
    Ok(count(remote.count()))
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}
