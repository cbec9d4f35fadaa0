//! What is sealed though the network has it: it was asked for, or it was sealed in another box.

use crate::crypto::publish::seal_node;
use crate::format::published::Place;
use crate::sync::error::SyncError;
use crate::sync::prepare::Preparation;
use crate::sync::prepare::contents::Before;
use crate::types::Ino;

impl Preparation<'_> {
    /// Whether all nodes of an inode are sealed anew, in a lineage of their own.
    pub(super) fn renews(&self, ino: Ino) -> bool {
        self.renewals.has(ino) || self.strays.contains(&ino)
    }

    /// Whether its pages are, too.
    pub(super) fn renews_pages(&self, ino: Ino) -> bool {
        self.renewals.has_pages(ino) || self.strays.contains(&ino)
    }

    /// Whether its pages can be sealed anew as well by a later cut.
    pub(super) fn can_wait(&self, ino: Ino) -> bool {
        self.renewals.can_wait(ino) && !self.strays.contains(&ino)
    }

    /// Whether nodes of it are sealed, whatever was published.
    pub(super) fn is_sealed_anew(&self, ino: Ino) -> bool {
        self.renews(ino) || self.renewals.is_unsure(ino) || self.has_attempts(ino)
    }

    /// Seals all of an inode anew when what it goes on from was sealed in another box than the one that it is in.
    pub(super) fn keep_apart(&mut self, ino: Ino, before: &Before) -> Result<(), SyncError> {
        let is_stray = if self.renewals.is_unsure(before.ino) {
            !self.is_sealed_here(ino, before)?
        } else {
            self.is_from_elsewhere(ino, before)?
        };
        if is_stray {
            self.strays.insert(ino);
        }
        Ok(())
    }

    /// Whether a file goes on from one that was in another box when it was published.
    fn is_from_elsewhere(&self, ino: Ino, before: &Before) -> Result<bool, SyncError> {
        Ok(match &self.borders_before {
            Some(borders) if before.ino != ino => {
                borders.of(before.ino)? != self.borders.of(ino)?
            }
            _ => false,
        })
    }

    /// Whether an inode is sealed as in the box that `ino` is in. Which box something was in that was prepared for a
    /// cut that was given up, no row tells.
    fn is_sealed_here(&self, ino: Ino, before: &Before) -> Result<bool, SyncError> {
        let (Some(inode), Some(reference)) = (&before.inode, &before.published.contents) else {
            return Ok(true);
        };
        let conv = self.conv(ino, &inode.scope)?;
        let attempt = self.attempt(before.ino, Place::INODE);
        let (sealed, _) = seal_node(&conv, attempt, inode.encode()?.expose());
        Ok(sealed == *reference)
    }
}
