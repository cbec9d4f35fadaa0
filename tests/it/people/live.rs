//! Two people share through a node that is not ours, when there is one.

use std::fs;

use crate::carried::mounted;
use crate::network::says;
use crate::people::shared::{LAB, confirmed, sharing, until, until_reads};
use crate::people::{REQUIREMENTS, text};
use crate::store::live;
use crate::support::applicable;
use crate::support::pod::Pod;

/// A pod that is published through the live node.
fn through(url: &str, batch: &str) -> Pod {
    let pod = Pod::of_somebody_else();
    says(&pod, &["node", "add", url, "--batch", batch]);
    pod
}

#[test]
fn two_people_share_through_a_live_node() {
    let needs = [REQUIREMENTS, &[live::URL]].concat();
    if !applicable("two_people_share_through_a_live_node", &needs) {
        return;
    }
    let (url, batch) = (live::url(), live::batch_id());
    let (anna, ben) = (through(&url, &batch), through(&url, &batch));
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let more = ["--rights", "append", "--for", "second opinion"];
    let (lab, grant) = sharing(&anna, &ben, [&first, &second], &more);
    let seen = second.dir().join(LAB);
    let scan = fs::read(seen.join("2026/march/scan.bin")).unwrap();
    assert!(scan == vec![7; 300_000]);
    fs::write(lab.join("blood.txt"), "better").unwrap();
    confirmed(&anna);
    until_reads(&ben, &seen.join("blood.txt"), "better");
    // What Ben adds becomes hers.
    fs::write(seen.join("report.txt"), "all well").unwrap();
    until_reads(&anna, &lab.join("report.txt"), "all well");
    says(&anna, &["revoke", text(&grant, "id")]);
    until(&ben, "what is revoked is still shown", || !seen.exists());
    for pod in [&anna, &ben] {
        says(pod, &["audit", "verify"]);
    }
}
