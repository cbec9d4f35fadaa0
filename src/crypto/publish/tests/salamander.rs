//! Bytes that the cipher alone would take for two different things.
//!
//! AES-256-GCM-SIV adds the blocks of the plaintext up, each times a power of a key, in a field of 2¹²⁸ elements, and
//! encrypts the sum: the tag (RFC 8452). Whoever knows the key can solve for blocks that give a tag of his choice.

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};

use crate::crypto::derive::enc;
use crate::crypto::domain::{Prefix, ad};
use crate::crypto::keys::{CapKey, GrantAeadKey, GrantCommitKey};
use crate::crypto::publish::tests::{conv, grant, heads, in_box, page};
use crate::crypto::publish::*;
use crate::crypto::seal::{OpenError, PAGE_LEN, Tag, open_detached};
use crate::crypto::secret::Secret;
use crate::crypto::swarm::{ChunkError, SealedChunk, page_address};

/// `x¹²⁸` in the field, and the one of its product: see [`product`].
const ONE: u128 = 1 | 1 << 121 | 1 << 126 | 1 << 127;

/// `a · b · x⁻¹²⁸`, the `dot` of RFC 8452.
fn product(a: u128, b: u128) -> u128 {
    (0..128).fold(0, |sum, bit| {
        let sum = sum ^ (a * (b >> bit & 1));
        // Times x⁻¹.
        let odd = sum & 1 == 1;
        if odd {
            (sum ^ ONE) >> 1 | 1 << 127
        } else {
            sum >> 1
        }
    })
}

fn power(a: u128, exponent: usize) -> u128 {
    (0..exponent).fold(ONE, |power, _| product(power, a))
}

/// `a` to the power of `2¹²⁸ − 2`.
fn inverse(a: u128) -> u128 {
    let mut square = a;
    (1..128).fold(ONE, |inverse, _| {
        square = product(square, square);
        product(inverse, square)
    })
}

/// The two keys that RFC 8452 makes of a key and a nonce.
struct Siv {
    hash: u128,
    cipher: Aes256,
}

impl Siv {
    fn new(key: &[u8; 32], nonce: &[u8; 12]) -> Self {
        let generator = Aes256::new(key.into());
        let half = |counter: u32| {
            let mut block = [0; 16];
            block[..4].copy_from_slice(&counter.to_le_bytes());
            block[4..].copy_from_slice(nonce);
            generator.encrypt_block((&mut block).into());
            block[..8].to_vec()
        };
        let hash = [half(0), half(1)].concat().try_into().unwrap();
        let key: [u8; 32] = [half(2), half(3), half(4), half(5)]
            .concat()
            .try_into()
            .unwrap();
        Self {
            hash: u128::from_le_bytes(hash),
            cipher: Aes256::new((&key).into()),
        }
    }

    /// What a plaintext is added to when it is sealed with `tag`.
    fn stream(&self, tag: &Tag, len: usize) -> Vec<u8> {
        let first = u32::from_le_bytes(*tag.first_chunk().unwrap());
        let blocks = (0..u32::try_from(len.div_ceil(16)).unwrap()).flat_map(|counter| {
            let mut block = *tag;
            block[..4].copy_from_slice(&first.wrapping_add(counter).to_le_bytes());
            block[15] |= 0x80;
            self.cipher.encrypt_block((&mut block).into());
            block
        });
        blocks.take(len).collect()
    }

    /// The sum that is encrypted to `tag`; nothing when no sum is.
    fn sum_of(&self, tag: &Tag, nonce: &[u8; 12]) -> Option<u128> {
        let mut sum = *tag;
        self.cipher.decrypt_block((&mut sum).into());
        let fits = sum[15] & 0x80 == 0;
        sum.iter_mut().zip(nonce).for_each(|(to, from)| *to ^= from);
        fits.then_some(u128::from_le_bytes(sum))
    }

    fn sum(&self, ad: &[u8], plain: &[u8]) -> u128 {
        let bits = |bytes: &[u8]| u128::try_from(bytes.len() * 8).unwrap();
        let lengths = bits(ad) | bits(plain) << 64;
        let blocks = ad.chunks(16).chain(plain.chunks(16)).map(|bytes| {
            let mut block = [0; 16];
            block[..bytes.len()].copy_from_slice(bytes);
            u128::from_le_bytes(block)
        });
        let sum = blocks.fold(0, |sum, block| product(sum ^ block, self.hash));
        product(sum ^ lengths, self.hash)
    }

    /// What block `at` of a plaintext of `len` bytes is multiplied with.
    fn weight(&self, at: usize, len: usize) -> u128 {
        power(self.hash, len.div_ceil(16) - at + 1)
    }
}

#[test]
fn the_arithmetic_is_that_of_the_cipher() {
    for a in [1, 2, ONE, u128::MAX, 0x1234_5678 << 60] {
        assert_eq!(product(a, ONE), a);
        assert_eq!(product(a, inverse(a)), ONE);
    }
    let (reference, chunk) = seal_block(&conv(1), 0, &page(b"one"));
    let siv = Siv::new(reference.key(), &[0; 12]);
    let sum = siv.sum_of(reference.tag(), &[0; 12]).unwrap();
    assert_eq!(siv.sum(ad::BLOCK, &page(b"one")) & (u128::MAX >> 1), sum);
    let stream = siv.stream(reference.tag(), PAGE_LEN);
    let opened = chunk.payload().iter().zip(stream).map(|(a, b)| a ^ b);
    assert_eq!(opened.collect::<Vec<_>>(), page(b"one"));
}

/// Whoever knows the key of a page, its writer or a reader, can make another with the same key and tag.
#[test]
fn another_page_with_the_same_tag_has_another_address() {
    let (reference, chunk) = seal_block(&conv(1), 0, &page(b"one"));
    let siv = Siv::new(reference.key(), &[0; 12]);
    let mut forged: [u8; PAGE_LEN] = chunk.payload().try_into().unwrap();
    let change = 0x0123_4567_89ab_cdef_u128;
    for (block, change) in forged
        .as_chunks_mut::<16>()
        .0
        .iter_mut()
        .zip([change, product(change, siv.hash)])
    {
        *block = (u128::from_le_bytes(*block) ^ change).to_le_bytes();
    }

    let mut opened = forged;
    let cipher = Aes256GcmSiv::new(reference.key().into());
    let taken = open_detached(
        &cipher,
        &Nonce::default(),
        ad::BLOCK,
        &mut opened,
        reference.tag(),
    );
    assert_eq!(taken, Ok(()), "the tag alone is deceived");
    assert_ne!(opened, page(b"one"));

    assert_ne!(page_address(&forged), reference.address());
    let bytes = [&4096_u64.to_le_bytes()[..], &forged].concat();
    let given = SealedChunk::verified(&reference.address(), &bytes);
    assert_eq!(given, Err(ChunkError::Address));
    let elsewhere = SealedChunk::verified(&page_address(&forged), &bytes).unwrap();
    assert_eq!(open_block(&reference, &elsewhere).err(), Some(OpenError));
}

/// Ciphertext and tag that open under both keys: two blocks solve two equations.
fn opens_under_both(keys: [&Secret<32>; 2], nonce: &[u8; 12], ad: &[u8]) -> ([u8; HEAD_LEN], Tag) {
    let sivs = keys.map(|key| Siv::new(key.expose(), nonce));
    let fits = |tag: &Tag| sivs.iter().all(|siv| siv.sum_of(tag, nonce).is_some());
    let tag = (0..1000_u128).map(u128::to_le_bytes).find(fits).unwrap();
    let mut sealed: [u8; HEAD_LEN] = *page(b"common").first_chunk().unwrap();
    sealed[..32].fill(0);
    let wanted = |siv: &Siv| {
        let plain = sealed
            .iter()
            .zip(siv.stream(&tag, HEAD_LEN))
            .map(|(a, b)| a ^ b);
        let plain: Vec<_> = plain.collect();
        siv.sum_of(&tag, nonce).unwrap() ^ siv.sum(ad, &plain)
    };
    let [one, other] = [wanted(&sivs[0]), wanted(&sivs[1])];
    let weights = [&sivs[0], &sivs[1]].map(|siv| [0, 1].map(|at| siv.weight(at, HEAD_LEN)));
    let [[a, b], [c, d]] = weights;
    let determinant = inverse(product(a, d) ^ product(b, c));
    let first = product(product(one, d) ^ product(other, b), determinant);
    let second = product(product(a, other) ^ product(c, one), determinant);
    sealed[..16].copy_from_slice(&first.to_le_bytes());
    sealed[16..32].copy_from_slice(&second.to_le_bytes());
    (sealed, tag)
}

/// Bytes that the cipher takes under both keys, each time with the commitment to one of them.
fn committed_to_each(
    aead: [&Secret<32>; 2],
    commit: [&Secret<32>; 2],
    ad: &[u8],
) -> [[u8; PAGE_LEN]; 2] {
    let nonce = [3; 12];
    let (sealed, tag) = opens_under_both(aead, &nonce, ad);
    for key in aead {
        let cipher = Aes256GcmSiv::new(key.expose().into());
        let mut opened = sealed;
        let taken = open_detached(&cipher, &nonce.into(), ad, &mut opened, &tag);
        assert_eq!(taken, Ok(()), "the cipher alone takes it under both keys");
    }
    commit.map(|key| {
        let fields = [&nonce[..], blake3::hash(ad).as_bytes(), &tag].map(<[u8]>::to_vec);
        let fields = enc(&fields.each_ref().map(Vec::as_slice));
        let material = [&[Prefix::Commitment.byte()], &fields[..]].concat();
        let commitment = blake3::keyed_hash(key.expose(), &material);
        let parts = [&nonce[..], commitment.as_bytes(), &sealed, &tag];
        parts.concat().try_into().unwrap()
    })
}

#[test]
fn no_head_opens_under_two_keys() {
    let (keys, place) = heads();
    let others = in_box(1).head_keys();
    let index = place.index.to_be_bytes();
    let ad = enc(&[ad::HEAD, &place.owner.0, &place.topic.0, &index]);
    let both = [&keys, &others];
    let payloads = committed_to_each(
        both.map(|keys| keys.aead.secret()),
        both.map(|keys| keys.commit.secret()),
        &ad,
    );
    for (payload, at) in payloads.iter().zip([0, 1]) {
        assert!(open_head(both[at], &place, payload).is_ok());
        let other = open_head(both[1 - at], &place, payload);
        assert_eq!(other.err(), Some(OpenError));
    }
}

#[test]
fn no_record_of_a_grant_opens_under_two_cap_keys() {
    let (secret, place) = grant(1);
    let caps = [secret.cap_key(), grant(2).0.cap_key()];
    let index = place.index.to_be_bytes();
    let ad = enc(&[ad::CAP, &place.feed.owner.0, &place.feed.topic.0, &index]);
    let (aead, commit) = (
        caps.each_ref().map(CapKey::aead_key),
        caps.each_ref().map(CapKey::commit_key),
    );
    let payloads = committed_to_each(
        aead.each_ref().map(GrantAeadKey::secret),
        commit.each_ref().map(GrantCommitKey::secret),
        &ad,
    );
    for (payload, at) in payloads.iter().zip([0, 1]) {
        assert!(open_record(&caps[at], &place, payload).is_ok());
        let other = open_record(&caps[1 - at], &place, payload);
        assert_eq!(other.err(), Some(OpenError));
    }
}
