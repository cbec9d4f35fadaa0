//! Randomness comes in as a parameter: this room has none of its own.

use crate::crypto::secret::Secret;

/// Fills a buffer with random bytes fit for keys.
pub type Entropy<'a> = dyn FnMut(&mut [u8]) -> Result<(), EntropyError> + 'a;

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct EntropyError;

/// `N` random secret bytes.
pub fn random_secret<const N: usize>(entropy: &mut Entropy<'_>) -> Result<Secret<N>, EntropyError> {
    Secret::try_fill_with(|bytes| entropy(bytes))
}

/// `N` random bytes that need not stay secret, such as a salt or a nonce.
pub fn random_bytes<const N: usize>(entropy: &mut Entropy<'_>) -> Result<[u8; N], EntropyError> {
    let mut bytes = [0; N];
    entropy(&mut bytes)?;
    Ok(bytes)
}
