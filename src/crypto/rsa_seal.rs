//! Sealing a secret to an RSA key. The half that opens it is kept by a token: no private key of RSA is ever handled here.

use std::ops::RangeInclusive;

use rand_core::{TryCryptoRng, TryRng};
use rsa::{BoxedUint, PublicKey};
use sha2::Sha256;

use crate::crypto::entropy::{Entropy, EntropyError};
use crate::crypto::secret::Secret;

/// Bytes of a modulus, and so of what is sealed to it: RSA-2048 to RSA-4096.
pub const RSA_LEN: RangeInclusive<usize> = 256..=512;
const RSA_BITS: RangeInclusive<usize> = 2048..=4096;

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RsaSealError {
    /// These numbers are no RSA key of 2048 to 4096 bits.
    #[error("no RSA key of 2048 to 4096 bits")]
    Key,
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// RSA-OAEP (RFC 8017) of `secret`: SHA-256, MGF1 with SHA-256, no label. As long as the modulus. Both numbers are
/// big-endian.
///
/// # Errors
/// [`RsaSealError`].
pub fn seal_to_rsa(
    modulus: &[u8],
    exponent: &[u8],
    secret: &Secret<32>,
    entropy: &mut Entropy<'_>,
) -> Result<Vec<u8>, RsaSealError> {
    let [modulus, exponent] = [modulus, exponent].map(BoxedUint::from_be_slice_vartime);
    let key = PublicKey::new_with_size_limits(modulus, exponent, RSA_BITS);
    let key = key.map_err(|_| RsaSealError::Key)?;
    let mut drawn = Drawn {
        entropy,
        failed: None,
    };
    let sealed = key.oaep_encrypt_with_rng::<Sha256, _>(&mut drawn, secret.expose());
    let refusal = drawn
        .failed
        .map_or(RsaSealError::Key, RsaSealError::Entropy);
    sealed.map_err(|_| refusal)
}

/// Our source of randomness, as the library takes it; it does not say itself that the source failed.
struct Drawn<'a, 'e> {
    entropy: &'a mut Entropy<'e>,
    failed: Option<EntropyError>,
}

impl Drawn<'_, '_> {
    fn word<const N: usize>(&mut self) -> Result<[u8; N], EntropyError> {
        let mut word = [0; N];
        self.try_fill_bytes(&mut word).map(|()| word)
    }
}

impl TryRng for Drawn<'_, '_> {
    type Error = EntropyError;

    fn try_next_u32(&mut self) -> Result<u32, EntropyError> {
        self.word().map(u32::from_le_bytes)
    }

    fn try_next_u64(&mut self) -> Result<u64, EntropyError> {
        self.word().map(u64::from_le_bytes)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        (self.entropy)(out).inspect_err(|error| self.failed = Some(*error))
    }
}

impl TryCryptoRng for Drawn<'_, '_> {}

/// The key of the golden files, which everybody has.
#[cfg(test)]
pub(crate) mod example {
    use rsa::traits::PublicKeyParts;
    use rsa::{BoxedUint, PrivateKey};

    /// Both halves.
    pub(crate) fn key() -> PrivateKey {
        let primes = include_str!("../../tests/golden/v1/rsa-key.txt");
        let primes: Vec<BoxedUint> = primes
            .lines()
            .map(|line| BoxedUint::from_be_slice_vartime(&hex::decode(line).unwrap()))
            .collect();
        PrivateKey::from_primes(primes, BoxedUint::from(65537_u32)).unwrap()
    }

    /// Modulus and exponent, big-endian.
    pub(crate) fn public() -> [Vec<u8>; 2] {
        let key = key();
        [key.n_bytes().to_vec(), key.e_bytes().to_vec()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::Sha256;

    fn sealed(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, RsaSealError> {
        let secret = Secret::from_bytes(&[7; 32]);
        let mut count = 0;
        let mut entropy = |bytes: &mut [u8]| {
            count += 1;
            bytes.fill(count);
            Ok(())
        };
        seal_to_rsa(modulus, exponent, &secret, &mut entropy)
    }

    #[test]
    fn the_other_half_opens_what_was_sealed() {
        let [modulus, exponent] = example::public();
        let mut bytes = sealed(&modulus, &exponent).unwrap();
        assert_eq!(bytes.len(), 256);
        let key = example::key();
        assert_eq!(key.oaep_decrypt::<Sha256>(&bytes).unwrap(), [7; 32]);
        bytes[100] ^= 1;
        assert!(key.oaep_decrypt::<Sha256>(&bytes).is_err());
        // As some tokens write numbers: with a zero in front.
        let signed = [&[0], modulus.as_slice()].concat();
        assert_eq!(sealed(&signed, &exponent).unwrap().len(), 256);
    }

    #[test]
    fn what_is_no_key_or_a_weak_one_is_refused() {
        let [modulus, exponent] = example::public();
        let mut even = modulus.clone();
        even[255] &= 0xfe;
        let long = [modulus.as_slice(), &modulus, &[1]].concat();
        for (modulus, exponent) in [
            (modulus.get(1..).unwrap(), exponent.as_slice()),
            (&long, &exponent),
            (&even, &exponent),
            (&modulus, &[1]),
            (&modulus, &[2]),
            (&modulus, &[]),
            (&[], &exponent),
        ] {
            assert_eq!(sealed(modulus, exponent), Err(RsaSealError::Key));
        }
        let secret = Secret::from_bytes(&[7; 32]);
        let refused = seal_to_rsa(&modulus, &exponent, &secret, &mut |_| Err(EntropyError));
        assert_eq!(refused, Err(RsaSealError::Entropy(EntropyError)));
    }
}
