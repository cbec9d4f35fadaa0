//! What is sealed though the network has it: it was asked for, or it was sealed in another box.

use crate::format::published::Place;
use crate::format::rows::Published;
use crate::sync::error::SyncError;
use crate::sync::prepare::Preparation;
use crate::types::Ino;

impl Preparation<'_> {
    /// Whether all nodes of an inode are sealed anew, in a lineage of their own.
    pub(super) fn renews(&self, ino: Ino) -> bool {
        self.renewals.has(ino) || self.stray == Some(ino)
    }

    /// Whether its pages are, too.
    pub(super) fn renews_pages(&self, ino: Ino) -> bool {
        self.renewals.has_pages(ino) || self.stray == Some(ino)
    }

    /// Whether its pages can be sealed anew as well by a later cut.
    pub(super) fn can_wait(&self, ino: Ino) -> bool {
        self.renewals.can_wait(ino) && self.stray != Some(ino)
    }

    /// Whether nodes of it are sealed, whatever was published.
    pub(super) fn is_sealed_anew(&self, ino: Ino) -> bool {
        self.renews(ino) || self.trusted != Some(ino) || self.has_attempts(ino)
    }

    /// Which attempt at sealing the chunk at `place` is the one to make.
    pub(super) fn attempt(&self, ino: Ino, place: Place) -> u8 {
        self.attempts.get(&(ino, place)).copied().unwrap_or(0)
    }

    pub(super) fn has_attempts(&self, ino: Ino) -> bool {
        let first = (ino, Place::page(0));
        self.attempts
            .range(first..)
            .next()
            .is_some_and(|((at, _), _)| *at == ino)
    }

    pub(super) fn with_attempts(&self) -> Vec<Ino> {
        let mut inodes: Vec<Ino> = self.attempts.keys().map(|(ino, _)| *ino).collect();
        inodes.dedup();
        inodes
    }

    /// Whether what is kept of an inode may be sealed as in several boxes until all of it is made.
    pub(super) fn is_mixed(&self, ino: Ino) -> bool {
        self.trusted != Some(ino) || !self.can_wait(ino)
    }

    /// Number of the box that an inode is in.
    fn number(&self, ino: Ino) -> Result<u32, SyncError> {
        Ok(self.borders.of(ino)?.map_or(0, |attached| attached.number))
    }

    /// Begins to make an inode, or the names of a directory. What is kept of it counts only when it is sealed as in the
    /// box that it is in: something may be kept for a cut that was given up, in which it was in another one.
    /// Gives the number of that box.
    pub(super) fn make(&mut self, ino: Ino, own: Option<&Published>) -> Result<u32, SyncError> {
        let number = self.number(ino)?;
        let is_here = own.is_some_and(|own| own.number.is_none_or(|own| own == number));
        self.trusted = is_here.then_some(ino);
        self.stray = None;
        Ok(number)
    }

    /// Seals all of an inode anew when what it goes on from was sealed in another box than the one that it is in.
    pub(super) fn keep_apart(
        &mut self,
        (ino, number): (Ino, u32),
        (from, published): (Ino, &Published),
    ) -> Result<(), SyncError> {
        let is_stray = match (published.number, &self.borders_before) {
            (Some(before), _) => before != number,
            (None, Some(borders)) if from != ino => borders.of(from)? != self.borders.of(ino)?,
            (None, _) => false,
        };
        self.stray = is_stray.then_some(ino);
        Ok(())
    }
}
