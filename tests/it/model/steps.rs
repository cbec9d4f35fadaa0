use podfs::format::rows::FileKind;
use podfs::pod::{Caller, PodError, SetAttr, SetTime, Taken, XattrMode};
use podfs::types::{Ino, Timespec};

use super::reference::{New, Refusal};
use super::{OWNER, Pair};

/// Directories, so that names meet.
const DIRS_MAX: usize = 30;

/// Both did it, or both refused for the same reason.
#[track_caller]
pub fn same<T>(pod: Result<T, PodError>, reference: Result<(), Refusal>) -> Option<T> {
    match (pod, reference) {
        (Ok(value), Ok(())) => Some(value),
        (Err(error), Err(refusal)) => {
            let error = format!("{error:?}");
            assert_eq!(error.split('(').next(), Some(refusal));
            None
        }
        (Ok(_), Err(refusal)) => panic!("the reference refuses: {refusal}"),
        (Err(error), Ok(())) => panic!("the pod refuses: {error}"),
    }
}

impl Pair {
    fn pick(&mut self, inos: &[Ino]) -> Option<Ino> {
        (!inos.is_empty()).then(|| inos[self.random.index(inos.len())])
    }

    fn dir(&mut self) -> Ino {
        let dirs = self
            .reference
            .inos(|n| n.kind == FileKind::Directory && n.nlink > 0);
        self.pick(&dirs).unwrap()
    }

    pub fn file(&mut self) -> Option<Ino> {
        let files = self.reference.inos(|n| n.kind == FileKind::Regular);
        self.pick(&files)
    }

    fn any(&mut self) -> Ino {
        let all = self.reference.inos(|_| true);
        self.pick(&all).unwrap()
    }

    fn name(&mut self) -> Vec<u8> {
        let names: [&[u8]; 10] = [
            b"a",
            b"b",
            b"c",
            b"d",
            b"e.txt",
            b"\xff\xfe",
            b"f g",
            b"%41",
            b"\xcc\x81",
            b"long",
        ];
        let name = names[self.random.index(names.len())];
        if name == b"long" {
            vec![b'n'; 255]
        } else {
            name.to_vec()
        }
    }

    fn caller(&mut self) -> Caller {
        Caller {
            uid: self.random.below(3) as u32,
            gid: self.random.below(3) as u32,
        }
    }

    /// One operation on both.
    pub fn step(&mut self) {
        match self.random.below(100) {
            0..=13 => self.make(),
            14..=17 => self.link(),
            18..=29 => self.remove(),
            30..=37 => self.rename(),
            38..=53 => self.write(),
            54..=57 => self.resize(),
            58..=64 => self.read(),
            65..=68 => self.setattr(),
            69..=74 => self.xattr(),
            75..=82 => self.open_or_release(),
            83..=88 => self.fallocate(),
            89..=93 => self.copy(),
            94..=97 => self.look(),
            98 => self.list(),
            _ => self.pod().fsync().unwrap(),
        }
    }

    fn make(&mut self) {
        let (dir, name, caller) = (self.dir(), self.name(), self.caller());
        let perm = self.random.below(0o10000) as u32;
        let crowded = self.reference.inos(super::reference::Node::is_dir).len() >= DIRS_MAX;
        let (kind, rdev) = match self.random.below(8) {
            0 | 1 if !crowded => (FileKind::Directory, 0),
            2 => (FileKind::Symlink, 0),
            3 => (FileKind::Fifo, 0),
            4 => (FileKind::CharDevice, 0x0105),
            _ => (FileKind::Regular, 0),
        };
        let target = if kind == FileKind::Symlink {
            name.clone()
        } else {
            Vec::new()
        };
        let perm = if kind == FileKind::Symlink {
            0o777
        } else {
            perm
        };
        let pod = self.pod();
        let open = kind == FileKind::Regular && self.random.below(2) == 0;
        let made = match kind {
            FileKind::Directory => pod.mkdir(dir, &name, perm, caller),
            FileKind::Symlink => pod.symlink(dir, &name, &target, caller),
            FileKind::Regular if open => pod.create(dir, &name, perm, caller),
            FileKind::Regular
            | FileKind::Fifo
            | FileKind::Socket
            | FileKind::CharDevice
            | FileKind::BlockDevice => pod.mknod(dir, &name, (kind.bits() | perm, rdev), caller),
        };
        let may = self.reference.may_make(dir, &name);
        let Some(attr) = same(made, may) else { return };
        let new = New {
            kind,
            perm,
            rdev,
            target: &target,
            caller,
        };
        self.reference.make(dir, &name, attr.ino, &new);
        self.reference.node(attr.ino).opens += u32::from(open);
        assert!(self.reference.nodes[&attr.ino].agrees(&attr), "{attr:?}");
    }

    fn link(&mut self) {
        let (ino, dir, name) = (self.any(), self.dir(), self.name());
        let linked = self.pod().link(ino, dir, &name);
        let expected = self.reference.link(ino, dir, &name);
        same(linked, expected);
    }

    fn remove(&mut self) {
        let (dir, name) = (self.dir(), self.name());
        let directory = self.random.below(4) == 0;
        let pod = self.pod();
        let removed = if directory {
            pod.rmdir(dir, &name)
        } else {
            pod.unlink(dir, &name)
        };
        same(removed, self.reference.remove(dir, &name, directory));
    }

    fn rename(&mut self) {
        let (from, name, new_name) = (self.dir(), self.name(), self.name());
        let to = if self.random.below(3) == 0 {
            from
        } else {
            self.dir()
        };
        let taken = match self.random.below(6) {
            0 => Taken::Keep,
            1 => Taken::Exchange,
            _ => Taken::Replace,
        };
        let renamed = self.pod().rename((from, &name), (to, &new_name), taken);
        same(
            renamed,
            self.reference.rename((from, &name), (to, &new_name), taken),
        );
    }

    fn setattr(&mut self) {
        let ino = self.any();
        let mut set = SetAttr::default();
        match self.random.below(3) {
            0 => {
                let mode = self.random.below(0o10000) as u32;
                set.mode = Some(mode);
                self.reference.node(ino).perm = mode;
                self.reference.changed(ino);
            }
            1 => {
                let owner = self.caller();
                (set.uid, set.gid) = (Some(owner.uid), Some(owner.gid));
                self.reference.chown(ino, (owner.uid, owner.gid));
            }
            _ => {
                let time = Timespec {
                    secs: self.random.below(4_000_000_000).cast_signed() - 2_000_000_000,
                    nanos: self.random.below(1_000_000_000) as u32,
                };
                (set.atime, set.mtime) = (Some(SetTime::At(time)), Some(SetTime::At(time)));
                self.reference.node(ino).times[..2].fill(time);
                self.reference.changed(ino);
            }
        }
        let attr = self.pod().setattr(ino, &set, OWNER).unwrap();
        assert!(self.reference.nodes[&ino].agrees(&attr), "{attr:?}");
    }

    fn xattr(&mut self) {
        let ino = self.any();
        let name = format!("user.{}", self.random.below(5)).into_bytes();
        let len = if self.random.below(10) == 0 {
            60_000
        } else {
            40
        };
        let value = self.random.bytes(len);
        let there = self.reference.nodes[&ino].xattrs.contains_key(&name);
        let must = |fits: bool, refusal| if fits { Ok(()) } else { Err(refusal) };
        let done = match self.random.below(4) {
            0 => same(self.pod().removexattr(ino, &name), must(there, "NoData")).inspect(|()| {
                self.reference.node(ino).xattrs.remove(&name);
            }),
            kind => {
                let (mode, may) = match kind {
                    1 => (XattrMode::Create, must(!there, "Exists")),
                    2 => (XattrMode::Replace, must(there, "NoData")),
                    _ => (XattrMode::Either, Ok(())),
                };
                same(self.pod().setxattr(ino, &name, &value, mode), may).inspect(|()| {
                    self.reference.node(ino).xattrs.insert(name, value);
                })
            }
        };
        if done.is_some() {
            self.reference.changed(ino);
        }
    }

    fn open_or_release(&mut self) {
        let open = self.reference.inos(|node| node.opens > 0);
        match self.pick(&open) {
            Some(ino) if self.random.below(5) < 3 => {
                self.pod().release(ino).unwrap();
                self.reference.release(ino);
            }
            _ => {
                let Some(ino) = self.file() else { return };
                self.pod().open(ino).unwrap();
                self.reference.node(ino).opens += 1;
            }
        }
    }

    fn look(&mut self) {
        let (dir, name) = (self.dir(), self.name());
        let found = self.pod().lookup(dir, &name);
        let expected = self.reference.lookup(dir, &name);
        if let Some(attr) = same(found, expected.map(|_| ())) {
            assert_eq!(expected, Ok(attr.ino));
            assert!(self.reference.nodes[&attr.ino].agrees(&attr), "{attr:?}");
        }
        let ino = self.any();
        let attr = self.pod().getattr(ino).unwrap();
        assert!(self.reference.nodes[&ino].agrees(&attr), "{attr:?}");
    }

    /// A listing in pieces.
    fn list(&mut self) {
        let (dir, piece) = (self.dir(), 1 + self.random.index(4));
        let (mut names, mut cookie) = (std::collections::BTreeSet::new(), 0);
        loop {
            let mut taken = 0;
            let listing = self.pod().readdir(dir, cookie, |entry| {
                if taken < piece {
                    cookie = entry.cookie;
                    names.insert(entry.name.to_vec());
                }
                taken += 1;
                taken <= piece
            });
            listing.unwrap();
            if taken <= piece {
                break;
            }
        }
        assert!(names.remove(&b"."[..]) && names.remove(&b".."[..]));
        assert!(names.iter().eq(self.reference.nodes[&dir].entries.keys()));
    }
}
