//! What others added to folders that the owner shares: brought to a place that no path leads to, and from there taken
//! over into the folder, where it is the owner's.
//!
//! What was taken over once is noted at what arrived, which is another inode as soon as its contents are others. The
//! note is in the record that gives the copy its name: there is never one without the other.

use crate::format::rows::{FileKind, Inode, Key};
use crate::journal::{Batch, Class};
use crate::pod::edit::Edit;
use crate::pod::error::PodError;
use crate::pod::setattr::{SetAttr, SetTime};
use crate::pod::{Caller, Pod};
use crate::types::{ADDED, Ino, Name, Timespec};

/// Name of the directory of copies that are not whole yet, in `.pod`.
const COPIES: &str = "arriving";
/// Permissions of what is taken over, as most programs make files and folders.
const FILE: u32 = 0o644;
const DIRECTORY: u32 = 0o755;

/// A copy under way.
pub struct Copy {
    /// The file that it is.
    pub ino: Ino,
    dir: Ino,
    name: Name,
}

impl Pod {
    /// The directory of what others added; it is made when it is missing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn added(&self, owner: Caller) -> Result<Ino, PodError> {
        if self.find_inode(ADDED)?.is_none() {
            let mode = FileKind::Directory.bits() | 0o500;
            let inode = Inode::born(mode, owner.uid, owner.gid, self.now());
            let mut batch = Batch::new(Class::Meta);
            batch.put(Key::inode(ADDED), inode.encode());
            self.rows.append_unseen(batch, None)?;
        }
        Ok(ADDED)
    }

    /// What somebody added is looked at no more, and is forgotten.
    ///
    /// # Errors
    /// When the log fails.
    pub fn forget_added(&self, name: &Name) -> Result<(), PodError> {
        if self.find_inode(ADDED)?.is_none() {
            return Ok(());
        }
        self.withdraw(ADDED, name)
    }

    /// Whether something that arrived was taken over.
    ///
    /// # Errors
    /// When the log does not say.
    pub fn is_taken_over(&self, arrived: Ino) -> Result<bool, PodError> {
        Ok(self.rows.get(&Key::taken_over(arrived))?.is_some())
    }

    /// Something that arrived is the owner's already, or was.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn has_taken_over(&self, arrived: Ino) -> Result<(), PodError> {
        let _held = self.locks.lock(&[arrived]);
        self.inode(arrived)?;
        let mut batch = Batch::new(Class::Meta);
        batch.put(Key::taken_over(arrived), Vec::new());
        Ok(self.rows.append_unseen(batch, None)?)
    }

    /// The directory `name` in `dir`, which is the owner's; it is made when it is missing.
    ///
    /// # Errors
    /// [`PodError::NotADirectory`]: something else has the name.
    pub fn take_directory_over(
        &self,
        dir: Ino,
        name: &Name,
        owner: Caller,
    ) -> Result<Ino, PodError> {
        let made = match self.mkdir(dir, name.as_bytes(), DIRECTORY, owner) {
            Err(PodError::Exists) => None,
            made => Some(made?),
        };
        if let Some(made) = made {
            self.tell(dir, name.as_bytes());
            return Ok(made.ino);
        }
        let there = self.lookup(dir, name.as_bytes())?;
        if there.kind == FileKind::Directory {
            Ok(there.ino)
        } else {
            Err(PodError::NotADirectory)
        }
    }

    /// An empty file out of sight, for a copy of what arrived. What was left of one before goes.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin_copy(&self, arrived: Ino, owner: Caller) -> Result<Copy, PodError> {
        let dir = self.state_subdirectory(COPIES, owner)?;
        let name = Name::parse(format!("{:016x}", arrived.0).as_bytes())?;
        match self.unlink(dir, name.as_bytes()) {
            Ok(()) | Err(PodError::NotFound) => {}
            Err(error) => return Err(error),
        }
        let made = self.mknod(dir, name.as_bytes(), (FILE, 0), owner)?;
        Ok(Copy {
            ino: made.ino,
            dir,
            name,
        })
    }

    /// A copy that nobody wants goes.
    ///
    /// # Errors
    /// When the log fails.
    pub fn drop_copy(&self, copy: &Copy) -> Result<(), PodError> {
        self.unlink(copy.dir, copy.name.as_bytes())
    }

    /// All copies that are not whole go: those of before a crash.
    ///
    /// # Errors
    /// When the log fails.
    pub fn drop_copies(&self) -> Result<(), PodError> {
        let Some(dir) = self.find_state_subdirectory(COPIES)? else {
            return Ok(());
        };
        for entry in self.own_names(dir)? {
            self.unlink(dir, entry.name.as_bytes())?;
        }
        Ok(())
    }

    /// A whole copy gets its name, and `arrived` the note that it was taken over: one step.
    ///
    /// # Errors
    /// [`PodError::Exists`]: the name is taken. [`PodError::NotFound`]: the directory is no more.
    pub fn take_over(
        &self,
        (arrived, mtime): (Ino, Timespec),
        copy: &Copy,
        (dir, name): (Ino, &Name),
        owner: Caller,
    ) -> Result<(), PodError> {
        let times = SetAttr {
            mtime: Some(SetTime::At(mtime)),
            ..SetAttr::default()
        };
        self.setattr(copy.ino, &times, owner)?;
        let source = self.spot(copy.dir, copy.name.as_bytes())?;
        let target = self.spot(dir, name.as_bytes())?;
        self.rows.admit(0)?;
        let held = self.locks.lock(&[copy.dir, dir, copy.ino, arrived]);
        let mut edit = Edit::new(self);
        let named = edit.entry(&source)?.filter(|(ino, _)| *ino == copy.ino);
        let (ino, kind) = named.ok_or(PodError::NotFound)?;
        if edit.directory(dir)?.nlink == 0 || self.inode(arrived)?.nlink == 0 {
            return Err(PodError::NotFound);
        }
        if edit.entry(&target)?.is_some() {
            return Err(PodError::Exists);
        }
        let now = self.now();
        edit.remove(&source)?;
        edit.count(copy.dir, -1, 0, now)?;
        edit.insert(&target, ino, kind)?;
        edit.count(dir, 1, 0, now)?;
        let mut batch = Batch::new(Class::Meta);
        edit.finish(&mut batch);
        batch.put(Key::taken_over(arrived), Vec::new());
        self.rows.append(batch, None)?;
        drop(held);
        self.tell(dir, name.as_bytes());
        Ok(())
    }
}
