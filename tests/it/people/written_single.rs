//! A single file that others may change; and what its owner does not keep of it, or of one in a folder.

use std::fs::{self, File};
use std::path::PathBuf;

use crate::carried::mounted;
use crate::network::{json, says};
use crate::people::appended::{assert_clean, names};
use crate::people::shared::{PATIENCE, confirmed, until};
use crate::people::written::{reads, settled, writable};
use crate::people::*;
use crate::support::{applicable, wait_until};

#[test]
fn a_single_file_is_changed_and_given_back_when_both_changed_it() {
    let name = "a_single_file_is_changed_and_given_back_when_both_changed_it";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    fs::create_dir(first.path("papers")).unwrap();
    fs::write(first.path("papers/plan.txt"), "one").unwrap();
    let what = "papers/plan.txt";
    let (plan, seen, grant) = writable((&anna, &first), (&ben, &second), what);
    for refused in [
        fs::write(seen.with_file_name("beside.txt"), "x"),
        fs::remove_file(&seen),
        fs::rename(&seen, seen.with_file_name("other.txt")),
    ] {
        refused.unwrap_err();
    }
    fs::write(&seen, "two").unwrap();
    settled(&anna, &ben);
    reads(&plan, "two");
    reads(&seen, "two");
    // What she has open is not replaced under her hands.
    let open = File::open(&plan).unwrap();
    fs::write(&seen, "three").unwrap();
    confirmed(&ben);
    let is_told = wait_until(PATIENCE, || {
        says(&anna, &["inbox"]);
        let shares = json(&anna, &["shares", "--json"]);
        let trouble = shares["given"][0]["trouble"].as_str();
        trouble.is_some_and(|why| why.contains("is open here"))
    });
    assert!(is_told, "nobody says that it is open");
    reads(&plan, "two");
    drop(open);
    settled(&anna, &ben);
    reads(&plan, "three");
    fs::write(&plan, "anna's").unwrap();
    fs::write(&seen, "ben's").unwrap();
    settled(&anna, &ben);
    reads(&plan, "anna's");
    until(&ben, "hers is not seen", || {
        fs::read_to_string(&seen).is_ok_and(|read| read == "anna's")
    });
    let kept = |path: PathBuf| fs::read_to_string(path).is_ok_and(|read| read == "ben's");
    let is_kept = kept(first.path("papers/plan (from Ben).txt"))
        || kept(second.path("plan.txt (not taken over)"));
    assert!(is_kept, "what he wrote is lost");
    // Nothing is taken over once it ended, and it is given back.
    fs::write(&seen, "late").unwrap();
    says(&anna, &["revoke", text(&grant, "id")]);
    let back = second.path("plan.txt (not taken over 2)");
    let other = second.path("plan.txt (not taken over)");
    let came = wait_until(PATIENCE, || {
        says(&ben, &["inbox"]);
        [&back, &other]
            .into_iter()
            .any(|back| fs::read_to_string(back.join("plan.txt")).is_ok_and(|read| read == "late"))
    });
    assert!(came, "what was not taken over is lost");
    reads(&plan, "anna's");
    drop((first, second));
    assert_clean([&ben, &anna]);
}

#[test]
fn what_the_owner_does_not_keep_comes_to_stand_beside_theirs() {
    let name = "what_the_owner_does_not_keep_comes_to_stand_beside_theirs";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    fs::create_dir(first.path("lab")).unwrap();
    fs::write(first.path("lab/both.txt"), "before").unwrap();
    let (lab, seen, _) = writable((&anna, &first), (&ben, &second), "lab");
    until(&ben, "not all comes", || names(&seen).len() == 1);
    fs::write(lab.join("both.txt"), "anna's").unwrap();
    fs::write(seen.join("both.txt"), "ben's").unwrap();
    confirmed(&ben);
    // He does not hear of the copy that she removes.
    second.unmount();
    until(&anna, "there is no copy", || {
        lab.join("both (from Ben).txt").exists()
    });
    fs::remove_file(lab.join("both (from Ben).txt")).unwrap();
    confirmed(&anna);
    let clock = ben.path("clock");
    fs::write(&clock, "3600").unwrap();
    let mut mount = ben.mount_command("mnt", &[]);
    let second = ben.mount_by(mount.env("PODFS_TEST_CLOCK", &clock)).unwrap();
    second.expect_connections();
    let all = ["both.txt", "both.txt (not taken over)"];
    until(&ben, "his is not set beside", || names(&seen) == all);
    until(&ben, "hers is not seen", || {
        fs::read_to_string(seen.join(all[0])).is_ok_and(|read| read == "anna's")
    });
    reads(&seen.join(all[1]), "ben's");
    drop((first, second));
    assert_clean([&ben, &anna]);
}
