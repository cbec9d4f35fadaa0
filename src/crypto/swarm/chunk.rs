//! A chunk as it travels and is stored: its address, and bytes that were seen to belong to it.

use std::sync::Arc;

use crate::crypto::keys::FeedSigner;
use crate::crypto::scalar::owner;
use crate::crypto::seal::PAGE_LEN;
use crate::crypto::secret::Secret;
use crate::crypto::swarm::bmt::{PAGE_SPAN, PAYLOAD_MAX, SPAN_LEN, chunk_address, page_address};
use crate::crypto::swarm::soc;
use crate::crypto::swarm::soc::{SOC_HEADER_LEN, SocId, soc_address};
use crate::types::Address;

/// Longest bytes of a content-addressed chunk.
pub const CONTENT_LEN_MAX: usize = SPAN_LEN + PAYLOAD_MAX;
/// Longest bytes of any chunk: a single-owner chunk with a full payload.
pub const CHUNK_LEN_MAX: usize = SOC_HEADER_LEN + CONTENT_LEN_MAX;

/// Why bytes are not the chunk that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// No chunk is that short or that long.
    #[error("no chunk has this length")]
    Length,
    /// They are another chunk's, or nobody's: changed on the way, or never right.
    #[error("the bytes do not belong to this address")]
    Address,
}

/// A chunk whose bytes are known to belong to its address. Cloning it shares them.
///
/// What is in it is sealed: out of plaintext only the sealing functions of this room make chunks.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedChunk {
    address: Address,
    single_owner: bool,
    bytes: Arc<[u8]>,
}

impl SealedChunk {
    /// The content-addressed chunk of a sealed page, or of what restores some.
    pub(crate) fn content(sealed: &[u8; PAGE_LEN]) -> Self {
        Self::at(page_address(sealed), sealed)
    }

    /// The same, when the address has been computed together with others.
    pub(in crate::crypto) fn at(address: Address, sealed: &[u8; PAGE_LEN]) -> Self {
        Self {
            address,
            single_owner: false,
            bytes: [&PAGE_SPAN.to_le_bytes(), sealed.as_slice()]
                .concat()
                .into(),
        }
    }

    /// The chunk that `signer` owns under `id`, with this sealed payload. The same input gives the same bytes.
    ///
    /// # Errors
    /// [`ChunkError::Length`] when the payload is longer than [`PAYLOAD_MAX`].
    pub fn single_owner(
        signer: &FeedSigner,
        id: &SocId,
        payload: &[u8],
    ) -> Result<Self, ChunkError> {
        Self::signed(signer.secret(), id, payload)
    }

    /// [`SealedChunk::single_owner`] by any key.
    pub(in crate::crypto) fn signed(
        secret: &Secret<32>,
        id: &SocId,
        payload: &[u8],
    ) -> Result<Self, ChunkError> {
        let span = u64::try_from(payload.len()).map_err(|_| ChunkError::Length)?;
        let signature = soc::sign(secret, id, &chunk_address(span, payload)?);
        Ok(Self {
            address: soc_address(id, &owner(secret)),
            single_owner: true,
            bytes: [&id.0, signature.as_slice(), &span.to_le_bytes(), payload]
                .concat()
                .into(),
        })
    }

    /// The chunk that stands at `address`, from bytes as a node gives them: `span 8 ‖ payload` when it is
    /// content-addressed, `id 32 ‖ signature 65 ‖ span 8 ‖ payload` when it has an owner. Any bytes may be given.
    ///
    /// An address does not tell how many zeros there are at the end. A payload gets as many as its span says, so that
    /// a node that leaves some out or adds some gives the same chunk.
    ///
    /// # Errors
    /// When they are not the chunk of this address.
    pub fn verified(address: &Address, bytes: &[u8]) -> Result<Self, ChunkError> {
        if !(SPAN_LEN..=CHUNK_LEN_MAX).contains(&bytes.len()) {
            return Err(ChunkError::Length);
        }
        let content = bytes.split_first_chunk().is_some_and(|(span, payload)| {
            chunk_address(u64::from_le_bytes(*span), payload) == Ok(*address)
        });
        let single_owner = !content && soc::address_of(bytes) == Some(*address);
        if !content && !single_owner {
            return Err(ChunkError::Address);
        }
        Ok(Self {
            address: *address,
            single_owner,
            bytes: as_long_as_its_span(bytes, single_owner),
        })
    }

    /// Where it stands.
    pub fn address(&self) -> Address {
        self.address
    }

    /// All its bytes, as a node takes and gives them; see [`SealedChunk::verified`].
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same bytes, shared.
    pub fn shared_bytes(&self) -> Arc<[u8]> {
        Arc::clone(&self.bytes)
    }

    /// What stands behind the span.
    pub fn payload(&self) -> &[u8] {
        let start = payload_start(self.single_owner);
        self.bytes.get(start..).unwrap_or_default()
    }

    /// Whether its address comes from an identifier and an owner, not from its bytes: there may be others like it.
    pub fn is_single_owner(&self) -> bool {
        self.single_owner
    }
}

impl std::fmt::Debug for SealedChunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedChunk")
            .field("address", &self.address)
            .field("single_owner", &self.single_owner)
            .field("len", &self.bytes.len())
            .finish()
    }
}

/// Bytes before the payload.
fn payload_start(single_owner: bool) -> usize {
    if single_owner {
        SOC_HEADER_LEN + SPAN_LEN
    } else {
        SPAN_LEN
    }
}

/// The bytes with as many zeros at their end as makes the payload as long as its span, where nothing else is lost. A
/// span above [`PAYLOAD_MAX`] belongs to an inner chunk of a tree and says nothing about the payload's length.
fn as_long_as_its_span(bytes: &[u8], single_owner: bool) -> Arc<[u8]> {
    let start = payload_start(single_owner);
    let span = bytes.get(..start).and_then(|header| header.last_chunk());
    let span = span.and_then(|span| usize::try_from(u64::from_le_bytes(*span)).ok());
    let Some(len) = span.filter(|span| *span <= PAYLOAD_MAX) else {
        return bytes.into();
    };
    let end = start.saturating_add(len);
    let zeros = bytes.get(end..).unwrap_or_default();
    if bytes.len() == end || zeros.iter().any(|byte| *byte != 0) {
        return bytes.into();
    }
    let mut whole = bytes.to_vec();
    whole.resize(end, 0);
    whole.into()
}
