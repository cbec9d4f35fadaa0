//! Single-owner chunks: chunks that stand at an address of their owner's choice, signed.

use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use sha3::{Digest, Keccak256};

use crate::crypto::keys::Topic;
use crate::crypto::scalar::{Owner, owner_of};
use crate::crypto::secret::Secret;
use crate::crypto::swarm::bmt::chunk_address;
use crate::types::Address;

/// Bytes of a signature: `r 32 ‖ s 32 ‖ v 1`.
pub const SIGNATURE_LEN: usize = 65;
/// Bytes before the span of a single-owner chunk: identifier and signature.
pub const SOC_HEADER_LEN: usize = 32 + SIGNATURE_LEN;

/// What `v` is when the point that was chosen for signing has an even y.
const V_EVEN: u8 = 27;
/// `v` of compact signatures starts a second time here, for keys that are compressed. Nodes accept it.
const V_COMPRESSED: u8 = 31;

/// A signature with which the key that made it can be computed.
pub type RecoverableSignature = [u8; SIGNATURE_LEN];

/// Identifier of a single-owner chunk among those of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocId(pub [u8; 32]);

impl SocId {
    /// The identifier of update `index` in the feed of `topic`: Keccak-256 of `topic ‖ be64 index`.
    pub fn of_update(topic: &Topic, index: u64) -> Self {
        Self(keccak(&[&topic.0, &index.to_be_bytes()]))
    }
}

/// Where the chunk of `owner` with this identifier stands.
pub fn soc_address(id: &SocId, owner: &Owner) -> Address {
    Address(keccak(&[&id.0, &owner.0]))
}

/// Who signed these bytes of a single-owner chunk; nothing when they are no such chunk.
pub fn soc_owner(bytes: &[u8]) -> Option<Owner> {
    let (id, rest) = bytes.split_first_chunk()?;
    let (signature, rest) = rest.split_first_chunk()?;
    let (span, payload) = rest.split_first_chunk()?;
    let content = chunk_address(u64::from_le_bytes(*span), payload).ok()?;
    recover_owner(&digest(&SocId(*id), &content), signature)
}

/// Where these bytes stand as a single-owner chunk.
pub(super) fn address_of(bytes: &[u8]) -> Option<Address> {
    let id = SocId(*bytes.first_chunk()?);
    Some(soc_address(&id, &soc_owner(bytes)?))
}

/// The signature of a single-owner chunk around the content-addressed chunk at `content`.
pub(super) fn sign(secret: &Secret<32>, id: &SocId, content: &Address) -> RecoverableSignature {
    sign_message(secret, &digest(id, content))
}

/// Signs 32 bytes as wallets sign messages (EIP-191): deterministic (RFC 6979), `s` in the lower half, `v` 27 or 28.
#[expect(
    clippy::expect_used,
    reason = "the secret was reduced to 1 ..= n − 1 when it was made"
)]
pub(super) fn sign_message(secret: &Secret<32>, message: &[u8; 32]) -> RecoverableSignature {
    let key = SigningKey::from_slice(secret.expose()).expect("a scalar in range");
    let (signature, parity) = key.sign_prehash_recoverable(&wallet_hash(message));
    let mut bytes = [V_EVEN.saturating_add(parity.to_byte()); SIGNATURE_LEN];
    for (to, from) in bytes.iter_mut().zip(signature.to_bytes()) {
        *to = from;
    }
    bytes
}

/// Whose key signed 32 bytes as wallets sign messages. As liberal as the nodes are: any `s`, and `v` from 27 to 34.
pub fn recover_owner(message: &[u8; 32], signature: &RecoverableSignature) -> Option<Owner> {
    let [numbers @ .., v] = signature;
    let parity = v.checked_sub(if *v < V_COMPRESSED {
        V_EVEN
    } else {
        V_COMPRESSED
    });
    let key = VerifyingKey::recover_from_prehash(
        &wallet_hash(message),
        &Signature::from_slice(numbers).ok()?,
        RecoveryId::from_byte(parity?)?,
    );
    let point = key.ok()?.to_sec1_point(false);
    Some(owner_of(point.as_ref().try_into().ok()?))
}

/// What the owner signs: the identifier and the address of the content.
fn digest(id: &SocId, content: &Address) -> [u8; 32] {
    keccak(&[&id.0, &content.0])
}

/// What a wallet hashes when it is asked to sign 32 bytes.
fn wallet_hash(message: &[u8; 32]) -> [u8; 32] {
    keccak(&[b"\x19Ethereum Signed Message:\n32", message])
}

fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}
