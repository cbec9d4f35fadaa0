//! Folders that others may add to: what they add is seen at once, comes to the owner, and from there to everybody.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use crate::carried::{confirmed, mounted};
use crate::network::{fails, json, says};
use crate::node::Route;
use crate::people::shared::{PATIENCE, accept, share};
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

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[track_caller]
fn until_reads(path: &Path, wanted: &str) {
    let reads = || fs::read_to_string(path).is_ok_and(|read| read == wanted);
    assert!(wait_until(PATIENCE, reads), "{path:?} is not {wanted:?}");
}

#[track_caller]
fn comes(what: &str, path: &Path) {
    assert!(wait_until(PATIENCE, || path.exists()), "{what}: {path:?}");
}

/// Files that Ben added and that are his still.
fn added(ben: &Pod) -> u64 {
    let shares = json(ben, &["shares", "--json"]);
    shares["received"][0]["added"].as_u64().unwrap()
}

/// Whose it is: what others share is read only.
fn is_received(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o777 == 0o400)
}

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
    for (path, rights) in [("lab", "write"), ("lab/blood.txt", "append")] {
        let path = first.dir().join(path);
        let args = ["share", path.to_str().unwrap(), "--with", "Ben"];
        let said = fails(&anna, 2, &[&args[..], &["--rights", rights]].concat());
        assert!(said.contains("add"), "{said}");
    }
    let grant = shared_lab(&anna, &ben, (&first, &second));
    let seen = second.dir().join("Shared with me/Anna/lab");
    until_reads(&seen.join("blood.txt"), "good");
    // What is added is seen at once.
    let scan: Vec<_> = (0..300 * 1024_u32).map(|at| (at / 7) as u8).collect();
    fs::write(second.dir().join("own.bin"), &scan).unwrap();
    fs::write(seen.join("report.txt"), "all well").unwrap();
    fs::create_dir(seen.join("scans")).unwrap();
    fs::copy(second.dir().join("own.bin"), seen.join("scans/scan.bin")).unwrap();
    fs::write(seen.join("2026/new.txt"), "new").unwrap();
    fs::write(seen.join("note.txt"), "ben's").unwrap();
    fs::write(seen.join("same.txt"), "both's").unwrap();
    fs::write(lab.join("note.txt"), "anna's").unwrap();
    fs::write(lab.join("same.txt"), "both's").unwrap();
    assert_eq!(names(&seen.join("2026")), ["new.txt", "old.txt"]);
    assert_eq!(fs::read(seen.join("scans/scan.bin")).unwrap(), scan);
    until_reads(&seen.join("report.txt"), "all well");
    let written = fs::metadata(seen.join("report.txt")).unwrap();
    // Nothing of the owner's is changed by it.
    let blood = seen.join("blood.txt");
    for refused in [
        fs::write(&blood, "mine"),
        fs::remove_file(&blood),
        fs::rename(&blood, seen.join("mine.txt")),
        fs::rename(&blood, second.dir().join("mine.txt")),
        fs::rename(seen.join("report.txt"), &blood),
        fs::set_permissions(&blood, fs::Permissions::from_mode(0o600)),
        fs::remove_dir(seen.join("2026")),
        fs::rename(seen.join("2026"), seen.join("2027")),
        symlink("/etc/passwd", seen.join("link")),
    ] {
        refused.unwrap_err();
    }
    assert_eq!(fs::read(seen.join("2026/old.txt")).unwrap(), b"old");
    // It comes to the owner, and is hers.
    confirmed(&ben);
    comes("a file", &lab.join("report.txt"));
    until_reads(&lab.join("report.txt"), "all well");
    until_reads(&lab.join("note (from Ben).txt"), "ben's");
    until_reads(&lab.join("note.txt"), "anna's");
    comes("a file in a new folder", &lab.join("scans/scan.bin"));
    assert_eq!(fs::read(lab.join("scans/scan.bin")).unwrap(), scan);
    let report = fs::metadata(lab.join("report.txt")).unwrap();
    assert_eq!(report.permissions().mode() & 0o777, 0o644);
    assert_eq!(
        (report.mtime(), report.mtime_nsec()),
        (written.mtime(), written.mtime_nsec())
    );
    // What she removes does not come back.
    comes("a file in her folder", &lab.join("2026/new.txt"));
    fs::remove_file(lab.join("2026/new.txt")).unwrap();
    let of_anna = ["2026", "blood.txt", "note (from Ben).txt", "note.txt"];
    let of_anna = [&of_anna[..], &["report.txt", "same.txt", "scans"]].concat();
    assert_eq!(names(&lab), of_anna);
    // Hers takes the place of his.
    confirmed(&anna);
    for path in ["report.txt", "note (from Ben).txt", "scans/scan.bin"] {
        let is_hers = wait_until(PATIENCE, || is_received(&seen.join(path)));
        assert!(is_hers, "{path} is his still");
    }
    until_reads(&seen.join("note.txt"), "anna's");
    assert_eq!(fs::read(seen.join("scans/scan.bin")).unwrap(), scan);
    fs::write(seen.join("report.txt"), "changed").unwrap_err();
    for pod in [&anna, &ben] {
        let shares = json(pod, &["shares", "--json"]);
        let count = |list: &str| shares[list].as_array().unwrap().len();
        assert_eq!(count("given") + count("received"), 1, "{shares}");
    }
    let let_go = wait_until(PATIENCE, || added(&ben) <= 1);
    assert!(let_go, "{} files are not let go", added(&ben));
    // What comes too late is given back.
    fs::write(seen.join("late.txt"), "too late").unwrap();
    says(&anna, &["revoke", text(&grant, "id")]);
    let gone = wait_until(PATIENCE, || !second.dir().join("Shared with me").exists());
    assert!(gone, "what is revoked is still shown");
    let back = second.dir().join("lab (not taken over)");
    comes("what was not taken over", &back.join("late.txt"));
    let mut left = names(&back);
    left.retain(|name| name != "late.txt");
    // The one that she removed, if he had not heard of it before.
    assert!(left.is_empty() || left == ["2026"], "{left:?}");
    confirmed(&ben);
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(names(&lab), of_anna);
    assert_eq!(names(&lab.join("2026")), ["old.txt"]);
    drop((first, second));
    for pod in [&ben, &anna] {
        let passphrase = pod.path("passphrase");
        let passphrase = passphrase.to_str().unwrap();
        says(pod, &["check", "--passphrase-file", passphrase]);
    }
}

#[test]
fn kill_9_while_something_is_taken_over_makes_no_second_copy() {
    let name = "kill_9_while_something_is_taken_over_makes_no_second_copy";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    const FILES: usize = 40;
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let lab = first.dir().join("lab");
    fs::create_dir(&lab).unwrap();
    fs::write(lab.join("blood.txt"), "good").unwrap();
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
    assert!(came, "{:?}", names(&lab));
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
    for pod in [&ben, &anna] {
        let passphrase = pod.path("passphrase");
        let passphrase = passphrase.to_str().unwrap();
        says(pod, &["check", "--passphrase-file", passphrase]);
    }
}
