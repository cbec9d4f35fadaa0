//! Heads: the payload of the single-owner chunk that names the newest published state.
//!
//! `nonce 12 ‖ commitment 32 ‖ ciphertext 4036 ‖ tag 16`. The nonce is a keyed hash of place and content, so the same
//! head gives the same bytes. The cipher does not bind its key: bytes can be made that open under two. The commitment
//! does, and is compared before anything is opened.

use aes_gcm_siv::{Aes256GcmSiv, KeyInit};
use subtle::ConstantTimeEq;

use crate::crypto::derive::{enc, prf_fields};
use crate::crypto::domain::{Prefix, ad};
use crate::crypto::keys::{HeadKeys, Topic};
use crate::crypto::scalar::Owner;
use crate::crypto::seal::{OpenError, PAGE_LEN, TAG_LEN, Tag, open_detached, seal_detached};
use crate::crypto::secret::Secret;

const NONCE_LEN: usize = 12;
const COMMITMENT_LEN: usize = 32;

/// Bytes of a head before it is sealed. Shorter ones are filled up by whoever lays them out.
pub const HEAD_LEN: usize = PAGE_LEN - NONCE_LEN - COMMITMENT_LEN - TAG_LEN;

/// Where a head stands; it opens nowhere else. A replica carries the primary topic too, so both payloads are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadPlace {
    /// Owner of the feed.
    pub owner: Owner,
    /// The primary topic of the feed.
    pub topic: Topic,
    /// Number of the update in the feed.
    pub index: u64,
}

impl HeadPlace {
    /// `enc(name, owner, topic, be64 index)`.
    fn ad(&self) -> Vec<u8> {
        let index = self.index.to_be_bytes();
        enc(&[ad::HEAD, &self.owner.0, &self.topic.0, &index])
    }
}

/// Seals a head: the payload of the single-owner chunk at `place`, and of its replica.
pub fn seal_head(keys: &HeadKeys, place: &HeadPlace, head: &[u8; HEAD_LEN]) -> [u8; PAGE_LEN] {
    let ad = place.ad();
    let synthetic = prf_fields(keys.nonce.secret(), Prefix::Head, &[&ad, head]);
    let nonce = synthetic.expose().first_chunk().copied();
    let nonce: [u8; NONCE_LEN] = nonce.unwrap_or_default();
    let mut bytes = *head;
    let tag = seal_detached(&cipher(keys), &nonce.into(), &ad, &mut bytes);
    let commitment = commitment(keys, &nonce, &ad, &tag);
    let mut payload = [0; PAGE_LEN];
    let parts = nonce.iter().chain(commitment.expose()).chain(&bytes);
    for (to, from) in payload.iter_mut().zip(parts.chain(&tag)) {
        *to = *from;
    }
    payload
}

/// Opens the payload found at `place`. A head can hold keys, so it is wiped when dropped.
///
/// # Errors
/// [`OpenError`] when it was not sealed for this place under these keys.
pub fn open_head(
    keys: &HeadKeys,
    place: &HeadPlace,
    payload: &[u8],
) -> Result<Secret<HEAD_LEN>, OpenError> {
    let ad = place.ad();
    let (nonce, rest) = payload.split_first_chunk().ok_or(OpenError)?;
    let (found, rest) = rest
        .split_first_chunk::<COMMITMENT_LEN>()
        .ok_or(OpenError)?;
    let (sealed, tag) = rest.split_first_chunk::<HEAD_LEN>().ok_or(OpenError)?;
    let tag: &Tag = tag.try_into().map_err(|_| OpenError)?;
    let committed = commitment(keys, nonce, &ad, tag);
    if !bool::from(committed.expose().ct_eq(found)) {
        return Err(OpenError);
    }
    Secret::try_fill_with(|head| {
        *head = *sealed;
        open_detached(&cipher(keys), &(*nonce).into(), &ad, head, tag)
    })
}

/// `PRF(commit key, 'C' ‖ enc(nonce, BLAKE3(ad), tag))`: only one key, place and content go with it.
fn commitment(keys: &HeadKeys, nonce: &[u8; NONCE_LEN], ad: &[u8], tag: &Tag) -> Secret<32> {
    let place = blake3::hash(ad);
    let fields: [&[u8]; 3] = [nonce, place.as_bytes(), tag];
    prf_fields(keys.commit.secret(), Prefix::Commitment, &fields)
}

fn cipher(keys: &HeadKeys) -> Aes256GcmSiv {
    Aes256GcmSiv::new(keys.aead.secret().expose().into())
}
