use std::sync::Arc;

use crate::pod::Arrived;
use crate::pod::Pod;
use crate::pod::PodError;
use crate::sync::receive::Item;
use crate::sync::receive::Tree;
use crate::types::Ino;
use crate::types::Name;

/// The file system, as far as it takes what others share.
pub(super) struct PodTree(pub(super) Arc<Pod>);

impl Tree for PodTree {
    fn names(&self, dir: Ino) -> Result<Vec<(Name, Ino)>, String> {
        self.0.received_names(dir).map_err(failed)
    }

    fn put(&self, dir: Ino, name: &Name, item: Item) -> Result<Ino, String> {
        let arrived = Arrived {
            inode: item.inode,
            xattrs: item.xattrs,
            pages: item.pages,
            published: item.published,
        };
        self.0.receive(dir, name, &arrived).map_err(failed)
    }

    fn remove(&self, dir: Ino, name: &Name) -> Result<(), String> {
        self.0.withdraw(dir, name).map_err(failed)
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn failed(error: PodError) -> String {
    error.to_string()
}
