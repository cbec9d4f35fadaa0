use crate::pod::Pod;
use crate::pod::error::PodError;
use crate::types::Ino;

impl Pod {
    /// Counts an open of a file. Until the matching [`Pod::release`] its contents stay, whatever becomes of its names.
    pub fn open(&self, ino: Ino) -> Result<(), PodError> {
        if !self.opens.open(ino) {
            return Err(PodError::NotFound);
        }
        // Looked for only after it was counted: from then on nobody erases it.
        let found = match self.find_inode(ino) {
            Ok(Some(inode)) if inode.is_dir() => Err(PodError::IsADirectory),
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(PodError::NotFound),
            Err(error) => Err(error),
        };
        if found.is_err() {
            self.opens.close(ino);
        }
        found
    }

    /// Takes back one [`Pod::open`] or [`Pod::create`]. The last one of a file without names erases it; if that
    /// fails, the reaper tries again.
    pub fn release(&self, ino: Ino) -> Result<(), PodError> {
        if !self.opens.close(ino) {
            return Ok(());
        }
        let buried = self.bury_orphan(ino);
        if buried.is_err() {
            self.reaper.push(ino);
        }
        buried
    }

    /// Makes everything done so far durable on this machine: the file, its names and all before it.
    pub fn fsync(&self) -> Result<(), PodError> {
        Ok(self.rows.sync()?)
    }

    /// Whether a file was opened since this was last asked of it: what is in use is given up last.
    pub fn was_used(&self, ino: Ino) -> bool {
        self.opens.was_used(ino)
    }

    /// The kernel knows the inode no more.
    pub fn forget(&self, ino: Ino) {
        self.opens.forget(ino);
    }
}
