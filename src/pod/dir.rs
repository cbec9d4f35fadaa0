use crate::format::rows::{Dentries, Dentry, Inode, Key};
use crate::pod::Pod;
use crate::pod::attr::Attr;
use crate::pod::error::PodError;
use crate::types::{Ino, Name};

/// A name in a directory and the row where it is or would be.
pub(super) struct Place {
    /// The directory.
    pub(super) dir: Ino,
    /// The name.
    pub(super) name: Name,
    /// Its hash in that directory.
    pub(super) hash: u64,
    /// All entries of the row: names with the same hash.
    pub(super) entries: Dentries,
}

impl Place {
    /// The entry of that name, if there is one.
    pub(super) fn entry(&self) -> Option<&Dentry> {
        self.entries.find(&self.name)
    }

    /// Key of the row.
    pub(super) fn key(&self) -> Key {
        Key::dentry(self.dir, self.hash)
    }
}

impl Pod {
    /// What `name` in `dir` names.
    pub fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Attr, PodError> {
        let name = Name::parse(name)?;
        // A rename or unlink may come between the two reads; what the entry says then is read again.
        for _ in 0..8 {
            let place = self.place(dir, name.clone())?;
            let Some(ino) = place.entry().map(|entry| entry.ino) else {
                return Err(PodError::NotFound);
            };
            if let Some(inode) = self.find_inode(ino)? {
                return Ok(Attr::of(ino, &inode));
            }
        }
        Err(PodError::Corrupt("a name without its inode".into()))
    }

    /// Target of a symlink.
    pub fn readlink(&self, ino: Ino) -> Result<Box<[u8]>, PodError> {
        let inode = self.inode(ino)?;
        if inode.target.is_empty() {
            Err(PodError::InvalidArgument)
        } else {
            Ok(inode.target)
        }
    }

    /// The row where `name` is in `dir`, or would be.
    pub(super) fn place(&self, dir: Ino, name: Name) -> Result<Place, PodError> {
        let hash = self.rows.name_hash(dir, name.as_bytes());
        let entries = match self.rows.get(&Key::dentry(dir, hash))? {
            Some(row) => Dentries::decode(&row)?,
            None => Dentries::default(),
        };
        Ok(Place {
            dir,
            name,
            hash,
            entries,
        })
    }

    /// The inode of a directory.
    pub(super) fn directory(&self, ino: Ino) -> Result<Inode, PodError> {
        let inode = self.inode(ino)?;
        if inode.is_dir() {
            Ok(inode)
        } else {
            Err(PodError::NotADirectory)
        }
    }
}
