use crate::format::rows::{Inode, Key};
use crate::journal::{Batch, Class, Sealed};
use crate::pod::Pod;
use crate::pod::attr::Attr;
use crate::pod::contents::{Freed, SharedGuard};
use crate::pod::edit::{Edit, Spot};
use crate::pod::error::PodError;
use crate::types::{Ino, SHARED};

/// What becomes of an inode whose last name went.
pub(super) enum Leaves<'p> {
    /// Other names, or nothing to do.
    Stays,
    /// All its rows go with the batch.
    Erased(
        Ino,
        Attr,
        #[expect(dead_code, reason = "held until the batch is appended")] Option<SharedGuard<'p>>,
    ),
    /// It is open: an orphan until the last close.
    Orphan(Ino),
    /// Its contents are too many for one record: the reaper goes on, and buries it.
    Rest(Ino),
}

impl Pod {
    /// Removes a name that is no directory's; with the last name and the last open of a file its contents go.
    pub fn unlink(&self, dir: Ino, name: &[u8]) -> Result<(), PodError> {
        match self.to_remove((dir, name), false)? {
            Some(dir) => self.remove(&self.spot(dir, name)?, false),
            None => Ok(()),
        }
    }

    /// Removes an empty directory.
    pub fn rmdir(&self, dir: Ino, name: &[u8]) -> Result<(), PodError> {
        match self.to_remove((dir, name), true)? {
            Some(dir) => self.remove(&self.spot(dir, name)?, true),
            None => Ok(()),
        }
    }

    /// Takes a name away, in whoever's directory.
    pub(super) fn remove(&self, spot: &Spot, directory: bool) -> Result<(), PodError> {
        self.rows.admit(0)?;
        loop {
            let (ino, kind) = self.named(spot)?.ok_or(PodError::NotFound)?;
            if ino == SHARED {
                return Err(PodError::NotPermitted);
            }
            let _held = self.locks.lock(&[spot.dir, ino]);
            let mut edit = Edit::new(self);
            if edit.entry(spot)? != Some((ino, kind)) {
                continue;
            }
            let is_dir = edit.inode(ino)?.is_dir();
            match (is_dir, directory) {
                (true, false) => return Err(PodError::IsADirectory),
                (false, true) => return Err(PodError::NotADirectory),
                (true, true) | (false, false) => {}
            }
            let now = self.now();
            let mut batch = Batch::new(Class::Meta);
            edit.remove(spot)?;
            edit.count(spot.dir, -1, -i32::from(is_dir), now)?;
            let leaves = self.unname(&mut edit, ino, &mut batch)?;
            edit.finish(&mut batch);
            return self.append_removal(batch, None, &leaves);
        }
    }

    /// Takes one name off `ino`, whose lock is held, and with the last one everything. Directories must be empty.
    pub(super) fn unname(
        &self,
        edit: &mut Edit<'_>,
        ino: Ino,
        batch: &mut Batch,
    ) -> Result<Leaves<'_>, PodError> {
        let now = self.now();
        let inode = edit.inode(ino)?;
        inode.ctime = now;
        if inode.is_dir() {
            if inode.size > 0 {
                return Err(PodError::NotEmpty);
            }
            self.boxes.refuse_removal(ino)?;
            inode.nlink = 0;
        } else {
            inode.nlink = inode.nlink.saturating_sub(1);
            if inode.nlink > 0 {
                return Ok(Leaves::Stays);
            }
        }
        let inode = edit.take(ino)?;
        self.erase(ino, inode, batch)
    }

    /// Rows for the end of an inode without names, whose lock is held.
    fn erase(&self, ino: Ino, mut inode: Inode, batch: &mut Batch) -> Result<Leaves<'_>, PodError> {
        let last = Attr::of(ino, &inode);
        if !self.opens.doom(ino) {
            batch.put(Key::inode(ino), inode.encode());
            batch.put(Key::orphan(ino), Vec::new());
            return Ok(Leaves::Orphan(ino));
        }
        match self.erase_rows(ino, &mut inode, batch) {
            Ok(Freed::Now(guard)) => Ok(Leaves::Erased(ino, last, guard)),
            Ok(Freed::Later) => Ok(Leaves::Rest(ino)),
            Err(error) => {
                self.opens.spare(ino);
                Err(error)
            }
        }
    }

    /// Deletes the rows of the inode; where its contents are too many, it leaves them and a note to the reaper.
    fn erase_rows(
        &self,
        ino: Ino,
        inode: &mut Inode,
        batch: &mut Batch,
    ) -> Result<Freed<'_>, PodError> {
        let freed = self.free_contents(ino, inode, batch)?;
        if matches!(freed, Freed::Later) {
            batch.put(Key::inode(ino), inode.encode());
            batch.put(Key::orphan(ino), Vec::new());
            return Ok(freed);
        }
        if inode.xattrs > 0 {
            self.each_xattr_row(ino, |key, _| {
                batch.delete(key);
                Ok(())
            })?;
        }
        self.forget_notes(ino, batch);
        batch.delete(Key::inode(ino));
        Ok(freed)
    }

    /// Appends a batch that ends an inode, and the pages it names, and settles what others may still see of it.
    pub(super) fn append_removal(
        &self,
        batch: Batch,
        sealed: Option<Sealed>,
        leaves: &Leaves<'_>,
    ) -> Result<(), PodError> {
        self.append_removals(batch, sealed, [leaves])
    }

    /// The same of several.
    pub(super) fn append_removals<const N: usize>(
        &self,
        batch: Batch,
        sealed: Option<Sealed>,
        all: [&Leaves<'_>; N],
    ) -> Result<(), PodError> {
        let result = self.rows.append(batch, sealed);
        for leaves in all {
            match (leaves, &result) {
                (_, Err(_)) => self.revive(leaves),
                (Leaves::Erased(ino, last, _), Ok(())) => self.opens.bury(*ino, *last),
                (Leaves::Stays | Leaves::Orphan(_) | Leaves::Rest(_), Ok(())) => {}
            }
        }
        Ok(result?)
    }

    /// The inode keeps its last name after all.
    pub(super) fn revive(&self, leaves: &Leaves<'_>) {
        match leaves {
            Leaves::Erased(ino, _, _) | Leaves::Rest(ino) | Leaves::Orphan(ino) => {
                self.opens.spare(*ino);
            }
            Leaves::Stays => {}
        }
    }

    /// Ends an orphan at its last close.
    pub(super) fn bury_orphan(&self, ino: Ino) -> Result<(), PodError> {
        let _held = self.locks.lock(&[ino]);
        let Some(inode) = self.find_inode(ino)? else {
            return Ok(());
        };
        if inode.nlink > 0 {
            return Ok(());
        }
        let mut batch = Batch::new(Class::Meta);
        let leaves = self.erase(ino, inode, &mut batch)?;
        if matches!(leaves, Leaves::Erased(_, _, _)) {
            batch.delete(Key::orphan(ino));
        }
        self.append_removal(batch, None, &leaves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::Caller;
    use crate::types::ROOT;

    const OWNER: Caller = Caller { uid: 0, gid: 0 };

    fn rows(pod: &Pod) -> usize {
        let all = (Key::dentry(Ino(0), 0), Key::xattr(Ino(u64::MAX), u64::MAX));
        pod.rows.scan(&all.0, &all.1, usize::MAX).unwrap().len()
    }

    #[test]
    fn removing_what_was_made_leaves_no_row() {
        let pod = Pod::in_memory();
        let before = rows(&pod);
        let file = pod.create(ROOT, b"f", 0o600, OWNER).unwrap().ino;
        pod.release(file).unwrap();
        pod.setxattr(file, b"user.a", b"1", crate::pod::XattrMode::Either)
            .unwrap();
        pod.link(file, ROOT, b"g").unwrap();
        pod.mkdir(ROOT, b"d", 0o700, OWNER).unwrap();
        pod.unlink(ROOT, b"f").unwrap();
        assert_eq!(pod.getattr(file).unwrap().nlink, 1);
        pod.unlink(ROOT, b"g").unwrap();
        pod.rmdir(ROOT, b"d").unwrap();
        assert_eq!(rows(&pod), before);
        assert_eq!(pod.getattr(ROOT).unwrap().nlink, 2);
        assert_eq!(pod.inode(ROOT).unwrap().size, 0);
    }

    #[test]
    fn an_open_file_outlives_its_name_and_goes_with_the_last_close() {
        let pod = Pod::in_memory();
        let before = rows(&pod);
        let file = pod.create(ROOT, b"f", 0o600, OWNER).unwrap().ino;
        pod.open(file).unwrap();
        pod.unlink(ROOT, b"f").unwrap();
        assert!(matches!(pod.lookup(ROOT, b"f"), Err(PodError::NotFound)));
        assert_eq!(pod.getattr(file).unwrap().nlink, 0);
        assert!(pod.rows.get(&Key::orphan(file)).unwrap().is_some());
        pod.release(file).unwrap();
        assert!(pod.inode(file).is_ok());
        pod.release(file).unwrap();
        assert_eq!(rows(&pod), before);
        assert!(matches!(pod.open(file), Err(PodError::NotFound)));
        assert_eq!(pod.getattr(file).unwrap().nlink, 0, "until it is forgotten");
        pod.forget(file);
        assert!(matches!(pod.getattr(file), Err(PodError::NotFound)));
    }

    #[test]
    fn kinds_and_contents_are_respected() {
        let pod = Pod::in_memory();
        let dir = pod.mkdir(ROOT, b"d", 0o700, OWNER).unwrap().ino;
        pod.mknod(dir, b"f", (0o600, 0), OWNER).unwrap();
        assert!(matches!(
            pod.unlink(ROOT, b"d"),
            Err(PodError::IsADirectory)
        ));
        assert!(matches!(pod.rmdir(ROOT, b"d"), Err(PodError::NotEmpty)));
        assert!(matches!(pod.rmdir(dir, b"f"), Err(PodError::NotADirectory)));
        assert!(matches!(pod.rmdir(ROOT, b"x"), Err(PodError::NotFound)));
        pod.unlink(dir, b"f").unwrap();
        pod.rmdir(ROOT, b"d").unwrap();
        assert!(matches!(
            pod.create(dir, b"late", 0o600, OWNER),
            Err(PodError::NotFound)
        ));
    }
}
