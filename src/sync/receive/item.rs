use std::ops::Range;

use crate::crypto::keys::ScopeId;
use crate::crypto::publish::Reference;
use crate::format::rows::{FileKind, Inode, Published, Xattr};
use crate::sync::receive::names::Found;

/// Permissions that are left of those of a file: whoever receives it may read it, or run it, and nobody else.
const FILE: u32 = 0o500;
/// Bits that each file has.
const READABLE: u32 = 0o400;
/// Permissions of each directory.
const DIRECTORY: u32 = 0o500;

/// One thing that arrived, as the file system takes it.
pub struct Item {
    /// Its attributes.
    pub inode: Inode,
    /// Its extended attributes.
    pub xattrs: Vec<Xattr>,
    /// Pages that a file has.
    pub pages: Vec<Range<u64>>,
    /// Where its contents are.
    pub published: Published,
}

impl Found {
    /// For `owner`, with what is brought of a directory: for which publication, and the root of its names. Nothing for
    /// what nobody shares: devices, sockets and fifos.
    pub(super) fn item(
        &self,
        owner: (u32, u32),
        (publication, directory): (u64, Option<Reference>),
    ) -> Option<Item> {
        let of = &self.attributes;
        let mode = match of.kind() {
            FileKind::Regular => of.mode & FILE | READABLE,
            FileKind::Directory => DIRECTORY,
            FileKind::Symlink => 0o777,
            FileKind::Fifo | FileKind::Socket | FileKind::CharDevice | FileKind::BlockDevice => {
                return None;
            }
        };
        let inode = Inode {
            mode: of.kind().bits() | mode,
            size: of.size,
            atime: of.atime,
            mtime: of.mtime,
            ctime: of.ctime,
            btime: of.btime,
            target: self.target.clone(),
            ..Inode::born(of.kind().bits(), owner.0, owner.1, of.ctime)
        };
        Some(Item {
            inode,
            xattrs: self.xattrs.clone(),
            pages: self.pages.clone(),
            published: Published {
                publication,
                scope: ScopeId([0; 16]),
                size: of.size,
                contents: of.contents.clone(),
                directory,
                number: None,
            },
        })
    }
}
