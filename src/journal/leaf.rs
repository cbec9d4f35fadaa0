use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

use crate::crypto::Secret;
use crate::format::manifest::Manifest;
use crate::format::node::{self, Pointer};
use crate::format::rows::{Key, Slot};
use crate::journal::{Journal, JournalError, Value};
use crate::types::limits::{LEAF_CACHE, PAGE};

/// Rows of a checkpoint leaf, in order.
pub struct Leaf {
    /// The rows.
    pub rows: Vec<(Key, Value)>,
}

impl Leaf {
    /// The row of that key.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        let at = self
            .rows
            .binary_search_by(|(known, _)| known.cmp(key))
            .ok()?;
        self.rows.get(at).map(|(_, value)| value)
    }

    /// Rows with `from <= key <= to`.
    pub fn range(&self, from: &Key, to: &Key) -> &[(Key, Value)] {
        let start = self.rows.partition_point(|(key, _)| key < from);
        let end = self.rows.partition_point(|(key, _)| key <= to);
        self.rows.get(start..end.max(start)).unwrap_or_default()
    }
}

/// Root of the newest checkpoint, as the manifest has it.
#[derive(Default)]
pub struct Root {
    /// Its generation.
    pub generation: u64,
    /// Number of leaves.
    pub leaves: u64,
    /// Sum of the keyed hashes of the leaf pointers.
    pub digest: [u8; 16],
    /// Branches, in key order.
    pub(in crate::journal) branches: Vec<Pointer>,
}

impl Root {
    pub(in crate::journal) fn of(manifest: &Manifest) -> Self {
        let Manifest {
            generation,
            leaves,
            digest,
            branches,
            ..
        } = manifest;
        Self {
            generation: *generation,
            leaves: *leaves,
            digest: *digest,
            branches: branches.clone(),
        }
    }
}

/// Opened nodes, least recently used out first.
pub(in crate::journal) struct Nodes {
    cache: Mutex<Cache>,
}

struct Cache {
    nodes: LruCache<Slot, Node>,
    bytes: usize,
}

#[derive(Clone)]
enum Node {
    Leaf(Arc<Leaf>, usize),
    Branch(Arc<Vec<Pointer>>, usize),
}

impl Node {
    const fn bytes(&self) -> usize {
        match self {
            Self::Leaf(_, bytes) | Self::Branch(_, bytes) => *bytes,
        }
    }
}

impl Nodes {
    pub(in crate::journal) fn new() -> Self {
        Self {
            cache: Mutex::new(Cache {
                nodes: LruCache::unbounded(),
                bytes: 0,
            }),
        }
    }

    fn get(&self, slot: Slot) -> Option<Node> {
        self.cache.lock().nodes.get(&slot).cloned()
    }

    fn put(&self, slot: Slot, node: Node) {
        let mut cache = self.cache.lock();
        cache.bytes += node.bytes();
        if let Some(old) = cache.nodes.put(slot, node) {
            cache.bytes -= old.bytes();
        }
        while cache.bytes > LEAF_CACHE {
            let Some((_, old)) = cache.nodes.pop_lru() else {
                break;
            };
            cache.bytes -= old.bytes();
        }
    }

    /// Forgets a node whose pages are given back.
    pub(in crate::journal) fn forget(&self, slot: Slot) {
        let mut cache = self.cache.lock();
        if let Some(old) = cache.nodes.pop(&slot) {
            cache.bytes -= old.bytes();
        }
    }
}

/// What a pointer adds to the digest of a checkpoint.
pub(in crate::journal) fn digest(key: &Secret<32>, pointer: &Pointer) -> u128 {
    let mut bytes = Vec::with_capacity(128);
    node::put_pointer(&mut bytes, pointer);
    let hash = blake3::keyed_hash(key.expose(), &bytes);
    hash.as_bytes()
        .first_chunk()
        .map_or(0, |bytes| u128::from_le_bytes(*bytes))
}

impl Journal {
    /// The leaf a pointer names.
    pub fn leaf(&self, pointer: &Pointer) -> Result<Arc<Leaf>, JournalError> {
        if let Some(Node::Leaf(leaf, _)) = self.nodes.get(pointer.run.slot) {
            return Ok(leaf);
        }
        let bytes = self.node_bytes(pointer)?;
        let rows = node::leaf_rows(&bytes).map_err(|_| JournalError::Corrupt(pointer.run.slot))?;
        let cost = rows
            .iter()
            .fold(64, |sum, (_, value)| sum + value.len() + 80);
        let leaf = Arc::new(Leaf {
            rows: rows
                .into_iter()
                .map(|(key, value)| (key, value.into()))
                .collect(),
        });
        self.nodes
            .put(pointer.run.slot, Node::Leaf(Arc::clone(&leaf), cost));
        Ok(leaf)
    }

    pub(in crate::journal) fn branch(
        &self,
        pointer: &Pointer,
    ) -> Result<Arc<Vec<Pointer>>, JournalError> {
        if let Some(Node::Branch(branch, _)) = self.nodes.get(pointer.run.slot) {
            return Ok(branch);
        }
        let bytes = self.node_bytes(pointer)?;
        let branch =
            node::branch_pointers(&bytes).map_err(|_| JournalError::Corrupt(pointer.run.slot))?;
        let branch = Arc::new(branch);
        self.nodes.put(
            pointer.run.slot,
            Node::Branch(Arc::clone(&branch), branch.len() * 160),
        );
        Ok(branch)
    }

    fn node_bytes(&self, pointer: &Pointer) -> Result<Vec<u8>, JournalError> {
        let mut bytes = vec![0; pointer.run.tags.len() * PAGE];
        self.read(&pointer.run, 0, &mut bytes)?;
        Ok(bytes)
    }

    /// Root of the newest checkpoint.
    pub fn root(&self) -> Arc<Root> {
        Arc::clone(&self.root.read())
    }

    /// The leaf that would hold `key`, and the first key of the leaf after it. The index answers the same, faster.
    pub fn find(&self, key: &Key) -> Result<(Option<Pointer>, Option<Key>), JournalError> {
        self.find_in(&self.root().branches, key)
    }

    /// The same in the tree of any checkpoint.
    pub(in crate::journal) fn find_in(
        &self,
        branches: &[Pointer],
        key: &Key,
    ) -> Result<(Option<Pointer>, Option<Key>), JournalError> {
        let at = branches.partition_point(|branch| branch.first <= *key);
        let at = at.max(1) - 1;
        let Some(branch) = branches.get(at) else {
            return Ok((None, None));
        };
        let beyond = branches.get(at + 1).map(|branch| branch.first);
        let pointers = self.branch(branch)?;
        let at = pointers.partition_point(|leaf| leaf.first <= *key).max(1) - 1;
        let next = pointers.get(at + 1).map(|leaf| leaf.first).or(beyond);
        Ok((pointers.get(at).cloned(), next))
    }

    /// Shows every leaf pointer of the newest checkpoint, in order.
    pub fn pointers(
        &self,
        mut show: impl FnMut(&Pointer) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let root = self.root();
        for branch in &root.branches {
            self.branch(branch)?.iter().try_for_each(&mut show)?;
        }
        Ok(())
    }

    /// What a leaf pointer adds to [`Root::digest`] (wrapping sum).
    pub fn digest(&self, pointer: &Pointer) -> u128 {
        digest(&self.digest_key, pointer)
    }
}
