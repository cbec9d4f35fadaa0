//! What a person meets around a mount: folders that do not fit, dead mounts, busy ones, locks, passphrases.

use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use rustix::mount::MountFlags;
use rustix::mount::UnmountFlags;
use rustix::process::Signal;

use crate::support::applicable;
use crate::support::both;
use crate::support::mount::is_gone;
use crate::support::pod::Pod;
use crate::support::pod::mountpoints;
use crate::support::wait_until;

/// How long the daemon may take to notice what was done to it.
const NOTICE: Duration = Duration::from_secs(10);

#[track_caller]
fn refused(output: &Output, code: i32, words: &[&str]) {
    let said = both(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    let said = String::from_utf8_lossy(&output.stderr);
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(said.contains("  next: "), "no advice: {said}");
}

#[track_caller]
fn mount_refused(pod: &Pod, flags: &[&str], code: i32, words: &[&str]) {
    match pod.try_mount(flags) {
        Err(output) => refused(&output, code, words),
        Ok(_) => panic!("mounted with {flags:?}"),
    }
}

#[test]
fn a_second_mount_names_the_first() {
    if !applicable("a_second_mount_names_the_first", &["/dev/fuse"]) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    let pid = mount.pid().as_raw_nonzero().to_string();
    let place = mount.dir().to_str().unwrap();
    let again = pod.mount_command("mnt", &[]).output().unwrap();
    refused(&again, 40, &[&pid, place]);
    let elsewhere = pod.mount_command("other", &[]).output().unwrap();
    refused(&elsewhere, 40, &[&pid, place]);
    let check = pod
        .command(&["check", "--passphrase-file", "/dev/null"])
        .output()
        .unwrap();
    refused(&check, 40, &[&pid, place]);
}

#[test]
fn folders_that_do_not_fit() {
    if !applicable("folders_that_do_not_fit", &["/dev/fuse"]) {
        return;
    }
    let pod = Pod::new();
    let full = pod.path("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("x"), "x").unwrap();
    refused(
        &pod.mount_command("full", &[]).output().unwrap(),
        10,
        &["not empty"],
    );
    fs::write(pod.path("file"), "x").unwrap();
    refused(
        &pod.mount_command("file", &[]).output().unwrap(),
        10,
        &["not a folder"],
    );
    let mut missing = pod.mount_command("missing", &[]);
    fs::remove_dir(pod.path("missing")).unwrap();
    refused(&missing.output().unwrap(), 10, &["no such folder", "mkdir"]);
    fs::create_dir(pod.state().join("inside")).unwrap();
    let mut inside = pod.command(&["mount"]);
    inside
        .arg(pod.state().join("inside"))
        .arg("--passphrase-file")
        .arg(pod.path("passphrase"));
    refused(&inside.output().unwrap(), 10, &["state"]);
    assert_eq!(fs::read(full.join("x")).unwrap(), b"x");
}

#[test]
fn a_foreign_mount_is_left_alone() {
    if !applicable("a_foreign_mount_is_left_alone", &["/dev/fuse", "root"]) {
        return;
    }
    let pod = Pod::new();
    let place = pod.path("mnt");
    fs::create_dir(&place).unwrap();
    rustix::mount::mount("none", &place, "tmpfs", MountFlags::empty(), None).unwrap();
    mount_refused(&pod, &[], 10, &["tmpfs"]);
    let output = pod.command(&["unmount"]).arg(&place).output().unwrap();
    refused(&output, 44, &["tmpfs"]);
    assert_eq!(mountpoints().filter(|point| *point == place).count(), 1);
    rustix::mount::unmount(&place, UnmountFlags::empty()).unwrap();
}

#[test]
fn promise_9_a_bare_mountpoint_takes_nothing() {
    if !applicable("promise_9_a_bare_mountpoint_takes_nothing", &["/dev/fuse"]) {
        return;
    }
    let pod = Pod::new();
    pod.mount().unmount();
    let place = pod.path("mnt");
    let mode = fs::metadata(&place).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o500);
    let wrote = fs::write(place.join("x"), "in clear").unwrap_err();
    assert_eq!(wrote.kind(), io::ErrorKind::PermissionDenied, "{wrote}");
    // A daemon that dies leaves it closed as well.
    pod.mount().kill();
    rustix::mount::unmount(&place, UnmountFlags::DETACH).unwrap();
    fs::write(place.join("x"), "in clear").unwrap_err();
    pod.mount().unmount();
    let output = pod
        .command(&["unmount", "--release"])
        .arg(&place)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", both(&output));
    fs::write(place.join("x"), "mine").unwrap();
}

#[test]
fn a_dead_mount_is_cleared_away() {
    if !applicable("a_dead_mount_is_cleared_away", &["/dev/fuse"]) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    fs::write(mount.path("x"), "x").unwrap();
    mount.kill();
    let doctor = pod.command(&["doctor"]).output().unwrap();
    assert_eq!(doctor.status.code(), Some(26), "{}", both(&doctor));
    let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(told.contains("next: podfs unmount"), "{told}");
    let mount = pod.mount();
    mount.expect_warnings();
    assert_eq!(fs::read(mount.path("x")).unwrap(), b"x");
    let place = mount.dir().to_owned();
    assert_eq!(mountpoints().filter(|point| *point == place).count(), 1);
    mount.kill();
    let output = pod.command(&["unmount"]).arg(&place).output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
    assert!(!mountpoints().any(|point| point == place));
}

#[test]
fn a_busy_folder_stays_and_its_holder_is_named() {
    if !applicable(
        "a_busy_folder_stays_and_its_holder_is_named",
        &["/dev/fuse"],
    ) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    let file = File::create(mount.path("held")).unwrap();
    let output = pod.command(&["unmount"]).arg(mount.dir()).output().unwrap();
    refused(&output, 41, &[&std::process::id().to_string()]);
    fs::write(mount.path("y"), "still there").unwrap();
    drop(file);
    // And cut off, when it is asked for.
    let file = File::create(mount.path("held")).unwrap();
    let output = pod
        .command(&["unmount", "--lazy"])
        .arg(mount.dir())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", both(&output));
    drop(file);
    assert!(wait_until(NOTICE, || is_gone(mount.pid())));
    mount.ended_by_itself();
    let mount = pod.mount();
    assert_eq!(fs::read(mount.path("y")).unwrap(), b"still there");
}

#[test]
fn somebody_elses_umount_ends_the_daemon() {
    if !applicable(
        "somebody_elses_umount_ends_the_daemon",
        &["/dev/fuse", "root"],
    ) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    fs::write(mount.path("x"), "x").unwrap();
    rustix::mount::unmount(mount.dir(), UnmountFlags::empty()).unwrap();
    assert!(wait_until(NOTICE, || is_gone(mount.pid())), "it goes on");
    mount.ended_by_itself();
    assert_eq!(pod.status()["state"], "not mounted");
    let mount = pod.mount();
    assert_eq!(fs::read(mount.path("x")).unwrap(), b"x");
}

#[test]
fn a_signal_ends_it_in_time_even_when_it_is_in_use() {
    if !applicable(
        "a_signal_ends_it_in_time_even_when_it_is_in_use",
        &["/dev/fuse"],
    ) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    let held = File::create(mount.path("held")).unwrap();
    rustix::process::kill_process(mount.pid(), Signal::TERM).unwrap();
    assert!(
        wait_until(NOTICE, || is_gone(mount.pid())),
        "older than 10 s"
    );
    assert!(!mountpoints().any(|point| point == mount.dir()));
    mount.ended_by_itself();
    drop(held);
}

#[test]
fn idle_it_unmounts_but_not_while_a_file_is_open() {
    if !applicable(
        "idle_it_unmounts_but_not_while_a_file_is_open",
        &["/dev/fuse"],
    ) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount_with(&["--idle", "1s"]);
    let held = File::create(mount.path("held")).unwrap();
    // The first try of the daemon to unmount is in its log, and fails.
    let tried = || {
        fs::read_to_string(pod.log())
            .unwrap_or_default()
            .contains("stays mounted")
    };
    assert!(wait_until(NOTICE, tried), "never idle");
    assert!(!is_gone(mount.pid()));
    drop(held);
    assert!(
        wait_until(NOTICE, || is_gone(mount.pid())),
        "never unmounted"
    );
    mount.ended_by_itself();
    assert_eq!(pod.status()["state"], "not mounted");
}

#[test]
fn a_wrong_passphrase_and_a_damaged_keyfile_look_alike() {
    if !applicable(
        "a_wrong_passphrase_and_a_damaged_keyfile_look_alike",
        &["/dev/fuse"],
    ) {
        return;
    }
    let pod = Pod::new();
    let right = fs::read(pod.path("passphrase")).unwrap();
    fs::write(pod.path("passphrase"), "wrong").unwrap();
    let wrong = pod.try_mount(&[]).err().unwrap();
    refused(&wrong, 12, &["wrong passphrase, or the keyfile is damaged"]);
    fs::write(pod.path("passphrase"), &right).unwrap();
    let keyfile = pod.state().join("podfs.key");
    let mut bytes = fs::read(&keyfile).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&keyfile, bytes).unwrap();
    let damaged = pod.try_mount(&[]).err().unwrap();
    assert_eq!(damaged.status.code(), wrong.status.code());
    assert_eq!(damaged.stderr, wrong.stderr);
}

#[test]
fn a_new_passphrase_by_the_old_one_and_by_the_phrase() {
    if !applicable(
        "a_new_passphrase_by_the_old_one_and_by_the_phrase",
        &["/dev/fuse"],
    ) {
        return;
    }
    let pod = Pod::new();
    let passwd = |flags: &[&str], new: &str| {
        fs::write(pod.path("new"), new).unwrap();
        let mut command = pod.command(&["passwd", "--new-passphrase-file"]);
        command.arg(pod.path("new"));
        for flag in flags {
            command
                .arg(flag)
                .arg(pod.path(flag.trim_start_matches("--").trim_end_matches("-file")));
        }
        command.output().unwrap()
    };
    let by_old = passwd(&["--passphrase-file"], "second");
    assert!(by_old.status.success(), "{}", both(&by_old));
    refused(&passwd(&["--passphrase-file"], "third"), 12, &[]);
    fs::write(pod.path("passphrase"), "second").unwrap();
    pod.mount().unmount();
    let by_phrase = passwd(&["--phrase-file"], "fourth");
    assert!(by_phrase.status.success(), "{}", both(&by_phrase));
    refused(&pod.try_mount(&[]).err().unwrap(), 12, &[]);
    fs::write(pod.path("passphrase"), "fourth").unwrap();
    pod.mount().unmount();
}

#[test]
fn what_lies_around_is_for_its_owner_alone() {
    if !applicable("what_lies_around_is_for_its_owner_alone", &["/dev/fuse"]) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&pod.sockets().join("main.sock")), 0o600);
    assert_eq!(mode(&pod.log()), 0o600);
    assert_eq!(mode(&pod.state().join("podfs.key")), 0o600);
    assert_eq!(mode(mount.dir()), 0o700);
    let limits = fs::read_to_string(format!("/proc/{}/limits", mount.pid().as_raw_nonzero()));
    let limits = limits.unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}

#[test]
fn init_overwrites_nothing() {
    let pod = Pod::new();
    let init = |name: &str, phrase: &str| {
        let mut command = pod.command(&["init", "--pod", name, "--passphrase-file"]);
        command.arg(pod.path("passphrase"));
        command
            .arg("--phrase-file")
            .arg(pod.path(phrase))
            .output()
            .unwrap()
    };
    refused(&init("main", "new"), 7, &["already"]);
    assert!(!pod.path("new").exists());
    let before = fs::read(pod.path("phrase")).unwrap();
    refused(&init("second", "phrase"), 7, &["exist"]);
    assert_eq!(fs::read(pod.path("phrase")).unwrap(), before);
    let made = init("second", "new");
    assert!(made.status.success(), "{}", both(&made));
    let phrase = fs::read_to_string(pod.path("new")).unwrap();
    assert_eq!(phrase.split_whitespace().count(), 24);
    let bits = fs::metadata(pod.path("new")).unwrap().permissions().mode() & 0o777;
    assert_eq!(bits, 0o600);
    // A log that lost its keyfile may still be somebody's data.
    let keyfile = pod.state().with_file_name("second").join("podfs.key");
    fs::remove_file(keyfile).unwrap();
    refused(&init("second", "third"), 7, &["no keyfile"]);
    assert!(!pod.path("third").exists());
}
