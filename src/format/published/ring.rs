use crate::crypto::OpenError;
use crate::crypto::derive::enc;
use crate::crypto::domain::ad;
use crate::crypto::keys::BoxSecret;
use crate::crypto::ring::RING_LEN;
use crate::format::published::{Head, Skippable};
use crate::format::wire::{Malformed, Reader};

const WHAT: &str = "ring";

/// The part of a head that opens what was published before its epoch: the secret of the box in the epoch that its feed
/// went on from, sealed under that of its own. In that epoch's heads is the ring of the one before, and so on down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Epoch of the pod that it opens.
    pub epoch: u32,
    /// Epoch of the box.
    pub box_epoch: u32,
    sealed: [u8; RING_LEN],
}

impl Ring {
    /// Seals `before`, the secret in these epochs of pod and box, for who has `now`.
    pub fn seal(now: &BoxSecret, before: &BoxSecret, (epoch, box_epoch): (u32, u32)) -> Self {
        Self {
            epoch,
            box_epoch,
            sealed: now.seal_before(before, &associated(epoch, box_epoch)),
        }
    }

    /// Epochs of pod and box that it opens.
    pub const fn epochs(&self) -> (u32, u32) {
        (self.epoch, self.box_epoch)
    }

    /// The secret of the box in those epochs, for who has the one of the head in which the ring is.
    ///
    /// # Errors
    /// When it was sealed under another one.
    pub fn open(&self, now: &BoxSecret) -> Result<BoxSecret, OpenError> {
        now.open_before(&self.sealed, &associated(self.epoch, self.box_epoch))
    }

    /// Epochs u32, sealed secret 48.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.epoch.to_le_bytes().to_vec();
        out.extend_from_slice(&self.box_epoch.to_le_bytes());
        out.extend_from_slice(&self.sealed);
        out
    }

    /// Reads it.
    ///
    /// # Errors
    /// Another length.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        let ring = Self {
            epoch: reader.u32()?,
            box_epoch: reader.u32()?,
            sealed: reader.array()?,
        };
        reader.end()?;
        Ok(ring)
    }
}

impl Head {
    /// Its ring, if it has one.
    ///
    /// # Errors
    /// When the part is none.
    pub fn ring(&self) -> Result<Option<Ring>, Malformed> {
        let mut parts = self.skippable.iter();
        let part = parts.find(|part| part.kind == Self::RING);
        part.map(|part| Ring::decode(&part.bytes)).transpose()
    }

    /// The same head with this ring in place of what it has.
    #[must_use]
    pub fn with_ring(mut self, ring: &Ring) -> Self {
        self.skippable.retain(|part| part.kind != Self::RING);
        self.skippable.push(Skippable {
            kind: Self::RING,
            bytes: ring.encode().into(),
        });
        self.skippable.sort_unstable_by_key(|part| part.kind);
        self
    }
}

/// `enc("podfs/1/ring", le32 epoch, le32 box epoch)`.
fn associated(epoch: u32, box_epoch: u32) -> Vec<u8> {
    let (epoch, box_epoch) = (epoch.to_le_bytes(), box_epoch.to_le_bytes());
    enc(&[ad::RING, &epoch, &box_epoch])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::keys::PodSecret;

    fn secret(byte: u8) -> BoxSecret {
        PodSecret::restore(Secret::from_bytes(&[byte; 32])).box_secret(0, 0)
    }

    #[test]
    fn a_ring_opens_the_epoch_before_and_no_other_secret_opens_it() {
        let ring = Ring::seal(&secret(2), &secret(1), (7, 3));
        assert_eq!(Ring::decode(&ring.encode()), Ok(ring));
        let opened = ring.open(&secret(2)).unwrap();
        assert_eq!(opened.feed_topic(0), secret(1).feed_topic(0));
        assert!(ring.open(&secret(1)).is_err() && ring.open(&secret(3)).is_err());
        for at in 0..ring.encode().len() {
            let mut changed = ring.encode();
            changed[at] ^= 1;
            assert!(
                Ring::decode(&changed).unwrap().open(&secret(2)).is_err(),
                "{at}"
            );
            assert!(Ring::decode(&changed[..at]).is_err());
        }
    }
}
