//! What the owner of a pod adds to folders of others: it stands in a *tray*, a directory of the owner's own, and is
//! seen among what others share there.
//!
//! A directory that was received is shown as two that lie on each other: its own names, and behind them those of the
//! directory of the tray at the same path below the topmost. Whatever has a name in both is what the other one
//! shares. So no row has a name in two places, nothing that is received ever changes, and what was added is as
//! ordinary as all that the owner has: it is published, kept, evicted and recovered like it.

mod directory;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::format::rows::{Dentries, FileKind, Inode, Key};
use crate::pod::attr::Attr;
use crate::pod::edit::Spot;
use crate::pod::error::PodError;
use crate::pod::rename::Taken;
use crate::pod::{Caller, Pod};
use crate::types::limits::RECEIVED_DEPTH_MAX;
use crate::types::{Ino, Name, ROOT};

/// What the owner of what is received may do with a directory that may be added to, beside reading it.
const ADDS: u16 = 0o200;

/// A directory of a tray, there or not: the topmost one, and the names from there on.
struct Place {
    tray: Ino,
    below: Vec<Name>,
}

/// A name in a directory, as a program says it.
type At<'a> = (Ino, &'a [u8]);

impl Pod {
    /// What is added to the directory `top`, which was received, goes into the directory `tray` from now on.
    ///
    /// # Errors
    /// When the log does not give what is below it; it is so all the same.
    pub fn set_tray(&self, top: Ino, tray: Ino) -> Result<(), PodError> {
        if Arc::make_mut(&mut self.trays.write()).insert(top, tray) != Some(tray) {
            self.tell_below(top)?;
        }
        Ok(())
    }

    /// Nothing is added to `top` any more, and nothing that was is seen there.
    pub fn unset_tray(&self, top: Ino) {
        if Arc::make_mut(&mut self.trays.write())
            .remove(&top)
            .is_some()
            && let Err(error) = self.tell_below(top)
        {
            tracing::debug!(%error, "the kernel may show what may be done no more for an hour");
        }
    }

    /// The kernel forgets all directories below.
    fn tell_below(&self, top: Ino) -> Result<(), PodError> {
        let mut left = vec![top];
        while let Some(dir) = left.pop() {
            if self.find_inode(dir)?.is_none_or(|inode| !inode.is_dir()) {
                continue;
            }
            self.tell_inode(dir);
            left.extend(self.received_names(dir)?.into_iter().map(|(_, ino)| ino));
        }
        Ok(())
    }

    /// The directory of that name, made when it is missing.
    pub(super) fn directory_in(
        &self,
        dir: Ino,
        name: &[u8],
        owner: Caller,
    ) -> Result<Ino, PodError> {
        loop {
            match self.named(&self.spot(dir, name)?)? {
                Some((ino, FileKind::Directory)) => return Ok(ino),
                Some(_) => return Err(PodError::NotADirectory),
                None => {}
            }
            match self.mkdir(dir, name, 0o700, owner) {
                Err(PodError::Exists) => {}
                made => return Ok(made?.ino),
            }
        }
    }

    /// Where what is added to a directory stands; nothing when nobody may add to it.
    fn place(&self, dir: Ino) -> Result<Option<Place>, PodError> {
        let trays = Arc::clone(&self.trays.read());
        if trays.is_empty() || !dir.is_received() {
            return Ok(None);
        }
        let (mut at, mut below) = (dir, Vec::new());
        loop {
            if let Some(tray) = trays.get(&at) {
                below.reverse();
                return Ok(Some(Place { tray: *tray, below }));
            }
            if below.len() > RECEIVED_DEPTH_MAX {
                return Ok(None);
            }
            let Some((above, name)) = self.name_of(at)? else {
                return Ok(None);
            };
            below.push(name);
            at = above;
        }
    }

    /// Where a directory that was received has its name, and which.
    fn name_of(&self, ino: Ino) -> Result<Option<(Ino, Name)>, PodError> {
        let (from, to) = (Ino(0), Ino(u64::MAX));
        let (from, to) = (Key::parent(ino, from, 0), Key::parent(ino, to, u64::MAX));
        let found = self.rows.scan(&from, &to, 1)?;
        let Some((key, _)) = found.first() else {
            return Ok(None);
        };
        let dir = Ino(key.field(1));
        let row = self.rows.get(&Key::dentry(dir, key.field(2)))?;
        let row = row.map(|row| Dentries::decode(&row)).transpose()?;
        let entries = row.map_or_else(Vec::new, |row| row.0);
        let entry = entries.into_iter().find(|entry| entry.ino == ino);
        Ok(entry.map(|entry| (dir, entry.name)))
    }

    /// The directory with what was added to `dir`, if there is one.
    pub(super) fn behind(&self, dir: Ino) -> Result<Option<Ino>, PodError> {
        let Some(Place { tray, below }) = self.place(dir)? else {
            return Ok(None);
        };
        self.follow(tray, &below)
    }

    fn follow(&self, tray: Ino, below: &[Name]) -> Result<Option<Ino>, PodError> {
        let mut at = tray;
        for name in below {
            match self.named(&self.spot(at, name.as_bytes())?)? {
                Some((ino, FileKind::Directory)) => at = ino,
                _ => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// What the other one shares under that name.
    fn is_shared(&self, (dir, name): At<'_>) -> Result<bool, PodError> {
        Ok(dir.is_received() && self.named(&self.any_spot(dir, name)?)?.is_some())
    }

    /// The spot of a name, with what was added behind what is received.
    pub(super) fn seen_spot(&self, dir: Ino, name: &[u8]) -> Result<Spot, PodError> {
        let spot = self.spot(dir, name)?;
        if !dir.is_received() || self.named(&spot)?.is_some() {
            return Ok(spot);
        }
        match self.behind(dir)? {
            Some(behind) => self.spot(behind, name),
            None => Ok(spot),
        }
    }

    /// The entries of a row of a tray that are seen in `dir`: those whose names the other one has not.
    pub(super) fn seen_entries(&self, dir: Ino, row: Dentries) -> Result<Dentries, PodError> {
        let mut seen = Vec::new();
        for entry in row.0 {
            if !self.is_shared((dir, entry.name.as_bytes()))? {
                seen.push(entry);
            }
        }
        Ok(Dentries(seen))
    }

    /// Where a new name in `dir` is to be made: in its tray, when it was received.
    ///
    /// # Errors
    /// [`PodError::ReadOnly`]: nobody may add to it. [`PodError::Exists`]: the other one has that name.
    /// [`PodError::NotPermitted`]: what only files and folders are added to.
    pub(super) fn to_add(&self, at: At<'_>, kind: FileKind) -> Result<Ino, PodError> {
        let is_shared = matches!(kind, FileKind::Regular | FileKind::Directory);
        if !at.0.is_received() {
            let is_refused = !is_shared && self.is_in_tray(at.0)?;
            return if is_refused {
                Err(PodError::NotPermitted)
            } else {
                Ok(at.0)
            };
        }
        let place = self.place(at.0)?.ok_or(PodError::ReadOnly)?;
        if self.is_shared(at)? {
            return Err(PodError::Exists);
        }
        if !is_shared {
            return Err(PodError::NotPermitted);
        }
        self.make_place(at.0, place)
    }

    fn make_place(&self, dir: Ino, place: Place) -> Result<Ino, PodError> {
        let like = self.inode(dir)?;
        let owner = Caller {
            uid: like.uid,
            gid: like.gid,
        };
        let mut at = place.tray;
        for name in &place.below {
            at = self.directory_in(at, name.as_bytes(), owner)?;
        }
        Ok(at)
    }

    /// Where a name in `dir` stands that is to be taken away: in its tray, when it was received.
    ///
    /// # Errors
    /// [`PodError::ReadOnly`]: it is the other one's, or nobody may add to it. [`PodError::NotFound`].
    pub(super) fn to_remove(&self, at: At<'_>) -> Result<Ino, PodError> {
        if !at.0.is_received() {
            return Ok(at.0);
        }
        let place = self.place(at.0)?.ok_or(PodError::ReadOnly)?;
        if self.is_shared(at)? {
            return Err(PodError::ReadOnly);
        }
        let behind = self.follow(place.tray, &place.below)?;
        behind.ok_or(PodError::NotFound)
    }

    /// The same for both ends of a rename. What is the other one's goes nowhere and gives way to nothing.
    pub(super) fn to_move(
        &self,
        from: At<'_>,
        to: At<'_>,
        taken: Taken,
    ) -> Result<(Ino, Ino), PodError> {
        if !from.0.is_received() && !to.0.is_received() && self.trays.read().is_empty() {
            return Ok((from.0, to.0));
        }
        let (of_others, to_others) = (from.0.is_received(), to.0.is_received());
        let refused = if of_others == to_others {
            PodError::ReadOnly
        } else {
            PodError::CrossDevice
        };
        let source = match self.to_remove(from) {
            Err(PodError::ReadOnly) => return Err(refused),
            source => source?,
        };
        if to_others && self.place(to.0)?.is_none() {
            return Err(refused);
        }
        if self.is_shared(to)? {
            return Err(match taken {
                Taken::Keep => PodError::Exists,
                Taken::Replace | Taken::Exchange => PodError::ReadOnly,
            });
        }
        let kind = self
            .named(&self.spot(source, from.1)?)?
            .map(|(_, kind)| kind);
        let kind = kind.ok_or(PodError::NotFound)?;
        match self.to_add(to, kind) {
            // A link or a device is moved to where it would be shared: a copy of what it leads to can be.
            Err(PodError::NotPermitted) if !of_others => Err(PodError::CrossDevice),
            target => Ok((source, target?)),
        }
    }

    /// Whether a directory of the owner's is a tray or stands in one.
    fn is_in_tray(&self, dir: Ino) -> Result<bool, PodError> {
        let trays = Arc::clone(&self.trays.read());
        let mut at = dir;
        while !trays.is_empty() && at != ROOT {
            if trays.values().any(|tray| *tray == at) {
                return Ok(true);
            }
            let above = self.parent(at)?;
            if above == at {
                break;
            }
            at = above;
        }
        Ok(false)
    }

    /// The directory that holds `dir`, as it is seen: of what stands in a tray what it was added to.
    pub(super) fn seen_parent(&self, dir: Ino) -> Result<Ino, PodError> {
        let above = self.parent(dir)?;
        let trays = self.trays.read();
        let top = trays.iter().find(|(_, tray)| **tray == above);
        Ok(top.map_or(above, |(top, _)| *top))
    }

    /// What is shown of an inode: a directory that may be added to says so, and when something was.
    pub(super) fn shown(&self, ino: Ino, inode: &Inode) -> Result<Attr, PodError> {
        let mut attr = Attr::of(ino, inode);
        if !inode.is_dir() || !ino.is_received() {
            return Ok(attr);
        }
        let Some(Place { tray, below }) = self.place(ino)? else {
            return Ok(attr);
        };
        attr.perm |= ADDS;
        if let Some(behind) = self.follow(tray, &below)?
            && let Some(behind) = self.find_inode(behind)?
        {
            attr.mtime = attr.mtime.max(behind.mtime);
            attr.ctime = attr.ctime.max(behind.ctime);
            let subdirectories = behind.nlink.saturating_sub(2);
            attr.nlink = attr.nlink.saturating_add(subdirectories);
        }
        Ok(attr)
    }
}
