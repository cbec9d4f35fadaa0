//! Grants: what is handed over when something is shared, and the records of the feed that tells of it from then on.

mod body;
mod receipt;
mod record;
#[cfg(test)]
mod tests;

pub use crate::crypto::keys::GrantFeed;
pub use body::Grant;
pub(in crate::format) use body::{put_cap, take_cap};
pub use receipt::{RECEIPT_LEN, Receipt, Renewed, RevocationLevel, SignedReceipt};
pub(in crate::format) use receipt::{put_renewed, take_renewed};
pub use record::{GrantRecord, RecordState, ShownLog};

use crate::format::published::{put_name, take_name};
use crate::format::rows::FileKind;
use crate::format::wire::{Malformed, Reader};
use crate::types::{Name, Purpose, Rights, Timespec};

const WHAT: &str = "terms of a grant";
const SNAPSHOT: u8 = 1;
const FROM: u8 = 2;
const UNTIL: u8 = 4;

/// Why a grant opens nothing new any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Whoever gave it took it back.
    Revoked,
    /// Its time is over.
    Expired,
    /// What it names was deleted.
    Gone,
}

impl Ended {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Revoked, Self::Expired, Self::Gone];

    /// As layouts have it: 1, 2, 3.
    pub(in crate::format) const fn code(self) -> u8 {
        match self {
            Self::Revoked => 1,
            Self::Expired => 2,
            Self::Gone => 3,
        }
    }

    /// The one of this code.
    pub(in crate::format) fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|ended| ended.code() == code)
    }
}

/// What was agreed on. Names and purposes are secrets: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Terms {
    /// What the shared thing was called then.
    pub name: Name,
    /// A regular file or a directory; nothing else is shared.
    pub kind: FileKind,
    /// What may be done with it.
    pub rights: Rights,
    /// Whether it is the one version of then: no later one follows.
    pub snapshot: bool,
    /// Nothing opens before; seconds since 1970.
    pub from: Option<i64>,
    /// Nothing new opens from then on; seconds since 1970.
    pub until: Option<i64>,
    /// What for.
    pub purpose: Purpose,
}

impl Terms {
    /// Whether an encoder takes them: the kind can be shared, and the time does not end before it begins.
    pub fn are_sound(&self) -> bool {
        let kind = matches!(self.kind, FileKind::Regular | FileKind::Directory);
        let empty = (self.from.zip(self.until)).is_some_and(|(from, until)| from >= until);
        kind && !empty
    }

    /// Whether nothing new opens any more.
    pub fn is_past(&self, now: Timespec) -> bool {
        self.until.is_some_and(|until| until <= now.secs)
    }

    /// Rights u8, kind u8, flags u8, from i64 and until i64 where the flags say so, length u8 and name, length u16 and
    /// purpose.
    pub(in crate::format) fn put(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if !self.are_sound() {
            return Err(Malformed(WHAT));
        }
        let kind = u8::from(self.kind == FileKind::Directory);
        let flags = [
            (self.snapshot, SNAPSHOT),
            (self.from.is_some(), FROM),
            (self.until.is_some(), UNTIL),
        ];
        let set = flags.into_iter().filter(|(set, _)| *set);
        let flags = set.fold(0, |flags, (_, bit)| flags | bit);
        out.extend_from_slice(&[self.rights.bits(), kind, flags]);
        for time in [self.from, self.until].into_iter().flatten() {
            out.extend_from_slice(&time.to_le_bytes());
        }
        put_name(out, &self.name);
        let purpose = self.purpose.as_str().as_bytes();
        let length = u16::try_from(purpose.len()).map_err(|_| Malformed(WHAT))?;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(purpose);
        Ok(())
    }

    /// Reads them from the front of `reader`.
    pub(in crate::format) fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let wrong = reader.malformed();
        let [rights, kind, flags]: [u8; 3] = reader.array()?;
        if flags & !(SNAPSHOT | FROM | UNTIL) != 0 {
            return Err(wrong);
        }
        let mut time = |flag: u8| (flags & flag != 0).then(|| reader.i64()).transpose();
        let (from, until) = (time(FROM)?, time(UNTIL)?);
        let name = take_name(reader)?;
        let length = usize::from(reader.u16()?);
        let purpose = str::from_utf8(reader.bytes(length)?).map_err(|_| wrong)?;
        let terms = Self {
            name,
            kind: match kind {
                0 => FileKind::Regular,
                1 => FileKind::Directory,
                _ => return Err(wrong),
            },
            rights: Rights::from_bits(rights).map_err(|_| wrong)?,
            snapshot: flags & SNAPSHOT != 0,
            from,
            until,
            purpose: Purpose::parse(purpose).map_err(|_| wrong)?,
        };
        if terms.are_sound() {
            Ok(terms)
        } else {
            Err(wrong)
        }
    }
}
