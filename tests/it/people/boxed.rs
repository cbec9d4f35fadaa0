//! What is in a box of its own is shared as everything else.

use std::fs;

use crate::carried::{mounted, recovered};
use crate::network::{json, says};
use crate::people::shared::{accept, confirmed, share, until, until_reads};
use crate::people::*;
use crate::support::applicable;

#[test]
fn a_box_and_a_folder_in_one_are_shared_as_any_folder() {
    if !applicable(
        "a_box_and_a_folder_in_one_are_shared_as_any_folder",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let notes = first.path("notes");
    says(&anna, &["box", "create", notes.to_str().unwrap()]);
    fs::create_dir(notes.join("deep")).unwrap();
    fs::write(notes.join("top.txt"), "top").unwrap();
    fs::write(notes.join("deep/file.txt"), "one").unwrap();
    let grants = [&notes, &notes.join("deep")].map(|it| share(&anna, it, &["--rights", "write"]));
    confirmed(&anna);
    for grant in &grants {
        accept(&ben, grant);
    }
    let seen = second.path("Shared with me/Anna");
    until_reads(&ben, &seen.join("notes/top.txt"), "top");
    until_reads(&ben, &seen.join("deep/file.txt"), "one");

    // What is changed through either becomes Anna's, in the box.
    fs::write(seen.join("notes/new.txt"), "two").unwrap();
    fs::write(seen.join("deep/file.txt"), "three").unwrap();
    confirmed(&ben);
    until_reads(&anna, &notes.join("new.txt"), "two");
    until_reads(&anna, &notes.join("deep/file.txt"), "three");
    let listed = json(&anna, &["box", "list", "--json"]);
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");

    says(&anna, &["revoke", text(&grants[1], "id")]);
    until(&ben, "it is still there", || !seen.join("deep").exists());
    until_reads(&ben, &seen.join("notes/deep/file.txt"), "three");

    // What came from him is published in the box.
    confirmed(&anna);
    first.unmount();
    let anna = recovered(anna, &node);
    let first = mounted(&anna, &[]);
    let notes = first.path("notes");
    assert_eq!(json(&anna, &["box", "list", "--json"]), listed);
    for (name, expected) in [("new.txt", "two"), ("deep/file.txt", "three")] {
        assert_eq!(fs::read_to_string(notes.join(name)).unwrap(), expected);
    }
}
