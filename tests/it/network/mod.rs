//! Commands about the network, against nodes that count what they are asked.

mod nodes;
mod recovery;
mod rent;
mod stamps;
mod waiting;

use std::process::Output;

use serde_json::Value;

use crate::node::hexadecimal;
use crate::node::{Network, Node, Options};
use crate::support::both;
use crate::support::pod::Pod;

/// A pod and a light node with a batch of depth 20 and 60 days.
pub fn pod_and_node() -> (Pod, Node, String) {
    let node = Node::start(Options::light(&Network::new(), 1));
    let batch = hexadecimal(&node.buy_batch(20));
    (Pod::new(), node, batch)
}

/// Runs `podfs ARGS` in the pod's environment.
pub fn podfs(pod: &Pod, args: &[&str]) -> Output {
    pod.command(args).output().unwrap()
}

/// What a command that succeeds prints as JSON.
#[track_caller]
pub fn json(pod: &Pod, args: &[&str]) -> Value {
    let output = podfs(pod, args);
    assert!(output.status.success(), "{args:?}: {}", both(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a command that succeeds prints.
#[track_caller]
pub fn says(pod: &Pod, args: &[&str]) -> String {
    let output = podfs(pod, args);
    assert!(output.status.success(), "{args:?}: {}", both(&output));
    both(&output)
}

/// What a command that fails with this exit code prints.
#[track_caller]
pub fn fails(pod: &Pod, code: i32, args: &[&str]) -> String {
    let output = podfs(pod, args);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{args:?}: {}",
        both(&output)
    );
    both(&output)
}
