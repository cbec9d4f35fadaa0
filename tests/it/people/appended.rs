//! Folders that others may add to: what they add is seen at once, comes to the owner, and from there to everybody.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use podfs::types::limits::ADDED_SETTLES;

use crate::carried::mounted;
use crate::network::{fails, json, says};
use crate::node::Route;
use crate::people::shared::{PATIENCE, accept, confirmed, elsewhere, share, small_lab};
use crate::people::*;
use crate::support::mount::Mount;
use crate::support::pod::Pod;
use crate::support::{applicable, wait_until};

/// Anna's folder `lab`, which Ben may add to, as each of them sees it.
fn shared_lab(anna: &Pod, ben: &Pod, (hers, his): (&Mount<'_>, &Mount<'_>)) -> Value {
    let lab = hers.dir().join("lab");
    let grant = share(anna, &lab, &["--rights", "append"]);
    assert_eq!(text(&grant, "rights"), "append");
    confirmed(anna);
    accept(ben, &grant);
    let may_add = wait_until(PATIENCE, || {
        let lab = fs::metadata(his.dir().join("Shared with me/Anna/lab"));
        lab.is_ok_and(|lab| lab.permissions().mode() & 0o777 == 0o700)
    });
    assert!(may_add, "nothing can be added");
    grant
}

pub(super) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[track_caller]
pub(super) fn comes(what: &str, path: &Path) {
    let shown = path.display();
    assert!(wait_until(PATIENCE, || path.exists()), "{what}: {shown}");
}

/// Files that Ben added and that are his still.
pub(super) fn added(ben: &Pod) -> u64 {
    let shares = json(ben, &["shares", "--json"]);
    shares["received"][0]["added"].as_u64().unwrap()
}

/// Whose it is: what others share is read only.
pub(super) fn is_received(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o777 == 0o400)
}

/// Nothing of hers can be changed, replaced or removed.
fn assert_refused(seen: &Path, his: &Path) {
    let blood = seen.join("blood.txt");
    for refused in [
        fs::write(&blood, "mine"),
        fs::remove_file(&blood),
        fs::rename(&blood, seen.join("mine.txt")),
        fs::rename(&blood, his.join("mine.txt")),
        fs::rename(seen.join("report.txt"), &blood),
        fs::set_permissions(&blood, fs::Permissions::from_mode(0o600)),
        fs::remove_dir(seen.join("2026")),
        fs::rename(seen.join("2026"), seen.join("2027")),
        symlink("/etc/passwd", seen.join("link")),
    ] {
        refused.unwrap_err();
    }
    assert_eq!(fs::read(seen.join("2026/old.txt")).unwrap(), b"old");
}

/// Ben adds files and a folder, and sees them at once; at the same time Anna makes two of the same names.
fn add(lab: &Path, seen: &Path, scan: &[u8]) {
    let own = seen.join("../../../own.bin");
    fs::write(&own, scan).unwrap();
    fs::write(seen.join("report.txt"), "all well").unwrap();
    fs::create_dir(seen.join("scans")).unwrap();
    fs::copy(&own, seen.join("scans/scan.bin")).unwrap();
    fs::write(seen.join("2026/new.txt"), "new").unwrap();
    fs::write(seen.join("note.txt"), "ben's").unwrap();
    fs::write(seen.join("same.txt"), "both's").unwrap();
    fs::write(lab.join("note.txt"), "anna's").unwrap();
    fs::write(lab.join("same.txt"), "both's").unwrap();
    assert_eq!(names(&seen.join("2026")), ["new.txt", "old.txt"]);
    assert_eq!(fs::read(seen.join("scans/scan.bin")).unwrap(), scan);
    assert_eq!(fs::read(seen.join("report.txt")).unwrap(), b"all well");
}

/// What Ben added is Anna's, and what she removes of it does not come back.
fn assert_hers(lab: &Path, scan: &[u8], changed: (i64, i64)) {
    for (name, wanted) in [
        ("report.txt", "all well"),
        ("note (from Ben).txt", "ben's"),
        ("note.txt", "anna's"),
        ("same.txt", "both's"),
    ] {
        comes("a file", &lab.join(name));
        assert_eq!(fs::read(lab.join(name)).unwrap(), wanted.as_bytes());
    }
    comes("a file in a new folder", &lab.join("scans/scan.bin"));
    assert_eq!(fs::read(lab.join("scans/scan.bin")).unwrap(), scan);
    let report = fs::metadata(lab.join("report.txt")).unwrap();
    assert_eq!(report.permissions().mode() & 0o777, 0o644);
    assert_eq!((report.mtime(), report.mtime_nsec()), changed);
    comes("a file in her folder", &lab.join("2026/new.txt"));
    fs::remove_file(lab.join("2026/new.txt")).unwrap();
    assert_eq!(names(lab), OF_ANNA);
}

/// What she has in the end.
const OF_ANNA: [&str; 7] = [
    "2026",
    "blood.txt",
    "note (from Ben).txt",
    "note.txt",
    "report.txt",
    "same.txt",
    "scans",
];

#[test]
fn what_is_added_to_a_shared_folder_becomes_its_owners() {
    let name = "what_is_added_to_a_shared_folder_becomes_its_owners";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let lab = first.dir().join("lab");
    fs::create_dir_all(lab.join("2026")).unwrap();
    fs::write(lab.join("blood.txt"), "good").unwrap();
    fs::write(lab.join("2026/old.txt"), "old").unwrap();
    for (path, more) in [
        ("lab/blood.txt", &["--rights", "append"][..]),
        ("lab", &["--rights", "append", "--snapshot"]),
        ("lab", &["--rights", "write", "--snapshot"]),
    ] {
        let path = first.dir().join(path);
        let args = ["share", path.to_str().unwrap(), "--with", "Ben"];
        let said = fails(&anna, 2, &[&args[..], more].concat());
        assert!(said.contains("add"), "{said}");
    }
    let grant = shared_lab(&anna, &ben, (&first, &second));
    let seen = second.dir().join("Shared with me/Anna/lab");
    comes("what she has", &seen.join("blood.txt"));
    let scan: Vec<_> = (0..300 * 1024_u32).map(|at| (at / 7) as u8).collect();
    add(&lab, &seen, &scan);
    let report = fs::metadata(seen.join("report.txt")).unwrap();
    assert_refused(&seen, second.dir());
    confirmed(&ben);
    assert_hers(&lab, &scan, (report.mtime(), report.mtime_nsec()));
    // Hers takes the place of his.
    confirmed(&anna);
    for path in ["report.txt", "note (from Ben).txt", "scans/scan.bin"] {
        let is_hers = wait_until(PATIENCE, || is_received(&seen.join(path)));
        assert!(is_hers, "{path} is his still");
    }
    assert_eq!(fs::read(seen.join("note.txt")).unwrap(), b"anna's");
    assert_eq!(fs::read(seen.join("scans/scan.bin")).unwrap(), scan);
    fs::write(seen.join("report.txt"), "changed").unwrap_err();
    for pod in [&anna, &ben] {
        let shares = json(pod, &["shares", "--json"]);
        let count = |list: &str| shares[list].as_array().unwrap().len();
        assert_eq!(count("given") + count("received"), 1, "{shares}");
    }
    let let_go = wait_until(PATIENCE, || added(&ben) <= 1);
    assert!(let_go, "{} files are not let go", added(&ben));
    // What comes too late is given back, and with it what she removed, if he had not heard of it before.
    fs::write(seen.join("late.txt"), "too late").unwrap();
    says(&anna, &["revoke", text(&grant, "id")]);
    let back = second.dir().join("lab (not taken over)");
    comes("what was not taken over", &back.join("late.txt"));
    let mut left = names(&back);
    left.retain(|name| name != "late.txt");
    assert!(left.is_empty() || left == ["2026"], "{left:?}");
    // It stands there before the share is taken away.
    let shared = second.dir().join("Shared with me");
    let is_gone = wait_until(PATIENCE, || !shared.exists());
    assert!(is_gone, "the share is shown still");
    confirmed(&ben);
    std::thread::sleep(ADDED_SETTLES);
    assert_eq!(names(&lab), OF_ANNA);
    assert_eq!(names(&lab.join("2026")), ["old.txt"]);
    drop((first, second));
    assert_clean([&ben, &anna]);
}

pub(super) fn assert_clean(pods: [&Pod; 2]) {
    for pod in pods {
        let passphrase = pod.path("passphrase");
        let passphrase = passphrase.to_str().unwrap();
        says(pod, &["check", "--passphrase-file", passphrase]);
    }
}

/// More than are taken over before the kill.
const FILES: usize = 40;

#[test]
fn kill_9_while_something_is_taken_over_makes_no_second_copy() {
    let name = "kill_9_while_something_is_taken_over_makes_no_second_copy";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let lab = small_lab(&first);
    shared_lab(&anna, &ben, (&first, &second));
    let seen = second.dir().join("Shared with me/Anna/lab");
    let bytes = |nth: usize| vec![nth as u8; 20_000 + nth];
    for nth in 0..FILES {
        fs::write(seen.join(format!("{nth:02}.bin")), bytes(nth)).unwrap();
    }
    confirmed(&ben);
    let latency = |delay| node.faults().set_latency(Route::GetChunk, delay);
    latency(Duration::from_millis(100));
    let begun = wait_until(PATIENCE, || names(&lab).len() > 4);
    assert!(begun, "nothing comes");
    first.kill();
    let first = mounted(&anna, &[]);
    let lab = first.dir().join("lab");
    let taken = names(&lab).len();
    assert!(taken < FILES, "all came before the kill");
    latency(Duration::ZERO);
    let came = wait_until(PATIENCE, || names(&lab).len() > FILES);
    assert!(came, "not everything comes after the kill");
    // And nothing more, once all is quiet.
    confirmed(&anna);
    let is_let_go = wait_until(PATIENCE, || added(&ben) == 0);
    assert!(is_let_go, "what was taken over is not let go");
    assert_eq!(names(&lab).len(), FILES + 1, "{:?}", names(&lab));
    for nth in 0..FILES {
        let file = fs::read(lab.join(format!("{nth:02}.bin"))).unwrap();
        assert_eq!(file, bytes(nth));
    }
    drop((first, second));
    assert_clean([&ben, &anna]);
}

#[test]
fn what_was_added_comes_back_on_another_machine_and_goes_on_from_there() {
    let name = "what_was_added_comes_back_on_another_machine_and_goes_on_from_there";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    fs::create_dir(first.dir().join("lab")).unwrap();
    fs::write(first.dir().join("lab/blood.txt"), "good").unwrap();
    shared_lab(&anna, &ben, (&first, &second));
    confirmed(&anna);
    // She is away: nothing is taken over.
    drop(first);
    let seen = second.dir().join("Shared with me/Anna/lab");
    fs::create_dir(seen.join("scans")).unwrap();
    fs::write(seen.join("scans/a.bin"), vec![7; 100_000]).unwrap();
    confirmed(&ben);
    drop(second);
    let ben = elsewhere(ben, &node);
    let second = mounted(&ben, &[]);
    let seen = second.dir().join("Shared with me/Anna/lab");
    comes("what she has", &seen.join("blood.txt"));
    comes("what was added", &seen.join("scans/a.bin"));
    assert_eq!(added(&ben), 1);
    let scan = fs::read(seen.join("scans/a.bin")).unwrap();
    assert_eq!(scan, vec![7; 100_000]);
    fs::write(seen.join("scans/b.bin"), "new").unwrap();
    confirmed(&ben);
    let first = mounted(&anna, &[]);
    let lab = first.dir().join("lab");
    for name in ["scans/a.bin", "scans/b.bin"] {
        comes("what was added", &lab.join(name));
        assert_eq!(
            fs::read(lab.join(name)).unwrap(),
            fs::read(seen.join(name)).unwrap()
        );
    }
    confirmed(&anna);
    let let_go = wait_until(PATIENCE, || added(&ben) == 0);
    assert!(let_go, "what was taken over is not let go");
    assert_eq!(names(&seen.join("scans")), ["a.bin", "b.bin"]);
    drop((first, second));
    assert_clean([&ben, &anna]);
}
