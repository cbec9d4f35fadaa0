//! All ways to hash give the same.

use proptest::prelude::*;

use crate::crypto::swarm::bmt::address;
use crate::crypto::swarm::keccak::{Block, HEADED_LEN, Message};
use crate::crypto::swarm::*;
use crate::types::Address;

proptest! {
    #[test]
    fn all_lanes_give_the_same_hashes(
        seeds in proptest::collection::vec(any::<[[u8; 16]; 4]>(), 0..40),
        headed in any::<bool>(),
    ) {
        let mut blocks: Vec<Block> = seeds.iter().map(|seed| seed.as_flattened().try_into().unwrap()).collect();
        let message = if headed { Message::Headed } else { Message::Pair };
        if headed {
            for block in &mut blocks {
                block[HEADED_LEN..].fill(0);
                block[HEADED_LEN] = 1;
            }
        }
        let mut one = vec![[0; 32]; blocks.len()];
        Lanes::ONE.hash_all(&blocks, message, &mut one);
        for lanes in Lanes::available() {
            let mut hashes = vec![[0; 32]; blocks.len() + 1];
            lanes.hash_all(&blocks, message, &mut hashes);
            prop_assert_eq!(&hashes[..blocks.len()], &one[..], "{:?}", lanes);
            prop_assert_eq!(hashes[blocks.len()], [0; 32]);
        }
    }

    #[test]
    fn all_lanes_give_the_same_addresses(
        span in any::<u64>(),
        payload in proptest::collection::vec(any::<u8>(), 0..=4096),
        pages in 0..20_usize,
    ) {
        let alone = chunk_address(span, &payload).unwrap();
        let pages: Vec<[u8; 4096]> = (0..pages)
            .map(|page| {
                let mut bytes = [u8::try_from(page).unwrap(); 4096];
                bytes[..payload.len()].copy_from_slice(&payload);
                bytes[4095] ^= u8::try_from(page).unwrap();
                bytes
            })
            .collect();
        let each: Vec<_> = pages.iter().map(|page| address(Lanes::ONE, 4096, page)).collect();
        prop_assert_eq!(&page_addresses(&pages), &each);
        for lanes in Lanes::available() {
            prop_assert_eq!(address(lanes, span, &payload), alone, "{:?}", lanes);
            prop_assert_eq!(&page_addresses_in(lanes, &pages), &each, "{:?}", lanes);
        }
    }

    /// Zeros at the end do not show in an address, so nodes could add some or leave some out.
    #[test]
    fn zeros_behind_a_payload_do_not_count(
        mut payload in proptest::collection::vec(any::<u8>(), 0..=4096),
        zeros in 0..100_usize,
    ) {
        let tail = payload.len().saturating_sub(zeros);
        payload[tail..].fill(0);
        let span = u64::try_from(payload.len()).unwrap();
        let address = chunk_address(span, &payload).unwrap();
        let bytes = [&span.to_le_bytes(), payload.as_slice()].concat();
        let chunk = SealedChunk::verified(&address, &bytes).unwrap();
        prop_assert_eq!(chunk.bytes(), &bytes[..]);

        let fewer = &bytes[..tail + 8];
        prop_assert_eq!(SealedChunk::verified(&address, fewer), Ok(chunk.clone()));
        let mut more = bytes.clone();
        more.resize((bytes.len() + zeros).min(CONTENT_LEN_MAX), 0);
        prop_assert_eq!(SealedChunk::verified(&address, &more), Ok(chunk));
    }

    #[test]
    fn any_bytes_are_a_chunk_or_not(address in any::<[u8; 32]>(), bytes in proptest::collection::vec(any::<u8>(), 0..4300)) {
        prop_assert!(SealedChunk::verified(&Address(address), &bytes).is_err());
    }
}
