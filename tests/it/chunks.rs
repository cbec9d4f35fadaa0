//! Chunks of Swarm against its own libraries in JavaScript, which share no code with ours.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use podfs::crypto::Secret;
use podfs::crypto::keys::FeedSigner;
use podfs::crypto::keys::RootKey;
use podfs::crypto::phrase::Phrase;
use podfs::crypto::swarm::PAYLOAD_MAX;
use podfs::crypto::swarm::SealedChunk;
use podfs::crypto::swarm::SocId;
use podfs::crypto::swarm::chunk_address;
use podfs::crypto::swarm::soc_address;
use podfs::crypto::swarm::soc_owner;

use crate::hex;
use crate::support::applicable;
use crate::support::random::Random;
use crate::support::rounds;
use crate::support::run;
use crate::support::tool;

fn packages() -> PathBuf {
    tool("").with_file_name("foreign-js").join("node_modules")
}

/// What the other program says about each item, a line each.
fn said(mode: &str, items: &[Vec<u8>]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("items");
    let mut file = File::create(&path).unwrap();
    for item in items {
        let length = u32::try_from(item.len()).unwrap();
        file.write_all(&length.to_le_bytes()).unwrap();
        file.write_all(item).unwrap();
    }
    let said = run(Command::new("node")
        .args(["tests/foreign/chunks.js", mode])
        .env("NODE_PATH", packages())
        .stdin(File::open(path).unwrap()));
    let lines: Vec<_> = said.lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), items.len());
    lines
}

/// A quarter of them full, the others of any length, some with zeros at their end.
fn payload(random: &mut Random) -> Vec<u8> {
    let len = match random.below(4) {
        0 => PAYLOAD_MAX,
        1 => random.index(200),
        _ => random.index(PAYLOAD_MAX + 1),
    };
    let mut payload = random.bytes(len);
    if random.below(8) == 0 {
        let tail = random.index(len + 1);
        payload[tail..].fill(0);
    }
    payload
}

#[test]
fn another_program_computes_the_same_addresses() {
    let test = "another_program_computes_the_same_addresses";
    if !applicable(test, &["node", packages().to_str().unwrap()]) {
        return;
    }
    let mut random = Random::new(test);
    let count = rounds(10_000, 100_000);
    let payloads: Vec<_> = (0..count).map(|_| payload(&mut random)).collect();
    for (payload, theirs) in payloads.iter().zip(said("addresses", &payloads)) {
        let ours = chunk_address(payload.len() as u64, payload).unwrap();
        assert_eq!(ours.to_string(), theirs, "{}", hex::encode(payload));
    }
}

fn signer(number: u16) -> FeedSigner {
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[3; 32]));
    let root = RootKey::derive(&phrase.seed(), None);
    let in_box = root.pod(&root.pod_id(0), 0).box_secret(0, 0);
    in_box.feed_signer(number)
}

#[test]
fn another_program_takes_our_single_owner_chunks_and_we_take_its() {
    let test = "another_program_takes_our_single_owner_chunks_and_we_take_its";
    if !applicable(test, &["node", packages().to_str().unwrap()]) {
        return;
    }
    let mut random = Random::new(test);
    let mut chunks = Vec::new();
    for number in 0..rounds(40, 2000) {
        let mut payload = payload(&mut random);
        // bee-js refuses to make a chunk of nothing.
        payload.resize(payload.len().max(1), 1);
        let id = SocId(random.bytes(32).try_into().unwrap());
        let signer = signer(u16::try_from(number).unwrap());
        let chunk = SealedChunk::single_owner(&signer, &id, &payload).unwrap();
        assert_eq!(soc_owner(chunk.bytes()), Some(signer.owner()));
        chunks.push((signer.owner(), id, chunk));
    }
    let items: Vec<_> = chunks
        .iter()
        .map(|(_, _, chunk)| [&chunk.address().0, chunk.bytes()].concat())
        .collect();
    for ((owner, id, chunk), line) in chunks.iter().zip(said("single-owner", &items)) {
        let fields: Vec<_> = line.split(' ').collect();
        let ours = [&owner.0[..], &id.0, chunk.payload()].map(hex::encode);
        assert_eq!(fields[..3], ours);

        let (address, theirs) = (fields[3].parse().unwrap(), hex::decode(fields[4]));
        let made = SealedChunk::verified(&address, &theirs).unwrap();
        assert!(made.is_single_owner());
        assert_eq!(made.bytes(), theirs);
        assert_eq!(made.payload(), chunk.payload());
        assert_eq!(soc_address(id, &soc_owner(&theirs).unwrap()), address);
    }
}
