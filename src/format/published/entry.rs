use crate::crypto::publish::Reference;
use crate::format::published::attributes::Attributes;
use crate::format::wire::{Malformed, Reader};
use crate::types::Name;

/// One name in a directory with all that is known of what it names: what a grant of a single file carries.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: Name,
    /// What it names.
    pub attributes: Attributes,
}

impl Entry {
    /// Length of the name u8, name, attributes.
    ///
    /// # Errors
    /// When the attributes contradict each other.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut out = Vec::with_capacity(256);
        put_name(&mut out, &self.name);
        out.extend_from_slice(&self.attributes.encode()?);
        Ok(out)
    }

    /// Reads an entry that stands alone.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "published entry");
        let entry = Self::take(&mut reader)?;
        reader.end()?;
        Ok(entry)
    }

    /// Reads an entry from the front of `reader`.
    pub(in crate::format) fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            name: take_name(reader)?,
            attributes: Attributes::take(reader)?,
        })
    }

    /// Its children in the tree, in the order in which they count for parity: the inode, then the directory.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        let attributes = &self.attributes;
        attributes.contents.iter().chain(&attributes.directory)
    }
}

/// Adds length u8 and name.
pub(in crate::format) fn put_name(out: &mut Vec<u8>, name: &Name) {
    out.push(u8::try_from(name.as_bytes().len()).unwrap_or(u8::MAX));
    out.extend_from_slice(name.as_bytes());
}

/// Reads length and name.
pub(in crate::format) fn take_name(reader: &mut Reader<'_>) -> Result<Name, Malformed> {
    let len = usize::from(reader.u8()?);
    Name::parse(reader.bytes(len)?).map_err(|_| reader.malformed())
}
