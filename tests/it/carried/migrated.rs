//! A pod is carried to another node, of another network, and the old one is shut.

use std::fs;
use std::time::Duration;

use rustix::fs::XattrFlags;
use serde_json::Value;

use crate::carried::trees::{assert_equal, look, make_zoo};
use crate::carried::{
    REQUIREMENTS, carried, comes_back, confirmed, mounted, recovered, report, until_said,
};
use crate::network::{fails, json, pod_and_node, says};
use crate::node::{Network, Node, Options, Route, hexadecimal};
use crate::support::mount::Mount;
use crate::support::pod::Pod;
use crate::support::random::Random;
use crate::support::{applicable, rounds, wait_until};

/// A node of a network of its own, and a batch of it.
fn new_home(depth: u8) -> (Node, String) {
    let node = Node::start(Options::light(&Network::new(), 2));
    let batch = hexadecimal(&node.buy_batch(depth));
    (node, batch)
}

/// The command that carries a pod there.
fn migrate<'a>(to: &'a str, batch: &'a str, timeout: &'a str) -> [&'a str; 7] {
    [
        "migrate",
        "--to",
        to,
        "--batch",
        batch,
        "--timeout",
        timeout,
    ]
}

/// Carries the pod there and waits until all of it is.
#[track_caller]
fn migrated(pod: &Pod, node: &Node, batch: &str) -> Value {
    let url = node.url();
    json(
        pod,
        &[&migrate(&url, batch, "240s")[..], &["--json"]].concat(),
    )
}

#[test]
fn a_pod_is_carried_to_another_network_and_needs_the_old_one_no_more() {
    let name = "a_pod_is_carried_to_another_network_and_needs_the_old_one_no_more";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("migrated");
    let (pod, mut old) = carried();
    let mount = mounted(&pod, &[]);
    make_zoo(mount.dir(), &mut random);
    let large = usize::try_from(rounds(9, 60)).unwrap() << 20;
    fs::write(mount.path("huge"), random.bytes(large)).unwrap();
    confirmed(&pod);
    mount.unmount();
    // On a machine that has nothing but names.
    let pod = recovered(pod, &old);
    let batch = hexadecimal(&old.buy_batch(20));
    says(&pod, &["node", "add", &old.url(), "--batch", &batch]);
    let mount = mounted(&pod, &[]);
    fs::read(mount.path("large")).unwrap();
    fs::write(mount.path("new"), random.bytes(70_000)).unwrap();
    let tagged = mount.path("tagged");
    rustix::fs::setxattr(&tagged, "user.a", b"other", XattrFlags::empty()).unwrap();
    // As many heads as it takes for the newest not to be among the first that are asked for.
    for nth in 0..20 {
        fs::write(mount.path("small"), nth.to_string()).unwrap();
        confirmed(&pod);
    }
    let before = look_at_names(&mount);
    let (new, batch) = new_home(20);
    let report = migrated(&pod, &new, &batch);
    assert_eq!(report["missing"], 0, "{report}");
    let source = report["sources"][0].as_str().unwrap().to_owned();
    let sent = new.counts().chunks_put() as u64;
    let guess = report["chunks"].as_u64().unwrap();
    println!("{sent} chunks carried, {guess} guessed");
    // Where the holes of a file are that is not here, nobody knows.
    assert!(guess >= sent, "{guess}, {sent}");
    assert_eq!(new.counts().put_again().len(), 0);

    // Again it is nothing.
    let report = migrated(&pod, &new, &batch);
    assert_eq!(report["again"], true, "{report}");
    assert_eq!(new.counts().chunks_put() as u64, sent);

    says(&pod, &["node", "remove", &source]);
    old.kill();
    assert_equal(&before, &look_at_names(&mount));
    fs::write(mount.path("after"), random.bytes(9000)).unwrap();
    confirmed(&pod);
    let before = look(mount.dir());
    mount.unmount();
    comes_back(pod, &new, &before);
}

/// The tree without what would have to be fetched.
fn look_at_names(mount: &Mount<'_>) -> String {
    let mut names = Vec::new();
    let mut left = vec![mount.dir().to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                left.push(entry.path());
            }
            names.push(format!("{} {}", entry.path().display(), meta.len()));
        }
    }
    names.sort_unstable();
    names.join("\n")
}

/// Kills the daemon when the new node has more chunks; what it was noted to have is not sent there again.
#[track_caller]
fn lives_on<'pod>(pod: &'pod Pod, mount: Mount<'pod>, flags: &[&str], new: &Node) -> Mount<'pod> {
    let enough = new.counts().chunks_put() + 500;
    let came = wait_until(Duration::from_secs(120), || {
        new.counts().chunks_put() >= enough || report(pod)["chunks_unsent"] == 0
    });
    assert!(came, "{}: {}", new.counts().chunks_put(), report(pod));
    let before = new.counts();
    // Each note that is written makes what is unsent less, and the fourth has all that was answered before.
    let (mut notes, mut unsent) = (0, report(pod)["chunks_unsent"].as_u64().unwrap());
    let written = wait_until(Duration::from_secs(60), || {
        let now = report(pod)["chunks_unsent"].as_u64().unwrap();
        notes += u32::from(now < unsent);
        unsent = now;
        notes >= 4 || unsent == 0
    });
    assert!(written, "{notes} notes, {unsent} unsent");
    mount.kill();
    let mount = mounted(pod, flags);
    until_said(pod, Duration::from_secs(60), |report| {
        report["migration"]["listed"] == true
    });
    std::thread::sleep(Duration::from_secs(2));
    let counts = new.counts();
    let again = before.all_puts().iter();
    let again =
        again.filter(|(address, times)| before.is_taken(address) && counts.puts(address) > **times);
    assert_eq!(again.count(), 0, "of {}", before.chunks_put());
    mount
}

/// Everything is as before, but for the top folder, which has new names.
#[track_caller]
fn assert_kept(before: &str, after: &str) {
    let old = |line: &&str| !line.contains("during");
    let kept: Vec<_> = after.lines().filter(old).collect();
    let before: Vec<_> = before.lines().collect();
    assert_eq!(kept[1..], before[1..]);
}

#[test]
fn a_migration_survives_kill_9_and_sends_nothing_again() {
    let name = "a_migration_survives_kill_9_and_sends_nothing_again";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("migration, killed");
    let (pod, mut old) = carried();
    // So little room that most of it is given up.
    let flags = ["-o", "budget=48M"];
    let mut mount = mounted(&pod, &flags);
    for nth in 0..rounds(60, 200) {
        let bytes = random.bytes(1 << 20);
        let path = mount.path(&nth.to_string());
        assert!(wait_until(Duration::from_secs(60), || fs::write(
            &path, &bytes
        )
        .is_ok()));
    }
    confirmed(&pod);
    let before = look(mount.dir());
    let (new, batch) = new_home(20);
    new.faults()
        .set_latency(Route::PostChunk, Duration::from_millis(80));
    let url = new.url();
    let begin = migrate(&url, &batch, "0s");
    fails(&pod, 52, &begin);
    mount.kill();
    mount = mounted(&pod, &flags);
    let said = fails(&pod, 52, &["node", "remove", "home"]);
    assert!(said.contains("is read from home until"), "{said}");
    until_said(&pod, Duration::from_secs(60), |report| {
        report["migration"]["listed"] == true
    });
    // What changes meanwhile does not wait for all the rest.
    fs::write(mount.path("during"), "the migration").unwrap();
    let level = ["wait", "--level", "on-node", "--timeout", "60s", "--json"];
    let said = json(&pod, &level);
    assert!(said["chunks_unsent"].as_u64() > Some(0), "{said}");
    for life in 1..=rounds(3, 12) {
        fs::write(mount.path(&format!("during {life}")), life.to_string()).unwrap();
        mount = lives_on(&pod, mount, &flags, &new);
    }
    let done = migrated(&pod, &new, &batch);
    assert_eq!(
        (&done["again"], &done["missing"]),
        (&true.into(), &0.into())
    );
    println!(
        "{} chunks carried, {} twice",
        new.counts().chunks_put(),
        new.counts().put_again().len()
    );
    says(&pod, &["node", "remove", "home"]);
    old.kill();
    let after = look(mount.dir());
    mount.unmount();
    let pod = recovered(pod, &new);
    let mount = mounted(&pod, &[]);
    assert_equal(&after, &look(mount.dir()));
    assert_kept(&before, &after);
}

#[test]
fn what_cannot_hold_the_pod_is_refused_and_changes_nothing() {
    let name = "what_cannot_hold_the_pod_is_refused_and_changes_nothing";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("migration, refused");
    let (pod, _old) = carried();
    let (new, batch) = new_home(20);
    let url = new.url();
    let refused = |code, to: &str, batch: &str| fails(&pod, code, &migrate(to, batch, "60s"));
    let said = refused(44, &url, &batch);
    assert!(said.contains("podfs mount DIR"), "{said}");
    let mount = mounted(&pod, &[]);
    fs::write(mount.path("file"), random.bytes(3 << 20)).unwrap();
    confirmed(&pod);
    let list = fs::read_to_string(pod.state().join("nodes.toml")).unwrap();
    let unknown = "ab".repeat(32);
    let said = refused(49, &url, &unknown);
    assert!(said.contains("does not know the postage batch"), "{said}");
    let small = hexadecimal(&new.buy_batch(17));
    let said = refused(49, &url, &small);
    assert!(
        said.contains("room for 295 chunks") && said.contains("stamp dilute"),
        "{said}"
    );
    let over = hexadecimal(&new.buy_batch(20));
    let id: podfs::store::bee::BatchId = over.parse().unwrap();
    new.network().expire(&id.0);
    refused(49, &url, &over);
    let gateway = Node::start(Options::gateway(new.network(), 3));
    let said = refused(2, &gateway.url(), &batch);
    assert!(said.contains("it is a gateway"), "{said}");
    refused(50, "attic", &batch);
    refused(2, "http://me:secret@there", &batch);
    refused(2, &url, "ab");
    assert_eq!(
        fs::read_to_string(pod.state().join("nodes.toml")).unwrap(),
        list
    );
}

#[test]
fn what_is_nowhere_is_named_and_the_rest_is_carried() {
    if !applicable(
        "what_is_nowhere_is_named_and_the_rest_is_carried",
        REQUIREMENTS,
    ) {
        return;
    }
    let mut random = Random::new("migration, lost chunks");
    let (pod, old) = carried();
    let mount = mounted(&pod, &[]);
    fs::write(mount.path("file"), random.bytes(3 << 20)).unwrap();
    confirmed(&pod);
    mount.unmount();
    let pod = recovered(pod, &old);
    let own = hexadecimal(&old.buy_batch(20));
    says(&pod, &["node", "add", &old.url(), "--batch", &own]);
    let mount = mounted(&pod, &[]);
    mount.expect_warnings();
    // Of everything: pages, nodes, parity, heads.
    for (address, _) in old.network().chunks() {
        if random.below(3) == 0 {
            old.network().forget(&address);
        }
    }
    old.drop_cache();
    let (new, batch) = new_home(20);
    let url = new.url();
    let begin = migrate(&url, &batch, "120s");
    let said = fails(&pod, 53, &begin);
    assert!(
        said.contains("neither on this machine nor in the network"),
        "{said}"
    );
    assert!(said.contains("\"file\""), "{said}");
    let log = fs::read_to_string(pod.log()).unwrap();
    assert!(!log.contains("\"file\""), "{log}");
    // Without it all the rest is whole.
    fs::remove_file(mount.path("file")).unwrap();
    let said = says(&pod, &begin);
    assert!(said.contains("podfs node remove"), "{said}");
    mount.unmount();
}

#[test]
fn a_pod_that_is_all_here_is_carried_when_its_node_is_gone() {
    let name = "a_pod_that_is_all_here_is_carried_when_its_node_is_gone";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("migration, no old node");
    let (pod, mut old) = carried();
    let mount = mounted(&pod, &[]);
    for nth in 0..20 {
        fs::write(mount.path("file"), random.bytes(9000 * nth)).unwrap();
        confirmed(&pod);
    }
    let before = look(mount.dir());
    old.kill();
    let (new, batch) = new_home(20);
    let url = new.url();
    let begin = migrate(&url, &batch, "2s");
    fails(&pod, 52, &begin);
    until_said(&pod, Duration::from_secs(60), |report| {
        report["nodes"][0]["up"] == false
    });
    let said = says(&pod, &["node", "remove", "home"]);
    assert!(said.contains("does not answer"), "{said}");
    migrated(&pod, &new, &batch);
    mount.unmount();
    comes_back(pod, &new, &before);
}

#[test]
fn another_batch_of_the_same_node_pays_for_all_of_it() {
    if !applicable(
        "another_batch_of_the_same_node_pays_for_all_of_it",
        REQUIREMENTS,
    ) {
        return;
    }
    let mut random = Random::new("migration, same node");
    let (pod, node, first) = pod_and_node();
    says(&pod, &["node", "add", &node.url(), "--batch", &first]);
    let mount = mounted(&pod, &[]);
    make_zoo(mount.dir(), &mut random);
    confirmed(&pod);
    let second = hexadecimal(&node.buy_batch(20));
    let report = migrated(&pod, &node, &second);
    assert_eq!(
        (&report["node"], &report["sources"]),
        (&"home".into(), &serde_json::json!([]))
    );
    let id: podfs::store::bee::BatchId = first.parse().unwrap();
    node.network().expire(&id.0);
    node.drop_cache();
    let before = look(mount.dir());
    mount.unmount();
    comes_back(pod, &node, &before);
}
