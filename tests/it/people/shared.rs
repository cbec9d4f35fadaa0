//! Folders and files that are shared: seen by the other one as they are, and no longer when the grant ends.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::carried::{mounted, recovered};
use crate::network::{fails, json, says};
use crate::node::{Node, hexadecimal};
use crate::people::*;
use crate::support::mount::Mount;
use crate::support::pod::Pod;
use crate::support::{applicable, wait_until};

pub(super) const PATIENCE: Duration = Duration::from_secs(90);

/// Where Ben sees what Anna shares as `lab`.
pub(super) const LAB: &str = "Shared with me/Anna/lab";

/// Waits until the network holds everything. What is told of it changes what podfs keeps in the pod: once more, then.
#[track_caller]
pub(super) fn confirmed(pod: &Pod) {
    let came = wait_until(Duration::from_secs(240), || {
        json(pod, &["wait", "--timeout", "240s", "--json"]);
        // What podfs noted itself meanwhile too.
        pod.status()["network_report"]["level"] == "confirmed"
    });
    assert!(came, "the network does not hold it");
}

/// Shares what is at `path` with Ben.
#[track_caller]
pub(super) fn share(anna: &Pod, path: &Path, more: &[&str]) -> Value {
    let path = path.to_str().unwrap();
    let args = [&["share", path, "--with", "Ben", "--json"], more].concat();
    json(anna, &args)
}

/// Waits until a grant of that id came, and accepts it.
#[track_caller]
pub(super) fn accept(ben: &Pod, grant: &Value) -> Value {
    let id = text(grant, "id");
    let came = wait_until(PATIENCE, || {
        says(ben, &["inbox"]);
        let shares = json(ben, &["shares", "--json"]);
        let received = shares["received"].as_array().unwrap();
        received.iter().any(|it| text(it, "id") == id)
    });
    assert!(came, "the grant does not come");
    json(ben, &["accept", id, "--json"])
}

/// Looks again and again what Anna shares, until `done`.
#[track_caller]
pub(super) fn until(ben: &Pod, what: &str, mut done: impl FnMut() -> bool) {
    let came = wait_until(PATIENCE, || {
        let now = done();
        if !now {
            says(ben, &["inbox"]);
        }
        now
    });
    assert!(came, "{what}: {}", says(ben, &["shares", "--json"]));
}

#[track_caller]
pub(super) fn until_reads(ben: &Pod, path: &Path, wanted: &str) {
    let reads = || fs::read_to_string(path).is_ok_and(|read| read == wanted);
    until(ben, &format!("{} is not {wanted:?}", path.display()), reads);
}

/// Anna has a folder with files, and something beside it.
fn lab(mount: &Mount<'_>) -> PathBuf {
    let lab = mount.dir().join("lab");
    fs::create_dir_all(lab.join("2026/march")).unwrap();
    fs::write(lab.join("blood.txt"), "good").unwrap();
    fs::write(lab.join("2026/march/scan.bin"), vec![7; 300_000]).unwrap();
    fs::write(mount.dir().join("diary.txt"), "nobody's business").unwrap();
    lab
}

/// A folder with one file.
pub(super) fn small_lab(mount: &Mount<'_>) -> PathBuf {
    let lab = mount.path("lab");
    fs::create_dir(&lab).unwrap();
    fs::write(lab.join("blood.txt"), "good").unwrap();
    lab
}

/// Two people who know each other, one of whom shares a folder that the other one sees.
pub(super) fn sharing(
    anna: &Pod,
    ben: &Pod,
    mounts: [&Mount<'_>; 2],
    more: &[&str],
) -> (PathBuf, Value) {
    acquainted(anna, ben);
    let lab = lab(mounts[0]);
    let grant = share(anna, &lab, more);
    assert_eq!(text(&grant, "state"), "active");
    confirmed(anna);
    let got = accept(ben, &grant);
    assert_eq!(text(&got, "path"), LAB);
    until_reads(ben, &mounts[1].dir().join(LAB).join("blood.txt"), "good");
    (lab, grant)
}

#[test]
fn a_shared_folder_is_seen_as_it_is() {
    if !applicable("a_shared_folder_is_seen_as_it_is", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let (lab, grant) = sharing(&anna, &ben, [&first, &second], &["--for", "second opinion"]);
    let dry = ["share", lab.to_str().unwrap(), "--with", "Ben", "--dry-run"];
    let dry = says(&anna, &dry);
    assert_eq!(dry.lines().count(), 5, "{dry}");
    let seen = second.dir().join(LAB);
    let scan = fs::read(seen.join("2026/march/scan.bin")).unwrap();
    assert!(scan == vec![7; 300_000]);
    assert_eq!(fs::read_dir(second.dir()).unwrap().count(), 1);
    // What is new comes by itself; what is open stays what it is.
    let mut open = fs::File::open(seen.join("blood.txt")).unwrap();
    fs::write(lab.join("new.txt"), "new").unwrap();
    fs::write(lab.join("blood.txt"), "better").unwrap();
    fs::remove_dir_all(lab.join("2026")).unwrap();
    confirmed(&anna);
    until_reads(&ben, &seen.join("new.txt"), "new");
    until_reads(&ben, &seen.join("blood.txt"), "better");
    assert!(!seen.join("2026").exists());
    let mut before = String::new();
    open.read_to_string(&mut before).unwrap();
    assert_eq!(before, "good");
    drop(open);
    only_for_reading(&seen, second.dir());
    let who = says(&anna, &["access", lab.join("blood.txt").to_str().unwrap()]);
    let expected = "with Ben: read, for \"second opinion\"";
    assert!(who.contains(expected), "{who}");
    ended(&anna, &ben, (&lab, text(&grant, "id")), second.dir());
    drop((first, second));
    for pod in [&ben, &anna] {
        let passphrase = pod.path("passphrase");
        let passphrase = passphrase.to_str().unwrap();
        says(pod, &["check", "--passphrase-file", passphrase]);
    }
}

/// Nobody changes anything in what is seen of others.
fn only_for_reading(seen: &Path, top: &Path) {
    for refused in [
        fs::write(seen.join("blood.txt"), "mine"),
        fs::write(seen.join("mine.txt"), "mine"),
        fs::remove_file(seen.join("new.txt")),
        fs::rename(seen.join("new.txt"), top.join("new.txt")),
        fs::rename(seen, top.join("lab")),
        fs::hard_link(seen.join("new.txt"), top.join("new.txt")),
        fs::create_dir(seen.join("mine")),
        fs::create_dir(top.join("Shared with me")),
        fs::remove_dir(top.join("Shared with me")),
        fs::rename(top.join("Shared with me"), top.join("Other")),
        fs::set_permissions(seen, PermissionsExt::from_mode(0o700)),
    ] {
        refused.unwrap_err();
    }
    let copied = top.join("copy.txt");
    fs::copy(seen.join("new.txt"), &copied).unwrap();
    assert_eq!(fs::read_to_string(&copied).unwrap(), "new");
    fs::remove_file(copied).unwrap();
}

/// After the revocation nothing later is to be had, and nothing of it became the receiver's.
fn ended(anna: &Pod, ben: &Pod, (lab, id): (&Path, &str), top: &Path) {
    let said = says(anna, &["revoke", id]);
    assert!(said.contains("revoked"), "{said}");
    fs::write(lab.join("blood.txt"), "secret again").unwrap();
    confirmed(anna);
    let shown = top.join("Shared with me");
    until(ben, "what is revoked is still shown", || !shown.exists());
    let said = fails(ben, 61, &["accept", id]);
    assert!(said.contains("next:"), "{said}");
    let said = fails(anna, 61, &["revoke", id]);
    assert!(said.contains("over"), "{said}");
    confirmed(ben);
    assert_eq!(fs::read_dir(top).unwrap().count(), 0);
    let log = says(anna, &["audit"]);
    let theirs = says(ben, &["audit"]);
    for (log, events) in [
        (&log, ["granted", "grant revoked"]),
        (&theirs, ["grant accepted", "revocation received"]),
    ] {
        for event in events {
            assert!(log.contains(event), "{event}: {log}");
        }
    }
    says(anna, &["audit", "verify"]);
    says(ben, &["audit", "verify"]);
}

#[test]
fn what_is_shared_comes_back_on_other_machines() {
    if !applicable("what_is_shared_comes_back_on_other_machines", REQUIREMENTS) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let (lab, grant) = sharing(&anna, &ben, [&first, &second], &[]);
    confirmed(&anna);
    confirmed(&ben);
    drop((lab, first, second));
    let (anna, ben) = (elsewhere(anna, &node), elsewhere(ben, &node));
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let seen = second.dir().join(LAB);
    until_reads(&ben, &seen.join("blood.txt"), "good");
    // The owner's new machine goes on with the feed of the old one.
    fs::write(first.dir().join("lab/blood.txt"), "from the new machine").unwrap();
    confirmed(&anna);
    until_reads(&ben, &seen.join("blood.txt"), "from the new machine");
    let said = says(&anna, &["revoke", text(&grant, "id")]);
    assert!(said.contains("revoked"), "{said}");
    until(&ben, "what is revoked is still shown", || !seen.exists());
}

/// A machine is lost, and another one takes its place, with a batch of its own.
pub(super) fn elsewhere(lost: Pod, node: &Node) -> Pod {
    let pod = recovered(lost, node);
    let batch = hexadecimal(&node.buy_batch(20));
    says(&pod, &["node", "add", &node.url(), "--batch", &batch]);
    pod
}

#[test]
fn a_file_is_followed_through_every_way_of_saving() {
    if !applicable(
        "a_file_is_followed_through_every_way_of_saving",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let plan = first.dir().join("plan.txt");
    fs::write(&plan, "one").unwrap();
    let grant = share(&anna, &plan, &[]);
    let once = share(&anna, &plan, &["--snapshot"]);
    confirmed(&anna);
    accept(&ben, &grant);
    let got = accept(&ben, &once);
    assert_eq!(text(&got, "path"), "Shared with me/Anna/plan.txt (2)");
    let seen = second.dir().join("Shared with me/Anna/plan.txt");
    let snapshot = second.dir().join("Shared with me/Anna/plan.txt (2)");
    until_reads(&ben, &seen, "one");
    until_reads(&ben, &snapshot, "one");
    // As editors save, as shells do, and moved away.
    let new = first.dir().join(".plan.txt.tmp");
    fs::write(&new, "two").unwrap();
    fs::rename(&new, &plan).unwrap();
    confirmed(&anna);
    until_reads(&ben, &seen, "two");
    fs::write(&plan, "three").unwrap();
    let moved = first.dir().join("moved");
    fs::create_dir(&moved).unwrap();
    fs::rename(&plan, moved.join("other.txt")).unwrap();
    confirmed(&anna);
    until_reads(&ben, &seen, "three");
    assert_eq!(fs::read_to_string(&snapshot).unwrap(), "one");
    // What is gone is shared no more.
    fs::remove_file(moved.join("other.txt")).unwrap();
    confirmed(&anna);
    until(&ben, "what is gone is still shown", || !seen.exists());
    assert_eq!(fs::read_to_string(&snapshot).unwrap(), "one");
}

#[test]
fn what_cannot_be_shared_is_refused_with_the_next_step() {
    let name = "what_cannot_be_shared_is_refused_with_the_next_step";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let (lab, _) = sharing(&anna, &ben, [&first, &second], &[]);
    let path = lab.to_str().unwrap();
    let said = fails(&anna, 55, &["share", path, "--with", "Carl"]);
    assert!(said.contains("next: podfs contact"), "{said}");
    let top = first.dir().to_str().unwrap();
    let said = fails(&anna, 2, &["share", top, "--with", "Ben"]);
    assert!(said.contains("share folders in it"), "{said}");
    let theirs = second.dir().join(LAB);
    let said = fails(
        &ben,
        2,
        &["share", theirs.to_str().unwrap(), "--with", "Anna"],
    );
    assert!(said.contains("only they can share it"), "{said}");
    let said = fails(
        &anna,
        2,
        &["share", path, "--with", "Ben", "--until", "2001-01-01"],
    );
    assert!(said.contains("over before it begins"), "{said}");
    fails(&anna, 60, &["revoke", "0000"]);
    fails(&anna, 44, &["share", "/usr", "--with", "Ben"]);
}
