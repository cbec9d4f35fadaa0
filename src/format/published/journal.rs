//! The newest changes, in the head: entries that differ from the published directories.
//!
//! With them a small change rewrites no directory: one changed file costs its own nodes and a head, however deep it
//! lies. The newest head alone tells them all; when they no longer fit, the directories are written and the list is
//! empty again.

use crate::crypto::publish::Reference;
use crate::format::published::attributes::Attributes;
use crate::format::published::entry::{put_name, take_name};
use crate::format::published::parity::parity_len;
use crate::format::published::reference::{put, take_all};
use crate::format::wire::{Malformed, Reader};
use crate::types::{Ino, Name};

const WHAT: &str = "changes in a head";

/// One name in one directory.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// The directory.
    pub directory: Ino,
    /// The name.
    pub name: Name,
    /// What it names now; `None`: it is gone.
    pub now: Option<Attributes>,
}

/// The changes since the directories were written.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Journal {
    /// In strictly ascending order of directory and name.
    pub changes: Vec<Change>,
    /// References in the changes that share one parity reference; 0: there is none.
    pub group: u8,
    /// One for each group.
    pub parity: Vec<Reference>,
}

impl Journal {
    /// The children in the order in which they count for parity.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        let named = self.changes.iter().filter_map(|change| change.now.as_ref());
        named.flat_map(|now| now.contents.iter().chain(&now.directory))
    }

    /// What is known of the names of `directory`.
    pub fn of(&self, directory: Ino) -> &[Change] {
        let from = self
            .changes
            .partition_point(|change| change.directory < directory);
        let to = self
            .changes
            .partition_point(|change| change.directory <= directory);
        self.changes.get(from..to).unwrap_or_default()
    }

    /// Count u16, group u8; per change directory u64, length u8, name, 1 and attributes, or 0; parity.
    ///
    /// # Errors
    /// When the changes are out of order or contradict themselves.
    pub(super) fn encode(&self) -> Result<Vec<u8>, Malformed> {
        self.check()?;
        let count = u16::try_from(self.changes.len()).map_err(|_| Malformed(WHAT))?;
        let mut out = count.to_le_bytes().to_vec();
        out.push(self.group);
        for change in &self.changes {
            out.extend_from_slice(&change.directory.0.to_le_bytes());
            put_name(&mut out, &change.name);
            out.push(u8::from(change.now.is_some()));
            if let Some(now) = &change.now {
                out.extend_from_slice(&now.encode()?);
            }
        }
        for reference in &self.parity {
            put(&mut out, reference);
        }
        Ok(out)
    }

    /// Reads them.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        let (count, group) = (reader.u16()?, reader.u8()?);
        let mut journal = Self {
            changes: (0..count)
                .map(|_| change(&mut reader))
                .collect::<Result<_, _>>()?,
            group,
            parity: Vec::new(),
        };
        let parity = parity_len(journal.references().count(), group);
        journal.parity = take_all(&mut reader, parity)?;
        reader.end()?;
        journal.check()?;
        Ok(journal)
    }

    fn check(&self) -> Result<(), Malformed> {
        let ordered = self
            .changes
            .is_sorted_by(|one, other| (one.directory, &one.name) < (other.directory, &other.name));
        let parity = parity_len(self.references().count(), self.group);
        if ordered && !self.changes.is_empty() && parity == self.parity.len() {
            Ok(())
        } else {
            Err(Malformed(WHAT))
        }
    }
}

fn change(reader: &mut Reader<'_>) -> Result<Change, Malformed> {
    Ok(Change {
        directory: Ino(reader.u64()?),
        name: take_name(reader)?,
        now: match reader.u8()? {
            0 => None,
            1 => Some(Attributes::take(reader)?),
            _ => return Err(reader.malformed()),
        },
    })
}
