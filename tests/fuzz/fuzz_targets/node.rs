//! Leaves, branches and pointers of a checkpoint.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::format::node;
use podfs::format::wire::Reader;

/// Contents as a node of that kind: the fuzzer need not find the padding itself.
fn padded(kind: u8, contents: &[u8]) -> Vec<u8> {
    let mut node = vec![kind];
    node.extend_from_slice(&(contents.len() as u32).to_le_bytes());
    node.extend_from_slice(contents);
    node.resize(node.len().next_multiple_of(4096), 0);
    node
}

fn leaf(data: &[u8]) {
    if let Ok(rows) = node::leaf_rows(data) {
        assert!(rows.is_sorted_by(|one, other| one.0 < other.0));
        assert_eq!(
            node::leaf(rows.iter().map(|(key, value)| (key, &value[..]))),
            data
        );
    }
}

fn branch(data: &[u8]) {
    if let Ok(pointers) = node::branch_pointers(data) {
        assert!(pointers.is_sorted_by(|one, other| one.first < other.first));
        assert_eq!(node::branch(&pointers), data);
    }
}

fuzz_target!(|data: &[u8]| {
    leaf(data);
    branch(data);
    leaf(&padded(1, data));
    branch(&padded(2, data));
    let mut reader = Reader::new(data, "pointer");
    if let Ok(pointer) = node::pointer(&mut reader) {
        let rest = reader.rest();
        let mut encoded = Vec::new();
        node::put_pointer(&mut encoded, &pointer);
        encoded.extend_from_slice(rest);
        assert_eq!(encoded, data);
    }
});
