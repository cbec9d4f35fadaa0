use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::entry::Entry;
use crate::format::published::header::{self, Header, Kind};
use crate::format::published::parity::parity_len;
use crate::format::published::reference::{put, take_all};
use crate::format::wire::{Malformed, Reader};
use crate::types::limits::PAGE;

/// Some of the entries of a directory, all that stand between two names. It does not say of which directory.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// At least one, in strictly ascending order of the bytes of their names.
    pub entries: Vec<Entry>,
    /// References of entries that share one parity reference; 0: there is none.
    pub group: u8,
    /// One for each group.
    pub parity: Vec<Reference>,
}

impl Leaf {
    /// The children of the leaf in the order in which they count for parity.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.entries.iter().flat_map(Entry::references)
    }

    /// Header (count: entries, length: their bytes, value: entries), entries, parity, zeros.
    ///
    /// # Errors
    /// When the entries are out of order, contradict themselves, or do not fit.
    pub fn encode(&self) -> Result<Secret<PAGE>, Malformed> {
        self.check()?;
        let mut entries = Vec::new();
        for entry in &self.entries {
            entries.extend_from_slice(&entry.encode()?);
        }
        let mut out = Header {
            level: 0,
            group: self.group,
            count: u16::try_from(self.entries.len()).unwrap_or(u16::MAX),
            length: u16::try_from(entries.len()).unwrap_or(u16::MAX),
            value: u64::try_from(self.entries.len()).unwrap_or(u64::MAX),
        }
        .begin(Kind::Leaf);
        out.extend_from_slice(&entries);
        for reference in &self.parity {
            put(&mut out, reference);
        }
        header::finish(out, Kind::Leaf.name())
    }

    /// Reads a leaf.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let (header, mut reader) = Header::open(bytes, Kind::Leaf)?;
        if header.level != 0 || header.value != u64::from(header.count) {
            return Err(reader.malformed());
        }
        let mut entries = Reader::new(reader.bytes(header.length.into())?, Kind::Leaf.name());
        let mut leaf = Self {
            entries: (0..header.count)
                .map(|_| Entry::take(&mut entries))
                .collect::<Result<_, _>>()?,
            group: header.group,
            parity: Vec::new(),
        };
        entries.end()?;
        let parity = parity_len(leaf.references().count(), header.group);
        leaf.parity = take_all(&mut reader, parity)?;
        header::zeros(reader)?;
        leaf.check()?;
        Ok(leaf)
    }

    fn check(&self) -> Result<(), Malformed> {
        let ordered = self
            .entries
            .is_sorted_by(|one, other| one.name < other.name);
        let parity = parity_len(self.references().count(), self.group);
        if ordered && !self.entries.is_empty() && parity == self.parity.len() {
            Ok(())
        } else {
            Err(Malformed(Kind::Leaf.name()))
        }
    }
}
