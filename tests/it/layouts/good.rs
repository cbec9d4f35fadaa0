//! Values of every layout, as bytes.

use podfs::crypto::identity::Fingerprint;
use podfs::format::manifest::Manifest;
use podfs::format::manifest::Pin;
use podfs::format::manifest::Position;
use podfs::format::manifest::SegmentEntry;
use podfs::format::node;
use podfs::format::node::Pointer;
use podfs::format::record;
use podfs::format::record::RecordHeader;
use podfs::format::record::RecordKind;
use podfs::format::rows::Attached;
use podfs::format::rows::Bucket;
use podfs::format::rows::Dentries;
use podfs::format::rows::Dentry;
use podfs::format::rows::FileKind;
use podfs::format::rows::Inode;
use podfs::format::rows::Key;
use podfs::format::rows::NextBox;
use podfs::format::rows::Run;
use podfs::format::rows::RunData;
use podfs::format::rows::RunKind;
use podfs::format::rows::Shared;
use podfs::format::rows::Slot;
use podfs::format::rows::SlotRange;
use podfs::format::rows::Xattr;
use podfs::format::rows::Xattrs;
use podfs::format::segment::SegmentHeader;
use podfs::types::Ino;
use podfs::types::Name;
use podfs::types::Timespec;

use crate::layouts::Named;
use crate::layouts::audit;
use crate::layouts::door;
use crate::layouts::grants;
use crate::layouts::messages;
use crate::layouts::people;
use crate::layouts::published;
use crate::layouts::publishing;
use crate::layouts::revoked;
use crate::layouts::seen_logs;

const fn slot(segment: u32, page: u32) -> Slot {
    Slot { segment, page }
}

fn data(slot: Slot, number: u64, shared: bool, tags: u8) -> RunData {
    RunData {
        slot,
        number,
        shared,
        tags: (0..tags).map(|tag| [0x10 + tag; 16]).collect(),
    }
}

fn pointer(first: Key, page: u32) -> Pointer {
    Pointer {
        first,
        run: data(slot(2, page), 1000 + u64::from(page), false, 2),
    }
}

fn inode(mode: u32, target: &[u8]) -> Inode {
    let time = |secs, nanos| Timespec { secs, nanos };
    Inode {
        mode,
        uid: 1000,
        gid: 0xffff_fffe,
        nlink: 3,
        rdev: if mode >> 12 == 2 { 0x103 } else { 0 },
        size: if target.is_empty() {
            0x0102_0304_0506
        } else {
            target.len() as u64
        },
        pages: 77,
        cut: u64::MAX,
        xattrs: 2,
        atime: time(1_795_000_000, 1),
        mtime: time(-1, 999_999_999),
        ctime: time(i64::MAX, 0),
        btime: time(i64::MIN, 5),
        target: target.into(),
    }
}

fn header(kind: RecordKind, (body_len, pages): (u32, u32), number: u64) -> Vec<u8> {
    let header = RecordHeader {
        kind,
        body_len,
        pages,
        number,
        durable: 0x1122_3344,
    };
    header.encode().to_vec()
}

fn body() -> Vec<u8> {
    let mut out = Vec::new();
    let frees = [
        SlotRange {
            slot: slot(1, 2),
            count: 3,
        },
        SlotRange {
            slot: slot(4, 5),
            count: 1,
        },
    ];
    record::put_head(&mut out, Some(slot(7, 17)), -2, &frees);
    record::put_row(&mut out, &Key::inode(Ino(9)), Some(b"value"));
    record::put_row(&mut out, &Key::orphan(Ino(9)), Some(b""));
    record::put_row(&mut out, &Key::dentry(Ino(1), 0x0123), None);
    out
}

fn bucket() -> Bucket {
    Bucket {
        runs: vec![
            run(0, 2, RunKind::Data(data(slot(3, 40), 500, false, 2))),
            run(2, 1, RunKind::Data(data(slot(3, 80), 600, true, 1))),
            run(5, 26, RunKind::Unwritten),
            run(31, 1, RunKind::Data(data(slot(4, 1), 7, false, 1))),
        ],
    }
}

const fn run(start: u8, count: u8, kind: RunKind) -> Run {
    Run { start, count, kind }
}

fn remote() -> Bucket {
    Bucket {
        runs: vec![
            run(0, 5, RunKind::Remote),
            run(5, 1, RunKind::Data(data(slot(3, 40), 500, false, 1))),
            run(7, 25, RunKind::Remote),
        ],
    }
}

fn dentries(entries: &[(&[u8], FileKind)]) -> Vec<u8> {
    let entry = |(at, (name, kind)): (usize, &(&[u8], FileKind))| Dentry {
        ino: Ino::new(1, at as u64 + 2),
        kind: *kind,
        name: Name::parse(name).unwrap(),
    };
    Dentries(entries.iter().enumerate().map(entry).collect()).encode()
}

fn xattrs() -> Vec<u8> {
    let xattr = |name: &[u8], value: &[u8]| Xattr {
        name: name.into(),
        value: value.into(),
    };
    Xattrs(vec![xattr(b"user.a", b"\0one"), xattr(b"user.\xff", b"")]).encode()
}

fn leaf() -> Vec<u8> {
    let rows = [
        (Key::dentry(Ino(1), 5), vec![1, 2, 3]),
        (Key::inode(Ino(1)), vec![0xaa; 5000]),
        (Key::parent(Ino(2), Ino(1), 5), vec![]),
    ];
    node::leaf(rows.iter().map(|(key, value)| (key, &value[..])))
}

fn branch() -> Vec<u8> {
    node::branch(&[
        pointer(Key::dentry(Ino(1), 5), 1),
        pointer(Key::shared(slot(1, 2)), 3),
    ])
}

fn manifest() -> Manifest {
    Manifest {
        generation: 7,
        floor: Position {
            segment: 3,
            offset: 4128,
            record: 99,
        },
        chunk: SlotRange {
            slot: slot(3, 1),
            count: 16,
        },
        tail: slot(3, 20),
        written: 101,
        next_ino: 55,
        reserved: 4,
        leaves: 2,
        digest: [0xd1; 16],
        segments: vec![
            SegmentEntry {
                number: 2,
                session: [0x51; 16],
                live: 6,
            },
            SegmentEntry {
                number: 3,
                session: [0x52; 16],
                live: 19,
            },
        ],
        frees: vec![SlotRange {
            slot: slot(2, 9),
            count: 2,
        }],
        branches: vec![pointer(Key::dentry(Ino(1), 5), 5)],
        base: Some(Pin {
            generation: 4,
            tail: slot(2, 30),
            branches: vec![pointer(Key::inode(Ino(1)), 6)],
        }),
        cut: Some(Pin {
            generation: 6,
            tail: slot(3, 18),
            branches: vec![pointer(Key::inode(Ino(1)), 7)],
        }),
        held_nodes: vec![SlotRange {
            slot: slot(2, 20),
            count: 3,
        }],
        held_data: vec![SlotRange {
            slot: slot(3, 17),
            count: 1,
        }],
    }
}

/// All of them by name.
pub(super) fn good() -> Named {
    let published = [
        published::good(),
        publishing::good(),
        people::good(),
        audit::good(),
        grants::good(),
        revoked::good(),
        seen_logs::good(),
        messages::good(),
        door::good(),
    ]
    .concat();
    [log(), keys(), values(), checkpoint(), published].concat()
}

fn log() -> Named {
    let (jump, far) = ((4, 9), u64::from(u32::MAX));
    let segment = SegmentHeader {
        number: 3,
        first_record: 99,
    };
    let nodes = header(RecordKind::Nodes, (24, 1024), 100);
    vec![
        ("segment-header-good", segment.encode()),
        ("record-header-rows", header(RecordKind::Rows, (102, 3), 99)),
        ("record-header-nodes", nodes),
        ("record-header-jump", header(RecordKind::Jump, jump, far)),
        ("record-body-good", body()),
    ]
}

fn keys() -> Named {
    let bytes = |key: Key| key.as_bytes().to_vec();
    vec![
        ("rows-key-inode", bytes(Key::inode(Ino::new(1, 2)))),
        ("rows-key-dentry", bytes(Key::dentry(Ino(1), 3))),
        ("rows-key-parent", bytes(Key::parent(Ino(2), Ino(1), 3))),
        ("rows-key-extent", bytes(Key::extent(Ino(2), 1))),
        ("rows-key-xattr", bytes(Key::xattr(Ino(2), 4))),
        ("rows-key-orphan", bytes(Key::orphan(Ino(2)))),
        ("rows-key-shared", bytes(Key::shared(slot(1, 2)))),
        ("rows-key-published", bytes(Key::published(Ino(2)))),
        ("rows-key-nodes", bytes(Key::nodes(Ino(2), 3))),
        ("rows-key-queued", bytes(Key::queued(Ino(2), 3))),
        ("rows-key-own-head", bytes(Key::own_head())),
        ("rows-key-seen-heads", bytes(Key::seen_heads())),
        ("rows-key-pinned", bytes(Key::pinned(Ino(2)))),
        ("rows-key-own-card", bytes(Key::own_card())),
        (
            "rows-key-contact",
            bytes(Key::contact(0x0102_0304_0506_0708)),
        ),
        ("rows-key-given", bytes(Key::given(&[0x1d; 16]))),
        ("rows-key-received", bytes(Key::received(&[0x1d; 16]))),
        ("rows-key-attached", bytes(Key::attached(Ino(2)))),
        (
            "rows-key-taken-over",
            bytes(Key::taken_over(Ino::new(0xffff, 7))),
        ),
        (
            "rows-key-seen-log",
            bytes(Key::seen_log(&Fingerprint([0xf1; 32]))),
        ),
        ("rows-key-message", bytes(Key::message(true, 7))),
        (
            "rows-key-feeds",
            bytes(Key::feeds(&Fingerprint([0xf1; 32]))),
        ),
        (
            "rows-key-blocked",
            bytes(Key::blocked(&Fingerprint([0xf1; 32]))),
        ),
        (
            "rows-key-forgotten",
            bytes(Key::forgotten(20_775, &[0x1d; 16])),
        ),
    ]
}

fn values() -> Named {
    let shared = Shared {
        count: 7,
        references: 2,
    };
    let attached = Attached {
        number: 7,
        one_scope: true,
    };
    let names = [
        (&b"file"[..], FileKind::Regular),
        (b"\xff", FileKind::Socket),
    ];
    vec![
        ("rows-inode-file", inode(0o106_755, b"").encode()),
        ("rows-inode-device", inode(0o020_666, b"").encode()),
        ("rows-inode-symlink", inode(0o120_777, b"to/\xff").encode()),
        ("rows-dentry-two", dentries(&names)),
        ("rows-extent-good", bucket().encode()),
        ("rows-extent-remote", remote().encode()),
        ("rows-xattr-two", xattrs()),
        ("rows-shared-good", shared.encode()),
        ("rows-attached-good", attached.encode()),
        ("rows-next-box-good", NextBox(8).encode()),
    ]
}

fn checkpoint() -> Named {
    let mut tip = Vec::new();
    node::put_pointer(&mut tip, &pointer(Key::extent(Ino(2), 1), 5));
    vec![
        ("node-leaf-good", leaf()),
        ("node-branch-good", branch()),
        ("node-pointer-good", tip),
        ("manifest-plain-good", manifest().encode()),
        ("manifest-plain-empty", Manifest::empty().encode()),
    ]
}
