//! A small publisher by `FORMAT.md`, for tests of what reads.

use std::collections::HashMap;
use std::sync::Arc;

use crate::crypto::Secret;
use crate::crypto::keys::{BoxSecret, PodSecret, ScopeId};
use crate::crypto::publish::{Reference, seal_block, seal_node};
use crate::crypto::swarm::SealedChunk;
use crate::format::published::*;
use crate::format::rows::{Key, Xattr};
use crate::index::Rows;
use crate::store::{Fault, Faults, Memory, Store};
use crate::sync::fetch::Fetcher;
use crate::sync::kept::Kept;
use crate::types::limits::PAGE;
use crate::types::{Address, Ino, Name, Timespec};

const RATE: Rate = Rate::DEFAULT;

pub(super) struct Sample {
    pub(super) secret: BoxSecret,
    pub(super) store: Arc<Fault<Memory>>,
    pub(super) plain: HashMap<Address, Secret<PAGE>>,
}

pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    runtime.block_on(future)
}

pub(super) fn kept() -> Arc<Kept> {
    Arc::new(Kept::new(Arc::new(Rows::memory())).unwrap())
}

pub(super) fn row(kept: &Kept, key: Key) -> Option<Arc<[u8]>> {
    kept.rows().get(&key).unwrap()
}

pub(super) fn attributes(mode: u32, ino: u64) -> Attributes {
    let time = Timespec { secs: 9, nanos: 0 };
    Attributes {
        mode,
        ino: Ino(ino),
        uid: None,
        gid: None,
        nlink: if mode >> 12 == 4 { 2 } else { 1 },
        rdev: 0,
        size: 0,
        mtime: time,
        ctime: time,
        btime: time,
        atime: time,
        xattrs: false,
        target: Box::default(),
        contents: None,
        directory: None,
        attached: None,
    }
}

pub(super) fn file(ino: u64, size: u64, contents: &Reference) -> Attributes {
    Attributes {
        size,
        contents: Some(contents.clone()),
        ..attributes(0o100_644, ino)
    }
}

pub(super) fn entry(name: &str, attributes: Attributes) -> Entry {
    Entry {
        name: Name::parse(name.as_bytes()).unwrap(),
        attributes,
    }
}

pub(super) fn head(root: Attributes, changes: Vec<Change>) -> Head {
    let journal = Journal {
        changes,
        ..Journal::default()
    };
    Head {
        one_scope: false,
        device: 0,
        epoch: 0,
        box_number: 0,
        box_epoch: 0,
        index: 0,
        previous: None,
        nonce: [1; 16],
        time: root.mtime,
        next_ino: 2,
        root: Root {
            attributes: root,
            parity: None,
        },
        adopted: None,
        journal,
        batches: Vec::new(),
        skippable: Vec::new(),
    }
}

impl Sample {
    pub(super) fn new() -> Self {
        Self {
            secret: PodSecret::restore(Secret::from_bytes(&[1; 32])).box_secret(0, 0),
            store: Arc::new(Fault::new(Memory::default(), 1, Faults::default())),
            plain: HashMap::new(),
        }
    }

    pub(super) fn fetcher(&self) -> Fetcher {
        Fetcher::new(Arc::clone(&self.store) as Arc<dyn Store>)
    }

    fn put(&mut self, plain: &[u8; PAGE], sealed: (Reference, SealedChunk)) -> Reference {
        wait(self.store.put(&sealed.1)).unwrap();
        self.plain
            .insert(sealed.1.address(), Secret::from_bytes(plain));
        sealed.0
    }

    pub(super) fn node(&mut self, node: &[u8; PAGE]) -> Reference {
        let key = self.secret.conv_file(&ScopeId([2; 16]));
        self.put(node, seal_node(&key, 0, node))
    }

    pub(super) fn page(&mut self, page: &[u8; PAGE]) -> Reference {
        let key = self.secret.conv_file(&ScopeId([2; 16]));
        self.put(page, seal_block(&key, 0, page))
    }

    pub(super) fn parity(
        &mut self,
        children: &[Option<Reference>],
        group: u8,
    ) -> Vec<Option<Reference>> {
        let parity = |number| {
            let members = members(children.iter().map(Option::as_ref), group, number);
            let pages = members.iter().map(|at| {
                let child = children[*at].as_ref().unwrap();
                self.plain[&child.address()].expose()
            });
            let pages: Vec<_> = pages.collect();
            let sum = complement_sum(pages);
            (!members.is_empty()).then(|| self.node(sum.expose()))
        };
        (0..parity_len(children.len(), group)).map(parity).collect()
    }

    pub(super) fn parity_of<'a>(
        &mut self,
        children: impl Iterator<Item = &'a Reference>,
    ) -> Vec<Reference> {
        let children: Vec<_> = children.cloned().map(Some).collect();
        let parity = self.parity(&children, RATE.nodes);
        parity.into_iter().flatten().collect()
    }

    pub(super) fn leaf(&mut self, entries: Vec<Entry>) -> Pointer {
        let leaf = Leaf {
            group: RATE.nodes,
            parity: self.parity_of(entries.iter().flat_map(Entry::references)),
            entries,
        };
        Pointer {
            first: leaf.entries[0].name.clone(),
            node: self.node(leaf.encode().unwrap().expose()),
        }
    }

    pub(super) fn inner(&mut self, level: u8, names: u64, pointers: Vec<Pointer>) -> Pointer {
        let inner = Inner {
            level,
            names,
            group: RATE.nodes,
            parity: self.parity_of(pointers.iter().map(|pointer| &pointer.node)),
            pointers,
        };
        Pointer {
            first: inner.pointers[0].first.clone(),
            node: self.node(inner.encode().unwrap().expose()),
        }
    }

    /// Writes the names of a directory.
    pub(super) fn directory(&mut self, of: Attributes, entries: &[Entry]) -> Attributes {
        let lengths: Vec<_> = entries
            .iter()
            .map(|entry| entry.encode().unwrap().len())
            .collect();
        let items = entries.iter().zip(lengths).map(|(entry, bytes)| Item {
            name: entry.name.as_bytes(),
            bytes,
            references: entry.references().count(),
        });
        let mut row: Vec<(Pointer, u64)> = Vec::new();
        for range in split(items, 0, RATE.nodes) {
            let names = range.len() as u64;
            row.push((self.leaf(entries[range].to_vec()), names));
        }
        let mut level = 0;
        while row.len() > 1 {
            level += 1;
            let items = row.iter().map(|(pointer, _)| Item {
                name: pointer.first.as_bytes(),
                bytes: pointer.encoded_len(),
                references: 1,
            });
            let ranges = split(items, level, RATE.nodes);
            let mut above = Vec::new();
            for range in ranges {
                let names = row[range.clone()].iter().map(|(_, names)| names).sum();
                let pointers = row[range]
                    .iter()
                    .map(|(pointer, _)| pointer.clone())
                    .collect();
                above.push((self.inner(level, names, pointers), names));
            }
            row = above;
        }
        let below = entries
            .iter()
            .filter(|entry| entry.attributes.is_dir())
            .count();
        Attributes {
            size: entries.len() as u64,
            nlink: 2 + u32::try_from(below).unwrap(),
            directory: row.pop().map(|(root, _)| root.node),
            ..of
        }
    }

    /// The inode of a file that has what `page` gives; nothing for a hole.
    pub(super) fn contents(
        &mut self,
        size: u64,
        page: &dyn Fn(u64) -> Option<[u8; PAGE]>,
    ) -> Reference {
        let shape = Shape::of(size, RATE).unwrap();
        let level = shape.level();
        let step = shape.span(level);
        let children =
            (0..shape.children()).map(|child| self.below(shape, level, child * step, page));
        let children: Vec<_> = children.collect();
        let inode = Inode {
            kind: InodeKind::File,
            scope: ScopeId([2; 16]),
            size,
            contents: Contents::Tree {
                shape,
                parity: self.parity(&children, RATE.group(level)),
                children,
            },
            xattrs: XattrPlace::Inline(Vec::new()),
        };
        self.node(inode.encode().unwrap().expose())
    }

    fn below(
        &mut self,
        shape: Shape,
        level: u8,
        first: u64,
        page: &dyn Fn(u64) -> Option<[u8; PAGE]>,
    ) -> Option<Reference> {
        if level == 0 {
            return page(first).map(|page| self.page(&page));
        }
        // Only the beginning of a large file is looked through.
        if first > 1 << 20 {
            return None;
        }
        let step = shape.span(level - 1);
        let children = (0..shape.fan(level, first)).map(|child| first + child * step);
        let children: Vec<_> = children
            .map(|first| self.below(shape, level - 1, first, page))
            .collect();
        if children.iter().all(Option::is_none) {
            return None;
        }
        let group = RATE.group(level - 1);
        let node = TreeNode {
            level,
            pages: shape.covered(level, first).1,
            group,
            parity: self.parity(&children, group),
            children,
        };
        Some(self.node(node.encode().unwrap().expose()))
    }

    /// The inode of a small thing.
    pub(super) fn inline(&mut self, bytes: &[u8], xattrs: Vec<Xattr>) -> Reference {
        let inode = Inode {
            kind: InodeKind::File,
            scope: ScopeId([2; 16]),
            size: bytes.len() as u64,
            contents: Contents::Inline(bytes.into()),
            xattrs: XattrPlace::Inline(xattrs),
        };
        self.node(inode.encode().unwrap().expose())
    }
}
