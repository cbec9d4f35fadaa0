//! Replacing keys: by whom, what opens the pod afterwards, and how it ends when the daemon is killed in between.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::carried::{mounted, recovered};
use crate::network::{fails, json, says};
use crate::node::{Fault, Route};
use crate::people::replaced::replace;
use crate::people::shared::confirmed;
use crate::people::*;
use crate::support::{applicable, wait_until};

fn epoch(pod: &Pod) -> Value {
    json(pod, &["keys", "list", "--json"])["epoch"].clone()
}

#[test]
fn whatever_kills_the_daemon_the_keys_are_the_old_or_the_new() {
    let name = "whatever_kills_the_daemon_the_keys_are_the_old_or_the_new";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, node) = carried();
    let mount = mounted(&anna, &[]);
    introduce(&anna);
    fs::write(mount.path("plan.txt"), "as it was").unwrap();
    confirmed(&anna);
    mount.unmount();
    let keyfile = anna.state().join("podfs.key");
    let written = || fs::metadata(&keyfile).and_then(|it| it.modified()).ok();
    for (round, pause) in [0, 3, 10, 30, 100, 300].into_iter().enumerate() {
        let mount = mounted(&anna, &[]);
        mount.expect_warnings();
        let before: Option<SystemTime> = written();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let phrase = anna.path("phrase");
                let args = ["keys", "replace", "--phrase-file", phrase.to_str().unwrap()];
                let new = anna.path("passphrase");
                let more = ["--new-passphrase-file", new.to_str().unwrap()];
                // It may tell that it is not done everywhere.
                let output = anna
                    .command(&[args.as_slice(), &more].concat())
                    .output()
                    .unwrap();
                println!("after {pause} ms: {}", both(&output));
            });
            let came = wait_until(Duration::from_secs(120), || written() != before);
            assert!(came, "nothing is replaced");
            std::thread::sleep(Duration::from_millis(pause));
            mount.kill();
        });
        let mount = mounted(&anna, &[]);
        mount.expect_warnings();
        assert_eq!(epoch(&anna), round + 1);
        confirmed(&anna);
        let own = json(&anna, &["id", "show", "--json"]);
        assert_eq!(
            (&own["card"], &own["current"]),
            (&(round + 1).into(), &true.into())
        );
        let recorded = wait_until(Duration::from_secs(60), || {
            let log = says(&anna, &["audit"]);
            log.matches("keys replaced").count() == round + 1
        });
        assert!(recorded, "not in the audit log once for each time");
        says(&anna, &["audit", "verify"]);
        mount.unmount();
    }
    let pod = recovered(anna, &node);
    let mount = mounted(&pod, &[]);
    assert_eq!(
        fs::read_to_string(mount.path("plan.txt")).unwrap(),
        "as it was"
    );
    assert_eq!(epoch(&pod), 6);
}

/// Nothing in them changed since: what the new keys find of them was sealed with the old ones.
#[test]
fn boxes_come_back_right_after_keys_were_replaced() {
    if !applicable(
        "boxes_come_back_right_after_keys_were_replaced",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, node) = carried();
    let mount = mounted(&anna, &[]);
    for (name, flags) in [("notes", &["--dedup", "box"][..]), ("photos", &[])] {
        let path = mount.path(name);
        let made = ["box", "create", path.to_str().unwrap()];
        says(&anna, &[made.as_slice(), flags].concat());
        fs::create_dir(path.join("deep")).unwrap();
        fs::write(path.join("deep/file"), name.repeat(5000)).unwrap();
    }
    let listed = json(&anna, &["box", "list", "--json"]);
    confirmed(&anna);
    replace(&anna);
    confirmed(&anna);
    mount.unmount();
    let pod = recovered(anna, &node);
    let mount = mounted(&pod, &[]);
    assert_eq!(epoch(&pod), 1);
    assert_eq!(json(&pod, &["box", "list", "--json"]), listed);
    for name in ["notes", "photos"] {
        let read = fs::read_to_string(mount.path(name).join("deep/file"));
        assert!(read.unwrap() == name.repeat(5000), "{name}");
    }
    mount.unmount();
}

/// Whoever pinned the card before looks for the next number alone.
#[test]
fn keys_replaced_twice_in_a_row_leave_no_gap_between_cards() {
    let name = "keys_replaced_twice_in_a_row_leave_no_gap_between_cards";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (hers, his) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    hers.expect_warnings();
    confirmed(&anna);
    let busy = Fault::Page(503, None).on(Route::PostChunk);
    let busy = node.faults().add(busy);
    assert_eq!(replace(&anna)["epoch"], 1);
    // No node has the card, and the next one would be found by nobody.
    let phrase = anna.path("phrase");
    let again = ["keys", "rotate", "--phrase-file", phrase.to_str().unwrap()];
    let said = fails(&anna, 53, &again);
    assert!(said.contains("new keys"), "{said}");
    assert_eq!(epoch(&anna), 1);
    node.faults().remove(busy);
    let published = wait_until(Duration::from_secs(120), || {
        json(&anna, &["keys", "list", "--json"])["published"] == true
    });
    assert!(published, "the card is not published");
    says(&anna, &again);
    assert_eq!(epoch(&anna), 2);
    let found = wait_until(Duration::from_secs(120), || {
        says(&ben, &["inbox"]);
        json(&ben, &["contact", "show", "Anna", "--json"])["card"] == 2
    });
    assert!(found, "the newest card is not found");
    drop((hers, his));
}

#[test]
fn keys_that_nobody_has_are_rotated_and_what_opens_the_pod_stays() {
    let name = "keys_that_nobody_has_are_rotated_and_what_opens_the_pod_stays";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (hers, his) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let other = ben.path("phrase");
    let refused = ["keys", "rotate", "--phrase-file", other.to_str().unwrap()];
    let said = fails(&anna, 14, &refused);
    assert!(
        said.contains("not the recovery phrase of this pod"),
        "{said}"
    );
    introduce(&anna);
    let dry = json(&anna, &["keys", "rotate", "--dry-run", "--json"]);
    assert_eq!((&dry["epoch"], &dry["card"]), (&0.into(), &true.into()));
    let phrase = anna.path("phrase");
    let args = [
        "keys",
        "rotate",
        "--json",
        "--phrase-file",
        phrase.to_str().unwrap(),
    ];
    let done = json(&anna, &args);
    assert_eq!(
        (&done["epoch"], &done["resumed"]),
        (&1.into(), &false.into())
    );
    assert!(says(&anna, &["audit"]).contains("keys rotated"));
    let shown = says(&anna, &["keys", "list"]);
    assert!(
        shown.contains("epoch        1") && shown.contains("number 1"),
        "{shown}"
    );
    fs::write(hers.path("plan.txt"), "with new keys").unwrap();
    confirmed(&anna);
    hers.unmount();
    let said = fails(&anna, 44, &args);
    assert!(said.contains("podfs mount"), "{said}");
    // The passphrase is what it was.
    let hers = mounted(&anna, &[]);
    assert_eq!(epoch(&anna), 1);
    hers.unmount();
    drop(his);
    let pod = recovered(anna, &node);
    let mount = mounted(&pod, &[]);
    assert_eq!(
        fs::read_to_string(mount.path("plan.txt")).unwrap(),
        "with new keys"
    );
}

#[test]
fn what_opened_the_pod_opens_it_no_more_once_the_keys_are_replaced() {
    let name = "what_opened_the_pod_opens_it_no_more_once_the_keys_are_replaced";
    if !applicable(name, crate::tokens::NEEDS) {
        return;
    }
    let (anna, _node) = carried();
    let reader = crate::tokens::Reader::with("mine");
    assert!(reader.add(&anna, &["--create"]).status.success());
    let mount = mounted(&anna, &[]);
    let dry = says(&anna, &["keys", "replace", "--dry-run"]);
    assert!(
        dry.contains("token \"mine\" would open the pod no more"),
        "{dry}"
    );
    let old = fs::read_to_string(anna.path("passphrase")).unwrap();
    let done = replace(&anna);
    assert_eq!(done["tokens_dropped"][0]["label"], "mine");
    mount.unmount();
    let new = fs::read_to_string(anna.path("passphrase")).unwrap();
    fs::write(anna.path("passphrase"), old).unwrap();
    let refused = anna.try_mount(&[]).map(drop).unwrap_err();
    assert_eq!(refused.status.code(), Some(12), "{}", both(&refused));
    fs::write(anna.path("passphrase"), new).unwrap();
    let mount = mounted(&anna, &[]);
    assert_eq!(epoch(&anna), 1);
    let opens = json(&anna, &["keys", "list", "--json"])["opens"].clone();
    assert_eq!(opens["tokens"].as_array().unwrap().len(), 0, "{opens}");
    mount.unmount();
}
