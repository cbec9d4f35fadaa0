//! A recovery phrase among several people or places (Shamir, "How to share a secret", 1979): any `threshold` shares give
//! it back, fewer say nothing about it but which shares belong together.
//!
//! Each byte of the 256 bits is the value at 0 of a polynomial over GF(2⁸) modulo x⁸ + x⁴ + x³ + x² + 1; share `x` has the
//! values at `x`.

use std::collections::BTreeMap;

use blahaj::{Share, Sharks};
use zeroize::Zeroizing;

use crate::crypto::derive::kdf;
use crate::crypto::domain::Domain;
use crate::crypto::entropy::{Entropy, EntropyError, random_secret};
use crate::crypto::phrase::Phrase;
use crate::crypto::secret::Secret;
use crate::crypto::stream::Stream;

/// One share. A secret of its own: with enough others it is the phrase.
pub struct PhraseShare {
    /// Which phrase it is of: the same for all its shares.
    pub set: [u8; 4],
    /// How many shares give the phrase.
    pub threshold: u8,
    /// Number of the share, from 1.
    pub number: u8,
    /// The values.
    pub values: Secret<32>,
}

/// Why shares give no phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// They are too few.
    #[error("{needed} different shares are needed, these are {given}")]
    TooFew {
        /// So many are needed.
        needed: u8,
        /// So many different ones were given.
        given: usize,
    },
    /// They belong to different phrases, or say different things of how many are needed.
    #[error("these shares do not belong together")]
    Mixed,
    /// They are of one phrase and give another: of two splits, or one is changed.
    #[error("these shares give no phrase: they are of different splits, or one is changed")]
    Wrong,
}

/// Splits a phrase into `count` shares, any `threshold` of which give it back; at least 2, and no more than there are.
///
/// # Errors
/// When there is no randomness.
pub fn split(
    phrase: &Phrase,
    threshold: u8,
    count: u8,
    entropy: &mut Entropy<'_>,
) -> Result<Vec<PhraseShare>, EntropyError> {
    let secret = phrase.entropy();
    let mut stream = Stream::new(Domain::PhraseShareStream, random_secret(entropy)?);
    let set = set_of(&secret);
    let dealt = Sharks(threshold.max(2)).dealer_rng(secret.expose(), &mut stream);
    let shares = dealt.take(count.into()).map(|share| {
        let bytes = Zeroizing::new(Vec::from(&share));
        let values = bytes.get(1..).and_then(Secret::from_slice);
        PhraseShare {
            set,
            threshold: threshold.max(2),
            number: bytes.first().copied().unwrap_or_default(),
            values: values.unwrap_or_else(|| Secret::from_bytes(&[0; 32])),
        }
    });
    Ok(shares.collect())
}

/// The phrase of these shares; the same one twice counts once.
///
/// # Errors
/// [`CombineError`] says what is missing or wrong.
pub fn combine(shares: &[PhraseShare]) -> Result<Phrase, CombineError> {
    let first = shares.first().ok_or(CombineError::TooFew {
        needed: 2,
        given: 0,
    })?;
    let mut different: BTreeMap<u8, &PhraseShare> = BTreeMap::new();
    for share in shares {
        if (share.set, share.threshold) != (first.set, first.threshold) {
            return Err(CombineError::Mixed);
        }
        let before = different.insert(share.number, share);
        if before.is_some_and(|before| !before.values.eq_ct(&share.values)) {
            return Err(CombineError::Wrong);
        }
    }
    if different.len() < first.threshold.max(2).into() {
        return Err(CombineError::TooFew {
            needed: first.threshold.max(2),
            given: different.len(),
        });
    }
    let shares = different.values().map(|share| {
        let mut bytes = Zeroizing::new(vec![share.number]);
        bytes.extend_from_slice(share.values.expose());
        Share::try_from(bytes.as_slice()).map_err(|_| CombineError::Wrong)
    });
    let shares = shares.collect::<Result<Vec<_>, _>>()?;
    let scheme = Sharks(first.threshold);
    let combined = scheme.recover(&shares);
    let combined = Zeroizing::new(combined.map_err(|_| CombineError::Wrong)?);
    let secret = Secret::from_slice(&combined).ok_or(CombineError::Wrong)?;
    if set_of(&secret) != first.set {
        return Err(CombineError::Wrong);
    }
    Ok(Phrase::from_entropy(&secret))
}

/// First 4 bytes of `KDF[phrase-share](entropy)`.
fn set_of(entropy: &Secret<32>) -> [u8; 4] {
    let set = kdf(Domain::PhraseShare, entropy.expose());
    set.expose().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn phrase(byte: u8) -> Phrase {
        Phrase::from_entropy(&Secret::from_bytes(&[byte; 32]))
    }

    fn shares(byte: u8, threshold: u8, count: u8, seed: u8) -> Vec<PhraseShare> {
        let mut next = seed;
        let mut entropy = |bytes: &mut [u8]| {
            bytes.fill(next);
            next = next.wrapping_add(1);
            Ok(())
        };
        split(&phrase(byte), threshold, count, &mut entropy).unwrap()
    }

    fn copy(share: &PhraseShare) -> PhraseShare {
        PhraseShare {
            set: share.set,
            threshold: share.threshold,
            number: share.number,
            values: Secret::from_bytes(share.values.expose()),
        }
    }

    fn refused(shares: &[PhraseShare]) -> CombineError {
        combine(shares).err().unwrap()
    }

    #[test]
    fn any_two_of_three_give_the_phrase_and_one_does_not() {
        let all = shares(7, 2, 3, 1);
        let numbers: Vec<_> = all.iter().map(|share| share.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        for (one, other) in [(0, 1), (0, 2), (1, 2), (2, 0)] {
            let combined = combine(&[copy(&all[one]), copy(&all[other])]).ok().unwrap();
            assert_eq!(*combined.text(), *phrase(7).text());
        }
        assert!(combine(&all).is_ok());
        let few = |given| CombineError::TooFew { needed: 2, given };
        assert_eq!(refused(&[]), few(0));
        assert_eq!(refused(&all[..1]), few(1));
        assert_eq!(refused(&[copy(&all[0]), copy(&all[0])]), few(1));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let (ours, theirs) = (shares(7, 2, 3, 1), shares(8, 2, 3, 1));
        let mixed = [copy(&ours[0]), copy(&theirs[1])];
        assert_eq!(refused(&mixed), CombineError::Mixed);
        let again = shares(7, 2, 3, 2);
        assert!(!ours[0].values.eq_ct(&again[0].values));
        let of_two_splits = [copy(&ours[0]), copy(&again[1])];
        assert_eq!(refused(&of_two_splits), CombineError::Wrong);
        let of_two_splits = [copy(&ours[0]), copy(&again[0])];
        assert_eq!(refused(&of_two_splits), CombineError::Wrong);
        for bit in 0..256 {
            let mut values = *ours[0].values.expose();
            values[bit / 8] ^= 1 << (bit % 8);
            let changed = PhraseShare {
                values: Secret::from_bytes(&values),
                ..copy(&ours[0])
            };
            let changed = [changed, copy(&ours[1])];
            assert_eq!(refused(&changed), CombineError::Wrong);
        }
    }

    /// Whatever the secret is, a share may have any value: it tells nothing of it.
    #[test]
    fn one_share_has_any_value_whatever_the_secret() {
        for byte in [0, 7] {
            let mut seen = std::collections::BTreeSet::new();
            for seed in 0..=255 {
                let share = &shares(byte, 2, 2, seed)[0];
                seen.extend(share.values.expose().iter().copied());
            }
            assert_eq!(seen.len(), 256);
        }
    }

    proptest! {
        #[test]
        fn so_many_give_it_back(
            byte: u8, seed: u8, threshold in 2_u8..20, more in 0_u8..20, skip in 0_usize..20,
        ) {
            let count = threshold + more;
            let all = shares(byte, threshold, count, seed);
            prop_assert_eq!(all.len(), usize::from(count));
            let skip = skip % (usize::from(more) + 1);
            let enough = &all[skip..skip + usize::from(threshold)];
            prop_assert_eq!(&*combine(enough).ok().unwrap().text(), &*phrase(byte).text());
            let too_few = matches!(refused(&enough[1..]), CombineError::TooFew { .. });
            prop_assert!(too_few);
        }
    }
}
