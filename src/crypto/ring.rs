//! Rings: who has the secret of a box in one epoch has it in the epochs before, and in none behind.

use zeroize::Zeroizing;

use crate::crypto::derive::kdf;
use crate::crypto::domain::Domain;
use crate::crypto::keys::BoxSecret;
use crate::crypto::seal::{BOX_OVERHEAD, BoxKey, OpenError, open_box, seal_box};
use crate::crypto::secret::Secret;

/// Bytes of a sealed secret of a box.
pub const RING_LEN: usize = 32 + BOX_OVERHEAD;

impl BoxSecret {
    /// Seals the secret `before` of the same box in an epoch before, for who has this one. `ad` says which epoch. The key
    /// seals nothing else, so its nonce is zero.
    pub fn seal_before(&self, before: &Self, ad: &[u8]) -> [u8; RING_LEN] {
        let mut bytes = Vec::with_capacity(RING_LEN);
        bytes.extend_from_slice(before.secret().expose());
        seal_box(&self.ring_key(), [0; 12], ad, &mut bytes);
        let mut sealed = [0; RING_LEN];
        for (to, from) in sealed.iter_mut().zip(bytes) {
            *to = from;
        }
        sealed
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`OpenError`] when it was sealed under another secret, or for another epoch.
    pub fn open_before(&self, sealed: &[u8; RING_LEN], ad: &[u8]) -> Result<Self, OpenError> {
        let mut bytes = Zeroizing::new(sealed.to_vec());
        open_box(&self.ring_key(), [0; 12], ad, &mut bytes)?;
        Secret::from_slice(&bytes)
            .map(Self::restore)
            .ok_or(OpenError)
    }

    fn ring_key(&self) -> BoxKey {
        BoxKey::new(kdf(Domain::GroupRing, self.secret().expose()))
    }
}
