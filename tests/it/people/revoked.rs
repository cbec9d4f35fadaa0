//! Grants that are ended: what who kept every key still opens, at each level, and what that costs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use podfs::format::grant::{Ended, RecordState, SignedReceipt};
use podfs::types::Address;
use rustix::fs::XattrFlags;
use serde_json::Value;

use crate::carried::{mounted, recovered};
use crate::network::{fails, json, podfs, says};
use crate::node::{Fault, Node, Route, hexadecimal};
use crate::people::hoard::{Hoard, records};
use crate::people::shared::{accept, confirmed, share, until};
use crate::people::*;
use crate::support::mount::Mount;
use crate::support::pod::Pod;
use crate::support::random::Random;
use crate::support::{applicable, wait_until};

/// A folder with what is published in each way there is: in an inode, in pages, in a tree, with attributes and without
/// anything.
fn folder(mount: &Mount<'_>, name: &str, random: &mut Random) -> PathBuf {
    let folder = mount.dir().join(name);
    fs::create_dir_all(folder.join("2026/march")).unwrap();
    fs::write(folder.join("small.txt"), "good").unwrap();
    fs::write(folder.join("2026/pages.bin"), random.bytes(40_000)).unwrap();
    fs::write(folder.join("2026/march/tree.bin"), random.bytes(300_000)).unwrap();
    let tagged = folder.join("2026/march/tagged");
    fs::write(&tagged, random.bytes(5000)).unwrap();
    let tag = random.bytes(6000);
    rustix::fs::setxattr(&tagged, "user.tag", &tag, XattrFlags::empty()).unwrap();
    fs::hard_link(&tagged, folder.join("linked")).unwrap();
    fs::write(folder.join("empty"), "").unwrap();
    std::os::unix::fs::symlink("small.txt", folder.join("link")).unwrap();
    for nth in 0..60 {
        fs::write(folder.join(format!("many {nth}")), format!("{name} {nth}")).unwrap();
    }
    folder
}

fn addresses(node: &Node) -> BTreeSet<Address> {
    node.counts().all_puts().keys().copied().collect()
}

fn figure(report: &Value, level: usize, name: &str) -> u64 {
    report["levels"][level][name].as_u64().unwrap()
}

/// Ends a grant at a level, and compares what that was said to cost with what the node was sent.
#[track_caller]
fn revoke(anna: &Pod, node: &Node, (grant, other): (&str, &str), level: &str) -> Value {
    confirmed(anna);
    let before = Hoard::of(anna, grant, node.network());
    assert_eq!(before.opens(), before.addresses());
    let preview = json(anna, &["revoke", grant, "--dry-run", "--json"]);
    assert_eq!(preview["names"], 70, "{preview}");
    assert_eq!(preview["complete"], true, "{preview}");
    let others = preview["others"].as_array().unwrap();
    assert_eq!(others.len(), 1, "{preview}");
    assert_eq!(text(&others[0], "id"), other);
    node.reset_counts();
    let receipt = ["revoke", grant, "--level", level, "--yes", "--json"];
    let receipt = json(anna, &receipt);
    confirmed(anna);
    let told = wait_until(Duration::from_secs(60), || {
        Hoard::of(anna, other, node.network()).roots != before.roots
    });
    assert!(told, "who may go on reading is not told");
    let after = Hoard::of(anna, other, node.network());
    let sent = addresses(node);
    let fresh: BTreeSet<_> = &after.addresses() - &before.addresses();
    let paid = u64::try_from(fresh.intersection(&sent).count()).unwrap();
    let at = level.parse().unwrap();
    println!(
        "level {level}: {} chunks said, {paid} of it sent, {} in all",
        figure(&preview, at, "chunks"),
        sent.len()
    );
    assert_eq!(fresh.len() as u64, paid, "all of it was sent");
    assert_eq!(figure(&preview, at, "chunks"), paid);
    assert_eq!(figure(&preview, at, "bytes"), paid * 4096);
    assert_eq!(receipt["chunks"], paid, "{receipt}");
    assert_eq!(receipt["bytes"], paid * 4096, "{receipt}");
    assert_eq!(receipt["names"], preview["names"], "{receipt}");
    assert_eq!(receipt["left"], 0, "{receipt}");
    // The way up, the log of it, heads and records: no more than any change costs.
    assert!(sent.len() as u64 - paid < 120, "{}", sent.len());
    let again = node.counts().put_again();
    assert!(again.iter().all(|address| !fresh.contains(address)));
    receipt
}

/// The batch that pays for a pod.
pub(super) fn batch(pod: &Pod) -> String {
    let nodes = json(pod, &["node", "list", "--json"]);
    let batches = nodes[0]["batches"].as_array().unwrap();
    let used = batches.iter().find(|batch| !batch["pays_for"].is_null());
    text(used.unwrap(), "id").to_owned()
}

/// What was sealed before is not paid for any more: all that is live is in another batch.
fn lapse(anna: &Pod, node: &Node) {
    let old = batch(anna);
    let new = hexadecimal(&node.buy_batch(20));
    let to = node.url();
    json(
        anna,
        &[
            "migrate",
            "--to",
            &to,
            "--batch",
            &new,
            "--timeout",
            "240s",
            "--json",
        ],
    );
    confirmed(anna);
    let old: [u8; 32] = hex::decode(old).unwrap().try_into().unwrap();
    node.network().expire(&old);
    node.drop_cache();
}

#[track_caller]
fn checked(pods: &[&Pod]) {
    for pod in pods {
        let passphrase = pod.path("passphrase");
        let passphrase = passphrase.to_str().unwrap();
        says(pod, &["check", "--passphrase-file", passphrase]);
    }
}

/// Nothing is left of a feed but what it said, and its end.
#[track_caller]
fn is_over(anna: &Pod, grant: &str, node: &Node) {
    let last = records(anna, grant, node.network()).pop().unwrap();
    assert!(matches!(last.state, RecordState::Ended(Ended::Revoked)));
}

#[test]
fn who_kept_every_key_reads_what_the_level_says_and_no_more() {
    let name = "who_kept_every_key_reads_what_the_level_says_and_no_more";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let mut random = Random::new(name);
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let names = ["level 0", "level 2", "level 3"];
    let folders = names.map(|name| folder(&first, name, &mut random));
    // Each is shared twice: one grant ends, who has the other one goes on reading.
    let shared = folders
        .each_ref()
        .map(|folder| [share(&anna, folder, &[]), share(&anna, folder, &[])]);
    confirmed(&anna);
    let grants = shared
        .each_ref()
        .map(|pair| pair.each_ref().map(|grant| text(grant, "id")));
    accept(&ben, &shared[2][1]);
    let network = node.network();
    let hoards = grants.map(|[grant, _]| Hoard::of(&anna, grant, network));
    for hoard in &hoards {
        assert_eq!(hoard.opens(), hoard.addresses());
    }

    says(&anna, &["revoke", grants[0][0]]);
    let two = revoke(&anna, &node, (grants[1][0], grants[1][1]), "2");
    let three = revoke(&anna, &node, (grants[2][0], grants[2][1]), "3");
    for (receipt, level) in [(&two, 2), (&three, 3)] {
        let bytes = hex::decode(text(receipt, "receipt")).unwrap();
        let signed = SignedReceipt::read(&bytes).unwrap();
        assert!(signed.is_signed());
        let says = signed.says().unwrap();
        assert_eq!(says.level.number(), level);
        assert_eq!(hexadecimal(&says.grant), text(receipt, "id"));
    }
    // What is later is closed at every level.
    for ([grant, _], folder) in grants.iter().zip(&folders) {
        is_over(&anna, grant, &node);
        fs::write(folder.join("small.txt"), "secret").unwrap();
    }
    confirmed(&anna);
    for [grant, _] in grants {
        is_over(&anna, grant, &node);
    }

    lapse(&anna, &node);
    let [zero, two, three] = hoards;
    // Of the first, only what was changed since is gone.
    let lost: BTreeSet<_> = &zero.addresses() - &zero.opens();
    assert!(lost.len() <= 10, "{}", lost.len());
    assert!(zero.pages().is_subset(&zero.opens()));
    // Of the second, the pages of larger files, with the keys to them: neither the way there nor a name.
    assert_eq!(two.opens(), two.pages());
    assert!(!two.pages().is_empty());
    assert!(two.roots.iter().all(|root| !two.opens().contains(root)));
    assert_eq!(three.opens(), BTreeSet::new());
    // Who may, reads all of it, once it is here: nobody pays for the version before.
    second.expect_warnings();
    let seen = second.dir().join("Shared with me/Anna/level 3");
    reads(&ben, &folders[2], &seen);
    drop((first, second));
    checked(&[&anna, &ben]);
}

/// Both see the same.
#[track_caller]
fn reads(ben: &Pod, folder: &Path, seen: &Path) {
    // The contents of the version before are not to be had any more: its size tells.
    until(ben, "the newest version is not seen", || {
        fs::metadata(seen.join("small.txt")).is_ok_and(|small| small.len() == 6)
    });
    assert_eq!(
        fs::read_to_string(seen.join("small.txt")).unwrap(),
        "secret"
    );
    // Folders follow one after the other: what is below may be of the version before for a moment.
    for path in ["2026/pages.bin", "2026/march/tree.bin", "2026/march/tagged"] {
        let hers = fs::read(folder.join(path)).unwrap();
        until(ben, path, || {
            fs::read(seen.join(path)).is_ok_and(|read| read == hers)
        });
    }
}

#[test]
fn sealing_anew_goes_on_after_kill_9_with_what_is_not_on_the_machine() {
    let name = "sealing_anew_goes_on_after_kill_9_with_what_is_not_on_the_machine";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let mut random = Random::new(name);
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let lab = folder(&first, "lab", &mut random);
    let large = random.bytes(3 << 20);
    fs::write(lab.join("large"), &large).unwrap();
    let grant = share(&anna, &lab, &[]);
    let grant = text(&grant, "id");
    confirmed(&anna);
    let tree = fs::read(lab.join("2026/march/tree.bin")).unwrap();
    let hoard = Hoard::of(&anna, grant, node.network());
    let batch = batch(&anna);
    first.unmount();
    second.unmount();
    // On a machine that has the names alone.
    let anna = recovered(anna, &node);
    says(&anna, &["node", "add", &node.url(), "--batch", &batch]);
    let mut mount = mounted(&anna, &[]);
    confirmed(&anna);
    let preview = json(&anna, &["revoke", grant, "--dry-run", "--json"]);
    assert!(figure(&preview, 3, "fetched_bytes") >= 3 << 20, "{preview}");
    let said = says(&anna, &["revoke", grant, "--dry-run"]);
    assert!(said.contains("fetched first"), "{said}");
    let all = node.faults();
    all.set_latency(Route::PostChunk, Duration::from_millis(60));
    node.reset_counts();
    let asked = ["revoke", grant, "--level", "3", "--yes", "--timeout", "0s"];
    assert_eq!(podfs(&anna, &asked).status.code(), Some(52));
    for round in 1..=3_usize {
        let came = wait_until(Duration::from_secs(120), || {
            node.counts().chunks_put() > round * 100
        });
        assert!(came, "{} chunks", node.counts().chunks_put());
        mount.kill();
        mount = mounted(&anna, &[]);
        let state = json(&anna, &["revoke", grant, "--receipt", "--json"]);
        assert_eq!(text(&state, "state"), "sealing", "round {round}: {state}");
    }
    all.set_latency(Route::PostChunk, Duration::ZERO);
    let mut receipt = Value::Null;
    let done = wait_until(Duration::from_secs(120), || {
        receipt = json(&anna, &["revoke", grant, "--receipt", "--json"]);
        text(&receipt, "state") == "done"
    });
    assert!(done, "{receipt}");
    assert_eq!(receipt["left"], 0, "{receipt}");
    assert_eq!(receipt["chunks"], figure(&preview, 3, "chunks"));
    confirmed(&anna);
    lapse(&anna, &node);
    assert_eq!(hoard.opens(), BTreeSet::new());
    let lab = mount.dir().join("lab");
    assert!(fs::read(lab.join("large")).unwrap() == large);
    assert!(fs::read(lab.join("2026/march/tree.bin")).unwrap() == tree);
    let said = fails(&anna, 61, &["revoke", grant]);
    assert!(said.contains("over"), "{said}");
    mount.unmount();
    checked(&[&anna]);
    // And from the network alone.
    let anna = recovered(anna, &node);
    let mount = mounted(&anna, &[]);
    assert!(fs::read(mount.dir().join("lab/large")).unwrap() == large);
    let kept = json(&anna, &["revoke", grant, "--receipt", "--json"]);
    assert_eq!(kept["receipt"], receipt["receipt"]);
    mount.unmount();
}

/// The publication that is to do it waits for the one before, and a program saves the file meanwhile.
#[test]
fn what_is_saved_anew_before_it_is_sealed_anew_is_sealed_anew() {
    let name = "what_is_saved_anew_before_it_is_sealed_anew_is_sealed_anew";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("saved meanwhile");
    let (anna, ben, node) = two_people();
    let (hers, his) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let scan = hers.path("scan.bin");
    let bytes = random.bytes(300_000);
    fs::write(&scan, &bytes).unwrap();
    let grant = share(&anna, &scan, &[]);
    confirmed(&anna);
    let id = text(&grant, "id");
    let before = Hoard::of(&anna, id, node.network());
    assert!(before.addresses().len() > 73);
    says(&anna, &["revoke", id]);
    confirmed(&anna);

    hers.expect_warnings();
    let (held, asked) = (node.faults().add(Fault::Hang.on(Route::PostChunk)), || {
        node.counts().requests(Route::PostChunk)
    });
    let idle = asked();
    fs::write(hers.path("other.bin"), random.bytes(100_000)).unwrap();
    let begun = wait_until(Duration::from_secs(120), || asked() > idle);
    assert!(begun, "nothing is published");
    std::thread::scope(|scope| {
        let revoked = scope.spawn(|| {
            let args = ["revoke", id, "--level", "3", "--yes", "--json"];
            json(&anna, &args)
        });
        let is_asked = || json(&anna, &["revoke", id, "--receipt", "--json"])["level"] == 3;
        assert!(wait_until(Duration::from_secs(60), is_asked), "not asked");
        let saved = hers.path(".scan.bin.new");
        fs::write(&saved, &bytes).unwrap();
        fs::rename(&saved, &scan).unwrap();
        node.faults().remove(held);
        let receipt = revoked.join().unwrap();
        assert_eq!(
            (&receipt["names"], &receipt["left"]),
            (&1.into(), &0.into())
        );
        assert!(receipt["chunks"].as_u64().unwrap() > 73, "{receipt}");
    });
    confirmed(&anna);
    // Nothing that is live is what was shared: with another grant of the same file nothing of it is found.
    let other = share(&anna, &scan, &[]);
    confirmed(&anna);
    let after = Hoard::of(&anna, text(&other, "id"), node.network());
    assert!(after.addresses().len() > 73);
    assert!(after.addresses().is_disjoint(&before.addresses()));
    drop(his);
}
