//! What an entry says of an inode.

use crate::format::published::Attributes;
use crate::format::rows::{FileKind, Inode, Published};
use crate::sync::error::SyncError;
use crate::sync::prepare::Preparation;
use crate::types::Ino;
use crate::types::limits::TARGET_INLINE_MAX;

impl Preparation<'_> {
    /// The attributes of an inode that has a name at the cut, and what is published of it.
    pub(super) fn attributes_of(&self, ino: Ino) -> Result<Attributes, SyncError> {
        let why = "it has a name and no row";
        let inode = self.view.inode(ino)?;
        let inode = inode.ok_or(SyncError::Contradiction(ino, why))?;
        Ok(self.entry(ino, &inode, self.kept.published(ino)?))
    }

    fn entry(&self, ino: Ino, inode: &Inode, published: Option<Published>) -> Attributes {
        let kind = inode.kind();
        let (uid, gid) = self.owner;
        let target: Box<[u8]> = if inode.target.len() <= TARGET_INLINE_MAX {
            inode.target.clone()
        } else {
            Box::default()
        };
        let size = match kind {
            FileKind::Regular | FileKind::Symlink | FileKind::Directory => inode.size,
            FileKind::Fifo | FileKind::Socket | FileKind::CharDevice | FileKind::BlockDevice => 0,
        };
        let (contents, directory) = published
            .map(|published| (published.contents, published.directory))
            .unwrap_or_default();
        Attributes {
            mode: inode.mode,
            ino,
            uid: (inode.uid != uid).then_some(inode.uid),
            gid: (inode.gid != gid).then_some(inode.gid),
            nlink: inode.nlink,
            rdev: inode.rdev,
            size,
            mtime: inode.mtime,
            ctime: inode.ctime,
            btime: inode.btime,
            atime: inode.atime,
            xattrs: inode.xattrs > 0,
            target,
            contents,
            directory: directory.filter(|_| inode.is_dir()),
            attached: self.borders.attached(ino),
        }
    }
}
