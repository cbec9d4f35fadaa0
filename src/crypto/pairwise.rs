//! Keys that two people share: where their messages to each other stand, known to nobody else.

use crate::crypto::derive::kdf_fields;
use crate::crypto::domain::Domain;
use crate::crypto::keys::Topic;
use crate::crypto::scalar::{Owner, owner, scalar};
use crate::crypto::secret::Secret;

/// What two people share: `KDF[pairwise](enc(ss, lower fingerprint, higher fingerprint, pq32 | ""))`.
///
/// `ss` is their static X25519 secret; `pq` came with the first hybrid message, before it the field is empty.
pub struct PairSecret(Secret<32>);

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
}

impl Direction {
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
