//! Proofs as RFC 9162, 2.1.3 and 2.1.4, makes and verifies them: the same as those of RFC 6962.

use crate::crypto::merkle::{Hash, node_hash, root};

/// The path from leaf `index` to the root, from below; nothing when there is no such leaf.
pub fn inclusion(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(Vec::new());
    }
    let (left, right) = halves(leaves);
    if let Some(index) = index.checked_sub(left.len()) {
        with(inclusion(right, index), root(left))
    } else {
        with(inclusion(left, index), root(right))
    }
}

/// What shows that the tree of the first `size` leaves begins the tree of all of them; nothing when there are not so many.
pub fn consistency(leaves: &[Hash], size: usize) -> Option<Vec<Hash>> {
    if size > leaves.len() {
        return None;
    }
    if size == 0 {
        return Some(Vec::new());
    }
    grown(leaves, size, true)
}

/// `SUBPROOF`: `known` while the tree of the first `size` leaves is the one that the verifier has the root of.
fn grown(leaves: &[Hash], size: usize, known: bool) -> Option<Vec<Hash>> {
    if size == leaves.len() {
        return Some(if known {
            Vec::new()
        } else {
            vec![root(leaves)]
        });
    }
    let (left, right) = halves(leaves);
    match size.checked_sub(left.len()) {
        Some(size) if size > 0 => with(grown(right, size, false), root(left)),
        _ => with(grown(left, size, known), root(right)),
    }
}

fn with(path: Option<Vec<Hash>>, last: Hash) -> Option<Vec<Hash>> {
    let mut path = path?;
    path.push(last);
    Some(path)
}

/// Two leaves or more, cut where the tree is.
fn halves(leaves: &[Hash]) -> (&[Hash], &[Hash]) {
    let half = leaves.len().next_power_of_two() >> 1;
    leaves.split_at(half.min(leaves.len()))
}

/// Whether `path` shows that a leaf with this hash is leaf `index` of the tree of `size` leaves with this root.
pub fn is_included(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    let Some(mut last) = size.checked_sub(1).filter(|last| index <= *last) else {
        return false;
    };
    let (mut at, mut hash) = (index, *leaf);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(beside, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether `path` shows that the tree `(size, root)` of `before` begins that of `after`.
pub fn is_consistent(before: (u64, &Hash), after: (u64, &Hash), path: &[Hash]) -> bool {
    let ((first, old), (second, new)) = (before, after);
    if first == second || first == 0 {
        let same = first != second || old == new;
        return path.is_empty() && same && (first != 0 || *old == root(&[]));
    }
    let (Some(mut at), Some(mut last)) = (first.checked_sub(1), second.checked_sub(1)) else {
        return false;
    };
    // The root of a full tree is a node of the later one: it is not sent.
    let mut path = first
        .is_power_of_two()
        .then_some(old)
        .into_iter()
        .chain(path);
    let Some(start) = path.next().filter(|_| first < second) else {
        return false;
    };
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let (mut then, mut now) = (*start, *start);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            then = node_hash(beside, &then);
            now = node_hash(beside, &now);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            now = node_hash(&now, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && then == *old && now == *new
}
