//! A node that keeps its chunks in a folder.

use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::bee::{Bee, address_of, assert_says, hex, numbered};
use crate::node::{Mode, Node, Options};
use crate::support::random::Random;

fn in_folder(dir: &Path, mode: Mode) -> Options {
    Options {
        dir: Some(dir.to_owned()),
        ..Options::new(mode)
    }
}

/// The same node again, from what its folder remembers.
fn again(bee: Bee, dir: &Path, mode: Mode) -> Bee {
    let batch = bee.batch.clone();
    bee.node.stop();
    Bee {
        node: Node::start(in_folder(dir, mode)),
        batch,
    }
}

#[test]
fn a_folder_remembers_everything() {
    let dir = tempfile::tempdir().unwrap();
    let bee = Bee::of(in_folder(dir.path(), Mode::Light));
    let owner = bee.get("/addresses").json()["ethereum"].clone();
    let tag = bee.new_tag();
    for number in 0..20 {
        bee.put_tagged(tag, &numbered(number)).reference();
    }
    let direct = bee
        .put(&[&4096_u64.to_le_bytes()[..], &[9; 4096]].concat())
        .reference();
    let pin = format!("/pins/{direct}");
    assert_eq!(bee.call("POST", &pin, &[], &[]).status, 201);
    let path = format!("/stamps/{}/buckets", bee.batch);
    let buckets = bee.get(&path).body;
    let wallet = bee.get("/wallet").body;

    let bee = again(bee, dir.path(), Mode::Light);
    assert_eq!(bee.get("/addresses").json()["ethereum"], owner);
    assert_eq!(bee.get("/wallet").body, wallet);
    assert_eq!(bee.get(&path).body, buckets);
    assert_eq!(bee.get(&pin).status, 200);
    assert_eq!(bee.tag(tag), [20, 0, 20, 20]);
    assert!(bee.new_tag() > tag);
    for number in 0..20 {
        let path = format!("/chunks/{}", address_of(&numbered(number)));
        assert_eq!(bee.get(&path).body, numbered(number));
    }
    // Known bytes are not written a second time.
    let log = dir.path().join("chunks.log");
    let before = fs::metadata(&log).unwrap().len();
    assert_eq!(
        bee.put(&[&4096_u64.to_le_bytes()[..], &[9; 4096]].concat())
            .reference(),
        direct
    );
    assert!(fs::metadata(&log).unwrap().len() - before < 200);
}

#[test]
fn a_development_node_can_remember_too() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(in_folder(dir.path(), Mode::Dev));
    let batch = hex(&node.buy_batch(17));
    let bee = Bee { node, batch };
    let tag = bee.new_tag();
    let reference = bee.put_tagged(tag, &numbered(1)).reference();
    let bee = again(bee, dir.path(), Mode::Dev);
    assert_eq!(bee.get(&format!("/chunks/{reference}")).body, numbered(1));
    assert_eq!(bee.tag(tag), [1, 0, 0, 0]);
    bee.put_tagged(tag, &numbered(1)).reference();
    assert_eq!(bee.tag(tag), [2, 1, 0, 0]);
    assert_eq!(
        bee.get(&format!("/stamps/{}", bee.batch)).json()["utilization"],
        1
    );
}

/// A crash leaves a prefix of the log; damage hits the chunks it hits, and nothing else.
#[test]
fn a_torn_or_damaged_log_loses_only_what_was_hit() {
    let dir = tempfile::tempdir().unwrap();
    let mut bee = Bee::of(in_folder(dir.path(), Mode::Light));
    let log = dir.path().join("chunks.log");
    let mut ends = Vec::new();
    for number in 0..10 {
        bee.put(&numbered(number)).reference();
        ends.push(fs::metadata(&log).unwrap().len());
    }
    let mut random = Random::new("a_torn_or_damaged_log_loses_only_what_was_hit");
    let there = |bee: &Bee, number: u64| {
        let reply = bee.get(&format!("/chunks/{}", address_of(&numbered(number))));
        assert!(reply.status == 404 || reply.body == numbered(number));
        reply.status == 200
    };
    // Inside chunk 4.
    let hit = ends[3] + random.below(ends[4] - ends[3]);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&log)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, hit).unwrap();
    byte[0] ^= 1 << random.below(8);
    file.write_all_at(&byte, hit).unwrap();
    bee = again(bee, dir.path(), Mode::Light);
    for number in 0..10 {
        assert_eq!(
            there(&bee, number),
            number != 4,
            "chunk {number}, byte {hit}"
        );
    }
    let cut = ends[8] + random.below(ends[9] - ends[8]);
    OpenOptions::new()
        .write(true)
        .open(&log)
        .unwrap()
        .set_len(cut)
        .unwrap();
    bee = again(bee, dir.path(), Mode::Light);
    assert!(there(&bee, 8) && !there(&bee, 9));
    assert_eq!(
        fs::metadata(&log).unwrap().len(),
        ends[8],
        "the torn end is gone"
    );
    bee.put(&numbered(9)).reference();
    bee = again(bee, dir.path(), Mode::Light);
    assert!(there(&bee, 9));
    let missing = "ab".repeat(32);
    assert_says(
        &bee.get(&format!("/chunks/{missing}")),
        404,
        "chunk not found",
    );
}
