//! A log record: a masked header of 32 bytes, the sealed body, its tag; the next record starts at a multiple of 32.

use crate::format::rows::{Key, Slot, SlotRange};
use crate::format::wire::{Malformed, Reader, put_long};
use crate::types::limits::{RECORD_BODY_MAX, RECORD_PAGES_MAX, ROW_VALUE_MAX};

/// Bytes of the header.
pub const HEADER_LEN: usize = 32;
/// Records start at multiples of this.
pub const ALIGN: u64 = 32;
/// Header and tag of a record.
pub const OVERHEAD: usize = HEADER_LEN + 16;

const MAGIC: u32 = 0x3152_4650;
/// Bytes of the body of a jump.
const JUMP_BODY: u32 = 4;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// Rows of one operation, with the pages they name.
    Rows,
    /// Pages of checkpoint nodes; replay takes no rows from it.
    Nodes,
    /// The log goes on elsewhere: `number` is the segment, `pages` the page there; the body is the number of pages
    /// (u32) that records may fill there.
    Jump,
}

/// Header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// What it is.
    pub kind: RecordKind,
    /// Bytes of the body before sealing.
    pub body_len: u32,
    /// Number of data pages.
    pub pages: u32,
    /// Record number, one more than the record before; of a jump the segment it leads to.
    pub number: u64,
    /// Highest record number known durable when this one was written.
    pub durable: u64,
}

impl RecordHeader {
    /// The 32 bytes before masking: magic u32, kind u32, body length u32, pages u32, number u64, durable u64.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let kind = match self.kind {
            RecordKind::Rows => 1_u32,
            RecordKind::Nodes => 2,
            RecordKind::Jump => 3,
        };
        let mut out = [0; HEADER_LEN];
        let words = [MAGIC, kind, self.body_len, self.pages];
        for (place, word) in out.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        for (place, word) in out
            .chunks_exact_mut(8)
            .skip(2)
            .zip([self.number, self.durable])
        {
            place.copy_from_slice(&word.to_le_bytes());
        }
        out
    }

    /// Reads an unmasked header.
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "record header");
        if reader.u32()? != MAGIC {
            return Err(reader.malformed());
        }
        let kind = match reader.u32()? {
            1 => RecordKind::Rows,
            2 => RecordKind::Nodes,
            3 => RecordKind::Jump,
            _ => return Err(reader.malformed()),
        };
        let (body_len, pages) = (reader.u32()?, reader.u32()?);
        let (number, durable) = (reader.u64()?, reader.u64()?);
        let long = usize::try_from(body_len).is_ok_and(|len| len > RECORD_BODY_MAX);
        let many = usize::try_from(pages).is_ok_and(|pages| pages > RECORD_PAGES_MAX);
        let wrong = match kind {
            RecordKind::Rows | RecordKind::Nodes => long || many,
            RecordKind::Jump => body_len != JUMP_BODY || u32::try_from(number).is_err(),
        };
        if wrong {
            return Err(reader.malformed());
        }
        Ok(Self {
            kind,
            body_len,
            pages,
            number,
            durable,
        })
    }
}

/// After-images of rows: a value, or `None` where the row is gone.
pub type RowImages = Vec<(Key, Option<Vec<u8>>)>;

/// The body of a record, opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordBody {
    /// Where the data pages of this record begin.
    pub base: Option<Slot>,
    /// Change of the number of preallocated pages.
    pub reserve: i64,
    /// Pages no row names any more.
    pub frees: Vec<SlotRange>,
    /// After-images: a value, or `None` where the row is gone.
    pub rows: RowImages,
}

/// Bytes of the fixed part of a body.
const FIXED: usize = 24;

/// Bytes of a body with that many frees and rows of these lengths (`None`: deleted).
pub fn body_len(frees: usize, rows: impl Iterator<Item = (usize, Option<usize>)>) -> usize {
    let rows = rows.fold(0_usize, |sum, (key, value)| {
        let value = value.map_or(0, |len| len.saturating_add(4));
        sum.saturating_add(key)
            .saturating_add(value)
            .saturating_add(2)
    });
    frees
        .saturating_mul(12)
        .saturating_add(FIXED)
        .saturating_add(rows)
}

/// Begins a body: base u64 (all ones: none), reserve i64, number of frees u64, frees (segment, page, count u32 each).
pub fn put_head(out: &mut Vec<u8>, base: Option<Slot>, reserve: i64, frees: &[SlotRange]) {
    out.extend_from_slice(&base.map_or(u64::MAX, Slot::as_u64).to_le_bytes());
    out.extend_from_slice(&reserve.to_le_bytes());
    out.extend_from_slice(&u64::try_from(frees.len()).unwrap_or(u64::MAX).to_le_bytes());
    for range in frees {
        for word in [range.slot.segment, range.slot.page, range.count] {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }
}

/// Adds a row: key length u8, key, 1 and a long value, or 0 where the row is gone.
pub fn put_row(out: &mut Vec<u8>, key: &Key, value: Option<&[u8]>) {
    out.push(u8::try_from(key.as_bytes().len()).unwrap_or(u8::MAX));
    out.extend_from_slice(key.as_bytes());
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            put_long(out, value);
        }
    }
}

/// Reads the list that [`put_row`] writes, up to the end.
pub fn rows(reader: &mut Reader<'_>) -> Result<RowImages, Malformed> {
    let mut rows = Vec::new();
    while !reader.is_empty() {
        let len = usize::from(reader.u8()?);
        let key = Key::parse(reader.bytes(len)?).ok_or(reader.malformed())?;
        let value = match reader.u8()? {
            0 => None,
            1 => Some(reader.long()?.to_vec()),
            _ => return Err(reader.malformed()),
        };
        if value
            .as_ref()
            .is_some_and(|value| value.len() > ROW_VALUE_MAX)
        {
            return Err(reader.malformed());
        }
        rows.push((key, value));
    }
    Ok(rows)
}

impl RecordBody {
    /// Reads an opened body.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "record body");
        let base = reader.u64()?;
        let reserve = reader.i64()?;
        let count = reader.u64()?;
        let mut frees = Vec::new();
        for _ in 0..count {
            let slot = Slot {
                segment: reader.u32()?,
                page: reader.u32()?,
            };
            frees.push(SlotRange {
                slot,
                count: reader.u32()?,
            });
        }
        let base = (base != u64::MAX).then(|| Slot::from_u64(base));
        Ok(Self {
            base,
            reserve,
            frees,
            rows: rows(&mut reader)?,
        })
    }
}
