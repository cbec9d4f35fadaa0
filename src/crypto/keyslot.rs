//! What locks a keyfile: a file key, wrapped once for each way to open it.
//!
//! AES-GCM-SIV alone does not commit to its key: one could build bytes that open under two. So each wrapped key
//! carries a commitment, compared in constant time before anything is decrypted.

use crate::crypto::derive::{enc, kdf_fields, prf, prf_fields};
use crate::crypto::domain::{Domain, Prefix, ad};
use crate::crypto::entropy::{Entropy, EntropyError, random_bytes, random_secret};
use crate::crypto::keys::RecoveryKey;
use crate::crypto::passphrase::{Cost, StretchError, stretch};
use crate::crypto::seal::{BoxKey, OpenError, open_box, seal_box};
use crate::crypto::secret::Secret;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of a wrapped key as it is written: nonce 12, commitment 32, sealed key 32, tag 16.
pub const WRAPPED_LEN: usize = 12 + 32 + SEALED_LEN;
const SEALED_LEN: usize = 32 + 16;

/// Key-encrypting key: what a passphrase, a recovery phrase or the answer of a token turns into.
pub struct Kek(Secret<32>);

/// The random key of one keyfile. It seals the bundle and authenticates the file.
pub struct FileKey(Secret<32>);

/// A file key under a [`Kek`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// Random, new at each wrapping.
    pub nonce: [u8; 12],
    /// Binds nonce, header and tag to the key.
    pub commitment: [u8; 32],
    /// The sealed file key and its tag.
    pub sealed: [u8; SEALED_LEN],
}

impl Kek {
    /// `KDF[keyfile-kek](enc("passphrase", Argon2id(passphrase, salt)))`.
    pub fn from_passphrase(
        passphrase: &[u8],
        salt: &[u8; 32],
        cost: &Cost,
    ) -> Result<Self, StretchError> {
        let stretched = stretch(passphrase, salt, cost)?;
        Ok(Self(kdf_fields(
            Domain::KeyfileKek,
            &[b"passphrase", stretched.expose()],
        )))
    }

    /// The recovery key itself, which is derived for this purpose and no other.
    pub fn from_recovery(recovery: &RecoveryKey) -> Self {
        Self(Secret::from_bytes(recovery.secret().expose()))
    }

    /// `KDF[keyfile-kek](enc("token", answer))`: the answer of a token to the challenge of its slot.
    pub fn from_token(answer: &Secret<32>) -> Self {
        Self(kdf_fields(Domain::KeyfileKek, &[b"token", answer.expose()]))
    }

    /// Wraps `key` for a slot with this header.
    pub fn wrap(
        &self,
        key: &FileKey,
        header: &[u8],
        entropy: &mut Entropy<'_>,
    ) -> Result<WrappedKey, EntropyError> {
        let nonce = random_bytes(entropy)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(SEALED_LEN));
        bytes.extend_from_slice(key.0.expose());
        let ad = enc(&[ad::SLOT, header]);
        seal_box(&self.sealing_key(), nonce, &ad, &mut bytes);
        let mut sealed = [0; SEALED_LEN];
        for (to, from) in sealed.iter_mut().zip(bytes.iter()) {
            *to = *from;
        }
        Ok(WrappedKey {
            nonce,
            commitment: self.commitment(&nonce, &ad, &sealed),
            sealed,
        })
    }

    /// Takes the file key out of a slot with this header.
    ///
    /// # Errors
    /// [`OpenError`] for another key, another header or changed bytes.
    pub fn unwrap(&self, wrapped: &WrappedKey, header: &[u8]) -> Result<FileKey, OpenError> {
        let ad = enc(&[ad::SLOT, header]);
        let commitment = self.commitment(&wrapped.nonce, &ad, &wrapped.sealed);
        if !bool::from(commitment.ct_eq(&wrapped.commitment)) {
            return Err(OpenError);
        }
        let mut bytes = Zeroizing::new(wrapped.sealed.to_vec());
        open_box(&self.sealing_key(), wrapped.nonce, &ad, &mut bytes)?;
        Secret::from_slice(&bytes).map(FileKey).ok_or(OpenError)
    }

    fn sealing_key(&self) -> BoxKey {
        BoxKey::new(kdf_fields(Domain::KeyfileSlot, &[self.0.expose(), b"wrap"]))
    }

    /// `PRF(KDF[keyfile-slot](enc(KEK, "commit")), 'C' ‖ enc(nonce, BLAKE3(associated data), tag))`.
    fn commitment(&self, nonce: &[u8; 12], ad: &[u8], sealed: &[u8; SEALED_LEN]) -> [u8; 32] {
        let key = kdf_fields(Domain::KeyfileSlot, &[self.0.expose(), b"commit"]);
        let (_, tag) = sealed.split_at(32);
        let ad = blake3::hash(ad);
        let fields = [nonce, ad.as_bytes().as_slice(), tag];
        *prf_fields(&key, Prefix::Commitment, &fields).expose()
    }
}

impl FileKey {
    /// A new one.
    pub fn generate(entropy: &mut Entropy<'_>) -> Result<Self, EntropyError> {
        random_secret(entropy).map(Self)
    }

    /// Seals the bundle: `KDF[keyfile-slot](enc(file key, "bundle"))`.
    pub fn bundle_key(&self) -> BoxKey {
        BoxKey::new(kdf_fields(
            Domain::KeyfileSlot,
            &[self.0.expose(), b"bundle"],
        ))
    }

    /// Authenticates all bytes of the file before the code itself:
    /// `PRF(KDF[keyfile-slot](enc(file key, "mac")), 'C' ‖ bytes)`.
    pub fn authenticate(&self, bytes: &[u8]) -> [u8; 32] {
        let key = kdf_fields(Domain::KeyfileSlot, &[self.0.expose(), b"mac"]);
        *prf(&key, Prefix::Commitment, bytes).expose()
    }

    /// Whether `code` is that of `bytes`, in constant time.
    pub fn verify(&self, bytes: &[u8], code: &[u8; 32]) -> bool {
        self.authenticate(bytes).ct_eq(code).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes_gcm_siv::{AeadInOut, Aes256GcmSiv, KeyInit};

    fn kek(byte: u8) -> Kek {
        Kek(Secret::from_bytes(&[byte; 32]))
    }

    fn wrapped() -> WrappedKey {
        let key = FileKey(Secret::from_bytes(&[9; 32]));
        kek(1)
            .wrap(&key, b"header", &mut |bytes| {
                bytes.fill(3);
                Ok(())
            })
            .unwrap()
    }

    #[test]
    fn comes_back_only_under_its_key_and_header() {
        let key = kek(1).unwrap(&wrapped(), b"header").ok().unwrap();
        assert_eq!(key.0.expose(), &[9; 32]);
        assert!(kek(2).unwrap(&wrapped(), b"header").is_err());
        assert!(kek(1).unwrap(&wrapped(), b"Header").is_err());
    }

    /// Bytes that open, but whose commitment is another key's: what a forger of a two-key ciphertext would have.
    #[test]
    fn the_commitment_decides_even_when_the_cipher_would_open() {
        let mut forged = wrapped();
        forged.commitment = {
            let ad = enc(&[ad::SLOT, b"header"]);
            kek(2).commitment(&forged.nonce, &ad, &forged.sealed)
        };
        let raw = kdf_fields(Domain::KeyfileSlot, &[&[1; 32], b"wrap"]);
        let (key, tag) = forged.sealed.split_at(32);
        let mut key = key.to_vec();
        Aes256GcmSiv::new(raw.expose().into())
            .decrypt_inout_detached(
                &forged.nonce.into(),
                &enc(&[ad::SLOT, b"header"]),
                key.as_mut_slice().into(),
                tag.try_into().unwrap(),
            )
            .unwrap();
        assert!(kek(1).unwrap(&forged, b"header").is_err());
        assert!(kek(2).unwrap(&forged, b"header").is_err());
    }
}
