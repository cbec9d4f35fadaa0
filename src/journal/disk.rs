//! System calls on the state's files, with errors that name the object.

use std::ffi::OsStr;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, Advice, CWD, FallocateFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::journal::JournalError;
#[cfg(test)]
use crate::journal::history;

/// Names the object of a failed call. `ENOSPC` and `EDQUOT` are no fault of ours and have their own variant.
pub(in crate::journal) fn failed(what: &Path) -> impl Fn(Errno) -> JournalError {
    let what = what
        .file_name()
        .unwrap_or(OsStr::new("state"))
        .to_string_lossy()
        .into_owned();
    move |errno| match errno {
        Errno::NOSPC | Errno::DQUOT => JournalError::NoSpace,
        errno => JournalError::Io(what.clone(), errno),
    }
}

/// Opens a file for reading and, unless `read_only`, writing.
pub(in crate::journal) fn open(path: &Path, read_only: bool) -> Result<OwnedFd, JournalError> {
    let access = if read_only {
        OFlags::RDONLY
    } else {
        OFlags::RDWR
    };
    fs::openat(
        CWD,
        path,
        access | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
    )
    .map_err(failed(path))
}

/// Opens a file for writing past the kernel's cache; `None` where the file system does not have that.
pub(in crate::journal) fn open_direct(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::DIRECT | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    fs::openat(CWD, path, flags, Mode::empty()).ok()
}

/// Creates a file that is not there yet, 0600.
pub(in crate::journal) fn create(path: &Path) -> Result<OwnedFd, JournalError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let fd = fs::openat(CWD, path, flags, Mode::RUSR | Mode::WUSR).map_err(failed(path))?;
    #[cfg(test)]
    history::made(path);
    Ok(fd)
}

/// Gives a new file its size, all of it preallocated.
pub(in crate::journal) fn preallocate(fd: impl AsFd, bytes: u64) -> Result<(), Errno> {
    #[cfg(test)]
    history::sized(fd.as_fd(), bytes);
    match fs::fallocate(fd.as_fd(), FallocateFlags::empty(), 0, bytes) {
        // Without preallocation the disk's promise is weaker, but everything else holds.
        Err(Errno::OPNOTSUPP) => fs::ftruncate(fd, bytes),
        other => other,
    }
}

/// Makes a file's or folder's contents durable.
pub(in crate::journal) fn sync(fd: impl AsFd) -> Result<(), Errno> {
    #[cfg(test)]
    let under_way = history::syncing(fd.as_fd());
    fs::fsync(fd)?;
    #[cfg(test)]
    history::synced(under_way);
    Ok(())
}

/// Makes what was written to a file durable, whose size does not change.
pub(in crate::journal) fn sync_data(fd: impl AsFd) -> Result<(), Errno> {
    #[cfg(test)]
    let under_way = history::syncing(fd.as_fd());
    fs::fdatasync(fd)?;
    #[cfg(test)]
    history::synced(under_way);
    Ok(())
}

/// Removes a file.
pub(in crate::journal) fn remove(path: &Path) -> Result<(), Errno> {
    fs::unlink(path)?;
    #[cfg(test)]
    history::removed(path);
    Ok(())
}

/// Writes all of `bytes` at `offset`.
pub(in crate::journal) fn write_all(
    fd: impl AsFd,
    mut bytes: &[u8],
    mut offset: u64,
) -> Result<(), Errno> {
    #[cfg(test)]
    let (at, all) = (offset, bytes);
    while !bytes.is_empty() {
        match rustix::io::pwrite(fd.as_fd(), bytes, offset) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => {
                bytes = bytes.get(count..).unwrap_or_default();
                offset += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    #[cfg(test)]
    history::wrote(fd, at, all);
    Ok(())
}

/// Fills `out` from `offset`; what lies beyond the end of the file is zeros.
pub(in crate::journal) fn read_all(
    fd: impl AsFd,
    out: &mut [u8],
    mut offset: u64,
) -> Result<(), Errno> {
    let mut rest = out;
    while !rest.is_empty() {
        match rustix::io::pread(fd.as_fd(), &mut *rest, offset) {
            Ok(0) => {
                rest.fill(0);
                return Ok(());
            }
            Ok(count) => {
                rest = rest
                    .split_at_mut_checked(count)
                    .map(|(_, tail)| tail)
                    .unwrap_or_default();
                offset += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Gives `len` bytes from `offset` on back to the disk; the file keeps its size. A file system that cannot is no
/// error: the room comes back when the whole segment goes.
pub(in crate::journal) fn punch(fd: impl AsFd, offset: u64, len: u64) -> Result<(), Errno> {
    if len == 0 {
        // EINVAL to the kernel, but a segment may well be full to its last page.
        return Ok(());
    }
    #[cfg(test)]
    history::punched(fd.as_fd(), offset, len);
    match fs::fallocate(
        fd,
        FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
        offset,
        len,
    ) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        other => other,
    }
}

/// Lets the kernel forget what it caches of a range (`len` 0: to the end). What streams through the log is cached
/// as plaintext already; a second copy costs more memory traffic than all of the sealing.
pub(in crate::journal) fn forget(fd: impl AsFd, offset: u64, len: u64) {
    // A file system that does not know advice keeps its cache, which is no fault.
    fs::fadvise(fd, offset, NonZeroU64::new(len), Advice::DontNeed).ok();
}

/// Makes the names in a folder durable.
pub(in crate::journal) fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = fs::openat(CWD, dir, flags, Mode::empty()).map_err(failed(dir))?;
    sync(fd).map_err(failed(dir))
}

/// Replaces a small file: a new one beside it, synced, renamed over it, the folder synced.
pub(in crate::journal) fn replace(
    dir: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<(), JournalError> {
    let (path, temp) = (dir.join(name), dir.join(format!("{name}.new")));
    match remove(&temp) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(failed(&temp)(errno)),
    }
    let fd = create(&temp)?;
    write_all(&fd, bytes, 0).map_err(failed(&temp))?;
    sync(&fd).map_err(failed(&temp))?;
    fs::rename(&temp, &path).map_err(failed(&path))?;
    #[cfg(test)]
    history::renamed(&temp, &path);
    sync_dir(dir)
}

/// Bytes of the largest file that is read whole: what a manifest can never reach.
pub(in crate::journal) const WHOLE_MAX: usize = 256 << 20;

/// Reads a small file whole; `None` when it is not there. Of one that is far too large the beginning, which does not
/// open: nobody makes us take the memory for a hole of a terabyte.
pub(in crate::journal) fn read_file(path: &Path) -> Result<Option<Vec<u8>>, JournalError> {
    let fd = match fs::openat(
        CWD,
        path,
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
    ) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.map_err(failed(path))?,
    };
    let size = fs::fstat(&fd).map_err(failed(path))?.st_size;
    let size = usize::try_from(size).unwrap_or(0).min(WHOLE_MAX);
    let mut bytes = vec![0; size];
    read_all(&fd, &mut bytes, 0).map_err(failed(path))?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_punched_without_an_error() {
        let file = tempfile::tempfile().unwrap();
        write_all(&file, b"kept", 0).unwrap();
        assert_eq!(punch(&file, 4, 0), Ok(()));
        let mut bytes = [1; 6];
        read_all(&file, &mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"kept\0\0");
    }
}
