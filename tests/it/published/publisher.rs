//! Publishes files, directories and heads by FORMAT.md: seals, makes parity, signs.

use std::collections::BTreeMap;

use podfs::crypto::Secret;
use podfs::crypto::keys::BoxSecret;
use podfs::crypto::keys::ScopeId;
use podfs::crypto::publish::HeadPlace;
use podfs::crypto::publish::Reference;
use podfs::crypto::publish::seal_block;
use podfs::crypto::publish::seal_head;
use podfs::crypto::publish::seal_node;
use podfs::crypto::swarm::SealedChunk;
use podfs::crypto::swarm::SocId;
use podfs::format::published::*;
use podfs::format::rows::Xattr;
use podfs::types::Address;

use crate::published::Chunks;
use crate::published::box_secret;

pub(super) const RATE: Rate = Rate::DEFAULT;

pub(super) struct Publisher {
    pub(super) secret: BoxSecret,
    pub(super) chunks: Chunks,
    /// Nodes as they were before they were sealed, for parity.
    plain: BTreeMap<Address, Box<Page>>,
}

impl Publisher {
    pub(super) fn new() -> Self {
        Self {
            secret: box_secret(),
            chunks: Chunks::new(),
            plain: BTreeMap::new(),
        }
    }

    fn keep(&mut self, (reference, chunk): (Reference, SealedChunk)) -> Reference {
        self.chunks.insert(chunk.address(), chunk.bytes().to_vec());
        reference
    }

    fn node(&mut self, scope: &ScopeId, node: &Secret<4096>) -> Reference {
        let sealed = seal_node(&self.secret.conv_file(scope), 0, node.expose());
        let plain = Box::new(*node.expose());
        self.plain.insert(sealed.1.address(), plain);
        self.keep(sealed)
    }

    fn page(&mut self, scope: &ScopeId, bytes: &[u8]) -> Option<Reference> {
        let mut page = [0; 4096];
        page[..bytes.len()].copy_from_slice(bytes);
        let hole = page == [0; 4096];
        let sealed = seal_block(&self.secret.conv_file(scope), 0, &page);
        (!hole).then(|| self.keep(sealed))
    }

    fn parity(
        &mut self,
        scope: &ScopeId,
        children: &[Option<Reference>],
        group: u8,
    ) -> Vec<Option<Reference>> {
        let parity = |number| {
            let members = members(children.iter().map(Option::as_ref), group, number);
            let pages: Vec<_> = members
                .iter()
                .map(|at| *self.plain[&children[*at].as_ref().unwrap().address()])
                .collect();
            (!pages.is_empty()).then(|| self.node(scope, &complement_sum(&pages)))
        };
        (0..parity_len(children.len(), group)).map(parity).collect()
    }

    /// Parity of children none of which is a hole.
    pub(super) fn parity_of(
        &mut self,
        scope: &ScopeId,
        children: Vec<Reference>,
    ) -> Vec<Reference> {
        let children: Vec<_> = children.into_iter().map(Some).collect();
        let parity = self.parity(scope, &children, RATE.nodes);
        parity.into_iter().flatten().collect()
    }

    fn subtree(&mut self, at: (Shape, u8, u64), scope: &ScopeId, file: &[u8]) -> Option<Reference> {
        let (shape, level, first) = at;
        if level == 0 {
            let rest = &file[first as usize * 4096..];
            return self.page(scope, &rest[..rest.len().min(4096)]);
        }
        let step = shape.span(level - 1);
        let below = (0..shape.fan(level, first)).map(|child| first + child * step);
        let children: Vec<_> = below
            .map(|first| self.subtree((shape, level - 1, first), scope, file))
            .collect();
        let group = RATE.group(level - 1);
        let node = TreeNode {
            level,
            pages: shape.covered(level, first).1,
            group,
            parity: self.parity(scope, &children, group),
            children,
        };
        let empty = node.children.iter().all(Option::is_none);
        (!empty).then(|| self.node(scope, &node.encode().unwrap()))
    }

    pub(super) fn inode(
        &mut self,
        kind: InodeKind,
        scope: &ScopeId,
        file: &[u8],
        xattrs: Vec<Xattr>,
    ) -> Reference {
        let size = file.len() as u64;
        let contents = match Shape::of(size, RATE) {
            None => Contents::Inline(file.into()),
            Some(shape) => {
                let level = shape.level();
                let children: Vec<_> = (0..shape.children())
                    .map(|child| (shape, level, child * shape.span(level)))
                    .map(|at| self.subtree(at, scope, file))
                    .collect();
                Contents::Tree {
                    shape,
                    parity: self.parity(scope, &children, RATE.group(level)),
                    children,
                }
            }
        };
        let list = encode_xattrs(&xattrs).unwrap();
        let xattrs = if Inode::holds_xattrs(size, RATE, list.len()) {
            XattrPlace::Inline(xattrs)
        } else {
            let node = self.inode(InodeKind::Attributes, scope, &list, Vec::new());
            XattrPlace::Elsewhere {
                parity: self.parity_of(scope, vec![node.clone()]).pop(),
                node,
            }
        };
        let inode = Inode {
            kind,
            scope: *scope,
            size,
            contents,
            xattrs,
        };
        self.node(scope, &inode.encode().unwrap())
    }

    pub(super) fn file(
        &mut self,
        (directory, name): (u64, &[u8]),
        file: &[u8],
        xattrs: Vec<Xattr>,
        of: Attributes,
    ) -> Attributes {
        let scope = self.secret.scope_key().scope_id(directory, name);
        Attributes {
            size: file.len() as u64,
            xattrs: !xattrs.is_empty(),
            contents: Some(self.inode(InodeKind::File, &scope, file, xattrs)),
            ..of
        }
    }

    /// Writes the names of `directory` and puts the root of their tree into it.
    pub(super) fn directory(&mut self, directory: Attributes, entries: &[Entry]) -> Attributes {
        let scope = self.secret.scope_key().scope_id(directory.ino.0, b"");
        let size = entries.len() as u64;
        let bytes: Vec<_> = entries
            .iter()
            .map(|entry| entry.encode().unwrap().len())
            .collect();
        let items = entries.iter().zip(bytes).map(|(entry, bytes)| Item {
            name: entry.name.as_bytes(),
            bytes,
            references: entry.references().count(),
        });
        let mut nodes = Vec::new();
        for range in split(items, 0, RATE.nodes) {
            let entries = entries[range].to_vec();
            let children = entries
                .iter()
                .flat_map(Entry::references)
                .cloned()
                .collect();
            let leaf = Leaf {
                group: RATE.nodes,
                parity: self.parity_of(&scope, children),
                entries,
            };
            let first = leaf.entries[0].name.clone();
            let node = self.node(&scope, &leaf.encode().unwrap());
            nodes.push(Pointer { first, node });
        }
        assert!(nodes.len() < 10, "one node above the leaves is enough here");
        if nodes.len() > 1 {
            let children = nodes.iter().map(|pointer| pointer.node.clone()).collect();
            let inner = Inner {
                level: 1,
                names: size,
                group: RATE.nodes,
                parity: self.parity_of(&scope, children),
                pointers: nodes,
            };
            let first = inner.pointers[0].first.clone();
            let node = self.node(&scope, &inner.encode().unwrap());
            nodes = vec![Pointer { first, node }];
        }
        Attributes {
            size,
            directory: nodes.pop().map(|root| root.node),
            ..directory
        }
    }

    /// Signs the head under both topics.
    pub(super) fn head(&mut self, head: &Head) -> [u8; 32] {
        let signer = self.secret.feed_signer(head.device);
        let topic = self.secret.feed_topic(head.device);
        let place = HeadPlace {
            owner: signer.owner(),
            topic,
            index: head.index,
        };
        let plain = head.encode().unwrap();
        let payload = seal_head(&self.secret.head_keys(), &place, plain.expose());
        for topic in [topic, self.secret.feed_replica_topic(head.device)] {
            let id = SocId::of_update(&topic, head.index);
            let chunk = SealedChunk::single_owner(&signer, &id, &payload).unwrap();
            self.chunks.insert(chunk.address(), chunk.bytes().to_vec());
        }
        *blake3::hash(&payload).as_bytes()
    }
}
