//! A folder that took the place of a file, and a file that took the place of a folder.

use super::merged::{Lab, OWNER, arrived, name};
use super::*;
use crate::pod::fake::Network;

const FOLDER: u32 = 0o040_500;
const FILE: u32 = 0o100_400;

/// Names in one of Anna's folders, in order.
fn below(lab: &Lab, dir: Ino) -> Vec<String> {
    let names = lab.pod().own_names(dir).unwrap().into_iter();
    let text = |name: Name| String::from_utf8_lossy(name.as_bytes()).into_owned();
    let mut names: Vec<_> = names.map(|entry| text(entry.name)).collect();
    names.sort();
    names
}

fn folder(lab: &Lab, dir: Ino, named: &str) -> Ino {
    let folder = arrived(FOLDER, 0, 0);
    lab.pod().receive(dir, &name(named), &folder).unwrap()
}

/// Ben noted what she has as it is.
fn is_noted(lab: &Lab, (was, named): (Ino, &str), hers: &str, dir: Ino) {
    let note = lab.arrives(was, named, &arrived(FILE, 1, 0));
    let hers = lab.pod().lookup(dir, hers.as_bytes()).unwrap();
    lab.pod().has_taken_over((note, None), Some(&hers)).unwrap();
}

/// A folder of hers with a file in it, which Ben removed, and put a file there.
fn folder_becomes_file(lab: &Lab) -> Ino {
    let dir = lab.pod().mkdir(lab.dir, b"d", 0o700, OWNER).unwrap().ino;
    lab.pod().mknod(dir, b"in", (0o600, 0), OWNER).unwrap();
    let notes = folder(lab, lab.was, "d");
    is_noted(lab, (notes, "in"), "in", dir);
    lab.arrives(lab.now, "d", &arrived(FILE, 2, 1));
    dir
}

/// A file of hers which Ben removed, and put a folder there.
fn file_becomes_folder(lab: &Lab) -> Ino {
    lab.has("a", b"hers");
    is_noted(lab, (lab.was, "a"), "a", lab.dir);
    let came = folder(lab, lab.now, "a");
    lab.arrives(came, "in", &arrived(FILE, 3, 1));
    came
}

#[tokio::test]
async fn a_folder_takes_the_place_of_a_file() {
    let lab = Lab::new(Machine::new(), 7);
    let came = file_becomes_folder(&lab);
    lab.anna.fake.set(Network::Down);
    assert!(lab.takes_over().await.is_some());
    assert_eq!(below(&lab, lab.dir), ["a", "a (from Ben)"]);
    lab.pod().withdraw(came, &name("in")).unwrap();
    lab.arrives(came, "in", &arrived(FILE, 3, 0));
    for _ in 0..2 {
        assert_eq!(lab.takes_over().await, None);
        assert_eq!(below(&lab, lab.dir), ["a"]);
    }
    let placed = lab.pod().lookup(lab.dir, b"a").unwrap();
    assert_eq!(below(&lab, placed.ino), ["in"]);
    // What comes later goes there.
    lab.arrives(came, "more", &arrived(FILE, 4, 0));
    assert_eq!(lab.takes_over().await, None);
    assert_eq!(below(&lab, placed.ino), ["in", "more"]);
    assert_eq!(lab.pod().check(true).unwrap().findings, []);
}

#[tokio::test]
async fn a_file_takes_the_place_of_a_folder() {
    let lab = Lab::new(Machine::new(), 7);
    let dir = folder_becomes_file(&lab);
    lab.anna.fake.set(Network::Down);
    assert!(lab.takes_over().await.is_some());
    assert_eq!(below(&lab, lab.dir), ["d"]);
    assert_eq!(below(&lab, dir), ["in"]);
    lab.pod().withdraw(lab.now, &name("d")).unwrap();
    lab.arrives(lab.now, "d", &arrived(FILE, 2, 0));
    for version in 2..4 {
        lab.arrives(lab.now, "d", &arrived(FILE, version, 0));
        assert_eq!(lab.takes_over().await, None);
        assert_eq!(below(&lab, lab.dir), ["d"]);
        let placed = lab.pod().lookup(lab.dir, b"d").unwrap();
        assert_eq!(placed.kind, FileKind::Regular);
    }
    assert_eq!(lab.pod().check(true).unwrap().findings, []);
}

#[tokio::test]
async fn what_the_owner_did_meanwhile_stays_where_it_is() {
    let lab = Lab::new(Machine::new(), 7);
    let (dir, came) = (folder_becomes_file(&lab), file_becomes_folder(&lab));
    for (dir, named) in [(lab.now, "d"), (came, "in")] {
        lab.pod().withdraw(dir, &name(named)).unwrap();
        lab.arrives(dir, named, &arrived(FILE, 5, 0));
    }
    lab.anna.now.store(20, Ordering::Relaxed);
    lab.pod().mknod(dir, b"more", (0o600, 0), OWNER).unwrap();
    let hers = lab.pod().lookup(lab.dir, b"a").unwrap();
    lab.pod().write(hers.ino, 0, b"hers too", false).unwrap();
    for _ in 0..2 {
        assert_eq!(lab.takes_over().await, None);
        assert_eq!(
            below(&lab, lab.dir),
            ["a", "a (from Ben)", "d", "d (from Ben)"]
        );
        assert_eq!(below(&lab, dir), ["more"]);
    }
    assert_eq!(lab.pod().lookup(lab.dir, b"a").unwrap().ino, hers.ino);
    // Of what she has beside it, too.
    let lab = Lab::new(Machine::new(), 7);
    let came = file_becomes_folder(&lab);
    lab.pod().withdraw(came, &name("in")).unwrap();
    let beside = lab.pod().mkdir(lab.dir, b"a (from Ben)", 0o700, OWNER);
    let beside = beside.unwrap().ino;
    lab.pod().mknod(beside, b"hers", (0o600, 0), OWNER).unwrap();
    assert_eq!(lab.takes_over().await, None);
    assert_eq!(below(&lab, lab.dir), ["a", "a (from Ben)"]);
}
