//! Each switch does what it says.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::bee::http::{Connection, attempt, call};
use crate::bee::{Bee, address_of, assert_says, batch_id, numbered};
use crate::node::{Fault, Mode, Network, Node, Options, Route, SKIP};

#[test]
fn a_node_that_starts_says_so() {
    let options = Options {
        syncing: Duration::from_secs(30),
        ..Options::new(Mode::Light)
    };
    let bee = Bee::of(options);
    let text = "Node is syncing. This endpoint is unavailable. Try again later.";
    assert_says(&bee.get("/stamps"), 503, text);
    assert_says(&bee.put(&numbered(1)), 503, text);
    assert_eq!(bee.get("/health").json()["status"], "ok");
    let reply = bee.get("/readiness");
    assert_eq!(
        (reply.status, &reply.json()["status"]),
        (400, &"notReady".into())
    );
    bee.pass(Duration::from_secs(30));
    assert_eq!(bee.get("/readiness").json()["status"], "ready");
    assert_eq!(bee.put(&numbered(1)).status, 201);
}

#[test]
fn replies_fail_as_often_as_asked() {
    let bee = Bee::new();
    let reference = bee.put(&numbered(1)).reference();
    let path = format!("/chunks/{reference}");
    let faults = bee.node.faults();
    faults.add(
        Fault::Say(500, "read chunk failed")
            .on(Route::GetChunk)
            .times(2),
    );
    assert_says(&bee.get(&path), 500, "read chunk failed");
    assert_says(&bee.get(&path), 500, "read chunk failed");
    assert_eq!(bee.get(&path).status, 200);
    faults.add(
        Fault::Page(429, Some(7))
            .on(Route::PostChunk)
            .after(1)
            .times(1),
    );
    assert_eq!(bee.put(&numbered(2)).status, 201);
    let reply = bee.put(&numbered(2));
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("7"))
    );
    assert_eq!(reply.header("content-type"), Some("text/html"));
    let counts = bee.node.counts();
    assert_eq!(counts.answers(Route::GetChunk, 500), 2);
    assert_eq!(counts.answers(Route::PostChunk, 429), 1);
    assert_eq!(counts.requests(Route::GetChunk), 3);
    assert_eq!(counts.gets(&reference.parse().unwrap()), 3);
    assert_eq!(counts.put_again(), [address_of(&numbered(2))]);
}

#[test]
fn bodies_are_cut_bent_and_swollen() {
    let bee = Bee::new();
    let reference = bee.put(&numbered(1)).reference();
    let path = format!("/chunks/{reference}");
    let once = |fault: Fault| {
        bee.node.faults().add(fault.on(Route::GetChunk).times(1));
        bee.get(&path)
    };
    let reply = once(Fault::Truncate(9));
    assert_eq!(
        (reply.status, reply.whole, reply.body.len()),
        (200, false, 9)
    );
    let reply = once(Fault::Corrupt);
    let differ =
        |a: &[u8], b: &[u8]| -> u32 { a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum() };
    assert_eq!(
        (reply.body.len(), differ(&reply.body, &numbered(1))),
        (16, 1)
    );
    assert_eq!(once(Fault::Swell(5000)).body.len(), 5016);
    let begun = Instant::now();
    let reply = once(Fault::Drip(4, Duration::from_millis(20)));
    assert_eq!(reply.body, numbered(1));
    assert!(begun.elapsed() >= Duration::from_millis(80));
    bee.node
        .faults()
        .add(Fault::WrongReference.on(Route::PostChunk).times(1));
    assert_ne!(bee.put(&numbered(1)).reference(), reference);
    bee.node
        .faults()
        .set_view(reference.parse().unwrap(), b"a lie");
    assert_eq!(bee.get(&path).body, b"a lie");
}

#[test]
fn chunks_are_lost_late_or_hidden() {
    let network = Network::new();
    let bee = Bee::of(Options::light(&network, 1));
    let other = Node::start(Options::light(&network, 2));
    let elsewhere = |path: &str| call(other.address(), "GET", path, &[], &[]).status;
    let address = address_of(&numbered(1));
    let path = format!("/chunks/{address}");
    bee.node
        .faults()
        .add(Fault::Forget.on(Route::PostChunk).at(address).times(1));
    assert_eq!(bee.put(&numbered(1)).status, 201);
    assert_eq!(bee.get(&path).status, 404);
    assert_eq!(bee.put(&numbered(1)).status, 201);
    assert_eq!((bee.get(&path).status, elsewhere(&path)), (200, 200));
    other.faults().hide(address);
    assert_eq!((bee.get(&path).status, elsewhere(&path)), (200, 404));
    other.faults().show(&address);
    assert_eq!(elsewhere(&path), 200);
    assert!(network.forget(&address));
    other.drop_cache();
    assert_eq!(elsewhere(&path), 404);

    network.set_delay(Duration::from_secs(10));
    let path = format!("/chunks/{}", bee.put(&numbered(2)).reference());
    other.faults().set_skips(true);
    assert_eq!((bee.get(&path).status, elsewhere(&path)), (404, 404));
    bee.pass(Duration::from_secs(10));
    assert_eq!(
        (bee.get(&path).status, elsewhere(&path)),
        (200, 404),
        "it asked in vain and does not ask again"
    );
    bee.pass(SKIP);
    assert_eq!(elsewhere(&path), 200);
}

#[test]
fn one_bucket_can_be_full() {
    let bee = Bee::new();
    let bucket = u32::from(u16::from_be_bytes(
        *address_of(&numbered(1)).0.first_chunk().unwrap(),
    ));
    bee.node.faults().fill_bucket(batch_id(&bee.batch), bucket);
    assert_says(&bee.put(&numbered(1)), 402, "batch is overissued");
    assert_eq!(bee.put(&numbered(2)).status, 201);
}

#[test]
fn connections_end_without_a_word() {
    let mut bee = Bee::new();
    let address = bee.node.address();
    let headers = [("Swarm-Postage-Batch-Id", bee.batch.as_str())];
    let put = |number| attempt(address, "POST", "/chunks", &headers, &numbered(number));
    bee.node
        .faults()
        .add(Fault::Close.on(Route::PostChunk).times(1));
    assert!(put(1).is_err());
    let path = format!("/chunks/{}", address_of(&numbered(1)));
    assert_eq!(bee.get(&path).status, 404);
    bee.node
        .faults()
        .add(Fault::LoseReply.on(Route::PostChunk).times(1));
    assert!(put(1).is_err());
    assert_eq!(bee.get(&path).status, 200, "it was stored all the same");

    bee.node
        .faults()
        .add(Fault::Hang.on(Route::GetChunk).times(1));
    let mut connection = Connection::open(address).unwrap();
    connection.set_patience(Duration::from_millis(200));
    connection.send("GET", &path, &[], &[]).unwrap();
    let hung = connection.reply("GET").unwrap_err().kind();
    assert!(matches!(hung, ErrorKind::WouldBlock | ErrorKind::TimedOut));

    let mut connection = Connection::open(address).unwrap();
    connection.send("GET", &path, &[], &[]).unwrap();
    assert_eq!(connection.reply("GET").unwrap().status, 200);
    bee.node.faults().set_idle(Duration::from_millis(40));
    assert!(connection.reply("GET").is_err(), "nobody used it");
    bee.node.faults().set_idle(Duration::from_secs(30));

    bee.node.kill();
    assert!(Connection::open(address).is_err());
    bee.node.restart(crate::node::Loss::Nothing);
    assert_eq!(bee.get(&path).status, 200);
}

#[test]
fn replies_can_be_late() {
    let bee = Bee::new();
    bee.node
        .faults()
        .set_latency(Route::PostChunk, Duration::from_millis(50));
    let begun = Instant::now();
    bee.put(&numbered(1)).reference();
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[test]
fn chance_is_the_seeds() {
    let drawn = || {
        let bee = Bee::new();
        bee.node.faults().add(
            Fault::Say(500, "chunk write error")
                .on(Route::PostChunk)
                .one_in(3),
        );
        let statuses: Vec<_> = (0..60)
            .map(|number| bee.put(&numbered(number)).status)
            .collect();
        statuses
    };
    let statuses = drawn();
    assert_eq!(statuses, drawn());
    let failed = statuses.iter().filter(|status| **status == 500).count();
    assert!((8..=32).contains(&failed), "{failed} of 60");
}
