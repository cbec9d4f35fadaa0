//! What is said before something is shared or ended is what is done then; and what finds no room waits.

use std::fs;
use std::time::Duration;

use rustix::fs::FallocateFlags;

use crate::carried::{mounted, recovered};
use crate::network::{fails, json, podfs, says};
use crate::node::Fault;
use crate::people::exchange::asked;
use crate::people::revoked::batch;
use crate::people::shared::{accept, confirmed, share, small_lab};
use crate::people::*;
use crate::support::random::Random;
use crate::support::{applicable, wait_until};

fn given(pod: &Pod) -> Value {
    json(pod, &["shares", "--all", "--json"])["given"].clone()
}

#[test]
fn a_trial_is_refused_what_the_true_command_is() {
    if !applicable("a_trial_is_refused_what_the_true_command_is", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let lab = small_lab(&first);
    let blood = lab.join("blood.txt");
    let [top, lab, blood] = [first.dir(), &lab, &blood].map(|path| path.to_str().unwrap());
    let wrong: [(i32, &[&str]); 6] = [
        (2, &[blood, "--with", "Ben", "--rights", "append"]),
        (
            2,
            &[lab, "--with", "Ben", "--rights", "write", "--snapshot"],
        ),
        (2, &[lab, "--with", "Ben", "--until", "2020-01-01"]),
        (2, &[lab, "--with", "Ben", "--for", "x "]),
        (2, &[top, "--with", "Ben"]),
        (55, &[lab, "--with", "Eve"]),
    ];
    for (code, wish) in wrong {
        let wish = [&["share"], wish].concat();
        let told = fails(&anna, code, &wish);
        let trial = [wish.as_slice(), &["--dry-run"]].concat();
        assert_eq!(fails(&anna, code, &trial), told);
    }

    // Who asks for what nobody can be given is told.
    fails(&ben, 2, &["request", "Anna", "lab", "--for", "x "]);
    let ask = ["request", "Anna", "lab", "--for", "x", "--rights", "write"];
    says(&ben, &ask);
    let id = asked(&anna, "x");
    let approve = ["approve", &id, "--rights", "read", "--json"];
    let dry = json(&anna, &[approve.as_slice(), &["--dry-run"]].concat());
    assert_eq!(dry["names"], serde_json::json!(["lab", "lab/blood.txt"]));
    let eve = ["approve", &id, "--until", "2020-01-01", "--dry-run"];
    fails(&anna, 2, &eve);
    assert_eq!(given(&anna), serde_json::json!([]));
    let grant = json(&anna, &approve);
    assert_eq!(text(&grant, "rights"), "read");

    // A name that was chosen stays.
    confirmed(&anna);
    accept(&ben, &grant);
    let id = text(&grant, "id");
    let said = fails(&ben, 2, &["accept", id, "--name", "another"]);
    assert!(said.contains("is seen as \"lab\""), "{said}");
    says(&ben, &["accept", id, "--name", "lab"]);
    first.unmount();
    second.unmount();
}

#[test]
fn what_finds_no_room_waits_and_keeps_nothing_else_back() {
    let name = "what_finds_no_room_waits_and_keeps_nothing_else_back";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let large = Random::new(name).bytes(1 << 20);
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let lab = first.dir().join("lab");
    fs::create_dir(&lab).unwrap();
    fs::write(lab.join("large"), &large).unwrap();
    let grant = share(&anna, &lab, &[]);
    let grant = text(&grant, "id");
    confirmed(&anna);
    let batch = batch(&anna);
    first.unmount();
    second.unmount();

    // On a machine that has the names alone, and no node to write to.
    let anna = recovered(anna, &node);
    let mount = mounted(&anna, &["-o", "budget=160M"]);
    mount.expect_warnings();
    let known = wait_until(Duration::from_secs(60), || {
        podfs(&anna, &["shares", "--json"]).status.success()
    });
    assert!(known, "nobody knows what is shared");
    let silence = node.faults().add(Fault::Close.everywhere());
    let output = podfs(&anna, &["revoke", grant, "--level", "3", "--yes"]);
    assert!(!output.status.success(), "nobody takes what is sealed anew");
    assert_eq!(text(&given(&anna)[0], "state"), "revoked");
    let state = || {
        let receipt = json(&anna, &["revoke", grant, "--receipt", "--json"]);
        text(&receipt, "state").to_owned()
    };
    assert_eq!(state(), "sealing");

    // Until it is published something else takes the room.
    let fill = fs::File::create(mount.dir().join("fill")).unwrap();
    rustix::fs::fallocate(&fill, FallocateFlags::empty(), 0, 72 << 20).unwrap();
    drop(fill);
    node.faults().remove(silence);
    says(&anna, &["node", "add", &node.url(), "--batch", &batch]);
    let waits = wait_until(Duration::from_secs(60), || state() == "waiting");
    assert!(waits, "{}", state());
    fs::write(mount.dir().join("new"), "is published").unwrap();
    confirmed(&anna);
    assert_eq!(state(), "waiting");
    let said = says(&anna, &["revoke", grant, "--receipt"]);
    assert!(said.contains("waits for room"), "{said}");
    let why = given(&anna)[0]["trouble"].to_string();
    assert!(why.contains("waits for room"), "{why}");
    // Nor is a box made of what finds none.
    let lab = mount.dir().join("lab");
    let said = fails(&anna, 46, &["box", "create", lab.to_str().unwrap()]);
    assert!(said.contains("would have to be fetched first"), "{said}");
    let wait = ["revoke", grant, "--level", "3", "--yes"];
    let said = fails(&anna, 2, &wait);
    assert!(said.contains("would have to be fetched first"), "{said}");
    fs::remove_file(mount.dir().join("fill")).unwrap();
    let done = wait_until(Duration::from_secs(120), || state() == "done");
    assert!(done, "{}", state());
    assert!(fs::read(mount.dir().join("lab/large")).unwrap() == large);
    mount.unmount();
}
