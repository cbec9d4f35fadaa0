use proptest::prelude::*;

use super::*;

fn hash(text: &str) -> Hash {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).unwrap();
    hash
}

/// The leaves of the test data of Certificate Transparency.
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// The roots of the first 0 to 8 of them.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn known() -> Vec<Hash> {
    LEAVES
        .map(|leaf| leaf_hash(&hex::decode(leaf).unwrap()))
        .to_vec()
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    let mut edge = Edge::default();
    for (size, expected) in ROOTS.iter().enumerate() {
        assert_eq!(edge.root(), hash(expected), "{size}");
        assert_eq!(root(&known()[..size]), hash(expected), "{size}");
        if let Some(leaf) = LEAVES.get(size) {
            edge.push(&hex::decode(leaf).unwrap());
        }
    }
    assert_eq!(edge.size(), 8);
}

const A: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const B: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const C: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
const D: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const E: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const F: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";

/// Proofs from the tests of the same project: leaf, size, path; size, later size, path.
#[test]
fn proofs_are_those_of_certificate_transparency() {
    let leaves = known();
    let paths: [(usize, usize, &[&str]); 5] = [
        (0, 1, &[]),
        (0, 8, &[A, B, C]),
        (5, 8, &[D, E, ROOTS[4]]),
        (2, 3, &[ROOTS[2]]),
        (1, 5, &[ROOTS[1], B, D]),
    ];
    let hashes = |path: &[&str]| path.iter().map(|text| hash(text)).collect::<Vec<_>>();
    for (leaf, size, path) in paths {
        assert_eq!(inclusion(&leaves[..size], leaf), Some(hashes(path)));
    }
    let paths: [(usize, usize, &[&str]); 4] = [
        (1, 1, &[]),
        (1, 8, &[A, B, C]),
        (6, 8, &[F, E, ROOTS[4]]),
        (2, 5, &[B, D]),
    ];
    for (first, size, path) in paths {
        assert_eq!(consistency(&leaves[..size], first), Some(hashes(path)));
    }
}

/// The definition of RFC 6962, 2.1.
fn by_definition(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let half = 1 << (leaves.len() - 1).ilog2();
            let (left, right) = leaves.split_at(half);
            node_hash(&by_definition(left), &by_definition(right))
        }
    }
}

fn some_leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|at| leaf_hash(&at.to_le_bytes())).collect()
}

#[test]
fn every_small_tree_and_every_proof_in_it_is_right() {
    for size in 0..=33_usize {
        let leaves = some_leaves(size);
        let top = root(&leaves);
        assert_eq!(top, by_definition(&leaves), "{size}");
        assert_eq!(inclusion(&leaves, size), None);
        for (index, leaf) in leaves.iter().enumerate() {
            let path = inclusion(&leaves, index).unwrap();
            let is = |leaf: &Hash, index: usize, size: usize, path: &[Hash]| {
                is_included(leaf, index as u64, size as u64, path, &top)
            };
            assert!(is(leaf, index, size, &path), "{index} of {size}");
            assert!(!is(&[0; 32], index, size, &path));
            assert!(!is(leaf, size, size, &path));
            for other in (0..size).filter(|other| *other != index) {
                assert!(
                    !is(leaf, other, size, &path),
                    "{other} for {index} of {size}"
                );
            }
            let longer = [&path[..], &[[0; 32]]].concat();
            assert!(!is(leaf, index, size, &longer));
            for at in 0..path.len() {
                assert!(!is(leaf, index, size, &path[..at]));
            }
        }
        assert_eq!(consistency(&leaves, size + 1), None);
        for first in 0..=size {
            let path = consistency(&leaves, first).unwrap();
            let old = root(&leaves[..first]);
            let is = |old: &Hash, new: &Hash, path: &[Hash]| {
                is_consistent((first as u64, old), (size as u64, new), path)
            };
            assert!(is(&old, &top, &path), "{first} of {size}");
            assert!(!is(&[0; 32], &top, &path), "{first} of {size}");
            assert!(first == 0 && size > 0 || !is(&old, &[0; 32], &path));
            assert!(!is(&old, &top, &[&path[..], &[[0; 32]]].concat()));
            for at in 0..path.len() {
                assert!(!is(&old, &top, &path[..at]), "{first} of {size}");
            }
        }
    }
}

proptest! {
    #[test]
    fn what_was_changed_is_not_proved(size in 2_usize..200, at: u64, with: proptest::sample::Index, bit in 0_usize..256) {
        let leaves = some_leaves(size);
        let top = root(&leaves);
        let first = usize::try_from(at % size as u64).unwrap();
        let flip = |path: &mut Vec<Hash>| {
            let len = path.len();
            if let Some(hash) = path.get_mut(with.index(len.max(1))) {
                hash[bit / 8] ^= 1 << (bit % 8);
                return true;
            }
            false
        };
        let mut path = inclusion(&leaves, first).unwrap();
        prop_assert!(is_included(&leaves[first], first as u64, size as u64, &path, &top));
        if flip(&mut path) {
            prop_assert!(!is_included(&leaves[first], first as u64, size as u64, &path, &top));
        }
        let old = root(&leaves[..first]);
        let mut path = consistency(&leaves, first).unwrap();
        prop_assert!(is_consistent((first as u64, &old), (size as u64, &top), &path));
        if flip(&mut path) {
            prop_assert!(!is_consistent((first as u64, &old), (size as u64, &top), &path));
        }
    }

    #[test]
    fn any_bytes_prove_nothing(index: u64, size: u64, path in proptest::collection::vec(any::<Hash>(), 0..70)) {
        prop_assert!(!is_included(&[1; 32], index, size, &path, &[2; 32]));
        prop_assert!(!is_consistent((index, &[1; 32]), (size, &[2; 32]), &path) || index == 0);
        prop_assert!(!is_consistent((size, &[1; 32]), (size, &[2; 32]), &path));
    }
}
