//! Page 0 of a log segment: the session's random id in the clear, then a sealed header padded to the page.

use crate::format::wire::{Malformed, Reader};
use crate::types::limits::PAGE;

/// Bytes of the session id that stands before the sealed part.
pub const SESSION_LEN: usize = 16;
/// Bytes of the sealed part before sealing: with the id and the tag it fills the page.
pub const PLAIN_LEN: usize = PAGE - SESSION_LEN - 16;

const MAGIC: &[u8; 8] = b"podfsSEG";
const VERSION: u32 = 1;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Its number; file names and slots carry it.
    pub number: u32,
    /// Number of the first record that may stand in it.
    pub first_record: u64,
}

impl SegmentHeader {
    /// Plaintext of the sealed part: magic 8, version u32, number u32, first record u64, zeros.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(PAGE);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.first_record.to_le_bytes());
        out.resize(PLAIN_LEN, 0);
        out
    }

    /// Reads the opened part.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "segment header");
        if bytes.len() != PLAIN_LEN
            || reader.bytes(MAGIC.len())? != MAGIC
            || reader.u32()? != VERSION
        {
            return Err(reader.malformed());
        }
        let header = Self {
            number: reader.u32()?,
            first_record: reader.u64()?,
        };
        if reader.rest().iter().any(|byte| *byte != 0) {
            return Err(reader.malformed());
        }
        Ok(header)
    }
}
