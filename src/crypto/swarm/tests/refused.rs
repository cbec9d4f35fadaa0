//! What is no chunk, or not the chunk of its address.

use crate::crypto::secret::Secret;
use crate::crypto::swarm::*;
use crate::types::Address;

/// The kinds of corruption that Bee's own tests list as `soc_invalid_variants`.
#[test]
fn wrong_single_owner_chunks_are_refused() {
    let secret = Secret::from_bytes(&[9; 32]);
    let chunk = SealedChunk::signed(&secret, &SocId([0; 32]), b"foo").unwrap();
    let (address, bytes) = (chunk.address(), chunk.bytes());
    let given = |bytes: &[u8]| SealedChunk::verified(&address, bytes);
    let changed = |change: &dyn Fn(&mut [u8])| {
        let mut changed = bytes.to_vec();
        change(&mut changed);
        given(&changed)
    };

    let elsewhere = SealedChunk::verified(&Address([7; 32]), bytes);
    assert_eq!(elsewhere, Err(ChunkError::Address));
    for len in 0..bytes.len() {
        let refused = given(&bytes[..len]).unwrap_err();
        assert_eq!(refused == ChunkError::Length, len < 8, "{len} bytes");
    }
    let mut longer = bytes.to_vec();
    longer.resize(CHUNK_LEN_MAX + 1, 0);
    assert_eq!(given(&longer), Err(ChunkError::Length));
    longer.truncate(CHUNK_LEN_MAX);
    *longer.last_mut().unwrap() = 1;
    assert_eq!(given(&longer), Err(ChunkError::Address));

    let v = SOC_HEADER_LEN - 1;
    for bit in (0..bytes.len() * 8).filter(|bit| bit / 8 != v) {
        let refused = changed(&|bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        assert_eq!(refused, Err(ChunkError::Address), "bit {bit}");
    }
    for other in 0..=u8::MAX {
        let accepted = changed(&|bytes| bytes[v] = other).is_ok();
        let same = other == bytes[v] || other == bytes[v] + 4;
        assert_eq!(accepted, same, "v {other}");
    }
    for numbers in [32..64, 64..96, 32..96] {
        for byte in [0, 0xff] {
            let refused = changed(&|bytes| bytes[numbers.clone()].fill(byte));
            assert_eq!(refused, Err(ChunkError::Address), "{numbers:?}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_chunk_is_noticed() {
    let payload: Vec<u8> = (1..=255).cycle().take(PAYLOAD_MAX).collect();
    let address = chunk_address(4096, &payload).unwrap();
    let mut bytes = [&4096_u64.to_le_bytes(), payload.as_slice()].concat();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let refused = SealedChunk::verified(&address, &bytes);
        assert_eq!(refused, Err(ChunkError::Address), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(SealedChunk::verified(&address, &bytes).is_ok());
}

#[test]
fn no_payload_is_longer_than_a_page() {
    assert_eq!(chunk_address(0, &[0; 4097]), Err(ChunkError::Length));
    let secret = Secret::from_bytes(&[1; 32]);
    let chunk = SealedChunk::signed(&secret, &SocId([0; 32]), &[0; 4097]);
    assert_eq!(chunk, Err(ChunkError::Length));
}
