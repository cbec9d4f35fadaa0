//! What many grants cost.

use std::fs;
use std::time::Instant;

use crate::carried::mounted;
use crate::people::shared::{accept, confirmed, share, small_lab, until};
use crate::people::*;
use crate::support::applicable;

const GRANTS: usize = 100;

#[test]
fn a_change_costs_one_chunk_a_grant() {
    if !applicable("a_change_costs_one_chunk_a_grant", REQUIREMENTS) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (hers, his) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let lab = small_lab(&hers);
    let grants: Vec<_> = (0..GRANTS).map(|_| share(&anna, &lab, &[])).collect();
    confirmed(&anna);
    accept(&ben, &grants[GRANTS - 1]);
    let seen = his.dir().join("Shared with me/Anna/lab/blood.txt");
    until(&ben, "nothing is shown", || seen.exists());
    confirmed(&anna);
    confirmed(&ben);
    let before = node.counts().chunks_put();
    let began = Instant::now();
    fs::write(lab.join("blood.txt"), "better").unwrap();
    confirmed(&anna);
    let reads = || fs::read_to_string(&seen).is_ok_and(|read| read == "better");
    until(&ben, "the change is not seen", reads);
    let took = began.elapsed();
    let chunks = node.counts().chunks_put() - before;
    println!("{chunks} chunks for a change with {GRANTS} grants, seen after {took:?}");
    // A record for each, and what the change itself takes: inode, two directories, two heads and their parity. What podfs
    // notes of it may be published once more.
    assert!((GRANTS..=GRANTS + 40).contains(&chunks), "{chunks}");
}
