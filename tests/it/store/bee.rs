//! The client against a node that does as it should, and against what is none.

use std::sync::Arc;
use std::time::Duration;

use podfs::store::bee::{BatchId, Cache, Mode, Postage, Through};
use podfs::store::endpoints::{Endpoint, Endpoints, Patience, Proof, Role, Sought, Verdict};
use podfs::store::{Outage, Pulse, Receipt, Rejection, Store, StoreError};

use crate::node::{Loss, Mode as Kind, Network, Node, Options, Push, Route};
use crate::store::{node_and_writer, owned_chunk, patient, random_chunk, random_chunks};
use crate::support::random::Random;

#[tokio::test(flavor = "multi_thread")]
async fn the_kind_of_endpoint_is_found_out() {
    let network = Network::new();
    for (options, mode) in [
        (Options::new(Kind::Full), Mode::Full),
        (Options::light(&network, 1), Mode::Light),
        (Options::new(Kind::Dev), Mode::Dev),
        (Options::gateway(&network, 2), Mode::Gateway),
    ] {
        let node = Node::start(options);
        let bee = patient(&node.url());
        assert_eq!(bee.mode().await, Ok(mode));
        assert_eq!(bee.pulse().await, Ok(()));
    }
    let node = Node::start(Options::light(&network, 3));
    let elsewhere = patient(&format!("{}/somewhere/else", node.url()));
    let other = StoreError::Rejected(Rejection::Unsupported);
    assert_eq!(elsewhere.mode().await, Err(other));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_tells_about_itself() {
    let (node, bee, ..) = node_and_writer(20).await;
    let status = bee.status().await.unwrap();
    assert!(status.connected_peers > 0, "{status:?}");
    let wallet = bee.wallet().await.unwrap();
    assert!(wallet.bzz_balance.0 > 0 && wallet.wallet_address.starts_with("0x"));
    let chain = bee.chain().await.unwrap();
    assert!(chain.current_price.0 > 0, "{chain:?}");
    let other = Node::start(Options::light(node.network(), 2));
    let (one, two) = (bee.overlay().await, patient(&other.url()).overlay().await);
    assert!(one.is_ok() && one != two);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_and_shared() {
    let mut random = Random::new("connections_are_kept_and_shared");
    let (node, _, _, writer) = node_and_writer(22).await;
    for chunk in random_chunks(&mut random, 60) {
        assert_eq!(writer.put(&chunk).await, Ok(Receipt::OnNode));
        assert_eq!(writer.get(chunk.address()).await, Ok(chunk));
    }
    let counts = node.counts();
    assert!(
        counts.connections <= 2,
        "{} connections",
        counts.connections
    );
    assert_eq!(counts.requests(Route::PostChunk), 60);
    assert!(counts.put_again().is_empty());
}

/// A node closes connections that nobody uses: the next request finds a dead one and must not fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_node_closed_is_no_failure() {
    let mut random = Random::new("a_connection_that_the_node_closed_is_no_failure");
    let (mut node, _, _, writer) = node_and_writer(22).await;
    for chunk in random_chunks(&mut random, 5) {
        writer.put(&chunk).await.unwrap();
        node.restart(Loss::Nothing);
        assert_eq!(writer.get(chunk.address()).await, Ok(chunk));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_count_what_was_put() {
    let mut random = Random::new("tags_count_what_was_put");
    let (_node, bee, postage, writer) = node_and_writer(22).await;
    for chunk in random_chunks(&mut random, 10) {
        writer.put(&chunk).await.unwrap();
    }
    let tag = postage.tag.unwrap();
    let state = bee.tag(tag).await.unwrap();
    assert!(state.is_synced(10) && !state.is_synced(11), "{state:?}");
    bee.delete_tag(tag).await.unwrap();
    bee.delete_tag(tag).await.unwrap();
    let gone = StoreError::Rejected(Rejection::TagUnknown);
    assert_eq!(bee.tag(tag).await, Err(gone.clone()));
    assert_eq!(writer.put(&random_chunk(&mut random)).await, Err(gone));
}

/// An owned chunk with a short payload would be stored as something else: it never leaves.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_owned_chunk_is_not_sent() {
    let (node, _, _, writer) = node_and_writer(22).await;
    let short = owned_chunk([1; 32], b"short");
    let refused = writer.put(&short).await;
    assert_eq!(refused, Err(StoreError::Rejected(Rejection::Size)));
    assert_eq!(node.counts().requests(Route::PostChunk), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_development_node_takes_tagged_chunks_and_is_no_proof() {
    let mut random = Random::new("a_development_node_takes_tagged_chunks_and_is_no_proof");
    let node = Node::start(Options::new(Kind::Dev));
    let bee = patient(&node.url());
    let batch = BatchId(node.buy_batch(20));
    let (chunk, head) = (random_chunk(&mut random), random.bytes(4096));
    let untagged = Through::writer(Arc::clone(&bee), Postage { batch, tag: None });
    let refused = untagged.put(&chunk).await;
    assert_eq!(refused, Err(StoreError::Rejected(Rejection::Unsupported)));
    let tag = Some(bee.new_tag().await.unwrap());
    let writer = Through::writer(Arc::clone(&bee), Postage { batch, tag });
    let head = owned_chunk([2; 32], &head);
    for chunk in [&chunk, &head] {
        writer.put(chunk).await.unwrap();
        assert_eq!(writer.get(chunk.address()).await.as_ref(), Ok(chunk));
    }
    let endpoint = Endpoint::bee("dev", Role::Own, bee);
    let alone = Endpoints::new(vec![Arc::clone(&endpoint)], Patience::default());
    let single = Ok(Verdict::Held(Proof::SingleCopy));
    let content = Sought::Content(chunk.address());
    assert_eq!(alone.verify(content, &endpoint).await, single);
    assert_eq!(alone.verify(Sought::Owned(&head), &endpoint).await, single);
    let absent = Sought::Content(random_chunk(&mut random).address());
    assert_eq!(alone.verify(absent, &endpoint).await, Ok(Verdict::NotYet));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_is_proven_by_stewardship_or_through_a_gateway() {
    let mut random = Random::new("a_chunk_is_proven_by_stewardship_or_through_a_gateway");
    let (node, bee, _, writer) = node_and_writer(22).await;
    let chunk = random_chunk(&mut random);
    let (address, sought) = (chunk.address(), Sought::Content(chunk.address()));
    writer.put(&chunk).await.unwrap();
    let own = Endpoint::bee("own", Role::Own, bee);
    let alone = Endpoints::new(vec![Arc::clone(&own)], Patience::default());
    let verdict = alone.verify(sought, &own).await;
    assert_eq!(verdict, Ok(Verdict::Held(Proof::Stewardship)));
    let gateway = Node::start(Options::gateway(node.network(), 2));
    let second = Endpoint::bee("gateway", Role::Gateway, patient(&gateway.url()));
    let both = Endpoints::new(vec![second, Arc::clone(&own)], Patience::default());
    let verdict = both.verify(sought, &own).await;
    assert_eq!(verdict, Ok(Verdict::Held(Proof::Elsewhere)));
    // Lost by everybody but the node's own store: neither way is deceived by that copy.
    node.network().forget(&address);
    gateway.drop_cache();
    assert_eq!(alone.verify(sought, &own).await, Ok(Verdict::NotYet));
    assert_eq!(both.verify(sought, &own).await, Ok(Verdict::NotYet));
}

/// One node under two addresses is one node: what it says twice is no second copy.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_vouch_for_itself_under_another_address() {
    let mut random = Random::new("a_node_does_not_vouch_for_itself_under_another_address");
    let (node, bee, _, writer) = node_and_writer(22).await;
    let chunk = random_chunk(&mut random);
    let sought = Sought::Content(chunk.address());
    node.faults().set_push(Push::Never);
    writer.put(&chunk).await.unwrap();
    let own = Endpoint::bee("own", Role::Own, bee);
    let same = node.url().replace("127.0.0.1", "localhost");
    for role in [Role::Own, Role::Other, Role::Gateway] {
        let again = Endpoint::bee("again", role, patient(&same));
        let both = Endpoints::new(vec![Arc::clone(&own), again], Patience::default());
        assert_eq!(both.verify(sought, &own).await, Ok(Verdict::NotYet));
    }
    let stranger = Node::start(Options::light(node.network(), 2));
    let other = Endpoint::bee("other", Role::Other, patient(&stranger.url()));
    let both = Endpoints::new(vec![Arc::clone(&own), other], Patience::default());
    assert_eq!(both.verify(sought, &own).await, Ok(Verdict::NotYet));
    node.faults().set_push(Push::AtOnce);
    node.send_waiting();
    node.reset_counts();
    for _ in 0..3 {
        let held = Ok(Verdict::Held(Proof::Elsewhere));
        assert_eq!(both.verify(sought, &own).await, held);
    }
    assert_eq!(node.counts().all_requests(), 0, "asked once who it is");
}

/// Stewardship looks at an address, a gateway shows what it has: another payload of the same owner is no proof.
#[tokio::test(flavor = "multi_thread")]
async fn another_payload_of_the_same_owner_is_told() {
    let mut random = Random::new("another_payload_of_the_same_owner_is_told");
    let (node, bee, _, writer) = node_and_writer(22).await;
    let [ours, theirs] = [0; 2].map(|_| owned_chunk([3; 32], &random.bytes(4096)));
    writer.put(&ours).await.unwrap();
    let own = Endpoint::bee("own", Role::Own, bee);
    let alone = Endpoints::new(vec![Arc::clone(&own)], Patience::default());
    let gateway = Node::start(Options::gateway(node.network(), 2));
    let second = Endpoint::bee("gateway", Role::Gateway, patient(&gateway.url()));
    let both = Endpoints::new(vec![second, Arc::clone(&own)], Patience::default());
    let verdicts = async || {
        let (alone, both) = tokio::join!(
            alone.verify(Sought::Owned(&ours), &own),
            both.verify(Sought::Owned(&ours), &own)
        );
        [alone.unwrap(), both.unwrap()]
    };
    let held = [Proof::Stewardship, Proof::Elsewhere].map(Verdict::Held);
    assert_eq!(verdicts().await, held);
    gateway.faults().set_view(theirs.address(), theirs.bytes());
    assert_eq!(verdicts().await, [held[0], Verdict::Other]);
    node.faults().set_view(theirs.address(), theirs.bytes());
    assert_eq!(verdicts().await, [Verdict::Other; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_reads_and_offers_no_more() {
    let mut random = Random::new("a_gateway_reads_and_offers_no_more");
    let (node, _, _, writer) = node_and_writer(22).await;
    let chunk = random_chunk(&mut random);
    writer.put(&chunk).await.unwrap();
    let gateway = Node::start(Options::gateway(node.network(), 2));
    let bee = patient(&gateway.url());
    assert_eq!(bee.get(chunk.address(), Cache::Keep).await, Ok(chunk));
    let absent = random_chunk(&mut random).address();
    assert_eq!(
        bee.get(absent, Cache::Keep).await,
        Err(StoreError::NotFound)
    );
    let unsupported = StoreError::Rejected(Rejection::Unsupported);
    assert_eq!(bee.batches().await, Err(unsupported.clone()));
    assert_eq!(bee.new_tag().await, Err(unsupported.clone()));
    assert_eq!(bee.is_retrievable(absent).await, Err(unsupported));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_told_at_once_and_without_credentials() {
    let mut random = Random::new("nobody_there_is_told_at_once_and_without_credentials");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let bee = patient(&format!("http://alice:secret@{address}/bee"));
    let error = bee
        .get(random_chunk(&mut random).address(), Cache::Keep)
        .await
        .unwrap_err();
    let StoreError::Unavailable { why, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(matches!(why, Outage::Unreachable(_)), "{error:?}");
    let shown = format!("{error} {error:?} {bee:?} {}", bee.address());
    assert!(
        !shown.contains("secret") && !shown.contains("alice"),
        "{shown}"
    );
    let refused = patient("http://no-such-host.invalid:1633").pulse().await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable { .. })),
        "{refused:?}"
    );
}

/// The first node dies under a thousand reads: no reader sees it.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_is_replaced_by_the_next() {
    let mut random = Random::new("a_node_that_dies_is_replaced_by_the_next");
    let (mut node, bee, _, writer) = node_and_writer(22).await;
    let chunks = random_chunks(&mut random, 40);
    for chunk in &chunks {
        writer.put(chunk).await.unwrap();
    }
    let gateway = Node::start(Options::gateway(node.network(), 2));
    let list = vec![
        Endpoint::bee("own", Role::Own, bee),
        Endpoint::bee("gateway", Role::Gateway, patient(&gateway.url())),
    ];
    let endpoints = Endpoints::new(list, Patience::default());
    let limit = Duration::from_secs(30);
    let reads = async {
        for round in 0..1000 {
            if round == 300 {
                node.kill();
            }
            if round == 600 {
                node.restart(Loss::Nothing);
            }
            let chunk = &chunks[round % chunks.len()];
            let got = endpoints.get(chunk.address()).await;
            assert_eq!(got.as_ref(), Ok(chunk), "round {round}");
        }
    };
    tokio::time::timeout(limit, reads).await.unwrap();
    let asked = gateway.counts().requests(Route::GetChunk);
    assert!(
        (250..=710).contains(&asked),
        "the gateway was asked {asked} times"
    );
}
