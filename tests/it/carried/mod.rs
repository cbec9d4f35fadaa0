//! Mounted pods and the network: what is saved is carried there, and comes back from the phrase and a node.

mod budget;
mod cold;
mod faults;
mod hour;
mod killed;
mod live;
mod migrated;
mod names;
mod offline;
mod recovery;
mod rolled_back;
mod trees;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::carried::trees::{assert_equal, look};
use crate::network::{json, pod_and_node, says};
use crate::node::Node;
use crate::support::mount::Mount;
use crate::support::pod::Pod;
use crate::support::run;
use crate::support::wait_until;

/// What these tests need.
pub const REQUIREMENTS: &[&str] = &["/dev/fuse", "root"];

/// A pod that is published through a light node of its own network.
pub fn carried() -> (Pod, Node) {
    let (pod, node, batch) = pod_and_node();
    says(&pod, &["node", "add", &node.url(), "--batch", &batch]);
    (pod, node)
}

/// Mounts a pod that has nodes.
#[track_caller]
pub fn mounted<'pod>(pod: &'pod Pod, flags: &[&str]) -> Mount<'pod> {
    let mount = pod.mount_with(flags);
    mount.expect_connections();
    mount
}

/// Waits until the network was seen to hold everything.
#[track_caller]
pub fn confirmed(pod: &Pod) -> Value {
    let report = json(pod, &["wait", "--timeout", "240s", "--json"]);
    assert_eq!(
        pod.status()["network_report"]["level"],
        "confirmed",
        "{report}"
    );
    report
}

/// All of a machine is lost; on another one the pod comes back from phrase and node alone.
#[track_caller]
pub fn recovered(lost: Pod, node: &Node) -> Pod {
    recovered_from(lost, &node.url())
}

/// The same from any node.
#[track_caller]
fn recovered_from(lost: Pod, url: &str) -> Pod {
    let pod = lost.elsewhere();
    drop(lost);
    recover(&pod, url);
    pod
}

/// All of a machine is lost, and what comes back from a node looks as `before`.
#[track_caller]
fn comes_back(lost: Pod, node: &Node, before: &str) {
    let pod = recovered(lost, node);
    let mount = mounted(&pod, &[]);
    assert_equal(before, &look(mount.dir()));
}

/// `podfs recover` on a machine that has the phrase.
#[track_caller]
pub fn recover(pod: &Pod, url: &str) {
    let mut command = pod.command(&["recover", "--node", url, "--passphrase-file"]);
    run(command
        .arg(pod.path("passphrase"))
        .arg("--phrase-file")
        .arg(pod.path("phrase")));
    pod.cheapen();
}

/// What the daemon says of the network.
fn report(pod: &Pod) -> Value {
    pod.status()["network_report"].clone()
}

/// Waits until the daemon says this of the network.
#[track_caller]
fn until_said(pod: &Pod, limit: Duration, what: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let came = wait_until(limit, || {
        last = report(pod);
        what(&last)
    });
    assert!(came, "after {limit:?}: {last}");
    last
}

/// The kernel forgets the pages that it has of a file.
fn forget_pages(path: &Path) {
    let file = std::fs::File::open(path).unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}
