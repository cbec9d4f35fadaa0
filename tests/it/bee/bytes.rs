//! Files: the splitter against the plainest hash, and reading in ranges.

use crate::bee::http::Reply;
use crate::bee::{Bee, address_of, assert_says, content};
use crate::node::Fault;
use crate::node::Route;
use crate::support::random::Random;

/// `POST /bytes` without parities.
pub fn post(bee: &Bee, body: &[u8]) -> Reply {
    let headers = [
        ("Swarm-Postage-Batch-Id", bee.batch.as_str()),
        ("Swarm-Redundancy-Level", "0"),
    ];
    bee.call("POST", "/bytes", &headers, body)
}

fn ranged(bee: &Bee, reference: &str, range: &str) -> Reply {
    let path = format!("/bytes/{reference}");
    bee.call("GET", &path, &[("Range", range)], &[])
}

#[test]
fn a_file_is_its_chunks() {
    let bee = Bee::new();
    let mut random = Random::new("a_file_is_its_chunks");
    let data = random.bytes(128 * 4096 + 1);
    let reply = post(&bee, &data);
    assert_eq!(reply.header("swarm-tag"), Some("1"));
    let reference = reply.reference();
    assert_eq!(bee.tag(1), [131, 0, 131, 131]);
    // The root holds the parent of 128 leaves, and the last leaf itself.
    let leaf = |at: usize| content(&data[at * 4096..((at + 1) * 4096).min(data.len())]);
    let leaves: Vec<u8> = (0..128).flat_map(|at| address_of(&leaf(at)).0).collect();
    let parent = [&(128_u64 * 4096).to_le_bytes(), leaves.as_slice()].concat();
    let children = [address_of(&parent).0, address_of(&leaf(128)).0].concat();
    let root = [&(data.len() as u64).to_le_bytes(), children.as_slice()].concat();
    assert_eq!(reference, address_of(&root).to_string());
    assert_eq!(bee.get(&format!("/chunks/{reference}")).body, root);
    let first = address_of(&leaf(0));
    assert_eq!(bee.get(&format!("/chunks/{first}")).body, leaf(0));

    let path = format!("/bytes/{reference}");
    let reply = bee.get(&path);
    assert!(reply.body == data && reply.whole);
    let etag = format!("\"{reference}\"");
    assert_eq!(reply.header("etag"), Some(etag.as_str()));
    assert_eq!(reply.header("accept-ranges"), Some("bytes"));
    let known = bee.call("GET", &path, &[("If-None-Match", &etag)], &[]);
    assert_eq!(known.status, 304);
    let head = bee.call("HEAD", &path, &[], &[]);
    assert_eq!(head.header("content-length"), Some("524289"));
}

#[test]
fn ranges_are_served_as_go_serves_them() {
    let bee = Bee::new();
    let data = Random::new("ranges_are_served_as_go_serves_them").bytes(20_000);
    let reference = post(&bee, &data).reference();
    let cases = [
        ("bytes=0-0", 0..1),
        ("bytes=4095-4096", 4095..4097),
        ("bytes=5000-", 5000..20_000),
        ("bytes=-7", 19_993..20_000),
        ("bytes=19999-99999", 19_999..20_000),
        ("bytes=-99999", 0..20_000),
    ];
    for (range, wanted) in cases {
        let reply = ranged(&bee, &reference, range);
        assert_eq!(
            (reply.status, reply.body.len()),
            (206, wanted.len()),
            "{range}"
        );
        assert!(reply.body == data[wanted.clone()], "{range}");
        let shown = format!("bytes {}-{}/20000", wanted.start, wanted.end - 1);
        assert_eq!(reply.header("content-range"), Some(shown.as_str()));
    }
    let reply = ranged(&bee, &reference, "bytes=20000-");
    assert_eq!(
        (reply.status, reply.header("content-range")),
        (416, Some("bytes */20000"))
    );
    assert_eq!(reply.body, b"invalid range: failed to overlap\n");
    for malformed in ["bytes=9-3", "bits=0-1", "bytes=x-"] {
        assert_eq!(
            ranged(&bee, &reference, malformed).status,
            416,
            "{malformed}"
        );
    }
    let reply = ranged(&bee, &reference, "bytes=1-2,8000-8003");
    assert_eq!(reply.status, 206);
    let kind = reply.header("content-type").unwrap();
    let boundary = kind
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let text = String::from_utf8_lossy(&reply.body);
    assert_eq!(text.matches(boundary).count(), 3);
    assert!(text.contains("Content-Range: bytes 8000-8003/20000\r\n"));
}

#[test]
fn a_missing_chunk_ends_the_body_early() {
    let bee = Bee::new();
    let data = Random::new("a_missing_chunk_ends_the_body_early").bytes(3 * 4096);
    let reference = post(&bee, &data).reference();
    let path = format!("/bytes/{reference}");
    bee.node
        .network()
        .forget(&address_of(&content(&data[4096..8192])));
    bee.node.drop_cache();
    let reply = bee.get(&path);
    assert_eq!((reply.status, reply.whole), (200, false));
    assert_eq!(reply.body, data[..4096]);
    let stewardship = bee.get(&format!("/stewardship/{reference}"));
    assert_eq!(stewardship.json()["isRetrievable"], false);
    assert_says(
        &bee.call("POST", &format!("/pins/{reference}"), &[], &[]),
        404,
        "pin collection failed",
    );
    let missing = "ab".repeat(32);
    assert_says(&bee.get(&format!("/bytes/{missing}")), 404, "Not Found");
}

#[test]
fn what_would_change_references_is_refused() {
    let bee = Bee::new();
    let batch = ("Swarm-Postage-Batch-Id", bee.batch.as_str());
    let post = |more: &[(&str, &str)]| {
        let headers = [&[batch], more].concat();
        bee.call("POST", "/bytes", &headers, b"some bytes")
    };
    assert_eq!(post(&[]).status, 400, "a forgotten level shows");
    assert_says(
        &post(&[("Swarm-Redundancy-Level", "7")]),
        400,
        "invalid header params",
    );
    assert_eq!(post(&[("Swarm-Redundancy-Level", "1")]).status, 501);
    let reply = bee.call("POST", "/bytes", &[("Swarm-Redundancy-Level", "0")], b"");
    assert_says(&reply, 400, "invalid header params");
    assert_eq!(
        reply.json()["reasons"][0]["field"],
        "swarm-postage-batch-id"
    );
    assert_eq!(reply.json()["reasons"][0]["error"], "want required:");
}

#[test]
fn pins_keep_a_copy_here() {
    let bee = Bee::new();
    let data = Random::new("pins_keep_a_copy_here").bytes(3 * 4096);
    let reference = post(&bee, &data).reference();
    let pin = format!("/pins/{reference}");
    assert_says(&bee.get(&pin), 404, "Not Found");
    assert_says(&bee.call("POST", &pin, &[], &[]), 201, "Created");
    assert_says(&bee.call("POST", &pin, &[], &[]), 200, "OK");
    assert_eq!(bee.get(&pin).json()["reference"], reference);
    assert_eq!(bee.get("/pins").json()["references"][0], reference);
    let leaf = address_of(&content(&data[..4096]));
    bee.node.network().forget(&leaf);
    assert_eq!(
        bee.call("HEAD", &format!("/chunks/{leaf}"), &[], &[])
            .status,
        200
    );
    let steward = format!("/stewardship/{reference}");
    assert_eq!(bee.get(&steward).json()["isRetrievable"], false);
    let batch = [("Swarm-Postage-Batch-Id", bee.batch.as_str())];
    assert_says(&bee.call("PUT", &steward, &batch, &[]), 200, "OK");
    assert_eq!(bee.get(&steward).json()["isRetrievable"], true);
    assert_says(&bee.call("DELETE", &pin, &[], &[]), 200, "OK");
    assert_says(&bee.call("DELETE", &pin, &[], &[]), 404, "Not Found");
}

#[test]
fn feeds_are_looked_up_with_bees_mistakes() {
    let bee = Bee::new();
    let key = k256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap();
    let topic = [5; 32];
    let update = |index: u64| {
        let id = crate::node::keccak(&[&topic, &index.to_be_bytes()]);
        let content = content(&[index as u8 + 1; 4096]);
        let digest = crate::node::keccak(&[&id, &address_of(&content).0]);
        [&id, crate::node::sign(&key, &digest).as_slice(), &content].concat()
    };
    let references: Vec<_> = (0..5)
        .map(|index| bee.put(&update(index)).reference())
        .collect();
    let owner = "0x".to_owned() + &crate::bee::hex(&owner_of(&key));
    let path = format!("/feeds/{owner}/{}", crate::bee::hex(&topic));
    let look = || {
        let reply = bee.get(&path);
        (reply.header("swarm-feed-index").map(str::to_owned), reply)
    };
    let (index, reply) = look();
    assert_eq!(index.as_deref(), Some("0000000000000004"));
    assert_eq!(
        reply.header("swarm-feed-index-next"),
        Some("0000000000000005")
    );
    assert_eq!(reply.header("swarm-feed-resolved-version"), Some("v2"));
    assert_eq!(reply.body, [5; 4096]);
    // Slow by a second: not there, says Bee; and one that is lost hides what comes after.
    let slow = Fault::Delay(std::time::Duration::from_secs(1)).on(Route::GetChunk);
    bee.node
        .faults()
        .add(slow.at(references[4].parse().unwrap()));
    assert_eq!(look().0.as_deref(), Some("0000000000000003"));
    assert_says(&bee.get(&path.replace("05", "06")), 404, "no update found");
}

fn owner_of(key: &k256::ecdsa::SigningKey) -> [u8; 20] {
    let point = key.verifying_key().to_sec1_point(false);
    let hash = crate::node::keccak(&[&point.as_bytes()[1..]]);
    hash[12..].try_into().unwrap()
}
