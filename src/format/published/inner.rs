use crate::crypto::Secret;
use crate::crypto::publish::REFERENCE_LEN;
use crate::crypto::publish::Reference;
use crate::format::published::entry::{put_name, take_name};
use crate::format::published::header::{self, Header, Kind};
use crate::format::published::parity::parity_len;
use crate::format::published::reference::{put, take, take_all};
use crate::format::wire::{Malformed, Reader};
use crate::types::Name;
use crate::types::limits::{DIRECTORY_LEVEL_MAX, PAGE};

/// Where a node of a directory is, and the first name below it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The first name below the node.
    pub first: Name,
    /// The node.
    pub node: Reference,
}

impl Pointer {
    /// Bytes that it takes in a node.
    pub fn encoded_len(&self) -> usize {
        let name = self.first.as_bytes().len();
        name.saturating_add(REFERENCE_LEN).saturating_add(1)
    }
}

/// A node of a directory above its leaves.
#[derive(Clone, PartialEq, Eq)]
pub struct Inner {
    /// 1: the children are leaves; else nodes of the level below.
    pub level: u8,
    /// Names below it.
    pub names: u64,
    /// At least one, in strictly ascending order of their first names.
    pub pointers: Vec<Pointer>,
    /// Children that share one parity reference; 0: there is none.
    pub group: u8,
    /// One for each group.
    pub parity: Vec<Reference>,
}

impl Inner {
    /// Which child has `name` below it, if any has; names before the first are below none.
    pub fn child(&self, name: &Name) -> Option<usize> {
        self.pointers
            .partition_point(|pointer| pointer.first <= *name)
            .checked_sub(1)
    }

    /// Header (count: pointers, length: their bytes, value: names), pointers (length u8, name, reference), parity, zeros.
    ///
    /// # Errors
    /// When the pointers are out of order or do not fit.
    pub fn encode(&self) -> Result<Secret<PAGE>, Malformed> {
        self.check()?;
        let length: usize = self.pointers.iter().map(Pointer::encoded_len).sum();
        let mut out = Header {
            level: self.level,
            group: self.group,
            count: u16::try_from(self.pointers.len()).unwrap_or(u16::MAX),
            length: u16::try_from(length).unwrap_or(u16::MAX),
            value: self.names,
        }
        .begin(Kind::Inner);
        for pointer in &self.pointers {
            put_name(&mut out, &pointer.first);
            put(&mut out, &pointer.node);
        }
        for reference in &self.parity {
            put(&mut out, reference);
        }
        header::finish(out, Kind::Inner.name())
    }

    /// Reads a node.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let (header, mut reader) = Header::open(bytes, Kind::Inner)?;
        let mut pointers = Reader::new(reader.bytes(header.length.into())?, Kind::Inner.name());
        let inner = Self {
            level: header.level,
            names: header.value,
            pointers: (0..header.count)
                .map(|_| {
                    Ok(Pointer {
                        first: take_name(&mut pointers)?,
                        node: take(&mut pointers)?,
                    })
                })
                .collect::<Result<_, Malformed>>()?,
            group: header.group,
            parity: take_all(&mut reader, parity_len(header.count.into(), header.group))?,
        };
        pointers.end()?;
        header::zeros(reader)?;
        inner.check()?;
        Ok(inner)
    }

    fn check(&self) -> Result<(), Malformed> {
        let count = self.pointers.len();
        let good = (1..=DIRECTORY_LEVEL_MAX).contains(&self.level)
            && count >= 1
            && usize::try_from(self.names).map_or(true, |names| names >= count)
            && self
                .pointers
                .is_sorted_by(|one, other| one.first < other.first)
            && self.parity.len() == parity_len(count, self.group);
        if good {
            Ok(())
        } else {
            Err(Malformed(Kind::Inner.name()))
        }
    }
}
