//! Bee's vectors, sent through HTTP.

use serde_json::Value;

use crate::bee::{Bee, assert_says, batch_id, bytes, content, unhex};
use crate::node::{Network, Options};

const VECTORS: &str = include_str!("../../vectors/swarm-vectors.json");

fn of_kind(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(VECTORS).unwrap();
    let all = all["vectors"].as_array().unwrap().clone();
    let found: Vec<_> = all
        .into_iter()
        .filter(|vector| vector["kind"] == kind)
        .collect();
    assert!(!found.is_empty(), "no vector of kind {kind}");
    found
}

fn text<'a>(vector: &'a Value, part: &str, name: &str) -> Option<&'a str> {
    vector[part][name].as_str()
}

/// The bytes that a vector describes, and not all of them in hexadecimal.
fn described(vector: &Value) -> Vec<u8> {
    if let Some(digits) = text(vector, "input", "payload_hex") {
        return unhex(digits);
    }
    let description = text(vector, "input", "data_desc").or(text(vector, "input", "payload_desc"));
    let description = description.unwrap();
    let length = ["length", "payload_len"].map(|name| vector["input"][name].as_u64());
    let length = length[0].or(length[1]);
    let length = length.or_else(|| description.split(' ').next()?.parse().ok());
    let length = usize::try_from(length.unwrap()).unwrap();
    let pattern: Vec<u8> = if description.contains("hello test world") {
        b"hello test world".to_vec()
    } else if description.contains("mod 256") {
        (0..=255).collect()
    } else if description.contains("mod 255") {
        (0..=254).collect()
    } else {
        assert!(description.ends_with("zero bytes"), "{description}");
        vec![0]
    };
    pattern.into_iter().cycle().take(length).collect()
}

#[test]
fn chunks_stand_where_bee_puts_them() {
    let bee = Bee::new();
    for vector in of_kind("cac_address") {
        let whole = text(&vector, "input", "chunk_data_hex").map(unhex);
        let body = whole.unwrap_or_else(|| content(&described(&vector)));
        let reference = bee.put(&body).reference();
        assert_eq!(
            Some(reference.as_str()),
            text(&vector, "expected", "address_hex"),
            "{}",
            vector["name"]
        );
        assert_eq!(bee.get(&format!("/chunks/{reference}")).body, body);
    }
}

#[test]
fn files_have_bees_roots() {
    let bee = Bee::new();
    let posts = of_kind("http_post_bytes");
    for vector in of_kind("file_root").into_iter().chain(posts) {
        let data = described(&vector);
        let reply = bytes::post(&bee, &data);
        let reference = reply.reference();
        assert_eq!(
            Some(reference.as_str()),
            text(&vector, "expected", "reference_hex"),
            "{}",
            vector["name"]
        );
        let tag = reply.header("swarm-tag").unwrap().parse().unwrap();
        if let Some(chunks) = vector["expected"]["chunks_total"].as_u64() {
            assert_eq!(bee.tag(tag)[0], chunks, "{}", vector["name"]);
        }
        assert!(
            bee.get(&format!("/bytes/{reference}")).body == data,
            "{}",
            vector["name"]
        );
    }
}

#[test]
fn single_owner_chunks_are_taken() {
    let bee = Bee::new();
    let updates = of_kind("feed_update_chunk");
    for vector in of_kind("soc").into_iter().chain(updates) {
        let whole = unhex(text(&vector, "expected", "soc_chunk_data_hex").unwrap());
        let (id, rest) = whole.split_at(32);
        let (signature, content) = rest.split_at(65);
        let owner = "8d3766440f0d7b949a5e32995d09619a7f86e632";
        let path = format!(
            "/soc/{owner}/{}?sig={}",
            crate::bee::hex(id),
            crate::bee::hex(signature)
        );
        let batch = [("Swarm-Postage-Batch-Id", bee.batch.as_str())];
        let reference = bee.call("POST", &path, &batch, content).reference();
        assert_eq!(
            Some(reference.as_str()),
            text(&vector, "expected", "soc_address_hex"),
            "{}",
            vector["name"]
        );
        assert_eq!(bee.get(&format!("/chunks/{reference}")).body, whole);
        let mut forged = content.to_vec();
        *forged.last_mut().unwrap() ^= 1;
        assert_says(
            &bee.call("POST", &path, &batch, &forged),
            401,
            "invalid chunk",
        );
    }
}

#[test]
fn stamps_of_other_libraries_are_taken() {
    for vector in of_kind("postage_stamp") {
        let network = Network::new();
        let owner = unhex("8d3766440f0d7b949a5e32995d09619a7f86e632");
        let batch = batch_id(text(&vector, "input", "batch_id_hex").unwrap());
        network.add_batch(batch, owner.try_into().unwrap(), 20);
        let bee = Bee::of(Options::light(&network, 1));
        let stamp = text(&vector, "expected", "stamp_113_hex").unwrap();
        let headers = [("Swarm-Postage-Stamp", stamp)];
        let address = text(&vector, "input", "chunk_address_hex").unwrap();
        let (path, body) = if vector["name"].as_str().unwrap().contains("soc") {
            let soc = &of_kind("soc")[0];
            let part = |part: &str, name: &str| text(soc, part, name).unwrap().to_owned();
            let owner = part("input", "owner_hex") + "/" + &part("input", "id_hex");
            let signature = part("expected", "signature_hex");
            (format!("/soc/{owner}?sig={signature}"), content(b"foo"))
        } else {
            ("/chunks".to_owned(), content(b"foo"))
        };
        assert_eq!(
            bee.call("POST", &path, &headers, &body).reference(),
            address
        );
        assert_eq!(
            bee.call("POST", "/chunks", &headers, &content(b"bar"))
                .status,
            400
        );
    }
}
