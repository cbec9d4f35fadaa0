//! Swarm's hashes, signatures and chunk forms, as a node needs them: it accepts more than podfs ever writes.

use std::sync::Arc;

use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use sha3::{Digest, Keccak256};

use podfs::crypto::swarm::chunk_address;
use podfs::types::Address;

pub const SPAN: usize = 8;
pub const PAYLOAD_MAX: usize = 4096;
/// Identifier and signature in front of a single-owner chunk.
const SOC_HEADER: usize = 32 + 65;
/// The longest body that `POST /chunks` reads.
pub const CHUNK_MAX: usize = SOC_HEADER + SPAN + PAYLOAD_MAX;
/// Whose key is public, so that everybody can make replicas of roots: of `01 00 … 00`.
const REPLICAS_OWNER: [u8; 20] = [
    0xdc, 0x5b, 0x20, 0x84, 0x7f, 0x43, 0xd6, 0x79, 0x28, 0xf4, 0x9c, 0xd4, 0xf8, 0x5d, 0x69, 0x6b,
    0x5a, 0x76, 0x17, 0xb5,
];

pub type Owner = [u8; 20];
/// `r 32 ‖ s 32 ‖ v 1`.
pub type RawSignature = [u8; 65];

pub fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The same address as podfs computes, written a second time in the plainest way: the oracle of the splitter's tests.
pub fn plain_address(span: u64, payload: &[u8]) -> Address {
    let mut level: Vec<[u8; 32]> = vec![[0; 32]; 128];
    for (segment, bytes) in level.iter_mut().zip(payload.chunks(32)) {
        segment[..bytes.len()].copy_from_slice(bytes);
    }
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| keccak(&[&pair[0], &pair[1]]))
            .collect();
    }
    Address(keccak(&[&span.to_le_bytes(), &level[0]]))
}

pub fn span_of(content: &[u8]) -> u64 {
    content
        .first_chunk()
        .map_or(0, |span| u64::from_le_bytes(*span))
}

/// The address of `span ‖ payload`; nothing when no content-addressed chunk has this length.
pub fn content_address(content: &[u8]) -> Option<Address> {
    chunk_address(span_of(content), content.get(SPAN..)?).ok()
}

fn wallet_hash(message: &[u8; 32]) -> [u8; 32] {
    keccak(&[b"\x19Ethereum Signed Message:\n32", message])
}

/// Signs as Ethereum wallets sign 32 bytes.
pub fn sign(key: &SigningKey, message: &[u8; 32]) -> RawSignature {
    let (signature, parity) = key.sign_prehash_recoverable(&wallet_hash(message));
    let mut bytes = [27 + parity.to_byte(); 65];
    bytes[..64].copy_from_slice(&signature.to_bytes());
    bytes
}

/// Who signed; `v` may be 27 to 34, as in compact signatures.
pub fn recover(message: &[u8; 32], signature: &RawSignature) -> Option<Owner> {
    let v = signature[64].checked_sub(27).filter(|v| *v < 8)? % 4;
    let key = VerifyingKey::recover_from_prehash(
        &wallet_hash(message),
        &Signature::from_slice(&signature[..64]).ok()?,
        RecoveryId::from_byte(v)?,
    );
    Some(owner_of(&key.ok()?))
}

pub fn owner_of(key: &VerifyingKey) -> Owner {
    let point = key.to_sec1_point(false);
    let hash = keccak(&[&point.as_bytes()[1..]]);
    hash[12..].try_into().unwrap()
}

pub fn soc_address(id: &[u8], owner: &[u8]) -> Address {
    Address(keccak(&[id, owner]))
}

/// A chunk that is what it says: its bytes belong to its address.
#[derive(Clone)]
pub struct Chunk {
    pub address: Address,
    pub bytes: Arc<[u8]>,
    /// What the stamper remembers it by: two contents of one single-owner chunk take two slots.
    pub identity: Address,
}

impl Chunk {
    pub fn content<B: AsRef<[u8]> + Into<Arc<[u8]>>>(bytes: B) -> Option<Self> {
        let address = content_address(bytes.as_ref())?;
        Some(Self {
            address,
            bytes: bytes.into(),
            identity: address,
        })
    }

    /// `id ‖ signature ‖ span ‖ payload`, with the owner that the signature names.
    pub fn single_owner<B: AsRef<[u8]> + Into<Arc<[u8]>>>(bytes: B) -> Option<Self> {
        let soc = Soc::parse(bytes.as_ref())?;
        let inner = content_address(soc.content)?;
        let owner = recover(&keccak(&[soc.id, &inner.0]), soc.signature)?;
        if owner == REPLICAS_OWNER && inner.0[1..] != soc.id[1..] {
            return None;
        }
        let address = soc_address(soc.id, &owner);
        Some(Self {
            address,
            identity: Address(keccak(&[&address.0, &inner.0])),
            bytes: bytes.into(),
        })
    }

    /// As `POST /chunks` reads a body: content-addressed whenever its length allows.
    pub fn of_body(bytes: &[u8]) -> Option<Self> {
        if bytes.len() <= SPAN + PAYLOAD_MAX {
            Self::content(bytes)
        } else {
            Self::single_owner(bytes)
        }
    }
}

/// The parts of a single-owner chunk; nothing is checked.
pub struct Soc<'a> {
    pub id: &'a [u8],
    pub signature: &'a RawSignature,
    pub content: &'a [u8],
}

impl<'a> Soc<'a> {
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (id, rest) = bytes.split_at_checked(32)?;
        let (signature, content) = rest.split_first_chunk()?;
        (content.len() >= SPAN).then_some(Self {
            id,
            signature,
            content,
        })
    }
}
