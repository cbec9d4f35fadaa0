//! The Merkle tree of RFC 6962, over SHA-256: what stands in it can be proved to stand there, and to have stood there.
//!
//! A leaf hashes as `SHA-256(00 ‖ leaf)`, two neighbours as `SHA-256(01 ‖ left ‖ right)`; the left part of a tree of `n`
//! leaves is the largest power of two below `n`. The tree of no leaves is `SHA-256("")`.

mod proof;
#[cfg(test)]
mod tests;

pub use proof::{consistency, inclusion, is_consistent, is_included};

use sha2::{Digest, Sha256};

/// A node of the tree.
pub type Hash = [u8; 32];

const LEAF: u8 = 0;
const NODE: u8 = 1;

/// The hash of a leaf.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    let hash = Sha256::new().chain_update([LEAF]).chain_update(leaf);
    hash.finalize().into()
}

/// The hash of two neighbours.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let hash = Sha256::new().chain_update([NODE]).chain_update(left);
    hash.chain_update(right).finalize().into()
}

/// The right edge of a growing tree: all that it takes to append leaves, a hash for each bit of their number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// Roots of full trees, the largest first: one for each bit of `size` that is set.
    full: Vec<Hash>,
}

impl Edge {
    /// Leaves so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        self.push_hash(leaf_hash(leaf));
    }

    /// Appends a leaf of which the hash is known.
    pub fn push_hash(&mut self, mut hash: Hash) {
        let mut above = self.size;
        while above & 1 == 1 {
            if let Some(left) = self.full.pop() {
                hash = node_hash(&left, &hash);
            }
            above >>= 1;
        }
        self.full.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// The hash of all leaves so far.
    pub fn root(&self) -> Hash {
        let mut full = self.full.iter().rev();
        let Some(last) = full.next() else {
            return Sha256::digest([]).into();
        };
        full.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The root of a tree with these hashes of leaves.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut edge = Edge::default();
    for leaf in leaves {
        edge.push_hash(*leaf);
    }
    edge.root()
}
