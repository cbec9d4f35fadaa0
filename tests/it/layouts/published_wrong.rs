//! How published layouts are made wrong.

use crate::layouts::wrong::Changed;
use crate::layouts::wrong::Cut;

/// Name, the good one it is made from, which byte changes, into what.
pub(super) const CHANGED: [Changed; 42] = [
    ("published-entry-wrong-flag", "published-entry-file", 3, 4),
    ("published-entry-wrong-kind", "published-entry-file", 5, 1),
    (
        "published-entry-wrong-name",
        "published-entry-file",
        1,
        b'/',
    ),
    (
        "published-entry-wrong-nanos",
        "published-entry-file",
        33,
        0x40,
    ),
    ("published-entry-wrong-usual", "published-entry-full", 78, 1),
    (
        "published-entry-wrong-target",
        "published-entry-link",
        34,
        0,
    ),
    (
        "published-xattrs-wrong-order",
        "published-xattrs-two",
        21,
        b'A',
    ),
    (
        "published-xattrs-wrong-twice",
        "published-xattrs-two",
        21,
        b'a',
    ),
    (
        "published-xattrs-wrong-namespace",
        "published-xattrs-two",
        1,
        b't',
    ),
    ("published-leaf-wrong-version", "published-leaf-good", 0, 2),
    ("published-leaf-wrong-kind", "published-leaf-good", 1, 4),
    ("published-leaf-wrong-level", "published-leaf-good", 2, 1),
    ("published-leaf-wrong-group", "published-leaf-good", 3, 4),
    ("published-leaf-wrong-count", "published-leaf-good", 4, 6),
    ("published-leaf-wrong-length", "published-leaf-good", 6, 1),
    ("published-leaf-wrong-names", "published-leaf-good", 8, 8),
    (
        "published-leaf-wrong-order",
        "published-leaf-good",
        17,
        b'z',
    ),
    (
        "published-leaf-wrong-padding",
        "published-leaf-good",
        4095,
        1,
    ),
    ("published-inner-wrong-low", "published-inner-good", 2, 0),
    ("published-inner-wrong-high", "published-inner-good", 2, 17),
    ("published-inner-wrong-names", "published-inner-good", 8, 2),
    (
        "published-inner-wrong-order",
        "published-inner-good",
        17,
        b'c',
    ),
    (
        "published-inner-wrong-padding",
        "published-inner-good",
        4095,
        1,
    ),
    ("published-tree-wrong-pages", "published-tree-lowest", 8, 4),
    ("published-tree-wrong-level", "published-tree-lowest", 2, 0),
    ("published-tree-wrong-count", "published-tree-lowest", 4, 52),
    ("published-tree-wrong-length", "published-tree-lowest", 6, 1),
    (
        "published-tree-wrong-parity",
        "published-tree-higher",
        1536,
        1,
    ),
    ("published-inode-wrong-kind", "published-inode-inline", 1, 5),
    ("published-inode-wrong-size", "published-inode-inline", 9, 2),
    (
        "published-inode-wrong-rate",
        "published-inode-inline",
        32,
        1,
    ),
    (
        "published-inode-wrong-zeros",
        "published-inode-inline",
        34,
        1,
    ),
    ("published-inode-wrong-level", "published-inode-pages", 2, 1),
    ("published-inode-wrong-count", "published-inode-pages", 4, 2),
    (
        "published-inode-wrong-group",
        "published-inode-pages",
        3,
        16,
    ),
    (
        "published-attributes-wrong-own",
        "published-attributes-good",
        6,
        1,
    ),
    ("published-head-wrong-version", "published-head-good", 0, 2),
    ("published-head-wrong-flag", "published-head-good", 1, 2),
    (
        "published-head-wrong-previous",
        "published-head-good",
        24,
        9,
    ),
    ("published-head-wrong-hash", "published-head-first", 32, 1),
    ("published-head-wrong-part", "published-head-good", 102, 5),
    (
        "published-head-wrong-padding",
        "published-head-good",
        4035,
        1,
    ),
];

/// Name, the good one it is made from, bytes of it that are kept, what follows them.
pub(super) const CUT: [Cut; 9] = [
    (
        "published-ring-wrong-longer",
        "published-ring-good",
        56,
        b"\0",
    ),
    (
        "published-ring-wrong-shorter",
        "published-ring-good",
        55,
        b"",
    ),
    (
        "published-entry-wrong-longer",
        "published-entry-link",
        36,
        b"\0",
    ),
    (
        "published-xattrs-wrong-no-name",
        "published-xattrs-two",
        0,
        b"\x05user.\0\0\0\0",
    ),
    (
        "published-leaf-wrong-shorter",
        "published-leaf-good",
        4095,
        b"",
    ),
    (
        "published-tree-wrong-holes",
        "published-tree-lowest",
        16,
        &[0; 4080],
    ),
    (
        "published-inode-wrong-nowhere",
        "published-inode-tree",
        356,
        &[0; 3740],
    ),
    (
        "published-head-wrong-shorter",
        "published-head-first",
        4035,
        b"",
    ),
    (
        "published-head-wrong-longer",
        "published-head-first",
        4036,
        b"\0",
    ),
];
