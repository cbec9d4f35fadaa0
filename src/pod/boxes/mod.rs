//! Boxes: directories of which all that is in them is published under keys of its own.
//!
//! Nothing goes over the border of a box as it is: a rename or link across is refused, so that programs copy, and
//! what is in a box was always made there. So the directories that lead to an inode tell its box, and no row of it has
//! to. Boxes do not lie in one another.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::format::rows::{Attached, FileKind, Key, NextBox};
use crate::index::Rows;
use crate::journal::{Batch, Class};
use crate::pod::Pod;
use crate::pod::edit::Edit;
use crate::pod::error::PodError;
use crate::types::limits::BOXES_MAX;
use crate::types::{Ino, ROOT};

/// The boxes of a pod, by their directories.
pub(super) struct Boxes {
    borders: RwLock<BTreeMap<Ino, Border>>,
    /// Held while one is made or unmade.
    making: Mutex<()>,
}

/// One box.
#[derive(Clone, Copy)]
pub(super) struct Border {
    attached: Attached,
    /// Its row is written.
    is_made: bool,
    /// It has a mount of its own.
    is_mounted: bool,
}

/// What is in a directory and below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Names.
    pub names: u64,
    /// Bytes of files.
    pub bytes: u64,
}

/// Why a directory does not become a box, or a box no ordinary directory.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BoxError {
    /// It is a file, the top of the pod, of somebody else, or kept by podfs for itself.
    #[error("only a folder of your own, below the top of the pod, can be a box")]
    NotAFolder,
    /// It is one.
    #[error("it is a box already")]
    Already,
    /// It is none.
    #[error("it is no box")]
    NoBox,
    /// It lies in a box, or a box in it.
    #[error("boxes do not lie in one another, and {0} one")]
    Nested(&'static str),
    /// A file in it has a name outside.
    #[error("a file in it, inode {0}, has another name outside (a hard link)")]
    Linked(Ino),
    /// There are as many as there may be.
    #[error("a pod has at most {BOXES_MAX} boxes")]
    TooMany,
    /// It has a mount of its own.
    #[error("it has a mount of its own")]
    Mounted,
    /// The log does not take or give it.
    #[error(transparent)]
    Pod(#[from] PodError),
}

impl Boxes {
    /// The boxes that the rows tell of.
    pub(super) fn read(rows: &Rows) -> Result<Self, PodError> {
        let (from, to) = Key::all_attached();
        let mut boxes = BTreeMap::new();
        for (key, row) in rows.scan(&from, &to, usize::MAX)? {
            let border = Border {
                attached: Attached::decode(&row)?,
                is_made: true,
                is_mounted: false,
            };
            boxes.insert(Ino(key.field(0)), border);
        }
        Ok(Self {
            borders: RwLock::new(boxes),
            making: Mutex::new(()),
        })
    }

    /// The directory of a box is not removed, as a mount point is not.
    pub(super) fn refuse_removal(&self, dir: Ino) -> Result<(), PodError> {
        if self.borders.read_recursive().contains_key(&dir) {
            return Err(PodError::IsBox);
        }
        Ok(())
    }
}

/// No box is made or removed while it is held.
pub(super) type Borders<'p> = RwLockReadGuard<'p, BTreeMap<Ino, Border>>;

impl Pod {
    /// Refuses what would go from the box of one directory into that of another.
    pub(super) fn within_a_box(&self, from: Ino, to: Ino) -> Result<Borders<'_>, PodError> {
        let borders = self.boxes.borders.read();
        let crosses = !borders.is_empty()
            && from != to
            && self.box_among(&borders, from)? != self.box_among(&borders, to)?;
        if crosses {
            return Err(PodError::CrossDevice);
        }
        Ok(borders)
    }

    /// The directory of the box that an inode is in.
    fn box_among(
        &self,
        borders: &BTreeMap<Ino, Border>,
        ino: Ino,
    ) -> Result<Option<Ino>, PodError> {
        let mut at = ino;
        while !borders.contains_key(&at) {
            let above = self.parent(at)?;
            if at == ROOT || above == at {
                return Ok(None);
            }
            at = above;
        }
        Ok(Some(at))
    }

    /// All boxes, in the order of their numbers.
    pub fn boxes(&self) -> Vec<(Ino, Attached)> {
        let borders = self.boxes.borders.read();
        let made = borders.iter().filter(|(_, border)| border.is_made);
        let mut boxes: Vec<_> = made.map(|(dir, border)| (*dir, border.attached)).collect();
        boxes.sort_unstable_by_key(|(_, attached)| attached.number);
        boxes
    }

    /// The box whose directory it is.
    ///
    /// # Errors
    /// [`BoxError::NoBox`].
    pub fn box_at(&self, dir: Ino) -> Result<Attached, BoxError> {
        let borders = self.boxes.borders.read();
        let border = borders.get(&dir).filter(|border| border.is_made);
        border.map(|border| border.attached).ok_or(BoxError::NoBox)
    }

    /// The directory has a mount of its own from now on, or no longer: as long it stays a box.
    ///
    /// # Errors
    /// [`BoxError::NoBox`]; [`BoxError::Mounted`]: it has one.
    pub fn set_mounted(&self, dir: Ino, on: bool) -> Result<(), BoxError> {
        let mut borders = self.boxes.borders.write();
        let border = borders.get_mut(&dir).filter(|border| border.is_made);
        let border = border.ok_or(BoxError::NoBox)?;
        if border.is_mounted && on {
            return Err(BoxError::Mounted);
        }
        border.is_mounted = on;
        Ok(())
    }

    /// Makes a box of a directory. What is in it counts as changed: it is sealed anew. With `preview` nothing is done.
    ///
    /// # Errors
    /// [`BoxError`]; nothing changed.
    pub fn make_box(
        &self,
        dir: Ino,
        one_scope: bool,
        preview: bool,
    ) -> Result<(Attached, Extent), BoxError> {
        let _one = self.boxes.making.lock();
        let attached = self.draw_border(dir, one_scope)?;
        let made = self.extent_within(dir).and_then(|extent| {
            if !preview {
                self.write_border(dir, Some(attached))?;
            }
            Ok(extent)
        });
        let mut borders = self.boxes.borders.write();
        match borders.get_mut(&dir) {
            Some(border) if made.is_ok() && !preview => border.is_made = true,
            _ => drop(borders.remove(&dir)),
        }
        Ok((attached, made?))
    }

    /// The border counts from here on, before it is known whether it may: so nothing comes to lie across it meanwhile.
    fn draw_border(&self, dir: Ino, one_scope: bool) -> Result<Attached, BoxError> {
        if self.inode(dir)?.kind() != FileKind::Directory {
            return Err(BoxError::NotAFolder);
        }
        let mut borders = self.boxes.borders.write();
        if borders.contains_key(&dir) {
            return Err(BoxError::Already);
        }
        if borders.len() >= BOXES_MAX {
            return Err(BoxError::TooMany);
        }
        self.refuse_nesting(&borders, dir)?;
        let next = self.rows.get(&Key::next_box()).map_err(PodError::from)?;
        let next = next.map(|row| NextBox::decode(&row)).transpose();
        let next = next.map_err(PodError::from)?;
        let attached = Attached {
            number: next.map_or(1, |next| next.0),
            one_scope,
        };
        let border = Border {
            attached,
            is_made: false,
            is_mounted: false,
        };
        borders.insert(dir, border);
        Ok(attached)
    }

    fn refuse_nesting(&self, borders: &BTreeMap<Ino, Border>, dir: Ino) -> Result<(), BoxError> {
        let (mut at, mut below) = (dir, ROOT);
        while at != ROOT {
            if at.is_received() {
                return Err(BoxError::NotAFolder);
            }
            if borders.contains_key(&at) {
                return Err(BoxError::Nested("it lies in"));
            }
            let above = self.parent(at)?;
            if above == at {
                return Err(PodError::NotFound.into());
            }
            (at, below) = (above, at);
        }
        let state = self.state_directory()?;
        if below == ROOT || state == Some(below) {
            return Err(BoxError::NotAFolder);
        }
        for other in borders.keys() {
            if self.is_within(*other, dir)? {
                return Err(BoxError::Nested("in it lies"));
            }
        }
        Ok(())
    }

    /// What is in a directory, none of which has a name outside.
    fn extent_within(&self, dir: Ino) -> Result<Extent, BoxError> {
        let (mut extent, mut left) = (Extent::default(), vec![dir]);
        while let Some(at) = left.pop() {
            for entry in self.own_names(at)? {
                extent.names += 1;
                let Some(inode) = self.find_inode(entry.ino)? else {
                    continue;
                };
                if inode.is_dir() {
                    left.push(entry.ino);
                    continue;
                }
                if inode.kind() == FileKind::Regular {
                    extent.bytes = extent.bytes.saturating_add(inode.size);
                }
                if inode.nlink > 1 && !self.has_all_names_in(entry.ino, dir)? {
                    return Err(BoxError::Linked(entry.ino));
                }
            }
        }
        Ok(extent)
    }

    fn has_all_names_in(&self, ino: Ino, dir: Ino) -> Result<bool, PodError> {
        let (from, to) = (Ino(0), Ino(u64::MAX));
        let (from, to) = (Key::parent(ino, from, 0), Key::parent(ino, to, u64::MAX));
        for (key, _) in self.rows.scan(&from, &to, usize::MAX)? {
            if !self.is_within(Ino(key.field(1)), dir)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes an ordinary directory of a box. What is in it counts as changed.
    ///
    /// # Errors
    /// [`BoxError::NoBox`], [`BoxError::Mounted`]; nothing changed.
    pub fn unmake_box(&self, dir: Ino, preview: bool) -> Result<(Attached, Extent), BoxError> {
        let _one = self.boxes.making.lock();
        let attached = self.box_at(dir)?;
        let extent = self.extent_within(dir)?;
        {
            let mut borders = self.boxes.borders.write();
            let border = borders.get_mut(&dir).ok_or(BoxError::NoBox)?;
            if border.is_mounted {
                return Err(BoxError::Mounted);
            }
            if preview {
                return Ok((attached, extent));
            }
            border.is_made = false;
        }
        // Not while the borders are held: who holds a directory waits for them.
        let written = self.write_border(dir, None);
        let mut borders = self.boxes.borders.write();
        if written.is_ok() {
            borders.remove(&dir);
        } else if let Some(border) = borders.get_mut(&dir) {
            border.is_made = true;
        }
        written.map(|()| (attached, extent))
    }

    /// One record: the row of the box, the number of the next one, and the change of the directory.
    fn write_border(&self, dir: Ino, attached: Option<Attached>) -> Result<(), BoxError> {
        self.rows.admit(0).map_err(PodError::from)?;
        let _held = self.locks.lock(&[dir]);
        let mut edit = Edit::new(self);
        let now = self.now();
        let inode = edit.directory(dir)?;
        if inode.nlink == 0 {
            return Err(PodError::NotFound.into());
        }
        inode.ctime = now;
        let mut batch = Batch::new(Class::Meta);
        edit.finish(&mut batch);
        match attached {
            Some(attached) => {
                batch.put(Key::attached(dir), attached.encode());
                let next = NextBox(attached.number.saturating_add(1));
                batch.put(Key::next_box(), next.encode());
            }
            None => batch.delete(Key::attached(dir)),
        }
        self.rows.append(batch, None).map_err(PodError::from)?;
        Ok(())
    }
}
