//! The 16 bytes at the head of every node, and the zeros at its end.

use crate::crypto::Secret;
use crate::format::wire::{Malformed, Reader};
use crate::types::limits::PAGE;
use zeroize::Zeroizing;

/// One node, plain.
pub type Page = [u8; PAGE];

/// The only version there is.
const VERSION: u8 = 1;

/// What a node is. Who points to it knows; the byte is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// References to pages of a file, or to other such nodes.
    Tree,
    /// Contents and extended attributes of a file.
    Inode,
    /// Entries of a directory.
    Leaf,
    /// References to leaves, or to other such nodes.
    Inner,
    /// Extended attributes that found no room in their inode.
    Attributes,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Tree => 1,
            Self::Inode => 2,
            Self::Leaf => 3,
            Self::Inner => 4,
            Self::Attributes => 5,
        }
    }

    /// How errors call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tree => "file node",
            Self::Inode => "inode",
            Self::Leaf => "directory leaf",
            Self::Inner => "directory node",
            Self::Attributes => "attribute node",
        }
    }
}

/// Header of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Levels of nodes between this one and the pages or leaves below; an inode counts from its own references.
    pub(super) level: u8,
    /// Children that share one parity reference; 0: there is none.
    pub(super) group: u8,
    /// Children, or entries.
    pub(super) count: u16,
    /// Bytes of the part of variable length.
    pub(super) length: u16,
    /// Pages covered, bytes of the file, or names below: as the kind says.
    pub(super) value: u64,
}

impl Header {
    /// Begins a node: version, kind, level, group u8; count, length u16; value u64.
    pub(super) fn begin(self, kind: Kind) -> Vec<u8> {
        let mut out = Vec::with_capacity(PAGE);
        out.extend_from_slice(&[VERSION, kind.byte(), self.level, self.group]);
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.value.to_le_bytes());
        out
    }

    /// Reads the header of a node that must be of `kind`; the reader stands behind it.
    pub(super) fn open(bytes: &[u8], kind: Kind) -> Result<(Self, Reader<'_>), Malformed> {
        let mut reader = Reader::new(bytes, kind.name());
        if bytes.len() != PAGE || reader.u8()? != VERSION || reader.u8()? != kind.byte() {
            return Err(reader.malformed());
        }
        let header = Self {
            level: reader.u8()?,
            group: reader.u8()?,
            count: reader.u16()?,
            length: reader.u16()?,
            value: reader.u64()?,
        };
        Ok((header, reader))
    }
}

/// Fills a node up with zeros; refuses what does not fit. A node holds keys, so it is wiped when dropped.
pub(super) fn finish(out: Vec<u8>, what: &'static str) -> Result<Secret<PAGE>, Malformed> {
    let out = Zeroizing::new(out);
    Secret::try_fill_with(|page| {
        let filled = page.get_mut(..out.len()).ok_or(Malformed(what))?;
        filled.copy_from_slice(&out);
        Ok(())
    })
}

/// Insists that only zeros are left.
pub(super) fn zeros(mut reader: Reader<'_>) -> Result<(), Malformed> {
    if reader.rest().iter().all(|byte| *byte == 0) {
        Ok(())
    } else {
        Err(reader.malformed())
    }
}
