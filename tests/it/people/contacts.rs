//! Cards are handed over, pinned, renewed, and refused.

use std::fs;

use podfs::crypto::Phrase;
use podfs::crypto::identity::sign_card;
use podfs::crypto::keys::{IdentityKey, RootKey};
use podfs::format::card::{Card, SIGNED_CARD_LEN, SignedCard};

use crate::carried::{confirmed, recover, recovered};
use crate::people::*;
use crate::support::{applicable, bytes_below};

/// The card that a pod writes to a file.
pub(super) fn card(pod: &Pod, file: &str) -> SignedCard {
    let out = pod.path(file);
    says(pod, &["id", "show", "--out", out.to_str().unwrap()]);
    SignedCard::read(&fs::read(out).unwrap()).unwrap()
}

/// What only the phrase gives.
fn identity(pod: &Pod) -> IdentityKey {
    let phrase = Phrase::parse(&fs::read_to_string(pod.path("phrase")).unwrap()).unwrap();
    RootKey::derive(&phrase.seed(), None).identity(0)
}

/// Signs what `change` makes of the card after `before`, and writes it to a file of `to`.
pub(super) fn next_card(
    of: &Pod,
    before: &SignedCard,
    to: &Pod,
    change: impl Fn(&mut Card),
) -> String {
    let mut card = before.card().clone();
    card.number += 1;
    card.previous = before.hash();
    change(&mut card);
    let chunk = sign_card(&identity(of), card.number, &card.encode()).unwrap();
    let file = to.path("next card");
    let signed = SignedCard::read(chunk.bytes()).unwrap();
    fs::write(&file, signed.bytes()).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn two_people_know_each_other() {
    if !applicable("two_people_know_each_other", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let said = fails(&anna, 44, &["id", "show"]);
    assert!(said.contains("podfs mount DIR"), "{said}");
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let said = fails(&anna, 57, &["id", "show"]);
    assert!(said.contains("next: podfs id publish"), "{said}");
    let foreign = ben.path("phrase");
    let said = fails(
        &anna,
        14,
        &["id", "publish", "--phrase-file", foreign.to_str().unwrap()],
    );
    assert!(
        said.contains("not the recovery phrase of this pod"),
        "{said}"
    );

    let own = introduce(&anna);
    assert_eq!((&own["card"], &own["published"]), (&0.into(), &true.into()));
    // The phrase was needed once.
    assert_eq!(json(&anna, &["id", "publish", "--json"]), own);
    assert_eq!(json(&anna, &["id", "show", "--json"]), own);
    introduce(&ben);
    let added = json(
        &ben,
        &["contact", "add", "Anna", text(&own, "identity"), "--json"],
    );
    assert_eq!(added["fingerprint"], own["fingerprint"]);
    assert_eq!(added["verified"], false);
    // The other way round by a file.
    let file = ben.path("card");
    says(&ben, &["id", "show", "--out", file.to_str().unwrap()]);
    assert_eq!(fs::metadata(&file).unwrap().len(), SIGNED_CARD_LEN as u64);
    fails(&ben, 2, &["id", "show", "--out", file.to_str().unwrap()]);
    says(&anna, &["contact", "add", "Ben", file.to_str().unwrap()]);

    let words = says(&anna, &["contact", "verify", "Ben", "--show"]);
    assert_eq!(words.split_whitespace().count(), 7, "{words}");
    assert_eq!(says(&ben, &["contact", "verify", "Anna", "--show"]), words);
    let other = words.replacen(char::is_whitespace, " zoo ", 1);
    let said = fails(&anna, 56, &["contact", "verify", "Ben", "--words", &other]);
    assert!(said.contains("the words are not the same"), "{said}");
    let shown = json(&anna, &["contact", "show", "Ben", "--json"]);
    assert_eq!(shown["verified"], false);
    says(
        &anna,
        &["contact", "verify", "Ben", "--words", &words.to_uppercase()],
    );

    // What was answered is there after the end of the daemon, whatever that is, and in an index that is made anew.
    first.kill();
    let passphrase = anna.path("passphrase");
    let passphrase = passphrase.to_str().unwrap();
    says(
        &anna,
        &["check", "--rebuild", "--passphrase-file", passphrase],
    );
    let first = mounted(&anna, &[]);
    let all = json(&anna, &["contact", "list", "--json"]);
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(
        (&all[0]["name"], &all[0]["verified"]),
        (&"Ben".into(), &true.into())
    );
    says(&anna, &["contact", "remove", "Ben"]);
    let said = fails(&anna, 55, &["contact", "show", "Ben"]);
    assert!(said.contains("next: podfs contact list"), "{said}");
    assert_eq!(
        json(&anna, &["contact", "list", "--json"]),
        serde_json::json!([])
    );
    first.unmount();
    second.unmount();
}

/// A machine that comes back from the phrase has other keys, and the identity vouches for them.
#[test]
fn a_newer_card_takes_the_place_of_the_pinned_one() {
    if !applicable(
        "a_newer_card_takes_the_place_of_the_pinned_one",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, ben, node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let own = introduce(&anna);
    let identity = text(&own, "identity").to_owned();
    introduce(&ben);
    says(&ben, &["contact", "add", "Anna", &identity]);
    let words = says(&ben, &["contact", "verify", "Anna", "--show"]);
    says(&ben, &["contact", "verify", "Anna", "--words", &words]);
    let old = card(&anna, "old card");
    fs::copy(anna.path("old card"), ben.path("old card")).unwrap();
    fs::write(first.path("file"), "published").unwrap();
    confirmed(&anna);
    first.unmount();
    let anna = recovered(anna, &node);
    let batch = hexadecimal(&node.buy_batch(20));
    says(&anna, &["node", "add", &node.url(), "--batch", &batch]);
    let first = mounted(&anna, &[]);
    let newer = introduce(&anna);
    assert_eq!(
        (&newer["card"], &newer["identity"]),
        (&1.into(), &own["identity"])
    );
    let now = card(&anna, "new card");
    assert!(now.follows(&old) && now.card().sign != old.card().sign);

    let renewed = json(&ben, &["contact", "add", "Anna", &identity, "--json"]);
    assert_eq!(
        (&renewed["card"], &renewed["verified"]),
        (&1.into(), &true.into())
    );
    let file = ben.path("old card");
    let said = fails(
        &ben,
        57,
        &["contact", "add", "Anna", file.to_str().unwrap()],
    );
    assert!(said.contains("older than the one that is pinned"), "{said}");
    let shown = json(&ben, &["contact", "show", "Anna", "--json"]);
    assert_eq!(
        (&shown["card"], &shown["alarm"]),
        (&1.into(), &false.into())
    );

    // Three cards on, of which the one in the middle is in nobody's hands.
    let far = next_card(&anna, &now, &ben, |card| {
        card.number += 1;
        card.previous = [7; 32];
    });
    let said = fails(&ben, 53, &["contact", "add", "Anna", &far]);
    assert!(said.contains("are not to be had"), "{said}");
    first.unmount();
    second.unmount();
}

/// Of two machines of one person each makes a card; who comes second is told, and makes the next one.
#[test]
fn two_machines_make_one_chain_of_cards() {
    if !applicable("two_machines_make_one_chain_of_cards", REQUIREMENTS) {
        return;
    }
    let (anna, node) = carried();
    let first = mounted(&anna, &[]);
    introduce(&anna);
    let one = card(&anna, "one");
    fs::write(first.path("file"), "published").unwrap();
    confirmed(&anna);
    let other = anna.elsewhere();
    recover(&other, &node.url());
    let second = mounted(&other, &[]);
    let phrase = other.path("phrase");
    let phrase = ["--phrase-file", phrase.to_str().unwrap()];
    let publish = [&["id", "publish"], &phrase[..]].concat();
    let said = fails(&other, 50, &publish);
    assert!(said.contains("podfs id show --out"), "{said}");
    let batch = hexadecimal(&node.buy_batch(20));
    says(&other, &["node", "add", &node.url(), "--batch", &batch]);
    assert_eq!(introduce(&other)["card"], 1);
    let two = card(&other, "two");
    assert!(two.follows(&one));
    let said = fails(&anna, 56, &["id", "publish"]);
    assert!(
        said.contains("another card") && said.contains("--renew"),
        "{said}"
    );
    let renew = [&publish[..], &["--renew", "--json"]].concat();
    assert_eq!(json(&anna, &renew)["card"], 2);
    assert!(card(&anna, "three").follows(&two));
    first.unmount();
    second.unmount();
}

/// Whoever has the phrase signs what he likes, but not what a pinned card leads to.
#[test]
fn a_card_that_nothing_vouches_for_stops_the_contact() {
    if !applicable(
        "a_card_that_nothing_vouches_for_stops_the_contact",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let own = introduce(&anna);
    let identity = text(&own, "identity").to_owned();
    introduce(&ben);
    says(&ben, &["contact", "add", "Anna", &identity]);
    let pinned = card(&anna, "card");
    let changes: [fn(&mut Card); 3] = [
        |card| card.previous = [9; 32],
        |card| (card.number, card.previous, card.sign) = (0, [0; 32], [9; 32]),
        |card| card.identity_number = 1,
    ];
    for change in changes {
        let forged = next_card(&anna, &pinned, &ben, change);
        let said = fails(&ben, 56, &["contact", "add", "Anna", &forged]);
        assert!(said.contains("does not vouch for"), "{said}");
        assert!(said.contains("podfs contact remove \"Anna\""), "{said}");
        let shown = json(&ben, &["contact", "show", "Anna", "--json"]);
        assert_eq!((&shown["card"], &shown["alarm"]), (&0.into(), &true.into()));
        // Nothing is done with her any more, not even with the right card.
        fails(&ben, 56, &["contact", "verify", "Anna", "--show"]);
        fails(&ben, 56, &["contact", "add", "Anna", &identity]);
        assert!(says(&ben, &["contact", "list"]).contains("STOPPED"));
        says(&ben, &["contact", "remove", "Anna"]);
        says(&ben, &["contact", "add", "Anna", &identity]);
    }
    let right = next_card(&anna, &pinned, &ben, |_| ());
    let renewed = json(&ben, &["contact", "add", "Anna", &right, "--json"]);
    assert_eq!(renewed["card"], 1);
    first.unmount();
    second.unmount();
}

/// Names of people are secrets; and what the daemon writes at rest has none.
#[test]
fn nothing_tells_whom_somebody_knows() {
    if !applicable("nothing_tells_whom_somebody_knows", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    let own = introduce(&anna);
    let name = "Anna Canary Umlaut-Ärztin";
    says(&ben, &["contact", "add", name, text(&own, "identity")]);
    let owner = card(&anna, "card").card().owner();
    first.unmount();
    second.unmount();
    assert!(bytes_below(&ben.state()) > 0);
    let mut files = Vec::new();
    crate::support::pod::read_files(&ben.state(), std::path::Path::new(""), &mut files);
    files.push((ben.log(), fs::read(ben.log()).unwrap()));
    for (path, bytes) in files {
        for secret in [name.as_bytes(), &owner.0, hexadecimal(&owner.0).as_bytes()] {
            let found = bytes.windows(secret.len()).any(|it| it == secret);
            assert!(!found, "{}", path.display());
        }
    }
}
