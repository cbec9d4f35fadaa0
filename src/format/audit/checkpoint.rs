use crate::crypto::Secret;
use crate::crypto::audit::{SIGNATURE_LEN, checkpoint_hash, is_signed, sign, witness_hash};
use crate::crypto::identity::sign_public_key;
use crate::crypto::merkle::Hash;
use crate::format::audit::event::{put_time, take_time};
use crate::format::wire::{Malformed, Reader};
use crate::types::Timespec;

const WHAT: &str = "audit checkpoint";
const VERSION: u8 = 1;
/// Bytes of a checkpoint.
pub const CHECKPOINT_LEN: usize = 1 + 32 + 8 + 32 + 12 + 32;
/// Bytes of a checkpoint with its key and signature.
pub const SIGNED_CHECKPOINT_LEN: usize = CHECKPOINT_LEN + 32 + SIGNATURE_LEN;

/// How far a log was, and all that was in it. There is one behind every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: [`origin`](crate::crypto::audit::origin).
    pub origin: [u8; 32],
    /// Records in it.
    pub size: u64,
    /// The tree of their commitments.
    pub root: Hash,
    /// Time of the last of them.
    pub time: Timespec,
    /// Hash of the checkpoint behind the record before; zeros behind the first one.
    pub previous: [u8; 32],
}

impl Checkpoint {
    /// The bytes, as `FORMAT.md` has them.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SIGNED_CHECKPOINT_LEN);
        out.push(VERSION);
        out.extend_from_slice(&self.origin);
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.root);
        put_time(&mut out, self.time);
        out.extend_from_slice(&self.previous);
        out
    }

    pub(in crate::format) fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        if reader.u8()? != VERSION {
            return Err(reader.malformed());
        }
        let checkpoint = Self {
            origin: reader.array()?,
            size: reader.u64()?,
            root: reader.array()?,
            time: take_time(reader)?,
            previous: reader.array()?,
        };
        let is_first = checkpoint.previous == [0; 32];
        if checkpoint.size == 0 || is_first != (checkpoint.size == 1) {
            return Err(reader.malformed());
        }
        Ok(checkpoint)
    }

    /// Stands for it: this is what is signed, and what the next one names.
    pub fn hash(&self) -> [u8; 32] {
        checkpoint_hash(&self.encode())
    }

    /// Signs it.
    pub fn sign(self, seed: &Secret<32>) -> SignedCheckpoint {
        SignedCheckpoint {
            checkpoint: self,
            key: sign_public_key(seed),
            signature: sign(seed, &self.hash()),
        }
    }
}

/// A checkpoint as it is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// Ed25519 key of the machine that signed it.
    pub key: [u8; 32],
    /// Its signature.
    pub signature: [u8; SIGNATURE_LEN],
}

impl SignedCheckpoint {
    /// Checkpoint, key, signature.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.checkpoint.encode();
        out.extend_from_slice(&self.key);
        out.extend_from_slice(&self.signature);
        out
    }

    /// Reads one. Whether it is signed is another question: [`SignedCheckpoint::is_signed`].
    ///
    /// # Errors
    /// Anything that [`SignedCheckpoint::encode`] does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        let signed = Self::take(&mut reader)?;
        reader.end()?;
        Ok(signed)
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            checkpoint: Checkpoint::take(reader)?,
            key: reader.array()?,
            signature: reader.array()?,
        })
    }

    /// Whether its key signed it.
    pub fn is_signed(&self) -> bool {
        is_signed(&self.key, &self.checkpoint.hash(), &self.signature)
    }
}

/// Somebody else saw a checkpoint, and says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// What they saw.
    pub seen: SignedCheckpoint,
    /// Fingerprint of their identity.
    pub who: [u8; 32],
    /// Their Ed25519 key, as their card had it.
    pub key: [u8; 32],
    /// Their signature.
    pub signature: [u8; SIGNATURE_LEN],
}

/// Bytes of what a witness says.
pub const WITNESS_LEN: usize = SIGNED_CHECKPOINT_LEN + 32 + 32 + SIGNATURE_LEN;

impl Witness {
    /// Countersigns a checkpoint of somebody else, as the person with this fingerprint.
    pub fn sign(seen: SignedCheckpoint, who: [u8; 32], secret: &Secret<32>) -> Self {
        Self {
            seen,
            who,
            key: sign_public_key(secret),
            signature: sign(secret, &witness_hash(&seen.checkpoint.hash())),
        }
    }

    /// Signed checkpoint, fingerprint, key, signature.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.seen.encode();
        out.extend_from_slice(&self.who);
        out.extend_from_slice(&self.key);
        out.extend_from_slice(&self.signature);
        out
    }

    /// Reads one.
    ///
    /// # Errors
    /// Anything that [`Witness::encode`] does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "witness");
        let witness = Self {
            seen: SignedCheckpoint::take(&mut reader)?,
            who: reader.array()?,
            key: reader.array()?,
            signature: reader.array()?,
        };
        reader.end()?;
        Ok(witness)
    }

    /// The witnesses in a file of them, one behind the other.
    ///
    /// # Errors
    /// When one of them is none, or cut off.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, Malformed> {
        bytes.chunks(WITNESS_LEN).map(Self::decode).collect()
    }

    /// Whether both signatures are right. Whose key it is that countersigned, their card tells.
    pub fn is_signed(&self) -> bool {
        let hash = witness_hash(&self.seen.checkpoint.hash());
        self.seen.is_signed() && is_signed(&self.key, &hash, &self.signature)
    }
}
