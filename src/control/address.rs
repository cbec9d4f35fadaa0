//! Paths of sockets may have 107 bytes; paths of home folders may have more.

use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::Mode;
use rustix::fs::OFlags;

/// A short way to the same socket, through an open descriptor of its folder.
#[derive(Debug)]
pub(super) struct ShortPath {
    path: PathBuf,
    _folder: OwnedFd,
}

impl ShortPath {
    /// `socket` must have a folder that exists.
    pub(super) fn of(socket: &Path) -> io::Result<Self> {
        let (Some(parent), Some(name)) = (socket.parent(), socket.file_name()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(parent, flags, Mode::empty())?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
        Ok(Self {
            path,
            _folder: folder,
        })
    }

    /// The short path, as long as `self` lives.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
