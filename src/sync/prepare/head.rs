//! What a publication says in its head: the newest changes as they are, or directories that are written anew.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::published::{Attributes, Change, Head, Journal, Place, Root};
use crate::format::rows::Inode;
use crate::sync::box_heads::BoxDraft;
use crate::sync::changes::Changes;
use crate::sync::error::SyncError;
use crate::sync::prepare::names::{Child, children_of};
use crate::sync::prepare::{Preparation, RATE};
use crate::types::limits::{HEAD_CHANGES_BYTES, HEAD_CHANGES_MAX};
use crate::types::{Ino, Name, ROOT};

/// The part of a head that the cut decides.
pub(in crate::sync) struct Draft {
    pub(in crate::sync) root: Root,
    pub(in crate::sync) journal: Journal,
}

impl Preparation<'_> {
    pub(super) fn draft(&mut self, changes: &Changes) -> Result<Draft, SyncError> {
        let before = self.feed.last(self.kept.rows())?.map(|(_, head)| head);
        let names = match &before {
            Some(before) => self.names_since(&before.journal, changes)?,
            None => None,
        };
        let journal = match names {
            Some(names) if !self.are_followed(&names)? => self.journal(&names)?,
            _ => None,
        };
        let journal = if let Some(journal) = journal {
            journal
        } else {
            self.write_directories(before.as_ref(), changes)?;
            Journal::default()
        };
        let parity = journal.parity.len();
        for group in parity..GROUPS_MAX {
            let place = Place::parity_of_changes(u8::try_from(group).unwrap_or(u8::MAX));
            if self.kept.reference(ROOT, place)?.is_some() {
                self.drop_place(ROOT, place);
            }
        }
        Ok(Draft {
            root: self.root()?,
            journal,
        })
    }

    /// What the heads of boxes say: of the changes those in the box. Parity of them is in the head of the pod.
    pub(super) fn box_drafts(&self, of_pod: &Draft) -> Result<Vec<BoxDraft>, SyncError> {
        let mut drafts = Vec::new();
        for (dir, attached) in self.borders.all() {
            let mut journal = Journal::default();
            for change in &of_pod.journal.changes {
                if self.borders.of(change.directory)? == Some(attached) {
                    journal.changes.push(change.clone());
                }
            }
            let attributes = Attributes {
                attached: None,
                ..self.attributes_of(dir)?
            };
            let root = Root {
                attributes,
                parity: None,
            };
            let draft = Draft { root, journal };
            drafts.push(BoxDraft { attached, draft });
        }
        Ok(drafts)
    }

    /// The names that differ from the written directories, if they are few.
    fn names_since(
        &self,
        before: &Journal,
        changes: &Changes,
    ) -> Result<Option<BTreeSet<(Ino, Name)>>, SyncError> {
        let sealed_anew = self.attempts.keys().any(|(_, place)| place.is_of_names());
        let Some(mut names) = changes.names.clone().filter(|_| !sealed_anew) else {
            return Ok(None);
        };
        for ino in self.with_attempts() {
            names.extend(self.view.parents(ino)?);
        }
        let earlier = before.changes.iter();
        names.extend(earlier.map(|change| (change.directory, change.name.clone())));
        let mut gone = BTreeMap::new();
        for (dir, _) in &names {
            if !gone.contains_key(dir) {
                let inode = self.view.inode(*dir)?;
                gone.insert(*dir, inode.is_none_or(|inode| inode.nlink == 0));
            }
        }
        // Of a directory that is no more nobody asks what was in it.
        names.retain(|(dir, _)| gone.get(dir) == Some(&false));
        Ok((names.len() <= HEAD_CHANGES_MAX).then_some(names))
    }

    /// The changes as a head tells them, if they fit.
    fn journal(&mut self, names: &BTreeSet<(Ino, Name)>) -> Result<Option<Journal>, SyncError> {
        let (mut changes, mut bytes) = (Vec::new(), 0);
        for (directory, name) in names {
            let hash = self.kept.rows().name_hash(*directory, name.as_bytes());
            let ino = self.view.named(*directory, hash, name)?;
            let now = ino.map(|ino| self.attributes_of(ino)).transpose()?;
            let len = now.as_ref().map(Attributes::encode).transpose()?;
            bytes += 10 + name.as_bytes().len() + len.map_or(0, |bytes| bytes.len());
            changes.push(Change {
                directory: *directory,
                name: name.clone(),
                now,
            });
        }
        if bytes > HEAD_CHANGES_BYTES {
            return Ok(None);
        }
        let group = if changes.is_empty() { 0 } else { RATE.nodes };
        let mut journal = Journal {
            changes,
            group,
            parity: Vec::new(),
        };
        let now = journal
            .changes
            .iter()
            .filter_map(|change| change.now.as_ref());
        let children: Vec<Child> = now.flat_map(children_of).collect();
        let mut writing = self.writing(ROOT, None)?;
        journal.parity = self.parity_of(&mut writing, &children, Place::parity_of_changes)?;
        Ok(Some(journal))
    }

    /// Writes all directories whose names differ, and those that lead to them.
    fn write_directories(
        &mut self,
        before: Option<&Head>,
        changes: &Changes,
    ) -> Result<(), SyncError> {
        let mut dirty = changes.directories.clone();
        let earlier = before.iter().flat_map(|head| &head.journal.changes);
        dirty.extend(earlier.map(|change| change.directory));
        dirty.extend(self.directories_with_attempts()?);
        dirty.insert(ROOT);
        let mut depths: BTreeMap<Ino, usize> = BTreeMap::from([(ROOT, 0)]);
        for dir in dirty {
            self.depth(dir, &mut depths)?;
        }
        let mut order: Vec<_> = depths
            .into_iter()
            .map(|(dir, depth)| (depth, dir))
            .collect();
        order.sort_unstable();
        for (depth, dir) in order.into_iter().rev() {
            if depth != GONE {
                self.names(dir)?;
            }
        }
        Ok(())
    }

    /// Finds out how deep a directory lies; all above it are found on the way.
    fn depth(&self, dir: Ino, depths: &mut BTreeMap<Ino, usize>) -> Result<usize, SyncError> {
        let (mut path, mut at) = (Vec::new(), dir);
        let mut depth = loop {
            if let Some(depth) = depths.get(&at) {
                break *depth;
            }
            path.push(at);
            let inode = self.view.inode(at)?.filter(Inode::is_dir);
            let parent = self.view.parents(at)?.into_iter().next();
            match parent.filter(|_| inode.is_some()) {
                Some((parent, _)) if path.len() <= PATH_MAX => at = parent,
                Some(_) => return Err(SyncError::Contradiction(dir, "it lies in itself")),
                None => break GONE,
            }
        };
        for dir in path.into_iter().rev() {
            depth = if depth == GONE { GONE } else { depth + 1 };
            depths.insert(dir, depth);
        }
        Ok(depth)
    }

    /// Directories of which nodes are sealed anew, and those that name an inode of which some are.
    fn directories_with_attempts(&self) -> Result<BTreeSet<Ino>, SyncError> {
        let mut dirty = BTreeSet::new();
        for ino in self.with_attempts() {
            if self.view.inode(ino)?.is_some_and(|inode| inode.is_dir()) {
                dirty.insert(ino);
            }
            dirty.extend(self.view.parents(ino)?.into_iter().map(|(dir, _)| dir));
        }
        Ok(dirty)
    }

    fn root(&mut self) -> Result<Root, SyncError> {
        let attributes = self.attributes_of(ROOT)?;
        let children: Vec<Child> = children_of(&attributes)
            .into_iter()
            .filter(|child| child.place == Place::NAMES)
            .collect();
        let mut writing = self.writing(ROOT, None)?;
        let parity = self.parity_of(&mut writing, &children, |_| Place::parity_of_root())?;
        if parity.is_empty()
            && self
                .kept
                .reference(ROOT, Place::parity_of_root())?
                .is_some()
        {
            self.drop_place(ROOT, Place::parity_of_root());
        }
        Ok(Root {
            attributes,
            parity: parity.into_iter().next(),
        })
    }
}

/// Groups of parity that changes have at most: each has at most two references.
const GROUPS_MAX: usize = 8;
/// Depth of a directory that is no more.
const GONE: usize = usize::MAX;
/// Directories in directories, far more than any path can name.
pub(in crate::sync) const PATH_MAX: usize = 1 << 20;
