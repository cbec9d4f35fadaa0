use std::cell::RefCell;
use std::time::Duration;

use fuser::{
    Errno, FileHandle, FopenFlags, Generation, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite,
    ReplyXattr,
};

use crate::fuse::attr::{bare_attr, file_attr};
use crate::fuse::contents::Contents;
use crate::fuse::errno::errno;
use crate::fuse::told::keeps;
use crate::pod::{Attr, FileKind, PodError, StatFs};
use crate::types::Ino;

/// How long the kernel may keep names, attributes and the absence of names. Nobody but the kernel changes the pod,
/// so that they are right for as long as it likes.
pub(super) const TTL: Duration = Duration::from_secs(3600);
/// Handles carry nothing: data is addressed by inode, for a write from a shared mapping may come with a foreign
/// handle, after the close.
pub(super) const HANDLE: FileHandle = FileHandle(0);
/// Cached pages stay right over opens, for the same reason; a close has nothing to tell us.
pub(super) const OPENED: FopenFlags = FopenFlags::FOPEN_KEEP_CACHE.union(FopenFlags::FOPEN_NOFLUSH);

/// A reply that can carry a `T`.
pub(super) trait Answer<T> {
    /// Answers with it.
    fn give(self, value: T);
    /// Answers with an error.
    fn fail(self, errno: Errno);
}

/// Value or list of extended attributes, and the size of the buffer it is wanted in: 0 asks how large it is.
pub(super) struct Probe<B> {
    pub(super) bytes: B,
    pub(super) room: u32,
}

macro_rules! answer {
    ($reply:ty, $value:ty, |$to:ident, $given:ident| $give:expr) => {
        impl Answer<$value> for $reply {
            fn give(self, $given: $value) {
                let $to = self;
                $give;
            }
            fn fail(self, errno: Errno) {
                self.error(errno);
            }
        }
    };
}

answer!(ReplyEmpty, (), |reply, _given| reply.ok());
answer!(ReplyAttr, Attr, |reply, attr| reply
    .attr(&keeps(attr.ino), &file_attr(&attr)));
answer!(ReplyOpen, (), |reply, _given| reply.opened(HANDLE, OPENED));
answer!(ReplyData, Box<[u8]>, |reply, bytes| reply.data(&bytes));
answer!(ReplyData, Contents, |reply, read| reply
    .data(read.as_slice()));
answer!(ReplyWrite, u32, |reply, written| reply.written(written));
answer!(ReplyLseek, u64, |reply, offset| reply
    .offset(offset.cast_signed()));
answer!(ReplyCreate, Attr, |reply, attr| reply.created(
    &TTL,
    &file_attr(&attr),
    GENERATION,
    HANDLE,
    OPENED
));

/// Inode numbers are never used again, so that one generation does.
pub(super) const GENERATION: Generation = Generation(0);

/// `None`: there is no such name, and the kernel may remember that.
impl Answer<Option<Attr>> for ReplyEntry {
    fn give(self, found: Option<Attr>) {
        let ttl = found.map_or(TTL, |attr| keeps(attr.ino));
        let attr = found.map_or_else(
            || bare_attr(Ino(0), FileKind::Regular),
            |attr| file_attr(&attr),
        );
        self.entry(&ttl, &attr, GENERATION);
    }
    fn fail(self, errno: Errno) {
        self.error(errno);
    }
}

impl<B: AsRef<[u8]>> Answer<Probe<B>> for ReplyXattr {
    fn give(self, probe: Probe<B>) {
        let bytes = probe.bytes.as_ref();
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if probe.room == 0 {
            self.size(len);
        } else if len > probe.room {
            self.error(errno(&PodError::Range));
        } else {
            self.data(bytes);
        }
    }
    fn fail(self, errno: Errno) {
        self.error(errno);
    }
}

impl Answer<StatFs> for ReplyStatfs {
    fn give(self, stat: StatFs) {
        let (page, name_max) = (4096, 255);
        self.statfs(
            stat.pages,
            stat.free,
            stat.free,
            stat.inodes,
            stat.inodes_free,
            page,
            name_max,
            page,
        );
    }
    fn fail(self, errno: Errno) {
        self.error(errno);
    }
}

/// A listing: filled while it is read, answered when that is done.
pub(super) struct Listing<'a, R>(pub(super) &'a RefCell<Option<R>>);

impl Answer<()> for Listing<'_, ReplyDirectory> {
    fn give(self, (): ()) {
        if let Some(reply) = self.0.take() {
            reply.ok();
        }
    }
    fn fail(self, errno: Errno) {
        if let Some(reply) = self.0.take() {
            reply.error(errno);
        }
    }
}

impl Answer<()> for Listing<'_, ReplyDirectoryPlus> {
    fn give(self, (): ()) {
        if let Some(reply) = self.0.take() {
            reply.ok();
        }
    }
    fn fail(self, errno: Errno) {
        if let Some(reply) = self.0.take() {
            reply.error(errno);
        }
    }
}
