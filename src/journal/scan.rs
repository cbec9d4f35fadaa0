//! Finds and opens records in the files of the log.

use crate::crypto::open_box;
use crate::format::record::{ALIGN, HEADER_LEN, OVERHEAD, RecordHeader, RecordKind};
use crate::journal::append::{jump_nonce, mask, record_ad, record_nonce};
use crate::journal::segments::{Segment, Segments, offset_of};
use crate::journal::{JournalError, disk};
use crate::types::limits::PAGE;

/// Bytes read at a time.
const WINDOW: usize = 256 * 1024;

/// A piece of a segment in memory, so that small records cost no system call each.
pub(in crate::journal) struct Window<'a> {
    segments: &'a Segments,
    segment: u32,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(in crate::journal) const fn new(segments: &'a Segments) -> Self {
        Self {
            segments,
            segment: 0,
            start: 0,
            bytes: Vec::new(),
        }
    }

    fn get(&mut self, segment: u32, offset: u64, len: usize) -> Result<&[u8], JournalError> {
        let within = |start: u64| usize::try_from(offset.checked_sub(start)?).ok();
        let here = (self.segment == segment)
            .then(|| within(self.start))
            .flatten();
        if here.and_then(|at| self.bytes.get(at..at + len)).is_none() {
            let file = self.segments.file(segment)?;
            self.bytes.resize(len.max(WINDOW), 0);
            disk::read_all(&*file, &mut self.bytes, offset)
                .map_err(|errno| JournalError::Io(format!("log segment {segment:016x}"), errno))?;
            (self.segment, self.start) = (segment, offset);
        }
        let at = within(self.start).unwrap_or(0);
        Ok(self.bytes.get(at..at + len).unwrap_or_default())
    }

    /// The record at `offset`, if a whole and genuine one stands there.
    pub(in crate::journal) fn record(
        &mut self,
        segment: &Segment,
        offset: u64,
    ) -> Result<Option<(RecordHeader, Vec<u8>)>, JournalError> {
        let end = offset_of(segment.pages);
        if offset + OVERHEAD as u64 > end {
            return Ok(None);
        }
        let keys = &segment.session.keys;
        let Some(mut head) = self
            .get(segment.number, offset, HEADER_LEN)?
            .first_chunk()
            .copied()
        else {
            return Ok(None);
        };
        mask(&keys.mask, segment.number, offset, &mut head);
        let Ok(header) = RecordHeader::decode(&head) else {
            return Ok(None);
        };
        let len = usize::try_from(header.body_len)
            .unwrap_or(usize::MAX)
            .saturating_add(16);
        if offset + (HEADER_LEN + len) as u64 > end {
            return Ok(None);
        }
        let mut body = self
            .get(segment.number, offset + HEADER_LEN as u64, len)?
            .to_vec();
        let nonce = match header.kind {
            RecordKind::Jump => jump_nonce(segment.number, offset),
            RecordKind::Rows | RecordKind::Nodes => record_nonce(header.number),
        };
        let opened = open_box(
            &keys.record,
            nonce,
            &record_ad(segment.number, offset, &head),
            &mut body,
        );
        Ok(opened.is_ok().then_some((header, body)))
    }

    /// Whether a genuine record of number `record` or later that calls `record` durable stands in `segment`.
    pub(in crate::journal) fn called_durable(
        &mut self,
        segment: &Segment,
        record: u64,
    ) -> Result<bool, JournalError> {
        for page in 1..segment.pages {
            let start = offset_of(page);
            if self
                .get(segment.number, start, PAGE)?
                .iter()
                .all(|byte| *byte == 0)
            {
                continue;
            }
            for offset in (0..PAGE as u64 / ALIGN).map(|nth| start + nth * ALIGN) {
                let found = self.record(segment, offset)?;
                if found.is_some_and(|(header, _)| {
                    header.kind != RecordKind::Jump && header.durable >= record
                }) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Bytes from one record to the next.
pub(in crate::journal) fn stride(header: &RecordHeader) -> u64 {
    (u64::from(header.body_len) + OVERHEAD as u64).next_multiple_of(ALIGN)
}
