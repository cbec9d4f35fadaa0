use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use fuser::{INodeNo, Notifier};

use crate::pod::Kernel;
use crate::types::{Ino, ROOT};

/// The kernel of a mount, told of what it did not ask for.
pub(super) struct Told {
    pub(super) notifier: Notifier,
    /// Where the mount begins.
    pub(super) top: Ino,
}

impl Told {
    /// What the kernel calls it; nothing for what is above the mount.
    fn node(&self, ino: Ino) -> Option<INodeNo> {
        match ino {
            _ if ino == self.top => Some(INodeNo::ROOT),
            ROOT => None,
            _ => Some(INodeNo(ino.0)),
        }
    }
}

impl Kernel for Told {
    fn name_changed(&self, dir: Ino, name: &[u8]) {
        if let Some(dir) = self.node(dir) {
            note(self.notifier.inval_entry(dir, OsStr::from_bytes(name)));
        }
    }

    fn inode_changed(&self, ino: Ino) {
        if let Some(node) = self.node(ino) {
            // Attributes, names that were read of a directory, and pages to the end.
            note(self.notifier.inval_inode(node, 0, 0));
        }
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
