use crate::format::wire::{Malformed, Reader};

/// Most pages that one `R` row counts: who looks for the row of a page need not look further back.
pub const SHARED_PAGES_MAX: u32 = 256;

/// Value of an `R` row: how often `count` pages, from the slot in its key on, are named by extent rows.
///
/// There is a row only while pages are named at least twice. A page in a run marked as shared that no row counts is
/// named once, like a page in a run that is not marked; so marks never need to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Pages, 1 to [`SHARED_PAGES_MAX`]; the ranges of two rows never overlap.
    pub count: u32,
    /// Extent runs that name each of them, at least 2.
    pub references: u32,
}

impl Shared {
    /// Bytes of the row: `count u32, references u32`.
    pub fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8);
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.references.to_le_bytes());
        out
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "shared row");
        let (count, references) = (reader.u32()?, reader.u32()?);
        if count == 0 || count > SHARED_PAGES_MAX || references < 2 {
            return Err(reader.malformed());
        }
        reader.end()?;
        Ok(Self { count, references })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_nonsense_is_refused() {
        let shared = Shared {
            count: 7,
            references: 2,
        };
        assert_eq!(Shared::decode(&shared.encode()), Ok(shared));
        let mut long = shared.encode();
        long.push(0);
        assert!(Shared::decode(&long).is_err());
        assert!(Shared::decode(&long[..7]).is_err());
        for (count, references) in [(0, 2), (257, 2), (1, 1), (1, 0)] {
            assert!(Shared::decode(&Shared { count, references }.encode()).is_err());
        }
    }
}
