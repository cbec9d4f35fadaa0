use crate::pod::Pod;
use crate::pod::error::PodError;
use crate::types::Ino;

impl Pod {
    /// Counts an open of a file. Until the matching [`Pod::release`] its contents stay, whatever happens to its names.
    pub fn open(&self, ino: Ino) -> Result<(), PodError> {
        if !self.opens.open(ino) {
            return Err(PodError::NotFound);
        }
        // Looked for only after it was counted: from then on nobody removes it.
        match self.find_inode(ino) {
            Ok(Some(inode)) if inode.is_dir() => {
                self.opens.close(ino);
                Err(PodError::IsADirectory)
            }
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                self.opens.close(ino);
                Err(PodError::NotFound)
            }
            Err(error) => {
                self.release(ino);
                Err(error)
            }
        }
    }
}

impl Pod {
    /// Takes back one [`Pod::open`] or [`Pod::create`].
    pub fn release(&self, ino: Ino) {
        self.opens.close(ino);
    }
}
