//! Sealing with AES-256-GCM-SIV (RFC 8452): pages with the tag apart, everything else with the tag behind.
//!
//! The cipher is misuse resistant: a nonce used twice for different plaintexts does not reveal them. All the same
//! no caller here uses a nonce twice under one key.

use crate::crypto::domain::ad;
use crate::crypto::secret::Secret;
use aes_gcm_siv::{AeadInOut, Aes256GcmSiv, KeyInit, Nonce};
use zeroize::Zeroize;

/// Bytes of a page: one kernel page, one sealed page, one Swarm chunk.
pub const PAGE_LEN: usize = 4096;
/// Bytes of an authentication tag.
pub const TAG_LEN: usize = 16;
/// How much longer a sealed box is than what is in it.
pub const BOX_OVERHEAD: usize = TAG_LEN;

/// Authentication tag of AES-256-GCM-SIV.
pub type Tag = [u8; TAG_LEN];

/// Sealed bytes did not open: changed, at another place than they were sealed for, or under another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed bytes do not open: changed, misplaced or under another key")]
pub struct OpenError;

/// The key of pages of one session of the local log, ready for use.
pub struct PageKey(Box<Aes256GcmSiv>);

/// The key of anything that is sealed whole, with the tag behind: records, manifests, index values.
pub struct BoxKey(Box<Aes256GcmSiv>);

impl PageKey {
    /// Expands `key`. The expanded form is wiped when dropped.
    #[expect(clippy::needless_pass_by_value, reason = "the raw key ends here")]
    pub fn new(key: Secret<32>) -> Self {
        Self(Box::new(Aes256GcmSiv::new(key.expose().into())))
    }
}

impl BoxKey {
    /// Expands `key`. The expanded form is wiped when dropped.
    #[expect(clippy::needless_pass_by_value, reason = "the raw key ends here")]
    pub fn new(key: Secret<32>) -> Self {
        Self(Box::new(Aes256GcmSiv::new(key.expose().into())))
    }
}

/// Seals `page` in place. `number` is the write number of the page and must never be used again under `key`.
pub fn seal_page(key: &PageKey, number: u64, page: &mut [u8; PAGE_LEN]) -> Tag {
    seal_detached(&key.0, &page_nonce(number), ad::PAGE, page)
}

/// Opens `page` in place.
///
/// # Errors
/// [`OpenError`] when key, number, tag or bytes differ from those at sealing; `page` is then all zero.
pub fn open_page(
    key: &PageKey,
    number: u64,
    page: &mut [u8; PAGE_LEN],
    tag: &Tag,
) -> Result<(), OpenError> {
    open_detached(&key.0, &page_nonce(number), ad::PAGE, page, tag)
}

/// Seals `plain` in place and appends the tag: [`BOX_OVERHEAD`] bytes more.
///
/// Growing can move the bytes and leave a plaintext copy in freed memory: a caller that seals secrets reserves
/// the room before it writes them.
pub fn seal_box(key: &BoxKey, nonce: [u8; 12], ad: &[u8], plain: &mut Vec<u8>) {
    let tag = seal_detached(&key.0, &nonce.into(), ad, plain);
    plain.extend_from_slice(&tag);
}

/// Opens `sealed` in place and cuts the tag off.
///
/// # Errors
/// [`OpenError`] when key, nonce, associated data or bytes differ from those at sealing, or when there is not
/// even a tag; `sealed` is then empty.
pub fn open_box(
    key: &BoxKey,
    nonce: [u8; 12],
    ad: &[u8],
    sealed: &mut Vec<u8>,
) -> Result<(), OpenError> {
    let Some((bytes, tag)) = sealed.split_last_chunk_mut::<TAG_LEN>() else {
        sealed.clear();
        return Err(OpenError);
    };
    let plain_len = bytes.len();
    let opened = open_detached(&key.0, &nonce.into(), ad, bytes, tag);
    sealed.truncate(if opened.is_ok() { plain_len } else { 0 });
    opened
}

/// `le64(number) ‖ 0000`.
fn page_nonce(number: u64) -> Nonce {
    let mut nonce = Nonce::default();
    for (to, from) in nonce.iter_mut().zip(number.to_le_bytes()) {
        *to = from;
    }
    nonce
}

/// Seals `bytes` in place; the tag stands apart.
#[expect(
    clippy::expect_used,
    reason = "sealing fails only above 2^36 bytes (RFC 8452 §6), and then nothing may be written"
)]
pub(in crate::crypto) fn seal_detached(
    cipher: &Aes256GcmSiv,
    nonce: &Nonce,
    ad: &[u8],
    bytes: &mut [u8],
) -> Tag {
    #[cfg(test)]
    crate::crypto::account::enter(cipher, nonce, ad, bytes);
    cipher
        .encrypt_inout_detached(nonce, ad, bytes.into())
        .expect("less than 64 GiB")
        .into()
}

/// Opens `bytes` in place; on failure they are zero.
pub(in crate::crypto) fn open_detached(
    cipher: &Aes256GcmSiv,
    nonce: &Nonce,
    ad: &[u8],
    bytes: &mut [u8],
    tag: &Tag,
) -> Result<(), OpenError> {
    cipher
        .decrypt_inout_detached(nonce, ad, bytes.into(), tag.into())
        .map_err(|_| {
            bytes.zeroize();
            OpenError
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page_key() -> PageKey {
        PageKey::new(Secret::from_bytes(&[3; 32]))
    }

    fn box_key() -> BoxKey {
        BoxKey::new(Secret::from_bytes(&[4; 32]))
    }

    fn sample_page() -> [u8; PAGE_LEN] {
        let mut page = [0; PAGE_LEN];
        blake3::Hasher::new()
            .update(b"page")
            .finalize_xof()
            .fill(&mut page);
        page
    }

    #[test]
    fn a_page_comes_back() {
        let mut page = sample_page();
        let tag = seal_page(&page_key(), 5, &mut page);
        assert_ne!(page, sample_page());
        assert_eq!(open_page(&page_key(), 5, &mut page, &tag), Ok(()));
        assert_eq!(page, sample_page());
    }

    #[test]
    fn a_page_does_not_open_elsewhere() {
        let mut sealed = sample_page();
        let tag = seal_page(&page_key(), 5, &mut sealed);
        for number in [4, 6, 5 + (1 << 32), u64::MAX] {
            let mut page = sealed;
            assert_eq!(
                open_page(&page_key(), number, &mut page, &tag),
                Err(OpenError)
            );
            assert_eq!(page, [0; PAGE_LEN]);
        }
        let other = PageKey::new(Secret::from_bytes(&[8; 32]));
        let mut page = sealed;
        assert_eq!(open_page(&other, 5, &mut page, &tag), Err(OpenError));
    }

    #[test]
    fn every_flipped_bit_of_a_page_is_noticed() {
        let key = page_key();
        let mut sealed = sample_page();
        let tag = seal_page(&key, 5, &mut sealed);
        for bit in 0..(PAGE_LEN + TAG_LEN) * 8 {
            let (mut page, mut bad_tag) = (sealed, tag);
            if bit / 8 < PAGE_LEN {
                page[bit / 8] ^= 1 << (bit % 8);
            } else {
                bad_tag[bit / 8 - PAGE_LEN] ^= 1 << (bit % 8);
            }
            assert_eq!(
                open_page(&key, 5, &mut page, &bad_tag),
                Err(OpenError),
                "bit {bit}"
            );
            assert_eq!(page, [0; PAGE_LEN], "bit {bit}");
        }
    }

    #[test]
    fn every_truncation_of_a_box_is_noticed() {
        let key = box_key();
        let mut sealed = b"a record".to_vec();
        seal_box(&key, [1; 12], b"place", &mut sealed);
        for len in 0..sealed.len() {
            let mut cut = sealed[..len].to_vec();
            assert_eq!(
                open_box(&key, [1; 12], b"place", &mut cut),
                Err(OpenError),
                "{len} bytes"
            );
            assert!(cut.is_empty());
        }
    }

    proptest! {
        #[test]
        fn a_box_comes_back_and_every_flipped_bit_is_noticed(
            plain in proptest::collection::vec(any::<u8>(), 0..300),
            place in proptest::collection::vec(any::<u8>(), 0..20),
            nonce in any::<[u8; 12]>(),
        ) {
            let key = box_key();
            let mut sealed = plain.clone();
            seal_box(&key, nonce, &place, &mut sealed);
            prop_assert_eq!(sealed.len(), plain.len() + BOX_OVERHEAD);
            for bit in 0..sealed.len() * 8 {
                let mut bad = sealed.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                prop_assert_eq!(open_box(&key, nonce, &place, &mut bad), Err(OpenError));
                prop_assert!(bad.is_empty());
            }
            let mut elsewhere = place.clone();
            elsewhere.push(0);
            prop_assert_eq!(open_box(&key, nonce, &elsewhere, &mut sealed.clone()), Err(OpenError));
            prop_assert_eq!(open_box(&key, nonce, &place, &mut sealed), Ok(()));
            prop_assert_eq!(sealed, plain);
        }
    }
}
