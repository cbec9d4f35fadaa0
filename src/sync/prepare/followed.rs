//! What is followed: its directories are written with every change, for no head tells others of changes.

use std::collections::BTreeSet;

use crate::sync::error::SyncError;
use crate::sync::follow::{Followed, Seen};
use crate::sync::prepare::Preparation;
use crate::sync::prepare::head::PATH_MAX;
use crate::types::{Ino, Name};

impl Preparation<'_> {
    /// Whether one of these names is in a directory that is followed, or below one.
    pub(super) fn are_followed(&self, names: &BTreeSet<(Ino, Name)>) -> Result<bool, SyncError> {
        if self.followed.is_empty() {
            return Ok(false);
        }
        let mut looked: BTreeSet<Ino> = BTreeSet::new();
        for (dir, _) in names {
            let (mut at, mut steps) = (*dir, 0);
            while looked.insert(at) {
                if self.followed.iter().any(|followed| followed.ino == at) {
                    return Ok(true);
                }
                let Some((above, _)) = self.view.parents(at)?.into_iter().next() else {
                    break;
                };
                steps += 1;
                if steps > PATH_MAX {
                    return Err(SyncError::Contradiction(*dir, "it lies in itself"));
                }
                at = above;
            }
        }
        Ok(false)
    }

    /// All that is followed, as this publication has it.
    pub(super) fn seen(&self) -> Result<Vec<Option<Seen>>, SyncError> {
        let followed = self.followed.iter();
        followed.map(|followed| self.seen_now(followed)).collect()
    }

    fn seen_now(&self, followed: &Followed) -> Result<Option<Seen>, SyncError> {
        let Some(now) = self.found_again(followed)? else {
            return Ok(None);
        };
        let attributes = self.attributes_of(now.ino)?;
        Ok(Some(Seen { now, attributes }))
    }

    /// Where it is now: under whatever name, or what took its place.
    fn found_again(&self, followed: &Followed) -> Result<Option<Followed>, SyncError> {
        let inode = self.view.inode(followed.ino)?;
        if inode.is_some_and(|inode| inode.nlink > 0) {
            let places = self.view.parents(followed.ino)?;
            let place = if places.contains(&followed.place) {
                Some(followed.place.clone())
            } else {
                places.into_iter().next()
            };
            let ino = followed.ino;
            return Ok(place.map(|place| Followed { ino, place }));
        }
        let (dir, name) = &followed.place;
        let hash = self.kept.rows().name_hash(*dir, name.as_bytes());
        let Some(ino) = self.view.named(*dir, hash, name)? else {
            return Ok(None);
        };
        // A folder in place of a file, or the other way round, is something else.
        let inode = self.view.inode(ino)?.filter(|inode| !inode.is_dir());
        Ok(inode.map(|_| Followed {
            ino,
            place: followed.place.clone(),
        }))
    }
}
