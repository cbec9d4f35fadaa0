//! Who people are to each other: cards in the network and as files, pinned, compared by voice, and refused.

mod appended;
mod begun;
mod boxed;
mod contacts;
mod door;
mod ended;
mod exchange;
mod grantee;
mod grants;
mod hoard;
mod hook;
mod hundred;
mod kept;
mod leaving;
mod live;
mod matrix;
mod memory;
mod messages;
mod readme;
mod recorded;
mod refused;
mod replaced;
mod revoked;
mod shared;
mod shares;
mod successor;
mod told;
mod unlinkable;
mod visit;
mod wire;
mod witnessed;
mod written;
mod written_back;
mod written_hostile;
mod written_model;
mod written_open;
mod written_single;

use serde_json::Value;

use crate::carried::{carried, mounted};
use crate::network::{fails, json, podfs, says};
use crate::node::{Node, hexadecimal};
use crate::support::both;
use crate::support::pod::Pod;

/// What these tests need.
const REQUIREMENTS: &[&str] = &["/dev/fuse", "root"];

/// Two people who have nothing in common but a network: their pods, each with a batch of its own.
fn two_people() -> (Pod, Pod, Node) {
    let (anna, node) = carried();
    let ben = Pod::of_somebody_else();
    let batch = hexadecimal(&node.buy_batch(20));
    says(&ben, &["node", "add", &node.url(), "--batch", &batch]);
    (anna, ben, node)
}

/// Makes and publishes the card of a pod.
#[track_caller]
fn introduce(pod: &Pod) -> Value {
    let phrase = pod.path("phrase");
    let phrase = phrase.to_str().unwrap();
    json(pod, &["id", "publish", "--json", "--phrase-file", phrase])
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap()
}

/// Both have added each other.
fn acquainted(anna: &Pod, ben: &Pod) {
    let (annas, bens) = (introduce(anna), introduce(ben));
    says(ben, &["contact", "add", "Anna", text(&annas, "identity")]);
    says(anna, &["contact", "add", "Ben", text(&bens, "identity")]);
}

/// Anna has the card of Ben, and has compared the words with him.
fn compared(anna: &Pod, ben: &Pod) {
    introduce(anna);
    let other = introduce(ben);
    says(anna, &["contact", "add", "Ben", text(&other, "identity")]);
    let words = says(anna, &["contact", "verify", "Ben", "--show"]);
    says(anna, &["contact", "verify", "Ben", "--words", &words]);
}
