//! What may happen to a pod.

use podfs::pod::{BoxError, FileKind, SetAttr, SetTime, Taken, XattrMode};
use podfs::types::{Ino, ROOT, Timespec};
use rustix::fs::FallocateFlags;

use crate::publishing::world::{DENSE, OWNER, World};

const PAGE: u64 = 4096;
const NAMES_MAX: usize = 400;
const DIRS_MAX: usize = 40;

impl World {
    /// Does something, `times` times.
    pub fn live(&mut self, times: u64) {
        for _ in 0..times {
            if self.boxes && self.random.below(25) == 0 {
                self.border();
                continue;
            }
            match self.random.below(100) {
                0..22 => self.make(),
                22..27 => self.link(),
                27..37 => self.remove(),
                37..48 => self.rename(),
                48..68 => self.write(),
                68..74 => self.resize(),
                74..78 => self.save_again(),
                78..84 => self.touch(),
                84..89 => self.attribute(),
                89..94 => self.punch(),
                94..97 => self.copy(),
                _ => self.hold(),
            }
        }
    }

    /// A directory becomes a box, if it may, or an ordinary one again.
    fn border(&mut self) {
        let (dir, one_scope) = (self.directory(), self.random.below(3) == 0);
        if self.pod().box_at(dir).is_ok() {
            self.pod().unmake_box(dir, false).unwrap();
        } else if let Err(BoxError::Pod(error)) = self.pod().make_box(dir, one_scope, false) {
            panic!("{error}");
        }
    }

    fn make(&mut self) {
        let dirs = self.names.values().filter(|it| it.1 == FileKind::Directory);
        let (few, full) = (dirs.count() < DIRS_MAX, self.names.len() >= NAMES_MAX);
        let (dir, name) = self.place();
        let (kind, made) = match self.random.below(if full { 0 } else { 16 }.max(1)) {
            _ if full => return,
            0..3 if few => (
                FileKind::Directory,
                self.pod().mkdir(dir, &name, 0o750, OWNER),
            ),
            3 => {
                let target = vec![b't'; self.one_of(&[1, 255, 256, 3600, 3601, 4095])];
                let made = self.pod().symlink(dir, &name, &target, OWNER);
                (FileKind::Symlink, made)
            }
            4 => {
                let made = self.pod().mknod(dir, &name, (0o010_600, 0), OWNER);
                (FileKind::Fifo, made)
            }
            5 => {
                let made = self.pod().mknod(dir, &name, (0o020_600, 0x503), OWNER);
                (FileKind::CharDevice, made)
            }
            _ => (
                FileKind::Regular,
                self.pod().mknod(dir, &name, (0o100_644, 0), OWNER),
            ),
        };
        let Ok(attr) = made else { return };
        self.names.insert((dir, name), (attr.ino, kind));
        if kind == FileKind::Regular && self.random.below(4) > 0 {
            let size = self.size();
            self.fill(attr.ino, 0, size.min(DENSE));
            self.cut(attr.ino, size);
        }
    }

    /// Bytes that are nowhere else.
    fn fill(&mut self, ino: Ino, at: u64, len: u64) {
        let bytes = self.random.bytes(len as usize);
        self.pod().write(ino, at, &bytes, false).unwrap();
    }

    fn cut(&mut self, ino: Ino, size: u64) {
        let set = SetAttr {
            size: Some(size),
            ..SetAttr::default()
        };
        self.pod().setattr(ino, &set, OWNER).unwrap();
    }

    fn link(&mut self) {
        let Some((from, ino)) = self.pick(|kind| kind != FileKind::Directory) else {
            return;
        };
        let kind = self.names[&from].1;
        let (dir, name) = self.place();
        if self.pod().link(ino, dir, &name).is_ok() {
            self.names.insert((dir, name), (ino, kind));
        }
    }

    fn remove(&mut self) {
        let Some((place, _)) = self.pick(|_| true) else {
            return;
        };
        let removed = if self.names[&place].1 == FileKind::Directory {
            self.pod().rmdir(place.0, &place.1)
        } else {
            self.pod().unlink(place.0, &place.1)
        };
        if removed.is_ok() {
            self.names.remove(&place);
        }
    }

    fn rename(&mut self) {
        let Some((from, _)) = self.pick(|_| true) else {
            return;
        };
        let to = if self.random.below(3) == 0 {
            self.pick(|_| true).unwrap().0
        } else {
            self.place()
        };
        let exchange = self.random.below(5) == 0 && self.names.contains_key(&to);
        let taken = if exchange {
            Taken::Exchange
        } else {
            Taken::Replace
        };
        let renamed = self.pod().rename((from.0, &from.1), (to.0, &to.1), taken);
        if renamed.is_err()
            || self.names.get(&from).map(|it| it.0) == self.names.get(&to).map(|it| it.0)
        {
            return;
        }
        let moved = self.names.remove(&from).unwrap();
        if let Some(other) = self.names.insert(to, moved)
            && exchange
        {
            self.names.insert(from, other);
        }
    }

    fn write(&mut self) {
        let Some(ino) = self.file() else { return };
        let size = self.pod().getattr(ino).unwrap().size;
        let at = match self.random.below(4) {
            0 => size,
            1 => self.size(),
            _ => self.random.below(size + 1),
        };
        let len = match self.random.below(4) {
            0 => 1 + self.random.below(100),
            1 => PAGE,
            _ => 1 + self.random.below(3 * PAGE),
        };
        let at = if self.random.below(2) == 0 {
            at & !(PAGE - 1)
        } else {
            at
        };
        self.fill(ino, at, len);
    }

    fn resize(&mut self) {
        let Some(ino) = self.file() else { return };
        let size = self.size();
        self.cut(ino, size);
    }

    /// As editors do: what a file shall be is written to a temporary one, which takes its name.
    fn save_again(&mut self) {
        let Some((place, ino)) = self.pick(|kind| kind == FileKind::Regular) else {
            return;
        };
        let attr = self.pod().getattr(ino).unwrap();
        if attr.size > DENSE {
            return;
        }
        let mut bytes = Vec::new();
        self.pod().read(ino, 0, u32::MAX, &mut bytes).unwrap();
        if self.random.below(2) == 0 {
            let more = self.random.index(3000);
            bytes.extend(self.random.bytes(more));
        }
        let temporary = b"temporary".as_slice();
        let new = self.pod().mknod(place.0, temporary, (0o100_640, 0), OWNER);
        let Ok(new) = new else { return };
        self.pod().write(new.ino, 0, &bytes, false).unwrap();
        if self.random.below(4) == 0 {
            let key = (place.0, temporary.to_vec());
            self.names.insert(key, (new.ino, FileKind::Regular));
            return;
        }
        let (from, to) = ((place.0, temporary), (place.0, &*place.1));
        self.pod().rename(from, to, Taken::Replace).unwrap();
        self.names.insert(place, (new.ino, FileKind::Regular));
    }

    fn touch(&mut self) {
        let ino = match self.pick(|_| true) {
            Some((_, ino)) if self.random.below(8) > 0 => ino,
            _ => ROOT,
        };
        let at = |secs| {
            let time = Timespec { secs, nanos: 5 };
            Some(SetTime::At(time))
        };
        let secs = self.random.below(1 << 31).cast_signed();
        let set = match self.random.below(4) {
            0 => SetAttr {
                mode: Some(self.random.below(0o10000) as u32),
                ..SetAttr::default()
            },
            1 => SetAttr {
                uid: Some(self.random.below(3) as u32),
                ..SetAttr::default()
            },
            2 => SetAttr {
                atime: at(secs),
                ..SetAttr::default()
            },
            _ => SetAttr {
                mtime: at(secs - (1 << 30)),
                ..SetAttr::default()
            },
        };
        self.pod().setattr(ino, &set, OWNER).unwrap();
    }

    fn attribute(&mut self) {
        let ino = match self.pick(|kind| kind != FileKind::Symlink) {
            Some((_, ino)) if self.random.below(8) > 0 => ino,
            _ => ROOT,
        };
        let name = format!("user.{}", self.random.below(3));
        if self.random.below(3) == 0 {
            drop(self.pod().removexattr(ino, name.as_bytes()));
            return;
        }
        let len = self.one_of(&[0, 40, 800, 30 << 10]);
        let value = self.random.bytes(len);
        let set = self
            .pod()
            .setxattr(ino, name.as_bytes(), &value, XattrMode::Either);
        set.unwrap();
    }

    fn punch(&mut self) {
        let Some(ino) = self.file() else { return };
        let size = self.pod().getattr(ino).unwrap().size;
        let (at, len) = (self.random.below(size + 1), 1 + self.random.below(size + 1));
        let keep = FallocateFlags::KEEP_SIZE;
        let flags = match self.random.below(4) {
            0 => FallocateFlags::empty(),
            1 => FallocateFlags::ZERO_RANGE | keep,
            _ => FallocateFlags::PUNCH_HOLE | keep,
        };
        self.pod().fallocate(ino, at, len, flags).unwrap();
    }

    fn copy(&mut self) {
        if !self.copies {
            return;
        }
        let (Some(from), Some(to)) = (self.file(), self.file()) else {
            return;
        };
        let (at, place) = (self.random.below(60) * PAGE, self.random.below(60) * PAGE);
        let len = 1 + self.random.below(20 * PAGE);
        drop(self.pod().copy_range(from, at, to, place, len));
    }

    /// Opens something, deletes it, or closes what is open.
    fn hold(&mut self) {
        if self.random.below(2) == 0
            && let Some(ino) = self.opened.pop()
        {
            self.pod().release(ino).unwrap();
            return;
        }
        let Some((place, ino)) = self.pick(|kind| kind == FileKind::Regular) else {
            return;
        };
        self.pod().open(ino).unwrap();
        self.opened.push(ino);
        self.pod().unlink(place.0, &place.1).unwrap();
        self.names.remove(&place);
        let at = self.random.below(100_000);
        self.fill(ino, at, 5000);
    }
}
