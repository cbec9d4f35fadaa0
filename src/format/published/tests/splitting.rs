//! Where the nodes of a directory begin: figures that costs rest on.

use crate::format::published::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes of an entry of a file as a program makes it: two times, an inode, and the owner of the pod.
const NEW_FILE: usize = 1 + 2 + 2 + 8 + 8 + 2 * 12 + 80;
/// With four times that differ, and an owner: what `cp -a` of somebody else's files leaves.
const COPIED_FILE: usize = NEW_FILE + 2 * 12 + 2 * 4;

fn names(count: usize) -> Vec<String> {
    let mut names: Vec<_> = (0..count).map(|at| format!("photo {at:07}.jpeg")).collect();
    names.sort();
    names
}

fn leaves(names: &[String], entry: usize) -> Vec<Range<usize>> {
    split(
        names.iter().map(|name| Item {
            name: name.as_bytes(),
            bytes: entry + name.len(),
            references: 1,
        }),
        0,
        Rate::DEFAULT.nodes,
    )
}

/// All nodes above leaves of these first names, root included.
fn above(mut firsts: Vec<String>) -> usize {
    let (mut level, mut total) = (1, 0);
    while firsts.len() > 1 {
        let nodes = split(
            firsts.iter().map(|name| Item {
                name: name.as_bytes(),
                bytes: 81 + name.len(),
                references: 1,
            }),
            level,
            Rate::DEFAULT.nodes,
        );
        firsts = nodes
            .iter()
            .map(|node| firsts[node.start].clone())
            .collect();
        total += nodes.len();
        level += 1;
    }
    total
}

#[test]
fn every_name_is_in_one_leaf() {
    assert!(leaves(&[], NEW_FILE).is_empty());
    for count in [1, 2, 30, 1000] {
        let mut next = 0;
        for leaf in leaves(&names(count), NEW_FILE) {
            assert_eq!(leaf.start, next);
            assert!(leaf.end > leaf.start);
            next = leaf.end;
        }
        assert_eq!(next, count);
    }
}

#[test]
fn a_thousand_new_files_cost_little_more_than_their_inodes() {
    let names = names(1000);
    let leaves = leaves(&names, NEW_FILE);
    let firsts: Vec<_> = leaves
        .iter()
        .map(|leaf| names[leaf.start].clone())
        .collect();
    let parity: usize = leaves.iter().map(|leaf| parity_len(leaf.len(), 16)).sum();
    let nodes = leaves.len() + parity_len(leaves.len(), 16) + above(firsts) + 2;
    // The parent's leaf with its parity, the parity of the root, a head twice.
    let all = 1000 + parity + nodes + 5;
    assert!(all <= 1180, "{all} chunks, {} leaves", leaves.len());
}

#[test]
fn names_are_recovered_with_few_requests() {
    for (entry, most) in [(NEW_FILE, 60_000), (COPIED_FILE, 70_000)] {
        let names = names(1000);
        let leaves = leaves(&names, entry);
        let firsts = leaves
            .iter()
            .map(|leaf| names[leaf.start].clone())
            .collect();
        let requests = 1000 * (leaves.len() + above(firsts));
        assert!(requests <= most, "{requests} for a million names");
    }
}

/// Whatever the order in which names come, each rewrites about one leaf, and the end is the same.
#[test]
fn one_new_name_rewrites_one_leaf() {
    let mut order = names(4000);
    order.shuffle(&mut StdRng::seed_from_u64(7));
    let (new, old) = order.split_at(300);
    let mut present = old.to_vec();
    present.sort();
    let contents = |present: &[String]| -> BTreeMap<String, Vec<String>> {
        let leaves = leaves(present, NEW_FILE);
        let leaf = |leaf: &Range<usize>| present[leaf.clone()].to_vec();
        leaves
            .iter()
            .map(leaf)
            .map(|leaf| (leaf[0].clone(), leaf))
            .collect()
    };
    let (mut rewritten, mut most) = (0, 0);
    for name in new {
        let before = contents(&present);
        present.insert(present.partition_point(|other| other < name), name.clone());
        let after = contents(&present);
        let changed = after
            .iter()
            .filter(|(first, leaf)| before.get(*first) != Some(*leaf));
        let changed = changed.count();
        rewritten += changed;
        most = most.max(changed);
    }
    assert!(
        rewritten <= 3 * new.len() / 2 + new.len() / 4,
        "{rewritten} leaves for {}",
        new.len()
    );
    assert!(most <= 12, "{most} leaves for one name");
    assert_eq!(contents(&present), contents(&names(4000)));
}

/// What a writer does who keeps the old boundaries: it begins one leaf before the change and stops where both meet.
#[test]
fn going_on_from_an_old_boundary_gives_the_same_leaves() {
    let all = names(2000);
    for removed in (0..2000).step_by(37) {
        let mut now = all.clone();
        now.remove(removed);
        let before = leaves(&all, NEW_FILE);
        let changed = before
            .iter()
            .position(|leaf| leaf.contains(&removed))
            .unwrap();
        let start = before[changed.saturating_sub(1)].start;
        let mut expected = leaves(&now, NEW_FILE);
        expected.retain(|leaf| leaf.start >= start);
        let again: Vec<_> = leaves(&now[start..], NEW_FILE)
            .into_iter()
            .map(|leaf| leaf.start + start..leaf.end + start)
            .collect();
        assert_eq!(again, expected, "{removed}");
    }
}
