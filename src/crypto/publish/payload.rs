//! Payloads that are found by their place and not through a reference: heads, and records of the feeds of grants.
//!
//! `nonce 12 ‖ commitment 32 ‖ ciphertext 4036 ‖ tag 16`. The nonce is a keyed hash of place and content, so the same
//! content gives the same bytes. The cipher does not bind its key: bytes can be made that open under two. The
//! commitment does, and is compared before anything is opened.

use aes_gcm_siv::{Aes256GcmSiv, KeyInit};
use subtle::ConstantTimeEq;

use crate::crypto::derive::prf_fields;
use crate::crypto::domain::Prefix;
use crate::crypto::seal::{OpenError, PAGE_LEN, TAG_LEN, Tag, open_detached, seal_detached};
use crate::crypto::secret::Secret;

const NONCE_LEN: usize = 12;
const COMMITMENT_LEN: usize = 32;

/// Bytes of a head, or of a record of a grant, before it is sealed. Shorter ones are filled up by whoever lays them out.
pub const HEAD_LEN: usize = PAGE_LEN - NONCE_LEN - COMMITMENT_LEN - TAG_LEN;

/// The three keys of one kind of payload.
#[derive(Clone, Copy)]
pub(super) struct PayloadKeys<'a> {
    /// Seals.
    pub(super) aead: &'a Secret<32>,
    /// Makes nonces.
    pub(super) nonce: &'a Secret<32>,
    /// Commits.
    pub(super) commit: &'a Secret<32>,
}

/// Seals `plain` for the place that `ad` names.
pub(super) fn seal(keys: PayloadKeys<'_>, ad: &[u8], plain: &[u8; HEAD_LEN]) -> [u8; PAGE_LEN] {
    let synthetic = prf_fields(keys.nonce, Prefix::Head, &[ad, plain]);
    let nonce = synthetic.expose().first_chunk().copied();
    let nonce: [u8; NONCE_LEN] = nonce.unwrap_or_default();
    let mut bytes = *plain;
    let tag = seal_detached(&cipher(keys), &nonce.into(), ad, &mut bytes);
    let commitment = commitment(keys, &nonce, ad, &tag);
    let mut payload = [0; PAGE_LEN];
    let parts = nonce.iter().chain(commitment.expose()).chain(&bytes);
    for (to, from) in payload.iter_mut().zip(parts.chain(&tag)) {
        *to = *from;
    }
    payload
}

/// Opens what was found at the place that `ad` names.
pub(super) fn open(
    keys: PayloadKeys<'_>,
    ad: &[u8],
    payload: &[u8],
) -> Result<Secret<HEAD_LEN>, OpenError> {
    let (nonce, rest) = payload.split_first_chunk().ok_or(OpenError)?;
    let (found, rest) = rest
        .split_first_chunk::<COMMITMENT_LEN>()
        .ok_or(OpenError)?;
    let (sealed, tag) = rest.split_first_chunk::<HEAD_LEN>().ok_or(OpenError)?;
    let tag: &Tag = tag.try_into().map_err(|_| OpenError)?;
    let committed = commitment(keys, nonce, ad, tag);
    if !bool::from(committed.expose().ct_eq(found)) {
        return Err(OpenError);
    }
    Secret::try_fill_with(|plain| {
        *plain = *sealed;
        open_detached(&cipher(keys), &(*nonce).into(), ad, plain, tag)
    })
}

/// `PRF(commit key, 'C' ‖ enc(nonce, BLAKE3(ad), tag))`: only one key, place and content go with it.
fn commitment(keys: PayloadKeys<'_>, nonce: &[u8; NONCE_LEN], ad: &[u8], tag: &Tag) -> Secret<32> {
    let place = blake3::hash(ad);
    let fields: [&[u8]; 3] = [nonce, place.as_bytes(), tag];
    prf_fields(keys.commit, Prefix::Commitment, &fields)
}

fn cipher(keys: PayloadKeys<'_>) -> Aes256GcmSiv {
    Aes256GcmSiv::new(keys.aead.expose().into())
}
