//! What is refused, and what is said about it.

use std::fs;

use podfs::format::card::SIGNED_CARD_LEN;

use crate::people::contacts::{card, next_card};
use crate::people::*;
use crate::support::applicable;

/// What was typed, the exit code, and what has to be said about it.
type Refused<'a> = (i32, &'a [&'a str], &'a [&'a str]);

#[track_caller]
fn are_refused(pod: &Pod, all: &[Refused<'_>]) {
    for (code, args, said) in all {
        let args = [&["contact"], *args].concat();
        let printed = fails(pod, *code, &args);
        for part in *said {
            assert!(
                printed.contains(part),
                "{args:?}: {part:?} is not in {printed}"
            );
        }
    }
}

#[test]
fn what_is_no_card_is_told_with_the_next_step() {
    if !applicable("what_is_no_card_is_told_with_the_next_step", REQUIREMENTS) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let own = introduce(&anna);
    let identity = text(&own, "identity").to_owned();
    let file = ben.path("not a card");
    fs::write(&file, [0; SIGNED_CARD_LEN]).unwrap();
    let file = file.to_str().unwrap();
    let misspelt = identity.replace(&identity[40..42], "zz");
    let nobody = format!("0x{}", "1".repeat(40));
    let is_none: &[&str] = &["is no card", "next: give what podfs id show prints"];
    are_refused(
        &ben,
        &[
            (57, &["add", "Anna", file], is_none),
            (57, &["add", "Anna", "/nowhere"], is_none),
            (57, &["add", "Anna", &misspelt], is_none),
            (
                53,
                &["add", "Eve", &nobody],
                &["no card of this identity", "podfs id publish"],
            ),
            (2, &["add", "a/b", &identity], &["the name of a contact"]),
        ],
    );
    says(&ben, &["contact", "add", "Anna", &identity]);
    are_refused(
        &ben,
        &[
            (2, &["add", "Anna M.", &identity], &["the card of \"Anna\""]),
            (
                57,
                &["verify", "Anna", "--show"],
                &["no card yet", "podfs id publish"],
            ),
        ],
    );
    let ours = introduce(&ben);
    let next = next_card(&ben, &card(&ben, "own"), &ben, |_| ());
    are_refused(
        &ben,
        &[
            (
                57,
                &["add", "me", text(&ours, "identity")],
                &["of this pod itself"],
            ),
            (57, &["add", "Anna", &next], &["of this pod itself"]),
            (
                55,
                &["verify", "Eve", "--show"],
                &["no contact \"Eve\"", "podfs contact list"],
            ),
        ],
    );
    // A network that is gone is not "no card".
    drop(node);
    second.expect_warnings();
    are_refused(
        &ben,
        &[(47, &["add", "Eve", &nobody], &["podfs node test"])],
    );
    first.expect_warnings();
    first.unmount();
    second.unmount();
}

#[test]
fn of_a_pod_that_cannot_be_changed_people_are_told_of() {
    if !applicable(
        "of_a_pod_that_cannot_be_changed_people_are_told_of",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let own = introduce(&anna);
    introduce(&ben);
    says(&ben, &["contact", "add", "Anna", text(&own, "identity")]);
    first.unmount();
    second.unmount();
    let second = mounted(&ben, &["-o", "ro"]);
    assert!(says(&ben, &["contact", "show", "Anna"]).contains("not verified"));
    says(&ben, &["id", "show"]);
    let words = says(&ben, &["contact", "verify", "Anna", "--show"]);
    for args in [
        &["contact", "verify", "Anna", "--words", &words][..],
        &["contact", "remove", "Anna"],
        &["contact", "add", "Eve", text(&own, "identity")],
        &["id", "publish"],
    ] {
        let said = fails(&ben, 46, args);
        assert!(said.contains("mounted read-only"), "{said}");
    }
    second.unmount();
}
