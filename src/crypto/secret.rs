//! Secret bytes: wiped when dropped, never printed, never copied by accident.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// `N` secret bytes.
///
/// They live on the heap, so that moving a `Secret` moves a pointer and leaves no copy behind on the stack, and
/// they are overwritten when dropped. There is deliberately no `Debug`, `Clone`, `Copy`, `PartialEq` or
/// serialization: a secret cannot slip into a log, and every comparison is [`Secret::eq_ct`].
pub struct Secret<const N: usize>(Box<Zeroizing<[u8; N]>>);

impl<const N: usize> Secret<N> {
    /// `N` zero bytes, to be filled in place.
    fn zeroed() -> Self {
        Self(Box::new(Zeroizing::new([0; N])))
    }

    /// Lets `fill` write the bytes straight into their final place.
    pub fn fill_with(fill: impl FnOnce(&mut [u8; N])) -> Self {
        let mut secret = Self::zeroed();
        fill(&mut secret.0);
        secret
    }

    /// Like [`Secret::fill_with`] for a source that may fail, such as the random generator of the system.
    ///
    /// # Errors
    /// Whatever `fill` returns; what it had written is wiped.
    pub fn try_fill_with<E>(fill: impl FnOnce(&mut [u8; N]) -> Result<(), E>) -> Result<Self, E> {
        let mut secret = Self::zeroed();
        fill(&mut secret.0)?;
        Ok(secret)
    }

    /// Copies `bytes` in. Wiping the source is the caller's duty.
    pub fn from_bytes(bytes: &[u8; N]) -> Self {
        Self::fill_with(|own| own.copy_from_slice(bytes))
    }

    /// Copies `bytes` in when there are exactly `N` of them.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes
            .first_chunk()
            .filter(|_| bytes.len() == N)
            .map(Self::from_bytes)
    }

    /// The bytes, for handing them to a primitive.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// Whether both hold the same bytes, in a time that does not depend on them.
    pub fn eq_ct(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_and_compares() {
        let one = Secret::from_bytes(&[7; 32]);
        assert_eq!(one.expose(), &[7; 32]);
        assert!(one.eq_ct(&Secret::from_bytes(&[7; 32])));
        let mut other = [7; 32];
        other[31] ^= 1;
        assert!(!one.eq_ct(&Secret::from_bytes(&other)));
    }

    #[test]
    fn takes_only_the_exact_length() {
        assert!(Secret::<32>::from_slice(&[1; 31]).is_none());
        assert!(Secret::<32>::from_slice(&[1; 33]).is_none());
        assert!(Secret::<32>::from_slice(&[1; 32]).is_some());
    }

    #[test]
    fn a_failed_fill_gives_no_secret() {
        let failed: Result<Secret<4>, &str> = Secret::try_fill_with(|bytes| {
            bytes[0] = 1;
            Err("no entropy")
        });
        assert!(matches!(failed, Err("no entropy")));
    }
}
