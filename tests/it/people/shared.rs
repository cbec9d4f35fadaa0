//! Folders and files that are shared: seen by the other one as they are, and no longer when the grant ends.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::carried::{confirmed, mounted};
use crate::network::{fails, json, says};
use crate::people::*;
use crate::support::pod::Pod;
use crate::support::{applicable, wait_until};

pub const PATIENCE: Duration = Duration::from_secs(60);

/// Each has the card of the other.
pub fn acquainted(anna: &Pod, ben: &Pod) {
    for (pod, other, name) in [(anna, ben, "Ben"), (ben, anna, "Anna")] {
        introduce(other);
        let file = pod.path(name);
        says(other, &["id", "show", "--out", file.to_str().unwrap()]);
        says(pod, &["contact", "add", name, file.to_str().unwrap()]);
    }
}

/// Shares what is at `path` with Ben.
pub fn share(anna: &Pod, path: &Path, more: &[&str]) -> Value {
    let path = path.to_str().unwrap();
    let args = [&["share", path, "--with", "Ben", "--json"], more].concat();
    json(anna, &args)
}

/// Waits until a grant of that id came, and accepts it.
pub fn accept(ben: &Pod, grant: &Value) -> Value {
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

pub fn until_reads(path: &Path, wanted: &str) {
    let mut last = String::new();
    let reads = wait_until(PATIENCE, || {
        last = fs::read_to_string(path).unwrap_or_else(|error| error.to_string());
        last == wanted
    });
    assert!(reads, "{path:?}: {last:?} instead of {wanted:?}");
}

#[test]
fn a_shared_folder_is_seen_by_the_other_one_until_the_grant_ends() {
    let name = "a_shared_folder_is_seen_by_the_other_one_until_the_grant_ends";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let lab = first.dir().join("lab");
    fs::create_dir_all(lab.join("2026/march")).unwrap();
    fs::write(lab.join("blood.txt"), "good").unwrap();
    fs::write(lab.join("2026/march/scan.bin"), vec![7; 300_000]).unwrap();
    fs::write(first.dir().join("diary.txt"), "nobody's business").unwrap();
    let dry = says(
        &anna,
        &["share", lab.to_str().unwrap(), "--with", "Ben", "--dry-run"],
    );
    assert_eq!(dry.lines().count(), 5, "{dry}");
    let grant = share(&anna, &lab, &["--for", "second opinion"]);
    assert_eq!(text(&grant, "state"), "active");
    confirmed(&anna);
    let got = accept(&ben, &grant);
    assert_eq!(text(&got, "path"), "Shared with me/Anna/lab");
    let seen = second.dir().join("Shared with me/Anna/lab");
    until_reads(&seen.join("blood.txt"), "good");
    assert_eq!(
        fs::read(seen.join("2026/march/scan.bin")).unwrap(),
        vec![7; 300_000]
    );
    let above: Vec<_> = fs::read_dir(second.dir()).unwrap().collect();
    assert_eq!(above.len(), 1);
    // What is new comes by itself; what is open stays what it is.
    let open = fs::File::open(seen.join("blood.txt")).unwrap();
    fs::write(lab.join("new.txt"), "new").unwrap();
    fs::write(lab.join("blood.txt"), "better").unwrap();
    fs::remove_dir_all(lab.join("2026")).unwrap();
    confirmed(&anna);
    until_reads(&seen.join("new.txt"), "new");
    until_reads(&seen.join("blood.txt"), "better");
    assert!(!seen.join("2026").exists());
    let mut before = String::new();
    std::io::Read::read_to_string(&mut &open, &mut before).unwrap();
    assert_eq!(before, "good");
    drop(open);
    // It is for reading alone.
    for refused in [
        fs::write(seen.join("blood.txt"), "mine"),
        fs::write(seen.join("mine.txt"), "mine"),
        fs::remove_file(seen.join("new.txt")),
        fs::rename(seen.join("new.txt"), second.dir().join("new.txt")),
        fs::create_dir(seen.join("mine")),
        fs::remove_dir(second.dir().join("Shared with me")),
    ] {
        refused.unwrap_err();
    }
    let id = text(&grant, "id");
    let who = says(&anna, &["access", lab.join("blood.txt").to_str().unwrap()]);
    assert!(
        who.contains("with Ben: read, for \"second opinion\""),
        "{who}"
    );
    let said = says(&anna, &["revoke", id]);
    assert!(said.contains("revoked"), "{said}");
    fs::write(lab.join("blood.txt"), "secret again").unwrap();
    confirmed(&anna);
    let gone = wait_until(PATIENCE, || !second.dir().join("Shared with me").exists());
    assert!(gone, "what is revoked is still shown");
    fails(&ben, 61, &["accept", id]);
    let said = fails(&anna, 61, &["revoke", id]);
    assert!(said.contains("over"), "{said}");
    // Nothing of it became the receiver's.
    confirmed(&ben);
    assert_eq!(fs::read_dir(second.dir()).unwrap().count(), 0);
    drop((first, second));
    says(&ben, &["check"]);
    says(&anna, &["check"]);
}
