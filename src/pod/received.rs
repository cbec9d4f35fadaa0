//! What others share: a tree of its own below `Shared with me`, which is written by whoever receives and by nobody
//! else.
//!
//! Its rows stand among those of the pod, under numbers that no device has, and are published by nobody. A file whose
//! contents are others than before is another file under the same name, as if it had been renamed over it: whoever has
//! the old one open reads it to its end.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::format::rows::{Dentries, Dentry, FileKind, Inode, Key, Published, Xattr, Xattrs};
use crate::journal::{Batch, Class};
use crate::pod::edit::{Edit, Spot};
use crate::pod::error::PodError;
use crate::pod::remove::Leaves;
use crate::pod::{Caller, Pod};
use crate::types::{Ino, Name, RECEIVED, ROOT, SHARED};

/// Name of the directory of what others share, in the root directory.
pub(super) const SHARED_NAME: &[u8] = b"Shared with me";

/// Permissions of the directories above what is shared.
const ABOVE: u32 = 0o555;
/// Bytes that a record brings to the log, roughly.
const STEP_BYTES: u64 = 128 * 1024;

/// Something that others share, as it is now.
pub struct Arrived {
    /// Its attributes; number of links, number of pages and, of a directory, size are counted here.
    pub inode: Inode,
    /// Its extended attributes.
    pub xattrs: Vec<Xattr>,
    /// Pages that a file has.
    pub pages: Vec<Range<u64>>,
    /// Where its contents are.
    pub published: Published,
}

/// The kernel, which remembers names and attributes until it is told.
pub trait Kernel: Send + Sync {
    /// A name in a directory is another or none.
    fn name_changed(&self, dir: Ino, name: &[u8]);
    /// Attributes, contents or names of an inode are others.
    fn inode_changed(&self, ino: Ino);
}

impl Pod {
    /// From now on the kernel hears of what others change. Said once, when the mount is served.
    pub fn set_kernel(&self, kernel: Arc<dyn Kernel>) {
        if self.kernel.set(kernel).is_err() {
            tracing::warn!("the pod is served twice");
        }
    }

    /// Whether the owner may write to it: not to what others share, unless it may be changed.
    ///
    /// # Errors
    /// [`PodError::ReadOnly`].
    pub fn may_be_written(&self, ino: Ino) -> Result<(), PodError> {
        if self.meant(ino).is_received() && !self.is_changeable(ino)? {
            return Err(PodError::ReadOnly);
        }
        Ok(())
    }

    /// The entry of what others share, if `name` in the root directory is that one and there is any.
    pub(super) fn shared_entry(&self, name: &[u8]) -> Result<Option<Dentry>, PodError> {
        if name != SHARED_NAME || self.find_inode(SHARED)?.is_none() {
            return Ok(None);
        }
        Ok(Some(Dentry {
            ino: SHARED,
            kind: FileKind::Directory,
            name: Name::parse(SHARED_NAME)?,
        }))
    }

    /// The directory of what one person shares; it is made when it is missing.
    ///
    /// # Errors
    /// [`PodError::Exists`]: the owner has something of their own under the name of the directory above it.
    pub fn receive_person(&self, person: &Name, owner: Caller) -> Result<Ino, PodError> {
        let now = self.now();
        let mode = FileKind::Directory.bits() | ABOVE;
        let above = Inode::born(mode, owner.uid, owner.gid, now);
        let spot = self.spot(ROOT, SHARED_NAME)?;
        if self.named(&spot)?.is_some_and(|(ino, _)| ino != SHARED) {
            return Err(PodError::Exists);
        }
        if self.find_inode(SHARED)?.is_none() {
            let mut batch = Batch::new(Class::Meta);
            batch.put(Key::inode(SHARED), above.encode());
            self.rows.append_unseen(batch, None)?;
            self.tell(ROOT, SHARED_NAME);
        }
        let spot = self.spot(SHARED, person.as_bytes())?;
        match self.named(&spot)? {
            Some((ino, _)) => Ok(ino),
            None => self.arrive(&spot, above, None),
        }
    }

    /// The names in a directory of the tree, and what they name.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn received_names(&self, dir: Ino) -> Result<Vec<(Name, Ino)>, PodError> {
        let (from, to) = (Key::dentry(dir, 0), Key::dentry(dir, u64::MAX));
        let mut names = Vec::new();
        for (_, row) in self.rows.scan(&from, &to, usize::MAX)? {
            let row = Dentries::decode(&row)?;
            names.extend(row.0.into_iter().map(|entry| (entry.name, entry.ino)));
        }
        Ok(names)
    }

    /// From now on `name` in `dir` is what arrived. A directory stays the one that it was, with what is in it.
    ///
    /// # Errors
    /// When there is no room, or the log fails.
    pub fn receive(&self, dir: Ino, name: &Name, arrived: &Arrived) -> Result<Ino, PodError> {
        let spot = self.spot(dir, name.as_bytes())?;
        if let Some((ino, kind)) = self.named(&spot)? {
            if self.is_what_arrived((ino, kind), arrived)? {
                self.renew(ino, arrived)?;
                return Ok(ino);
            }
            if kind == FileKind::Directory {
                self.withdraw(dir, name)?;
            }
        }
        self.arrive(&spot, arrived.inode.clone(), Some(arrived))
    }

    /// Whether the contents are those that are known.
    fn is_what_arrived(
        &self,
        (ino, kind): (Ino, FileKind),
        arrived: &Arrived,
    ) -> Result<bool, PodError> {
        if kind != arrived.inode.kind() {
            return Ok(false);
        }
        let now = self.inode(ino)?;
        Ok(match kind {
            FileKind::Directory => true,
            FileKind::Symlink => now.target == arrived.inode.target,
            FileKind::Regular
            | FileKind::Fifo
            | FileKind::Socket
            | FileKind::CharDevice
            | FileKind::BlockDevice => {
                now.size == arrived.inode.size
                    && self.find_published(ino)?.map(|row| row.contents)
                        == Some(arrived.published.contents.clone())
            }
        })
    }

    pub(super) fn find_published(&self, ino: Ino) -> Result<Option<Published>, PodError> {
        let row = self.rows.get(&Key::published(ino))?;
        Ok(row.map(|row| Published::decode(&row)).transpose()?)
    }

    /// Attributes of something whose contents are what they were.
    fn renew(&self, ino: Ino, arrived: &Arrived) -> Result<(), PodError> {
        self.rows.admit(STEP_BYTES)?;
        let held = self.locks.lock(&[ino]);
        let before = self.inode(ino)?;
        let inode = Inode {
            nlink: before.nlink,
            size: before.size,
            pages: before.pages,
            cut: before.cut,
            ..arrived.inode.clone()
        };
        let mut batch = Batch::new(Class::Meta);
        let attributes = self.attribute_rows(ino, &arrived.xattrs);
        self.each_xattr_row(ino, |key, _| {
            if !attributes.iter().any(|(new, _)| *new == key) {
                batch.delete(key);
            }
            Ok(())
        })?;
        for (key, row) in attributes {
            if self.rows.get(&key)?.as_deref() != Some(&*row) {
                batch.put(key, row);
            }
        }
        let inode = inode_with(inode, &arrived.xattrs);
        let published = arrived.published.encode();
        if self.rows.get(&Key::published(ino))?.as_deref() != Some(&*published) {
            batch.put(Key::published(ino), published);
        }
        if inode != before {
            batch.put(Key::inode(ino), inode.encode());
            self.carry_taken(ino, ino, &mut batch)?;
        }
        if !batch.rows.is_empty() {
            self.rows.append_unseen(batch, None)?;
            drop(held);
            self.tell_inode(ino);
        }
        Ok(())
    }

    /// Extended attributes as rows: those whose names share a hash share one.
    pub(super) fn attribute_rows(&self, ino: Ino, xattrs: &[Xattr]) -> Vec<(Key, Vec<u8>)> {
        let mut rows: Vec<(Key, Xattrs)> = Vec::new();
        for xattr in xattrs {
            let key = Key::xattr(ino, self.rows.name_hash(ino, &xattr.name));
            match rows.iter_mut().find(|(known, _)| *known == key) {
                Some((_, row)) => row.0.push(xattr.clone()),
                None => rows.push((key, Xattrs(vec![xattr.clone()]))),
            }
        }
        let rows = rows.into_iter();
        rows.map(|(key, row)| (key, row.encode())).collect()
    }

    /// A new inode under a name; what had the name goes in the same step.
    fn arrive(
        &self,
        spot: &Spot,
        inode: Inode,
        arrived: Option<&Arrived>,
    ) -> Result<Ino, PodError> {
        self.rows.admit(STEP_BYTES)?;
        let ino = Ino::new(RECEIVED, self.counter.fetch_add(1, Ordering::Relaxed));
        let other = self.named(spot)?;
        let before = other.map_or(spot.dir, |(before, _)| before);
        let held = self.locks.lock(&[spot.dir, before, ino]);
        let mut edit = Edit::new(self);
        let mut batch = Batch::new(Class::Data);
        let now = self.now();
        let is_dir = inode.is_dir();
        let mut inode = Inode {
            nlink: if is_dir { 2 } else { 1 },
            size: if is_dir { 0 } else { inode.size },
            pages: 0,
            cut: u64::MAX,
            ..inode
        };
        let mut guard = None;
        if let Some(arrived) = arrived {
            guard = Some(self.put_remote(ino, &mut inode, &arrived.pages, &mut batch)?);
            for (key, row) in self.attribute_rows(ino, &arrived.xattrs) {
                batch.put(key, row);
            }
            inode = inode_with(inode, &arrived.xattrs);
            batch.put(Key::published(ino), arrived.published.encode());
        }
        let leaves = match other {
            Some((old, _)) => {
                edit.remove(spot)?;
                edit.count(spot.dir, -1, 0, now)?;
                self.carry_taken(old, ino, &mut batch)?;
                self.unname(&mut edit, old, &mut batch)?
            }
            None => Leaves::Stays,
        };
        let kind = inode.kind();
        edit.add(ino, inode);
        let placed = edit
            .insert(spot, ino, kind)
            .and_then(|()| edit.count(spot.dir, 1, i32::from(is_dir), now));
        if let Err(error) = placed {
            self.revive(&leaves);
            return Err(error);
        }
        edit.finish(&mut batch);
        self.append_removal(batch, None, &leaves)?;
        drop((guard, held));
        self.tell(spot.dir, spot.name.as_bytes());
        Ok(ino)
    }

    /// Takes a name of the tree away, and all that is below it. What is open can be read to its end.
    ///
    /// # Errors
    /// When the log fails; a part may be gone by then.
    pub fn withdraw(&self, dir: Ino, name: &Name) -> Result<(), PodError> {
        let spot = self.spot(dir, name.as_bytes())?;
        let Some((ino, kind)) = self.named(&spot)? else {
            return Ok(());
        };
        let is_dir = kind == FileKind::Directory;
        if is_dir {
            for (below, _) in self.received_names(ino)? {
                self.withdraw(ino, &below)?;
            }
        }
        self.remove(&spot, is_dir)?;
        self.tell(dir, name.as_bytes());
        Ok(())
    }

    /// Takes away what one person shares under a name, and the directories above it when they are empty.
    ///
    /// # Errors
    /// When the log fails.
    pub fn withdraw_share(&self, person: &Name, name: &Name) -> Result<(), PodError> {
        let spot = self.spot(SHARED, person.as_bytes())?;
        let Some((dir, _)) = self.named(&spot)? else {
            return Ok(());
        };
        self.withdraw(dir, name)?;
        if self.received_names(dir)?.is_empty() {
            self.withdraw(SHARED, person)?;
        }
        if self.received_names(SHARED)?.is_empty() {
            let mut batch = Batch::new(Class::Meta);
            batch.delete(Key::inode(SHARED));
            self.rows.append_unseen(batch, None)?;
            self.tell(ROOT, SHARED_NAME);
        }
        Ok(())
    }

    /// Called with no lock held: the kernel may wait for an operation that wants one.
    pub(super) fn tell(&self, dir: Ino, name: &[u8]) {
        if let Some(kernel) = self.kernel.get() {
            kernel.name_changed(self.known_as(dir), name);
        }
        self.tell_inode(dir);
    }

    pub(super) fn tell_inode(&self, ino: Ino) {
        if let Some(kernel) = self.kernel.get() {
            kernel.inode_changed(self.known_as(ino));
        }
    }
}

fn inode_with(inode: Inode, xattrs: &[Xattr]) -> Inode {
    Inode {
        xattrs: u32::try_from(xattrs.len()).unwrap_or(u32::MAX),
        ..inode
    }
}

/// Nobody but who receives changes what others share.
pub(super) fn refuse_received(inodes: &[Ino]) -> Result<(), PodError> {
    if inodes.iter().any(|ino| ino.is_received()) {
        Err(PodError::ReadOnly)
    } else {
        Ok(())
    }
}
