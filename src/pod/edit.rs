use crate::format::rows::{Dentries, Dentry, FileKind, Inode, Key};
use crate::journal::Batch;
use crate::pod::Pod;
use crate::pod::error::PodError;
use crate::pod::state::is_reserved;
use crate::types::{Ino, Name, ROOT, Timespec};

/// A name in a directory, whether anything has it or not.
#[derive(Clone)]
pub(super) struct Spot {
    /// The directory.
    pub(super) dir: Ino,
    /// The name.
    pub(super) name: Name,
    /// Its hash in that directory.
    pub(super) hash: u64,
}

/// Rows of one namespace operation while it is put together: each is read once, changed in place and written once,
/// whichever of the directories, names and inodes of the operation are the same. The inodes are locked by the caller.
pub(super) struct Edit<'p> {
    pod: &'p Pod,
    inodes: Vec<(Ino, Inode)>,
    rows: Vec<(Ino, u64, Dentries)>,
    /// Parent rows to be settled: inode, directory, hash.
    links: Vec<(Ino, Ino, u64)>,
}

impl<'p> Edit<'p> {
    pub(super) const fn new(pod: &'p Pod) -> Self {
        Self {
            pod,
            inodes: Vec::new(),
            rows: Vec::new(),
            links: Vec::new(),
        }
    }

    /// The inode, to be changed.
    pub(super) fn inode(&mut self, ino: Ino) -> Result<&mut Inode, PodError> {
        let known = self.inodes.iter().position(|(known, _)| *known == ino);
        if known.is_none() {
            self.inodes.push((ino, self.pod.inode(ino)?));
        }
        let at = known.unwrap_or(self.inodes.len() - 1);
        let found = self.inodes.get_mut(at).map(|(_, inode)| inode);
        found.ok_or(PodError::NotFound)
    }

    /// Takes the inode out: the caller writes or deletes its row.
    pub(super) fn take(&mut self, ino: Ino) -> Result<Inode, PodError> {
        match self.inodes.iter().position(|(known, _)| *known == ino) {
            Some(at) => Ok(self.inodes.swap_remove(at).1),
            None => self.pod.inode(ino),
        }
    }

    /// A new inode.
    pub(super) fn add(&mut self, ino: Ino, inode: Inode) {
        self.inodes.push((ino, inode));
    }

    /// The inode of a directory, to be changed.
    pub(super) fn directory(&mut self, ino: Ino) -> Result<&mut Inode, PodError> {
        let inode = self.inode(ino)?;
        if inode.is_dir() {
            Ok(inode)
        } else {
            Err(PodError::NotADirectory)
        }
    }

    fn row(&mut self, spot: &Spot) -> Result<&mut Dentries, PodError> {
        let same = |(dir, hash, _): &(Ino, u64, Dentries)| (*dir, *hash) == (spot.dir, spot.hash);
        let known = self.rows.iter().position(same);
        if known.is_none() {
            let row = self.pod.entries(spot)?;
            self.rows.push((spot.dir, spot.hash, row));
        }
        let at = known.unwrap_or(self.rows.len() - 1);
        let found = self.rows.get_mut(at).map(|(_, _, row)| row);
        found.ok_or(PodError::NotFound)
    }

    /// What the name names.
    pub(super) fn entry(&mut self, spot: &Spot) -> Result<Option<(Ino, FileKind)>, PodError> {
        let found = self.row(spot)?.find(&spot.name);
        Ok(found.map(|entry| (entry.ino, entry.kind)))
    }

    /// Gives the name to `ino`. The name is free.
    pub(super) fn insert(&mut self, spot: &Spot, ino: Ino, kind: FileKind) -> Result<(), PodError> {
        let name = spot.name.clone();
        self.row(spot)?.0.push(Dentry { ino, kind, name });
        self.links.push((ino, spot.dir, spot.hash));
        Ok(())
    }

    /// Takes the name from whatever has it.
    pub(super) fn remove(&mut self, spot: &Spot) -> Result<(), PodError> {
        let row = self.row(spot)?;
        if let Some(at) = row.0.iter().position(|entry| entry.name == spot.name) {
            let ino = row.0.remove(at).ino;
            self.links.push((ino, spot.dir, spot.hash));
        }
        Ok(())
    }

    /// The directory has `more` entries and `subdirs` subdirectories more than before (or fewer), since `now`.
    pub(super) fn count(
        &mut self,
        dir: Ino,
        more: i64,
        subdirs: i32,
        now: Timespec,
    ) -> Result<(), PodError> {
        let inode = self.directory(dir)?;
        inode.size = inode.size.saturating_add_signed(more);
        inode.nlink = inode.nlink.saturating_add_signed(subdirs);
        inode.mtime = now;
        inode.ctime = now;
        Ok(())
    }

    /// Puts all changed rows into `batch`.
    pub(super) fn finish(self, batch: &mut Batch) {
        let mut links = self.links;
        links.sort_unstable();
        links.dedup();
        for (ino, dir, hash) in links {
            let named = self.rows.iter().any(|(at, row_hash, row)| {
                (*at, *row_hash) == (dir, hash) && row.0.iter().any(|entry| entry.ino == ino)
            });
            let key = Key::parent(ino, dir, hash);
            if named {
                batch.put(key, Vec::new());
            } else {
                batch.delete(key);
            }
        }
        for (dir, hash, row) in self.rows {
            let key = Key::dentry(dir, hash);
            if row.0.is_empty() {
                batch.delete(key);
            } else {
                batch.put(key, row.encode());
            }
        }
        for (ino, inode) in self.inodes {
            batch.put(Key::inode(ino), inode.encode());
        }
    }
}

impl Pod {
    /// Where `name` is or would be in `dir`, for programs: [`PodError::NotPermitted`] when it is not theirs.
    pub(super) fn spot(&self, dir: Ino, name: &[u8]) -> Result<Spot, PodError> {
        if is_reserved(dir, name) {
            return Err(PodError::NotPermitted);
        }
        self.any_spot(dir, name)
    }

    /// The same for every name.
    pub(super) fn any_spot(&self, dir: Ino, name: &[u8]) -> Result<Spot, PodError> {
        let name = Name::parse(name)?;
        let hash = self.rows.name_hash(dir, name.as_bytes());
        Ok(Spot { dir, name, hash })
    }

    /// All entries whose names have the spot's hash.
    pub(super) fn entries(&self, spot: &Spot) -> Result<Dentries, PodError> {
        let row = self.rows.get(&Key::dentry(spot.dir, spot.hash))?;
        let row = row.map(|row| Dentries::decode(&row)).transpose()?;
        let mut row = row.unwrap_or_default();
        if spot.dir == ROOT && row.find(&spot.name).is_none() {
            row.0.extend(self.shared_entry(spot.name.as_bytes())?);
        }
        Ok(row)
    }

    /// What the name names this moment.
    pub(super) fn named(&self, spot: &Spot) -> Result<Option<(Ino, FileKind)>, PodError> {
        let row = self.entries(spot)?;
        Ok(row.find(&spot.name).map(|entry| (entry.ino, entry.kind)))
    }
}
