//! Rows that tell what is published, and how far it is on its way. They belong to whoever publishes.

use crate::crypto::keys::ScopeId;
use crate::crypto::publish::{REFERENCE_LEN, Reference};
use crate::format::rows::{RunData, Slot, Tag};
use crate::format::wire::{Malformed, Reader};
use crate::types::limits::BUCKET_PAGES;

/// Bytes of a kept page or node in its row: position, slot, write number, tag, reference.
const KEPT_NODE_LEN: usize = 1 + 8 + 8 + 16 + REFERENCE_LEN;

/// Value of an `F` row: what is published of an inode.
#[derive(Clone, PartialEq, Eq)]
pub struct Published {
    /// Number of the publication that it was made for.
    pub publication: u64,
    /// Lineage under whose key it is sealed.
    pub scope: ScopeId,
    /// Bytes of the contents.
    pub size: u64,
    /// The inode; none when the directory entry says it all.
    pub contents: Option<Reference>,
    /// Root of the tree of names of a directory.
    pub directory: Option<Reference>,
    /// Number of the box whose keys it, and all that is kept of it, is sealed with, 0 for the pod's own;
    /// [`Published::MIXED`] for several. Who received it is not told.
    pub number: Option<u32>,
}

/// A page or node of what is published that is kept on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptNode {
    /// Where its sealed page is in the log.
    pub slot: Slot,
    /// Its write number.
    pub number: u64,
    /// Its tag in the log.
    pub tag: Tag,
    /// What it is referred to by.
    pub reference: Reference,
}

/// Value of an `N` row: the kept ones of 32 places, by position, at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptNodes(pub Vec<(u8, KeptNode)>);

/// Value of a `Q` row: how far 32 places are on their way, a bit for each; at least one is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queued {
    /// Not handed to a node yet.
    pub unsent: u32,
    /// A node took it; not seen in the network yet.
    pub sent: u32,
}

impl Published {
    /// What is kept is in part sealed as in another box than the rest.
    pub const MIXED: u32 = u32::MAX;

    /// Bytes of the row: publication u64, scope 16, size u64, two references or holes; number u32, if it is known.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.publication.to_le_bytes().to_vec();
        out.extend_from_slice(&self.scope.0);
        out.extend_from_slice(&self.size.to_le_bytes());
        for slot in [&self.contents, &self.directory] {
            put_slot(&mut out, slot.as_ref());
        }
        out.extend(self.number.iter().flat_map(|number| number.to_le_bytes()));
        out
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "published row");
        let row = Self {
            publication: reader.u64()?,
            scope: ScopeId(reader.array()?),
            size: reader.u64()?,
            contents: Reference::from_bytes(&reader.array()?),
            directory: Reference::from_bytes(&reader.array()?),
            number: (!reader.is_empty()).then(|| reader.u32()).transpose()?,
        };
        reader.end()?;
        Ok(row)
    }
}

impl KeptNode {
    /// Its sealed page, as the log reads it.
    pub fn data(&self) -> RunData {
        RunData {
            slot: self.slot,
            number: self.number,
            shared: false,
            tags: vec![self.tag],
        }
    }
}

impl KeptNodes {
    /// The one at `position`.
    pub fn get(&self, position: u8) -> Option<&KeptNode> {
        let at = self.find(position).ok()?;
        self.0.get(at).map(|(_, node)| node)
    }

    /// The one at `position`, to be changed.
    pub fn get_mut(&mut self, position: u8) -> Option<&mut KeptNode> {
        let at = self.find(position).ok()?;
        self.0.get_mut(at).map(|(_, node)| node)
    }

    /// Puts one, or takes it away; gives the one that was there.
    pub fn set(&mut self, position: u8, node: Option<KeptNode>) -> Option<KeptNode> {
        match (self.find(position), node) {
            (Ok(at), Some(node)) => {
                let place = self.0.get_mut(at)?;
                Some(std::mem::replace(&mut place.1, node))
            }
            (Ok(at), None) => Some(self.0.remove(at).1),
            (Err(at), Some(node)) => {
                self.0.insert(at, (position, node));
                None
            }
            (Err(_), None) => None,
        }
    }

    fn find(&self, position: u8) -> Result<usize, usize> {
        self.0.binary_search_by_key(&position, |(at, _)| *at)
    }

    /// Gives pending slots their place: the record's pages begin at `base`.
    pub fn resolve(&mut self, base: Slot) {
        for (_, node) in &mut self.0 {
            if node.slot.is_pending() {
                node.slot = base.add(node.slot.page);
            }
        }
    }

    /// Bytes of the row, whatever is in it.
    pub fn encoded_len(&self) -> usize {
        self.0.len().saturating_mul(KEPT_NODE_LEN)
    }

    /// Bytes of the row: each position u8, segment u32, page u32, write number u64, tag 16, reference 80.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        for (position, node) in &self.0 {
            out.push(*position);
            out.extend_from_slice(&node.slot.segment.to_le_bytes());
            out.extend_from_slice(&node.slot.page.to_le_bytes());
            out.extend_from_slice(&node.number.to_le_bytes());
            out.extend_from_slice(&node.tag);
            put_slot(&mut out, Some(&node.reference));
        }
        out
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "row of nodes");
        let mut nodes = Vec::new();
        while !reader.is_empty() {
            let position = reader.u8()?;
            let slot = Slot {
                segment: reader.u32()?,
                page: reader.u32()?,
            };
            let node = KeptNode {
                slot,
                number: reader.u64()?,
                tag: reader.array()?,
                reference: Reference::from_bytes(&reader.array()?).ok_or(reader.malformed())?,
            };
            nodes.push((position, node));
        }
        let ordered = nodes.is_sorted_by(|one, other| one.0 < other.0);
        let last = nodes.last().map(|(position, _)| usize::from(*position));
        if ordered && last.is_some_and(|last| last < BUCKET_PAGES) {
            Ok(Self(nodes))
        } else {
            Err(reader.malformed())
        }
    }
}

impl Queued {
    /// Whether nothing is on its way.
    pub const fn is_empty(self) -> bool {
        self.unsent == 0 && self.sent == 0
    }

    /// The positions at which a bit is set.
    pub fn positions(self) -> impl Iterator<Item = u8> {
        let mask = self.unsent | self.sent;
        (0..32).filter(move |at| {
            mask.checked_shr((*at).into())
                .is_some_and(|mask| mask & 1 == 1)
        })
    }

    /// Bytes of the row: two masks u32.
    pub fn encode(self) -> Vec<u8> {
        [self.unsent.to_le_bytes(), self.sent.to_le_bytes()].concat()
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "row of the queue");
        let row = Self {
            unsent: reader.u32()?,
            sent: reader.u32()?,
        };
        let sound = !row.is_empty() && row.unsent & row.sent == 0;
        let malformed = reader.malformed();
        reader.end()?;
        if sound { Ok(row) } else { Err(malformed) }
    }
}

fn put_slot(out: &mut Vec<u8>, slot: Option<&Reference>) {
    match slot {
        Some(reference) => out.extend_from_slice(&*reference.to_bytes()),
        None => out.extend_from_slice(&crate::crypto::publish::HOLE),
    }
}
