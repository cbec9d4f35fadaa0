//! The key tree against frozen vectors. `tests/foreign/keys.py` reproduces the same file with other code.

use crate::hex;
use podfs::crypto::keys::{FactorKey, RenewalId, RootKey};
use podfs::crypto::pairwise::{Direction, PairSecret};
use podfs::crypto::{
    LocalPurpose, Phrase, Secret, journal_keys, local_key, name_hash, seal_box, seal_page,
};
use serde_json::Value;
use std::collections::BTreeMap;

fn vectors(kind: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../vectors/keys.json")).unwrap();
    file[kind].as_array().unwrap().clone()
}

fn unhex(text: &Value) -> Vec<u8> {
    hex::decode(text.as_str().unwrap())
}

fn array<const N: usize>(text: &Value) -> [u8; N] {
    unhex(text).try_into().unwrap()
}

fn number<T: TryFrom<u64, Error: std::fmt::Debug>>(value: &Value) -> T {
    value.as_u64().unwrap().try_into().unwrap()
}

/// Compares in both directions: a key that is missing on either side is a difference too.
fn assert_same(case: &Value, derived: Vec<(&str, Vec<u8>)>) {
    let derived: BTreeMap<_, _> = derived
        .into_iter()
        .map(|(name, key)| (name.to_owned(), hex::encode(&key)))
        .collect();
    let frozen: BTreeMap<String, String> = serde_json::from_value(case["keys"].clone()).unwrap();
    assert!(frozen.len() > 5);
    assert_eq!(derived, frozen, "for {}", case["input"]);
}

#[test]
fn the_key_tree_is_frozen() {
    for case in vectors("trees") {
        let input = &case["input"];
        let phrase = Phrase::parse(input["phrase"].as_str().unwrap())
            .ok()
            .unwrap();
        let seed = phrase.seed();
        let factor = input["factor"]
            .as_str()
            .map(|word| FactorKey::derive(&seed, word.as_bytes()).ok().unwrap());
        let root = RootKey::derive(&seed, factor.as_ref());
        let mut keys = vec![
            ("seed", seed.secret().expose().to_vec()),
            ("root", root.secret().expose().to_vec()),
        ];
        above_the_box(&root, input, &mut keys);
        in_the_box(&root, input, &mut keys);
        assert_same(&case, keys);
    }
}

fn above_the_box(root: &RootKey, input: &Value, keys: &mut Vec<(&str, Vec<u8>)>) {
    let identity = root.identity(number(&input["identity"]));
    let epoch = number(&input["epoch"]);
    let pod_id = root.pod_id(number(&input["pod"]));
    keys.extend([
        ("identity", identity.secret().expose().to_vec()),
        ("identity_owner", identity.owner().0.to_vec()),
        ("identity_public", identity.public_key().to_vec()),
        (
            "kem_x25519",
            root.kem_x25519(epoch).secret().expose().to_vec(),
        ),
        (
            "kem_x25519_public",
            root.kem_x25519(epoch).public_key().to_vec(),
        ),
        (
            "kem_xwing",
            root.kem_xwing(epoch).secret().expose().to_vec(),
        ),
        ("pod_id", pod_id.0.to_vec()),
        (
            "recovery",
            root.recovery(&pod_id).secret().expose().to_vec(),
        ),
        ("pod", root.pod(&pod_id, epoch).secret().expose().to_vec()),
    ]);
}

fn in_the_box(root: &RootKey, input: &Value, keys: &mut Vec<(&str, Vec<u8>)>) {
    let pod = root.pod(&root.pod_id(number(&input["pod"])), number(&input["epoch"]));
    let in_box = pod.box_secret(number(&input["box"]), number(&input["box_epoch"]));
    let scope_id = in_box
        .scope_key()
        .scope_id(number(&input["directory"]), &unhex(&input["name"]));
    let renewed = in_box.scope_key().renewed_id(
        &RenewalId(array(&input["renewal"])),
        number(&input["directory"]),
        &unhex(&input["name"]),
    );
    let heads = in_box.head_keys();
    let device = number(&input["device"]);
    let signer = in_box.feed_signer(device);
    let grant = in_box.grant(&array(&input["grant_id"]));
    let cap = grant.cap_key();
    keys.extend([
        ("box", in_box.secret().expose().to_vec()),
        ("conv", in_box.conv().secret().expose().to_vec()),
        ("scope", in_box.scope_key().secret().expose().to_vec()),
        ("scope_id", scope_id.0.to_vec()),
        ("renewed_id", renewed.0.to_vec()),
        (
            "conv_file",
            in_box.conv_file(&scope_id).secret().expose().to_vec(),
        ),
        ("head_aead", heads.aead.secret().expose().to_vec()),
        ("head_nonce", heads.nonce.secret().expose().to_vec()),
        ("head_commit", heads.commit.secret().expose().to_vec()),
        ("audit", in_box.audit_key().secret().expose().to_vec()),
        ("feed_signer", signer.secret().expose().to_vec()),
        ("feed_owner", signer.owner().0.to_vec()),
        ("feed_topic", in_box.feed_topic(device).0.to_vec()),
        (
            "feed_replica_topic",
            in_box.feed_replica_topic(device).0.to_vec(),
        ),
        ("grant", grant.secret().expose().to_vec()),
        (
            "grant_signer",
            grant.feed_signer().secret().expose().to_vec(),
        ),
        ("grant_owner", grant.feed_signer().owner().0.to_vec()),
        ("grant_topic", grant.feed_topic().0.to_vec()),
        ("grant_cap", cap.secret().expose().to_vec()),
        ("grant_aead", cap.aead_key().secret().expose().to_vec()),
        ("grant_nonce", cap.nonce_key().secret().expose().to_vec()),
        ("grant_commit", cap.commit_key().secret().expose().to_vec()),
    ]);
}

#[test]
fn the_keys_of_pairs_are_frozen() {
    for case in vectors("pairs") {
        let input = &case["input"];
        let post_quantum = Secret::from_slice(&unhex(&input["post_quantum"]));
        let people = [
            array(&input["fingerprints"][0]),
            array(&input["fingerprints"][1]),
        ];
        let pair = PairSecret::derive(
            &Secret::from_bytes(&array(&input["shared"])),
            [&people[0], &people[1]],
            post_quantum.as_ref(),
        );
        let week = number(&input["week"]);
        let (low, high) = (Direction::FromLower, Direction::FromHigher);
        assert_same(
            &case,
            vec![
                (
                    "from_lower_signer",
                    pair.signer(low, week).secret().expose().to_vec(),
                ),
                (
                    "from_lower_owner",
                    pair.signer(low, week).owner().0.to_vec(),
                ),
                ("from_lower_topic", pair.topic(low, week).0.to_vec()),
                (
                    "from_higher_signer",
                    pair.signer(high, week).secret().expose().to_vec(),
                ),
                (
                    "from_higher_owner",
                    pair.signer(high, week).owner().0.to_vec(),
                ),
                ("from_higher_topic", pair.topic(high, week).0.to_vec()),
            ],
        );
    }
}

#[test]
fn the_keys_of_this_machine_are_frozen() {
    for case in vectors("locals") {
        let input = &case["input"];
        let device = Secret::from_bytes(&array(&input["device_secret"]));
        let segment = journal_keys(&device, &array(&input["segment_id"]));
        let frozen = |name: &str| Secret::from_bytes(&array::<32>(&case["keys"][name]));
        let key = |purpose| local_key(&device, purpose).expose().to_vec();
        let hashed = name_hash(
            &local_key(&device, LocalPurpose::NameHash),
            number(&input["directory"]),
            &unhex(&input["name"]),
        );

        // The sealing keys of a segment cannot be taken out again: they are compared by what they make.
        let (mut page, mut expected) = ([7; 4096], [7; 4096]);
        let page_key = podfs::crypto::PageKey::new(frozen("segment_page"));
        assert_eq!(
            seal_page(&segment.page, 1, &mut page),
            seal_page(&page_key, 1, &mut expected)
        );
        let (mut record, mut expected) = (b"record".to_vec(), b"record".to_vec());
        seal_box(&segment.record, [1; 12], b"place", &mut record);
        let record_key = podfs::crypto::BoxKey::new(frozen("segment_record"));
        seal_box(&record_key, [1; 12], b"place", &mut expected);
        assert_eq!(record, expected);

        assert_same(
            &case,
            vec![
                ("segment_record", frozen("segment_record").expose().to_vec()),
                ("segment_page", frozen("segment_page").expose().to_vec()),
                ("segment_mask", segment.mask.expose().to_vec()),
                ("manifest", key(LocalPurpose::Manifest)),
                ("watermark", key(LocalPurpose::Watermark)),
                ("name_hash", key(LocalPurpose::NameHash)),
                ("index_key", key(LocalPurpose::IndexKey)),
                ("index_value", key(LocalPurpose::IndexValue)),
                ("name_hash_of_name", hashed.to_le_bytes().to_vec()),
            ],
        );
    }
}
