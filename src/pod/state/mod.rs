//! What podfs keeps for itself in a pod: small files in the directory `.pod` of the root, which no program sees.
//!
//! They are ordinary files, so that whatever carries files into the network and back carries them too. The name is
//! reserved in the root alone; what is below it is out of reach because the name is not found.

#[cfg(test)]
mod tests;

use crate::format::rows::{FileKind, Inode};
use crate::journal::{Batch, Class};
use crate::pod::Pod;
use crate::pod::edit::{Edit, Spot};
use crate::pod::error::PodError;
use crate::pod::remove::Leaves;
use crate::types::limits::STATE_FILE_MAX;
use crate::types::{Ino, ROOT};

/// Name of the directory.
const RESERVED: &[u8] = b".pod";

/// Whether a name is out of reach for programs.
pub(super) fn is_reserved(dir: Ino, name: &[u8]) -> bool {
    dir == ROOT && name == RESERVED
}

impl Pod {
    /// The file `.pod/<name>` holds these bytes from now on, 1 MiB at most: one record, so that it holds either what
    /// it held or these. It is another inode each time: who reads the one before reads that to its end, once it was
    /// [opened](Pod::open).
    ///
    /// # Errors
    /// [`PodError::TooLarge`]; [`PodError::NotADirectory`] when a program made something else of that name before it
    /// was reserved; [`PodError::IsADirectory`] when there is a directory of this name; or it cannot be written.
    pub fn put_state(&self, name: &str, bytes: &[u8]) -> Result<(), PodError> {
        self.admit_state(bytes)?;
        let _writing = self.state.lock();
        self.replace_state(&self.state_spot(name)?, bytes)
    }

    /// Adds these bytes, 1 MiB at most, to the end of the file `.pod/<name>`, which is made when it is missing: all
    /// or none of them.
    ///
    /// # Errors
    /// [`PodError::Absent`] when the last page of the file has to be fetched first; those of [`Pod::put_state`].
    pub fn append_state(&self, name: &str, bytes: &[u8]) -> Result<(), PodError> {
        self.admit_state(bytes)?;
        let _writing = self.state.lock();
        let spot = self.state_spot(name)?;
        let Some((ino, _)) = self.named(&spot)? else {
            return self.replace_state(&spot, bytes);
        };
        let size = self.inode(ino)?.size;
        let taken = self.write(ino, size, bytes, false)?;
        if usize::try_from(taken) == Ok(bytes.len()) {
            Ok(())
        } else {
            Err(PodError::FileTooLarge)
        }
    }

    /// There is no file `.pod/<name>` from now on.
    ///
    /// # Errors
    /// [`PodError::IsADirectory`] when there is a directory of this name; or it cannot be written.
    pub fn remove_state(&self, name: &str) -> Result<(), PodError> {
        let _writing = self.state.lock();
        let Some(dir) = self.state_directory()? else {
            return Ok(());
        };
        match self.unlink(dir, name.as_bytes()) {
            Err(PodError::NotFound) => Ok(()),
            outcome => outcome,
        }
    }

    /// The names of all files in `.pod`, sorted.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn state_names(&self) -> Result<Vec<String>, PodError> {
        let mut names = Vec::new();
        if let Some(dir) = self.state_directory()? {
            self.readdir(dir, 0, |entry| {
                let name = str::from_utf8(entry.name).ok();
                let name = name.filter(|_| entry.kind == FileKind::Regular);
                names.extend(name.map(str::to_owned));
                true
            })?;
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Inode and size of the file `.pod/<name>`, to be read with [`Pod::read`] between [`Pod::open`] and
    /// [`Pod::release`].
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn state_file(&self, name: &str) -> Result<Option<(Ino, u64)>, PodError> {
        let Some(dir) = self.state_directory()? else {
            return Ok(None);
        };
        match self.lookup(dir, name.as_bytes()) {
            Ok(found) => Ok((found.kind == FileKind::Regular).then_some((found.ino, found.size))),
            Err(PodError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn admit_state(&self, bytes: &[u8]) -> Result<(), PodError> {
        if bytes.len() > STATE_FILE_MAX {
            return Err(PodError::TooLarge);
        }
        Ok(self.rows.admit(bytes.len() as u64)?)
    }

    /// What has the reserved name.
    pub(super) fn reserved(&self) -> Result<Option<(Ino, FileKind)>, PodError> {
        self.named(&self.any_spot(ROOT, RESERVED)?)
    }

    pub(super) fn state_directory(&self) -> Result<Option<Ino>, PodError> {
        let directory = |(ino, kind)| (kind == FileKind::Directory).then_some(ino);
        Ok(self.reserved()?.and_then(directory))
    }

    /// Where a file of that name is or would be. Makes the directory.
    fn state_spot(&self, name: &str) -> Result<Spot, PodError> {
        let dir = self.state_directory_made()?;
        let spot = self.spot(dir, name.as_bytes())?;
        match self.named(&spot)? {
            None | Some((_, FileKind::Regular)) => Ok(spot),
            Some((_, FileKind::Directory)) => Err(PodError::IsADirectory),
            Some(_) => Err(PodError::InvalidArgument),
        }
    }

    /// The directory, which is made when it is missing.
    pub(super) fn state_directory_made(&self) -> Result<Ino, PodError> {
        match self.reserved()? {
            Some((dir, FileKind::Directory)) => Ok(dir),
            Some(_) => Err(PodError::NotADirectory),
            None => self.make_state_directory(),
        }
    }

    /// The times of the root stay: nothing changed in it that anybody sees.
    fn make_state_directory(&self) -> Result<Ino, PodError> {
        let spot = self.any_spot(ROOT, RESERVED)?;
        let _held = self.locks.lock(&[ROOT]);
        let mut edit = Edit::new(self);
        let root = edit.directory(ROOT)?;
        root.size = root.size.saturating_add(1);
        root.nlink = root.nlink.saturating_add(1);
        let mode = FileKind::Directory.bits() | 0o700;
        let inode = Inode::born(mode, root.uid, root.gid, self.now());
        let dir = self.fresh_ino();
        edit.insert(&spot, dir, FileKind::Directory)?;
        edit.add(dir, inode);
        let mut batch = Batch::new(Class::Data);
        edit.finish(&mut batch);
        self.rows.append(batch, None)?;
        Ok(dir)
    }

    /// A new file in place of the one that has the name, if any. Nobody else changes names there meanwhile.
    fn replace_state(&self, spot: &Spot, bytes: &[u8]) -> Result<(), PodError> {
        let root = self.inode(ROOT)?;
        let old = self.named(spot)?.map(|(ino, _)| ino);
        let _held = self.locks.lock(&[spot.dir, old.unwrap_or(spot.dir)]);
        let (mut edit, now) = (Edit::new(self), self.now());
        let mut batch = Batch::new(Class::Data);
        let mode = FileKind::Regular.bits() | 0o600;
        let mut inode = Inode::born(mode, root.uid, root.gid, now);
        let ino = self.fresh_ino();
        let sealed = self.fill(ino, &mut inode, bytes, &mut batch)?;
        edit.remove(spot)?;
        edit.insert(spot, ino, FileKind::Regular)?;
        edit.count(spot.dir, i64::from(old.is_none()), 0, now)?;
        edit.add(ino, inode);
        // Last: what fails behind it would have to be undone.
        let leaves = match old {
            Some(old) => self.unname(&mut edit, old, &mut batch)?,
            None => Leaves::Stays,
        };
        edit.finish(&mut batch);
        self.append_removal(batch, sealed, &leaves)
    }
}
