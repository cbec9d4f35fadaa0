use std::sync::Arc;

use crate::format::published::Attributes;
use crate::format::rows::Key;
use crate::sync::fetch::Family;
use crate::sync::restore::node::Node;
use crate::sync::restore::{Job, Restore, RestoreError};
use crate::types::Ino;

/// A directory of which nodes are under way.
pub(super) struct Directory {
    /// Names that it must have.
    size: u64,
    /// Directories in it that it must have, and two.
    nlink: u32,
    names: u64,
    directories: u32,
    /// Nodes that were not read yet, and one while its changes are applied.
    nodes: u64,
}

impl Restore<'_> {
    /// Begins with the names of a directory.
    pub(super) fn directory(
        &mut self,
        of: &Attributes,
        family: &Arc<Family>,
    ) -> Result<(), RestoreError> {
        self.done.directories += 1;
        if let Some(attached) = of.attached {
            if !self.boxes.insert(attached.number) {
                let why = "its box has the number of another";
                return Err(RestoreError::Contradiction(of.ino, why));
            }
            self.writer.put(Key::attached(of.ino), attached.encode());
        }
        let directory = Directory {
            size: of.size,
            nlink: of.nlink,
            names: 0,
            directories: 0,
            nodes: 1,
        };
        self.directories.insert(of.ino, directory);
        self.changed.remove(&of.ino);
        let (head, changes) = (self.head, Arc::clone(&self.changes));
        for change in head.journal.of(of.ino) {
            if let Some(now) = &change.now {
                self.entry(of.ino, &change.name, now, &changes)?;
            }
        }
        if let Some(root) = &of.directory {
            self.entered_directory(of.ino);
            let root = Node::root(of.ino, root.clone(), Arc::clone(family));
            self.queue.push(Job::Node(root));
        }
        self.left_directory(of.ino)
    }

    /// One node more of a directory has to be read.
    pub(super) fn entered_directory(&mut self, ino: Ino) {
        if let Some(directory) = self.directories.get_mut(&ino) {
            directory.nodes += 1;
        }
    }

    /// A node was read; after the last one the directory has the names that it says.
    pub(super) fn left_directory(&mut self, ino: Ino) -> Result<(), RestoreError> {
        let Some(directory) = self.directories.get_mut(&ino) else {
            return Ok(());
        };
        directory.nodes = directory.nodes.saturating_sub(1);
        if directory.nodes > 0 {
            return Ok(());
        }
        let complete = directory.names == directory.size
            && directory.directories.checked_add(2) == Some(directory.nlink);
        self.directories.remove(&ino);
        if complete {
            Ok(())
        } else {
            let why = "this directory has other names than it says";
            Err(RestoreError::Contradiction(ino, why))
        }
    }

    /// A name was found in a directory.
    pub(super) fn count(&mut self, directory: Ino, is_dir: bool) {
        self.done.names += 1;
        if let Some(directory) = self.directories.get_mut(&directory) {
            directory.names += 1;
            directory.directories += u32::from(is_dir);
        }
    }
}
