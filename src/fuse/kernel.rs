use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use fuser::{INodeNo, Notifier};

use crate::pod::Kernel;
use crate::types::Ino;

/// The kernel of a mount, told of what it did not ask for.
pub(super) struct Told(pub(super) Notifier);

impl Kernel for Told {
    fn name_changed(&self, dir: Ino, name: &[u8]) {
        note(self.0.inval_entry(INodeNo(dir.0), OsStr::from_bytes(name)));
    }

    fn inode_changed(&self, ino: Ino) {
        // Attributes, names that were read of a directory, and pages to the end.
        note(self.0.inval_inode(INodeNo(ino.0), 0, 0));
    }
}

/// What the kernel does not remember it cannot forget, and at the end of a mount nobody listens.
fn note(told: io::Result<()>) {
    if let Err(error) = told
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(%error, "the kernel does not take a notice");
    }
}
