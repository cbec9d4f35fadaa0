//! What is seen of what was received and of its tray.

use std::sync::Arc;

use crate::format::rows::{Dentries, FileKind, Inode};
use crate::pod::Pod;
use crate::pod::attr::Attr;
use crate::pod::edit::Spot;
use crate::pod::error::PodError;
use crate::pod::tray::{At, Place};
use crate::types::Ino;

/// What the owner of what is received may do with what may be added to or changed, beside reading it.
const WRITES: u16 = 0o200;

impl Pod {
    /// The directory with what was added to `dir`, if there is one.
    pub(in crate::pod) fn behind(&self, dir: Ino) -> Result<Option<Ino>, PodError> {
        let Some(Place { tray, below, .. }) = self.place(dir)? else {
            return Ok(None);
        };
        self.follow(tray.now, &below)
    }

    /// Where the name stands that is seen as `name` in `dir`; nothing when it is gone.
    pub(in crate::pod) fn seen_spot(
        &self,
        dir: Ino,
        name: &[u8],
    ) -> Result<Option<Spot>, PodError> {
        let spot = self.spot(dir, name)?;
        if !dir.is_received() {
            return Ok(Some(spot));
        }
        let theirs = self.named(&spot)?;
        let Some(Place { tray, below, .. }) = self.place_of(dir, &spot.name)? else {
            return Ok(Some(spot));
        };
        if tray.was.is_none() && theirs.is_some() {
            return Ok(Some(spot));
        }
        let own = || self.in_layer(tray.now, &below, name);
        let (Some(theirs), Some(was)) = (theirs, tray.was) else {
            return Ok(own()?.map(|(spot, _)| spot));
        };
        let mut found = own()?;
        if found.is_none() && self.in_layer(was, &below, name)?.is_some() {
            // It may have been lifted between the two looks.
            found = own()?;
            if found.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(match found {
            Some((_, (own, kind)))
                if [theirs.1, kind] == [FileKind::Directory; 2]
                    && !self.is_seen_instead(theirs.0, own) =>
            {
                spot
            }
            Some((own, _)) => own,
            None => spot,
        }))
    }

    /// What has that name.
    pub(super) fn seen(&self, (dir, name): At<'_>) -> Result<Option<(Ino, FileKind)>, PodError> {
        match self.seen_spot(dir, name)? {
            Some(spot) => self.named(&spot),
            None => Ok(None),
        }
    }

    /// The entries of a row that stands in `at`, of `dir` or of its tray, as far as they are seen in `dir`. What the
    /// other one has is listed where it stands there, whatever is seen in its place: so it is listed once, though it is
    /// lifted meanwhile.
    pub(in crate::pod) fn seen_entries(
        &self,
        (dir, at): (Ino, Ino),
        row: Dentries,
    ) -> Result<Dentries, PodError> {
        if !dir.is_received() || self.trays.read().is_empty() {
            return Ok(row);
        }
        let mut seen = Vec::new();
        for mut entry in row.0 {
            let name = entry.name.as_bytes();
            if at != dir && self.has_theirs((dir, name))? {
                continue;
            }
            let Some(spot) = self.seen_spot(dir, name)? else {
                continue;
            };
            if spot.dir != at
                && let Some((ino, kind)) = self.named(&spot)?
            {
                (entry.ino, entry.kind) = (ino, kind);
            }
            seen.push(entry);
        }
        Ok(Dentries(seen))
    }

    /// Whether nothing is seen in a directory.
    pub(super) fn is_seen_empty(&self, dir: Ino) -> Result<bool, PodError> {
        let mut is_empty = true;
        self.readdir(dir, 0, |entry| {
            is_empty = matches!(entry.name, b"." | b"..");
            is_empty
        })?;
        Ok(is_empty)
    }

    /// The directory that holds `dir`, as it is seen: of what stands in a tray what it was added to.
    pub(in crate::pod) fn seen_parent(&self, dir: Ino) -> Result<Ino, PodError> {
        let above = self.parent(dir)?;
        let trays = Arc::clone(&self.trays.read());
        Ok(trays.of(above).map_or(above, |(top, _)| top))
    }

    /// What is shown of an inode: what may be added to or changed says so, and a directory when something was.
    pub(in crate::pod) fn shown(&self, ino: Ino, inode: &Inode) -> Result<Attr, PodError> {
        let mut attr = Attr::of(ino, inode);
        if !ino.is_received() || self.trays.read().is_empty() {
            return Ok(attr);
        }
        if attr.kind == FileKind::Regular && self.is_changeable(ino)? {
            attr.perm |= WRITES;
        }
        if !inode.is_dir() {
            return Ok(attr);
        }
        let Some(Place { tray, below, .. }) = self.place(ino)? else {
            return Ok(attr);
        };
        attr.perm |= WRITES;
        if let Some(behind) = self.follow(tray.now, &below)?
            && let Some(behind) = self.find_inode(behind)?
        {
            attr.mtime = attr.mtime.max(behind.mtime);
            attr.ctime = attr.ctime.max(behind.ctime);
            let subdirectories = behind.nlink.saturating_sub(2);
            attr.nlink = attr.nlink.saturating_add(subdirectories);
        }
        Ok(attr)
    }

    /// Whether a file that was received may be changed.
    pub(in crate::pod) fn is_changeable(&self, ino: Ino) -> Result<bool, PodError> {
        let Some((dir, name)) = self.name_of(ino)? else {
            return Ok(false);
        };
        let place = self.place_of(dir, &name)?;
        Ok(place.is_some_and(|place| place.tray.was.is_some()))
    }
}
