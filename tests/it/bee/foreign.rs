//! The node from outside: bee-js, which applications use on real nodes.

use std::path::PathBuf;
use std::process::Command;

use crate::bee::Bee;
use crate::node::{Network, Node, Options, Version};
use crate::support::{applicable, run, tool};

fn packages() -> PathBuf {
    tool("").with_file_name("foreign-js").join("node_modules")
}

fn bee_js(arguments: &[&str]) {
    run(Command::new("node")
        .arg("tests/foreign/node.js")
        .args(arguments)
        .env("NODE_PATH", packages()));
}

#[test]
fn bee_js_finds_a_node() {
    if !applicable(
        "bee_js_finds_a_node",
        &["node", packages().to_str().unwrap()],
    ) {
        return;
    }
    // It leaves the redundancy level out when it is 0: what newer nodes make of that is no level 0.
    let bee = Bee::of(Options {
        version: Version::V2_8_0,
        ..Options::light(&Network::new(), 1)
    });
    bee_js(&[&bee.node.url(), &bee.batch]);
}

#[test]
fn bee_js_finds_a_gateway() {
    if !applicable(
        "bee_js_finds_a_gateway",
        &["node", packages().to_str().unwrap()],
    ) {
        return;
    }
    let gateway = Node::start(Options::gateway(&Network::new(), 1));
    bee_js(&["--gateway", &gateway.url()]);
}
