//! A small pod: a few files of every kind, two devices, three heads.

use podfs::format::published::*;
use podfs::format::rows::Xattr;
use podfs::types::Ino;
use podfs::types::Name;
use podfs::types::Timespec;

use crate::published::Chunks;
use crate::published::publisher::Publisher;
use crate::published::publisher::RATE;

fn name(bytes: &[u8]) -> Name {
    Name::parse(bytes).unwrap()
}

fn time(secs: i64) -> Timespec {
    Timespec {
        secs,
        nanos: 123_456_789,
    }
}

fn attributes(mode: u32, number: u64) -> Attributes {
    let first = time(1_795_000_000);
    Attributes {
        mode,
        ino: if number == 1 {
            Ino(1)
        } else {
            Ino::new(0, number)
        },
        uid: None,
        gid: None,
        nlink: if mode >> 12 == 4 { 2 } else { 1 },
        rdev: 0,
        size: 0,
        mtime: time(1_795_000_000 + number.cast_signed()),
        ctime: time(1_795_000_000 + number.cast_signed()),
        btime: first,
        atime: first,
        xattrs: false,
        target: [].into(),
        contents: None,
        directory: None,
        attached: None,
    }
}

fn entry(name: &[u8], attributes: Attributes) -> Entry {
    Entry {
        name: self::name(name),
        attributes,
    }
}

fn link(number: u64, target: &[u8]) -> Attributes {
    Attributes {
        size: target.len() as u64,
        target: target.into(),
        ..attributes(0o120_777, number)
    }
}

fn xattr(name: &[u8], value: &[u8]) -> Xattr {
    Xattr {
        name: name.into(),
        value: value.into(),
    }
}

/// Of regular files.
fn file(number: u64) -> Attributes {
    attributes(0o100_644, number)
}

impl Publisher {
    /// The directories with something of everything in them; the attributes of the top one and of `many`.
    fn tree(&mut self) -> (Attributes, Attributes) {
        let bytes = |count: usize| {
            (0..count)
                .map(|at| ((at * at) >> 3) as u8)
                .collect::<Vec<u8>>()
        };
        let note = xattr(b"user.note", b"zero \0 and \xff");
        let letter = Attributes {
            nlink: 2,
            ..self.file((3, b"letter.txt"), &bytes(300), vec![note], file(4))
        };
        let letters = vec![
            entry(b"letter.txt", letter.clone()),
            entry(b"the same letter", letter),
        ];
        let scope = self.secret.scope_key().scope_id(3, b"");
        let colour = vec![xattr(b"user.colour", b"blue")];
        let of_directory = Attributes {
            xattrs: true,
            contents: Some(self.inode(InodeKind::File, &scope, &[], colour)),
            ..attributes(0o040_755, 3)
        };
        let letters = self.directory(of_directory, &letters);
        let many = (0..60).map(|at| {
            let (name, target) = (format!("{at:02}"), format!("../Letters/{at:055}"));
            entry(name.as_bytes(), link(100 + at, target.as_bytes()))
        });
        let many: Vec<_> = many.collect();
        let many = self.directory(attributes(0o040_700, 5), &many);
        let mut big = vec![0; 46 * 4096 - 1000];
        let end = big.len() - 4000;
        big[..6000].copy_from_slice(&bytes(6000));
        big[end..].fill(7);
        let long = [b"../".as_slice(), &[b'x'; 300]].concat();
        let at = (1, b"long link".as_slice());
        let long_link = self.file(at, &long, Vec::new(), attributes(0o120_777, 8));

        let much = vec![xattr(b"user.much", &bytes(5000))];
        let null = Attributes {
            rdev: 0x103,
            uid: Some(0),
            gid: Some(0),
            ..attributes(0o020_666, 9)
        };
        let entries = vec![
            entry(b"Letters", letters),
            entry(b"big", self.file((1, b"big"), &big, Vec::new(), file(6))),
            entry(b"empty", attributes(0o100_600, 10)),
            entry(b"fifo", attributes(0o010_600, 11)),
            entry(b"gone.txt", attributes(0o100_600, 12)),
            entry(b"long link", long_link),
            entry(b"many", many.clone()),
            entry(
                b"medium",
                self.file((1, b"medium"), &bytes(5000), much, file(7)),
            ),
            entry(b"null", null),
            entry(b"short link", link(13, b"Letters/letter.txt")),
        ];
        let top = Attributes {
            nlink: 4,
            ..attributes(0o040_700, 1)
        };
        (self.directory(top, &entries), many)
    }

    /// What came after the directories were written: a name gone in each, and a new directory with a file in it.
    fn changes(&mut self, many: Attributes) -> Journal {
        let change = |directory, name: &[u8], now| Change {
            directory: Ino(directory),
            name: self::name(name),
            now,
        };
        let new = self.file((14, b"new.txt"), b"new", Vec::new(), file(15));
        let fresh = attributes(0o040_755, 14);
        let changes = vec![
            change(1, b"gone.txt", None),
            change(1, b"many", Some(Attributes { size: 59, ..many })),
            change(1, b"new", Some(Attributes { size: 1, ..fresh })),
            change(5, b"07", None),
            change(14, b"new.txt", Some(new)),
        ];
        let mut journal = Journal {
            changes,
            group: RATE.nodes,
            parity: Vec::new(),
        };
        let scope = self.secret.scope_key().scope_id(1, b"");
        let children = journal.references().cloned().collect();
        journal.parity = self.parity_of(&scope, children);
        journal
    }
}

/// All chunks of the pod.
pub(super) fn chunks() -> Chunks {
    let mut publisher = Publisher::new();
    let empty = Head {
        one_scope: false,
        device: 0,
        epoch: 0,
        box_number: 0,
        box_epoch: 0,
        index: 0,
        previous: None,
        nonce: [0x0d; 16],
        time: time(1_795_000_000),
        next_ino: 2,
        root: Root {
            attributes: attributes(0o040_700, 1),
            parity: None,
        },
        adopted: None,
        journal: Journal::default(),
        batches: Vec::new(),
        skippable: Vec::new(),
    };
    let first = publisher.head(&empty);
    let (top, many) = publisher.tree();
    let scope = publisher.secret.scope_key().scope_id(1, b"");
    let root = publisher.parity_of(&scope, top.directory.iter().cloned().collect());
    let second = Head {
        index: 2,
        previous: Some((0, first)),
        time: time(1_795_000_100),
        next_ino: 16,
        root: Root {
            attributes: Attributes { nlink: 5, ..top },
            parity: root.first().cloned(),
        },
        journal: publisher.changes(many),
        batches: vec![Batch {
            id: [0xba; 32],
            pays: BatchUse::All,
            depth: 20,
            expires: 1_826_536_000,
        }],
        ..empty
    };
    let adopted = Adopted {
        epoch: 0,
        box_epoch: 0,
        device: 0,
        index: 2,
        hash: publisher.head(&second),
    };
    publisher.head(&Head {
        device: 1,
        index: 0,
        previous: None,
        nonce: [0x1d; 16],
        time: time(1_795_000_200),
        next_ino: 0,
        adopted: Some(adopted),
        ..second
    });
    publisher.chunks
}
