//! A second phrase takes the place of one that was stolen: contacts follow, what is shared goes on, and whoever has the
//! first phrase is nobody any more.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::carried::{mounted, recover, recovered};
use crate::network::{fails, json, says};
use crate::people::replaced::{NEW_PASSPHRASE, People, goes_on, reads, share_all};
use crate::people::shared::{confirmed, until};
use crate::people::*;
use crate::support::{applicable, wait_until};

/// Where the second phrase of a pod is.
fn second(pod: &Pod) -> PathBuf {
    pod.path("second")
}

/// The arguments of `podfs keys successor`.
fn fixing<'a>(phrase: &'a PathBuf, second: &'a PathBuf) -> [&'a str; 7] {
    let [phrase, second] = [phrase, second].map(|file| file.to_str().unwrap());
    [
        "keys",
        "successor",
        "--json",
        "--phrase-file",
        phrase,
        "--successor-file",
        second,
    ]
}

/// `podfs keys successor`; gives the identity that is fixed.
#[track_caller]
fn fix(pod: &Pod) -> String {
    let (phrase, second) = (pod.path("phrase"), second(pod));
    let fixed = json(pod, &fixing(&phrase, &second));
    text(&fixed, "successor").to_owned()
}

/// The arguments of `podfs keys handover` to the phrase in `file`.
fn handing_over(pod: &Pod, file: &str) -> Vec<String> {
    fs::write(pod.path("new passphrase"), NEW_PASSPHRASE).unwrap();
    let path = |name: &str| pod.path(name).to_str().unwrap().to_owned();
    let mut args: Vec<String> = ["keys", "handover", "--json", "--phrase-file"]
        .map(str::to_owned)
        .to_vec();
    let more = ["--passphrase-file".to_owned(), path("passphrase")];
    args.push(path(file));
    args.extend(more);
    args.extend(["--new-passphrase-file".to_owned(), path("new passphrase")]);
    args
}

fn strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// From now on the second phrase is the one that the owner has.
fn turns_to_second(pod: &Pod) {
    fs::write(pod.path("passphrase"), NEW_PASSPHRASE).unwrap();
    fs::copy(second(pod), pod.path("phrase")).unwrap();
}

fn contact(friend: &Pod) -> Value {
    json(friend, &["contact", "show", "Anna", "--json"])
}

/// A machine of whoever has stolen the first phrase of Anna, recovered from the network.
fn thief_of(anna: &Pod, url: &str) -> Pod {
    let thief = anna.elsewhere();
    recover(&thief, url);
    thief
}

#[test]
fn a_successor_takes_over_and_whoever_has_the_first_phrase_is_nobody() {
    let name = "a_successor_takes_over_and_whoever_has_the_first_phrase_is_nobody";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let people = People::new();
    let anna = &people.anna;
    let hers = mounted(anna, &[]);
    let theirs = people.friends.each_ref().map(|friend| mounted(friend, &[]));
    people.meet();
    let before = json(anna, &["id", "show", "--json"]);
    assert_eq!(
        json(anna, &["keys", "list", "--json"])["successor"],
        Value::Null
    );
    let fixed = fix(anna);
    assert_eq!(
        json(anna, &["keys", "list", "--json"])["successor"],
        fixed.as_str()
    );
    for friend in &people.friends {
        until(friend, "the card with the successor is not found", || {
            contact(friend)["successor"].is_string()
        });
    }
    let shared = share_all(&people, &hers, &theirs);

    let thief = thief_of(anna, &people.node.url());
    let his = mounted(&thief, &[]);
    his.expect_warnings();
    is_anna_by_now(&people, &thief);

    confirmed(anna);
    let paid = people.node.network().paid_by(&people.pages);
    let done = json(anna, &strs(&handing_over(anna, "second")));
    assert_eq!(
        (&done["epoch"], &done["resumed"]),
        (&1.into(), &false.into())
    );
    turns_to_second(anna);
    confirmed(anna);
    let now = people.node.network().paid_by(&people.pages);
    assert_eq!(now, paid, "data was sent again");
    let own = json(anna, &["id", "show", "--json"]);
    assert_eq!(
        (&own["card"], text(&own, "identity")),
        (&0.into(), fixed.as_str())
    );
    for friend in &people.friends {
        until(friend, "the successor is not followed", || {
            contact(friend)["fingerprint"] == own["fingerprint"]
        });
        assert_eq!(contact(friend)["known_as"], before["fingerprint"]);
    }
    goes_on(&people, &shared);
    for pod in people.friends.iter().chain([anna]) {
        says(pod, &["audit", "verify"]);
    }
    of_no_use(&people, &thief, text(&before, "identity"));
    confirmed(anna);
    drop((his, hers, theirs));
    comes_back(people);
}

/// The thief makes a card that everybody believes, but cannot fix another successor.
fn is_anna_by_now(people: &People, thief: &Pod) {
    let batch = hexadecimal(&people.node.buy_batch(20));
    says(
        thief,
        &["node", "add", &people.node.url(), "--batch", &batch],
    );
    introduce(thief);
    until(
        &people.friends[0],
        "the card of the thief is not found",
        || contact(&people.friends[0])["card"] == 2,
    );
    let (phrase, other) = (thief.path("phrase"), second(thief));
    let said = fails(thief, 2, &fixing(&phrase, &other));
    assert!(
        said.contains("a successor is fixed already") && !other.exists(),
        "{said}"
    );
    let said = fails(thief, 14, &strs(&handing_over(thief, "phrase")));
    assert!(said.contains("not the phrase of the successor"), "{said}");
}

/// What is published with the first phrase from now on is taken by nobody, and with it nothing is recovered.
fn of_no_use(people: &People, thief: &Pod, identity: &str) {
    let [ben, _] = &people.friends;
    let astray = thief.path("mnt").join("astray");
    fs::create_dir(&astray).unwrap();
    fs::write(astray.join("bait"), "bait").unwrap();
    let phrase = thief.path("phrase");
    let renew = ["id", "publish", "--renew", "--phrase-file"];
    says(
        thief,
        &[renew.as_slice(), &[phrase.to_str().unwrap()]].concat(),
    );
    confirmed(thief);
    let was = contact(ben);
    for _ in 0..3 {
        says(ben, &["inbox"]);
    }
    assert_eq!(contact(ben), was);
    let said = fails(ben, 57, &["contact", "add", "Anna", identity]);
    assert!(said.contains("has left this identity"), "{said}");
    let again = thief.elsewhere();
    let mut command =
        again.command(&["recover", "--node", &people.node.url(), "--passphrase-file"]);
    let output = command
        .arg(again.path("passphrase"))
        .arg("--phrase-file")
        .arg(again.path("phrase"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(14), "{}", both(&output));
    assert!(both(&output).contains("handed over to its successor"));
}

/// On a new machine, from the second phrase alone.
fn comes_back(people: People) {
    let pod = recovered(people.anna, &people.node);
    let mount = mounted(&pod, &[]);
    assert!(reads(&mount.dir().join("lab/blood.txt"), "better"));
    assert!(reads(&mount.dir().join("lab/report.txt"), "from Ben"));
    assert!(!mount.dir().join("astray").exists());
    assert_eq!(json(&pod, &["keys", "list", "--json"])["epoch"], 1);
    says(&pod, &["audit", "verify"]);
    // The first machine made what is there: this one has numbers of its own.
    fs::write(mount.path("later"), "later").unwrap();
    assert!(reads(&mount.dir().join("lab/blood.txt"), "better"));
    let batch = hexadecimal(&people.node.buy_batch(20));
    let add = ["node", "add", &people.node.url(), "--batch", &batch];
    says(&pod, &add);
    introduce(&pod);
    assert_eq!(json(&pod, &["id", "show", "--json"])["card"], 1);
}

#[test]
fn whatever_kills_the_daemon_the_pod_is_that_of_the_first_phrase_or_the_second() {
    let name = "whatever_kills_the_daemon_the_pod_is_that_of_the_first_phrase_or_the_second";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, node) = carried();
    let mount = mounted(&anna, &[]);
    mount.expect_warnings();
    introduce(&anna);
    let said = fails(&anna, 2, &strs(&handing_over(&anna, "phrase")));
    assert!(said.contains("no successor is fixed"), "{said}");
    fix(&anna);
    fs::write(mount.path("plan.txt"), "as it was").unwrap();
    confirmed(&anna);
    let keyfile = anna.state().join("podfs.key");
    let before = fs::read(&keyfile).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let args = handing_over(&anna, "second");
            println!("{}", both(&anna.command(&strs(&args)).output().unwrap()));
        });
        let came = wait_until(Duration::from_secs(120), || {
            fs::read(&keyfile).is_ok_and(|now| now != before)
        });
        assert!(came, "the keyfile stays what it was");
        mount.kill();
    });
    let first = fs::read(anna.path("phrase")).unwrap();
    turns_to_second(&anna);
    let mount = mounted(&anna, &[]);
    mount.expect_warnings();
    confirmed(&anna);
    let own = json(&anna, &["id", "show", "--json"]);
    assert_eq!((&own["card"], &own["current"]), (&0.into(), &true.into()));
    let published = wait_until(Duration::from_secs(120), || {
        json(&anna, &["id", "show", "--json"])["published"] == true
    });
    assert!(published, "the card of the successor is not published");
    let recorded = wait_until(Duration::from_secs(60), || {
        says(&anna, &["audit"]).matches("keys replaced").count() == 1
    });
    assert!(recorded, "not in the audit log");
    says(&anna, &["audit", "verify"]);
    let phrase = anna.path("first");
    fs::write(&phrase, first).unwrap();
    let refused = ["keys", "rotate", "--phrase-file", phrase.to_str().unwrap()];
    fails(&anna, 14, &refused);
    mount.unmount();
    let pod = recovered(anna, &node);
    let mount = mounted(&pod, &[]);
    assert!(reads(&mount.path("plan.txt"), "as it was"));
    if crate::restore::can_run("another_program_restores_what_was_handed_over") {
        let list = Path::new("--list");
        let listed = crate::restore::restore_with(&pod.path("phrase"), &node, list);
        let said = both(&listed);
        assert!(
            listed.status.success() && said.contains("plan.txt"),
            "{said}"
        );
    }
}
