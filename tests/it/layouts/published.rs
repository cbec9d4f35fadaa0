//! Values of every published layout, as bytes, and what they mean written again.

use podfs::crypto::Phrase;
use podfs::crypto::Secret;
use podfs::crypto::keys::RootKey;
use podfs::crypto::keys::ScopeId;
use podfs::crypto::publish::Reference;
use podfs::format::published::*;
use podfs::format::rows::Attached;
use podfs::format::rows::Xattr;
use podfs::format::wire::Malformed;
use podfs::types::Ino;
use podfs::types::Name;
use podfs::types::Timespec;

use crate::layouts::Named;

/// Address, key and tag that are told apart at a glance.
fn reference(number: u8) -> Reference {
    let mut bytes = [number; 80];
    bytes[32..64].fill(0x80 | number);
    bytes[64..].fill(0x40 | number);
    Reference::from_bytes(&bytes).unwrap()
}

fn references(numbers: std::ops::Range<u8>) -> Vec<Option<Reference>> {
    numbers.map(reference).map(Some).collect()
}

fn name(bytes: &[u8]) -> Name {
    Name::parse(bytes).unwrap()
}

const fn time(secs: i64, nanos: u32) -> Timespec {
    Timespec { secs, nanos }
}

fn xattr(name: &[u8], value: &[u8]) -> Xattr {
    Xattr {
        name: name.into(),
        value: value.into(),
    }
}

/// What a program leaves that made a file and wrote to it.
fn file(size: u64) -> Attributes {
    let made = time(1_795_000_000, 1);
    Attributes {
        mode: 0o100_644,
        ino: Ino::new(1, 2),
        uid: None,
        gid: None,
        nlink: 1,
        rdev: 0,
        size,
        mtime: time(1_795_000_001, 2),
        ctime: time(1_795_000_001, 2),
        btime: made,
        atime: made,
        xattrs: false,
        target: [].into(),
        contents: (size > 0).then(|| reference(1)),
        directory: None,
        attached: None,
    }
}

/// Every field that can be left out is there.
fn full() -> Attributes {
    Attributes {
        mode: 0o106_755,
        uid: Some(1000),
        gid: Some(0xffff_fffe),
        nlink: 3,
        mtime: time(-1, 999_999_999),
        ctime: time(i64::MAX, 0),
        btime: time(i64::MIN, 5),
        xattrs: true,
        ..file(0x0102_0304_0506)
    }
}

fn directory(size: u64) -> Attributes {
    Attributes {
        mode: 0o040_755,
        nlink: 2,
        contents: None,
        directory: (size > 0).then(|| reference(2)),
        ..file(size)
    }
}

fn link(target: &[u8]) -> Attributes {
    let times = file(0);
    Attributes {
        mode: 0o120_777,
        size: target.len() as u64,
        btime: times.mtime,
        atime: times.mtime,
        target: target.into(),
        contents: None,
        ..times
    }
}

fn device() -> Attributes {
    Attributes {
        mode: 0o020_666,
        rdev: 0x103,
        ..file(0)
    }
}

fn attached() -> Attributes {
    Attributes {
        attached: Some(Attached {
            number: 7,
            one_scope: true,
        }),
        ..directory(2)
    }
}

fn entry(name: &[u8], attributes: Attributes) -> Entry {
    Entry {
        name: self::name(name),
        attributes,
    }
}

fn leaf() -> Leaf {
    Leaf {
        entries: vec![
            entry(b"box", attached()),
            entry(b"dir", directory(3)),
            entry(b"empty", file(0)),
            entry(b"full", full()),
            entry(b"null", device()),
            entry(b"to", link(b"to/\xff")),
            entry(b"\xff", file(5)),
        ],
        group: 2,
        parity: vec![reference(8), reference(9)],
    }
}

fn inner() -> Inner {
    let pointer = |first: &[u8], number| Pointer {
        first: name(first),
        node: reference(number),
    };
    Inner {
        level: 1,
        names: 60,
        pointers: vec![pointer(b"a", 1), pointer(b"a.txt", 2), pointer(b"b", 3)],
        group: 16,
        parity: vec![reference(9)],
    }
}

fn lowest() -> TreeNode {
    TreeNode {
        level: 1,
        pages: 3,
        group: 0,
        children: vec![Some(reference(1)), None, Some(reference(3))],
        parity: Vec::new(),
    }
}

fn higher() -> TreeNode {
    let mut children = references(1..19);
    children[16] = None;
    children[17] = None;
    TreeNode {
        level: 2,
        pages: 18 * 51 - 7,
        group: 16,
        children,
        parity: vec![Some(reference(20)), None],
    }
}

fn inode(size: u64, rate: Rate, xattrs: XattrPlace) -> Inode {
    let contents = match Shape::of(size, rate) {
        None => Contents::Inline((0..size).map(|at| at as u8).collect()),
        Some(shape) => {
            let count = u8::try_from(shape.children()).unwrap();
            let parity = parity_len(count.into(), rate.group(shape.level()));
            Contents::Tree {
                shape,
                children: references(1..count + 1),
                parity: references(0x20..0x20 + u8::try_from(parity).unwrap()),
            }
        }
    };
    Inode {
        kind: InodeKind::File,
        scope: ScopeId([0x5c; 16]),
        size,
        contents,
        xattrs,
    }
}

fn inodes() -> Vec<(&'static str, Inode)> {
    let none = || XattrPlace::Inline(Vec::new());
    let two = || XattrPlace::Inline(vec![xattr(b"user.a", b"\0one"), xattr(b"user.\xff", b"")]);
    let elsewhere = XattrPlace::Elsewhere {
        node: reference(0x31),
        parity: Some(reference(0x32)),
    };
    let attributes = Inode {
        kind: InodeKind::Attributes,
        ..inode(3600, Rate::NONE, none())
    };
    vec![
        ("published-inode-inline", inode(300, Rate::NONE, two())),
        (
            "published-inode-pages",
            inode(3 * 4096 - 1, Rate::DEFAULT, two()),
        ),
        (
            "published-inode-tree",
            inode(1 << 30, Rate::DEFAULT, elsewhere),
        ),
        ("published-attributes-good", attributes),
    ]
}

fn head() -> Head {
    Head {
        one_scope: false,
        device: 2,
        epoch: 1,
        box_number: 0,
        box_epoch: 3,
        index: 9,
        previous: Some((7, [0xaa; 32])),
        nonce: [0xbb; 16],
        time: time(1_795_000_009, 9),
        next_ino: 55,
        root: Root {
            attributes: Attributes {
                ino: Ino(1),
                ..directory(7)
            },
            parity: Some(reference(3)),
        },
        adopted: Some(Adopted {
            epoch: 1,
            box_epoch: 2,
            device: 1,
            index: 1000,
            hash: [0xcc; 32],
        }),
        journal: Journal {
            changes: vec![
                Change {
                    directory: Ino(1),
                    name: name(b"gone"),
                    now: None,
                },
                Change {
                    directory: Ino::new(1, 2),
                    name: name(b"new"),
                    now: Some(file(5)),
                },
            ],
            group: 16,
            parity: vec![reference(4)],
        },
        batches: vec![Batch {
            id: [0xdd; 32],
            pays: BatchUse::Nodes,
            depth: 20,
            expires: 1_800_000_000,
        }],
        skippable: vec![Skippable {
            kind: Head::AUDIT,
            bytes: b"checkpoint".as_slice().into(),
        }],
    }
}

/// The first head of a pod with nothing in it.
fn first_head() -> Head {
    Head {
        device: 0,
        epoch: 0,
        box_epoch: 0,
        index: 0,
        previous: None,
        root: Root {
            attributes: Attributes {
                ino: Ino(1),
                ..directory(0)
            },
            parity: None,
        },
        adopted: None,
        journal: Journal::default(),
        batches: Vec::new(),
        skippable: Vec::new(),
        ..head()
    }
}

/// Of two epochs of the golden pod.
fn ring() -> Ring {
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[0; 32]));
    let root = RootKey::derive(&phrase.seed(), None);
    let secret = |epoch| root.pod(&root.pod_id(0), epoch).box_secret(0, 0);
    Ring::seal(&secret(1), &secret(0), (0, 0))
}

fn bytes<const N: usize>(encoded: Result<Secret<N>, Malformed>) -> Vec<u8> {
    encoded.unwrap().expose().to_vec()
}

/// All of them by name.
pub(super) fn good() -> Named {
    let list = [xattr(b"user.a", b"\0one"), xattr(b"user.b", b"")];
    let mut good = vec![
        (
            "published-entry-file",
            entry(b"f", file(5)).encode().unwrap(),
        ),
        (
            "published-entry-full",
            entry(b"\xff", full()).encode().unwrap(),
        ),
        (
            "published-entry-link",
            entry(b"l", link(b"to")).encode().unwrap(),
        ),
        ("published-xattrs-two", encode_xattrs(&list).unwrap()),
        ("published-leaf-good", bytes(leaf().encode())),
        ("published-inner-good", bytes(inner().encode())),
        ("published-tree-lowest", bytes(lowest().encode())),
        ("published-tree-higher", bytes(higher().encode())),
        ("published-head-good", bytes(head().encode())),
        ("published-head-first", bytes(first_head().encode())),
        ("published-ring-good", ring().encode()),
    ];
    good.extend(
        inodes()
            .into_iter()
            .map(|(name, inode)| (name, bytes(inode.encode()))),
    );
    good
}

/// What the bytes mean, written again; `None` when they are refused.
pub(super) fn written_again(kind: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let node = |node: Result<Secret<4096>, Malformed>| Some(self::bytes(node));
    match kind {
        "published-entry" => Some(Entry::decode(bytes).ok()?.encode().unwrap()),
        "published-xattrs" => Some(encode_xattrs(&decode_xattrs(bytes).ok()?).unwrap()),
        "published-leaf" => node(Leaf::decode(bytes).ok()?.encode()),
        "published-inner" => node(Inner::decode(bytes).ok()?.encode()),
        "published-tree" => node(TreeNode::decode(bytes).ok()?.encode()),
        "published-head" => Some(self::bytes(Head::decode(bytes).ok()?.encode())),
        "published-ring" => Some(Ring::decode(bytes).ok()?.encode()),
        "published-inode" => node(Inode::decode(bytes, InodeKind::File).ok()?.encode()),
        "published-attributes" => node(Inode::decode(bytes, InodeKind::Attributes).ok()?.encode()),
        _ => panic!("no layout is called {kind}"),
    }
}
