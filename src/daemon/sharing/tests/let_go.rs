//! What was changed in a folder of somebody else's stays here until they have it, or something else than before.

use super::merged::{OWNER, arrived, is_brought, name};
use super::*;
use crate::pod::Arrived;
use crate::pod::Attr;
use crate::pod::Taken;

/// A folder of Ben's that may be changed here.
struct Lab {
    machine: Machine,
    received: Received,
    dir: Ino,
}

impl Lab {
    fn new(kind: FileKind) -> Self {
        let (machine, id) = (Machine::new(), [7; 16]);
        let sharing = &machine.sharing;
        let rights = Rights::WRITE;
        let grant = Grant {
            terms: Terms {
                kind,
                rights,
                ..terms()
            },
            ..grant(id)
        };
        let came = sharing.received.arrives(print(BEN), grant, (0, at(5)));
        came.unwrap();
        sharing.received.accept(&id, &name("lab")).unwrap();
        let received = sharing.received.find(&id).unwrap().unwrap();
        is_brought(sharing, &received, true);
        let ben = sharing.pod.receive_person(&name("Ben"), OWNER).unwrap();
        let dir = if kind == FileKind::Directory {
            let folder = arrived(0o040_500, 0, 0);
            sharing.pod.receive(ben, &name("lab"), &folder).unwrap()
        } else {
            ben
        };
        Self {
            machine,
            received,
            dir,
        }
    }

    fn pod(&self) -> &Pod {
        &self.machine.sharing.pod
    }

    /// Ben has a page of these bytes there, in a version of its own.
    fn theirs(&self, named: &str, version: u8, byte: u8) {
        self.arrives(named, &arrived(0o100_400, version, 1), byte);
    }

    /// Ben took over what stands in the tray.
    fn is_taken_over(&self, named: &str, version: u8, byte: u8) {
        let tray = self.machine.sharing.tray_of(&self.received);
        let tray = tray.unwrap().unwrap().now;
        let mut file = arrived(0o100_400, version, 1);
        file.inode.mtime = self.pod().lookup(tray, named.as_bytes()).unwrap().mtime;
        self.arrives(named, &file, byte);
    }

    fn arrives(&self, named: &str, file: &Arrived, byte: u8) {
        let ino = self.pod().receive(self.dir, &name(named), file).unwrap();
        self.machine.fake.publish(ino, [(0, [byte; 4096])].into());
    }

    /// What is changed from now on stands in the tray.
    fn is_laid(&self) {
        self.machine.sharing.lay_tray(&self.received).unwrap();
    }

    fn writes(&self, named: &str, byte: u8) {
        let made = self
            .pod()
            .create(self.dir, named.as_bytes(), 0o600, OWNER)
            .unwrap();
        self.pod().write(made.ino, 0, &[byte; 4096], false).unwrap();
        self.pod().release(made.ino).unwrap();
    }

    /// A publication has what something was made from.
    fn is_told_of_note(&self, named: &str) {
        let tray = self.machine.sharing.tray_of(&self.received);
        let was = tray.unwrap().unwrap().was.unwrap();
        let note = self.pod().lookup(was, named.as_bytes()).unwrap();
        let mut batch = Batch::new(Class::Meta);
        let published = arrived(0o100_400, 9, 1).published;
        batch.put(Key::published(note.ino), published.encode());
        self.pod().rows().append(batch, None).unwrap();
    }

    /// The names in both parts of the tray.
    fn tray(&self) -> [Vec<String>; 2] {
        let tray = self.machine.sharing.tray_of(&self.received);
        let tray = tray.unwrap().unwrap();
        [tray.now, tray.was.unwrap()].map(|layer| {
            let names = self.pod().own_names(layer).unwrap().into_iter();
            let mut names: Vec<_> = names
                .map(|entry| String::from_utf8_lossy(entry.name.as_bytes()).into_owned())
                .collect();
            names.sort();
            names
        })
    }

    async fn lets_go(&self) -> bool {
        let let_go = self.machine.sharing.let_go_of(&self.received);
        let_go.await.unwrap()
    }

    fn seen(&self, named: &str) -> Option<Attr> {
        self.pod().lookup(self.dir, named.as_bytes()).ok()
    }
}

/// They may be about to remove it, as they were told before.
#[tokio::test]
async fn what_was_removed_and_made_again_waits_for_them() {
    let lab = Lab::new(FileKind::Directory);
    lab.theirs("a", 1, 7);
    lab.is_laid();
    lab.pod().unlink(lab.dir, b"a").unwrap();
    lab.is_told_of_note("a");
    lab.writes("a", 7);
    assert!(!lab.lets_go().await);
    assert_eq!(lab.tray(), [["a"], ["a"]]);
    // They removed it, and put it there again.
    lab.is_taken_over("a", 2, 7);
    assert!(lab.lets_go().await);
    assert_eq!(lab.tray(), [[""; 0], [""; 0]]);
    assert!(lab.seen("a").is_some());
}

/// The copy is still there, under the name that is about to go.
#[tokio::test]
async fn a_copy_that_takes_the_place_of_what_it_stood_beside_waits_for_them() {
    let lab = Lab::new(FileKind::Directory);
    let copy = "a (from Carl)";
    lab.theirs("a", 1, 7);
    lab.theirs(copy, 2, 9);
    lab.is_laid();
    let (from, to) = ((lab.dir, copy.as_bytes()), (lab.dir, &b"a"[..]));
    lab.pod().rename(from, to, Taken::Replace).unwrap();
    let tray = lab.machine.sharing.tray_of(&lab.received).unwrap().unwrap();
    let own = lab.pod().lookup(tray.now, b"a").unwrap();
    lab.machine.fake.publish(own.ino, [(0, [9; 4096])].into());
    lab.lets_go().await;
    assert_eq!(lab.tray(), [vec!["a"], vec!["a", copy]]);
    lab.theirs("a", 3, 9);
    lab.lets_go().await;
    assert_eq!(lab.tray(), [vec![], vec![copy]]);
}

/// They changed something in a folder meanwhile, and so kept that.
#[tokio::test]
async fn what_they_kept_of_a_folder_that_was_removed_is_seen_again() {
    let lab = Lab::new(FileKind::Directory);
    let folder = arrived(0o040_500, 0, 0);
    let dir = lab.pod().receive(lab.dir, &name("d"), &folder).unwrap();
    let theirs = |named: &str, version| {
        let file = arrived(0o100_400, version, 1);
        let ino = lab.pod().receive(dir, &name(named), &file).unwrap();
        lab.machine.fake.publish(ino, [(0, [version; 4096])].into());
    };
    theirs("changed", 1);
    theirs("gone", 2);
    lab.is_laid();
    for file in [&b"changed"[..], b"gone"] {
        lab.pod().unlink(dir, file).unwrap();
    }
    lab.pod().rmdir(lab.dir, b"d").unwrap();
    assert!(lab.lets_go().await);
    assert!(lab.seen("d").is_none());
    // They have not removed the other one yet.
    theirs("changed", 3);
    assert!(!lab.lets_go().await && lab.lets_go().await);
    let seen = |named: &[u8]| lab.pod().lookup(dir, named).is_ok();
    assert!(lab.seen("d").is_some() && seen(b"changed") && !seen(b"gone"));
    lab.pod().withdraw(dir, &name("gone")).unwrap();
    lab.lets_go().await;
    assert_eq!(lab.tray(), [[""; 0], [""; 0]]);
    assert!(seen(b"changed"));
}

/// They put it beside theirs, and theirs stays: there may be something in it that is not shared.
#[tokio::test]
async fn what_stands_beside_something_of_another_kind_is_let_go_after_a_while() {
    let lab = Lab::new(FileKind::Directory);
    let folder = arrived(0o040_500, 0, 0);
    lab.pod().receive(lab.dir, &name("d"), &folder).unwrap();
    lab.is_laid();
    lab.pod().rmdir(lab.dir, b"d").unwrap();
    lab.writes("d", 4);
    lab.theirs("d (from Carl)", 2, 4);
    assert!(!lab.lets_go().await);
    assert_eq!(lab.tray(), [["d"], ["d"]]);
    lab.machine.now.store(1000, Ordering::Relaxed);
    assert!(lab.lets_go().await);
    assert_eq!(lab.tray(), [[""; 0], [""; 0]]);
    assert_eq!(lab.seen("d").unwrap().kind, FileKind::Directory);
}

/// What they have may be what they were told first, and they are about to do what they were told since.
#[tokio::test]
async fn what_is_saved_as_it_was_before_waits_for_them() {
    let lab = Lab::new(FileKind::Directory);
    lab.theirs("a", 1, 7);
    lab.is_laid();
    lab.pod().unlink(lab.dir, b"a").unwrap();
    lab.is_told_of_note("a");
    lab.machine.now.store(20, Ordering::Relaxed);
    lab.writes("a", 9);
    lab.theirs("a", 2, 9);
    assert!(!lab.lets_go().await);
    assert_eq!(lab.tray(), [["a"], ["a"]]);
    // What they have is the one that was saved last.
    lab.is_taken_over("a", 3, 9);
    assert!(lab.lets_go().await);
    assert_eq!(lab.tray(), [[""; 0], [""; 0]]);
}

/// What took the place of something of another kind goes once they have it there.
#[tokio::test]
async fn what_is_of_another_kind_is_let_go() {
    let lab = Lab::new(FileKind::Directory);
    let folder = arrived(0o040_500, 0, 0);
    let dir = lab.pod().receive(lab.dir, &name("d"), &folder).unwrap();
    let theirs = |dir, named: &str, version| {
        let file = arrived(0o100_400, version, 1);
        let ino = lab.pod().receive(dir, &name(named), &file).unwrap();
        lab.machine.fake.publish(ino, [(0, [version; 4096])].into());
    };
    theirs(lab.dir, "a", 1);
    theirs(dir, "in", 2);
    lab.is_laid();
    lab.pod().unlink(lab.dir, b"a").unwrap();
    let own = lab.pod().mkdir(lab.dir, b"a", 0o700, OWNER).unwrap().ino;
    let made = lab.pod().create(own, b"new", 0o600, OWNER).unwrap();
    lab.pod().write(made.ino, 0, &[3; 4096], false).unwrap();
    lab.pod().release(made.ino).unwrap();
    lab.pod().unlink(dir, b"in").unwrap();
    lab.pod().rmdir(lab.dir, b"d").unwrap();
    lab.writes("d", 4);
    let tray = || lab.tray().map(|names| names.join(" "));
    // They know nothing of it, though they have such copies, for something else.
    let copy = lab.pod().receive(lab.dir, &name("a (from Ben)"), &folder);
    theirs(copy.unwrap(), "new", 3);
    theirs(lab.dir, "d (from Ben)", 4);
    for _ in 0..2 {
        assert!(!lab.lets_go().await);
        assert_eq!(tray(), ["a d", "a d"]);
    }
    for (named, kind) in [("a", FileKind::Directory), ("d", FileKind::Regular)] {
        assert_eq!(lab.seen(named).unwrap().kind, kind);
        lab.pod().withdraw(lab.dir, &name(named)).unwrap();
    }
    let placed = lab.pod().receive(lab.dir, &name("a"), &folder).unwrap();
    theirs(placed, "new", 3);
    theirs(lab.dir, "d", 4);
    for _ in 0..2 {
        lab.lets_go().await;
    }
    assert_eq!(tray(), ["", ""]);
    assert!(lab.pod().lookup(placed, b"new").is_ok());
    assert_eq!(lab.seen("d").unwrap().kind, FileKind::Regular);
    assert_eq!(lab.pod().check(true).unwrap().findings, []);
}

/// A crash came after it was given back.
#[tokio::test]
async fn the_note_of_a_single_file_alone_hides_it_for_no_longer_than_a_look() {
    let lab = Lab::new(FileKind::Regular);
    lab.theirs("lab", 1, 7);
    lab.is_laid();
    let seen = lab.seen("lab").unwrap();
    lab.pod().to_change(seen.ino).unwrap();
    assert_eq!(lab.tray(), [["lab"], ["lab"]]);
    let tray = lab.machine.sharing.tray_of(&lab.received).unwrap().unwrap();
    lab.pod().unlink(tray.now, b"lab").unwrap();
    assert!(lab.seen("lab").is_none());
    assert!(lab.lets_go().await);
    assert_eq!(lab.seen("lab").unwrap().ino, seen.ino);
}
