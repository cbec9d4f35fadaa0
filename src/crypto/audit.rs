//! What is hashed and signed of an audit log.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::crypto::derive::enc;
use crate::crypto::domain::ad;
use crate::crypto::secret::Secret;

/// Bytes of a signature (RFC 8032).
pub const SIGNATURE_LEN: usize = 64;

/// Which log it is: `BLAKE3(enc("podfs/1/origin", pod id))`. It tells nobody which pod.
pub fn origin(pod_id: &[u8; 16]) -> [u8; 32] {
    hash(&[ad::AUDIT_ORIGIN, pod_id])
}

/// What stands in the tree for an event: `BLAKE3(enc("podfs/1/audit", salt, event))`. Without the salt it tells nothing.
pub fn commitment(salt: &[u8; 16], event: &[u8]) -> [u8; 32] {
    hash(&[ad::AUDIT, salt, event])
}

/// Stands for a checkpoint: `BLAKE3(enc("podfs/1/checkpoint", checkpoint))`. This is what is signed.
pub fn checkpoint_hash(checkpoint: &[u8]) -> [u8; 32] {
    hash(&[ad::CHECKPOINT, checkpoint])
}

/// What somebody else signs who saw a checkpoint with this hash: `BLAKE3(enc("podfs/1/witness", hash))`.
pub fn witness_hash(checkpoint: &[u8; 32]) -> [u8; 32] {
    hash(&[ad::WITNESS, checkpoint])
}

/// What is signed of a receipt: `BLAKE3(enc("podfs/1/receipt", receipt))`.
pub fn receipt_hash(receipt: &[u8]) -> [u8; 32] {
    hash(&[ad::RECEIPT, receipt])
}

/// Signs one of these hashes with the Ed25519 key of this seed.
pub fn sign(seed: &Secret<32>, hash: &[u8; 32]) -> [u8; SIGNATURE_LEN] {
    SigningKey::from_bytes(seed.expose()).sign(hash).to_bytes()
}

/// Whether the key signed the hash.
pub fn is_signed(key: &[u8; 32], hash: &[u8; 32], signature: &[u8; SIGNATURE_LEN]) -> bool {
    let signature = Signature::from_bytes(signature);
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(hash, &signature).is_ok())
}

fn hash(fields: &[&[u8]]) -> [u8; 32] {
    *blake3::hash(&enc(fields)).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::identity::sign_public_key;

    #[test]
    fn only_what_was_signed_is_signed() {
        let seed = Secret::from_bytes(&[1; 32]);
        let key = sign_public_key(&seed);
        let hash = checkpoint_hash(b"checkpoint");
        let signature = sign(&seed, &hash);
        assert!(is_signed(&key, &hash, &signature));
        assert!(!is_signed(&key, &witness_hash(&hash), &signature));
        assert!(!is_signed(&[1; 32], &hash, &signature));
        assert!(
            !is_signed(&[0; 32], &hash, &signature),
            "a key of small order"
        );
        let mut changed = signature;
        changed[40] ^= 1;
        assert!(!is_signed(&key, &hash, &changed));
    }

    #[test]
    fn salt_and_event_are_not_one_run_of_bytes() {
        let one = commitment(&[0; 16], b"event");
        assert_ne!(one, commitment(&[1; 16], b"event"));
        assert_ne!(one, commitment(&[0; 16], b"events"));
        assert_ne!(origin(&[0; 16]), origin(&[1; 16]));
    }
}
