//! Somebody who may change a folder, and whose podfs is not ours: whatever stands in what comes back, only what they may
//! change is changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::SystemTime;

use podfs::crypto::Phrase;
use podfs::crypto::keys::RootKey;
use podfs::format::base::Base;
use podfs::format::keyfile::unlock_with_phrase;
use podfs::index::{Rows, RowsParts};
use podfs::pod::{Caller, Nowhere, Pod as Files, PodParts};
use podfs::types::{Ino, Timespec};

use crate::carried::mounted;
use crate::network::{json, says};
use crate::people::appended::{assert_clean, names};
use crate::people::shared::{PATIENCE, confirmed, until};
use crate::people::written::writable;
use crate::people::*;
use crate::support::{applicable, wait_until};

const HERE: &str = "what_is_forged_changes_nothing_that_it_was_not_made_from";
const OWNER: Caller = Caller { uid: 0, gid: 0 };

/// The pod of somebody who keeps to no rule, while it is not mounted.
fn opened(pod: &Pod) -> Files {
    let phrase = fs::read_to_string(pod.path("phrase")).unwrap();
    let phrase = Phrase::parse(phrase.trim()).unwrap();
    let root = RootKey::derive(&phrase.seed(), None);
    let keyfile = fs::read(pod.state().join("podfs.key")).unwrap();
    let bundle = unlock_with_phrase(&keyfile, &root.recovery(&root.pod_id(0))).unwrap();
    let parts = RowsParts {
        dir: pod.state(),
        secret: bundle.device_secret,
        budget: None,
        read_only: false,
    };
    let parts = PodParts {
        rows: Arc::new(Rows::open(&parts).unwrap()),
        remote: Arc::new(Nowhere),
        clock: Arc::new(|| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            Timespec {
                secs: i64::try_from(now.unwrap().as_secs()).unwrap(),
                nanos: 0,
            }
        }),
        device: bundle.device,
        owner: OWNER,
    };
    Files::over(parts).unwrap()
}

fn put(pod: &Files, dir: Ino, name: &[u8], mode: u32, bytes: &[u8]) {
    let file = pod.mknod(dir, name, (mode, 0), OWNER).unwrap();
    pod.write(file.ino, 0, bytes, false).unwrap();
}

/// Forges what comes back.
fn forge(pod: &Files, grant: &str) {
    let tray = format!("tray-{grant}");
    let tray = pod.find_state_subdirectory(&tray).unwrap().unwrap();
    let tray = pod.find_tray(tray, true).unwrap().unwrap();
    let (now, was) = (tray.now, tray.was.unwrap());
    let other = Base::of_link(b"another version").encode();
    // Made from what nobody knows, from another version, and from nothing.
    for (name, note) in [
        (&b"one"[..], &[7; 34][..]),
        (b"two", &other),
        (b"three", b""),
    ] {
        put(pod, now, name, 0o100_600, b"forged");
        put(pod, was, name, 0o100_600, note);
    }
    // Removed, and made from another version; and a folder of which nothing was ever seen.
    put(pod, was, b"four", 0o100_600, &other);
    pod.mkdir(was, b"whole", 0o700, OWNER).unwrap();
    // Out of the folder, and more than a file.
    pod.symlink(now, b"link", b"/etc", OWNER).unwrap();
    pod.symlink(now, b"full", b"../../outside", OWNER).unwrap();
    put(pod, now, b"suid", 0o106_777, b"#!/bin/sh\n");
    pod.mknod(now, b"device", (0o020_666, 0x103), OWNER)
        .unwrap();
    put(pod, now, b".pod", 0o100_600, b"a name like any other");
    put(pod, tray_of(pod, now), b"beside", 0o100_600, b"in no layer");
}

fn tray_of(pod: &Files, layer: Ino) -> Ino {
    pod.parent(layer).unwrap()
}

#[test]
fn what_is_forged_changes_nothing_that_it_was_not_made_from() {
    if !applicable(HERE, REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    fs::create_dir_all(first.path("lab/full")).unwrap();
    fs::create_dir_all(first.path("lab/whole/deep")).unwrap();
    for name in [
        "one",
        "two",
        "three",
        "four",
        "full/file",
        "whole/deep/file",
    ] {
        fs::write(first.path("lab").join(name), "before").unwrap();
    }
    fs::write(first.path("outside"), "not shared").unwrap();
    let (lab, seen, grant) = writable((&anna, &first), (&ben, &second), "lab");
    until(&ben, "not all comes", || names(&seen).len() == 6);
    confirmed(&ben);
    second.unmount();
    let forged = opened(&ben);
    forge(&forged, text(&grant, "id"));
    forged.rows().close(true).unwrap();
    drop(forged);
    let second = mounted(&ben, &[]);
    confirmed(&ben);
    let wanted = [
        ".pod",
        "four",
        "full",
        "one",
        "one (from Ben)",
        "suid",
        "three",
        "three (from Ben)",
        "two",
        "two (from Ben)",
        "whole",
    ];
    let came = wait_until(PATIENCE * 2, || {
        says(&anna, &["inbox"]);
        names(&lab) == wanted
    });
    assert!(came, "{:?}", names(&lab));
    for name in [
        "one",
        "two",
        "three",
        "four",
        "full/file",
        "whole/deep/file",
    ] {
        assert_eq!(fs::read(lab.join(name)).unwrap(), b"before", "{name}");
        let copy = lab.join(format!("{name} (from Ben)"));
        if copy.exists() {
            assert_eq!(fs::read(copy).unwrap(), b"forged", "{name}");
        }
    }
    let suid = fs::metadata(lab.join("suid")).unwrap();
    assert_eq!(suid.permissions().mode() & 0o7777, 0o755);
    assert_eq!(names(first.dir()), ["lab", "outside"]);
    assert_eq!(fs::read(first.path("outside")).unwrap(), b"not shared");
    json(&anna, &["audit", "verify", "--json"]);
    drop((first, second));
    assert_clean([&ben, &anna]);
}
