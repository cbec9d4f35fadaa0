use crate::format::wire::{Malformed, Reader};
use crate::types::Timespec;

/// What an inode is, from the type bits of its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `S_IFREG`.
    Regular,
    /// `S_IFDIR`.
    Directory,
    /// `S_IFLNK`.
    Symlink,
    /// `S_IFIFO`.
    Fifo,
    /// `S_IFSOCK`.
    Socket,
    /// `S_IFCHR`.
    CharDevice,
    /// `S_IFBLK`.
    BlockDevice,
}

impl FileKind {
    /// The kind that `mode & S_IFMT` names.
    pub const fn from_mode(mode: u32) -> Option<Self> {
        Some(match mode & 0o170_000 {
            0o100_000 => Self::Regular,
            0o040_000 => Self::Directory,
            0o120_000 => Self::Symlink,
            0o010_000 => Self::Fifo,
            0o140_000 => Self::Socket,
            0o020_000 => Self::CharDevice,
            0o060_000 => Self::BlockDevice,
            _ => return None,
        })
    }

    /// The type bits.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Regular => 0o100_000,
            Self::Directory => 0o040_000,
            Self::Symlink => 0o120_000,
            Self::Fifo => 0o010_000,
            Self::Socket => 0o140_000,
            Self::CharDevice => 0o020_000,
            Self::BlockDevice => 0o060_000,
        }
    }
}

/// Value of an `I` row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// Type bits and permissions, suid, sgid and sticky included.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names of a file; of a directory 2 and one for each subdirectory. 0: an orphan.
    pub nlink: u32,
    /// Device number of a device node (Linux `dev_t` as FUSE carries it), else 0.
    pub rdev: u32,
    /// Bytes of a file or symlink target; of a directory the number of its entries.
    pub size: u64,
    /// Pages that take room: written or preallocated.
    pub pages: u64,
    /// Extent buckets from here on are dead until they are reaped; `u64::MAX` when none are.
    pub cut: u64,
    /// Number of extended attributes: zero spares the look-up.
    pub xattrs: u32,
    /// Last access, changed only when set.
    pub atime: Timespec,
    /// Last change of the contents.
    pub mtime: Timespec,
    /// Last change of the inode.
    pub ctime: Timespec,
    /// Creation.
    pub btime: Timespec,
    /// Target of a symlink, else empty.
    pub target: Box<[u8]>,
}

impl Inode {
    /// An inode with nothing in it yet and one name (a directory: two), born at `now`.
    pub fn born(mode: u32, uid: u32, gid: u32, now: Timespec) -> Self {
        let is_dir = FileKind::from_mode(mode) == Some(FileKind::Directory);
        Self {
            mode,
            uid,
            gid,
            nlink: if is_dir { 2 } else { 1 },
            rdev: 0,
            size: 0,
            pages: 0,
            cut: u64::MAX,
            xattrs: 0,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
            target: Box::default(),
        }
    }

    /// The kind; a regular file if the mode is of none (the decoder refuses such a row).
    pub fn kind(&self) -> FileKind {
        FileKind::from_mode(self.mode).unwrap_or(FileKind::Regular)
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind() == FileKind::Directory
    }

    /// Bytes of the row.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.target.len().saturating_add(96));
        for field in [
            self.mode,
            self.uid,
            self.gid,
            self.nlink,
            self.rdev,
            self.xattrs,
        ] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for field in [self.size, self.pages, self.cut] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for time in [self.atime, self.mtime, self.ctime, self.btime] {
            out.extend_from_slice(&time.secs.to_le_bytes());
            out.extend_from_slice(&time.nanos.to_le_bytes());
        }
        out.extend_from_slice(&self.target);
        out
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "inode row");
        let mode = reader.u32()?;
        let kind = FileKind::from_mode(mode).ok_or(Malformed("inode row"))?;
        let (uid, gid, nlink) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let (rdev, xattrs) = (reader.u32()?, reader.u32()?);
        let (size, pages, cut) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let mut time = || -> Result<Timespec, Malformed> {
            let (secs, nanos) = (reader.i64()?, reader.u32()?);
            if nanos < 1_000_000_000 {
                Ok(Timespec { secs, nanos })
            } else {
                Err(reader.malformed())
            }
        };
        let (atime, mtime, ctime, btime) = (time()?, time()?, time()?, time()?);
        let target: Box<[u8]> = reader.rest().into();
        if target.is_empty() == (kind == FileKind::Symlink) {
            return Err(Malformed("inode row"));
        }
        Ok(Self {
            mode,
            uid,
            gid,
            nlink,
            rdev,
            size,
            pages,
            cut,
            xattrs,
            atime,
            mtime,
            ctime,
            btime,
            target,
        })
    }
}
