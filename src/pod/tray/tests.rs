use super::*;
use crate::crypto::keys::ScopeId;
use crate::crypto::publish::Reference;
use crate::format::rows::Inode;
use crate::format::rows::Published;
use crate::pod::attr::Attr;
use crate::pod::rename::Taken;
use crate::pod::{Arrived, SetAttr, Target, XattrMode};
use crate::types::{ROOT, SHARED, Timespec};

pub(super) const OWNER: Caller = Caller { uid: 7, gid: 8 };
pub(super) const FILE: u32 = 0o100_400;
pub(super) const DIRECTORY: u32 = 0o040_500;

struct Shared {
    pod: Pod,
    /// What Anna shares.
    lab: Ino,
    tray: Ino,
}

pub(super) fn name(name: &str) -> Name {
    Name::parse(name.as_bytes()).unwrap()
}

/// A tray for what is added alone.
fn plain(dir: Ino) -> Tray {
    Tray {
        now: dir,
        was: None,
    }
}

/// Something that somebody shares; files of other contents have another number.
pub(super) fn arrived(mode: u32, contents: u8) -> Arrived {
    let at = Timespec { secs: 5, nanos: 6 };
    Arrived {
        inode: Inode::born(mode, OWNER.uid, OWNER.gid, at),
        xattrs: Vec::new(),
        pages: Vec::new(),
        published: Published {
            publication: 1,
            scope: ScopeId([0; 16]),
            size: 0,
            contents: Reference::from_bytes(&[contents; 80]),
            directory: None,
            number: None,
        },
    }
}

impl Shared {
    /// `Shared with me/Anna/lab`, with `blood.txt` and the folder `2026`, which has `scan.bin`.
    fn new() -> Self {
        let pod = Pod::in_memory();
        let anna = pod.receive_person(&name("Anna"), OWNER).unwrap();
        let lab = pod.receive(anna, &name("lab"), &arrived(DIRECTORY, 1));
        let lab = lab.unwrap();
        let file = arrived(FILE, 2);
        pod.receive(lab, &name("blood.txt"), &file).unwrap();
        let year = pod.receive(lab, &name("2026"), &arrived(DIRECTORY, 3));
        let year = year.unwrap();
        pod.receive(year, &name("scan.bin"), &file).unwrap();
        let tray = pod.state_subdirectory("tray-1", OWNER).unwrap();
        pod.set_tray(lab, plain(tray)).unwrap();
        Self { pod, lab, tray }
    }

    fn year(&self) -> Ino {
        self.pod.lookup(self.lab, b"2026").unwrap().ino
    }

    fn add(&self, dir: Ino, name: &[u8], bytes: &[u8]) -> Attr {
        let made = self.pod.create(dir, name, 0o640, OWNER).unwrap();
        self.pod.write(made.ino, 0, bytes, false).unwrap();
        self.pod.release(made.ino).unwrap();
        self.pod.lookup(dir, name).unwrap()
    }

    fn seen(&self, dir: Ino) -> Vec<String> {
        let mut seen = Vec::new();
        self.pod
            .readdir(dir, 0, |entry| {
                seen.push(String::from_utf8_lossy(entry.name).into_owned());
                true
            })
            .unwrap();
        assert_eq!(seen[..2], [".", ".."]);
        let mut seen = seen.split_off(2);
        seen.sort();
        seen
    }

    fn in_tray(&self) -> Vec<String> {
        let names = self.pod.own_names(self.tray).unwrap();
        let names = names.iter().map(|entry| entry.name.as_bytes());
        let names = names.map(|name| String::from_utf8_lossy(name).into_owned());
        names.collect()
    }

    fn assert_clean(&self) {
        assert_eq!(self.pod.check(true).unwrap().findings, []);
    }
}

#[test]
fn what_is_added_is_seen_at_once_and_is_the_owners() {
    let shared = Shared::new();
    let (pod, lab) = (&shared.pod, shared.lab);
    let report = shared.add(lab, b"report.txt", b"all well");
    assert!(!report.ino.is_received());
    assert_eq!((report.uid, report.perm, report.size), (7, 0o640, 8));
    let deep = shared.add(shared.year(), b"april.bin", b"x");
    let folder = pod.mkdir(lab, b"notes", 0o755, OWNER).unwrap();
    shared.add(folder.ino, b"one", b"1");
    assert_eq!(
        shared.seen(lab),
        ["2026", "blood.txt", "notes", "report.txt"]
    );
    assert_eq!(shared.seen(shared.year()), ["april.bin", "scan.bin"]);
    assert_eq!(shared.seen(folder.ino), ["one"]);
    assert_eq!(shared.in_tray(), ["2026", "notes", "report.txt"]);
    // It is where the owner keeps it, with one name each.
    assert_eq!(pod.lookup(shared.tray, b"report.txt").unwrap(), report);
    assert_eq!((report.nlink, deep.nlink), (1, 1));
    assert!(matches!(pod.lookup(ROOT, b".pod"), Err(PodError::NotFound)));
    // Directories say that they may be added to, and when they were.
    let shown = pod.getattr(lab).unwrap();
    assert_eq!((shown.perm, shown.nlink), (0o700, 5));
    assert!(shown.mtime > pod.inode(lab).unwrap().mtime);
    let file = pod.lookup(lab, b"blood.txt").unwrap();
    assert_eq!(file.perm, 0o400);
    pod.readdir(folder.ino, 1, |entry| {
        assert_eq!((entry.name, entry.ino), (&b".."[..], lab));
        false
    })
    .unwrap();
    shared.assert_clean();
}

#[test]
fn what_was_added_can_be_changed_renamed_and_removed() {
    let shared = Shared::new();
    let (pod, lab, year) = (&shared.pod, shared.lab, shared.year());
    let report = shared.add(lab, b"report.txt", b"1").ino;
    pod.write(report, 0, b"22", false).unwrap();
    let mode = SetAttr {
        mode: Some(0o600),
        ..SetAttr::default()
    };
    pod.setattr(report, &mode, OWNER).unwrap();
    pod.setxattr(report, b"user.a", b"1", XattrMode::Either)
        .unwrap();
    pod.rename((lab, b"report.txt"), (year, b"moved"), Taken::Replace)
        .unwrap();
    assert_eq!(pod.lookup(year, b"moved").unwrap().ino, report);
    assert_eq!(shared.seen(lab), ["2026", "blood.txt"]);
    // As editors do: written beside, and renamed over what was added before.
    let newer = shared.add(year, b".moved.new", b"333").ino;
    pod.rename((year, b".moved.new"), (year, b"moved"), Taken::Replace)
        .unwrap();
    assert_eq!(pod.lookup(year, b"moved").unwrap().ino, newer);
    // Into the owner's own folders and back, in one step.
    pod.rename((year, b"moved"), (ROOT, b"mine"), Taken::Keep)
        .unwrap();
    pod.rename((ROOT, b"mine"), (lab, b"back"), Taken::Keep)
        .unwrap();
    assert_eq!(pod.lookup(lab, b"back").unwrap().ino, newer);
    let notes = pod.mkdir(lab, b"notes", 0o755, OWNER).unwrap().ino;
    shared.add(notes, b"one", b"1");
    assert!(matches!(pod.rmdir(lab, b"notes"), Err(PodError::NotEmpty)));
    pod.unlink(notes, b"one").unwrap();
    pod.rmdir(lab, b"notes").unwrap();
    pod.unlink(lab, b"back").unwrap();
    assert_eq!(shared.in_tray(), ["2026"]);
    assert!(matches!(pod.unlink(lab, b"back"), Err(PodError::NotFound)));
    shared.assert_clean();
}

#[test]
fn nothing_of_the_other_one_is_changed_replaced_or_removed() {
    let shared = Shared::new();
    let (pod, lab, year) = (&shared.pod, shared.lab, shared.year());
    let blood = pod.lookup(lab, b"blood.txt").unwrap();
    shared.add(lab, b"mine", b"1");
    pod.mknod(ROOT, b"own", (0o600, 0), OWNER).unwrap();
    pod.symlink(ROOT, b"link", b"x", OWNER).unwrap();
    let (file, folder) = ((lab, &b"blood.txt"[..]), (lab, &b"2026"[..]));
    let mine = (lab, &b"mine"[..]);
    for refused in [
        pod.write(blood.ino, 0, b"x", false).map(drop),
        pod.setattr(blood.ino, &SetAttr::default(), OWNER).map(drop),
        pod.setattr(lab, &SetAttr::default(), OWNER).map(drop),
        pod.setxattr(blood.ino, b"user.a", b"", XattrMode::Either),
        pod.may_be_written(blood.ino),
        pod.unlink(lab, b"blood.txt"),
        pod.rmdir(lab, b"2026"),
        pod.rename(file, (lab, b"other"), Taken::Replace),
        pod.rename(folder, (lab, b"other"), Taken::Replace),
        pod.rename(mine, file, Taken::Replace),
        pod.rename(mine, file, Taken::Exchange),
        pod.rename((ROOT, b"own"), file, Taken::Replace),
    ] {
        assert!(matches!(refused, Err(PodError::ReadOnly)), "{refused:?}");
    }
    for refused in [
        pod.create(lab, b"blood.txt", 0o600, OWNER).map(drop),
        pod.mkdir(lab, b"2026", 0o700, OWNER).map(drop),
        pod.rename(mine, file, Taken::Keep),
    ] {
        assert!(matches!(refused, Err(PodError::Exists)), "{refused:?}");
    }
    for refused in [
        pod.rename(file, (ROOT, b"taken"), Taken::Replace),
        pod.rename((ROOT, b"link"), (lab, b"link"), Taken::Replace),
        pod.link(blood.ino, ROOT, b"taken").map(drop),
    ] {
        assert!(matches!(refused, Err(PodError::CrossDevice)), "{refused:?}");
    }
    let notes = pod.mkdir(lab, b"notes", 0o700, OWNER).unwrap().ino;
    for refused in [
        pod.symlink(lab, b"link", b"x", OWNER).map(drop),
        pod.symlink(notes, b"link", b"x", OWNER).map(drop),
        pod.mknod(year, b"fifo", (0o010_600, 0), OWNER).map(drop),
    ] {
        assert!(
            matches!(refused, Err(PodError::NotPermitted)),
            "{refused:?}"
        );
    }
    assert_eq!(shared.seen(lab), ["2026", "blood.txt", "mine", "notes"]);
    assert_eq!(pod.lookup(lab, b"blood.txt").unwrap(), blood);
    shared.assert_clean();
}

#[test]
fn without_a_tray_nothing_is_added_and_nothing_of_it_seen() {
    let shared = Shared::new();
    let (pod, lab) = (&shared.pod, shared.lab);
    shared.add(lab, b"report.txt", b"1");
    pod.unset_tray(plain(shared.tray));
    assert_eq!(shared.seen(lab), ["2026", "blood.txt"]);
    assert_eq!(pod.getattr(lab).unwrap().perm, 0o500);
    let refused = pod.create(lab, b"more", 0o600, OWNER);
    assert!(matches!(refused, Err(PodError::ReadOnly)));
    let anna = pod.parent(lab).unwrap();
    for above in [anna, SHARED] {
        let refused = pod.mkdir(above, b"more", 0o700, OWNER);
        assert!(matches!(refused, Err(PodError::ReadOnly)));
    }
    // What nobody took over is given back.
    pod.withdraw_share(&name("Anna"), &name("lab")).unwrap();
    let above = pod.parent(shared.tray).unwrap();
    let left = name("lab (not taken over)");
    pod.move_own((above, b"tray-1"), (ROOT, &left)).unwrap();
    let back = pod.lookup(ROOT, b"lab (not taken over)").unwrap().ino;
    assert_eq!(shared.seen(back), ["report.txt"]);
    shared.assert_clean();
}

#[test]
fn what_the_other_one_has_under_a_name_lies_before_what_was_added() {
    let shared = Shared::new();
    let (pod, lab) = (&shared.pod, shared.lab);
    let ours = shared.add(lab, b"report.txt", b"mine");
    let notes = pod.mkdir(lab, b"notes", 0o700, OWNER).unwrap().ino;
    shared.add(notes, b"kept", b"1");
    let theirs = pod.receive(lab, &name("report.txt"), &arrived(FILE, 9));
    let theirs = theirs.unwrap();
    let folder = pod.receive(lab, &name("notes"), &arrived(DIRECTORY, 8));
    let folder = folder.unwrap();
    assert_eq!(pod.lookup(lab, b"report.txt").unwrap().ino, theirs);
    assert_eq!(pod.lookup(lab, b"notes").unwrap().ino, folder);
    assert_eq!(
        shared.seen(lab),
        ["2026", "blood.txt", "notes", "report.txt"]
    );
    assert_eq!(shared.seen(folder), ["kept"], "seen through the folder");
    assert!(matches!(
        pod.unlink(lab, b"report.txt"),
        Err(PodError::ReadOnly)
    ));
    // It goes only when it is what was looked at, and nobody has it open.
    let report = name("report.txt");
    let place = (shared.tray, &report);
    pod.open(ours.ino).unwrap();
    assert!(!pod.let_go(place, &ours, None).unwrap());
    pod.write(ours.ino, 0, b"more", false).unwrap();
    pod.release(ours.ino).unwrap();
    assert!(!pod.let_go(place, &ours, None).unwrap());
    let now = pod.lookup(shared.tray, b"report.txt").unwrap();
    assert!(pod.let_go(place, &now, None).unwrap());
    assert!(!pod.let_go(place, &now, None).unwrap());
    assert_eq!(shared.in_tray(), ["notes"]);
    shared.assert_clean();
}

#[test]
fn a_listing_in_pieces_has_everything_once() {
    let shared = Shared::new();
    let (pod, lab) = (&shared.pod, shared.lab);
    let mut wanted = vec!["2026".to_owned(), "blood.txt".to_owned()];
    for nth in 0..300 {
        let (ours, theirs) = (format!("ours {nth}"), format!("theirs {nth}"));
        pod.mknod(lab, ours.as_bytes(), (0o600, 0), OWNER).unwrap();
        pod.receive(lab, &name(&theirs), &arrived(FILE, 2)).unwrap();
        if nth % 3 == 0 {
            pod.receive(lab, &name(&ours), &arrived(FILE, 2)).unwrap();
        }
        wanted.extend([ours, theirs]);
    }
    let (mut found, mut cookie) = (Vec::new(), 2);
    loop {
        let mut left = 7;
        let before = found.len();
        pod.readdir(lab, cookie, |entry| {
            if left == 0 {
                return false;
            }
            left -= 1;
            cookie = entry.cookie;
            found.push(String::from_utf8_lossy(entry.name).into_owned());
            true
        })
        .unwrap();
        if found.len() == before {
            break;
        }
    }
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
    shared.assert_clean();
}

#[test]
fn what_arrives_is_taken_over_once_and_in_one_step() {
    let pod = Pod::in_memory();
    let lab = pod.mkdir(ROOT, b"lab", 0o755, OWNER).unwrap().ino;
    let added = pod.added(OWNER).unwrap();
    assert_eq!(pod.added(OWNER).unwrap(), added);
    let of_ben = pod.receive(added, &name("ben"), &arrived(DIRECTORY, 1));
    let of_ben = of_ben.unwrap();
    let report = name("report.txt");
    let ino = pod.receive(of_ben, &report, &arrived(FILE, 2)).unwrap();
    assert!(!pod.is_taken_over(ino).unwrap());
    let copy = pod.begin_copy(ino, OWNER).unwrap();
    pod.write(copy.ino, 0, b"ha", false).unwrap();
    // What a crash leaves does not stand in the way.
    let copy = {
        let again = pod.begin_copy(ino, OWNER).unwrap();
        assert_ne!(again.ino, copy.ino);
        again
    };
    pod.write(copy.ino, 0, b"half", false).unwrap();
    let target = Target {
        at: (lab, &report),
        over: None,
        is_written: false,
        note: None,
    };
    let of = pod.getattr(ino).unwrap();
    pod.take_over(&of, &copy, &target, OWNER).unwrap();
    let taken = pod.lookup(lab, b"report.txt").unwrap();
    assert_eq!((taken.perm, taken.uid, taken.mtime), (0o644, 7, of.mtime));
    assert!(pod.is_taken_over(ino).unwrap());
    // The name is taken: nothing is replaced.
    let other = pod.receive(of_ben, &name("b"), &arrived(FILE, 3)).unwrap();
    let copy = pod.begin_copy(other, OWNER).unwrap();
    let of = pod.getattr(other).unwrap();
    let refused = pod.take_over(&of, &copy, &target, OWNER);
    assert!(matches!(refused, Err(PodError::Exists)));
    assert!(!pod.is_taken_over(other).unwrap());
    pod.drop_copies().unwrap();
    // Other contents are something else, which was not taken over; the note of what is gone goes with it.
    let newer = pod.receive(of_ben, &report, &arrived(FILE, 4)).unwrap();
    assert!(newer != ino && !pod.is_taken_over(newer).unwrap());
    pod.has_taken_over((newer, None), None).unwrap();
    assert_eq!(pod.check(true).unwrap().findings, []);
    pod.forget_added(&name("ben")).unwrap();
    assert!(!pod.is_taken_over(newer).unwrap());
    assert_eq!(pod.check(true).unwrap().findings, []);
    assert!(pod.lookup(lab, b"report.txt").is_ok());
}
