//! Bytes that differ from good ones in one place, each of which a reader must refuse.

use std::collections::BTreeMap;

use crate::layouts::Named;
use crate::layouts::audit;
use crate::layouts::door;
use crate::layouts::good::good;
use crate::layouts::grants;
use crate::layouts::messages;
use crate::layouts::people;
use crate::layouts::published_wrong;
use crate::layouts::publishing;
use crate::layouts::revoked;
use crate::layouts::seen_logs;

/// Name, the good one it is made from, which byte changes, into what.
pub(super) type Changed = (&'static str, &'static str, usize, u8);
/// Name, the good one it is made from, bytes of it that are kept, what follows them.
pub(super) type Cut = (&'static str, &'static str, usize, &'static [u8]);

const CHANGED: [Changed; 39] = [
    ("segment-header-wrong-magic", "segment-header-good", 0, b'q'),
    ("segment-header-wrong-version", "segment-header-good", 8, 2),
    (
        "segment-header-wrong-padding",
        "segment-header-good",
        4063,
        1,
    ),
    ("record-header-wrong-magic", "record-header-rows", 3, b'2'),
    ("record-header-wrong-kind", "record-header-rows", 4, 4),
    ("record-header-wrong-body", "record-header-rows", 11, 2),
    ("record-header-wrong-pages", "record-header-rows", 13, 5),
    ("record-header-wrong-jump-body", "record-header-jump", 8, 5),
    ("record-header-wrong-jump-far", "record-header-jump", 20, 1),
    ("record-body-wrong-frees", "record-body-good", 23, 0xff),
    ("record-body-wrong-key", "record-body-good", 49, b'J'),
    ("record-body-wrong-mark", "record-body-good", 58, 2),
    ("rows-key-wrong-type", "rows-key-inode", 0, b'D'),
    ("rows-inode-wrong-mode", "rows-inode-file", 1, 0),
    ("rows-inode-wrong-nanos", "rows-inode-file", 59, 0x40),
    ("rows-dentry-wrong-kind", "rows-dentry-two", 8, 3),
    ("rows-dentry-wrong-high-kind", "rows-dentry-two", 8, 0x18),
    ("rows-dentry-wrong-name", "rows-dentry-two", 10, b'/'),
    ("rows-dentry-wrong-no-name", "rows-dentry-two", 9, 0),
    ("rows-extent-wrong-count", "rows-extent-good", 1, 33),
    ("rows-extent-wrong-no-count", "rows-extent-good", 1, 0),
    ("rows-extent-wrong-order", "rows-extent-good", 51, 1),
    ("rows-extent-wrong-kind", "rows-extent-good", 2, 3),
    ("rows-extent-wrong-high-kind", "rows-extent-remote", 2, 4),
    ("rows-extent-wrong-remote-order", "rows-extent-remote", 3, 4),
    ("rows-xattr-wrong-value", "rows-xattr-two", 10, 0x7f),
    ("rows-attached-wrong-number", "rows-attached-good", 0, 0),
    ("rows-attached-wrong-scope", "rows-attached-good", 4, 2),
    ("rows-next-box-wrong-number", "rows-next-box-good", 0, 0),
    ("rows-shared-wrong-count", "rows-shared-good", 0, 0),
    ("rows-shared-wrong-once", "rows-shared-good", 4, 1),
    ("node-leaf-wrong-kind", "node-leaf-good", 0, 2),
    ("node-leaf-wrong-length", "node-leaf-good", 4, 0x7f),
    ("node-leaf-wrong-order", "node-leaf-good", 6, b'X'),
    ("node-leaf-wrong-padding", "node-leaf-good", 8191, 1),
    ("node-branch-wrong-kind", "node-branch-good", 0, 1),
    ("node-branch-wrong-padding", "node-branch-good", 4095, 1),
    ("node-pointer-wrong-odd-tags", "node-pointer-good", 34, 31),
    ("manifest-plain-wrong-magic", "manifest-plain-good", 0, b'q'),
];

const CUT: [Cut; 18] = [
    (
        "segment-header-wrong-length",
        "segment-header-good",
        4063,
        b"",
    ),
    ("record-header-wrong-length", "record-header-rows", 31, b""),
    ("record-body-wrong-length", "record-body-good", 70, b""),
    ("rows-key-wrong-length", "rows-key-parent", 25, b"\0"),
    ("rows-inode-wrong-target", "rows-inode-file", 96, b"\0"),
    ("rows-inode-wrong-no-target", "rows-inode-symlink", 96, b""),
    ("rows-dentry-wrong-none", "rows-dentry-two", 0, b""),
    ("rows-extent-wrong-none", "rows-extent-good", 0, b""),
    ("rows-extent-wrong-length", "rows-extent-good", 50, b""),
    ("rows-xattr-wrong-none", "rows-xattr-two", 0, b""),
    ("rows-xattr-wrong-no-name", "rows-xattr-two", 0, &[0; 5]),
    ("rows-xattr-wrong-length", "rows-xattr-two", 5, b""),
    ("rows-shared-wrong-length", "rows-shared-good", 8, b"\0"),
    (
        "rows-shared-wrong-many",
        "rows-shared-good",
        0,
        &[1, 1, 0, 0, 2, 0, 0, 0],
    ),
    (
        "node-pointer-wrong-no-tags",
        "node-pointer-good",
        34,
        &[0; 4],
    ),
    (
        "manifest-plain-wrong-longer",
        "manifest-plain-good",
        300,
        b"\0",
    ),
    (
        "manifest-plain-wrong-shorter",
        "manifest-plain-good",
        107,
        b"",
    ),
    (
        "manifest-plain-wrong-count",
        "manifest-plain-good",
        108,
        &[0xff; 4],
    ),
];

/// All of them by name.
pub(super) fn wrong() -> Named {
    let good: BTreeMap<_, _> = good().into_iter().collect();
    let changed = CHANGED.into_iter().chain(published_wrong::CHANGED);
    let changed = changed.chain(publishing::CHANGED).chain(people::CHANGED);
    let changed = changed.chain(grants::CHANGED).chain(revoked::CHANGED);
    let changed = changed.chain(messages::CHANGED).chain(door::CHANGED);
    let changed = changed.chain(audit::CHANGED).chain(seen_logs::CHANGED);
    let changed = changed.map(|(name, from, at, byte)| {
        let mut bytes = good[from].clone();
        assert_ne!(bytes[at], byte, "{name}");
        bytes[at] = byte;
        (name, bytes)
    });
    let cut = CUT.into_iter().chain(published_wrong::CUT);
    let cut = cut.chain(publishing::CUT).chain(people::CUT);
    let cut = cut
        .chain(grants::CUT)
        .chain(revoked::CUT)
        .chain(messages::CUT)
        .chain(door::CUT);
    let cut = cut.chain(audit::CUT).chain(seen_logs::CUT);
    let cut = cut.map(|(name, from, kept, more)| {
        let kept = &good[from][..kept.min(good[from].len())];
        (name, [kept, more].concat())
    });
    changed.chain(cut).collect()
}
