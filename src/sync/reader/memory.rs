use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use lru::LruCache;

use crate::format::published::Inode;
use crate::sync::contents::Tree;
use crate::sync::fetch::{Family, Opened};
use crate::types::limits::{FETCHED_INODES, FETCHED_NODES, FETCHED_PAGES};
use crate::types::{Address, Ino};

/// An inode with the family of its children.
pub(super) struct Known {
    pub(super) inode: Inode,
    /// Nothing when it has no tree.
    pub(super) family: Option<Arc<Family>>,
}

/// What was fetched lately, by address.
pub(super) struct Memory {
    pages: LruCache<Address, Opened>,
    trees: LruCache<Address, Arc<Tree>>,
    inodes: LruCache<Address, Arc<Known>>,
    /// Files that were read lately, and the page behind those that were fetched last.
    files: LruCache<Ino, u64>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            pages: LruCache::new(many(FETCHED_PAGES)),
            trees: LruCache::new(many(FETCHED_NODES)),
            inodes: LruCache::new(many(FETCHED_INODES)),
            files: LruCache::new(many(FETCHED_INODES)),
        }
    }

    pub(super) fn page(&mut self, address: &Address) -> Option<Opened> {
        self.pages.get(address).map(Arc::clone)
    }

    pub(super) fn put_page(&mut self, address: Address, page: &Opened) {
        self.pages.put(address, Arc::clone(page));
    }

    pub(super) fn tree(&mut self, address: &Address) -> Option<Arc<Tree>> {
        self.trees.get(address).map(Arc::clone)
    }

    pub(super) fn put_tree(&mut self, address: Address, tree: &Arc<Tree>) {
        self.trees.put(address, Arc::clone(tree));
    }

    pub(super) fn inode(&mut self, address: &Address) -> Option<Arc<Known>> {
        self.inodes.get(address).map(Arc::clone)
    }

    pub(super) fn put_inode(&mut self, address: Address, inode: &Arc<Known>) {
        self.inodes.put(address, Arc::clone(inode));
    }

    /// A file is read.
    pub(super) fn used(&mut self, ino: Ino) {
        self.files.get_or_insert(ino, || 0);
    }

    /// Pages of a file are asked for; whether they follow those before.
    pub(super) fn asked(&mut self, ino: Ino, pages: &Range<u64>) -> bool {
        let before = self.files.put(ino, pages.end);
        pages.start > 0 && before == Some(pages.start)
    }

    /// Whether a file was read lately.
    pub(super) fn is_recent(&self, ino: Ino) -> bool {
        self.files.contains(&ino)
    }

    /// Those files, the one read longest ago first.
    pub(super) fn recent(&self) -> Vec<Ino> {
        self.files.iter().rev().map(|(ino, _)| *ino).collect()
    }
}

fn many(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)
}
