use crate::format::wire::{Malformed, Reader};
use crate::types::{Ino, Timespec};

const WHAT: &str = "row of what was taken over";
const NEW: u8 = 0;
const TAKEN: u8 = 1;
const NANOS: u32 = 1_000_000_000;

/// Value of a `B` row, of something that another person added or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether what stands there now is taken over, and not only what stood there before.
    pub is_taken: bool,
    /// The file that was made of what was taken over last, and when it was last changed then.
    pub made: Option<(Ino, Timespec)>,
}

impl Taken {
    /// Taken over, and nothing was made of it that could be changed again.
    pub const PLAIN: Self = Self {
        is_taken: true,
        made: None,
    };

    /// Bytes of the row: nothing for [`Taken::PLAIN`], else `taken u8, ino u64, seconds i64, nanoseconds u32`.
    ///
    /// # Errors
    /// When it says nothing.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let Some((ino, changed)) = self.made else {
            return self.is_taken.then(Vec::new).ok_or(Malformed(WHAT));
        };
        if ino.is_received() || changed.nanos >= NANOS {
            return Err(Malformed(WHAT));
        }
        let mut out = vec![if self.is_taken { TAKEN } else { NEW }];
        out.extend_from_slice(&ino.0.to_le_bytes());
        out.extend_from_slice(&changed.secs.to_le_bytes());
        out.extend_from_slice(&changed.nanos.to_le_bytes());
        Ok(out)
    }

    /// Reads a row.
    ///
    /// # Errors
    /// Anything that [`Taken::encode`] does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        if reader.is_empty() {
            return Ok(Self::PLAIN);
        }
        let is_taken = match reader.u8()? {
            NEW => false,
            TAKEN => true,
            _ => return Err(reader.malformed()),
        };
        let ino = Ino(reader.u64()?);
        let changed = Timespec {
            secs: reader.i64()?,
            nanos: reader.u32()?,
        };
        if ino.is_received() || changed.nanos >= NANOS {
            return Err(reader.malformed());
        }
        reader.end()?;
        Ok(Self {
            is_taken,
            made: Some((ino, changed)),
        })
    }
}
