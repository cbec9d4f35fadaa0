//! The node for tests against what is known of Bee: statuses, sentences, headers, and the vectors through HTTP.

mod bytes;
mod chunks;
mod faults;
mod foreign;
pub mod http;
mod kept;
mod stamps;
mod vectors;

use std::time::Duration;

use podfs::types::Address;

use crate::bee::http::{Reply, call};
use crate::node::hexadecimal as hex;
use crate::node::{BatchId, Network, Node, Options};

/// A light node of its own network, with a batch of depth 20.
struct Bee {
    node: Node,
    batch: String,
}

impl Bee {
    fn new() -> Self {
        Self::of(Options::light(&Network::new(), 1))
    }

    fn of(options: Options) -> Self {
        let node = Node::start(options);
        let batch = hex(&node.buy_batch(20));
        Self { node, batch }
    }

    fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        call(self.node.address(), method, path, headers, body)
    }

    fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &[], &[])
    }

    /// `POST /chunks` with this batch.
    fn put(&self, body: &[u8]) -> Reply {
        let headers = [("Swarm-Postage-Batch-Id", self.batch.as_str())];
        self.call("POST", "/chunks", &headers, body)
    }

    /// The same under a tag.
    fn put_tagged(&self, tag: u64, body: &[u8]) -> Reply {
        let tag = tag.to_string();
        let headers = [
            ("Swarm-Postage-Batch-Id", self.batch.as_str()),
            ("Swarm-Tag", &tag),
        ];
        self.call("POST", "/chunks", &headers, body)
    }

    fn new_tag(&self) -> u64 {
        let reply = self.call("POST", "/tags", &[], &[]);
        assert_eq!(reply.status, 201);
        reply.json()["uid"].as_u64().unwrap()
    }

    /// split, seen, sent and synced of a tag.
    fn tag(&self, uid: u64) -> [u64; 4] {
        let tag = self.get(&format!("/tags/{uid}")).json();
        ["split", "seen", "sent", "synced"].map(|name| tag[name].as_u64().unwrap())
    }

    fn pass(&self, time: Duration) {
        self.node.clock().advance(time);
    }
}

/// `span ‖ payload` of a chunk that begins with this number.
fn numbered(number: u64) -> Vec<u8> {
    content(&number.to_le_bytes())
}

fn content(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u64).to_le_bytes(), payload].concat()
}

/// Where `span ‖ payload` stands, reckoned in the plainest way.
fn address_of(content: &[u8]) -> Address {
    let (span, payload) = content.split_first_chunk().unwrap();
    crate::node::plain_address(u64::from_le_bytes(*span), payload)
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

fn batch_id(text: &str) -> BatchId {
    unhex(text).try_into().unwrap()
}

#[track_caller]
fn assert_says(reply: &Reply, status: u16, message: &str) {
    let json = reply.json();
    assert_eq!(
        (reply.status, json["message"].as_str().unwrap()),
        (status, message)
    );
    assert_eq!(json["code"].as_u64(), Some(u64::from(status)));
    assert_eq!(
        reply.header("content-type"),
        Some("application/json; charset=utf-8")
    );
}
