//! Where what others share is seen besides, and what becomes of what is shared with people who are forgotten or stopped.

use std::fs;

use crate::carried::mounted;
use crate::people::shared::{accept, confirmed, share, small_lab, until};
use crate::people::told::signed_as_ended;
use crate::people::*;
use crate::support::applicable;

const REVOKED: &str = "--revoke";

#[test]
fn a_link_is_made_where_it_is_wanted() {
    if !applicable("a_link_is_made_where_it_is_wanted", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let lab = small_lab(&first);
    let grant = share(&anna, &lab, &[]);
    confirmed(&anna);
    let (id, work) = (text(&grant, "id"), second.dir().join("work/2026"));
    fs::create_dir_all(&work).unwrap();
    let into = |dir: &str| ["accept", id, "--into", dir].map(str::to_owned);
    until(&ben, "the grant does not come", || {
        let shares = json(&ben, &["shares", "--json"]);
        !shares["received"].as_array().unwrap().is_empty()
    });
    let wanted = work.to_str().unwrap();
    let said = says(&ben, &into(wanted).each_ref().map(String::as_str));
    assert!(said.contains("lab"), "{said}");
    let link = work.join("lab");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    until(&ben, "the link leads nowhere", || {
        fs::read_to_string(link.join("blood.txt")).is_ok_and(|read| read == "good")
    });
    // The same again is no mistake; something else in its place is not touched.
    says(&ben, &into(wanted).each_ref().map(String::as_str));
    fs::write(second.dir().join("work/lab"), "mine").unwrap();
    let above = second.dir().join("work");
    let above = into(above.to_str().unwrap());
    let said = fails(&ben, 2, &above.each_ref().map(String::as_str));
    assert!(said.contains("it is taken, and the link"), "{said}");
    let file = into(second.dir().join("work/lab").to_str().unwrap());
    let said = fails(&ben, 2, &file.each_ref().map(String::as_str));
    assert!(said.contains("is no folder"), "{said}");
    // It is his, and stays, when there is nothing behind it any more.
    says(&anna, &["revoke", id]);
    until(&ben, "the folder does not go", || {
        fs::metadata(&link).is_err()
    });
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    first.unmount();
    second.unmount();
}

#[test]
fn nobody_is_forgotten_who_still_has_something() {
    if !applicable("nobody_is_forgotten_who_still_has_something", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let lab = small_lab(&first);
    let grant = share(&anna, &lab, &[]);
    confirmed(&anna);
    accept(&ben, &grant);
    let seen = second.dir().join("Shared with me/Anna/lab/blood.txt");
    until(&ben, "the folder does not come", || seen.exists());

    // A card that nothing vouches for stops what is told to her or him, and not for ever.
    let pinned = contacts::card(&ben, "card");
    let forged = contacts::next_card(&ben, &pinned, &anna, |card| {
        card.previous = [9; 32];
    });
    fails(&anna, 56, &["contact", "add", "Ben", &forged]);
    let shown = json(&anna, &["contact", "show", "Ben", "--json"]);
    assert_eq!(shown["alarm"], true);
    fs::write(lab.join("blood.txt"), "better").unwrap();
    confirmed(&anna);
    let shares = json(&anna, &["shares", "--json"]);
    let shown = shares.to_string();
    assert!(
        shown.contains("nothing new is published to them"),
        "{shown}"
    );
    for _ in 0..2 {
        says(&ben, &["inbox"]);
        assert_eq!(fs::read_to_string(&seen).unwrap(), "good");
    }

    let said = fails(&anna, 2, &["contact", "remove", "Ben"]);
    assert!(said.contains("1 grants of \"Ben\" are alive"), "{said}");
    assert!(
        said.contains("podfs contact remove \"Ben\" --revoke"),
        "{said}"
    );
    says(&anna, &["contact", "remove", "Ben", REVOKED]);
    let shares = json(&anna, &["shares", "--json"]);
    assert_eq!(shares["given"], serde_json::json!([]));
    until(&ben, "the folder does not go", || !seen.exists());
    fails(&anna, 55, &["contact", "show", "Ben"]);
    signed_as_ended(&anna, text(&grant, "id"));
    first.unmount();
    second.unmount();
}
