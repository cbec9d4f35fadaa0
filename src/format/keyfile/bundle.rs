use crate::crypto::Secret;
use crate::crypto::entropy::{Entropy, EntropyError, random_secret};
use crate::crypto::keys::{KemX25519Key, KemXwingSeed, PodId, PodSecret, RootKey};
use crate::format::card::SIGNED_CARD_LEN;
use crate::format::wire::{Malformed, Reader};
use zeroize::Zeroizing;

/// Bytes of an encoded bundle: one page, whatever is in it, with room for what later versions keep.
pub const BUNDLE_LEN: usize = 4096;
const VERSION: u16 = 1;
/// With what is behind the device secret.
const REPLACED_VERSION: u16 = 2;
const CARD: u8 = 1;
const LEAKED: u8 = 2;

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
    /// What these keys took the place of; nothing when they are the first of this device.
    pub replaced: Option<Replaced>,
}

/// What has to be known to begin an epoch, whenever that is gone on with.
pub struct Replaced {
    /// Secret of the pod in the epoch before.
    pub pod_secret: PodSecret,
    /// The card that names the new keys, if the pod had one.
    pub card: Option<Box<[u8; SIGNED_CARD_LEN]>>,
    /// Whether somebody else may have the keys of the epoch before.
    pub leaked: bool,
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
            replaced: None,
        })
    }

    /// The keys of the next epoch for the same device, from the phrase of `root`: that of the pod, or of its successor.
    /// Nothing that comes from the phrase alone, or was random in the epoch before, leads there; the device secret stays,
    /// for what is on this machine is sealed with it.
    ///
    /// # Errors
    /// When there is no randomness, or no further epoch.
    pub fn next(
        &self,
        root: &RootKey,
        leaked: bool,
        entropy: &mut Entropy<'_>,
    ) -> Result<Self, EntropyError> {
        let epoch = self.epoch.checked_add(1).ok_or(EntropyError)?;
        let pod_id = root.pod_id(self.pod);
        let copy = |secret: &Secret<32>| Secret::from_bytes(secret.expose());
        Ok(Self {
            device: self.device,
            epoch,
            pod: self.pod,
            pod_id,
            pod_secret: root.pod(&pod_id, epoch),
            kem_x25519: root.kem_x25519(epoch),
            kem_xwing: root.kem_xwing(epoch),
            sign_seed: random_secret(entropy)?,
            device_secret: copy(&self.device_secret),
            replaced: Some(Replaced {
                pod_secret: PodSecret::restore(copy(self.pod_secret.secret())),
                card: None,
                leaked,
            }),
        })
    }

    /// The bytes, zeros behind. `spare` more bytes fit without moving them.
    pub fn encode(&self, spare: usize) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(BUNDLE_LEN.saturating_add(spare)));
        let version = if self.replaced.is_some() {
            REPLACED_VERSION
        } else {
            VERSION
        };
        out.extend_from_slice(&version.to_le_bytes());
        out.extend_from_slice(&self.device.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.pod.to_le_bytes());
        out.extend_from_slice(&self.pod_id.0);
        out.extend_from_slice(self.pod_secret.secret().expose());
        out.extend_from_slice(self.kem_x25519.secret().expose());
        out.extend_from_slice(self.kem_xwing.secret().expose());
        out.extend_from_slice(self.sign_seed.expose());
        out.extend_from_slice(self.device_secret.expose());
        if let Some(replaced) = &self.replaced {
            replaced.put(&mut out);
        }
        out.resize(BUNDLE_LEN, 0);
        out
    }

    /// Reads what [`Bundle::encode`] wrote.
    ///
    /// # Errors
    /// Another length, another version, or anything but zeros behind.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "bundle");
        let version = reader.u16()?;
        if bytes.len() != BUNDLE_LEN || !matches!(version, VERSION | REPLACED_VERSION) {
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
            replaced: if version == REPLACED_VERSION {
                Some(Replaced::take(&mut reader)?)
            } else {
                None
            },
        };
        let is_first = bundle.replaced.is_some() && bundle.epoch == 0;
        if is_first || reader.rest().iter().any(|byte| *byte != 0) {
            return Err(Malformed("bundle"));
        }
        Ok(bundle)
    }
}

impl Replaced {
    /// Secret 32, flags u8 (1 a card, 2 leaked), card 1544 where there is one.
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.pod_secret.secret().expose());
        let card = if self.card.is_some() { CARD } else { 0 };
        out.push(card | if self.leaked { LEAKED } else { 0 });
        out.extend(self.card.iter().flat_map(|card| card.iter()));
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let pod_secret = PodSecret::restore(secret(reader)?);
        let flags = reader.u8()?;
        if flags & !(CARD | LEAKED) != 0 {
            return Err(reader.malformed());
        }
        let card = (flags & CARD != 0).then(|| reader.array().map(Box::new));
        Ok(Self {
            pod_secret,
            card: card.transpose()?,
            leaked: flags & LEAKED != 0,
        })
    }
}

fn secret(reader: &mut Reader<'_>) -> Result<Secret<32>, Malformed> {
    let bytes = reader.bytes(32)?;
    Secret::from_slice(bytes).ok_or_else(|| reader.malformed())
}
