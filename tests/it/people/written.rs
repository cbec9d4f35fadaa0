//! What others may change: it is changed at once, comes to the owner, and nothing that either of them wrote is lost.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::carried::mounted;
use crate::network::{json, says};
use crate::node::Route;
use crate::people::appended::{added, assert_clean, comes, names};
use crate::people::shared::{PATIENCE, accept, confirmed, share, until};
use crate::people::*;
use crate::support::mount::Mount;
use crate::support::pod::Pod;
use crate::support::{applicable, wait_until};

/// Something of Anna's that Ben may change, `what` in her folder, and where he sees it.
#[track_caller]
pub(super) fn writable(
    (anna, hers): (&Pod, &Mount<'_>),
    (ben, his): (&Pod, &Mount<'_>),
    what: &str,
) -> (PathBuf, PathBuf, Value) {
    let grant = share(anna, &hers.dir().join(what), &["--rights", "write"]);
    assert_eq!(text(&grant, "rights"), "write");
    confirmed(anna);
    accept(ben, &grant);
    let name = Path::new(what).file_name().unwrap();
    let seen = his.dir().join("Shared with me/Anna").join(name);
    until(ben, "nothing can be changed", || {
        let seen = fs::metadata(&seen);
        seen.is_ok_and(|seen| seen.permissions().mode() & 0o200 != 0)
    });
    (hers.dir().join(what), seen, grant)
}

/// She mounts again and ends the grant before what he did meanwhile comes.
#[track_caller]
pub(super) fn ends_unseen<'pod>(anna: &'pod Pod, node: &Node, grant: &Value) -> Mount<'pod> {
    node.faults()
        .set_latency(Route::GetChunk, Duration::from_millis(200));
    let mount = mounted(anna, &[]);
    says(anna, &["revoke", text(grant, "id")]);
    node.faults().set_latency(Route::GetChunk, Duration::ZERO);
    mount
}

/// Everything that Ben did is with Anna, and came back from her.
#[track_caller]
pub(super) fn settled(anna: &Pod, ben: &Pod) {
    confirmed(ben);
    let is_settled = wait_until(PATIENCE * 3, || {
        says(anna, &["inbox"]);
        says(ben, &["inbox"]);
        added(ben) == 0
    });
    assert!(is_settled, "{} changes are not let go", added(ben));
}

#[track_caller]
pub(super) fn reads(path: &Path, wanted: &str) {
    let read = fs::read_to_string(path);
    assert!(
        matches!(&read, Ok(read) if read == wanted),
        "{}: {read:?} is not {wanted:?}",
        path.display()
    );
}

fn lab(mount: &Mount<'_>) {
    let lab = mount.dir().join("lab");
    for dir in ["2026/march", "empty", "a folder"] {
        fs::create_dir_all(lab.join(dir)).unwrap();
    }
    for (name, text) in [
        ("blood.txt", "good"),
        ("saved.txt", "before"),
        ("appended.txt", "one\n"),
        ("cut.txt", "a long text"),
        ("renamed.txt", "renamed"),
        ("removed.txt", "removed"),
        ("run.sh", "#!/bin/sh\necho ran\n"),
        ("2026/old.txt", "old"),
        ("2026/march/deep.txt", "deep"),
        ("a file", "a file"),
        ("a folder/deep", "deep"),
    ] {
        fs::write(lab.join(name), text).unwrap();
    }
    let scan: Vec<_> = (0..300 * 1024_u32).map(|at| (at / 7) as u8).collect();
    fs::write(lab.join("scan.bin"), scan).unwrap();
}

/// As programs do.
fn change(seen: &Path) {
    fs::write(seen.join("blood.txt"), "better").unwrap();
    // An editor: what it saves takes the place of what was there.
    fs::write(seen.join(".saved.tmp"), "after").unwrap();
    fs::rename(seen.join(".saved.tmp"), seen.join("saved.txt")).unwrap();
    let append = |name: &str| OpenOptions::new().append(true).open(seen.join(name));
    append("appended.txt").unwrap().write_all(b"two\n").unwrap();
    let cut = OpenOptions::new().write(true).open(seen.join("cut.txt"));
    cut.unwrap().set_len(6).unwrap();
    let rename = |from: &str, to: &str| fs::rename(seen.join(from), seen.join(to)).unwrap();
    rename("renamed.txt", "2026/new name.txt");
    fs::remove_file(seen.join("removed.txt")).unwrap();
    fs::remove_dir(seen.join("empty")).unwrap();
    fs::create_dir(seen.join("made")).unwrap();
    fs::write(seen.join("made/new.txt"), "new").unwrap();
    rename("2026/march", "april");
    // One takes the place of the other, with what was in it.
    rename("a folder/deep", "deep");
    fs::remove_dir(seen.join("a folder")).unwrap();
    rename("deep", "a folder");
    rename("a file", "kept");
    fs::create_dir(seen.join("a file")).unwrap();
    rename("kept", "a file/kept");
    let run = seen.join("run.sh");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o700)).unwrap();
    // A page in the middle: the others stay where they are.
    let scan = OpenOptions::new().write(true).open(seen.join("scan.bin"));
    std::os::unix::fs::FileExt::write_all_at(&scan.unwrap(), b"changed", 100_000).unwrap();
}

fn assert_changed(dir: &Path) {
    for (name, text) in [
        ("blood.txt", "better"),
        ("saved.txt", "after"),
        ("appended.txt", "one\ntwo\n"),
        ("cut.txt", "a long"),
        ("2026/new name.txt", "renamed"),
        ("2026/old.txt", "old"),
        ("made/new.txt", "new"),
        ("april/deep.txt", "deep"),
        ("a folder", "deep"),
        ("a file/kept", "a file"),
    ] {
        reads(&dir.join(name), text);
    }
    assert_eq!(names(&dir.join("2026")), ["new name.txt", "old.txt"]);
    let mut scan: Vec<_> = (0..300 * 1024_u32).map(|at| (at / 7) as u8).collect();
    scan[100_000..100_007].copy_from_slice(b"changed");
    assert_eq!(fs::read(dir.join("scan.bin")).unwrap(), scan);
    let mode = fs::metadata(dir.join("run.sh")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o100, 0o100);
    let all =
        "2026|a file|a folder|appended.txt|april|blood.txt|cut.txt|made|run.sh|saved.txt|scan.bin";
    assert_eq!(names(dir).join("|"), all);
}

#[test]
fn what_is_changed_in_a_shared_folder_comes_to_its_owner() {
    let name = "what_is_changed_in_a_shared_folder_comes_to_its_owner";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    lab(&first);
    let (lab, seen, grant) = writable((&anna, &first), (&ben, &second), "lab");
    until(&ben, "not all comes", || names(&seen).len() == 12);
    // Open before it was changed: it reads on.
    let mut open = File::open(seen.join("blood.txt")).unwrap();
    change(&seen);
    let mut read = String::new();
    open.read_to_string(&mut read).unwrap();
    assert_eq!(read, "better");
    drop(open);
    assert_changed(&seen);
    settled(&anna, &ben);
    assert_changed(&lab);
    assert_changed(&seen);
    // Again, and made from what came back.
    fs::write(seen.join("blood.txt"), "best").unwrap();
    fs::remove_file(seen.join("made/new.txt")).unwrap();
    fs::remove_dir(seen.join("made")).unwrap();
    settled(&anna, &ben);
    reads(&lab.join("blood.txt"), "best");
    assert!(!lab.join("made").exists());
    let said = says(&anna, &["audit", "--json"]);
    for (kind, path) in [
        ("changed", "lab/blood.txt"),
        ("added", "lab/2026/new name.txt"),
        ("removed", "lab/removed.txt"),
        ("removed", "lab/made"),
    ] {
        let mut lines = said.lines().map(|line| serde_json::from_str(line).unwrap());
        let told = lines.any(|line: Value| {
            line["kind"] == kind
                && line["object"] == path
                && line["name"] == "Ben"
                && line["grant"] == grant["id"]
        });
        assert!(told, "{kind} {path} is not in the audit log: {said}");
    }
    json(&anna, &["audit", "verify", "--json"]);
    drop((first, second));
    assert_clean([&ben, &anna]);
}

/// Both change it once more: what was kept beside it the first time stays.
#[track_caller]
fn both_are_kept_again((anna, lab): (&Pod, &Path), (ben, seen): (&Pod, &Path)) {
    fs::write(lab.join("both"), "anna's again").unwrap();
    fs::write(seen.join("both"), "ben's again").unwrap();
    settled(anna, ben);
    for (name, text) in [
        ("both", "anna's again"),
        ("both (from Ben)", "ben's"),
        ("both (from Ben 2)", "ben's again"),
    ] {
        for dir in [lab, seen] {
            until(ben, name, || {
                fs::read_to_string(dir.join(name)).is_ok_and(|read| read == text)
            });
        }
    }
}

#[test]
fn what_both_changed_is_kept_twice() {
    if !applicable("what_both_changed_is_kept_twice", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    fs::create_dir_all(first.path("lab/d")).unwrap();
    for name in ["both", "hers", "his", "kept", "gone", "same", "d/in"] {
        fs::write(first.path("lab").join(name), "before").unwrap();
    }
    let (lab, seen, _) = writable((&anna, &first), (&ben, &second), "lab");
    until(&ben, "not all comes", || names(&seen).len() == 7);
    // At the same time.
    fs::write(lab.join("both"), "anna's").unwrap();
    fs::write(seen.join("both"), "ben's").unwrap();
    fs::remove_file(lab.join("his")).unwrap();
    fs::write(seen.join("his"), "ben's").unwrap();
    fs::write(lab.join("hers"), "anna's").unwrap();
    fs::remove_file(seen.join("hers")).unwrap();
    fs::write(lab.join("same"), "both's").unwrap();
    fs::write(seen.join("same"), "both's").unwrap();
    fs::remove_file(lab.join("gone")).unwrap();
    fs::remove_file(seen.join("gone")).unwrap();
    fs::write(lab.join("d/more"), "anna's").unwrap();
    fs::remove_file(seen.join("d/in")).unwrap();
    fs::remove_dir(seen.join("d")).unwrap();
    fs::write(lab.join("new"), "anna's").unwrap();
    fs::write(seen.join("new"), "ben's").unwrap();
    settled(&anna, &ben);
    let all = [
        "both",
        "both (from Ben)",
        "d",
        "hers",
        "his (from Ben)",
        "kept",
        "new",
        "new (from Ben)",
        "same",
    ];
    until(&ben, "they do not see the same", || {
        names(&lab) == all && names(&seen) == all
    });
    for dir in [&lab, &seen] {
        for (name, text) in [
            ("both", "anna's"),
            ("both (from Ben)", "ben's"),
            ("his (from Ben)", "ben's"),
            ("hers", "anna's"),
            ("same", "both's"),
            ("new", "anna's"),
            ("new (from Ben)", "ben's"),
            ("kept", "before"),
            ("d/more", "anna's"),
        ] {
            reads(&dir.join(name), text);
        }
        assert_eq!(names(&dir.join("d")), ["more"]);
    }
    both_are_kept_again((&anna, &lab), (&ben, &seen));
    drop((first, second));
    assert_clean([&ben, &anna]);
}

/// More than are taken over before the kill.
const FILES: usize = 30;

#[test]
fn kill_9_of_either_while_changes_are_taken_over_loses_and_doubles_nothing() {
    let name = "kill_9_of_either_while_changes_are_taken_over_loses_and_doubles_nothing";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    fs::create_dir(first.path("lab")).unwrap();
    let file = |dir: &Path, nth: usize| dir.join(format!("{nth:02}.bin"));
    for nth in 0..FILES {
        fs::write(file(&first.path("lab"), nth), vec![0; 20_000 + nth]).unwrap();
    }
    let (lab, seen, _) = writable((&anna, &first), (&ben, &second), "lab");
    until(&ben, "not all comes", || names(&seen).len() == FILES);
    let bytes = |nth: usize| vec![nth as u8 + 1; 20_000 + nth];
    for nth in 0..FILES {
        match nth % 3 {
            0 => fs::write(file(&seen, nth), bytes(nth)).unwrap(),
            1 => fs::remove_file(file(&seen, nth)).unwrap(),
            _ => fs::rename(file(&seen, nth), file(&seen, nth + 100)).unwrap(),
        }
    }
    let changed = names(&seen);
    // What was answered is there after a kill of his, too.
    second.kill();
    let second = mounted(&ben, &[]);
    assert_eq!(names(&seen), changed);
    confirmed(&ben);
    let latency = |delay| node.faults().set_latency(Route::GetChunk, delay);
    latency(Duration::from_millis(60));
    let count = || {
        let taken = |nth: &usize| fs::read(file(&lab, *nth)).is_ok_and(|read| read == bytes(*nth));
        (0..FILES).step_by(3).filter(taken).count()
    };
    let begun = wait_until(PATIENCE, || {
        says(&anna, &["inbox"]);
        count() > 1
    });
    assert!(begun, "nothing comes");
    first.kill();
    let first = mounted(&anna, &[]);
    latency(Duration::ZERO);
    settled(&anna, &ben);
    confirmed(&anna);
    until(&ben, "they do not see the same", || {
        names(&lab) == changed && names(&seen) == changed
    });
    for nth in 0..FILES {
        for dir in [&lab, &seen] {
            match nth % 3 {
                0 => assert_eq!(fs::read(file(dir, nth)).unwrap(), bytes(nth)),
                1 => assert!(!file(dir, nth).exists()),
                _ => assert_eq!(fs::read(file(dir, nth + 100)).unwrap().len(), 20_000 + nth),
            }
        }
    }
    drop((first, second));
    assert_clean([&ben, &anna]);
}

#[test]
fn nothing_is_changed_once_the_grant_ended() {
    if !applicable("nothing_is_changed_once_the_grant_ended", REQUIREMENTS) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    fs::create_dir(first.path("lab")).unwrap();
    for name in ["changed", "removed", "renamed"] {
        fs::write(first.path("lab").join(name), "before").unwrap();
    }
    let (lab, seen, grant) = writable((&anna, &first), (&ben, &second), "lab");
    until(&ben, "not all comes", || names(&seen).len() == 3);
    let bytes_of = || {
        let names = names(&lab).into_iter();
        let read = |name: String| (fs::read_to_string(lab.join(&name)).unwrap(), name);
        names.map(read).collect::<Vec<_>>()
    };
    let before = bytes_of();
    // It ends before what he does comes: she does not see it until then.
    drop(first);
    fs::write(seen.join("changed"), "too late").unwrap();
    fs::remove_file(seen.join("removed")).unwrap();
    fs::rename(seen.join("renamed"), seen.join("other")).unwrap();
    confirmed(&ben);
    let first = ends_unseen(&anna, &node, &grant);
    let back = second.path("lab (not taken over)");
    until(&ben, "it is not given back", || {
        back.join("changed").exists()
    });
    reads(&back.join("changed"), "too late");
    comes("what was renamed", &back.join("other"));
    assert!(!second.path("Shared with me").exists());
    confirmed(&anna);
    confirmed(&ben);
    assert_eq!(bytes_of(), before);
    drop((first, second));
    assert_clean([&ben, &anna]);
}
