use crate::crypto::Secret;
use crate::crypto::entropy::{Entropy, EntropyError, random_secret};
use crate::crypto::keys::{KemX25519Key, KemXwingSeed, PodId, PodSecret, RootKey};
use crate::format::wire::{Malformed, Reader};
use zeroize::Zeroizing;

/// Bytes of an encoded bundle: one page, whatever is in it, with room for what later versions keep.
pub const BUNDLE_LEN: usize = 4096;
const VERSION: u16 = 1;

/// What a device keeps of a pod. With it the pod opens; without the phrase it leads to no later epoch.
pub struct Bundle {
    /// Number of this device in the pod: the upper 16 bits of the inode numbers it makes.
    pub device: u16,
    /// Epoch of the keys below.
    pub epoch: u32,
    /// Counter of the pod under its phrase.
    pub pod: u32,
    /// Id derived from that counter.
    pub pod_id: PodId,
    /// Secret of the pod in this epoch.
    pub pod_secret: PodSecret,
    /// X25519 private key of this epoch.
    pub kem_x25519: KemX25519Key,
    /// X-Wing seed of this epoch.
    pub kem_xwing: KemXwingSeed,
    /// Seed of the signing key that is used from day to day; the identity key vouches for it.
    pub sign_seed: Secret<32>,
    /// Seals what is on this machine only. Random: the phrase does not give it back.
    pub device_secret: Secret<32>,
}

impl Bundle {
    /// Enrols a device: its part of the key tree, and two random secrets of its own.
    pub fn enrol(
        root: &RootKey,
        pod: u32,
        epoch: u32,
        device: u16,
        entropy: &mut Entropy<'_>,
    ) -> Result<Self, EntropyError> {
        let pod_id = root.pod_id(pod);
        Ok(Self {
            device,
            epoch,
            pod,
            pod_id,
            pod_secret: root.pod(&pod_id, epoch),
            kem_x25519: root.kem_x25519(epoch),
            kem_xwing: root.kem_xwing(epoch),
            sign_seed: random_secret(entropy)?,
            device_secret: random_secret(entropy)?,
        })
    }

    /// The bytes, zeros behind. `spare` more bytes fit without moving them.
    pub fn encode(&self, spare: usize) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(BUNDLE_LEN.saturating_add(spare)));
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.device.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.pod.to_le_bytes());
        out.extend_from_slice(&self.pod_id.0);
        out.extend_from_slice(self.pod_secret.secret().expose());
        out.extend_from_slice(self.kem_x25519.secret().expose());
        out.extend_from_slice(self.kem_xwing.secret().expose());
        out.extend_from_slice(self.sign_seed.expose());
        out.extend_from_slice(self.device_secret.expose());
        out.resize(BUNDLE_LEN, 0);
        out
    }

    /// Reads what [`Bundle::encode`] wrote.
    ///
    /// # Errors
    /// Another length, another version, or anything but zeros behind.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "bundle");
        if bytes.len() != BUNDLE_LEN || reader.u16()? != VERSION {
            return Err(reader.malformed());
        }
        let bundle = Self {
            device: reader.u16()?,
            epoch: reader.u32()?,
            pod: reader.u32()?,
            pod_id: PodId(reader.array()?),
            pod_secret: PodSecret::restore(secret(&mut reader)?),
            kem_x25519: KemX25519Key::restore(secret(&mut reader)?),
            kem_xwing: KemXwingSeed::restore(secret(&mut reader)?),
            sign_seed: secret(&mut reader)?,
            device_secret: secret(&mut reader)?,
        };
        if reader.rest().iter().any(|byte| *byte != 0) {
            return Err(reader.malformed());
        }
        Ok(bundle)
    }
}

fn secret(reader: &mut Reader<'_>) -> Result<Secret<32>, Malformed> {
    let bytes = reader.bytes(32)?;
    Secret::from_slice(bytes).ok_or_else(|| reader.malformed())
}
