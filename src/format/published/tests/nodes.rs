//! Every layout comes back, and no bytes make a decoder panic or read two things as one.

use crate::format::published::tests::arbitrary;
use crate::format::published::*;
use crate::format::wire::Malformed;
use proptest::prelude::*;
use rand::Rng;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// What each decoder makes of `bytes`, written again.
fn readings(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut readings = Vec::new();
    let mut read = |what, again: Result<Vec<u8>, Malformed>| {
        if let Ok(again) = again {
            readings.push((what, again));
        }
    };
    let page = |node: Result<crate::crypto::Secret<4096>, Malformed>| {
        // What was read can be written: both sides check the same.
        Ok(node.unwrap().expose().to_vec())
    };
    read(
        "tree",
        TreeNode::decode(bytes).and_then(|node| page(node.encode())),
    );
    for kind in [InodeKind::File, InodeKind::Attributes] {
        read(
            "inode",
            Inode::decode(bytes, kind).and_then(|node| page(node.encode())),
        );
    }
    read(
        "leaf",
        Leaf::decode(bytes).and_then(|node| page(node.encode())),
    );
    read(
        "inner",
        Inner::decode(bytes).and_then(|node| page(node.encode())),
    );
    read(
        "entry",
        Entry::decode(bytes).map(|entry| entry.encode().unwrap()),
    );
    read(
        "xattrs",
        decode_xattrs(bytes).map(|list| encode_xattrs(&list).unwrap()),
    );
    read(
        "head",
        Head::decode(bytes).map(|head| head.encode().unwrap().expose().to_vec()),
    );
    readings
}

/// One value of each layout, as bytes.
fn written(rng: &mut StdRng) -> Vec<(&'static str, Vec<u8>)> {
    let node =
        |node: Result<crate::crypto::Secret<4096>, Malformed>| node.unwrap().expose().to_vec();
    vec![
        ("tree", node(arbitrary::tree(rng).encode())),
        ("inode", node(arbitrary::inode(rng).encode())),
        ("leaf", node(arbitrary::leaf(rng).encode())),
        ("inner", node(arbitrary::inner(rng).encode())),
        ("entry", arbitrary::entry(rng).encode().unwrap()),
        ("xattrs", encode_xattrs(&arbitrary::xattrs(rng)).unwrap()),
        (
            "head",
            arbitrary::head(rng).encode().unwrap().expose().to_vec(),
        ),
    ]
}

proptest! {
    #[test]
    fn what_was_written_is_read(seed in any::<u64>()) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let node = arbitrary::tree(rng);
        prop_assert!(TreeNode::decode(node.encode().unwrap().expose()) == Ok(node));
        let inode = arbitrary::inode(rng);
        prop_assert!(Inode::decode(inode.encode().unwrap().expose(), inode.kind) == Ok(inode));
        let leaf = arbitrary::leaf(rng);
        prop_assert!(Leaf::decode(leaf.encode().unwrap().expose()) == Ok(leaf));
        let inner = arbitrary::inner(rng);
        prop_assert!(Inner::decode(inner.encode().unwrap().expose()) == Ok(inner));
        let entry = arbitrary::entry(rng);
        prop_assert!(Entry::decode(&entry.encode().unwrap()) == Ok(entry));
        let xattrs = arbitrary::xattrs(rng);
        prop_assert!(decode_xattrs(&encode_xattrs(&xattrs).unwrap()) == Ok(xattrs));
        let head = arbitrary::head(rng);
        prop_assert!(Head::decode(head.encode().unwrap().expose()) == Ok(head));
    }

    /// What was changed is refused, or means what it says.
    #[test]
    fn changed_bytes_are_refused_or_read_as_they_are(seed in any::<u64>()) {
        let rng = &mut StdRng::seed_from_u64(seed);
        for (what, bytes) in written(rng) {
            let mut changed = bytes;
            for _ in 0..rng.random_range(0..4) {
                let within = changed.len().min(if rng.random() { 120 } else { 4096 });
                if within > 0 {
                    changed[rng.random_range(0..within)] ^= 1 << rng.random_range(0..8);
                }
            }
            if rng.random_ratio(1, 10) {
                changed.truncate(rng.random_range(0..=changed.len()));
            }
            for (read_as, again) in readings(&changed) {
                prop_assert!(again == changed, "{} read as {}", what, read_as);
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_as_they_are(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300),
        kind in 0_u8..6,
        fill in prop::sample::select(vec![0, 4036, 4096]),
    ) {
        if let [version, of, ..] = &mut bytes[..] {
            (*version, *of) = (1, kind);
        }
        bytes.resize(bytes.len().max(fill), 0);
        for (read_as, again) in readings(&bytes) {
            prop_assert!(again == bytes, "read as {}", read_as);
        }
    }
}

#[test]
fn no_node_is_read_as_another() {
    for seed in 0..50 {
        for (what, bytes) in written(&mut StdRng::seed_from_u64(seed)) {
            for (read_as, _) in readings(&bytes).into_iter().filter(|_| bytes.len() == 4096) {
                assert_eq!(what, read_as, "seed {seed}");
            }
        }
    }
}

#[test]
fn what_a_grant_must_not_carry_is_not_published() {
    let xattr = |name: &[u8]| crate::format::rows::Xattr {
        name: name.into(),
        value: b"v".as_slice().into(),
    };
    assert!(encode_xattrs(&[xattr(b"user.podcast")]).is_ok());
    for never in [
        &b"user.pod.share.bob"[..],
        b"security.capability",
        b"user.",
        b"users.a",
    ] {
        assert!(encode_xattrs(&[xattr(never)]).is_err());
    }
    let mut bytes = encode_xattrs(&[xattr(b"user.pox.state")]).unwrap();
    bytes[8] = b'd';
    assert!(decode_xattrs(&bytes).is_err());
    assert!(encode_xattrs(&[xattr(b"user.b"), xattr(b"user.a")]).is_err());
    assert!(encode_xattrs(&[xattr(b"user.a"), xattr(b"user.a")]).is_err());
}

#[test]
fn a_head_that_is_too_full_is_told() {
    let mut head = arbitrary::head(&mut StdRng::seed_from_u64(1));
    let change = |at: u64| Change {
        directory: crate::types::Ino(at),
        name: crate::types::Name::parse(&[b'n'; 200]).unwrap(),
        now: None,
    };
    head.journal = Journal {
        changes: (0..20).map(change).collect(),
        group: 16,
        parity: Vec::new(),
    };
    head.skippable.clear();
    assert!(head.encode().is_err());
    head.journal.changes.truncate(12);
    assert!(head.encode().is_ok());
    assert_eq!(head.journal.of(crate::types::Ino(3)).len(), 1);
    assert!(head.journal.of(crate::types::Ino(30)).is_empty());
}
