//! Whom somebody knows comes back with the files, and no program sees where it is kept.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{CWD, Mode, RenameFlags};
use rustix::io::Errno;

use crate::carried::{confirmed, recover};
use crate::node::Fault;
use crate::people::*;
use crate::support::{applicable, run, wait_until};

/// What was not to be had is asked for again in this time.
const AGAIN_MAX: Duration = Duration::from_secs(90);

/// Names of all contacts, and whether their words were compared.
#[track_caller]
fn contacts(pod: &Pod) -> Vec<(String, bool)> {
    let all = json(pod, &["contact", "list", "--json"]);
    let all = all.as_array().unwrap().iter();
    all.map(|it| (text(it, "name").to_owned(), it["verified"] == true))
        .collect()
}

/// What a machine that never saw anybody knows of them. The card of the pod came with them, and has other keys.
#[track_caller]
fn seen_elsewhere(pod: &Pod, node: &Node) -> Vec<(String, bool)> {
    let mut own = json(pod, &["id", "show", "--json"]);
    assert_eq!(own["current"], true);
    own["current"] = false.into();
    let other = pod.elsewhere();
    recover(&other, &node.url());
    let mount = mounted(&other, &[]);
    let seen = contacts(&other);
    assert_eq!(json(&other, &["id", "show", "--json"]), own);
    let said = says(&other, &["id", "show"]);
    assert!(said.contains("machine before: podfs id publish"), "{said}");
    mount.unmount();
    check(&other, &[]);
    seen
}

#[track_caller]
fn check(pod: &Pod, flags: &[&str]) {
    let passphrase = pod.path("passphrase");
    let passphrase = ["--passphrase-file", passphrase.to_str().unwrap()];
    says(pod, &[&["check"], flags, &passphrase[..]].concat());
}

#[test]
fn people_come_back_on_a_machine_that_never_saw_them() {
    if !applicable(
        "people_come_back_on_a_machine_that_never_saw_them",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    compared(&anna, &ben);
    // What was answered is there after a kill, in an index that is made anew, and in the network.
    first.kill();
    check(&anna, &["--rebuild"]);
    let first = mounted(&anna, &[]);
    let known = vec![("Ben".to_owned(), true)];
    assert_eq!(contacts(&anna), known);
    confirmed(&anna);
    assert_eq!(seen_elsewhere(&anna, &node), known);

    says(&anna, &["contact", "remove", "Ben"]);
    first.kill();
    let first = mounted(&anna, &[]);
    assert_eq!(contacts(&anna), []);
    confirmed(&anna);
    assert_eq!(seen_elsewhere(&anna, &node), []);
    first.unmount();
    second.unmount();
}

#[test]
fn people_who_were_not_fetched_yet_are_not_unknown() {
    if !applicable(
        "people_who_were_not_fetched_yet_are_not_unknown",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    compared(&anna, &ben);
    confirmed(&anna);
    // The few things that changed last come back with the names: now these are others.
    for nth in 0..100 {
        fs::write(first.path(&format!("later {nth}")), "1").unwrap();
    }
    confirmed(&anna);
    first.unmount();
    second.unmount();
    let other = anna.elsewhere();
    recover(&other, &node.url());
    let mount = mounted(&other, &["-o", "ro"]);
    let said = fails(&other, 46, &["contact", "show", "Ben"]);
    assert!(
        said.contains("while the pod is mounted read-only"),
        "{said}"
    );
    mount.unmount();
    let silence = node.faults().add(Fault::Hang.everywhere());
    let mount = mounted(&other, &[]);
    mount.expect_warnings();
    let said = fails(&other, 47, &["contact", "show", "Ben"]);
    assert!(said.contains("people are still being fetched"), "{said}");
    assert!(said.contains("next: podfs node test"), "{said}");
    node.faults().remove(silence);
    let show = ["contact", "show", "Ben", "--json"];
    let came = wait_until(AGAIN_MAX, || {
        other.command(&show).output().unwrap().status.success()
    });
    assert!(came, "not after {AGAIN_MAX:?}");
    assert_eq!(json(&other, &show)["verified"], true);
    mount.unmount();
    // From now on the machine knows it itself.
    let silence = node.faults().add(Fault::Hang.everywhere());
    for flags in [&["-o", "ro"][..], &[]] {
        let mount = mounted(&other, flags);
        mount.expect_warnings();
        assert_eq!(contacts(&other), [("Ben".to_owned(), true)]);
        mount.unmount();
    }
    node.faults().remove(silence);
}

/// Names in a folder, those that begin with a dot too.
fn names(dir: &Path) -> BTreeSet<String> {
    let said = run(Command::new("ls").arg("-A").arg(dir));
    said.lines().map(str::to_owned).collect()
}

#[test]
fn no_program_sees_or_loses_where_people_are_kept() {
    if !applicable(
        "no_program_sees_or_loses_where_people_are_kept",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let seen = |dir: &Path| {
        let top = fs::metadata(dir).unwrap();
        (top.nlink(), top.size(), top.mtime_nsec(), top.ctime_nsec())
    };
    let before = seen(first.dir());
    compared(&anna, &ben);
    assert_eq!((seen(first.dir()), names(first.dir()).len()), (before, 0));
    first.unmount();
    let first = mounted(&anna, &[]);
    assert_eq!((seen(first.dir()), names(first.dir()).len()), (before, 0));
    let reserved = first.path(".pod");
    // What podfs tells under that name is something else.
    assert_eq!(names(&reserved).len(), 4);
    let below = rustix::fs::stat(reserved.join("430000000000000000"));
    assert_eq!(below.err(), Some(Errno::NOENT));

    fs::create_dir_all(first.path("a/b")).unwrap();
    fs::write(first.path("a/b/file"), "1").unwrap();
    let made = [
        rustix::fs::mkdir(&reserved, Mode::RWXU),
        rustix::fs::symlink("a", &reserved),
        rustix::fs::link(first.path("a/b/file"), &reserved),
        rustix::fs::rename(first.path("a"), &reserved),
        rustix::fs::renameat_with(CWD, first.path("a"), CWD, &reserved, RenameFlags::NOREPLACE),
    ];
    let there = [
        Errno::EXIST,
        Errno::EXIST,
        Errno::EXIST,
        Errno::PERM,
        Errno::EXIST,
    ];
    assert_eq!(made.map(Result::err), there.map(Some));
    let written = fs::write(&reserved, "1").unwrap_err();
    assert_eq!(written.raw_os_error(), Some(Errno::ISDIR.raw_os_error()));
    run(Command::new("rm").arg("-rf").args(
        fs::read_dir(first.dir())
            .unwrap()
            .map(|entry| entry.unwrap().path()),
    ));
    assert_eq!(names(first.dir()).len(), 0);
    assert_eq!(contacts(&anna), [("Ben".to_owned(), true)]);
    confirmed(&anna);
    assert_eq!(seen_elsewhere(&anna, &node), [("Ben".to_owned(), true)]);
    first.unmount();
    second.unmount();
    check(&anna, &[]);
}
