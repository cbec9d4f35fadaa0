//! Who did what is recorded, stays recorded, and is what it was.

use std::fs;

use podfs::crypto::Phrase;
use podfs::crypto::Secret;
use podfs::crypto::audit::origin;
use podfs::crypto::keys::RootKey;
use podfs::format::audit::{Content, Record, SignedCheckpoint, Witness, records};
use podfs::format::keyfile::unlock_with_phrase;
use podfs::share::audit::Tail;

use crate::carried::{confirmed, recovered};
use crate::people::*;
use crate::support::mount::Mount;
use crate::support::sample;
use crate::support::{applicable, run, tool};

/// The kinds of all records.
#[track_caller]
pub(super) fn kinds(pod: &Pod, flags: &[&str]) -> Vec<String> {
    let said = lines(pod, flags);
    said.iter().map(|it| text(it, "kind").to_owned()).collect()
}

#[track_caller]
fn lines(pod: &Pod, flags: &[&str]) -> Vec<Value> {
    let output = pod
        .command(&[&["audit", "--json"], flags].concat())
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let lines = said.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[track_caller]
pub(super) fn verified(pod: &Pod) -> Value {
    json(pod, &["audit", "verify", "--json"])
}

const KINDS: [&str; 3] = ["card-published", "contact-added", "contact-verified"];

#[test]
fn what_was_answered_is_recorded_for_ever() {
    if !applicable("what_was_answered_is_recorded_for_ever", REQUIREMENTS) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    assert_eq!(kinds(&anna, &[]), Vec::<String>::new());
    assert_eq!(verified(&anna)["records"], 0);
    compared(&anna, &ben);
    first.kill();
    let first = mounted(&anna, &[]);
    assert_eq!(kinds(&anna, &[]), KINDS);
    is_filtered(&anna, &first);
    // A head has the checkpoint of what is published with it.
    confirmed(&anna);
    let shown = json(&anna, &["contact", "show", "Ben", "--json"]);
    let said = verified(&anna);
    assert_eq!(
        (&said["records"], &said["fault"]),
        (&3.into(), &Value::Null)
    );
    let agreed = &said["agreed"][0];
    assert_eq!(
        (&agreed["by"], &agreed["size"]),
        (&"the published head".into(), &3.into())
    );
    let own = json(&anna, &["id", "show", "--json"]);
    assert_eq!(said["identity"], own["identity"]);
    says(&anna, &["contact", "remove", "Ben"]);
    assert_eq!(verified(&anna)["records"], 4);
    confirmed(&anna);
    first.unmount();

    // On another machine it goes on, with the key of that.
    let anna = recovered(anna, &node);
    let first = mounted(&anna, &[]);
    let removed = lines(&anna, &["--who", text(&shown, "fingerprint")]);
    assert_eq!(removed.len(), 3);
    assert_eq!(text(&removed[2], "kind"), "contact-removed");
    let said = verified(&anna);
    assert_eq!(said["agreed"][0]["size"], 4);
    let file = anna.path("export");
    says(&anna, &["audit", "export", "--out", file.to_str().unwrap()]);
    fails(
        &anna,
        2,
        &["audit", "export", "--out", file.to_str().unwrap()],
    );
    let said = verified(&anna);
    assert_eq!(
        (&said["records"], &said["fault"]),
        (&5.into(), &Value::Null)
    );
    assert_eq!(said["keys"].as_array().unwrap().len(), 2, "{said}");
    first.unmount();
    second.unmount();
    is_verified_anywhere(&anna, file.to_str().unwrap());
}

/// Only what was asked for is shown.
fn is_filtered(anna: &Pod, mount: &Mount<'_>) {
    let all = lines(anna, &["--who", "Ben"]);
    assert_eq!(all.len(), 2);
    let shown = json(anna, &["contact", "show", "Ben", "--json"]);
    assert_eq!(all[0]["who"], shown["fingerprint"]);
    assert_eq!(
        (&all[0]["name"], &all[0]["number"]),
        (&"Ben".into(), &1.into())
    );
    assert_eq!(kinds(anna, &["--since", "1h"]).len(), 3);
    assert_eq!(kinds(anna, &["--since", "2100-01-01"]).len(), 0);
    let said = fails(anna, 2, &["audit", "--since", "yesterday"]);
    assert!(said.contains("neither a day"), "{said}");
    let table = says(anna, &["audit"]);
    assert!(table.contains("contact verified  Ben"), "{table}");
    let (top, below) = (mount.dir().to_str().unwrap(), mount.path("gone/file"));
    assert_eq!(kinds(anna, &[top]).len(), 3);
    assert_eq!(kinds(anna, &[below.to_str().unwrap()]).len(), 0);
    assert_eq!(kinds(anna, &["card number 0"]).len(), 2);
    let csv = says(anna, &["audit", "--csv"]);
    assert_eq!(csv.lines().count(), 4, "{csv}");
}

/// Without a mount, and by another program.
fn is_verified_anywhere(pod: &Pod, file: &str) {
    let verify = ["audit", "verify", "--file", file];
    let said = json(pod, &[&verify[..], &["--json"]].concat());
    assert_eq!(
        (&said["records"], &said["fault"]),
        (&5.into(), &Value::Null)
    );
    let installed = tool("").with_file_name("foreign").join("installed");
    let needs = ["/usr/bin/python3", installed.to_str().unwrap()];
    if applicable("what_was_answered_is_recorded_for_ever", &needs) {
        let mut python = std::process::Command::new("/usr/bin/python3");
        python.args(["-B", "tests/foreign/audit.py", file]);
        python.env("PYTHONPATH", tool("").with_file_name("foreign"));
        assert_eq!(run(&mut python).trim(), "good 5");
    }
    let text = fs::read_to_string(file).unwrap();
    fs::write(file, text.replace("contact-verified", "contact-added")).unwrap();
    let said = fails(pod, 62, &verify);
    assert!(said.contains("record 2 is no record"), "{said}");
    fs::write(file, "{}").unwrap();
    let said = fails(pod, 2, &verify);
    assert!(said.contains("podfs audit export"), "{said}");
}

/// Whoever has the keys of the machine writes into the log what he likes.
pub(super) fn tamper(pod: &Pod, change: impl FnOnce(&mut Vec<Record>)) {
    with_pod(pod, |opened, _| {
        let (ino, size) = opened.state_file("audit").unwrap().unwrap();
        let mut log = Vec::new();
        opened.open(ino).unwrap();
        opened.read(ino, 0, size as u32, &mut log).unwrap();
        opened.release(ino).unwrap();
        let mut all: Vec<Record> = records(&log).collect::<Result<_, _>>().unwrap();
        change(&mut all);
        let log: Vec<u8> = all.iter().flat_map(Record::encode).collect();
        opened.put_state("audit", &log).unwrap();
    });
}

fn with_pod(pod: &Pod, work: impl FnOnce(&podfs::pod::Pod, &RootKey)) {
    let phrase = Phrase::parse(&fs::read_to_string(pod.path("phrase")).unwrap()).unwrap();
    let root = RootKey::derive(&phrase.seed(), None);
    let opened = sample::open_as(&pod.state(), &root);
    work(&opened, &root);
    opened.rows().close(true).unwrap();
}

/// The checkpoint behind record `at`, as the pod hands it out.
fn checkpoint(pod: &Pod, at: usize) -> SignedCheckpoint {
    let mut found = None;
    with_pod(pod, |opened, root| {
        let (ino, size) = opened.state_file("audit").unwrap().unwrap();
        let mut log = Vec::new();
        opened.open(ino).unwrap();
        opened.read(ino, 0, size as u32, &mut log).unwrap();
        opened.release(ino).unwrap();
        let mut tail = Tail::new(origin(&root.pod_id(0).0));
        for record in records(&log).take(at + 1) {
            found = Some(tail.follow(&record.unwrap()).unwrap());
        }
    });
    found.unwrap()
}

#[track_caller]
pub(super) fn is_named(pod: &Pod, record: u64, wrong: &str, words: &str) {
    let mount = mounted(pod, &[]);
    mount.expect_warnings();
    let said = fails(pod, 62, &["audit", "verify"]);
    assert!(said.contains("WRONG") && said.contains(words), "{said}");
    let output = pod
        .command(&["audit", "verify", "--json"])
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["fault"]["record"], record, "{said}");
    assert_eq!(said["fault"]["wrong"], wrong, "{said}");
    mount.unmount();
}

#[test]
fn what_was_changed_in_the_pod_is_named() {
    if !applicable("what_was_changed_in_the_pod_is_named", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    compared(&anna, &ben);
    confirmed(&anna);
    let other = json(&ben, &["id", "show", "--json"]);
    first.unmount();
    second.unmount();
    let (mut lost, mut good) = (None, Vec::new());
    tamper(&anna, |log| {
        good.clone_from(log);
        lost = log.pop();
    });
    is_named(&anna, 2, "missing", "records 2 to 2 are missing");
    tamper(&anna, |log| {
        log.extend(lost);
        log.swap(0, 1);
    });
    is_named(
        &anna,
        0,
        "moved",
        "record 1 stands in the place of record 0",
    );
    tamper(&anna, |log| {
        log.clone_from(&good);
        if let Content::Full { salt, .. } = &mut log[1].content {
            salt[0] ^= 1;
        }
    });
    is_named(&anna, 1, "changed", "record 1 is not what was signed");
    tamper(&anna, |log| log.clone_from(&good));
    let mount = mounted(&anna, &[]);
    assert_eq!(verified(&anna)["fault"], Value::Null);
    says(&anna, &["contact", "remove", "Ben"]);
    says(&anna, &["contact", "add", "Ben", text(&other, "identity")]);
    mount.unmount();

    // Ben says that he saw all five: the published head knows no more than three or four.
    let seen = checkpoint(&anna, 4);
    let print: Vec<u8> = hex::decode(text(&other, "fingerprint")).unwrap();
    let witness = Witness::sign(seen, print.try_into().unwrap(), &seed_of(&ben));
    with_pod(&anna, |opened, _| {
        opened.append_state("witnesses", &witness.encode()).unwrap();
    });
    let mount = mounted(&anna, &[]);
    let said = verified(&anna);
    let by: Vec<_> = said["agreed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["by"])
        .collect();
    assert!(by.contains(&&Value::from("\"Ben\"")), "{said}");
    mount.unmount();
    tamper(&anna, |log| drop(log.pop()));
    is_named(&anna, 4, "missing", "the checkpoint that \"Ben\" holds");
}

/// The signing key of a machine.
fn seed_of(pod: &Pod) -> Secret<32> {
    let phrase = Phrase::parse(&fs::read_to_string(pod.path("phrase")).unwrap()).unwrap();
    let root = RootKey::derive(&phrase.seed(), None);
    let keyfile = fs::read(pod.state().join("podfs.key")).unwrap();
    let recovery = root.recovery(&root.pod_id(0));
    unlock_with_phrase(&keyfile, &recovery).unwrap().sign_seed
}

#[test]
fn a_card_that_was_not_vouched_for_is_recorded() {
    if !applicable("a_card_that_was_not_vouched_for_is_recorded", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let own = introduce(&anna);
    introduce(&ben);
    says(&ben, &["contact", "add", "Anna", text(&own, "identity")]);
    let pinned = contacts::card(&anna, "card");
    let forged = contacts::next_card(&anna, &pinned, &ben, |card| {
        card.previous = [9; 32];
    });
    fails(&ben, 56, &["contact", "add", "Anna", &forged]);
    let all = lines(&ben, &["--who", "Anna"]);
    assert_eq!(text(&all[1], "kind"), "contact-alarm");
    assert_eq!(text(&all[1], "outcome"), "refused");
    assert_eq!(text(&all[1], "object"), "card number 1");
    let table = says(&ben, &["audit"]);
    assert!(table.contains("contact alarm (refused)"), "{table}");
    first.unmount();
    second.unmount();
}
