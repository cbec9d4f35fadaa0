//! The pod as it was at a cut: rows and pages that requests no longer change.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::format::rows::{
    Attached, Bucket, Dentries, Inode, Key, PageState, Revocation, Xattr, Xattrs,
};
use crate::format::wire::Malformed;
use crate::journal::{Journal, Snapshot, Value};
use crate::sync::error::SyncError;
use crate::types::limits::PAGE;
use crate::types::{Ino, Name};

/// A pinned checkpoint and the log that it is in.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    journal: &'a Journal,
    at: &'a Snapshot,
}

impl<'a> View<'a> {
    pub(super) const fn new(journal: &'a Journal, at: &'a Snapshot) -> Self {
        Self { journal, at }
    }

    fn row(&self, key: &Key) -> Result<Option<Value>, SyncError> {
        Ok(self.journal.row_at(self.at, key)?)
    }

    /// Shows rows with `from <= key <= to` in order.
    fn rows(
        &self,
        from: &Key,
        to: &Key,
        mut show: impl FnMut(&Key, &[u8]) -> Result<(), SyncError>,
    ) -> Result<(), SyncError> {
        let mut cursor = Some(*from);
        while let Some(from) = cursor {
            let step = self.journal.rows_at(self.at, &from, to)?;
            for (key, row) in &step.rows {
                show(key, row)?;
            }
            cursor = step.next;
        }
        Ok(())
    }

    pub(super) fn inode(&self, ino: Ino) -> Result<Option<Inode>, SyncError> {
        let row = self.row(&Key::inode(ino))?;
        Ok(row.map(|row| Inode::decode(&row)).transpose()?)
    }

    /// The directories that are boxes.
    pub(super) fn boxes(&self) -> Result<BTreeMap<Ino, Attached>, SyncError> {
        let mut boxes = BTreeMap::new();
        let (from, to) = Key::all_attached();
        self.rows(&from, &to, |key, row| {
            boxes.insert(Ino(key.field(0)), Attached::decode(row)?);
            Ok(())
        })?;
        Ok(boxes)
    }

    /// What is named `name` in a directory, by the hash of the name.
    pub(super) fn named(&self, dir: Ino, hash: u64, name: &Name) -> Result<Option<Ino>, SyncError> {
        let Some(row) = self.row(&Key::dentry(dir, hash))? else {
            return Ok(None);
        };
        Ok(Dentries::decode(&row)?.find(name).map(|entry| entry.ino))
    }

    /// All names of a directory and what they name, in the order of the names.
    pub(super) fn names(&self, dir: Ino) -> Result<Vec<(Name, Ino)>, SyncError> {
        let mut names = Vec::new();
        self.rows(
            &Key::dentry(dir, 0),
            &Key::dentry(dir, u64::MAX),
            |_, row| {
                let entries = Dentries::decode(row)?.0.into_iter();
                names.extend(entries.map(|entry| (entry.name, entry.ino)));
                Ok(())
            },
        )?;
        names.sort_unstable();
        Ok(names)
    }

    /// What is named in a directory.
    pub(super) fn named_in(&self, dir: Ino) -> Result<Vec<Ino>, SyncError> {
        let names = self.names(dir)?.into_iter();
        Ok(names.map(|(_, ino)| ino).collect())
    }

    /// What was done, or is to be done, about grants that ended.
    pub(super) fn revocations(&self) -> Result<Vec<Revocation>, SyncError> {
        let mut found = Vec::new();
        let (from, to) = Key::all_revocations();
        self.rows(&from, &to, |_, row| {
            found.push(Revocation::decode(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// Every directory and name of an inode, in order.
    pub(super) fn parents(&self, ino: Ino) -> Result<Vec<(Ino, Name)>, SyncError> {
        let mut places = Vec::new();
        let (from, to) = (Ino(0), Ino(u64::MAX));
        let (from, to) = (Key::parent(ino, from, 0), Key::parent(ino, to, u64::MAX));
        self.rows(&from, &to, |key, _| {
            places.push((Ino(key.field(1)), key.field(2)));
            Ok(())
        })?;
        let mut parents = Vec::new();
        for (dir, hash) in places {
            let Some(row) = self.row(&Key::dentry(dir, hash))? else {
                return Err(Malformed("directory row").into());
            };
            let entries = Dentries::decode(&row)?.0.into_iter();
            let ours = entries.filter(|entry| entry.ino == ino);
            parents.extend(ours.map(|entry| (dir, entry.name)));
        }
        parents.sort_unstable();
        Ok(parents)
    }

    /// The extended attributes of an inode, in the order of their names.
    pub(super) fn xattrs(&self, ino: Ino) -> Result<Vec<Xattr>, SyncError> {
        let mut xattrs = Vec::new();
        self.rows(&Key::xattr(ino, 0), &Key::xattr(ino, u64::MAX), |_, row| {
            xattrs.extend(Xattrs::decode(row)?.0);
            Ok(())
        })?;
        xattrs.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(xattrs)
    }

    /// The extent row of 32 pages of a file.
    pub(super) fn bucket(&self, ino: Ino, number: u64) -> Result<Bucket, SyncError> {
        let row = self.row(&Key::extent(ino, number))?;
        Ok(match row {
            Some(row) => Bucket::decode(&row)?,
            None => Bucket::default(),
        })
    }

    /// Whether a file has no extents in these buckets.
    pub(super) fn has_no_extents(&self, ino: Ino, buckets: Range<u64>) -> Result<bool, SyncError> {
        let last = buckets.end.saturating_sub(1);
        let (from, to) = (Key::extent(ino, buckets.start), Key::extent(ino, last));
        let mut cursor = Some(from);
        while let Some(from) = cursor {
            let step = self.journal.rows_at(self.at, &from, &to)?;
            if !step.rows.is_empty() {
                return Ok(false);
            }
            cursor = step.next;
        }
        Ok(true)
    }

    /// Whether pages of a file are not here.
    pub(super) fn has_remote(&self, ino: Ino) -> Result<bool, SyncError> {
        let mut found = false;
        let (from, to) = (Key::extent(ino, 0), Key::extent(ino, u64::MAX));
        self.rows(&from, &to, |_, row| {
            let pages = Bucket::decode(row)?.pages();
            found |= pages.iter().any(|page| matches!(page, PageState::Remote));
            Ok(())
        })?;
        Ok(found)
    }

    /// Reads a page that has data.
    pub(super) fn page(&self, state: &PageState) -> Result<Box<[u8; PAGE]>, SyncError> {
        let mut page = Box::new([0; PAGE]);
        if let Some(data) = state.data() {
            self.journal.read(&data, 0, page.as_mut_slice())?;
        }
        Ok(page)
    }
}
