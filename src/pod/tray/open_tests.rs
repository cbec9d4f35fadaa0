//! What may be changed, while programs have it open: under the numbers that they know.

use std::sync::atomic::{AtomicBool, Ordering};

use super::tests::{FILE, OWNER, arrived, name};
use super::written_tests::Written;
use super::*;
use crate::pod::Arrived;
use crate::pod::contents::ROWS_MAX;
use crate::pod::rename::Taken;
use crate::types::limits::{BUCKET_PAGES, LIFTED_NAMES_MAX};

impl Written {
    /// The number under which the kernel knows what is there.
    fn known(&self, path: &str) -> Ino {
        self.pod.told(self.at(path).unwrap()).ino
    }

    /// As a program does that has it open.
    fn write_open(&self, known: Ino, bytes: &[u8]) {
        let written = self.pod.write_to((known, 0), bytes, false).unwrap();
        assert_eq!(usize::try_from(written), Ok(bytes.len()));
    }

    fn reads(&self, known: Ino) -> Vec<u8> {
        let mut bytes = Vec::new();
        let meant = self.pod.meant(known);
        self.pod.read(meant, 0, 100, &mut bytes).unwrap();
        bytes
    }

    fn links(&self, known: Ino) -> u32 {
        self.pod.getattr_told(self.pod.meant(known)).unwrap().nlink
    }

    /// It is closed for the last time, and nothing is left of it.
    fn assert_ends(&self, known: Ino) {
        let own = self.pod.meant(known);
        assert!(self.pod.find_inode(own).unwrap().is_some());
        self.pod.release_meant(known).unwrap();
        assert!(self.pod.find_inode(own).unwrap().is_none());
        self.pod.forget_meant(known);
        assert_eq!(self.pod.meant(known), known);
        self.assert_clean();
    }
}

#[test]
fn a_file_that_is_removed_while_it_is_open_is_theirs_who_have_it_open() {
    let shared = Written::new();
    let (pod, lab, a) = (&shared.pod, shared.lab, shared.known("a"));
    pod.open_meant(a).unwrap();
    pod.unlink(lab, b"a").unwrap();
    let seen = ["b=", "d/", "d/c=", "d/e/", "d/e/f="];
    shared.write_open(a, b"nameless");
    assert_eq!(shared.seen(), seen);
    assert_eq!(
        (shared.links(a), shared.reads(a)),
        (0, b"nameless".to_vec())
    );
    // Another one takes the name, and Anna has it no more.
    pod.mknod(lab, b"a", (0o600, 0), OWNER).unwrap();
    shared.write("a", b"new");
    shared.write_open(a, b"NAMELESS");
    pod.withdraw(lab, &name("a")).unwrap();
    shared.write_open(a, b"nameLESS");
    assert_eq!(shared.seen(), [&["a=new"], &seen[..]].concat());
    assert_eq!(shared.layers(), [["a=new"], ["a=note"]]);
    assert_eq!(shared.reads(a), b"nameLESS");
    shared.assert_ends(a);
    assert_eq!(shared.seen(), [&["a=new"], &seen[..]].concat());
}

#[test]
fn who_opens_a_file_just_as_it_is_removed_does_not_bring_it_back() {
    let shared = Written::new();
    let (pod, lab, a) = (&shared.pod, shared.lab, shared.known("a"));
    pod.unlink(lab, b"a").unwrap();
    assert!(matches!(pod.to_change(a), Err(PodError::Stale)));
    pod.open_meant(a).unwrap();
    pod.mknod(lab, b"a", (0o600, 0), OWNER).unwrap();
    shared.write_open(a, b"late");
    assert_eq!(shared.layers(), [["a="], ["a=note"]]);
    assert_eq!((shared.links(a), shared.reads(a)), (0, b"late".to_vec()));
    shared.assert_ends(a);
}

#[test]
fn a_file_that_is_replaced_while_it_is_open_keeps_what_it_had() {
    let shared = Written::new();
    let (pod, lab) = (&shared.pod, shared.lab);
    for (from, to) in [("tmp", "a"), ("a", "b"), ("b", "d/c")] {
        if from == "tmp" {
            pod.mknod(lab, b"tmp", (0o600, 0), OWNER).unwrap();
            shared.write("tmp", b"saved");
        }
        let (moved, replaced) = (shared.known(from), shared.known(to));
        pod.open_meant(moved).unwrap();
        pod.open_meant(replaced).unwrap();
        let (dir, named) = to.rsplit_once('/').unwrap_or(("", to));
        let dir = pod.meant(shared.at(dir).unwrap().ino);
        let to_name = (dir, named.as_bytes());
        pod.rename((lab, from.as_bytes()), to_name, Taken::Replace)
            .unwrap();
        shared.write_open(replaced, b"old");
        shared.write_open(moved, b"moved");
        assert_eq!(shared.known(to), moved, "{from} to {to}");
        assert_eq!((shared.links(moved), shared.links(replaced)), (1, 0));
        let read = (shared.reads(moved), shared.reads(replaced));
        assert_eq!(read, (b"moved".to_vec(), b"old".to_vec()));
        pod.release_meant(moved).unwrap();
        shared.assert_ends(replaced);
    }
    assert_eq!(shared.seen(), ["d/", "d/c=moved", "d/e/", "d/e/f="]);
}

#[test]
fn at_no_moment_has_a_file_another_number() {
    let shared = Written::new();
    let names: Vec<_> = (0..LIFTED_NAMES_MAX)
        .map(|nth| name(&format!("f{nth}")))
        .collect();
    for (named, contents) in names.iter().zip(9..) {
        let file = arrived(FILE, contents);
        shared.pod.receive(shared.lab, named, &file).unwrap();
    }
    for named in &names {
        let (pod, is_written) = (&shared.pod, AtomicBool::new(false));
        let look = || {
            let found = pod.lookup(shared.lab, named.as_bytes()).unwrap();
            pod.told(found).ino
        };
        let known = look();
        pod.open_meant(known).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                shared.write_open(known, b"x");
                is_written.store(true, Ordering::Release);
            });
            while !is_written.load(Ordering::Acquire) {
                assert_eq!(look(), known);
            }
        });
        assert_eq!(look(), known);
        pod.release_meant(known).unwrap();
    }
}

/// Its pages take several records, and so does its end.
#[test]
fn a_large_file_is_whole_whoever_ends_others_meanwhile() {
    let shared = Written::new();
    let (pod, large_name) = (&shared.pod, name("large"));
    let large = |contents| Arrived {
        pages: std::iter::once(0..10 * ROWS_MAX * BUCKET_PAGES as u64).collect(),
        ..arrived(FILE, contents)
    };
    let change = |contents| {
        let received = pod.receive(shared.lab, &large_name, &large(contents));
        let received = received.unwrap();
        let pages = pod.inode(received).unwrap().pages;
        let own = pod.to_change(received).unwrap();
        assert_eq!(pod.inode(own).unwrap().pages, pages);
        pod.unlink(shared.lab, b"large").unwrap();
        pod.unlink(shared.tray.was.unwrap(), b"large").unwrap();
        pod.has_taken_over((received, None), None).unwrap();
    };
    std::thread::scope(|scope| {
        let changing = scope.spawn(|| (10..20).for_each(change));
        while !changing.is_finished() {
            for ino in pod.orphans().unwrap() {
                pod.reap_step(ino, &mut 0).unwrap();
            }
        }
        changing.join().unwrap();
    });
    pod.withdraw(shared.lab, &large_name).unwrap();
    for ino in pod.orphans().unwrap() {
        while pod.reap_step(ino, &mut 0).unwrap() {}
    }
    assert_eq!(pod.orphans().unwrap(), []);
    shared.assert_clean();
}

#[test]
fn a_listing_has_what_is_changed_meanwhile() {
    let shared = Written::new();
    for nth in 0..20 {
        let file = arrived(FILE, 9);
        let named = name(&format!("f{nth}"));
        shared.pod.receive(shared.lab, &named, &file).unwrap();
    }
    let all = shared.seen();
    let all = all
        .iter()
        .filter(|path| !path.starts_with("d/") || *path == "d/");
    let (mut listed, mut cookie) = (Vec::new(), 2);
    loop {
        let before = cookie;
        let list = |entry: crate::pod::Entry<'_>| {
            let is_next = cookie == before;
            if is_next {
                cookie = entry.cookie;
                listed.push(String::from_utf8_lossy(entry.name).into_owned());
            }
            is_next
        };
        shared.pod.readdir(shared.lab, before, list).unwrap();
        if cookie == before {
            break;
        }
        // In the middle: where it stands in the tray may be before that, or behind.
        if listed.len() == 12 {
            for path in (0..20).map(|nth| format!("f{nth}")) {
                shared.write(&path, b"x");
            }
        }
    }
    listed.sort();
    let mut all: Vec<_> = all.map(|path| path.trim_end_matches(['/', '='])).collect();
    all.sort_unstable();
    assert_eq!(listed, all);
}

#[test]
fn a_folder_that_was_moved_is_not_the_new_one_of_its_name() {
    let shared = Written::new();
    let (pod, lab, d) = (&shared.pod, shared.lab, shared.known("d"));
    pod.rename((lab, b"d"), (lab, b"d2"), Taken::Replace)
        .unwrap();
    pod.mkdir(lab, b"d", 0o700, OWNER).unwrap();
    let new = shared.known("d");
    assert_eq!((shared.known("d2"), new == d), (d, false));
    pod.mknod(pod.meant(d), b"in d2", (0o600, 0), OWNER)
        .unwrap();
    pod.mknod(pod.meant(new), b"in d", (0o600, 0), OWNER)
        .unwrap();
    let seen = [
        "a=",
        "b=",
        "d/",
        "d/in d=",
        "d2/",
        "d2/c=",
        "d2/e/",
        "d2/e/f=",
        "d2/in d2=",
    ];
    assert_eq!(shared.seen(), seen);
    shared.assert_clean();
}

#[test]
fn a_folder_that_took_the_place_of_another_keeps_its_number() {
    let shared = Written::new();
    let (pod, lab) = (&shared.pod, shared.lab);
    let (d, e) = (shared.known("d"), shared.known("d/e"));
    pod.unlink(e, b"f").unwrap();
    pod.rename((d, b"e"), (lab, b"e"), Taken::Replace).unwrap();
    pod.unlink(d, b"c").unwrap();
    pod.rename((lab, b"e"), (lab, b"d"), Taken::Replace)
        .unwrap();
    assert_eq!(shared.known("d"), e);
    // Nobody knows the old one any more.
    pod.forget_meant(d);
    assert_eq!(shared.known("d"), e);
    pod.rmdir(lab, b"d").unwrap();
    let made = pod.mkdir(lab, b"x", 0o700, OWNER).unwrap().ino;
    pod.rename((lab, b"x"), (lab, b"d"), Taken::Replace)
        .unwrap();
    assert_eq!(shared.known("d"), made);
    assert_eq!(shared.seen(), ["a=", "b=", "d/"]);
    shared.assert_clean();
}

#[test]
fn what_was_moved_is_not_mistaken_for_what_the_other_one_has_where_it_was() {
    let shared = Written::new();
    let (pod, lab, a) = (&shared.pod, shared.lab, shared.known("a"));
    pod.rename((lab, b"a"), (lab, b"a2"), Taken::Replace)
        .unwrap();
    // Saved anew as it was: it could be let go, were the number not that of another by now.
    let made = pod.mknod(lab, b"a", (0o600, 0), OWNER).unwrap().ino;
    assert!(!pod.may_be_seen(a, made).unwrap());
    pod.open_meant(a).unwrap();
    pod.unlink(lab, b"a2").unwrap();
    assert!(!pod.may_be_seen(a, made).unwrap(), "it is open still");
    pod.release_meant(a).unwrap();
    assert!(pod.may_be_seen(a, made).unwrap());
    assert_eq!(pod.meant(a), a);
    shared.assert_clean();
}

#[test]
fn a_folder_with_too_much_is_left_to_be_copied() {
    let shared = Written::new();
    let d = shared.at("d").unwrap().ino;
    for nth in 0..LIFTED_NAMES_MAX {
        let file = arrived(FILE, 9);
        let named = name(&format!("f{nth}"));
        shared.pod.receive(d, &named, &file).unwrap();
    }
    let before = shared.seen();
    let (from, to) = ((shared.lab, &b"d"[..]), (shared.lab, &b"d2"[..]));
    let moved = shared.pod.rename(from, to, Taken::Replace);
    assert!(matches!(moved, Err(PodError::CrossDevice)));
    assert_eq!(shared.seen(), before);
    shared.assert_clean();
}
