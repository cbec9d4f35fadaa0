//! Records of the feed of a grant: payloads like those of heads, under the one key that a grantee is given.
//!
//! Whoever holds the cap key can seal records too; that they are the owner's is said by the single-owner chunk around
//! them, which the key that is never given away signs.

use crate::crypto::derive::enc;
use crate::crypto::domain::ad;
use crate::crypto::keys::{CapKey, GrantFeed, GrantSecret};
use crate::crypto::publish::payload::{HEAD_LEN, PayloadKeys, open, seal};
use crate::crypto::seal::{OpenError, PAGE_LEN};
use crate::crypto::secret::Secret;
use crate::crypto::swarm::{ChunkError, SealedChunk, SocId, soc_address};
use crate::types::Address;

/// Where a record stands; it opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// The feed of the grant.
    pub feed: GrantFeed,
    /// Number of the update in the feed.
    pub index: u64,
}

impl RecordPlace {
    /// Identifier of the single-owner chunk.
    pub fn id(&self) -> SocId {
        SocId::of_update(&self.feed.topic, self.index)
    }

    /// Where its chunk stands in Swarm.
    pub fn address(&self) -> Address {
        soc_address(&self.id(), &self.feed.owner)
    }

    /// `enc(name, owner, topic, be64 index)`.
    fn ad(&self) -> Vec<u8> {
        let index = self.index.to_be_bytes();
        enc(&[ad::CAP, &self.feed.owner.0, &self.feed.topic.0, &index])
    }
}

/// Seals a record: the payload of the single-owner chunk at `place`. The same record gives the same bytes.
pub fn seal_record(
    cap: &CapKey,
    place: &RecordPlace,
    record: &Secret<HEAD_LEN>,
) -> Box<[u8; PAGE_LEN]> {
    let ad = place.ad();
    Box::new(with_keys(cap, |keys| seal(keys, &ad, record.expose())))
}

/// Opens the payload found at `place`. A record holds keys, so it is wiped when dropped.
///
/// # Errors
/// [`OpenError`] when it was not sealed for this place under this key.
pub fn open_record(
    cap: &CapKey,
    place: &RecordPlace,
    payload: &[u8],
) -> Result<Secret<HEAD_LEN>, OpenError> {
    let ad = place.ad();
    with_keys(cap, |keys| open(keys, &ad, payload))
}

/// The chunk around a payload that was sealed for update `index` of the feed of `grant`. It stands at
/// [`RecordPlace::address`].
///
/// # Errors
/// [`ChunkError::Length`], of which no payload is.
pub fn record_chunk(
    grant: &GrantSecret,
    index: u64,
    payload: &[u8; PAGE_LEN],
) -> Result<SealedChunk, ChunkError> {
    let id = SocId::of_update(&grant.feed_topic(), index);
    SealedChunk::single_owner(&grant.feed_signer(), &id, payload)
}

fn with_keys<T>(cap: &CapKey, with: impl FnOnce(PayloadKeys<'_>) -> T) -> T {
    let (aead, nonce, commit) = (cap.aead_key(), cap.nonce_key(), cap.commit_key());
    with(PayloadKeys {
        aead: aead.secret(),
        nonce: nonce.secret(),
        commit: commit.secret(),
    })
}
