//! Requests between two people with real mounts: asked, seen, denied; over outages and the end of a daemon.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::node::Loss;
use crate::people::*;
use crate::support::applicable;
use crate::support::pod::read_files;
use crate::support::wait_until;

const ASK: &[&str] = &[
    "request",
    "Anna",
    "Labs/2026",
    "--for",
    "canary treatment",
    "--until",
    "30d",
    "--json",
];

/// Waits until a list of messages says this.
#[track_caller]
pub(super) fn until_listed(pod: &Pod, list: &str, what: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let mut newest = Value::Null;
    let came = wait_until(Duration::from_secs(90), || {
        newest = json(pod, &[list, "--json"]);
        what(newest.as_array().unwrap())
    });
    assert!(came, "{list}: {newest}");
    newest.as_array().unwrap().clone()
}

fn is_what_was_asked(request: &Value, asked: &Value) {
    assert_eq!(
        (&request["id"], &request["contact"]),
        (&asked["id"], &"Ben".into())
    );
    assert_eq!(
        (&request["what"], &request["purpose"]),
        (&"Labs/2026".into(), &"canary treatment".into())
    );
    assert_eq!(
        (&request["rights"], &request["state"]),
        (&serde_json::json!(["read"]), &"new".into())
    );
    assert_eq!(
        (&request["until"], &request["from"]),
        (&asked["until"], &Value::Null)
    );
}

#[test]
fn a_request_is_asked_seen_and_denied() {
    if !applicable("a_request_is_asked_seen_and_denied", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let said = fails(&ben, 55, ASK);
    assert!(said.contains("podfs contact list"), "{said}");
    acquainted(&anna, &ben);
    assert_eq!(json(&anna, &["inbox", "--json"]), serde_json::json!([]));
    let asked = json(&ben, ASK);
    assert_eq!(
        (&asked["kind"], &asked["way"]),
        (&"request".into(), &"sent".into())
    );
    let id = text(&asked, "id");

    let came = until_listed(&anna, "inbox", |all| !all.is_empty());
    assert_eq!(came.len(), 1);
    is_what_was_asked(&came[0], &asked);
    // It was shown.
    assert!(says(&anna, &["inbox"]).contains("seen"));
    let open = says(&anna, &["requests"]);
    assert!(
        open.contains("Ben asks you") && open.contains("open"),
        "{open}"
    );
    // The first one goes to the door as well: when she finds it there, she says that it came.
    until_listed(&ben, "requests", |all| {
        all[0]["state"] == "sent" || all[0]["state"] == "arrived"
    });

    for (code, wrong) in [(58, "00000000"), (2, "xyz"), (2, "abc")] {
        fails(&anna, code, &["deny", wrong]);
    }
    // What was sent from here is not denied here.
    fails(&ben, 2, &["deny", id]);
    says(
        &anna,
        &[
            "deny",
            &id.chars().take(8).collect::<String>(),
            "--why",
            "ask Dr. Müller",
        ],
    );
    let said = fails(&anna, 2, &["deny", id]);
    assert!(said.contains("answered already"), "{said}");
    assert_eq!(json(&anna, &["requests", "--json"]), serde_json::json!([]));
    let told = until_listed(&ben, "requests", |all| all[0]["state"] == "denied");
    assert_eq!(told[0]["why"], "ask Dr. Müller");
    let inbox = says(&ben, &["inbox"]);
    assert!(
        inbox.contains("denies \"Labs/2026\": ask Dr. Müller"),
        "{inbox}"
    );
    first.unmount();
    second.unmount();

    let id = came[0]["id"].as_str().unwrap();
    let first = mounted(&anna, &[]);
    says(&anna, &["inbox", "--forget", id]);
    assert_eq!(json(&anna, &["inbox", "--json"]), serde_json::json!([]));
    fails(&anna, 58, &["inbox", "--forget", id]);
    first.unmount();
    for pod in [&anna, &ben] {
        nothing_is_in_the_clear(pod);
        let passphrase = pod.path("passphrase");
        let passphrase = passphrase.to_str().unwrap();
        says(pod, &["check", "--passphrase-file", passphrase]);
    }
}

/// What people write to each other is nowhere in the clear, and the log tells none of it.
fn nothing_is_in_the_clear(pod: &Pod) {
    let mut files = Vec::new();
    read_files(&pod.state(), Path::new(""), &mut files);
    files.push((pod.log(), fs::read(pod.log()).unwrap()));
    for (path, bytes) in files {
        for secret in ["canary treatment", "Labs/2026", "ask Dr."] {
            let found = bytes
                .windows(secret.len())
                .any(|it| it == secret.as_bytes());
            assert!(!found, "{secret} in {}", path.display());
        }
    }
}

#[test]
fn a_request_waits_for_who_is_away() {
    if !applicable("a_request_waits_for_who_is_away", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    first.unmount();
    json(&ben, ASK);
    until_listed(&ben, "requests", |all| all[0]["state"] == "sent");
    second.unmount();
    // Both are never there at the same time.
    let first = mounted(&anna, &[]);
    until_listed(&anna, "inbox", |all| all.len() == 1);
    first.unmount();
}

/// What was answered is sent, whatever happens to the daemon; and a network that is gone is told.
#[test]
fn a_request_is_sent_by_the_next_daemon() {
    if !applicable("a_request_is_sent_by_the_next_daemon", REQUIREMENTS) {
        return;
    }
    let (anna, ben, mut node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    first.expect_warnings();
    second.expect_warnings();
    node.kill();
    let asked = json(&ben, ASK);
    let said = both(&podfs(&ben, &["inbox"]));
    assert!(
        said.contains("the network did not tell everything"),
        "{said}"
    );
    second.kill();
    node.restart(Loss::Nothing);
    let second = mounted(&ben, &[]);
    second.expect_warnings();
    let sent = until_listed(&ben, "requests", |all| {
        all[0]["state"] == "sent" || all[0]["state"] == "arrived"
    });
    assert_eq!(sent[0]["id"], asked["id"]);
    until_listed(&anna, "inbox", |all| {
        all.len() == 1 && all[0]["id"] == asked["id"]
    });
    first.unmount();
    second.unmount();
}

/// The clock of a daemon can be moved by tests, so that what has an end can come to it.
#[test]
fn what_would_be_over_is_not_asked_for() {
    if !applicable("what_would_be_over_is_not_asked_for", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let clock = ben.path("clock");
    let mut mount = ben.mount_command("mnt", &[]);
    let second = ben.mount_by(mount.env("PODFS_TEST_CLOCK", &clock)).unwrap();
    second.expect_connections();
    let first = mounted(&anna, &[]);
    acquainted(&anna, &ben);
    let asked = json(&ben, ASK);
    assert_eq!(
        asked["until"].as_i64().unwrap() - asked["since"].as_i64().unwrap(),
        30 * 86_400
    );
    fs::write(&clock, (31 * 86_400).to_string()).unwrap();
    let said = fails(&ben, 2, ASK);
    assert!(said.contains("over already"), "{said}");
    for wrong in ["2026-02-30", "yesterday"] {
        let args = ["request", "Anna", "Labs", "--for", "x", "--until", wrong];
        let said = fails(&ben, 2, &args);
        assert!(said.contains("2026-12-31T12:00Z"), "{said}");
    }
    first.unmount();
    second.unmount();
}
