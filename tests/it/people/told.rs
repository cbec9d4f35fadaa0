//! What the mount itself tells and is told: files in `.pod`, and attributes that share.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::io::Errno;

use crate::carried::mounted;
use crate::network::json;
use crate::people::recorded::kinds;
use crate::people::shared::{PATIENCE, accept, confirmed, small_lab, until};
use crate::people::*;
use crate::support::{applicable, run, wait_until};

fn names(dir: &Path) -> Vec<String> {
    let all = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = all
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn what_comes_and_happens_is_in_files_that_nobody_lists() {
    if !applicable(
        "what_comes_and_happens_is_in_files_that_nobody_lists",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let pod = first.dir().join(".pod");
    assert_eq!(names(first.dir()), Vec::<String>::new());
    assert_eq!(names(&pod), ["audit.jsonl", "inbox", "requests", "status"]);
    assert_eq!(names(&pod.join("inbox")), Vec::<String>::new());
    // Somebody who has it open and somebody who looks again.
    says(&ben, &["request", "Anna", "lab", "--for", "treatment"]);
    let came = wait_until(PATIENCE, || {
        says(&anna, &["inbox"]);
        names(&pod.join("inbox")).len() == 1
    });
    assert!(came, "the request is not in the inbox");
    let shown = json(&anna, &["requests", "--json"]);
    let inbox = names(&pod.join("inbox"));
    assert_eq!(names(&pod.join("requests")), inbox);
    let item = read(&pod.join("inbox").join(&inbox[0]));
    assert_eq!(inbox[0], format!("{}.json", text(&item, "id")));
    assert_eq!(
        (&item["what"], &item["purpose"]),
        (&"lab".into(), &"treatment".into())
    );
    assert_eq!(read(&pod.join("requests").join(&inbox[0])), item);
    assert!(shown.to_string().contains(text(&item, "id")), "{shown}");
    let sent = second.dir().join(".pod/requests");
    assert_eq!(read(&sent.join(&names(&sent)[0]))["way"], "sent");
    assert_eq!(
        names(&second.dir().join(".pod/inbox")),
        Vec::<String>::new()
    );
    let status = read(&pod.join("status"));
    assert_eq!(status["state"], "mounted");
    let log = fs::read_to_string(pod.join("audit.jsonl")).unwrap();
    let lines = log.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        text(&line, "kind").to_owned()
    });
    assert_eq!(lines.collect::<Vec<_>>(), kinds(&anna, &[]));
    nobody_changes(&pod);
    no_copy_has_it(&anna, first.dir());
    first.unmount();
    second.unmount();
}

/// Reading is all there is.
fn nobody_changes(pod: &Path) {
    let status = pod.join("status");
    let seen = fs::metadata(&status).unwrap();
    assert_eq!((seen.mode() & 0o777, seen.len()), (0o400, 0));
    let refused = |done: std::io::Result<()>| {
        let errno = Errno::from_io_error(&done.unwrap_err()).unwrap();
        assert!(
            matches!(errno, Errno::ROFS | Errno::PERM | Errno::XDEV),
            "{errno}"
        );
    };
    refused(fs::write(&status, "x"));
    refused(fs::write(pod.join("new"), "x"));
    refused(fs::remove_file(&status));
    refused(fs::create_dir(pod.join("inbox/new")));
    refused(fs::remove_dir(pod.join("inbox")));
    refused(fs::remove_dir(pod));
    refused(fs::rename(pod, pod.with_file_name("other")));
    refused(fs::rename(&status, pod.with_file_name("other")));
    refused(fs::set_permissions(
        &status,
        fs::Permissions::from_mode(0o777),
    ));
    refused(fs::hard_link(&status, pod.with_file_name("other")));
    let missing = fs::read(pod.join("inbox/00000000000000000000000000000000.json"));
    assert_eq!(missing.unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

/// What walks through the folder does not meet it.
fn no_copy_has_it(anna: &Pod, folder: &Path) {
    fs::write(folder.join("letter"), "dear").unwrap();
    let (copy, other) = (anna.path("copy"), anna.path("other"));
    run(Command::new("cp").arg("-a").args([folder, &copy]));
    assert_eq!(names(&copy), ["letter"]);
    let du = run(Command::new("du").arg("-a").arg(folder));
    assert!(!du.contains(".pod"), "{du}");
    fs::create_dir(&other).unwrap();
    let tar = anna.path("all.tar");
    let pack = ["--xattrs", "-C", folder.to_str().unwrap(), "-cf"];
    run(Command::new("tar").args(pack).arg(&tar).arg("."));
    run(Command::new("tar")
        .arg("-xf")
        .arg(&tar)
        .arg("-C")
        .arg(&other));
    assert_eq!(names(&other), ["letter"]);
    fs::remove_file(folder.join("letter")).unwrap();
}

fn set(path: &Path, name: &str, value: &str) -> Result<(), Errno> {
    let none = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(path, name, value.as_bytes(), none)
}

fn get(path: &Path, name: &str) -> Result<String, Errno> {
    let mut value = [0_u8; 1024];
    let len = rustix::fs::getxattr(path, name, &mut value)?;
    Ok(String::from_utf8(value[..len].to_vec()).unwrap())
}

const BEN: &str = "user.pod.share.Ben";

#[test]
fn a_folder_is_shared_by_an_attribute() {
    if !applicable("a_folder_is_shared_by_an_attribute", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let first = mounted(&anna, &["-o", "share_xattr"]);
    let second = mounted(&ben, &[]);
    acquainted(&anna, &ben);
    let lab = small_lab(&first);
    assert_eq!(get(&lab, BEN), Err(Errno::NODATA));
    assert_eq!(set(&lab, BEN, "everything"), Err(Errno::INVAL));
    assert_eq!(set(&lab, "user.pod.share.Eve", "read"), Err(Errno::NXIO));
    assert_eq!(set(first.dir(), BEN, "read"), Err(Errno::PERM));
    assert_eq!(
        set(&first.dir().join(".pod"), BEN, "read"),
        Err(Errno::PERM)
    );
    assert_eq!(
        get(&first.dir().join(".pod/status"), BEN),
        Err(Errno::NODATA)
    );
    assert_eq!(rustix::fs::removexattr(&lab, BEN), Err(Errno::NODATA));
    set(&lab, BEN, "read\n").unwrap();
    set(&lab, BEN, "read").unwrap();
    assert_eq!(get(&lab, BEN).unwrap(), "read");
    assert_eq!(get(&lab, "user.pod.shares").unwrap(), "read\tBen\n");
    let shares = json(&anna, &["shares", "--json"]);
    let given = shares["given"].as_array().unwrap();
    assert_eq!((given.len(), text(&given[0], "path")), (1, "lab"));
    confirmed(&anna);
    accept(&ben, &given[0]);
    let seen = second.dir().join("Shared with me/Anna/lab/blood.txt");
    until(&ben, "the folder does not come", || seen.exists());
    // Other rights take the place of these.
    set(&lab, BEN, "append").unwrap();
    assert_eq!(get(&lab, BEN).unwrap(), "append");
    assert_eq!(get(&lab, "user.pod.shares").unwrap(), "append\tBen\n");
    copied_attributes_share_nothing(&anna, &lab);
    rustix::fs::removexattr(&lab, BEN).unwrap();
    assert_eq!(get(&lab, BEN), Err(Errno::NODATA));
    // Both ends are as signed as those of the command.
    let shares = json(&anna, &["shares", "--all", "--json"]);
    let ended = shares["given"].as_array().unwrap();
    assert_eq!(ended.len(), 2);
    for grant in ended {
        signed_as_ended(&anna, text(grant, "id"));
    }
    until(&ben, "the folder does not go", || !seen.exists());
    let said = kinds(&anna, &[]);
    let count = |kind: &str| said.iter().filter(|it| *it == kind).count();
    assert_eq!(
        (count("granted"), count("grant-revoked")),
        (2, 2),
        "{said:?}"
    );
    first.unmount();
    // Without the option nothing is given away by whoever copies attributes.
    let first = mounted(&anna, &[]);
    assert_eq!(set(&lab, BEN, "read"), Err(Errno::PERM));
    assert_eq!(get(&lab, BEN), Err(Errno::NODATA));
    first.unmount();
    second.unmount();
}

/// A grant was ended by its owner, who signed that.
#[track_caller]
pub(super) fn signed_as_ended(pod: &Pod, grant: &str) {
    let signed = wait_until(Duration::from_secs(60), || {
        let receipt = json(pod, &["revoke", grant, "--receipt", "--json"]);
        assert_eq!(receipt["level"], 0);
        text(&receipt, "state") == "done" && !receipt["receipt"].is_null()
    });
    assert!(signed, "there is no receipt");
}

/// They are not listed.
fn copied_attributes_share_nothing(anna: &Pod, lab: &Path) {
    let mut list = [0_u8; 1024];
    assert_eq!(rustix::fs::listxattr(lab, &mut list), Ok(0));
    let copy = lab.with_file_name("copy");
    run(Command::new("cp").arg("-a").args([lab, &copy]));
    let tar = anna.path("lab.tar");
    let pack = ["--xattrs", "-C", lab.to_str().unwrap(), "-cf"];
    run(Command::new("tar").args(pack).arg(&tar).arg("."));
    let unpacked = lab.with_file_name("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let unpack = ["--xattrs", "--xattrs-include=*", "-C"];
    run(Command::new("tar")
        .args(unpack)
        .arg(&unpacked)
        .arg("-xf")
        .arg(&tar));
    for there in [&copy, &unpacked] {
        assert_eq!(get(there, BEN), Err(Errno::NODATA));
    }
    let shares = json(anna, &["shares", "--json"]);
    let given = shares["given"].as_array().unwrap().iter();
    assert_eq!(given.filter(|it| it["state"] == "active").count(), 1);
}
