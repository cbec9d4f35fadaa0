//! What must not open, and what must not be the same.

use std::collections::BTreeSet;

use crate::crypto::publish::tests::{conv, heads, in_box, page};
use crate::crypto::publish::*;
use crate::crypto::seal::{OpenError, PAGE_LEN};

#[test]
fn every_flipped_bit_of_a_reference_is_noticed() {
    let page = page(b"one");
    let (block, chunk) = seal_block(&conv(1), 0, &page);
    let (node, node_chunk) = seal_node(&conv(1), 0, &page);
    for bit in 0..REFERENCE_LEN * 8 {
        let flipped = |reference: &Reference| {
            let mut bytes = *reference.to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            Reference::from_bytes(&bytes).unwrap()
        };
        let (block, node) = (flipped(&block), flipped(&node));
        assert_eq!(open_block(&block, &chunk).err(), Some(OpenError), "{bit}");
        assert_eq!(
            open_node(&node, &node_chunk).err(),
            Some(OpenError),
            "{bit}"
        );
        assert_eq!(reseal_block(&block, &page), Err(OpenError), "{bit}");
        assert_eq!(reseal_node(&node, &page), Err(OpenError), "{bit}");
    }
}

#[test]
fn nothing_opens_in_place_of_something_else() {
    let (one, other) = (page(b"one"), page(b"other"));
    let (block, chunk) = seal_block(&conv(1), 0, &one);
    let (_, swapped) = seal_block(&conv(1), 0, &other);
    let (_, of_another_file) = seal_block(&conv(2), 0, &one);
    for wrong in [&swapped, &of_another_file] {
        assert_eq!(open_block(&block, wrong).err(), Some(OpenError));
    }
    for wrong in [&other, &[0; PAGE_LEN]] {
        assert_eq!(reseal_block(&block, wrong), Err(OpenError));
    }

    // A file that looks like a node, and a node where a page should be.
    let (node, node_chunk) = seal_node(&conv(1), 0, &one);
    assert_ne!(block.address(), node.address());
    assert_eq!(open_node(&block, &chunk).err(), Some(OpenError));
    assert_eq!(open_block(&node, &node_chunk).err(), Some(OpenError));
    assert_eq!(reseal_node(&block, &one), Err(OpenError));
    assert_eq!(reseal_block(&node, &one), Err(OpenError));
}

/// Neither two keys nor two addresses are the same when anything is different, and both are when nothing is.
#[test]
fn keys_and_addresses_follow_scope_attempt_kind_and_content() {
    let mut keys = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    let mut count = 0;
    let scopes = [conv(1), conv(2), in_box(0).conv(), in_box(1).conv()];
    for scope in &scopes {
        for attempt in [0, 1, 255] {
            for content in [page(b"one"), page(b"two"), [0; PAGE_LEN]] {
                for seal in [seal_block, seal_node] {
                    let (reference, chunk) = seal(scope, attempt, &content);
                    assert_eq!(seal(scope, attempt, &content), (reference.clone(), chunk));
                    keys.insert(*reference.key());
                    addresses.insert(reference.address());
                    count += 1;
                }
            }
        }
    }
    assert_eq!((keys.len(), addresses.len()), (count, count));
}

/// Whatever is in a page, its chunk looks like noise: the counts of its bytes pass a test of chi squared.
#[test]
fn sealed_pages_look_like_noise() {
    let mut counts = [0_u32; 256];
    for content in 0..64 {
        let (_, chunk) = seal_block(&conv(1), 0, &[content; PAGE_LEN]);
        for byte in chunk.payload() {
            counts[usize::from(*byte)] += 1;
        }
    }
    let expected = 64.0 * 4096.0 / 256.0;
    let squares = counts.map(|count| (f64::from(count) - expected).powi(2) / expected);
    let chi_squared: f64 = squares.iter().sum();
    // 255 degrees of freedom: outside these bounds less often than once in 10^6 keys, and the key is fixed.
    assert!((150.0..380.0).contains(&chi_squared), "{chi_squared}");
}

#[test]
fn every_flipped_bit_and_every_other_length_of_a_head_is_noticed() {
    let (keys, place) = heads();
    let head = page(b"head");
    let payload = seal_head(&keys, &place, head.first_chunk().unwrap());
    let mut changed = payload;
    for bit in 0..PAGE_LEN * 8 {
        changed[bit / 8] ^= 1 << (bit % 8);
        let opened = open_head(&keys, &place, &changed);
        assert_eq!(opened.err(), Some(OpenError), "bit {bit}");
        changed[bit / 8] ^= 1 << (bit % 8);
    }
    for len in 0..PAGE_LEN {
        let opened = open_head(&keys, &place, &payload[..len]);
        assert_eq!(opened.err(), Some(OpenError), "{len} bytes");
    }
    let longer = [&payload[..], &[0]].concat();
    assert_eq!(open_head(&keys, &place, &longer).err(), Some(OpenError));
}
