//! What the network holds already of a directory that is written anew.

use std::collections::{BTreeMap, BTreeSet};

use crate::crypto::Secret;
use crate::crypto::keys::ConvKey;
use crate::format::published::{Inner, Leaf, Place};
use crate::format::rows::Published;
use crate::sync::error::SyncError;
use crate::sync::prepare::Preparation;
use crate::sync::queue::Mark;
use crate::types::limits::PAGE;
use crate::types::{Address, Ino};

/// The tree of names of one directory in the making.
pub(super) struct Writing {
    pub(super) dir: Ino,
    pub(super) conv: ConvKey,
    /// Nodes that are published already, and how far they are.
    pub(super) known: BTreeMap<Address, Mark>,
    /// Places that the new tree has.
    pub(super) used: BTreeSet<Place>,
}

impl Preparation<'_> {
    /// Begins to write nodes of the lineage of a directory.
    pub(super) fn writing(&self, dir: Ino, own: Option<&Published>) -> Result<Writing, SyncError> {
        let mut known = BTreeMap::new();
        if let Some(root) = own.and_then(|own| own.directory.as_ref()) {
            let mark = self.kept.mark(dir, Place::NAMES)?;
            known.insert(root.address(), mark);
            let plain = self.published(dir, Place::NAMES, root)?;
            if let Ok(leaf) = Leaf::decode(plain.expose()) {
                let first = leaf.entries.first().map(|entry| &entry.name);
                let place = first.map(|first| Place::names(0, first.as_bytes()));
                self.known_parity(dir, place, &mut known)?;
            }
            self.known_below(dir, &plain, &mut known)?;
        }
        Ok(Writing {
            dir,
            conv: self.conv(dir, &self.own_scope(dir)?)?,
            known,
            used: BTreeSet::new(),
        })
    }

    fn known_below(
        &self,
        dir: Ino,
        plain: &Secret<PAGE>,
        known: &mut BTreeMap<Address, Mark>,
    ) -> Result<(), SyncError> {
        // A leaf has no nodes of this tree below it.
        let Ok(inner) = Inner::decode(plain.expose()) else {
            return Ok(());
        };
        let first = inner.pointers.first().map(|pointer| &pointer.first);
        let place = first.map(|first| Place::names(inner.level, first.as_bytes()));
        self.known_parity(dir, place, known)?;
        for pointer in &inner.pointers {
            let level = inner.level.saturating_sub(1);
            let place = Place::names(level, pointer.first.as_bytes());
            let kept = self.kept.reference(dir, place)?;
            let mark = match kept.filter(|kept| *kept != pointer.node) {
                // Another one of the same hash: how far this one is, nobody knows.
                Some(_) => Mark::Unsent,
                None => self.kept.mark(dir, place)?,
            };
            known.insert(pointer.node.address(), mark);
            if level == 0 {
                self.known_parity(dir, Some(place), known)?;
            }
            if level > 0 {
                let plain = self.published(dir, place, &pointer.node)?;
                self.known_below(dir, &plain, known)?;
            }
        }
        Ok(())
    }

    /// Parity of what stands at `place`.
    fn known_parity(
        &self,
        dir: Ino,
        place: Option<Place>,
        known: &mut BTreeMap<Address, Mark>,
    ) -> Result<(), SyncError> {
        let Some(place) = place else { return Ok(()) };
        for group in 0..u8::MAX {
            let place = place.parity(group);
            let Some(parity) = self.kept.reference(dir, place)? else {
                break;
            };
            known.insert(parity.address(), self.kept.mark(dir, place)?);
        }
        Ok(())
    }
}
