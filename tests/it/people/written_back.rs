//! What is given back to who wrote it, when a grant ends.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use crate::carried::{mounted, recovered};
use crate::hex;
use crate::network::{pod_and_node, says};
use crate::node::{BatchId, hexadecimal};
use crate::people::appended::names;
use crate::people::shared::{confirmed, until};
use crate::people::written::{ends_unseen, writable};
use crate::people::*;
use crate::support::applicable;
use crate::support::pod::Pod;
use crate::support::random::Random;

#[test]
fn what_is_given_back_needs_nobody_else() {
    let name = "what_is_given_back_needs_nobody_else";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, node, batch) = pod_and_node();
    says(&anna, &["node", "add", &node.url(), "--batch", &batch]);
    let ben = Pod::of_somebody_else();
    let bens = hexadecimal(&node.buy_batch(20));
    says(&ben, &["node", "add", &node.url(), "--batch", &bens]);
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let mut bytes = Random::new(name).bytes(300 * 4096);
    fs::create_dir(first.path("lab")).unwrap();
    fs::write(first.path("lab/scan"), &bytes).unwrap();
    let (_, seen, grant) = writable((&anna, &first), (&ben, &second), "lab");
    until(&ben, "not all comes", || names(&seen).len() == 1);
    // It ends before what he does comes.
    drop(first);
    let scan = OpenOptions::new().write(true).open(seen.join("scan"));
    scan.unwrap().write_all_at(&[7; 5000], 4096).unwrap();
    bytes[4096..][..5000].fill(7);
    confirmed(&ben);
    let first = ends_unseen(&anna, &node, &grant);
    let back = second.path("lab (not taken over)/scan");
    until(&ben, "it is not given back", || back.exists());
    confirmed(&ben);
    drop((first, second));
    // She pays no more.
    let batch: BatchId = hex::decode(&batch).try_into().unwrap();
    node.network().expire(&batch);
    node.drop_cache();
    let ben = recovered(ben, &node);
    let mount = mounted(&ben, &[]);
    assert!(fs::read(mount.path("lab (not taken over)/scan")).unwrap() == bytes);
    says(&ben, &["audit", "verify"]);
}
