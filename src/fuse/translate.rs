use fuser::{InitFlags, KernelConfig, RenameFlags, Request, TimeOrNow};

use crate::fuse::time::from_request;
use crate::pod::{Attr, Caller, Pod, PodError, Seek, SetTime, Taken, XattrMode};
use crate::types::Ino;

/// Largest write request: what the kernel makes of it is at most `fs.fuse.max_pages_limit` pages.
const WRITE_MAX: u32 = 1 << 20;
/// Requests in the background (read-ahead, asynchronous reads and writes) that the kernel may have under way.
const BACKGROUND_MAX: u16 = 64;

/// Most bytes copied at once: the answer has 32 bits, and the caller asks again for the rest.
pub(super) const COPY_MAX: u64 = 1 << 30;

/// What is asked of the kernel. Left out on purpose: `POSIX_LOCKS` and `FLOCK_LOCKS` (the kernel's own locks work on
/// one machine, open file description locks too), `WRITEBACK_CACHE` (an answered write must survive the end of this
/// process), `SETXATTR_EXT` (fuser 0.18.0 does not parse it), `POSIX_ACL`,
/// `ATOMIC_O_TRUNC` (Linux would ask us to empty a running program before it finds that it may not, `ETXTBSY`).
const WANTED: [InitFlags; 8] = [
    InitFlags::FUSE_ASYNC_READ,
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_DO_READDIRPLUS,
    InitFlags::FUSE_READDIRPLUS_AUTO,
    InitFlags::FUSE_EXPLICIT_INVAL_DATA,
    InitFlags::FUSE_CACHE_SYMLINKS,
    InitFlags::FUSE_HANDLE_KILLPRIV_V2,
    InitFlags::FUSE_ASYNC_DIO,
];

/// Agrees with the kernel on how to speak.
pub(super) fn agree(config: &mut KernelConfig) {
    for wanted in WANTED {
        if config.add_capabilities(wanted).is_err() {
            tracing::info!(flag = ?wanted, "the kernel does not know a FUSE feature");
        }
    }
    // Setting what is already so cannot fail; what the kernel cannot do it answers with its most.
    config.set_max_write(WRITE_MAX).unwrap_or_default();
    if let Err(most) = config.set_max_readahead(u32::MAX) {
        config.set_max_readahead(most).unwrap_or_default();
    }
    config
        .set_max_background(BACKGROUND_MAX)
        .unwrap_or_default();
}

pub(super) fn caller(request: &Request) -> Caller {
    Caller {
        uid: request.uid(),
        gid: request.gid(),
    }
}

pub(super) fn set_time(time: TimeOrNow) -> SetTime {
    match time {
        TimeOrNow::Now => SetTime::Now,
        TimeOrNow::SpecificTime(time) => SetTime::At(from_request(time)),
    }
}

/// `WHITEOUT` and flags of the future are refused, as file systems do that do not know them.
pub(super) fn taken(flags: RenameFlags) -> Result<Taken, PodError> {
    if flags.is_empty() {
        Ok(Taken::Replace)
    } else if flags == RenameFlags::RENAME_NOREPLACE {
        Ok(Taken::Keep)
    } else if flags == RenameFlags::RENAME_EXCHANGE {
        Ok(Taken::Exchange)
    } else {
        Err(PodError::InvalidArgument)
    }
}

pub(super) fn xattr_mode(flags: i32) -> XattrMode {
    match flags {
        libc::XATTR_CREATE => XattrMode::Create,
        libc::XATTR_REPLACE => XattrMode::Replace,
        _ => XattrMode::Either,
    }
}

/// A name that is not there is an answer too: the kernel may remember it, unless it is one of what podfs tells, which
/// comes and goes.
pub(super) fn found(pod: &Pod, dir: Ino, name: &[u8]) -> Result<Option<Attr>, PodError> {
    match pod.lookup(dir, name) {
        Ok(attr) => Ok(Some(pod.told(attr))),
        Err(PodError::NotFound) if !pod.tells(dir, name) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn seek(whence: i32) -> Result<Seek, PodError> {
    match whence {
        libc::SEEK_DATA => Ok(Seek::Data),
        libc::SEEK_HOLE => Ok(Seek::Hole),
        _ => Err(PodError::InvalidArgument),
    }
}
