use crate::format::wire::{Malformed, Reader};

/// Value of an `A` row: the box that is attached to a directory. It stands in the published entry of the directory too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Number of the box, at least 1: 0 is the pod's own.
    pub number: u32,
    /// Whether it has one scope for all its files, so that equal pages in it are one chunk.
    pub one_scope: bool,
}

impl Attached {
    /// Bytes: `number u32, one scope u8`.
    pub fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(5);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.push(self.one_scope.into());
        out
    }

    /// Reads it from the front of `reader`.
    pub fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (number, one_scope) = (reader.u32()?, reader.u8()?);
        if number == 0 || one_scope > 1 {
            return Err(reader.malformed());
        }
        Ok(Self {
            number,
            one_scope: one_scope == 1,
        })
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "box row");
        let attached = Self::take(&mut reader)?;
        reader.end()?;
        Ok(attached)
    }
}

/// Value of the row `A ‖ 0`: the number that the next box gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextBox(pub u32);

impl NextBox {
    /// Bytes: `number u32`.
    pub fn encode(self) -> Vec<u8> {
        self.0.to_le_bytes().to_vec()
    }

    /// Reads the row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "box number");
        let number = reader.u32()?;
        if number == 0 {
            return Err(reader.malformed());
        }
        reader.end()?;
        Ok(Self(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_nonsense_is_refused() {
        let attached = Attached {
            number: 7,
            one_scope: true,
        };
        let good = attached.encode();
        assert_eq!(Attached::decode(&good), Ok(attached));
        for bad in [
            &good[..4],
            &[0, 0, 0, 0, 1],
            &[7, 0, 0, 0, 2],
            &[7, 0, 0, 0, 1, 0],
        ] {
            assert!(Attached::decode(bad).is_err(), "{bad:?}");
        }
        assert_eq!(NextBox::decode(&NextBox(9).encode()), Ok(NextBox(9)));
        for bad in [&[0; 4][..], &[1, 0, 0], &[1, 0, 0, 0, 0]] {
            assert!(NextBox::decode(bad).is_err(), "{bad:?}");
        }
    }
}
