//! What a parent keeps of a published page: where it stands, and what opens it.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::crypto::seal::{TAG_LEN, Tag};
use crate::crypto::secret::Secret;
use crate::types::Address;

/// Bytes of a reference: address 32, key 32, tag 16.
pub const REFERENCE_LEN: usize = 80;
/// What stands in place of a reference to a page of zeros, which has no chunk.
pub const HOLE: [u8; REFERENCE_LEN] = [0; REFERENCE_LEN];

const KEY_LEN: usize = 32;

/// Address, key and tag of one published page or node. Whoever has it can read that version of it, and all beneath.
///
/// The key is wiped when dropped. There is no way to print it; comparing takes the same time whatever is in it.
#[derive(Clone)]
pub struct Reference {
    address: Address,
    key: Zeroizing<[u8; KEY_LEN]>,
    tag: Tag,
}

impl Reference {
    pub(super) fn new(address: Address, key: &Secret<KEY_LEN>, tag: Tag) -> Self {
        Self {
            address,
            key: Zeroizing::new(*key.expose()),
            tag,
        }
    }

    /// Where the chunk stands.
    pub fn address(&self) -> Address {
        self.address
    }

    pub(super) fn key(&self) -> &[u8; KEY_LEN] {
        &self.key
    }

    pub(super) fn tag(&self) -> &Tag {
        &self.tag
    }

    /// The reference that these bytes are; nothing when they are a [`HOLE`].
    pub fn from_bytes(bytes: &[u8; REFERENCE_LEN]) -> Option<Self> {
        if bytes.ct_eq(&HOLE).into() {
            return None;
        }
        let (address, rest) = bytes.split_first_chunk()?;
        let (key, tag) = rest.split_first_chunk()?;
        Some(Self {
            address: Address(*address),
            key: Zeroizing::new(*key),
            tag: *tag.first_chunk::<TAG_LEN>()?,
        })
    }

    /// `address ‖ key ‖ tag`.
    pub fn to_bytes(&self) -> Zeroizing<[u8; REFERENCE_LEN]> {
        let mut bytes = Zeroizing::new(HOLE);
        let parts = self.address.0.iter().chain(&*self.key).chain(&self.tag);
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = *from;
        }
        bytes
    }
}

impl PartialEq for Reference {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes().ct_eq(&*other.to_bytes()).into()
    }
}

impl Eq for Reference {}

impl std::fmt::Debug for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reference({}, …)", self.address)
    }
}
