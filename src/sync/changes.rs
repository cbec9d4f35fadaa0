//! What differs between two cuts, as far as the published tree shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::format::rows::{Bucket, Dentries, FileKind, Inode, Key, PageState, Published};
use crate::journal::{Difference, Snapshot, Value};
use crate::sync::boxes::Borders;
use crate::sync::error::SyncError;
use crate::sync::kept::Kept;
use crate::sync::renew::Renewals;
use crate::sync::view::View;
use crate::types::limits::HEAD_CHANGES_MAX;
use crate::types::{Ino, Name, ROOT};

/// What of an inode has to be published anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    /// Extent rows that hold something else, in ascending ranges of buckets.
    pub(super) buckets: Vec<Range<u64>>,
}

/// Inodes, directories and names that differ.
#[derive(Default)]
pub(super) struct Changes {
    /// Inodes with other contents or attributes than before, or new ones.
    pub(super) contents: BTreeMap<Ino, Touched>,
    /// Inodes that are no more.
    pub(super) gone: BTreeSet<Ino>,
    /// Inodes without a name that somebody has open: what is kept of them may still be read.
    pub(super) unnamed: BTreeSet<Ino>,
    /// Directories in which an entry differs.
    pub(super) directories: BTreeSet<Ino>,
    /// The entries, as long as they may fit a head; of those that are too many, nothing.
    pub(super) names: Option<BTreeSet<(Ino, Name)>>,
    /// What is sealed anew though nothing of it differs.
    pub(super) renewals: Renewals,
    /// The top directory differs: no entry tells of it.
    root: bool,
    /// What `directories` name by now and did not before, where there are boxes: elsewhere nobody asks.
    entered: Option<BTreeSet<Ino>>,
    /// Something was prepared for a cut that was given up.
    given_up: bool,
}

impl Changes {
    /// Compares two cuts; without a `base` everything is new. With `all`, what was prepared for others counts as well.
    pub(super) fn between(
        kept: &Kept,
        base: Option<&Snapshot>,
        cut: &Snapshot,
        all: bool,
    ) -> Result<Self, SyncError> {
        let journal = kept.rows().journal();
        let view = View::new(journal, cut);
        let borders = match base {
            Some(base) => Borders::of_both(view, View::new(journal, base))?,
            None => None,
        };
        let mut changes = Self {
            names: Some(BTreeSet::new()),
            entered: borders.as_ref().map(|_| BTreeSet::new()),
            ..Self::default()
        };
        let (mut inodes, mut failure) = (Vec::new(), None);
        journal.differences(base, cut, |difference| {
            // An error of ours must not look like one of the log.
            if failure.is_none()
                && let Err(error) = changes.take(&difference, &mut inodes)
            {
                failure = Some(error);
            }
            Ok(())
        })?;
        if let Some(error) = failure {
            return Err(error);
        }
        let since = base.map_or(0, |base| base.generation);
        if all && kept.prepared()? > since {
            changes.add_given_up(kept, &view, (since, cut.generation))?;
        }
        changes.renewals = Renewals::between(kept, base, cut)?;
        if let (Some((now, before)), Some(entered)) = (borders, changes.entered.take()) {
            let looked_at = inodes.iter().copied().chain(entered);
            changes.renewals.add(now.moved_since(&before, looked_at)?);
        }
        changes.add_renewed(&view)?;
        changes.leave_out_hidden(&view, &inodes)?;
        // Contents may be others though the inode's row is as it was: clocks go back, and a time may come twice.
        inodes.extend(changes.contents.keys());
        inodes.sort_unstable();
        inodes.dedup();
        for ino in inodes {
            for (dir, name) in view.parents(ino)? {
                changes.add_name(dir, name);
            }
        }
        Ok(changes)
    }

    /// Whether nothing differs that anybody would see.
    pub(super) fn is_empty(&self) -> bool {
        self.contents.is_empty()
            && self.gone.is_empty()
            && self.unnamed.is_empty()
            && self.directories.is_empty()
            && !self.root
            && !self.given_up
    }

    fn take(&mut self, row: &Difference, inodes: &mut Vec<Ino>) -> Result<(), SyncError> {
        let ino = Ino(row.key.field(0));
        if ino.is_received() {
            return Ok(());
        }
        match row.key.kind() {
            b'D' => self.entries(ino, row)?,
            b'E' => {
                let (old, new) = (bucket(row.old.as_ref())?, bucket(row.new.as_ref())?);
                if !hold_the_same(&old, &new) {
                    self.extent(ino, row.key.field(1));
                }
            }
            b'I' => {
                self.root |= ino == ROOT;
                let (old, new) = (inode(row.old.as_ref())?, inode(row.new.as_ref())?);
                match (&old, &new) {
                    (Some(_), None) => {
                        self.gone.insert(ino);
                    }
                    // An inode without a name is not published, whoever has it open.
                    (_, Some(new)) if new.nlink == 0 => {
                        self.unnamed.insert(ino);
                    }
                    (_, Some(new)) => {
                        inodes.push(ino);
                        if has_other_contents(old.as_ref(), new) {
                            self.contents.entry(ino).or_default();
                        }
                    }
                    (None, None) => {}
                }
            }
            b'X' => {
                self.contents.entry(ino).or_default();
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds what was prepared for a cut that was given up. Its rows belong to no publication, and what changed since
    /// the base says nothing about them: all of it is looked at, and the directories are written.
    fn add_given_up(
        &mut self,
        kept: &Kept,
        view: &View<'_>,
        (base, cut): (u64, u64),
    ) -> Result<(), SyncError> {
        let last = Key::published(Ino::LAST_OWN);
        let mut next = Some(Key::published(Ino(1)));
        while let Some(from) = next {
            let rows = kept.rows().scan(&from, &last, ROWS)?;
            next = rows.last().and_then(|(key, _)| key.successor());
            for (key, row) in &rows {
                let publication = Published::decode(row)?.publication;
                if publication > base && publication != cut {
                    self.add_inode(view, Ino(key.field(0)))?;
                }
            }
            if rows.len() < ROWS {
                break;
            }
        }
        Ok(())
    }

    /// Adds what is sealed anew: all of its directories are written, and those that name any of it.
    fn add_renewed(&mut self, view: &View<'_>) -> Result<(), SyncError> {
        if self.renewals.inodes.is_empty() {
            return Ok(());
        }
        for ino in self.renewals.inodes.keys() {
            self.contents.entry(*ino).or_default();
            if view.inode(*ino)?.is_some_and(|inode| inode.is_dir()) {
                self.directories.insert(*ino);
            }
            let above = view.parents(*ino)?.into_iter();
            self.directories.extend(above.map(|(dir, _)| dir));
        }
        self.names = None;
        Ok(())
    }

    fn add_inode(&mut self, view: &View<'_>, ino: Ino) -> Result<(), SyncError> {
        self.given_up = true;
        let Some(inode) = view.inode(ino)? else {
            self.gone.insert(ino);
            return Ok(());
        };
        if inode.nlink == 0 {
            self.unnamed.insert(ino);
            return Ok(());
        }
        if inode.is_dir() {
            self.directories.insert(ino);
        }
        self.contents.entry(ino).or_default();
        for (dir, name) in view.parents(ino)? {
            self.add_name(dir, name);
        }
        self.names = None;
        Ok(())
    }

    /// Extents and attributes of inodes without a name come and go, too; `inodes` have one, in order.
    fn leave_out_hidden(&mut self, view: &View<'_>, inodes: &[Ino]) -> Result<(), SyncError> {
        let unsure = self.contents.keys();
        let unsure = unsure.filter(|ino| inodes.binary_search(ino).is_err());
        let mut hidden = Vec::new();
        for ino in unsure {
            if view.inode(*ino)?.is_none_or(|inode| inode.nlink == 0) {
                hidden.push(*ino);
            }
        }
        for ino in hidden {
            self.contents.remove(&ino);
        }
        Ok(())
    }

    fn extent(&mut self, ino: Ino, bucket: u64) {
        let ranges = &mut self.contents.entry(ino).or_default().buckets;
        match ranges.last_mut().filter(|last| last.end == bucket) {
            Some(last) => last.end = bucket.saturating_add(1),
            None => ranges.push(bucket..bucket.saturating_add(1)),
        }
    }

    fn entries(&mut self, dir: Ino, row: &Difference) -> Result<(), SyncError> {
        let (old, new) = (entries(row.old.as_ref())?, entries(row.new.as_ref())?);
        for entry in old.0.iter().chain(&new.0) {
            let now = new.find(&entry.name);
            if old.find(&entry.name) != now {
                if let (Some(entered), Some(now)) = (&mut self.entered, now) {
                    entered.insert(now.ino);
                }
                self.add_name(dir, entry.name.clone());
            }
        }
        Ok(())
    }

    fn add_name(&mut self, dir: Ino, name: Name) {
        self.directories.insert(dir);
        if let Some(names) = &mut self.names {
            names.insert((dir, name));
            if names.len() > HEAD_CHANGES_MAX {
                self.names = None;
            }
        }
    }
}

fn inode(row: Option<&Value>) -> Result<Option<Inode>, SyncError> {
    Ok(row.map(|row| Inode::decode(row)).transpose()?)
}

fn bucket(row: Option<&Value>) -> Result<Bucket, SyncError> {
    let decoded = row.map(|row| Bucket::decode(row)).transpose()?;
    Ok(decoded.unwrap_or_default())
}

fn entries(row: Option<&Value>) -> Result<Dentries, SyncError> {
    Ok(match row {
        Some(row) => Dentries::decode(row)?,
        None => Dentries::default(),
    })
}

/// Whether the pages of a bucket are what they were. A local copy is given up only of what is published.
fn hold_the_same(old: &Bucket, new: &Bucket) -> bool {
    let (old, new) = (old.pages(), new.pages());
    old.iter().zip(&new).all(|pages| match pages {
        (PageState::Hole | PageState::Unwritten, PageState::Hole | PageState::Unwritten)
        | (PageState::Data { .. } | PageState::Remote, PageState::Remote) => true,
        (old, new) => has_same_place(old, new),
    })
}

/// Whether the page of a file is where it was, on this machine.
pub(super) fn has_same_place(before: &PageState, now: &PageState) -> bool {
    let place = |state: &PageState| match state {
        PageState::Data { slot, number, .. } => Some((*slot, *number)),
        PageState::Hole | PageState::Unwritten | PageState::Remote => None,
    };
    place(before).is_some() && place(before) == place(now)
}

/// Whether the published inode may be another one, as far as the row of the inode tells. Directories have one for
/// their extended attributes alone.
fn has_other_contents(old: Option<&Inode>, new: &Inode) -> bool {
    let Some(old) = old else {
        return new.xattrs > 0 || matches!(new.kind(), FileKind::Regular | FileKind::Symlink);
    };
    old.xattrs != new.xattrs || (old.size != new.size && new.kind() == FileKind::Regular)
}

/// Rows that are looked at together.
const ROWS: usize = 1024;
