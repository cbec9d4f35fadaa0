//! Sealing and opening, and everything that must not open.

mod grants;
mod refused;
mod salamander;

use crate::crypto::keys::{BoxSecret, ConvKey, GrantSecret, HeadKeys, RootKey, ScopeId};
use crate::crypto::phrase::Phrase;
use crate::crypto::publish::*;
use crate::crypto::scalar::Owner;
use crate::crypto::seal::{OpenError, PAGE_LEN};
use crate::crypto::secret::Secret;

fn in_box(counter: u32) -> BoxSecret {
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[5; 32]));
    let root = RootKey::derive(&phrase.seed(), None);
    root.pod(&root.pod_id(0), 0).box_secret(counter, 0)
}

fn conv(scope: u8) -> ConvKey {
    in_box(0).conv_file(&ScopeId([scope; 16]))
}

fn page(name: &[u8]) -> [u8; PAGE_LEN] {
    let mut page = [0; PAGE_LEN];
    let mut stream = blake3::Hasher::new().update(name).finalize_xof();
    stream.fill(&mut page);
    page
}

fn heads() -> (HeadKeys, HeadPlace) {
    let in_box = in_box(0);
    let place = HeadPlace {
        owner: in_box.feed_signer(3).owner(),
        topic: in_box.feed_topic(3),
        index: 7,
    };
    (in_box.head_keys(), place)
}

/// A grant, and the place of one of its records.
fn grant(id: u8) -> (GrantSecret, RecordPlace) {
    let grant = in_box(0).grant(&[id; 16]);
    let place = RecordPlace {
        feed: grant.feed(),
        index: 7,
    };
    (grant, place)
}

#[test]
fn pages_and_nodes_come_back() {
    let page = page(b"one");
    let (reference, chunk) = seal_block(&conv(1), 0, &page);
    assert_eq!(reference.address(), chunk.address());
    assert_eq!(open_block(&reference, &chunk).unwrap().as_slice(), page);
    assert_eq!(reseal_block(&reference, &page), Ok(chunk));

    let (reference, chunk) = seal_node(&conv(1), 0, &page);
    let opened = open_node(&reference, &chunk).ok().unwrap();
    assert_eq!(opened.expose(), &page);
    assert_eq!(reseal_node(&reference, &page), Ok(chunk));
}

#[test]
fn references_come_back() {
    let (reference, _) = seal_block(&conv(1), 0, &page(b"one"));
    let bytes = reference.to_bytes();
    assert_eq!(Reference::from_bytes(&bytes), Some(reference.clone()));
    assert_eq!(bytes[..32], reference.address().0);
    assert_eq!(Reference::from_bytes(&HOLE), None);
    for byte in 0..REFERENCE_LEN {
        let mut nearly = HOLE;
        nearly[byte] = 1;
        assert_eq!(*Reference::from_bytes(&nearly).unwrap().to_bytes(), nearly);
    }
    let said = format!("{reference:?}");
    assert!(said.contains(&reference.address().to_string()) && said.len() < 90);
}

#[test]
fn many_are_sealed_and_sealed_again_as_one_by_one() {
    let pages: Vec<_> = (0..11_u8).map(|at| page(&[at])).collect();
    for (count, attempt) in [(0, 0), (1, 0), (8, 1), (11, 255)] {
        let pages = &pages[..count];
        let blocks = seal_blocks(&conv(1), attempt, pages);
        let nodes = seal_nodes(&conv(1), attempt, pages);
        for (at, page) in pages.iter().enumerate() {
            assert_eq!(blocks[at], seal_block(&conv(1), attempt, page));
            assert_eq!(nodes[at], seal_node(&conv(1), attempt, page));
        }
        for (sealed, again) in [
            (&blocks, reseal_blocks as fn(&[&Reference], _) -> _),
            (&nodes, reseal_nodes),
        ] {
            let references: Vec<_> = sealed.iter().map(|(reference, _)| reference).collect();
            let chunks: Vec<_> = sealed.iter().map(|(_, chunk)| Ok(chunk.clone())).collect();
            assert_eq!(again(&references, pages), chunks);
        }
    }
}

#[test]
fn a_page_that_is_another_one_hinders_no_other() {
    let (mut pages, conv) = ([b"0", b"1", b"2"].map(|name| page(name)), conv(1));
    let sealed = seal_blocks(&conv, 0, &pages);
    let references: Vec<_> = sealed.iter().map(|(reference, _)| reference).collect();
    assert!(reseal_nodes(&references, &pages).iter().all(Result::is_err));
    pages[1][9] ^= 1;
    let again = reseal_blocks(&references, &pages);
    assert_eq!(again[0].as_ref(), Ok(&sealed[0].1));
    assert_eq!(again[1], Err(OpenError));
    assert_eq!(again[2].as_ref(), Ok(&sealed[2].1));
    let same = |at: usize| same_page(&conv, references[at], &pages[at]);
    assert_eq!([same(0), same(1), same(2)], [true, false, true]);
}

#[test]
fn only_the_first_attempt_at_a_page_is_told_by_its_key() {
    let page = page(b"one");
    let published = |attempt| seal_block(&conv(1), attempt, &page).0;
    assert!(same_page(&conv(1), &published(0), &page));
    assert!(!same_page(&conv(1), &published(1), &page));
    assert!(!same_page(&conv(2), &published(0), &page));
    let (node, _) = seal_node(&conv(1), 0, &page);
    assert!(!same_page(&conv(1), &node, &page));
}

#[test]
fn heads_come_back_in_their_place_alone() {
    let (keys, place) = heads();
    let head = *page(b"head").first_chunk().unwrap();
    let payload = seal_head(&keys, &place, &head);
    assert_eq!(payload, seal_head(&keys, &place, &head));
    let opened = open_head(&keys, &place, &payload).ok().unwrap();
    assert_eq!(opened.expose(), &head);

    let mut elsewhere = [place; 3];
    elsewhere[0].owner = Owner([1; 20]);
    elsewhere[1].topic = in_box(0).feed_replica_topic(3);
    elsewhere[2].index = 8;
    for place in elsewhere {
        assert_eq!(open_head(&keys, &place, &payload).err(), Some(OpenError));
    }
    let others = in_box(1).head_keys();
    assert_eq!(open_head(&others, &place, &payload).err(), Some(OpenError));
}
