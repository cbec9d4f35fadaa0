//! Boxes as they are published: which one an inode is in, and under what it is sealed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::crypto::Secret;
use crate::crypto::keys::{BoxSecret, PodSecret};
use crate::format::rows::{Attached, Inode};
use crate::sync::error::SyncError;
use crate::sync::prepare::PATH_MAX;
use crate::sync::view::View;
use crate::types::Ino;

/// The epoch of every box that is attached to a directory.
const EPOCH: u32 = 0;

/// The secrets of the boxes that are attached to directories, in one epoch of the pod.
pub struct BoxSecrets(PodSecret);

impl BoxSecrets {
    /// Those of this pod.
    pub fn new(pod: &PodSecret) -> Self {
        let secret = Secret::from_bytes(pod.secret().expose());
        Self(PodSecret::restore(secret))
    }

    /// That of the box with this number.
    pub fn of(&self, number: u32) -> BoxSecret {
        self.0.box_secret(number, EPOCH)
    }
}

/// The boxes at a cut.
pub(super) struct Borders<'a> {
    view: View<'a>,
    boxes: BTreeMap<Ino, Attached>,
    /// The box that leads to a directory, of those that were asked for.
    known: RefCell<BTreeMap<Ino, Option<Attached>>>,
}

impl<'a> Borders<'a> {
    pub(super) fn at(view: View<'a>) -> Result<Self, SyncError> {
        Ok(Self {
            view,
            boxes: view.boxes()?,
            known: RefCell::default(),
        })
    }

    /// The boxes at a cut and at one before; nothing when there are none at either.
    pub(super) fn of_both(
        now: View<'a>,
        before: View<'a>,
    ) -> Result<Option<(Self, Self)>, SyncError> {
        let both = (Self::at(now)?, Self::at(before)?);
        let none = both.0.boxes.is_empty() && both.1.boxes.is_empty();
        Ok((!none).then_some(both))
    }

    /// All directories that are boxes.
    pub(super) fn all(&self) -> impl Iterator<Item = (Ino, Attached)> {
        self.boxes.iter().map(|(dir, attached)| (*dir, *attached))
    }

    /// The box of a directory, if it is one.
    pub(super) fn attached(&self, dir: Ino) -> Option<Attached> {
        self.boxes.get(&dir).copied()
    }

    /// The box that an inode is in. All its names are in the same one.
    pub(super) fn of(&self, ino: Ino) -> Result<Option<Attached>, SyncError> {
        if self.boxes.is_empty() {
            return Ok(None);
        }
        let (mut path, mut at) = (Vec::new(), ino);
        let found = loop {
            if let Some(attached) = self.boxes.get(&at) {
                break Some(*attached);
            }
            if let Some(known) = self.known.borrow().get(&at) {
                break *known;
            }
            path.push(at);
            let Some((above, _)) = self.view.parents(at)?.into_iter().next() else {
                break None;
            };
            if path.len() > PATH_MAX {
                return Err(SyncError::Contradiction(ino, "it lies in itself"));
            }
            at = above;
        };
        // Files are asked for once, directories for all that is in them.
        let dirs = path.into_iter().filter(|at| *at != ino);
        self.known.borrow_mut().extend(dirs.map(|dir| (dir, found)));
        Ok(found)
    }

    /// Directories that are a box here, and there none or another one; and the reverse.
    fn differing(&self, other: &Self) -> BTreeSet<Ino> {
        let all = self.boxes.keys().chain(other.boxes.keys());
        let differ = all.filter(|dir| self.boxes.get(dir) != other.boxes.get(dir));
        differ.copied().collect()
    }

    /// All that had a name at the cut before and is in another box now: what boxes that were made or removed since lead
    /// to, and of what changed or was renamed what came into another one, with all that is below it.
    pub(super) fn moved_since(
        &self,
        before: &Self,
        changed: impl IntoIterator<Item = Ino>,
    ) -> Result<BTreeSet<Ino>, SyncError> {
        let mut moved = BTreeSet::new();
        let mut left: Vec<Ino> = self.differing(before).into_iter().collect();
        left.extend(changed);
        while let Some(ino) = left.pop() {
            let (Some(inode), Some(_)) = (self.named(ino)?, before.named(ino)?) else {
                continue;
            };
            if self.of(ino)? != before.of(ino)? && moved.insert(ino) && inode.is_dir() {
                left.extend(self.view.named_in(ino)?);
            }
        }
        Ok(moved)
    }

    fn named(&self, ino: Ino) -> Result<Option<Inode>, SyncError> {
        let inode = self.view.inode(ino)?;
        Ok(inode.filter(|inode| inode.nlink > 0))
    }
}
