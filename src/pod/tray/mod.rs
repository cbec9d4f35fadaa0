//! What the owner of a pod adds to what others share, and changes of it: it stands in a *tray*, a directory of the
//! owner's own, and is seen among what others share there.
//!
//! A directory that was received is shown as two that lie on each other: its own names, and those of the directory of
//! the tray at the same path below the topmost. So no row has a name in two places, nothing that is received ever
//! changes, and what was added is as ordinary as all that the owner has: it is published, kept, evicted and recovered
//! like it.
//!
//! Where things may only be added, whatever has a name in both is what the other one shares. Where they may be changed
//! it is what is in the tray, and the tray has a second directory that lies behind both: of what each change was made
//! from. A name that is there, and not in the first, is gone. So whoever gets the tray sees what was done: what is in the
//! first alone was added, what is in both was changed, and what is in the second alone was removed.

mod base;
mod change;
mod directory;
mod lift;
mod numbers;
#[cfg(test)]
mod open_tests;
mod seen;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod written_tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::format::rows::{Dentries, FileKind, Key};
use crate::pod::edit::Spot;
use crate::pod::error::PodError;
use crate::pod::rename::Named;
use crate::pod::{Caller, Pod};
use crate::types::limits::RECEIVED_DEPTH_MAX;
use crate::types::{Ino, Name};

pub(super) use numbers::Numbers;

/// Names of the two directories of a tray for changes.
const NOW: &[u8] = b"now";
const WAS: &[u8] = b"was";

/// Where what is added to something that was received stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tray {
    /// The directory of what is there now.
    pub now: Ino,
    /// That of what changes were made from; none when nothing may be changed.
    pub was: Option<Ino>,
}

/// All trays.
#[derive(Clone, Default)]
pub(super) struct Trays {
    /// By the topmost directory that was received.
    folders: BTreeMap<Ino, Tray>,
    /// Of single files, by where they have their name; that is their name in the tray, too.
    files: BTreeMap<(Ino, Name), Tray>,
}

impl Trays {
    fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.files.is_empty()
    }

    /// The one whose first directory this is, and where it is seen.
    fn of(&self, now: Ino) -> Option<(Ino, Tray)> {
        let folders = self.folders.iter().map(|(top, tray)| (*top, *tray));
        let files = self.files.iter().map(|((dir, _), tray)| (*dir, *tray));
        folders.chain(files).find(|(_, tray)| tray.now == now)
    }
}

/// A directory of a tray, there or not: the topmost one, and the names from there on.
struct Place {
    tray: Tray,
    below: Vec<Name>,
}

/// The two directories of a tray that lie on one that was received.
#[derive(Clone, Copy)]
struct Layers {
    now: Ino,
    was: Ino,
}

/// A name in a directory, as a program says it.
type At<'a> = (Ino, &'a [u8]);

impl Pod {
    /// What is added to the directory `top`, which was received, goes into `tray` from now on.
    ///
    /// # Errors
    /// When the log does not give what is below it; it is so all the same.
    pub fn set_tray(&self, top: Ino, tray: Tray) -> Result<(), PodError> {
        let before = Arc::make_mut(&mut self.trays.write())
            .folders
            .insert(top, tray);
        if before != Some(tray) {
            self.tell_below(top)?;
        }
        Ok(())
    }

    /// What is changed of the file `name` in `dir`, which was received, goes into `tray` from now on.
    pub fn set_file_tray(&self, dir: Ino, name: &Name, tray: Tray) {
        let at = (dir, name.clone());
        let before = Arc::make_mut(&mut self.trays.write())
            .files
            .insert(at, tray);
        if before != Some(tray) {
            self.tell(dir, name.as_bytes());
        }
    }

    /// Nothing goes into the tray any more, and nothing that did is seen where it was.
    pub fn unset_tray(&self, tray: Tray) {
        let (mut tops, mut files) = (Vec::new(), Vec::new());
        {
            let mut trays = self.trays.write();
            let trays = Arc::make_mut(&mut trays);
            trays.folders.retain(|top, of| {
                let stays = *of != tray;
                tops.extend((!stays).then_some(*top));
                stays
            });
            trays.files.retain(|at, of| {
                let stays = *of != tray;
                files.extend((!stays).then(|| at.clone()));
                stays
            });
        }
        for top in tops {
            if let Err(error) = self.tell_below(top) {
                tracing::debug!(%error, "the kernel may show what may be done no more for an hour");
            }
        }
        for (dir, name) in files {
            self.tell(dir, name.as_bytes());
        }
    }

    /// The kernel forgets all directories below, and what they have.
    fn tell_below(&self, top: Ino) -> Result<(), PodError> {
        let mut left = vec![top];
        while let Some(at) = left.pop() {
            let Some(inode) = self.find_inode(at)? else {
                continue;
            };
            self.tell_inode(at);
            if inode.is_dir() {
                for (name, ino) in self.received_names(at)? {
                    self.tell(at, name.as_bytes());
                    left.push(ino);
                }
            }
        }
        Ok(())
    }

    /// The tray that `dir` is to be; what is missing of it is made.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn tray_in(&self, dir: Ino, is_written: bool, owner: Caller) -> Result<Tray, PodError> {
        if !is_written {
            return Ok(Tray {
                now: dir,
                was: None,
            });
        }
        Ok(Tray {
            now: self.directory_in(dir, NOW, owner)?,
            was: Some(self.directory_in(dir, WAS, owner)?),
        })
    }

    /// The same if it is there.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn find_tray(&self, dir: Ino, is_written: bool) -> Result<Option<Tray>, PodError> {
        if !is_written {
            return Ok(Some(Tray {
                now: dir,
                was: None,
            }));
        }
        let find = |name| {
            let found = self.named(&self.spot(dir, name)?)?;
            Ok::<_, PodError>(found.map(|(ino, _)| ino))
        };
        let (now, was) = (find(NOW)?, find(WAS)?);
        Ok(now.filter(|_| was.is_some()).map(|now| Tray { now, was }))
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
        if trays.folders.is_empty() || !dir.is_received() {
            return Ok(None);
        }
        let (mut at, mut below) = (dir, Vec::new());
        loop {
            if let Some(tray) = trays.folders.get(&at) {
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

    /// The same for one name in it, which may be that of a single file.
    fn place_of(&self, dir: Ino, name: &Name) -> Result<Option<Place>, PodError> {
        let trays = Arc::clone(&self.trays.read());
        if !trays.files.is_empty()
            && let Some(tray) = trays.files.get(&(dir, name.clone()))
        {
            return Ok(Some(Place {
                tray: *tray,
                below: Vec::new(),
            }));
        }
        self.place(dir)
    }

    /// Where something that was received has its name, and which.
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

    /// The directory at a path of a tray, if it is there.
    fn follow(&self, from: Ino, below: &[Name]) -> Result<Option<Ino>, PodError> {
        let mut at = from;
        for name in below {
            match self.named(&self.spot(at, name.as_bytes())?)? {
                Some((ino, FileKind::Directory)) => at = ino,
                _ => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// The name there, and what has it, if anything does.
    fn in_layer(
        &self,
        from: Ino,
        below: &[Name],
        name: &[u8],
    ) -> Result<Option<(Spot, Named)>, PodError> {
        let Some(dir) = self.follow(from, below)? else {
            return Ok(None);
        };
        let spot = self.spot(dir, name)?;
        Ok(self.named(&spot)?.map(|named| (spot, named)))
    }

    /// The directory of the tray that what is made in `dir` goes into.
    fn make_place(&self, dir: Ino, place: &Place) -> Result<Ino, PodError> {
        let owner = self.owner_of(dir)?;
        let mut at = place.tray.now;
        for name in &place.below {
            at = self.directory_in(at, name.as_bytes(), owner)?;
        }
        Ok(at)
    }

    /// Both directories. At no moment is there one of the second without that of the first: it would be gone.
    fn make_layers(&self, dir: Ino, place: &Place) -> Result<Layers, PodError> {
        let was = place.tray.was.ok_or(PodError::ReadOnly)?;
        let owner = self.owner_of(dir)?;
        let mut at = Layers {
            now: place.tray.now,
            was,
        };
        for name in &place.below {
            let above = at;
            loop {
                at.now = self.directory_in(above.now, name.as_bytes(), owner)?;
                at.was = self.directory_in(above.was, name.as_bytes(), owner)?;
                // Those that are empty go: the first may have gone before the second was made.
                if self.find_inode(at.now)?.is_some() {
                    break;
                }
            }
        }
        Ok(at)
    }

    fn owner_of(&self, dir: Ino) -> Result<Caller, PodError> {
        let like = self.inode(dir)?;
        Ok(Caller {
            uid: like.uid,
            gid: like.gid,
        })
    }
}
