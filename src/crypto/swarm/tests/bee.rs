//! The vectors of Bee.

use serde_json::Value;
use sha3::{Digest, Keccak256};

use crate::crypto::keys::Topic;
use crate::crypto::scalar::{Owner, owner};
use crate::crypto::secret::Secret;
use crate::crypto::swarm::bmt::{PAGE_SPAN, ZERO_ROOTS, address};
use crate::crypto::swarm::soc::{recover_owner, sign, sign_message, soc_address, soc_owner};
use crate::crypto::swarm::*;
use crate::types::Address;

fn vectors(kind: &str) -> Vec<Value> {
    let file = include_str!("../../../../tests/vectors/swarm-vectors.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let all = file["vectors"].as_array().unwrap().iter();
    let found: Vec<_> = all
        .filter(|vector| vector["kind"] == kind)
        .cloned()
        .collect();
    assert!(!found.is_empty(), "no vectors of kind {kind}");
    found
}

fn unhex(text: &Value) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap();
    let pairs = text.as_str().unwrap().as_bytes().as_chunks::<2>().0.iter();
    pairs
        .map(|[high, low]| u8::try_from(digit(*high) << 4 | digit(*low)).unwrap())
        .collect()
}

fn array<const N: usize>(text: &Value) -> [u8; N] {
    unhex(text).try_into().unwrap()
}

fn parsed(text: &Value) -> Address {
    text.as_str().unwrap().parse().unwrap()
}

/// Span and payload of a vector: as hex, as whole chunk, or described.
fn content(input: &Value) -> (u64, Vec<u8>) {
    if input["chunk_data_hex"].is_string() {
        let bytes = unhex(&input["chunk_data_hex"]);
        let (span, payload) = bytes.split_first_chunk().unwrap();
        return (u64::from_le_bytes(*span), payload.to_vec());
    }
    let payload = if input["payload_hex"].is_string() {
        unhex(&input["payload_hex"])
    } else {
        let len = usize::try_from(u64::from_le_bytes(array(&input["span_hex"]))).unwrap();
        let desc = input["payload_desc"].as_str().unwrap();
        let modulus = match desc {
            _ if desc.contains("i mod 256") => 256,
            _ if desc.contains("i mod 255") => 255,
            _ if desc.contains("zero") => 1,
            _ => panic!("what is {desc}?"),
        };
        (0..len)
            .map(|at| u8::try_from(at % modulus).unwrap())
            .collect()
    };
    (u64::from_le_bytes(array(&input["span_hex"])), payload)
}

#[test]
fn chunks_have_the_addresses_of_bee() {
    let cases = vectors("cac_address");
    assert_eq!(cases.len(), 24);
    for case in cases {
        let (span, payload) = content(&case["input"]);
        let expected = parsed(&case["expected"]["address_hex"]);
        assert_eq!(
            chunk_address(span, &payload),
            Ok(expected),
            "{}",
            case["name"]
        );
        for lanes in Lanes::available() {
            assert_eq!(address(lanes, span, &payload), expected, "{lanes:?}");
        }
        let bytes = [&span.to_le_bytes(), payload.as_slice()].concat();
        let chunk = SealedChunk::verified(&expected, &bytes).unwrap();
        assert_eq!((chunk.bytes(), chunk.payload()), (&bytes[..], &payload[..]));
        assert!(!chunk.is_single_owner());
        if let Ok(page) = payload.as_slice().try_into()
            && span == PAGE_SPAN
        {
            assert_eq!(page_address(page), expected);
            assert_eq!(SealedChunk::content(page), chunk);
        }
    }
}

#[test]
fn chunks_of_trees_have_the_addresses_of_bee() {
    for case in vectors("intermediate_chunk") {
        let expected = &case["expected"];
        let (data, place) = if expected["address_hex"].is_string() {
            ("intermediate_chunk_data_hex", "address_hex")
        } else {
            ("root_chunk_data_hex", "root_hex")
        };
        SealedChunk::verified(&parsed(&expected[place]), &unhex(&expected[data])).unwrap();
    }
    for case in vectors("bmt_proof") {
        let expected = &case["expected"]["address_with_span_4096_hex"];
        if expected.is_string() {
            let payload = unhex(&case["input"]["payload_hex"]);
            assert_eq!(chunk_address(4096, &payload), Ok(parsed(expected)));
        }
    }
}

#[test]
fn subtrees_of_zeros_have_the_roots_of_bee() {
    let case = &vectors("bmt_internal")[0];
    let roots: Vec<_> = case["expected"]["roots_hex"]
        .as_array()
        .unwrap()
        .iter()
        .map(unhex)
        .collect();
    let known = ZERO_ROOTS.iter().map(|root| root.to_vec());
    assert_eq!(known.collect::<Vec<_>>(), roots);
}

#[test]
fn owners_are_those_of_bee() {
    for case in vectors("eth_address") {
        let secret = Secret::from_bytes(&array(&case["input"]["private_key_hex"]));
        assert_eq!(
            owner(&secret).0,
            array(&case["expected"]["address_hex"]),
            "{case}"
        );
    }
}

#[test]
fn signatures_are_those_of_bee() {
    for case in vectors("signature") {
        let secret = Secret::from_bytes(&array(&case["input"]["private_key_hex"]));
        let message = array(&case["input"]["message_hex"]);
        let signature = sign_message(&secret, &message);
        assert_eq!(signature, array(&case["expected"]["signature_rsv_hex"]));
        let signer = Owner(array(&case["expected"]["recovered_address_hex"]));
        assert_eq!(recover_owner(&message, &signature), Some(signer));
    }
}

fn assert_single_owner(case: &Value, id: &SocId) {
    let (input, expected) = (&case["input"], &case["expected"]);
    let secret = Secret::from_bytes(&array(&input["private_key_hex"]));
    let chunk = SealedChunk::signed(&secret, id, &unhex(&input["payload_hex"])).unwrap();
    assert_eq!(
        chunk.bytes(),
        unhex(&expected["soc_chunk_data_hex"]),
        "{}",
        case["name"]
    );
    assert_eq!(chunk.address(), parsed(&expected["soc_address_hex"]));
    assert_eq!(soc_owner(chunk.bytes()), Some(owner(&secret)));
    let inner = parsed(&expected["wrapped_cac_address_hex"]);
    assert_eq!(sign(&secret, id, &inner), array(&expected["signature_hex"]));
    assert!(chunk.is_single_owner());
    assert_eq!(
        SealedChunk::verified(&chunk.address(), chunk.bytes()),
        Ok(chunk.clone())
    );
}

#[test]
fn single_owner_chunks_are_those_of_bee() {
    for case in vectors("soc") {
        assert_single_owner(&case, &SocId(array(&case["input"]["id_hex"])));
    }
    for case in vectors("feed_update_chunk") {
        let topic = Topic(array(&case["input"]["topic_hex"]));
        let id = SocId::of_update(&topic, case["input"]["index"].as_u64().unwrap());
        assert_eq!(id.0, array(&case["expected"]["identifier_hex"]));
        assert_single_owner(&case, &id);
    }
}

#[test]
fn feeds_stand_where_bee_looks_for_them() {
    let cases = vectors("feed_update_address");
    assert_eq!(cases.len(), 13);
    for case in cases {
        let (input, expected) = (&case["input"], &case["expected"]);
        let topic = Topic(array(&input["topic_hex"]));
        let index = input["index"].as_u64().unwrap();
        let id = SocId::of_update(&topic, index);
        assert_eq!(id.0, array(&expected["identifier_hex"]), "{}", case["name"]);
        let owner = Owner(array(&input["owner_hex"]));
        assert_eq!(
            soc_address(&id, &owner),
            parsed(&expected["soc_address_hex"])
        );
    }
}

/// Replicas that Bee makes itself are chunks of an owner whose key everybody knows.
#[test]
fn identifiers_and_owners_give_the_addresses_of_bee() {
    for case in vectors("replica_addresses") {
        let (input, expected) = (&case["input"], &case["expected"]);
        let mut key = [0; 32];
        key[0] = 1;
        let everybody = owner(&Secret::from_bytes(&key));
        let firsts = expected["id_first_byte_in_emission_order"]
            .as_array()
            .unwrap();
        let addresses = expected["soc_addresses_hex"].as_array().unwrap();
        assert_eq!(firsts.len(), addresses.len());
        for (first, expected) in firsts.iter().zip(addresses) {
            let mut id: [u8; 32] = array(&input["root_hex"]);
            id[0] = u8::try_from(first.as_u64().unwrap()).unwrap();
            assert_eq!(soc_address(&SocId(id), &everybody), parsed(expected));
        }
    }
}

/// What a stamp signs is a message like that of a single-owner chunk, so its signer is found in the same way.
#[test]
fn stamps_are_signed_as_bee_signs_them() {
    let cases = vectors("postage_stamp");
    assert_eq!(cases.len(), 4);
    for case in cases {
        let (input, expected) = (&case["input"], &case["expected"]);
        let secret = Secret::from_bytes(&array(&input["batch_owner_private_key_hex"]));
        let mut hasher = Keccak256::new();
        for part in [
            &input["chunk_address_hex"],
            &input["batch_id_hex"],
            &expected["index_hex"],
            &expected["timestamp_hex"],
        ] {
            hasher.update(unhex(part));
        }
        let digest: [u8; 32] = hasher.finalize().into();
        assert_eq!(digest, array(&expected["digest_hex"]));
        let signature = sign_message(&secret, &digest);
        assert_eq!(signature, array(&expected["signature_hex"]));
        assert_eq!(recover_owner(&digest, &signature), Some(owner(&secret)));
    }
}
