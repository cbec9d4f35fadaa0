//! What may be changed: it looks and answers as any other directory does, and the tray says what was done.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::tests::{DIRECTORY, FILE, OWNER, arrived, name};
use super::*;
use crate::format::base::Base;
use crate::pod::attr::Attr;
use crate::pod::rename::Taken;
use crate::pod::{SetAttr, XattrMode};
use crate::types::{ROOT, SHARED};

pub(super) struct Written {
    pub(super) pod: Pod,
    /// What Anna shares.
    pub(super) lab: Ino,
    pub(super) tray: Tray,
}

impl Written {
    /// `Shared with me/Anna/lab`, with `a` and `b`, and the folder `d`, which has `c` and the folder `e`, which has `f`.
    pub(super) fn new() -> Self {
        let pod = Pod::in_memory();
        let anna = pod.receive_person(&name("Anna"), OWNER).unwrap();
        let dir = |at, named: &str| {
            let dir = arrived(DIRECTORY, 1);
            pod.receive(at, &name(named), &dir).unwrap()
        };
        let file = |at, named: &str, contents| {
            let file = arrived(FILE, contents);
            pod.receive(at, &name(named), &file).unwrap()
        };
        let lab = dir(anna, "lab");
        file(lab, "a", 2);
        file(lab, "b", 3);
        let d = dir(lab, "d");
        file(d, "c", 4);
        file(dir(d, "e"), "f", 5);
        let tray = pod.state_subdirectory("tray-1", OWNER).unwrap();
        let tray = pod.tray_in(tray, true, OWNER).unwrap();
        pod.set_tray(lab, tray).unwrap();
        Self { pod, lab, tray }
    }

    pub(super) fn at(&self, path: &str) -> Option<Attr> {
        at(&self.pod, self.lab, path)
    }

    /// As a program does.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) {
        let known = self.pod.told(self.at(path).unwrap()).ino;
        self.pod.open_meant(known).unwrap();
        let ino = self.pod.to_change(known).unwrap();
        self.pod.write(ino, 0, bytes, false).unwrap();
        self.pod.release_meant(known).unwrap();
    }

    pub(super) fn seen(&self) -> Vec<String> {
        tree(&self.pod, self.lab)
    }

    pub(super) fn layers(&self) -> [Vec<String>; 2] {
        let was = self.tray.was.unwrap();
        [self.tray.now, was].map(|layer| tree(&self.pod, layer))
    }

    /// The mount is another: nobody remembers numbers.
    pub(super) fn remount(&mut self) {
        self.pod.numbers = Numbers::default();
    }

    pub(super) fn assert_clean(&self) {
        assert_eq!(self.pod.check(true).unwrap().findings, []);
    }
}

fn at(pod: &Pod, dir: Ino, path: &str) -> Option<Attr> {
    let mut found = pod.getattr(dir).ok()?;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        found = pod
            .lookup(pod.meant(pod.told(found).ino), part.as_bytes())
            .ok()?;
    }
    Some(found)
}

/// All paths below, directories with `/`, files with their bytes.
fn tree(pod: &Pod, top: Ino) -> Vec<String> {
    let (mut paths, mut known) = (Vec::new(), BTreeSet::new());
    let mut left = vec![(top, String::new())];
    while let Some((dir, path)) = left.pop() {
        let mut names = Vec::new();
        pod.readdir(dir, 2, |entry| {
            let text = String::from_utf8_lossy(entry.name).into_owned();
            names.push((text, entry.ino, entry.kind));
            true
        })
        .unwrap();
        for (named, ino, kind) in names {
            let found = pod.lookup(dir, named.as_bytes()).unwrap();
            assert_eq!((found.ino, found.kind), (ino, kind), "{path}{named}");
            assert!(known.insert(pod.told(found).ino), "{path}{named}");
            if kind == FileKind::Directory {
                paths.push(format!("{path}{named}/"));
                left.push((ino, format!("{path}{named}/")));
            } else {
                let mut bytes = Vec::new();
                pod.read(ino, 0, 100, &mut bytes).unwrap();
                let is_note = Base::decode(&bytes).is_ok();
                let text = if is_note {
                    "note".into()
                } else {
                    String::from_utf8_lossy(&bytes)
                };
                paths.push(format!("{path}{named}={text}"));
            }
        }
    }
    paths.sort();
    paths
}

#[test]
fn a_file_is_changed_in_place_and_keeps_its_number() {
    let mut shared = Written::new();
    let before = shared.at("a").unwrap();
    assert_eq!(before.perm, 0o600);
    assert!(before.ino.is_received());
    // Open before it was changed, and for reading only.
    shared.pod.open_meant(before.ino).unwrap();
    shared.write("a", b"mine");
    let own = shared.pod.meant(before.ino);
    assert!(!own.is_received());
    let after = shared.at("a").unwrap();
    assert_eq!(after.ino, own);
    assert_eq!(shared.pod.told(after).ino, before.ino);
    assert!(shared.pod.is_open(own) && !shared.pod.is_open(before.ino));
    shared.pod.release_meant(before.ino).unwrap();
    assert!(!shared.pod.is_open(own));
    assert_eq!(shared.layers(), [["a=mine"], ["a=note"]]);
    let seen = ["a=mine", "b=", "d/", "d/c=", "d/e/", "d/e/f="];
    assert_eq!(shared.seen(), seen);
    let base = shared.pod.base_of(before.ino).unwrap();
    let note = shared.pod.lookup(shared.tray.was.unwrap(), b"a").unwrap();
    let mut bytes = Vec::new();
    shared.pod.read(note.ino, 0, 100, &mut bytes).unwrap();
    assert_eq!(Base::decode(&bytes).ok(), base);
    shared.remount();
    assert_eq!(shared.seen(), seen);
    assert_eq!(shared.at("a").unwrap().ino, own);
    // What is changed again is made from the same.
    shared.write("a", b"more");
    assert_eq!(shared.layers(), [["a=more"], ["a=note"]]);
    shared.assert_clean();
}

#[test]
fn attributes_are_changed_in_the_tray() {
    let shared = Written::new();
    let pod = &shared.pod;
    let b = shared.at("b").unwrap().ino;
    let set = SetAttr {
        mode: Some(0o700),
        ..SetAttr::default()
    };
    pod.setattr(pod.to_change(b).unwrap(), &set, OWNER).unwrap();
    let ino = pod.to_change(b).unwrap();
    pod.setxattr(ino, b"user.a", b"1", XattrMode::Either)
        .unwrap();
    assert_eq!(shared.at("b").unwrap().perm, 0o700);
    assert_eq!(shared.layers(), [["b="], ["b=note"]]);
    for dir in [shared.lab, shared.at("d").unwrap().ino] {
        assert!(matches!(pod.to_change(dir), Err(PodError::ReadOnly)));
    }
    shared.assert_clean();
}

#[test]
fn what_is_removed_is_gone_and_can_be_made_again() {
    let mut shared = Written::new();
    let (lab, d) = (shared.lab, shared.at("d").unwrap().ino);
    let pod = &shared.pod;
    pod.unlink(lab, b"a").unwrap();
    assert!(matches!(pod.unlink(lab, b"a"), Err(PodError::NotFound)));
    assert!(matches!(pod.unlink(lab, b"d"), Err(PodError::IsADirectory)));
    assert!(matches!(pod.rmdir(lab, b"d"), Err(PodError::NotEmpty)));
    let e = shared.at("d/e").unwrap().ino;
    pod.unlink(e, b"f").unwrap();
    pod.rmdir(d, b"e").unwrap();
    assert!(matches!(pod.rmdir(lab, b"d"), Err(PodError::NotEmpty)));
    pod.unlink(d, b"c").unwrap();
    pod.rmdir(lab, b"d").unwrap();
    assert_eq!(shared.seen(), ["b="]);
    let notes = ["a=note", "d/", "d/c=note", "d/e/", "d/e/f=note"];
    assert_eq!(shared.layers(), [vec![], notes.map(str::to_owned).to_vec()]);
    let made = pod.mkdir(lab, b"d", 0o755, OWNER).unwrap();
    assert_eq!(shared.at("d").unwrap().ino, made.ino);
    pod.mknod(made.ino, b"c", (0o600, 0), OWNER).unwrap();
    assert_eq!(shared.seen(), ["b=", "d/", "d/c="]);
    shared.remount();
    assert_eq!(shared.seen(), ["b=", "d/", "d/c="]);
    shared.assert_clean();
}

#[test]
fn files_and_folders_are_renamed_in_one_step() {
    let mut shared = Written::new();
    let (lab, a) = (shared.lab, shared.at("a").unwrap().ino);
    let pod = &shared.pod;
    let move_to = |from: &[u8], to: &[u8]| pod.rename((lab, from), (lab, to), Taken::Replace);
    // As editors save: a new file takes the place of the old one.
    pod.mknod(lab, b"tmp", (0o600, 0), OWNER).unwrap();
    shared.write("tmp", b"saved");
    move_to(b"tmp", b"b").unwrap();
    move_to(b"a", b"a2").unwrap();
    assert_eq!(pod.told(shared.at("a2").unwrap()).ino, a);
    let d = shared.at("d").unwrap().ino;
    move_to(b"d", b"d2").unwrap();
    assert_eq!(pod.told(shared.at("d2").unwrap()).ino, d);
    assert_eq!(
        pod.lookup(pod.meant(d), b"c").unwrap().kind,
        FileKind::Regular
    );
    let seen = ["a2=", "b=saved", "d2/", "d2/c=", "d2/e/", "d2/e/f="];
    assert_eq!(shared.seen(), seen);
    let [now, was] = shared.layers();
    assert_eq!(now, seen);
    let notes = ["a=note", "b=note", "d/", "d/c=note", "d/e/", "d/e/f=note"];
    assert_eq!(was, notes);
    for (refused, from, to) in [
        ("a folder over a file", &b"d2"[..], &b"b"[..]),
        ("a file over a folder", b"b", b"d2"),
    ] {
        assert!(move_to(from, to).is_err(), "{refused}");
    }
    let out = pod.rename((lab, b"a2"), (ROOT, b"out"), Taken::Replace);
    assert!(matches!(out, Err(PodError::CrossDevice)));
    shared.remount();
    assert_eq!(shared.seen(), seen);
    shared.assert_clean();
}

#[test]
fn a_single_file_may_be_changed_and_nothing_beside_it() {
    let pod = Pod::in_memory();
    let anna = pod.receive_person(&name("Anna"), OWNER).unwrap();
    let first = pod.receive(anna, &name("r"), &arrived(FILE, 2)).unwrap();
    let other = pod.receive(anna, &name("s"), &arrived(FILE, 3)).unwrap();
    let dir = pod.state_subdirectory("tray-1", OWNER).unwrap();
    let tray = pod.tray_in(dir, true, OWNER).unwrap();
    pod.set_file_tray(anna, &name("r"), tray);
    assert_eq!(pod.lookup(anna, b"r").unwrap().perm, 0o600);
    assert_eq!(pod.lookup(anna, b"s").unwrap().perm, 0o400);
    assert!(matches!(pod.to_change(other), Err(PodError::ReadOnly)));
    let own = pod.to_change(first).unwrap();
    pod.write(own, 0, b"mine", false).unwrap();
    assert_eq!(pod.lookup(anna, b"r").unwrap().ino, own);
    assert_eq!(tree(&pod, anna), ["r=mine", "s="]);
    assert_eq!(tree(&pod, tray.now), ["r=mine"]);
    for refused in [
        pod.unlink(anna, b"r"),
        pod.mknod(anna, b"t", (0o600, 0), OWNER).map(drop),
        pod.rename((anna, b"r"), (anna, b"t"), Taken::Replace),
        pod.rename((anna, b"s"), (anna, b"r"), Taken::Replace),
        pod.mkdir(SHARED, b"t", 0o700, OWNER).map(drop),
    ] {
        assert!(matches!(refused, Err(PodError::ReadOnly)), "{refused:?}");
    }
    // A newer version of theirs lies below.
    pod.receive(anna, &name("r"), &arrived(FILE, 4)).unwrap();
    assert_eq!(tree(&pod, anna), ["r=mine", "s="]);
    assert_eq!(pod.check(true).unwrap().findings, []);
}

#[test]
fn what_is_let_go_takes_its_note_along_and_keeps_what_is_open() {
    let shared = Written::new();
    let (pod, was) = (&shared.pod, shared.tray.was.unwrap());
    shared.write("a", b"mine");
    shared.write("d/c", b"mine");
    let (a, known) = (name("a"), shared.pod.known_as(shared.at("a").unwrap().ino));
    let seen = pod.lookup(shared.tray.now, b"a").unwrap();
    pod.open_meant(known).unwrap();
    assert!(!pod.let_go((shared.tray.now, &a), &seen, Some(was)).unwrap());
    pod.release_meant(known).unwrap();
    assert!(pod.let_go((shared.tray.now, &a), &seen, Some(was)).unwrap());
    assert_eq!(shared.at("a").unwrap().ino, known);
    // A folder that holds a change stays, and one that holds none goes.
    let (layers, d) = ((was, shared.tray.now), name("d"));
    pod.drop_layers(layers, &d, true).unwrap();
    assert_eq!(shared.layers(), [["d/", "d/c=mine"], ["d/", "d/c=note"]]);
    let dirs = [shared.tray.now, was].map(|layer| pod.lookup(layer, b"d").unwrap().ino);
    let of_c = pod.lookup(dirs[0], b"c").unwrap();
    let c = name("c");
    assert!(pod.let_go((dirs[0], &c), &of_c, Some(dirs[1])).unwrap());
    pod.drop_layers(layers, &d, true).unwrap();
    assert_eq!(shared.layers(), [[""; 0]; 2]);
    // One that was removed is not taken for it.
    let d_of_lab = shared.at("d").unwrap().ino;
    pod.unlink(d_of_lab, b"c").unwrap();
    pod.unlink(shared.at("d/e").unwrap().ino, b"f").unwrap();
    pod.rmdir(d_of_lab, b"e").unwrap();
    pod.rmdir(shared.lab, b"d").unwrap();
    pod.drop_layers(layers, &d, true).unwrap();
    assert_eq!(shared.seen(), ["a=", "b="]);
    shared.assert_clean();
}

/// What happens in both: in what is shared, and in a directory like any other.
fn operate(pod: &Pod, top: Ino, rng: &mut StdRng) -> Result<(), String> {
    const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let path = |rng: &mut StdRng| {
        let depth = rng.random_range(0..3);
        let parts = (0..depth).map(|_| NAMES[rng.random_range(0..NAMES.len())]);
        parts.collect::<Vec<_>>().join("/")
    };
    let (above, beside) = (path(rng), path(rng));
    let (one, other) = (
        NAMES[rng.random_range(0..NAMES.len())].as_bytes(),
        NAMES[rng.random_range(0..NAMES.len())].as_bytes(),
    );
    let what = rng.random_range(0..8);
    let bytes = format!("{}", rng.random_range(0..1000));
    let taken = [Taken::Replace, Taken::Keep, Taken::Exchange][rng.random_range(0..3)];
    let dir = |path: &str| {
        let found = at(pod, top, path).filter(|found| found.kind == FileKind::Directory);
        found
            .map(|found| pod.meant(pod.told(found).ino))
            .ok_or("no folder")
    };
    let (above, beside) = (dir(&above)?, dir(&beside)?);
    let done = match what {
        0 => pod.mknod(above, one, (0o600, 0), OWNER).map(drop),
        1 => pod.mkdir(above, one, 0o700, OWNER).map(drop),
        2 => pod.unlink(above, one),
        3 => pod.rmdir(above, one),
        4 | 5 => pod.rename((above, one), (beside, other), taken),
        _ => {
            let found = pod.lookup(above, one).map_err(|error| error.to_string())?;
            let changed = pod.to_change(pod.told(found).ino);
            if found.kind == FileKind::Directory {
                return Ok(());
            }
            let ino = changed.unwrap();
            pod.write(ino, 0, bytes.as_bytes(), false).map(drop)
        }
    };
    done.map_err(|error| error.to_string())
}

#[test]
fn it_is_as_any_other_directory_whatever_is_done() {
    let seed: u64 = rand::random();
    for life in 0..12 {
        let mut shared = Written::new();
        let plain = shared.pod.mkdir(ROOT, b"plain", 0o700, OWNER).unwrap().ino;
        for path in ["a", "b", "d", "d/c", "d/e", "d/e/f"] {
            let (above, named) = path.rsplit_once('/').unwrap_or(("", path));
            let dir = at(&shared.pod, plain, above).unwrap().ino;
            let named = named.as_bytes();
            let made = if matches!(path, "d" | "d/e") {
                shared.pod.mkdir(dir, named, 0o700, OWNER)
            } else {
                shared.pod.mknod(dir, named, (0o600, 0), OWNER)
            };
            made.unwrap();
        }
        let mut rng = StdRng::seed_from_u64(seed.wrapping_add(life));
        for step in 0..150 {
            let said = format!("seed {seed}, life {life}, step {step}");
            let mut again = rng.clone();
            let one = operate(&shared.pod, shared.lab, &mut rng);
            let other = operate(&shared.pod, plain, &mut again);
            // Which of several things is in the way, the kernel finds out before anybody else.
            assert_eq!(one.is_ok(), other.is_ok(), "{said}: {one:?}, {other:?}");
            if rng.random_range(0..20) == 0 {
                shared.remount();
            }
            assert_eq!(shared.seen(), tree(&shared.pod, plain), "{said}");
        }
        shared.assert_clean();
    }
}
