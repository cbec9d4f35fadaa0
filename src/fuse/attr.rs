use fuser::{FileAttr, FileType, INodeNo};

use crate::fuse::time::for_reply;
use crate::pod::{Attr, FileKind};
use crate::types::{Ino, Timespec};

/// Size in which programs are advised to read and write.
const BLOCK: u32 = 4096;

/// Attributes as the kernel wants them.
pub(super) fn file_attr(attr: &Attr) -> FileAttr {
    FileAttr {
        ino: INodeNo(attr.ino.0),
        size: attr.size,
        blocks: attr.blocks,
        atime: for_reply(attr.atime),
        mtime: for_reply(attr.mtime),
        ctime: for_reply(attr.ctime),
        crtime: for_reply(attr.btime),
        kind: file_type(attr.kind),
        perm: attr.perm,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: attr.rdev,
        blksize: BLOCK,
        flags: 0,
    }
}

/// An answer with only number and kind: an inode number of 0 tells the kernel to remember that there is no such
/// name, and of `.` and `..` in a listing it looks at nothing else.
pub(super) fn bare_attr(ino: Ino, kind: FileKind) -> FileAttr {
    let zero = Timespec::default();
    file_attr(&Attr {
        ino,
        size: 0,
        blocks: 0,
        atime: zero,
        mtime: zero,
        ctime: zero,
        btime: zero,
        kind,
        perm: 0,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
    })
}

/// The kind of file as fuser calls it.
pub(super) const fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::Regular => FileType::RegularFile,
        FileKind::Directory => FileType::Directory,
        FileKind::Symlink => FileType::Symlink,
        FileKind::Fifo => FileType::NamedPipe,
        FileKind::Socket => FileType::Socket,
        FileKind::CharDevice => FileType::CharDevice,
        FileKind::BlockDevice => FileType::BlockDevice,
    }
}
