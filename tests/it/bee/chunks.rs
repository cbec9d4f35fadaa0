//! Chunks, single-owner chunks and tags.

use std::time::Duration;

use crate::bee::http::call;
use crate::bee::{Bee, address_of, assert_says, content, hex, numbered, unhex};
use crate::node::{Loss, Mode, Network, Node, Options, Overwrite, Push};

#[test]
fn a_chunk_comes_back_as_it_was_sent() {
    let bee = Bee::new();
    for body in [
        content(&[7; 4096]),
        content(b"foo"),
        content(b""),
        vec![255; 8],
    ] {
        let address = address_of(&body).to_string();
        let reply = bee.put(&body);
        assert_eq!(reply.reference(), address);
        assert_eq!(
            reply.body,
            format!("{{\"reference\":\"{address}\"}}\n\n").as_bytes()
        );
        assert_eq!(
            reply.header("access-control-expose-headers"),
            Some("Swarm-Tag")
        );
        let reply = bee.get(&format!("/chunks/{address}"));
        assert_eq!((reply.status, &reply.body), (200, &body));
        assert_eq!(reply.header("content-type"), Some("binary/octet-stream"));
        assert_eq!(bee.get(&format!("/v1/chunks/{address}")).body, body);
    }
}

#[test]
fn what_is_no_chunk_is_refused() {
    let bee = Bee::new();
    assert_says(&bee.put(&[1; 7]), 400, "insufficient data length");
    assert_says(&bee.put(&[1; 4202]), 413, "Request Entity Too Large");
    // Long enough for a single-owner chunk only, and nobody signed it.
    assert_says(&bee.put(&[1; 4105]), 500, "create chunk error");
    let reply = bee.call("POST", "/chunks", &[], &numbered(1));
    let either = "Either 'Swarm-Postage-Stamp' or 'Swarm-Postage-Batch-Id' header must be set in the request";
    assert_says(&reply, 400, either);
    let header = [("Swarm-Postage-Batch-Id", "xy")];
    let reply = bee.call("POST", "/chunks", &header, &numbered(1));
    assert_says(&reply, 400, "invalid header params");
    let reasons =
        "[{\"field\":\"Swarm-Postage-Batch-Id\",\"error\":\"invalid hex byte: U+0078 'x'\"}]";
    assert!(String::from_utf8_lossy(&reply.body).contains(reasons));
    let unknown = "ab".repeat(32);
    let header = [("Swarm-Postage-Batch-Id", unknown.as_str())];
    let reply = bee.call("POST", "/chunks", &header, &numbered(1));
    assert_says(&reply, 404, "batch with id not found");
    assert_says(&bee.put_tagged(77, &numbered(1)), 404, "tag not found");
    assert_says(
        &bee.get(&format!("/chunks/{unknown}")),
        404,
        "chunk not found",
    );
    assert_says(&bee.get("/chunks/abc"), 400, "invalid path params");
    assert_says(&bee.get("/nothing"), 404, "Not Found");
    let reply = bee.call("PUT", "/chunks", &[], &[]);
    assert_eq!(
        reply.body,
        b"{\"message\":\"Method Not Allowed\",\"code\":405}\n".as_slice()
    );
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
}

#[test]
fn head_knows_only_what_the_node_has_itself() {
    let bee = Bee::new();
    let reference = bee.put(&numbered(1)).reference();
    let path = format!("/chunks/{reference}");
    assert_eq!(bee.call("HEAD", &path, &[], &[]).status, 404);
    let direct = bee.call("GET", &path, &[("Swarm-Cache", "false")], &[]);
    assert_eq!(direct.status, 200);
    assert_eq!(bee.call("HEAD", &path, &[], &[]).status, 404);
    assert_eq!(bee.get(&path).status, 200);
    assert_eq!(bee.call("HEAD", &path, &[], &[]).status, 200);
}

#[test]
fn a_tag_counts_what_came_and_what_was_sent() {
    let mut bee = Bee::new();
    let tag = bee.new_tag();
    let reply = bee.put_tagged(tag, &numbered(1));
    assert_eq!(reply.header("swarm-tag"), Some(tag.to_string().as_str()));
    bee.put_tagged(tag, &numbered(1));
    assert_eq!(bee.tag(tag), [2, 0, 2, 2]);

    bee.node.faults().set_push(Push::Never);
    let reference = bee.put_tagged(tag, &numbered(2)).reference();
    bee.put_tagged(tag, &numbered(2));
    assert_eq!(bee.tag(tag), [4, 1, 2, 2]);
    let other = Node::start(Options::light(bee.node.network(), 2));
    let path = format!("/chunks/{reference}");
    assert_eq!(bee.get(&path).status, 200);
    assert_says(
        &call(other.address(), "GET", &path, &[], &[]),
        404,
        "chunk not found",
    );
    let stewardship = bee.get(&format!("/stewardship/{reference}"));
    assert_eq!(stewardship.json()["isRetrievable"], false);

    bee.node.faults().set_push(Push::AtOnce);
    bee.node.send_waiting();
    assert_eq!(bee.tag(tag), [4, 1, 3, 3]);
    assert_eq!(call(other.address(), "GET", &path, &[], &[]).status, 200);

    bee.node.faults().set_push(Push::Never);
    let reference = bee.put_tagged(tag, &numbered(3)).reference();
    bee.node.restart(Loss::LocalStore);
    assert_says(
        &bee.get(&format!("/chunks/{reference}")),
        404,
        "chunk not found",
    );
    assert_says(&bee.get(&format!("/tags/{tag}")), 404, "tag not present");
}

#[test]
fn a_failed_request_takes_unsent_chunks_of_its_tag_along() {
    let bee = Bee::new();
    bee.node.faults().set_push(Push::Never);
    let tag = bee.new_tag();
    let reference = bee.put_tagged(tag, &numbered(1)).reference();
    assert_eq!(bee.put_tagged(tag, &[1; 7]).status, 400);
    // It was there before the failing request began.
    assert_eq!(bee.get(&format!("/chunks/{reference}")).status, 200);
}

#[test]
fn tags_are_listed_named_and_deleted() {
    let bee = Bee::new();
    let tags = [bee.new_tag(), bee.new_tag(), bee.new_tag()];
    let list = bee.get("/tags?offset=1&limit=1").json();
    assert_eq!(list["tags"].as_array().unwrap().len(), 1);
    assert_eq!(list["tags"][0]["uid"], tags[1]);
    let path = format!("/tags/{}", tags[0]);
    let address = "ab".repeat(32);
    let body = format!("{{\"address\":\"{address}\"}}");
    assert_says(&bee.call("PATCH", &path, &[], body.as_bytes()), 200, "ok");
    let tag = bee.get(&path).json();
    assert_eq!(tag["address"], address);
    assert_eq!(tag["startedAt"], "2026-01-01T00:00:00Z");
    assert_eq!(bee.call("DELETE", &path, &[], &[]).status, 204);
    assert_says(&bee.get(&path), 404, "tag not present");
    assert_eq!(
        bee.call("DELETE", &path, &[], &[]).status,
        204,
        "as if there were one"
    );
    assert_says(&bee.get("/tags/x"), 400, "invalid path params");
}

/// The single-owner chunk of Bee's own test: owner, identifier, signature, address.
const SOC: [&str; 4] = [
    "8d3766440f0d7b949a5e32995d09619a7f86e632",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "5acd384febc133b7b245e5ddc62d82d2cded9182d2716126cd8844509af65a053deb418208027f548e3e88343af6f84a8772fb3cebc0a1833a0ea7ec0c1348311b",
    "9d453ebb73b2fedaaf44ceddcf7a0aa37f3e3d6453fea5841c31f0ea6d61dc85",
];

#[test]
fn a_single_owner_chunk_stands_where_its_owner_wants() {
    let bee = Bee::new();
    let [owner, id, signature, address] = SOC;
    let path = format!("/soc/{owner}/{id}");
    let batch = [("Swarm-Postage-Batch-Id", bee.batch.as_str())];
    let signed = format!("{path}?sig={signature}");
    let post = |path: &str, body: &[u8]| bee.call("POST", path, &batch, body);
    assert_says(&post(&signed, &content(b"bar")), 401, "invalid chunk");
    assert_says(&post(&path, &content(b"foo")), 400, "invalid query params");
    assert_says(&post(&signed, &[0; 7]), 400, "short chunk data");
    assert_says(&post(&signed, &[0; 4105]), 413, "Request Entity Too Large");
    assert_says(&bee.get(&path), 404, "requested chunk cannot be retrieved");
    assert_eq!(post(&signed, &content(b"foo")).reference(), address);
    let whole = [unhex(id), unhex(signature), content(b"foo")].concat();
    assert_eq!(bee.get(&format!("/chunks/{address}")).body, whole);
    let reply = bee.get(&path);
    assert_eq!(
        (reply.status, reply.body.as_slice()),
        (200, b"foo".as_slice())
    );
    assert_eq!(reply.header("swarm-soc-signature"), Some(signature));
    // Shorter than a content-addressed chunk may be: `/chunks` takes it for one.
    assert_eq!(bee.put(&whole).reference(), address_of(&whole).to_string());
}

#[test]
fn of_two_contents_one_stands() {
    for (overwrite, first_stays) in [(Overwrite::Replaced, false), (Overwrite::Ignored, true)] {
        let bee = Bee::new();
        bee.node.network().set_overwrite(overwrite);
        let key = k256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap();
        let soc = |payload: &[u8]| {
            let content = content(payload);
            let id = [3; 32];
            let digest = crate::node::keccak(&[&id, &address_of(&content).0]);
            [&id, crate::node::sign(&key, &digest).as_slice(), &content].concat()
        };
        let (one, two) = (soc(&[1; 4096]), soc(&[2; 4096]));
        let address = bee.put(&one).reference();
        assert_eq!(bee.put(&one).reference(), address);
        assert_eq!(bee.put(&two).reference(), address);
        let now = bee.get(&format!("/chunks/{address}")).body;
        assert_eq!(now, if first_stays { one } else { two });
        assert_eq!(bee.node.counts().puts(&address.parse().unwrap()), 3);
        let stamp = bee.get(&format!("/stamps/{}", bee.batch)).json();
        assert_eq!(stamp["utilization"], 2, "each content takes a slot");
    }
}

#[test]
fn a_development_node_takes_tagged_uploads_only() {
    let node = Node::start(Options::new(Mode::Dev));
    let batch = hex(&node.buy_batch(17));
    let bee = Bee { node, batch };
    assert_eq!(bee.get("/node").json()["beeMode"], "dev");
    let text = "operation not supported in dev mode";
    assert_says(&bee.put(&numbered(1)), 400, text);
    assert_says(&bee.get("/status"), 400, text);
    let [owner, id, signature, _] = SOC;
    let path = format!("/soc/{owner}/{id}?sig={signature}");
    let batch = [("Swarm-Postage-Batch-Id", bee.batch.as_str())];
    let reply = bee.call("POST", &path, &batch, &content(b"foo"));
    assert_says(&reply, 501, "operation is not supported in dev mode");
    let tag = bee.new_tag();
    let reference = bee.put_tagged(tag, &numbered(1)).reference();
    bee.put_tagged(tag, &numbered(1));
    assert_eq!(bee.tag(tag), [2, 1, 0, 0], "nothing is ever synced");
    assert_eq!(bee.get(&format!("/chunks/{reference}")).body, numbered(1));
    let path = format!("/stewardship/{reference}");
    assert_eq!(bee.get(&path).json()["isRetrievable"], false);
    assert_eq!(bee.call("PUT", &path, &batch, &[]).status, 200);
    assert_eq!(bee.get(&path).json()["isRetrievable"], true);
    let stamp = bee.get(&format!("/stamps/{}", bee.batch)).json();
    assert_eq!(
        (&stamp["bucketDepth"], &stamp["usable"]),
        (&0.into(), &true.into())
    );
    assert_eq!(
        bee.call("PATCH", &format!("/stamps/topup/{}/1", bee.batch), &[], &[])
            .status,
        501
    );
}

#[test]
fn a_gateway_shows_little_and_pays_itself() {
    let network = Network::new();
    let bee = Bee::of(Options::light(&network, 1));
    let gateway = Node::start(Options::gateway(&network, 2));
    let ask =
        |method: &str, path: &str, body: &[u8]| call(gateway.address(), method, path, &[], body);
    assert_eq!(ask("GET", "/gateway", &[]).json()["gateway"], true);
    assert_eq!(ask("GET", "/health", &[]).body, b"OK");
    let reference = ask("POST", "/chunks", &numbered(1)).reference();
    assert_eq!(bee.get(&format!("/chunks/{reference}")).body, numbered(1));
    let reference = bee.put(&numbered(2)).reference();
    assert_eq!(
        ask("GET", &format!("/chunks/{reference}"), &[]).body,
        numbered(2)
    );
    for path in ["/stamps", "/tags", "/pins", "/node", "/stewardship/ab"] {
        let reply = ask("GET", path, &[]);
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (404, Some("text/html; charset=utf-8"))
        );
    }
    bee.pass(Duration::from_secs(1));
}
