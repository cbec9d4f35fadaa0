use crate::crypto::publish::Reference;
use crate::format::published::reference::{put, take};
use crate::format::rows::{Attached, FileKind};
use crate::format::wire::{Malformed, Reader};
use crate::types::limits::{FILE_SIZE_MAX, TARGET_INLINE_MAX, TARGET_MAX};
use crate::types::{Ino, Timespec};

const WHAT: &str = "published attributes";

/// Which optional fields follow. A field that would say what is the rule anyway is left out, always.
mod flag {
    pub(super) const UID: u16 = 1;
    pub(super) const GID: u16 = 1 << 1;
    pub(super) const CTIME: u16 = 1 << 2;
    pub(super) const BTIME: u16 = 1 << 3;
    pub(super) const ATIME: u16 = 1 << 4;
    pub(super) const NLINK: u16 = 1 << 5;
    pub(super) const XATTRS: u16 = 1 << 6;
    pub(super) const CONTENTS: u16 = 1 << 7;
    pub(super) const DIRECTORY: u16 = 1 << 8;
    pub(super) const ATTACHED: u16 = 1 << 9;
    pub(super) const ALL: u16 = (1 << 10) - 1;
}

/// All that `stat` tells of an inode, and where the rest of it is. Without a name: the top directory has none.
#[derive(Clone, PartialEq, Eq)]
pub struct Attributes {
    /// Type bits and permissions.
    pub mode: u32,
    /// Inode number. It is the link id as well: all entries with it are names of one inode, and carry the same.
    pub ino: Ino,
    /// Owner; `None`: the owner of the pod, whoever mounts it.
    pub uid: Option<u32>,
    /// Group; `None`: that of the owner of the pod.
    pub gid: Option<u32>,
    /// Names, of a directory 2 and one for each subdirectory.
    pub nlink: u32,
    /// Device number of a device node, else 0.
    pub rdev: u32,
    /// Bytes of a file or target; of a directory the number of its entries.
    pub size: u64,
    /// Last change of the contents.
    pub mtime: Timespec,
    /// Last change of the inode.
    pub ctime: Timespec,
    /// Creation.
    pub btime: Timespec,
    /// Last access.
    pub atime: Timespec,
    /// Whether it has extended attributes: then [`Self::contents`] has them.
    pub xattrs: bool,
    /// Target of a symlink of at most [`TARGET_INLINE_MAX`] bytes, else empty.
    pub target: Box<[u8]>,
    /// The inode, when there is more to tell than stands here.
    pub contents: Option<Reference>,
    /// Root of the directory's tree of names.
    pub directory: Option<Reference>,
    /// The box that is attached here: what is in it is sealed under its keys.
    pub attached: Option<Attached>,
}

impl Attributes {
    /// The kind; a regular file if the mode is of none (the decoder refuses such attributes).
    pub fn kind(&self) -> FileKind {
        FileKind::from_mode(self.mode).unwrap_or(FileKind::Regular)
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind() == FileKind::Directory
    }

    /// Flags u16, mode u16, ino u64, size u64, mtime 12, and the fields that the flags or the kind name.
    ///
    /// # Errors
    /// When the fields contradict each other, so that no reader would take them.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        self.check()?;
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(&self.flags().to_le_bytes());
        out.extend_from_slice(&u16::try_from(self.mode).unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&self.ino.0.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        put_time(&mut out, Some(self.mtime));
        put_time(&mut out, (self.ctime != self.mtime).then_some(self.ctime));
        put_time(&mut out, (self.btime != self.mtime).then_some(self.btime));
        put_time(&mut out, (self.atime != self.btime).then_some(self.atime));
        let nlink = (self.nlink != self.usual_nlink()).then_some(self.nlink);
        let rdev = is_device(self.kind()).then_some(self.rdev);
        for field in [self.uid, self.gid, nlink, rdev].into_iter().flatten() {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&self.target);
        for reference in [&self.contents, &self.directory].into_iter().flatten() {
            put(&mut out, reference);
        }
        if let Some(attached) = self.attached {
            out.extend_from_slice(&attached.encode());
        }
        Ok(out)
    }

    /// Reads them from the front of `reader`.
    pub fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let flags = reader.u16()?;
        let has = |flag: u16| flags & flag != 0;
        let mode = u32::from(reader.u16()?);
        let kind = FileKind::from_mode(mode).ok_or(reader.malformed())?;
        let (ino, size) = (Ino(reader.u64()?), reader.u64()?);
        let mtime = take_time(reader)?;
        let ctime = if has(flag::CTIME) {
            take_time(reader)?
        } else {
            mtime
        };
        let btime = if has(flag::BTIME) {
            take_time(reader)?
        } else {
            mtime
        };
        let atime = if has(flag::ATIME) {
            take_time(reader)?
        } else {
            btime
        };
        let mut field = |there: bool| there.then(|| reader.u32()).transpose();
        let (uid, gid, nlink) = (
            field(has(flag::UID))?,
            field(has(flag::GID))?,
            field(has(flag::NLINK))?,
        );
        let rdev = field(is_device(kind))?.unwrap_or(0);
        let target_len = usize::try_from(size)
            .ok()
            .filter(|len| kind == FileKind::Symlink && *len <= TARGET_INLINE_MAX);
        let attributes = Self {
            mode,
            ino,
            uid,
            gid,
            nlink: nlink.unwrap_or(usual_nlink(kind)),
            rdev,
            size,
            mtime,
            ctime,
            btime,
            atime,
            xattrs: has(flag::XATTRS),
            target: reader.bytes(target_len.unwrap_or(0))?.into(),
            contents: has(flag::CONTENTS).then(|| take(reader)).transpose()?,
            directory: has(flag::DIRECTORY).then(|| take(reader)).transpose()?,
            attached: has(flag::ATTACHED)
                .then(|| Attached::take(reader))
                .transpose()?,
        };
        attributes.check()?;
        if flags & !flag::ALL == 0 && flags == attributes.flags() {
            Ok(attributes)
        } else {
            Err(Malformed(WHAT))
        }
    }

    fn flags(&self) -> u16 {
        let bits = [
            (self.uid.is_some(), flag::UID),
            (self.gid.is_some(), flag::GID),
            (self.ctime != self.mtime, flag::CTIME),
            (self.btime != self.mtime, flag::BTIME),
            (self.atime != self.btime, flag::ATIME),
            (self.nlink != self.usual_nlink(), flag::NLINK),
            (self.xattrs, flag::XATTRS),
            (self.contents.is_some(), flag::CONTENTS),
            (self.directory.is_some(), flag::DIRECTORY),
            (self.attached.is_some(), flag::ATTACHED),
        ];
        let set = bits.into_iter().filter(|(set, _)| *set);
        set.fold(0, |flags, (_, bit)| flags | bit)
    }

    fn usual_nlink(&self) -> u32 {
        usual_nlink(self.kind())
    }

    fn check(&self) -> Result<(), Malformed> {
        let kind = FileKind::from_mode(self.mode).ok_or(Malformed(WHAT))?;
        let times = [self.mtime, self.ctime, self.btime, self.atime];
        let owners = [self.uid, self.gid];
        let short = u64::try_from(self.target.len()) == Ok(self.size);
        let long = self.target.is_empty() && !fits_inline(self.size);
        let (contents, size) = match kind {
            FileKind::Regular => (self.size > 0, self.size <= FILE_SIZE_MAX),
            FileKind::Symlink => (
                !fits_inline(self.size),
                self.size > 0
                    && u64::try_from(TARGET_MAX).is_ok_and(|most| self.size <= most)
                    && (short && fits_inline(self.size) || long),
            ),
            FileKind::Directory => (false, true),
            FileKind::Fifo | FileKind::Socket | FileKind::CharDevice | FileKind::BlockDevice => {
                (false, self.size == 0)
            }
        };
        let directory = kind == FileKind::Directory;
        let good = u16::try_from(self.mode).is_ok()
            && times.iter().all(|time| time.nanos < 1_000_000_000)
            && !owners.contains(&Some(u32::MAX))
            && self.nlink >= usual_nlink(kind)
            && size
            && (kind == FileKind::Symlink || self.target.is_empty())
            && !self.target.contains(&0)
            && self.contents.is_some() == (contents || self.xattrs)
            && (is_device(kind) || self.rdev == 0)
            && (directory || self.directory.is_none() && self.attached.is_none())
            && self.attached.is_none_or(|attached| attached.number > 0);
        if good { Ok(()) } else { Err(Malformed(WHAT)) }
    }
}

fn fits_inline(size: u64) -> bool {
    usize::try_from(size).is_ok_and(|size| size <= TARGET_INLINE_MAX)
}

const fn is_device(kind: FileKind) -> bool {
    matches!(kind, FileKind::CharDevice | FileKind::BlockDevice)
}

/// The number of names that is left out.
const fn usual_nlink(kind: FileKind) -> u32 {
    if matches!(kind, FileKind::Directory) {
        2
    } else {
        1
    }
}

/// Adds seconds i64 and nanoseconds u32.
pub(in crate::format) fn put_time(out: &mut Vec<u8>, time: Option<Timespec>) {
    if let Some(time) = time {
        out.extend_from_slice(&time.secs.to_le_bytes());
        out.extend_from_slice(&time.nanos.to_le_bytes());
    }
}

/// Reads seconds and nanoseconds.
pub(in crate::format) fn take_time(reader: &mut Reader<'_>) -> Result<Timespec, Malformed> {
    let (secs, nanos) = (reader.i64()?, reader.u32()?);
    if nanos < 1_000_000_000 {
        Ok(Timespec { secs, nanos })
    } else {
        Err(reader.malformed())
    }
}
