//! The hook: a program of the owner's is told what comes, and how it fails is nobody's business.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use podfs::types::limits::HOOK_PATIENCE;

use crate::people::messages::until_listed;
use crate::people::*;
use crate::support::{applicable, wait_until};

/// Has a script told what comes to a pod; it writes it down, and then ends as `end` says. Gives where it is written.
fn hooked(pod: &Pod, end: &str) -> PathBuf {
    let (hook, told) = (pod.path("hook"), pod.path("told"));
    fs::write(&hook, format!("#!/bin/sh\ncat >> \"$1\"\n{end}\n")).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).unwrap();
    let settings = pod.path("config/podfs/config.toml");
    fs::create_dir_all(settings.parent().unwrap()).unwrap();
    let (hook, path) = (hook.display(), told.display());
    fs::write(settings, format!("hook = [\"{hook}\", \"{path}\"]\n")).unwrap();
    told
}

/// Waits until so many documents are written down.
#[track_caller]
fn documents(pod: &Pod, told: &PathBuf, count: usize) -> Vec<Value> {
    let read = || fs::read_to_string(told).unwrap_or_default();
    let came = wait_until(Duration::from_secs(90), || {
        says(pod, &["inbox"]);
        read().lines().count() >= count
    });
    assert!(came, "{:?}", read());
    let all = read();
    let documents = all.lines().map(|line| serde_json::from_str(line).unwrap());
    documents.collect()
}

#[test]
fn a_program_is_told_what_comes() {
    if !applicable("a_program_is_told_what_comes", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (at_annas, at_bens) = (hooked(&anna, "exit 0"), hooked(&ben, "exit 7"));
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    fs::create_dir(first.dir().join("Labs")).unwrap();
    for (path, purpose) in [("Labs", "canary treatment"), ("Diary", "curiosity")] {
        says(&ben, &["request", "Anna", path, "--for", purpose]);
    }
    let mut told = documents(&anna, &at_annas, 2);
    told.sort_by_key(|it| text(it, "what").to_owned());
    let shown: Vec<_> = told
        .iter()
        .map(|it| [text(it, "kind"), text(it, "contact"), text(it, "what")])
        .collect();
    assert_eq!(
        shown,
        [["request", "Ben", "Diary"], ["request", "Ben", "Labs"]]
    );
    assert_eq!(text(&told[1], "purpose"), "canary treatment");
    // It is what the inbox says.
    let inbox = until_listed(&anna, "inbox", |all| all.len() == 2);
    let asked = inbox.iter().find(|it| it["what"] == "Labs").unwrap();
    for field in ["id", "number", "fingerprint", "rights", "time", "until"] {
        assert_eq!(asked[field], told[1][field], "{field}");
    }

    says(&anna, &["deny", text(&told[0], "id"), "--why", "mine"]);
    says(&anna, &["approve", text(&told[1], "id")]);
    // It fails each time, and is told the next one all the same.
    let mut told = documents(&ben, &at_bens, 2);
    told.sort_by_key(|it| text(it, "kind").to_owned());
    let shown: Vec<_> = told
        .iter()
        .map(|it| [text(it, "kind"), text(it, "contact"), text(it, "what")])
        .collect();
    assert_eq!(
        shown,
        [["denied", "Anna", "Diary"], ["grant", "Anna", "Labs"]]
    );
    first.unmount();
    second.unmount();
    let log = fs::read_to_string(ben.log()).unwrap();
    assert!(
        log.contains("the hook failed") && !log.contains("canary"),
        "{log}"
    );
    assert!(!fs::read_to_string(anna.log()).unwrap().contains("hook"));
}

#[test]
fn a_hook_that_hangs_keeps_nobody_from_unmounting() {
    if !applicable(
        "a_hook_that_hangs_keeps_nobody_from_unmounting",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let told = hooked(&anna, "exec sleep 10000");
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    for path in ["Labs", "Diary"] {
        says(&ben, &["request", "Anna", path, "--for", "treatment"]);
    }
    // One at a time: the second one waits.
    documents(&anna, &told, 1);
    until_listed(&anna, "inbox", |all| all.len() == 2);
    // It runs, and holds what it was started with.
    let dir = first.dir().to_str().unwrap().to_owned();
    let begun = Instant::now();
    says(&anna, &["unmount", &dir]);
    let took = begun.elapsed();
    assert!(took < HOOK_PATIENCE, "{took:?}");
    first.ended_by_itself();
    let written = fs::read_to_string(told).unwrap();
    assert_eq!(written.lines().count(), 1, "{written}");
    second.unmount();
}
