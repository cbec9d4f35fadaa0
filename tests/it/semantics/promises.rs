//! The promises at the head of the document, those that a small test can show; the others name the test that does.

use std::fs;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::pod::Pod;
use crate::support::{applicable, wait_until};

/// What a remount must not change of anything below `dir`.
fn seen(dir: &Path) -> Vec<(String, [i64; 9])> {
    let mut found: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let stat = fs::symlink_metadata(&path).unwrap();
            let numbers = [
                stat.ino().cast_signed(),
                i64::from(stat.mode()),
                stat.size().cast_signed(),
                stat.blocks().cast_signed(),
                stat.nlink().cast_signed(),
                stat.mtime(),
                stat.mtime_nsec(),
                stat.ctime(),
                stat.ctime_nsec(),
            ];
            (path.display().to_string(), numbers)
        })
        .collect();
    found.sort();
    found
}

#[test]
fn promise_2_an_answered_request_survives_kill_9() {
    if !applicable("promise_2", &["/dev/fuse"]) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    fs::write(mount.path("kept"), "old").unwrap();
    fs::write(mount.path("new"), "new").unwrap();
    fs::rename(mount.path("new"), mount.path("kept")).unwrap();
    fs::create_dir(mount.path("folder")).unwrap();
    let mut open = File::create(mount.path("unsynced")).unwrap();
    open.write_all(&vec![7; 300_000]).unwrap();
    fs::remove_file(mount.path("unsynced")).unwrap();
    let before = seen(mount.dir());
    mount.kill();
    drop(open);
    let again = pod.mount();
    assert_eq!(seen(again.dir()), before);
    assert_eq!(fs::read_to_string(again.path("kept")).unwrap(), "new");
    again.unmount();
}

#[test]
fn promise_2_numbers_and_times_survive_a_remount() {
    if !applicable("promise_2", &["/dev/fuse"]) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    fs::write(mount.path("file"), vec![1; 5_000]).unwrap();
    fs::hard_link(mount.path("file"), mount.path("link")).unwrap();
    std::os::unix::fs::symlink("file", mount.path("symlink")).unwrap();
    fs::create_dir(mount.path("folder")).unwrap();
    fs::set_permissions(mount.path("folder"), fs::Permissions::from_mode(0o3711)).unwrap();
    let before = seen(mount.dir());
    mount.unmount();
    let again = pod.mount();
    assert_eq!(seen(again.dir()), before);
    again.unmount();
}

/// Flips bytes all over the log: a page that was hit is an error, never other bytes.
#[test]
fn promise_3_never_a_wrong_byte() {
    if !applicable("promise_3", &["/dev/fuse"]) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    let bytes: Vec<u8> = (0..8_u32 << 20).map(|n| (n % 251) as u8).collect();
    fs::write(mount.path("file"), &bytes).unwrap();
    mount.unmount();
    let mut segments: Vec<_> = fs::read_dir(pod.state().join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    segments.sort();
    let segment = File::options()
        .read(true)
        .write(true)
        .open(&segments[0])
        .unwrap();
    // The file's pages lie one behind the other in the first segment, from 1 MiB on for certain.
    for at in (2 << 20..4 << 20).step_by(64 * 4096 + 9) {
        let mut byte = [0];
        segment.read_exact_at(&mut byte, at).unwrap();
        segment.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }
    let mount = pod.mount();
    mount.expect_warnings();
    let file = File::open(mount.path("file")).unwrap();
    let mut refused = 0;
    for (nth, wanted) in bytes.chunks(4096).enumerate() {
        let mut page = [0; 4096];
        match file.read_exact_at(&mut page, nth as u64 * 4096) {
            Ok(()) => assert!(page == wanted, "page {nth} is wrong"),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EIO), "page {nth}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "no page was hit");
    drop(file);
    // However many pages it was, one record tells of the file.
    let recorded = wait_until(Duration::from_secs(20), || {
        fs::read_to_string(mount.path(".pod/audit.jsonl"))
            .is_ok_and(|log| log.contains("integrity-failure"))
    });
    assert!(recorded, "the log does not tell of it");
    let log = fs::read_to_string(mount.path(".pod/audit.jsonl")).unwrap();
    assert_eq!(log.matches("\"object\":\"file\"").count(), 1, "{log}");
    mount.unmount();
}

#[test]
fn promise_8_everything_works_without_a_network() {
    if !applicable("promise_8", &["root", "/dev/fuse", "unshare"]) {
        return;
    }
    let pod = Pod::new();
    let with_network = pod.mount_command("mnt", &[]);
    let mut alone = Command::new("unshare");
    alone.args(["--net", "--"]).arg(with_network.get_program());
    alone.args(with_network.get_args());
    pod.surround(&mut alone);
    let mount = pod.mount_by(&mut alone).unwrap();
    fs::write(mount.path("file"), "text").unwrap();
    let mut text = String::new();
    let mut file = File::open(mount.path("file")).unwrap();
    file.read_to_string(&mut text).unwrap();
    file.sync_all().unwrap();
    assert_eq!(text, "text");
    drop(file);
    mount.unmount();
}

#[test]
fn promise_9_a_folder_that_is_not_mounted_takes_nothing() {
    if !applicable("promise_9", &["root", "/dev/fuse"]) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    let dir = mount.dir().to_owned();
    mount.unmount();
    let accident = fs::write(dir.join("accident"), "text");
    assert!(accident.is_err(), "the bare mountpoint took a file");
    let again = pod.mount();
    fs::write(again.path("meant"), "text").unwrap();
    again.unmount();
}
