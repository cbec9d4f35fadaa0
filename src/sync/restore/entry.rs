use std::ops::Range;
use std::sync::Arc;

use crate::crypto::keys::ScopeId;
use crate::format::published::Attributes;
use crate::format::rows::{
    Bucket, Dentries, Dentry, FileKind, Inode, Key, Published, Run, RunKind, Xattr, Xattrs,
};
use crate::format::wire::Malformed;
use crate::sync::fetch::Family;
use crate::sync::restore::details::{Details, Found, all_pages, is_large};
use crate::sync::restore::{Job, RESTORED, Restore, RestoreError};
use crate::types::limits::{BUCKET_PAGES, PAGE_BYTES};
use crate::types::{Ino, Name};

/// Stands in the rows of inodes that were not fetched: their scope is told by the inode itself.
const SCOPE_IN_INODE: ScopeId = ScopeId([0; 16]);

/// [`BUCKET_PAGES`] as pages of files count.
const BUCKET_COUNT: u64 = BUCKET_PAGES as u64;

/// What an entry does not say.
struct Rest {
    scope: ScopeId,
    xattrs: u32,
    pages: Vec<Range<u64>>,
}

impl Rest {
    fn of(of: &Attributes) -> Self {
        Self {
            scope: SCOPE_IN_INODE,
            xattrs: 0,
            pages: all_pages(of),
        }
    }
}

/// Names of an inode that has several.
pub(super) struct Links {
    /// What each name must say.
    hash: blake3::Hash,
    /// Names that were not met yet.
    pub(super) left: u32,
}

impl Restore<'_> {
    /// Takes in a name and, the first time, what it names.
    pub(super) fn entry(
        &mut self,
        directory: Ino,
        name: &Name,
        of: &Attributes,
        family: &Arc<Family>,
    ) -> Result<(), RestoreError> {
        self.count(directory, of.is_dir());
        let hash = self.writer.rows().name_hash(directory, name.as_bytes());
        let key = Key::dentry(directory, hash);
        let row = self.writer.get(&key)?;
        let decode = |row: Vec<u8>| Dentries::decode(&row);
        let row = row.map(decode).transpose();
        let mut row = row.map_err(malformed(directory))?.unwrap_or_default();
        row.0.push(Dentry {
            ino: of.ino,
            kind: of.kind(),
            name: name.clone(),
        });
        self.writer.put(key, row.encode());
        self.writer
            .put(Key::parent(of.ino, directory, hash), Vec::new());
        if of.nlink > 1 && !of.is_dir() && self.is_known_link(of)? {
            return Ok(());
        }
        let known =
            self.waiting.contains(&of.ino) || self.writer.get(&Key::inode(of.ino))?.is_some();
        if known || of.ino.counter() == 0 {
            let why = "this number stands for two things";
            return Err(RestoreError::Contradiction(of.ino, why));
        }
        self.inode(of, family)
    }

    /// Whether another name of the inode was met before.
    fn is_known_link(&mut self, of: &Attributes) -> Result<bool, RestoreError> {
        let bytes = of.encode().map_err(malformed(of.ino))?;
        let hash = blake3::hash(&bytes);
        let Some(links) = self.links.get_mut(&of.ino) else {
            let left = of.nlink.saturating_sub(1);
            self.links.insert(of.ino, Links { hash, left });
            return Ok(false);
        };
        if links.hash != hash || links.left == 0 {
            let why = "its names do not agree";
            return Err(RestoreError::Contradiction(of.ino, why));
        }
        links.left -= 1;
        Ok(true)
    }

    /// Writes the rows of an inode, or has fetched first what belongs into them.
    pub(super) fn inode(
        &mut self,
        of: &Attributes,
        family: &Arc<Family>,
    ) -> Result<(), RestoreError> {
        let long = of.kind() == FileKind::Symlink && of.target.is_empty();
        // Nothing but the head knows what an inode of its changes can be made from.
        let changed = Arc::ptr_eq(family, &self.changes);
        match &of.contents {
            Some(inode) if long || of.xattrs || is_large(of) || changed => {
                self.waiting.insert(of.ino);
                let details = Details {
                    attributes: of.clone(),
                    inode: inode.clone(),
                    family: Arc::clone(family),
                };
                self.queue.push(Job::Details(Box::new(details)));
            }
            _ => self.rows_of(of, &of.target, &Rest::of(of)),
        }
        if of.is_dir() {
            self.directory(of, family)?;
        }
        Ok(())
    }

    /// Writes the rows of an inode of which more was fetched.
    pub(super) fn details(&mut self, of: &Details, found: Option<Found>) {
        let (ino, attributes) = (of.attributes.ino, &of.attributes);
        self.waiting.remove(&ino);
        if found.as_ref().is_none_or(|found| found.lost) {
            tracing::warn!(%ino, "its extended attributes are lost");
            self.done.lost += 1;
        }
        let Some(found) = found else {
            self.rows_of(attributes, &attributes.target, &Rest::of(attributes));
            return;
        };
        let mut rows: Vec<(u64, Xattrs)> = Vec::new();
        let count = u32::try_from(found.xattrs.len()).unwrap_or(u32::MAX);
        for xattr in found.xattrs {
            let hash = self.writer.rows().name_hash(ino, &xattr.name);
            add_xattr(&mut rows, hash, xattr);
        }
        for (hash, xattrs) in rows {
            self.writer.put(Key::xattr(ino, hash), xattrs.encode());
        }
        let target = if attributes.target.is_empty() {
            &found.target
        } else {
            &attributes.target
        };
        let rest = Rest {
            scope: found.scope,
            xattrs: count,
            pages: found.pages,
        };
        self.rows_of(attributes, target, &rest);
        self.writer.keep_inode(ino, of.inode.clone(), found.page);
    }

    fn rows_of(&mut self, of: &Attributes, target: &[u8], rest: &Rest) {
        let pages = whole_buckets(&rest.pages, of.size.div_ceil(PAGE_BYTES));
        let inode = Inode {
            mode: of.mode,
            uid: of.uid.unwrap_or(self.owner.0),
            gid: of.gid.unwrap_or(self.owner.1),
            nlink: of.nlink,
            rdev: of.rdev,
            size: of.size,
            pages: pages.iter().map(|range| range.end - range.start).sum(),
            cut: u64::MAX,
            xattrs: rest.xattrs,
            atime: of.atime,
            mtime: of.mtime,
            ctime: of.ctime,
            btime: of.btime,
            target: target.into(),
        };
        self.writer.put(Key::inode(of.ino), inode.encode());
        if of.kind() == FileKind::Regular {
            self.done.bytes = self.done.bytes.saturating_add(of.size);
            self.writer.remote(of.ino, pages);
        }
        if of.contents.is_none() && of.directory.is_none() {
            return;
        }
        let scope = if of.is_dir() {
            self.scopes.scope_id(of.ino.0, b"")
        } else {
            rest.scope
        };
        let published = Published {
            publication: RESTORED,
            scope,
            size: of.size,
            contents: of.contents.clone(),
            directory: of.directory.clone(),
            number: None,
        };
        self.writer.put(Key::published(of.ino), published.encode());
    }
}

/// Attributes whose names share a hash share a row.
fn add_xattr(rows: &mut Vec<(u64, Xattrs)>, hash: u64, xattr: Xattr) {
    match rows.iter_mut().find(|(known, _)| *known == hash) {
        Some((_, row)) => row.0.push(xattr),
        None => rows.push((hash, Xattrs(vec![xattr]))),
    }
}

fn malformed(ino: Ino) -> impl Fn(Malformed) -> RestoreError {
    move |error| RestoreError::Malformed(ino, error)
}

/// An extent row whose first `pages` pages, or all of them, are those of the published version.
pub(super) fn remote_bucket(pages: u64) -> Bucket {
    let most = u8::try_from(BUCKET_PAGES).unwrap_or(u8::MAX);
    let count = u8::try_from(pages).map_or(most, |pages| pages.min(most));
    let run = Run {
        start: 0,
        count,
        kind: RunKind::Remote,
    };
    Bucket { runs: vec![run] }
}

/// Ranges of pages, made larger so that they begin where an extent row begins and end with one, or with the file.
fn whole_buckets(ranges: &[Range<u64>], pages: u64) -> Vec<Range<u64>> {
    let mut whole: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        let start = range.start - range.start % BUCKET_COUNT;
        let end = range.end.next_multiple_of(BUCKET_COUNT).min(pages);
        match whole.last_mut() {
            Some(last) if last.end >= start => last.end = end,
            _ => whole.push(start..end),
        }
    }
    whole
}
