//! Keys that two people share: where their messages to each other stand, known to nobody else.

use crate::crypto::derive::kdf_fields;
use crate::crypto::domain::Domain;
use crate::crypto::identity::Fingerprint;
use crate::crypto::keys::{KemX25519Key, Topic};
use crate::crypto::scalar::{Owner, owner, scalar};
use crate::crypto::secret::Secret;
use crate::crypto::swarm::{ChunkError, SealedChunk, SocId};

/// What two people share: `KDF[pairwise](enc(ss, lower fingerprint, higher fingerprint, pq32 | ""))`.
///
/// `ss` is their static X25519 secret; `pq` came with the first hybrid message, before it the field is empty.
pub struct PairSecret(Secret<32>);

/// A public key that gives everybody the same secret: nobody honest has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the X25519 key of the other one is of low order")]
pub struct LowOrder;

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The one with the lower fingerprint; encoded as one byte, 0.
    FromLower,
    /// The one with the higher fingerprint; encoded as one byte, 1.
    FromHigher,
}

/// Signer of one direction of a pair in one week.
pub struct InboxSigner(Secret<32>);

impl PairSecret {
    /// What the owner of `own` shares with the owner of the X25519 key `theirs` (RFC 7748). No hybrid secret goes in yet.
    ///
    /// # Errors
    /// [`LowOrder`]: whatever the own key is, the secret would be zeros.
    pub fn agree(
        own: &KemX25519Key,
        theirs: &[u8; 32],
        fingerprints: [&Fingerprint; 2],
    ) -> Result<Self, LowOrder> {
        let own = x25519_dalek::StaticSecret::from(*own.secret().expose());
        let agreed = own.diffie_hellman(&x25519_dalek::PublicKey::from(*theirs));
        if !agreed.was_contributory() {
            return Err(LowOrder);
        }
        let shared = Secret::from_bytes(agreed.as_bytes());
        let fingerprints = fingerprints.map(|print| &print.0);
        Ok(Self::derive(&shared, fingerprints, None))
    }

    /// The same on both sides: the order in which the fingerprints are given does not matter.
    pub fn derive(
        shared: &Secret<32>,
        fingerprints: [&[u8; 32]; 2],
        post_quantum: Option<&Secret<32>>,
    ) -> Self {
        let [one, other] = fingerprints;
        let (low, high) = if one <= other {
            (one, other)
        } else {
            (other, one)
        };
        let post_quantum: &[u8] = post_quantum.map_or(&[], |secret| secret.expose());
        Self(kdf_fields(
            Domain::Pairwise,
            &[shared.expose(), low, high, post_quantum],
        ))
    }

    /// `SCALAR[inbox-signer](enc(pair, direction, le32 week))`; weeks count from the Unix epoch.
    pub fn signer(&self, direction: Direction, week: u32) -> InboxSigner {
        let fields = [
            self.0.expose().as_slice(),
            &direction.encoded(),
            &week.to_le_bytes(),
        ];
        InboxSigner(scalar(Domain::InboxSigner, &fields))
    }

    /// `KDF[inbox-topic](enc(pair, direction, le32 week))`.
    pub fn topic(&self, direction: Direction, week: u32) -> Topic {
        let fields = [
            self.0.expose().as_slice(),
            &direction.encoded(),
            &week.to_le_bytes(),
        ];
        Topic(*kdf_fields(Domain::InboxTopic, &fields).expose())
    }
}

impl InboxSigner {
    /// The bytes of the private key.
    pub fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// Owner of the single-owner chunks that this key signs.
    pub fn owner(&self) -> Owner {
        owner(&self.0)
    }

    /// Message `index` of the feed, as it stands in Swarm. The same payload gives the same bytes.
    ///
    /// # Errors
    /// [`ChunkError::Length`] when the payload is longer than that of any chunk.
    pub fn chunk(
        &self,
        topic: &Topic,
        index: u64,
        payload: &[u8],
    ) -> Result<SealedChunk, ChunkError> {
        SealedChunk::signed(&self.0, &SocId::of_update(topic, index), payload)
    }
}

impl Direction {
    /// That of what `from` writes to `to`.
    pub fn of(from: &Fingerprint, to: &Fingerprint) -> Self {
        if from <= to {
            Self::FromLower
        } else {
            Self::FromHigher
        }
    }

    fn encoded(self) -> [u8; 1] {
        match self {
            Self::FromLower => [0],
            Self::FromHigher => [1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_find_the_same_place() {
        let shared = Secret::from_bytes(&[1; 32]);
        let (low, high) = ([2; 32], [3; 32]);
        let here = PairSecret::derive(&shared, [&low, &high], None);
        let there = PairSecret::derive(&shared, [&high, &low], None);
        assert_eq!(
            here.topic(Direction::FromLower, 7),
            there.topic(Direction::FromLower, 7)
        );
        assert_eq!(
            here.signer(Direction::FromHigher, 7).owner(),
            there.signer(Direction::FromHigher, 7).owner()
        );
        assert_ne!(
            here.topic(Direction::FromLower, 7),
            here.topic(Direction::FromHigher, 7)
        );
        assert_ne!(
            here.topic(Direction::FromLower, 7),
            here.topic(Direction::FromLower, 8)
        );
    }

    #[test]
    fn two_keys_agree_and_a_key_of_low_order_does_not() {
        let own = [1, 2].map(|byte| KemX25519Key::restore(Secret::from_bytes(&[byte; 32])));
        let prints = [1, 2].map(|byte| Fingerprint([byte; 32]));
        let agree = |own: &KemX25519Key, theirs: &[u8; 32]| {
            let secret = PairSecret::agree(own, theirs, [&prints[0], &prints[1]]);
            secret.map(|pair| pair.topic(Direction::FromLower, 7).0)
        };
        let one = agree(&own[0], &own[1].public_key());
        assert!(one.is_ok());
        assert_eq!(one, agree(&own[1], &own[0].public_key()));
        // The points of small order on the curve and its twist (RFC 7748, section 6.1; Curve25519 page of D. J. Bernstein).
        let eight = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800";
        let other = "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157";
        let minus_one = format!("ec{}7f", "ff".repeat(30));
        let of_order_two = format!("01{}", "00".repeat(31));
        let zero = "00".repeat(32);
        for low in [eight, other, &minus_one, &of_order_two, &zero] {
            let mut low_order = [0; 32];
            hex::decode_to_slice(low, &mut low_order).unwrap();
            assert_eq!(agree(&own[0], &low_order), Err(LowOrder), "{low}");
        }
    }

    #[test]
    fn who_writes_is_told_by_the_fingerprints() {
        let (low, high) = (Fingerprint([1; 32]), Fingerprint([2; 32]));
        assert_eq!(Direction::of(&low, &high), Direction::FromLower);
        assert_eq!(Direction::of(&high, &low), Direction::FromHigher);
    }

    #[test]
    fn the_hybrid_secret_moves_the_place() {
        let shared = Secret::from_bytes(&[1; 32]);
        let people = [&[2; 32], &[3; 32]];
        let before = PairSecret::derive(&shared, people, None);
        let after = PairSecret::derive(&shared, people, Some(&Secret::from_bytes(&[4; 32])));
        assert_ne!(
            before.topic(Direction::FromLower, 7),
            after.topic(Direction::FromLower, 7)
        );
    }
}
