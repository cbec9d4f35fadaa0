//! Records of the feeds of grants: where they open, and what is noticed.

use crate::crypto::keys::Topic;
use crate::crypto::publish::tests::{grant, page};
use crate::crypto::publish::*;
use crate::crypto::scalar::Owner;
use crate::crypto::seal::{OpenError, PAGE_LEN};
use crate::crypto::secret::Secret;
use crate::crypto::swarm::{SealedChunk, soc_owner};

fn record(name: &[u8]) -> Secret<HEAD_LEN> {
    Secret::from_bytes(page(name).first_chunk().unwrap())
}

#[test]
fn records_come_back_in_their_place_alone() {
    let (secret, place) = grant(1);
    let cap = secret.cap_key();
    let payload = seal_record(&cap, &place, &record(b"one"));
    assert_eq!(payload, seal_record(&cap, &place, &record(b"one")));
    let opened = open_record(&cap, &place, payload.as_slice()).ok().unwrap();
    assert!(opened.eq_ct(&record(b"one")));
    // Another record begins with another nonce.
    let other = seal_record(&cap, &place, &record(b"other"));
    assert_ne!(payload[..12], other[..12]);

    let (another, its_place) = grant(2);
    let mut elsewhere = [place; 5];
    elsewhere[0].feed.owner = Owner([1; 20]);
    elsewhere[1].feed.topic = Topic([1; 32]);
    elsewhere[2].index = 8;
    elsewhere[3].index = 0;
    elsewhere[4] = its_place;
    for place in elsewhere {
        let opened = open_record(&cap, &place, payload.as_slice());
        assert_eq!(opened.err(), Some(OpenError), "{place:?}");
    }
    let opened = open_record(&another.cap_key(), &place, payload.as_slice());
    assert_eq!(opened.err(), Some(OpenError));
}

#[test]
fn every_flipped_bit_and_every_other_length_of_a_record_is_noticed() {
    let (secret, place) = grant(1);
    let cap = secret.cap_key();
    let payload = seal_record(&cap, &place, &record(b"one"));
    let refused = |bytes: &[u8]| open_record(&cap, &place, bytes).err() == Some(OpenError);
    let mut changed = payload.clone();
    for bit in 0..PAGE_LEN * 8 {
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(refused(changed.as_slice()), "bit {bit}");
        changed[bit / 8] ^= 1 << (bit % 8);
    }
    for len in 0..PAGE_LEN {
        assert!(refused(&payload[..len]), "{len} bytes");
    }
    assert!(refused(&[payload.as_slice(), &[0]].concat()));
}

#[test]
fn the_chunk_of_a_record_is_the_owners_and_stands_at_its_place() {
    let (secret, place) = grant(1);
    let payload = seal_record(&secret.cap_key(), &place, &record(b"one"));
    let chunk = record_chunk(&secret, place.index, &payload).unwrap();
    assert_eq!(chunk.address(), place.address());
    assert_eq!(chunk.payload(), payload.as_slice());
    assert_eq!(soc_owner(chunk.bytes()), Some(place.feed.owner));
    assert!(SealedChunk::verified(&place.address(), chunk.bytes()).is_ok());
    // Whoever has the cap key can seal, and cannot sign.
    let forged = record_chunk(&grant(2).0, place.index, &payload).unwrap();
    assert!(SealedChunk::verified(&place.address(), forged.bytes()).is_err());
}
