//! The worked example in FORMAT.md is the golden pod.

use std::fmt::Write;

use podfs::crypto::Phrase;
use podfs::crypto::Secret;
use podfs::crypto::keys::RootKey;
use podfs::crypto::publish::HeadPlace;
use podfs::crypto::publish::Reference;
use podfs::crypto::publish::open_head;
use podfs::crypto::publish::open_node;
use podfs::crypto::swarm::SealedChunk;
use podfs::crypto::swarm::SocId;
use podfs::crypto::swarm::soc_address;
use podfs::format::published::Head;

use crate::hex::encode;
use crate::published::build::chunks;

const FORMAT: &str = include_str!("../../../src/format/FORMAT.md");
const DEVICE: u16 = 1;

/// A line for each value, as in the text.
fn example() -> Vec<(&'static str, String)> {
    let chunks = chunks();
    let chunk = |address| SealedChunk::verified(&address, &chunks[&address]).unwrap();
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[0; 32]));
    let root = RootKey::derive(&phrase.seed(), None);
    let pod_id = root.pod_id(0);
    let pod = root.pod(&pod_id, 0);
    let secret = pod.box_secret(0, 0);
    let keys = secret.head_keys();
    let signer = secret.feed_signer(DEVICE);
    let (owner, topic) = (signer.owner(), secret.feed_topic(DEVICE));
    let replica = secret.feed_replica_topic(DEVICE);
    let id = SocId::of_update(&topic, 0);
    let address = soc_address(&id, &owner);
    let second = soc_address(&SocId::of_update(&replica, 0), &owner);
    let place = HeadPlace {
        owner,
        topic,
        index: 0,
    };
    let sealed = chunk(address);
    assert_eq!(chunk(second).payload(), sealed.payload());
    let head = open_head(&keys, &place, sealed.payload()).unwrap();
    let decoded = Head::decode(head.expose()).unwrap();
    let reference: Reference = decoded.root.attributes.directory.unwrap();
    let node = open_node(&reference, &chunk(reference.address())).unwrap();
    vec![
        ("ROOT", encode(root.secret().expose())),
        ("pod id", encode(&pod_id.0)),
        ("POD[0]", encode(pod.secret().expose())),
        ("BOX[0, 0]", encode(secret.secret().expose())),
        ("K_head", encode(keys.aead.secret().expose())),
        ("K_nonce", encode(keys.nonce.secret().expose())),
        ("K_commit", encode(keys.commit.secret().expose())),
        ("signer[1]", encode(signer.secret().expose())),
        ("owner", encode(&owner.0)),
        ("topic[1]", encode(&topic.0)),
        ("replica[1]", encode(&replica.0)),
        ("id of 0", encode(&id.0)),
        ("address", encode(&address.0)),
        ("replica at", encode(&second.0)),
        ("nonce", encode(&sealed.payload()[..12])),
        ("commitment", encode(&sealed.payload()[12..44])),
        ("head, 0", encode(&head.expose()[..102])),
        ("head, 102", encode(&head.expose()[102..105])),
        ("reference", encode(&*reference.to_bytes())),
        ("node, 0", encode(&node.expose()[..16])),
    ]
}

#[test]
fn the_worked_example_is_true() {
    let mut text = String::new();
    for (what, hex) in example() {
        writeln!(text, "{what:<11} {hex}").unwrap();
    }
    assert!(FORMAT.contains(&text), "the text must say\n{text}");
}
