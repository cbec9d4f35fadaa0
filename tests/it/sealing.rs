//! Published pages, nodes and heads as frozen chunks. `tests/foreign/chunks.py` makes the same with other code.

use std::fs;
use std::path::Path;

use podfs::crypto::Phrase;
use podfs::crypto::keys::BoxSecret;
use podfs::crypto::keys::RootKey;
use podfs::crypto::publish::HEAD_LEN;
use podfs::crypto::publish::HeadPlace;
use podfs::crypto::publish::Reference;
use podfs::crypto::publish::open_block;
use podfs::crypto::publish::open_head;
use podfs::crypto::publish::open_node;
use podfs::crypto::publish::seal_block;
use podfs::crypto::publish::seal_head;
use podfs::crypto::publish::seal_node;
use podfs::crypto::swarm::SealedChunk;
use podfs::crypto::swarm::SocId;
use podfs::types::Address;
use serde_json::Value;

const INDEX: u64 = 5;

/// What is sealed in the file of this name.
fn plain<const N: usize>(name: &str) -> [u8; N] {
    let mut plain = [0; N];
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(name.as_bytes())
        .finalize_xof()
        .fill(&mut plain);
    plain
}

/// The box of the first tree of the frozen keys, and what names its scope.
fn tree() -> (BoxSecret, Value) {
    let file: Value = serde_json::from_str(include_str!("../vectors/keys.json")).unwrap();
    let input = file["trees"][0]["input"].clone();
    let phrase = Phrase::parse(input["phrase"].as_str().unwrap())
        .ok()
        .unwrap();
    let root = RootKey::derive(&phrase.seed(), None);
    let number = |name: &str| u32::try_from(input[name].as_u64().unwrap()).unwrap();
    let pod = root.pod(&root.pod_id(number("pod")), number("epoch"));
    (pod.box_secret(number("box"), number("box_epoch")), input)
}

fn frozen(name: &str) -> Vec<u8> {
    fs::read(Path::new("tests/golden/v1").join(format!("{name}.bin"))).unwrap()
}

#[test]
fn sealed_pages_and_nodes_are_frozen() {
    let (in_box, input) = tree();
    let name = crate::hex::decode(input["name"].as_str().unwrap());
    let directory = input["directory"].as_u64().unwrap();
    let conv = in_box.conv_file(&in_box.scope_key().scope_id(directory, &name));
    let made = [
        ("chunk-page", seal_block(&conv, 0, &plain("chunk-page"))),
        (
            "chunk-page-again",
            seal_block(&conv, 1, &plain("chunk-page")),
        ),
        ("chunk-node", seal_node(&conv, 0, &plain("chunk-node"))),
    ];
    for (name, (reference, chunk)) in made {
        let bytes = [&reference.to_bytes()[..], chunk.bytes()].concat();
        let file = frozen(name);
        assert!(file == bytes, "{name} is sealed another way now");

        let (found, given) = file.split_first_chunk().unwrap();
        let found = Reference::from_bytes(found).unwrap();
        let given = SealedChunk::verified(&found.address(), given).unwrap();
        assert_eq!((&found, &given), (&reference, &chunk));
        if name == "chunk-node" {
            assert_eq!(
                open_node(&found, &given).ok().unwrap().expose(),
                &plain(name)
            );
        } else {
            assert_eq!(*open_block(&found, &given).unwrap(), plain("chunk-page"));
        }
    }
}

#[test]
fn sealed_heads_are_frozen() {
    let (in_box, input) = tree();
    let device = u16::try_from(input["device"].as_u64().unwrap()).unwrap();
    let (keys, signer) = (in_box.head_keys(), in_box.feed_signer(device));
    let topic = in_box.feed_topic(device);
    let place = HeadPlace {
        owner: signer.owner(),
        topic,
        index: INDEX,
    };
    let head: [u8; HEAD_LEN] = plain("chunk-head");
    let payload = seal_head(&keys, &place, &head);
    let replica = in_box.feed_replica_topic(device);
    for (name, topic) in [("chunk-head", topic), ("chunk-head-replica", replica)] {
        let id = SocId::of_update(&topic, INDEX);
        let chunk = SealedChunk::single_owner(&signer, &id, &payload).unwrap();
        let file = frozen(name);
        let bytes = [&chunk.address().0, chunk.bytes()].concat();
        assert!(file == bytes, "{name} is sealed another way now");

        let (address, given) = file.split_first_chunk().unwrap();
        let given = SealedChunk::verified(&Address(*address), given).unwrap();
        assert_eq!(given, chunk);
        let opened = open_head(&keys, &place, given.payload());
        assert_eq!(opened.ok().unwrap().expose(), &head);
    }
}
