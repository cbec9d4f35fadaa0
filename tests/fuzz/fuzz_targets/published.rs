//! What comes from Swarm, opened: nodes, inodes, directories, entries, heads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::crypto::Secret;
use podfs::format::published::*;
use podfs::format::wire::Malformed;

/// What was read is written as the same bytes.
fn same<const N: usize>(encoded: Result<Secret<N>, Malformed>, data: &[u8]) {
    assert_eq!(encoded.unwrap().expose().as_slice(), data);
}

fn nodes(data: &[u8]) {
    if let Ok(node) = TreeNode::decode(data) {
        same(node.encode(), data);
    }
    for kind in [InodeKind::File, InodeKind::Attributes] {
        if let Ok(inode) = Inode::decode(data, kind) {
            same(inode.encode(), data);
        }
    }
    if let Ok(leaf) = Leaf::decode(data) {
        same(leaf.encode(), data);
    }
    if let Ok(inner) = Inner::decode(data) {
        same(inner.encode(), data);
    }
}

fn head(data: &[u8]) {
    if let Ok(head) = Head::decode(data) {
        same(head.encode(), data);
        if let Ok(Some(ring)) = head.ring() {
            same(head.with_ring(&ring).encode(), data);
        }
    }
    if let Ok(ring) = Ring::decode(data) {
        assert_eq!(ring.encode(), data);
    }
}

/// The same with the zeros behind it, which the fuzzer need not find itself.
fn padded(data: &[u8], len: usize) -> Vec<u8> {
    let mut padded = data.to_vec();
    padded.resize(data.len().max(len), 0);
    padded
}

/// Every page of a file of any size is found on one way.
fn shape(data: &[u8]) {
    let Some((fields, _)) = data.split_first_chunk::<18>() else {
        return;
    };
    let number = |at: usize| u64::from_le_bytes(fields[at..at + 8].try_into().unwrap());
    let rate = Rate {
        pages: fields[16],
        nodes: fields[17],
    };
    let Some(shape) = Shape::of(number(0) >> 1, rate) else {
        return;
    };
    let page = number(8) % shape.pages();
    let mut first = 0;
    for level in (0..=shape.level()).rev() {
        first += shape.slot(level, page) as u64 * shape.span(level);
        assert_eq!(first, shape.covered(level, page).0);
    }
    assert_eq!(first, page);
}

fuzz_target!(|data: &[u8]| {
    nodes(data);
    nodes(&padded(data, 4096));
    head(data);
    head(&padded(data, 4036));
    if let Ok(entry) = Entry::decode(data) {
        assert_eq!(entry.encode().unwrap(), data);
    }
    if let Ok(xattrs) = decode_xattrs(data) {
        assert_eq!(encode_xattrs(&xattrs).unwrap(), data);
    }
    shape(data);
});
