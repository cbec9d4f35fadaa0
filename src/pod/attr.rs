use crate::format::rows::{FileKind, Inode};
use crate::pod::Pod;
use crate::pod::error::PodError;
use crate::types::limits::PAGE;
use crate::types::{Ino, ROOT, Timespec};

/// Sectors of a page: `st_blocks` counts 512 bytes.
const SECTORS: u64 = PAGE as u64 / 512;
/// Entries taken for one page of a directory's shown size.
const ENTRIES_PER_PAGE: u64 = 64;

/// What `stat` shows of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attr {
    /// Inode number.
    pub ino: Ino,
    /// Bytes of a file or symlink target; of a directory a multiple of 4096 that grows with its entries, as tools know it from disks.
    pub size: u64,
    /// Room it takes, in units of 512 bytes.
    pub blocks: u64,
    /// Last access.
    pub atime: Timespec,
    /// Last change of the contents.
    pub mtime: Timespec,
    /// Last change of the inode.
    pub ctime: Timespec,
    /// Creation.
    pub btime: Timespec,
    /// Kind.
    pub kind: FileKind,
    /// Permissions with suid, sgid and sticky: `mode & 0o7777`.
    pub perm: u16,
    /// Hard links; 0 once it has no name left.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node.
    pub rdev: u32,
}

impl Attr {
    /// What is shown of `inode`.
    pub fn of(ino: Ino, inode: &Inode) -> Self {
        let kind = inode.kind();
        let (size, blocks) = match kind {
            FileKind::Directory => {
                let pages = inode.size.div_ceil(ENTRIES_PER_PAGE).max(1);
                (
                    pages.saturating_mul(PAGE as u64),
                    pages.saturating_mul(SECTORS),
                )
            }
            FileKind::Regular
            | FileKind::Symlink
            | FileKind::Fifo
            | FileKind::Socket
            | FileKind::CharDevice
            | FileKind::BlockDevice => (inode.size, inode.pages.saturating_mul(SECTORS)),
        };
        Self {
            ino,
            size,
            blocks,
            atime: inode.atime,
            mtime: inode.mtime,
            ctime: inode.ctime,
            btime: inode.btime,
            kind,
            perm: u16::try_from(inode.mode & 0o7777).unwrap_or(0),
            nlink: inode.nlink,
            uid: inode.uid,
            gid: inode.gid,
            rdev: inode.rdev,
        }
    }
}

impl Pod {
    /// Attributes of an inode; of one that was removed what it was last, until the kernel forgets it.
    pub fn getattr(&self, ino: Ino) -> Result<Attr, PodError> {
        if ino == ROOT {
            return self.getattr_root();
        }
        if ino.is_told() {
            return self.attr_told(ino);
        }
        match self.find_inode(ino)? {
            Some(inode) => self.shown(ino, &inode),
            None => self.opens.gone(ino).ok_or(PodError::NotFound),
        }
    }

    fn getattr_root(&self) -> Result<Attr, PodError> {
        loop {
            let reserved = self.reserved()?;
            let root = self.inode(ROOT)?;
            // It is made once and never removed: if it is the same before and after, it was the same between.
            if self.reserved()? == reserved {
                return Ok(Attr::of(ROOT, &without(root, reserved)));
            }
        }
    }

    /// What is shown of an inode whose lock is held.
    pub(super) fn attr_of(&self, ino: Ino, inode: &Inode) -> Result<Attr, PodError> {
        if ino == ROOT {
            let root = without(inode.clone(), self.reserved()?);
            return Ok(Attr::of(ino, &root));
        }
        Ok(Attr::of(ino, inode))
    }
}

/// The root without what has the reserved name.
fn without(mut root: Inode, reserved: Option<(Ino, FileKind)>) -> Inode {
    if let Some((_, kind)) = reserved {
        let subdirs = u32::from(kind == FileKind::Directory);
        root.size = root.size.saturating_sub(1);
        root.nlink = root.nlink.saturating_sub(subdirs);
    }
    root
}
