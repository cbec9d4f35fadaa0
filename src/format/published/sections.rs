//! The parts of a head that have a type and a length.

use crate::crypto::publish::Reference;
use crate::format::published::attributes::Attributes;
use crate::format::published::reference::{put_slot, take_slot};
use crate::format::wire::{Malformed, Reader};
use crate::types::limits::HEAD_SKIPPABLE_MAX;

const WHAT: &str = "part of a head";

/// Types below this one must be known by a reader; the others may be skipped.
const SKIPPABLE: u8 = 128;

/// The top directory.
#[derive(Clone, PartialEq, Eq)]
pub struct Root {
    /// Its attributes; the entry that it has in no directory.
    pub attributes: Attributes,
    /// Parity of the root of its tree of names, alone in its group; none when there is no tree or no parity.
    pub parity: Option<Reference>,
}

/// The head of another feed that this one goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Epoch of the pod.
    pub epoch: u32,
    /// Epoch of the box.
    pub box_epoch: u32,
    /// Device whose feed it is.
    pub device: u16,
    /// Index in that feed.
    pub index: u64,
    /// BLAKE3 of its sealed payload.
    pub hash: [u8; 32],
}

/// What a batch pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchUse {
    /// Everything.
    All,
    /// Pages of files.
    Pages,
    /// Nodes and heads.
    Nodes,
    /// Nothing new any more.
    Past,
}

/// A postage batch that chunks of this box were stamped with: what has to be paid on, and what to look at first when
/// chunks are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its id.
    pub id: [u8; 32],
    /// What it pays for.
    pub pays: BatchUse,
    /// Its depth.
    pub depth: u8,
    /// Forecast of its end, seconds since 1970, made when the head was.
    pub expires: i64,
}

/// A part that a reader who does not know its type passes over. It may hold names or keys: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Skippable {
    /// Its type, 128 or above.
    pub kind: u8,
    /// Its bytes.
    pub bytes: Box<[u8]>,
}

impl Root {
    /// Attributes, parity or a hole.
    pub(super) fn encode(&self) -> Result<Vec<u8>, Malformed> {
        self.check()?;
        let mut out = self.attributes.encode()?;
        put_slot(&mut out, self.parity.as_ref());
        Ok(out)
    }

    /// Reads them.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        let root = Self {
            attributes: Attributes::take(&mut reader)?,
            parity: take_slot(&mut reader)?,
        };
        reader.end()?;
        root.check()?;
        Ok(root)
    }

    fn check(&self) -> Result<(), Malformed> {
        let of_nothing = self.parity.is_some() && self.attributes.directory.is_none();
        let attributes = &self.attributes;
        if attributes.is_dir() && attributes.attached.is_none() && !of_nothing {
            Ok(())
        } else {
            Err(Malformed(WHAT))
        }
    }
}

impl Adopted {
    /// Epochs u32, device u16, index u64, hash 32.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.epoch.to_le_bytes().to_vec();
        out.extend_from_slice(&self.box_epoch.to_le_bytes());
        out.extend_from_slice(&self.device.to_le_bytes());
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&self.hash);
        out
    }

    /// Reads it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        let adopted = Self {
            epoch: reader.u32()?,
            box_epoch: reader.u32()?,
            device: reader.u16()?,
            index: reader.u64()?,
            hash: reader.array()?,
        };
        reader.end()?;
        Ok(adopted)
    }
}

impl BatchUse {
    const ALL: [Self; 4] = [Self::All, Self::Pages, Self::Nodes, Self::Past];

    const fn byte(self) -> u8 {
        match self {
            Self::All => 0,
            Self::Pages => 1,
            Self::Nodes => 2,
            Self::Past => 3,
        }
    }
}

/// Per batch: id 32, use u8, depth u8, end i64; in ascending order of ids.
pub(super) fn encode_batches(batches: &[Batch]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    for batch in batches {
        out.extend_from_slice(&batch.id);
        out.extend_from_slice(&[batch.pays.byte(), batch.depth]);
        out.extend_from_slice(&batch.expires.to_le_bytes());
    }
    out
}

/// Reads them.
pub(super) fn decode_batches(bytes: &[u8]) -> Result<Vec<Batch>, Malformed> {
    let mut reader = Reader::new(bytes, WHAT);
    let mut batches = Vec::new();
    while !reader.is_empty() {
        let id = reader.array()?;
        let [pays, depth]: [u8; 2] = reader.array()?;
        let pays = BatchUse::ALL.into_iter().find(|used| used.byte() == pays);
        batches.push(Batch {
            id,
            pays: pays.ok_or(reader.malformed())?,
            depth,
            expires: reader.i64()?,
        });
    }
    Ok(batches)
}

impl Skippable {
    /// Whether a reader may pass over parts of this type.
    pub(super) const fn may(kind: u8) -> bool {
        kind >= SKIPPABLE
    }

    /// Whether it is one.
    pub(super) fn check(&self) -> bool {
        Self::may(self.kind) && self.bytes.len() <= HEAD_SKIPPABLE_MAX
    }
}
