//! At the door: somebody who was not added asks, is answered, added and given what he asked for; and what a vandal can do.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use podfs::crypto::door::{DoorSlot, has_work};
use podfs::crypto::identity::Fingerprint;
use podfs::crypto::swarm::SealedChunk;
use podfs::store::Store;
use podfs::store::bee::{BatchId, Postage, Through};
use podfs::types::limits::DOOR_SLOTS;

use crate::carried::confirmed;
use crate::people::messages::until_listed;
use crate::people::recorded::kinds;
use crate::people::shared::{accept, until};
use crate::people::*;
use crate::store::patient;
use crate::support::random::Random;
use crate::support::{applicable, wait_until};

const ASK: [&str; 5] = ["request", "Anna", "Labs", "--for", "treatment"];

/// How many kinds of nothing at all a vandal writes.
const JUNK: usize = 8;

/// Somebody who writes into every slot of a door, again and again, until he is told to stop.
struct Vandal {
    stop: Arc<AtomicBool>,
    /// Requests that he wrote over.
    erased: Arc<AtomicUsize>,
    thread: Option<thread::JoinHandle<usize>>,
}

impl Vandal {
    fn at_the_door_of(print: Fingerprint, node: &Node, mut random: Random) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let erased = Arc::new(AtomicUsize::new(0));
        let (told, count) = (Arc::clone(&stop), Arc::clone(&erased));
        let (bee, batch) = (patient(&node.url()), BatchId(node.buy_batch(24)));
        let network = node.network().clone();
        // What stood at an address before takes no other slot of the batch: it would be full after some hundred rounds.
        let nothing: Vec<_> = (0..JUNK).map(|_| random.bytes(4096)).collect();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let writer = Through::writer(bee, Postage { batch, tag: None });
            let mut caught: Option<Vec<u8>> = None;
            let mut rounds = 0;
            while !told.load(Ordering::SeqCst) {
                for slot in slots(&print) {
                    let there = network.world().get(&slot.address());
                    let there = there
                        .and_then(|held| SealedChunk::verified(&slot.address(), &held.read()).ok());
                    let there = there.map(|chunk| chunk.payload().to_vec());
                    if let Some(payload) = there.filter(|it| has_work(it, slot.place())) {
                        count.fetch_add(1, Ordering::SeqCst);
                        caught = Some(payload);
                    }
                    // What somebody put, elsewhere; and what is nothing at all.
                    let mut junk = nothing[random.index(JUNK)].clone();
                    if let Some(moved) = caught.as_ref().filter(|_| random.index(2) == 0) {
                        junk.clone_from(moved);
                        junk[4095] ^= 1;
                    }
                    let chunk = slot.chunk(&junk).unwrap();
                    runtime.block_on(writer.put(&chunk)).unwrap();
                }
                rounds += 1;
            }
            rounds
        });
        Self {
            stop,
            erased,
            thread: Some(thread),
        }
    }

    /// How many requests he wrote over. Fails when he gave up.
    fn erased(&self) -> usize {
        let is_there = self.thread.as_ref().is_some_and(|it| !it.is_finished());
        assert!(is_there, "the vandal is gone");
        self.erased.load(Ordering::SeqCst)
    }

    /// How often he went round.
    fn goes(mut self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Vandal {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// All slots in which a request of today may stand.
fn slots(print: &Fingerprint) -> Vec<DoorSlot> {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let today = u32::try_from(now / 86_400).unwrap();
    let slots = (0..DOOR_SLOTS).map(|slot| DoorSlot::of(print, today, slot));
    slots.collect()
}

fn print_of(introduced: &Value) -> Fingerprint {
    let mut print = Fingerprint([0; 32]);
    hex::decode_to_slice(text(introduced, "fingerprint"), &mut print.0).unwrap();
    print
}

#[test]
fn a_stranger_asks_at_the_door_and_is_let_in() {
    if !applicable("a_stranger_asks_at_the_door_and_is_let_in", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let (annas, bens) = (introduce(&anna), introduce(&ben));
    fs::create_dir(first.dir().join("Labs")).unwrap();
    fs::write(first.dir().join("Labs/blood.txt"), "good").unwrap();
    says(&ben, &["contact", "add", "Anna", text(&annas, "identity")]);
    let long = [
        "request",
        "Anna",
        &"x".repeat(1000),
        "--for",
        &"y".repeat(400),
    ];
    assert!(fails(&ben, 2, &long).contains("1280 bytes"));
    says(&ben, &ASK);

    let came = until_listed(&anna, "requests", |all| !all.is_empty());
    let asked = &came[0];
    let print = text(&bens, "fingerprint");
    assert_eq!(text(asked, "fingerprint"), print);
    assert_eq!(
        (&asked["contact"], &asked["what"]),
        (&Value::Null, &"Labs".into())
    );
    let shown = says(&anna, &["inbox"]);
    assert!(
        shown.contains(&format!("(stranger {})", &print[..8])),
        "{shown}"
    );
    until_listed(&ben, "requests", |all| all[0]["state"] == "arrived");

    // Nothing is given to somebody who was not added.
    let id = text(asked, "id");
    let owner = text(asked, "stranger");
    let said = fails(&anna, 55, &["approve", id]);
    let next = format!("podfs contact add NAME 0x{owner}");
    assert!(
        said.contains(&next) && said.contains("podfs contact verify"),
        "{said}"
    );
    says(&anna, &["contact", "add", "Ben", &format!("0x{owner}")]);
    let grant = json(&anna, &["approve", id, "--json"]);
    confirmed(&anna);
    accept(&ben, &grant);
    let seen = second.dir().join("Shared with me/Anna/Labs/blood.txt");
    until(&ben, "nothing is shown", || {
        fs::read_to_string(&seen).is_ok_and(|read| read == "good")
    });

    // A contact can be blocked as well as a stranger.
    says(&anna, &["contact", "block", "Ben"]);
    let blocked = json(&anna, &["contact", "block", "--json"]);
    assert_eq!(
        (text(&blocked[0], "name"), text(&blocked[0], "fingerprint")),
        ("Ben", print)
    );
    assert!(says(&anna, &["contact", "show", "Ben"]).contains("blocked"));
    says(&anna, &["contact", "unblock", &print[..8]]);
    fails(&anna, 55, &["contact", "unblock", "Ben"]);
    fails(&anna, 55, &["contact", "block", "Nobody"]);
    let said = kinds(&anna, &["--who", print]);
    let said: Vec<_> = said.iter().rev().take(2).collect();
    assert_eq!(said, ["contact-unblocked", "contact-blocked"]);
    first.unmount();
    second.unmount();
}

#[test]
fn a_vandal_at_the_door_delays_strangers_and_nobody_else() {
    if !applicable(
        "a_vandal_at_the_door_delays_strangers_and_nobody_else",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, ben, node) = two_people();
    let cleo = Pod::of_somebody_else();
    let batch = hexadecimal(&node.buy_batch(20));
    says(&cleo, &["node", "add", &node.url(), "--batch", &batch]);
    let mounts = [&anna, &ben, &cleo].map(|pod| mounted(pod, &[]));
    let annas = introduce(&anna);
    introduce(&ben);
    let cleos = introduce(&cleo);
    for pod in [&ben, &cleo] {
        says(pod, &["contact", "add", "Anna", text(&annas, "identity")]);
    }
    says(&anna, &["contact", "add", "Cleo", text(&cleos, "identity")]);

    let random = Random::new("a_vandal_at_the_door_delays_strangers_and_nobody_else");
    let vandal = Vandal::at_the_door_of(print_of(&annas), &node, random);
    says(&ben, &ASK);
    // He puts it again, and it is erased again.
    let again = wait_until(std::time::Duration::from_secs(120), || {
        says(&ben, &["requests"]);
        vandal.erased() >= 3
    });
    assert!(again, "erased {} times", vandal.erased());
    let his = says(&ben, &["requests"]);
    assert!(!his.contains("arrived"), "{his}");
    // Meanwhile a contact asks, and is heard.
    says(&cleo, &["request", "Anna", "Plans", "--for", "work"]);
    until_listed(&anna, "inbox", |all| {
        all.iter()
            .any(|it| it["contact"] == "Cleo" && it["what"] == "Plans")
    });
    let times = vandal.erased();
    let rounds = vandal.goes();
    // Then he goes, and the stranger is heard too.
    let came = until_listed(&anna, "inbox", |all| {
        // What waits longer each time is looked at here.
        says(&ben, &["requests"]);
        all.len() > 1
    });
    println!("{rounds} rounds of {DOOR_SLOTS} slots, {times} requests erased");
    let mut came: Vec<_> = came
        .iter()
        .map(|it| {
            (
                text(it, "what"),
                text(it, "purpose"),
                it["stranger"].is_string(),
            )
        })
        .collect();
    came.sort_unstable();
    assert_eq!(
        came,
        [("Labs", "treatment", true), ("Plans", "work", false)]
    );
    until_listed(&ben, "requests", |all| all[0]["state"] == "arrived");
    for mount in mounts {
        mount.unmount();
    }
}

#[test]
fn a_door_full_of_junk_costs_one_look_at_each_slot() {
    if !applicable(
        "a_door_full_of_junk_costs_one_look_at_each_slot",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, _ben, node) = two_people();
    let mount = mounted(&anna, &[]);
    let print = print_of(&introduce(&anna));
    says(&anna, &["inbox"]);
    let random = Random::new("a_door_full_of_junk_costs_one_look_at_each_slot");
    let vandal = Vandal::at_the_door_of(print, &node, random);
    // Each slot is written over many times; the owner looks in between.
    let written = || {
        let counts = node.counts();
        let puts = slots(&print)
            .iter()
            .map(|it| counts.puts(&it.address()))
            .sum::<u64>();
        (
            puts,
            slots(&print)
                .iter()
                .map(|it| counts.gets(&it.address()))
                .sum::<u64>(),
        )
    };
    let before = written().1;
    let mut looks = 0;
    let full = wait_until(std::time::Duration::from_secs(240), || {
        assert_eq!(json(&anna, &["inbox", "--json"]), serde_json::json!([]));
        looks += 1;
        written().0 >= 2_000
    });
    assert!(full, "{} slots written", written().0);
    vandal.goes();
    let (puts, gets) = written();
    println!(
        "{puts} junk slots written, {looks} looks, {} slots read",
        gets - before
    );
    // Each look reads each slot once; the mounted pod itself may have looked once more.
    assert!(gets - before <= (looks + 1) * u64::from(DOOR_SLOTS));
    mount.unmount();
}
