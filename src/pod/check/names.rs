use crate::format::rows::{Dentries, FileKind, Inode, Key, Taken, Xattrs};
use crate::pod::Pod;
use crate::pod::check::{Finding, Inodes, Report, Seen};
use crate::pod::error::PodError;
use crate::types::{ADDED, Ino, ROOT, SHARED};

/// No directory: what the parent of an unnamed one is.
const NOWHERE: Ino = Ino(0);

impl Pod {
    /// All inodes.
    pub(super) fn check_inodes(&self, report: &mut Report) -> Result<Inodes, PodError> {
        let mut inodes = Vec::new();
        self.each_row(b'I', |key, row| {
            let Some(inode) = report.decoded(&key, Inode::decode(&row)) else {
                return Ok(());
            };
            inodes.push(Seen {
                ino: Ino(key.field(0)),
                kind: inode.kind(),
                nlink: inode.nlink,
                size: inode.size,
                cut: inode.cut,
                pages: inode.pages,
                xattrs: inode.xattrs,
                orphan: false,
                parent: NOWHERE,
                links: 0,
                subdirectories: 0,
                entries: 0,
                found_pages: 0,
                found_xattrs: 0,
            });
            Ok(())
        })?;
        report.inodes = inodes.len() as u64;
        Ok(Inodes(inodes))
    }

    /// All names: what they name, and whether that knows them.
    pub(super) fn check_entries(
        &self,
        inodes: &mut Inodes,
        report: &mut Report,
    ) -> Result<(), PodError> {
        self.each_row(b'D', |key, row| {
            let Some(row) = report.decoded(&key, Dentries::decode(&row)) else {
                return Ok(());
            };
            let dir = Ino(key.field(0));
            let Some(seen) = inodes.get(dir) else {
                report.add(Finding::NoInode(key));
                return Ok(());
            };
            if seen.kind != FileKind::Directory {
                report.add(Finding::NotADirectory(dir));
            }
            seen.entries += row.0.len() as u64;
            for entry in row.0 {
                report.names += 1;
                if self.rows.name_hash(dir, entry.name.as_bytes()) != key.field(1) {
                    report.add(Finding::Misplaced(key));
                }
                let is_dir = entry.kind == FileKind::Directory;
                if let Some(seen) = inodes.get(dir) {
                    seen.subdirectories += u32::from(is_dir);
                }
                let Some(named) = inodes.get(entry.ino) else {
                    report.add(Finding::Dangling(dir, entry.ino));
                    continue;
                };
                if named.kind != entry.kind {
                    report.add(Finding::WrongKind(dir, entry.ino));
                }
                named.links += 1;
                named.parent = dir;
                let back = Key::parent(entry.ino, dir, key.field(1));
                if self.rows.get(&back)?.is_none() {
                    report.add(Finding::ParentDiffers(entry.ino, dir));
                }
            }
            Ok(())
        })
    }

    /// All ways back from an inode to its names.
    pub(super) fn check_parents(
        &self,
        inodes: &mut Inodes,
        report: &mut Report,
    ) -> Result<(), PodError> {
        self.each_row(b'P', |key, _| {
            let (ino, dir) = (Ino(key.field(0)), Ino(key.field(1)));
            if inodes.get(ino).is_none() {
                report.add(Finding::NoInode(key));
                return Ok(());
            }
            let row = self.rows.get(&Key::dentry(dir, key.field(2)))?;
            let row = row.and_then(|row| Dentries::decode(&row).ok());
            if !row.is_some_and(|row| row.0.iter().any(|entry| entry.ino == ino)) {
                report.add(Finding::ParentDiffers(ino, dir));
            }
            Ok(())
        })
    }

    /// All extended attributes.
    pub(super) fn check_attributes(
        &self,
        inodes: &mut Inodes,
        report: &mut Report,
    ) -> Result<(), PodError> {
        self.each_row(b'X', |key, row| {
            let Some(row) = report.decoded(&key, Xattrs::decode(&row)) else {
                return Ok(());
            };
            let ino = Ino(key.field(0));
            let hash = |name| self.rows.name_hash(ino, name);
            if row.0.iter().any(|xattr| hash(&xattr.name) != key.field(1)) {
                report.add(Finding::Misplaced(key));
            }
            match inodes.get(ino) {
                Some(seen) => seen.found_xattrs += u32::try_from(row.0.len()).unwrap_or(u32::MAX),
                None => report.add(Finding::NoInode(key)),
            }
            Ok(())
        })
    }

    /// All notes of deletions left to do.
    pub(super) fn check_orphans(
        &self,
        inodes: &mut Inodes,
        report: &mut Report,
    ) -> Result<(), PodError> {
        self.each_row(b'O', |key, _| {
            report.orphans += 1;
            match inodes.get(Ino(key.field(0))) {
                Some(seen) => seen.orphan = true,
                None => report.add(Finding::NoInode(key)),
            }
            Ok(())
        })
    }

    /// All notes at what others added and the owner has.
    pub(super) fn check_taken_over(
        &self,
        inodes: &mut Inodes,
        report: &mut Report,
    ) -> Result<(), PodError> {
        self.each_row(b'B', |key, row| {
            let is_there = inodes.get(Ino(key.field(0))).is_some();
            if !is_there || !Ino(key.field(0)).is_received() {
                report.add(Finding::NoInode(key));
            }
            report.decoded(&key, Taken::decode(&row));
            Ok(())
        })
    }
}

/// Compares what inodes say with what was found.
pub(super) fn compare(inodes: &Inodes, report: &mut Report) {
    for seen in &inodes.0 {
        let ino = seen.ino;
        let is_dir = seen.kind == FileKind::Directory;
        let found = if !is_dir {
            seen.links
        } else if seen.links > 0 || is_top(ino) {
            seen.subdirectories + 2
        } else {
            0
        };
        if found != seen.nlink {
            let said = seen.nlink;
            report.add(Finding::Links { ino, said, found });
        }
        if is_dir && seen.entries != seen.size {
            let (said, found) = (seen.size, seen.entries);
            report.add(Finding::Entries { ino, said, found });
        }
        if is_dir
            && seen.nlink > 0
            && (seen.links != u32::from(!is_top(ino)) || !rooted(inodes, seen))
        {
            report.add(Finding::NotInTree(ino));
        }
        if (seen.nlink == 0 || seen.cut != u64::MAX) && !seen.orphan {
            report.add(Finding::Lost(ino));
        }
        if seen.pages != seen.found_pages {
            let (said, found) = (seen.pages, seen.found_pages);
            report.add(Finding::Pages { ino, said, found });
        }
        if seen.xattrs != seen.found_xattrs {
            let (said, found) = (seen.xattrs, seen.found_xattrs);
            report.add(Finding::Attributes { ino, said, found });
        }
    }
}

/// No row names it.
fn is_top(ino: Ino) -> bool {
    ino == ROOT || ino == SHARED || ino == ADDED
}

/// Whether the parents of a directory lead to the root. A tortoise follows at half the speed: it is met in a ring.
fn rooted(inodes: &Inodes, seen: &Seen) -> bool {
    let parent = |of: &Seen| inodes.position(of.parent).and_then(|at| inodes.0.get(at));
    let (mut hare, mut tortoise) = (seen, seen);
    let mut even = false;
    while !is_top(hare.ino) {
        let (Some(next), Some(behind)) = (parent(hare), parent(tortoise)) else {
            return false;
        };
        hare = next;
        if even {
            tortoise = behind;
        }
        even = !even;
        if hare.ino == tortoise.ino {
            return false;
        }
    }
    true
}
