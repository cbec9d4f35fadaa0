//! Heads: the payload of the single-owner chunk that names the newest published state.

use crate::crypto::derive::enc;
use crate::crypto::domain::ad;
use crate::crypto::keys::{HeadKeys, Topic};
use crate::crypto::publish::payload::{HEAD_LEN, PayloadKeys, open, seal};
use crate::crypto::scalar::Owner;
use crate::crypto::seal::{OpenError, PAGE_LEN};
use crate::crypto::secret::Secret;

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
    seal(of(keys), &place.ad(), head)
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
    open(of(keys), &place.ad(), payload)
}

fn of(keys: &HeadKeys) -> PayloadKeys<'_> {
    PayloadKeys {
        aead: keys.aead.secret(),
        nonce: keys.nonce.secret(),
        commit: keys.commit.secret(),
    }
}
