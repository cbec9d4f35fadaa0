//! Rows about heads: the newest one of this device's own feed, and those that were seen of others.

use crate::format::wire::{Malformed, Reader};
use crate::types::limits::PAGE;

/// How far the newest head of our feed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeadState {
    /// Made, and not known to be anywhere else: exactly these bytes are sent, however often.
    Made,
    /// A node took it.
    Sent,
    /// Seen in the network.
    Confirmed,
}

/// Value of the `H` row 0: the newest head of this device's own feed, written before it is sent for the first time.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnHead {
    /// Number of the publication that it ends.
    pub publication: u64,
    /// Number of the newest publication that the network was seen to hold whole.
    pub confirmed: u64,
    /// Its index in the feed.
    pub index: u64,
    /// How far it is.
    pub state: HeadState,
    /// The sealed payload, the same under both topics.
    pub payload: Box<[u8; PAGE]>,
}

/// A head that was seen: its feed is never again believed to be at a lower index, or to have another payload there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenHead {
    /// Epoch of the pod.
    pub epoch: u32,
    /// Epoch of the box.
    pub box_epoch: u32,
    /// Device whose feed it is.
    pub device: u16,
    /// Index in the feed.
    pub index: u64,
    /// BLAKE3 of its sealed payload.
    pub hash: [u8; 32],
}

/// Value of the `H` row 1: one for each feed, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenHeads(pub Vec<SeenHead>);

impl OwnHead {
    /// Bytes of the row: publication u64, confirmed u64, index u64, state u8, payload 4096.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.publication.to_le_bytes().to_vec();
        out.extend_from_slice(&self.confirmed.to_le_bytes());
        out.extend_from_slice(&self.index.to_le_bytes());
        out.push(match self.state {
            HeadState::Made => 0,
            HeadState::Sent => 1,
            HeadState::Confirmed => 2,
        });
        out.extend_from_slice(self.payload.as_slice());
        out
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "row of the own head");
        let head = Self {
            publication: reader.u64()?,
            confirmed: reader.u64()?,
            index: reader.u64()?,
            state: match reader.u8()? {
                0 => HeadState::Made,
                1 => HeadState::Sent,
                2 => HeadState::Confirmed,
                _ => return Err(reader.malformed()),
            },
            payload: Box::new(reader.array()?),
        };
        reader.end()?;
        Ok(head)
    }
}

impl SeenHeads {
    /// Bytes of the row: each epoch u32, epoch of the box u32, device u16, index u64, hash 32.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len().saturating_mul(50));
        for head in &self.0 {
            out.extend_from_slice(&head.epoch.to_le_bytes());
            out.extend_from_slice(&head.box_epoch.to_le_bytes());
            out.extend_from_slice(&head.device.to_le_bytes());
            out.extend_from_slice(&head.index.to_le_bytes());
            out.extend_from_slice(&head.hash);
        }
        out
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "row of seen heads");
        let mut heads = Vec::new();
        while !reader.is_empty() {
            heads.push(SeenHead {
                epoch: reader.u32()?,
                box_epoch: reader.u32()?,
                device: reader.u16()?,
                index: reader.u64()?,
                hash: reader.array()?,
            });
        }
        let feed = |head: &SeenHead| (head.epoch, head.box_epoch, head.device);
        if heads.is_sorted_by(|one, other| feed(one) < feed(other)) {
            Ok(Self(heads))
        } else {
            Err(reader.malformed())
        }
    }
}
