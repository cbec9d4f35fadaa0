//! Batches: buying, time, buckets, and what the storers think of a stamp.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bee::{Bee, address_of, assert_says, batch_id, hex, numbered};
use crate::node::{Loss, Network, Node, Options, Slot};

const DAY: Duration = Duration::from_secs(86_400);

/// Buys a batch through the API; amount for 30 days.
fn buy(bee: &Bee, depth: u8, query: &str) -> String {
    let amount = 24_000_u64 * 30 * 17_280;
    let reply = bee.call(
        "POST",
        &format!("/stamps/{amount}/{depth}{query}"),
        &[],
        &[],
    );
    assert_eq!(reply.status, 201);
    let json = reply.json();
    assert!(json["txHash"].as_str().unwrap().starts_with("0x"));
    json["batchID"].as_str().unwrap().to_owned()
}

#[test]
fn a_batch_is_usable_after_ten_blocks() {
    let mut bee = Bee::new();
    bee.batch = buy(&bee, 20, "?label=my%20pod");
    let path = format!("/stamps/{}", bee.batch);
    let late = "batch not usable yet or does not exist";
    assert_says(&bee.put(&numbered(1)), 422, late);
    assert_says(&bee.get(&path), 400, "batch not usable");
    let stamps = bee.get("/stamps").json();
    let all = stamps["stamps"].as_array().unwrap();
    let stamp = all
        .iter()
        .find(|stamp| stamp["batchID"] == bee.batch)
        .unwrap();
    assert_eq!(stamp["usable"], false);
    bee.pass(Duration::from_secs(49));
    assert_says(&bee.put(&numbered(1)), 422, late);
    bee.pass(Duration::from_secs(1));
    bee.put(&numbered(1)).reference();
    let stamp = bee.get(&path).json();
    assert_eq!(
        (&stamp["label"], &stamp["usable"]),
        (&"my pod".into(), &true.into())
    );
    assert_eq!(
        (&stamp["depth"], &stamp["bucketDepth"]),
        (&20.into(), &16.into())
    );
    assert_eq!(
        (&stamp["amount"], &stamp["utilization"]),
        (&"12441600000".into(), &1.into())
    );
    assert_eq!(stamp["batchTTL"], 30 * 86_400 - 50);
    assert_eq!(stamp["immutableFlag"], true);
    let buckets = bee.get(&format!("{path}/buckets")).json();
    assert_eq!(buckets["bucketUpperBound"], 16);
    let buckets = buckets["buckets"].as_array().unwrap();
    let bucket = usize::from(u16::from_be_bytes(
        *address_of(&numbered(1)).0.first_chunk().unwrap(),
    ));
    assert_eq!(
        (buckets.len(), &buckets[bucket]["collisions"]),
        (65_536, &1.into())
    );
    let body = br#"{"label":"other"}"#;
    assert_says(&bee.call("PATCH", &path, &[], body), 200, "OK");
    assert_eq!(bee.get(&path).json()["label"], "other");
    assert_says(
        &bee.call("PATCH", &path, &[], b"{}"),
        400,
        "label is required",
    );
}

#[test]
fn purchases_are_refused_in_bees_words() {
    let bee = Bee::new();
    let post = |path: &str| bee.call("POST", path, &[], &[]);
    assert_says(&post("/stamps/10000000000/16"), 400, "invalid path params");
    assert_eq!(
        post("/stamps/10000000000/16").json()["reasons"][0]["error"],
        "want min:17"
    );
    let day = 24_000_u64 * 17_280;
    let short = "insufficient amount for 24h minimum validity";
    assert_says(&post(&format!("/stamps/{}/17", day - 1)), 400, short);
    assert_says(&post(&format!("/stamps/{day}/41")), 400, "out of funds");
    assert_says(&post("/stamps/x/17"), 400, "invalid path params");
    let unknown = "ab".repeat(32);
    assert_says(
        &bee.get(&format!("/stamps/{unknown}")),
        404,
        "issuer does not exist",
    );
    assert_says(&bee.get("/stamps/abcd"), 400, "invalid path params");
    let wallet = bee.get("/wallet").json();
    assert_eq!(wallet["chainID"], 100);
    let change = |path: &str| bee.call("PATCH", path, &[], &[]);
    assert_says(
        &change(&format!("/stamps/topup/{unknown}/1")),
        500,
        "cannot topup batch",
    );
    let path = format!("/stamps/dilute/{}/20", bee.batch);
    assert_says(&change(&path), 400, "invalid depth");
}

#[test]
fn time_eats_a_batch_and_money_feeds_it() {
    let bee = Bee::new();
    let path = format!("/stamps/{}", bee.batch);
    let ttl = || bee.get(&path).json()["batchTTL"].as_i64().unwrap();
    assert_eq!(ttl(), 60 * 86_400);
    bee.pass(DAY);
    assert_eq!(ttl(), 59 * 86_400);
    bee.node.network().set_price(48_000);
    assert_eq!(ttl(), 59 * 86_400 / 2);
    let amount = 48_000_u64 * 17_280;
    let reply = bee.call(
        "PATCH",
        &format!("/stamps/topup/{}/{amount}", bee.batch),
        &[],
        &[],
    );
    assert_eq!(
        (reply.status, &reply.json()["batchID"]),
        (202, &bee.batch.as_str().into())
    );
    assert_eq!(ttl(), 59 * 86_400 / 2 + 86_400);
    let reply = bee.call(
        "PATCH",
        &format!("/stamps/dilute/{}/21", bee.batch),
        &[],
        &[],
    );
    assert_eq!(reply.status, 202);
    assert_eq!(ttl(), 59 * 86_400 / 4 + 86_400 / 2);
    assert_eq!(bee.get(&path).json()["depth"], 21);
}

#[test]
fn an_ended_batch_takes_its_chunks_along() {
    let mut bee = Bee::new();
    let reference = bee.put(&numbered(1)).reference();
    let second = buy(&bee, 20, "");
    let first = std::mem::replace(&mut bee.batch, second);
    bee.pass(Duration::from_secs(50));
    let both = bee.put(&numbered(2)).reference();
    let second = std::mem::replace(&mut bee.batch, first);
    assert_eq!(bee.put(&numbered(2)).reference(), both);
    bee.pass(30 * DAY);
    assert_eq!(
        bee.get("/stamps").json()["stamps"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let path = format!("/chunks/{both}");
    assert_eq!(bee.get(&path).status, 200, "one of two batches still pays");
    bee.pass(30 * DAY);
    let steward = bee.get(&format!("/stewardship/{both}")).json();
    assert_eq!(steward["isRetrievable"], false);
    assert_says(
        &bee.get(&format!("/chunks/{reference}")),
        404,
        "chunk not found",
    );
    assert_says(&bee.put(&numbered(3)), 404, "batch with id not found");
    bee.node.faults().set_expired_is_unusable(true);
    assert_says(
        &bee.put(&numbered(3)),
        422,
        "batch not usable yet or does not exist",
    );
    assert_says(
        &bee.get(&format!("/stamps/{second}")),
        404,
        "issuer does not exist",
    );
}

/// The first chunks that share a bucket: among a few thousand there are three.
fn crowd(count: usize) -> Vec<Vec<u8>> {
    let mut buckets = BTreeMap::<[u8; 2], Vec<Vec<u8>>>::new();
    for body in (0..).map(numbered) {
        let bucket = buckets.entry(*address_of(&body).0.first_chunk().unwrap());
        let bucket = bucket.or_default();
        bucket.push(body);
        if bucket.len() == count {
            return bucket.clone();
        }
    }
    unreachable!("there are more numbers than buckets")
}

#[test]
fn a_full_bucket_is_full_and_no_other() {
    let mut bee = Bee::new();
    bee.batch = hex(&bee.node.buy_batch(17));
    let crowd = crowd(3);
    bee.put(&crowd[0]).reference();
    bee.put(&crowd[1]).reference();
    assert_says(&bee.put(&crowd[2]), 402, "batch is overissued");
    assert_eq!(bee.put(&crowd[0]).status, 201, "it has its slot already");
    assert_eq!(bee.put(&numbered(1)).status, 201);
    let reply = bee.call(
        "PATCH",
        &format!("/stamps/dilute/{}/18", bee.batch),
        &[],
        &[],
    );
    assert_eq!(reply.status, 202);
    assert_eq!(bee.put(&crowd[2]).status, 201);

    // A mutable batch starts its bucket anew: the oldest chunk there is gone.
    let amount = 24_000_u64 * 17_280 * 2;
    let path = format!("/stamps/{amount}/17");
    let other = Bee::new();
    let reply = other.call("POST", &path, &[("Immutable", "false")], &[]);
    let mutable = reply.json()["batchID"].as_str().unwrap().to_owned();
    other.pass(Duration::from_secs(50));
    let headers = [("Swarm-Postage-Batch-Id", mutable.as_str())];
    for body in &crowd {
        let reply = other.call("POST", "/chunks", &headers, body);
        assert_eq!(reply.status, 201);
    }
    let gone = other.get(&format!("/chunks/{}", address_of(&crowd[0])));
    assert_says(&gone, 404, "chunk not found");
}

#[test]
fn lost_counters_replace_older_chunks() {
    let mut bee = Bee::new();
    let crowd = crowd(2);
    let first = bee.put(&crowd[0]).reference();
    bee.node.restart(Loss::Counters);
    bee.pass(Duration::from_secs(1));
    bee.put(&crowd[1]).reference();
    assert_says(
        &bee.get(&format!("/chunks/{first}")),
        404,
        "chunk not found",
    );
    let stamp = bee.get(&format!("/stamps/{}", bee.batch)).json();
    assert_eq!(stamp["label"], "recovered");
}

#[test]
fn stamps_signed_by_clients_are_checked() {
    let network = Network::new();
    let node = Node::start(Options::light(&network, 1));
    let mine = node.buy_batch(17);
    let bee = Bee {
        batch: hex(&mine),
        node,
    };
    let body = numbered(1);
    let address = address_of(&body);
    let envelope = |address: &podfs::types::Address| {
        let headers = [("Swarm-Postage-Batch-Id", bee.batch.as_str())];
        let reply = bee.call("POST", &format!("/envelope/{address}"), &headers, &[]);
        assert_eq!(reply.status, 201);
        let json = reply.json();
        let part = |name: &str| json[name].as_str().unwrap().to_owned();
        bee.batch.clone() + &part("index") + &part("timestamp") + &part("signature")
    };
    let send = |stamp: &str| bee.call("POST", "/chunks", &[("Swarm-Postage-Stamp", stamp)], &body);
    let right = envelope(&address);
    assert_eq!(send(&right).reference(), address.to_string());
    assert_says(
        &send(&envelope(&address_of(&numbered(2)))),
        400,
        "stamp signature is invalid",
    );
    assert_says(&send(&right[2..]), 400, "Stamp deserialization failure");
    let unknown = "00".repeat(32) + &right[64..];
    assert_says(&send(&unknown), 400, "invalid batch id");
    // Right signatures over slots that the storers do not take.
    let key = k256::ecdsa::SigningKey::from_slice(&crate::node::keccak(&[
        b"bee node",
        &1_u64.to_be_bytes(),
    ]));
    let signed = |bucket: u32, index: u32, timestamp: u64| {
        let slot = Slot {
            batch: batch_id(&bee.batch),
            bucket,
            index,
            timestamp,
        };
        let signature = crate::node::sign(
            key.as_ref().unwrap(),
            &crate::node::stamp_digest(&address, &slot),
        );
        format!(
            "{}{bucket:08x}{index:08x}{timestamp:016x}{}",
            bee.batch,
            hex(&signature)
        )
    };
    let bucket = u32::from(u16::from_be_bytes(*address.0.first_chunk().unwrap()));
    assert_says(&send(&signed(bucket ^ 1, 0, 9)), 500, "done split failed");
    assert_says(&send(&signed(bucket, 2, 9)), 500, "done split failed");
    assert_eq!(send(&signed(bucket, 1, 9)).status, 201);
}
