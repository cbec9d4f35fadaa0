use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::io::Errno;

use crate::crypto::domain::ad;
use crate::crypto::{Secret, seal_box, seal_page};
use crate::format::record::{self, HEADER_LEN, OVERHEAD, RecordHeader, RecordKind};
use crate::format::rows::{Key, Slot, SlotRange};
use crate::journal::segments::{Segment, offset_of};
use crate::journal::tail::{Need, Place};
use crate::journal::{Batch, Change, Journal, JournalError, Pages, Sealed, Value, disk};
use crate::types::Ino;
use crate::types::limits::{PAGE, RECORD_BODY_MAX, RECORD_PAGES_MAX, ROW_VALUE_MAX};

/// From so many pages on both cores seal.
const PARALLEL_PAGES: usize = 64;

/// Nonce of a record; jumps have another last word, segment headers all ones.
pub(in crate::journal) fn record_nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    let (head, _) = nonce.split_at_mut(8);
    head.copy_from_slice(&number.to_le_bytes());
    nonce
}

/// Nonce of a jump: its own place in the session.
pub(in crate::journal) fn jump_nonce(segment: u32, offset: u64) -> [u8; 12] {
    let words = [segment, u32::try_from(offset).unwrap_or(u32::MAX), 1];
    let mut nonce = [0; 12];
    for (place, word) in nonce.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    nonce
}

/// Associated data of a record: where it stands and what its header says.
pub(in crate::journal) fn record_ad(
    segment: u32,
    offset: u64,
    header: &[u8; HEADER_LEN],
) -> Vec<u8> {
    let mut ad = Vec::with_capacity(64);
    ad.extend_from_slice(ad::RECORD);
    ad.extend_from_slice(&segment.to_le_bytes());
    ad.extend_from_slice(&offset.to_le_bytes());
    ad.extend_from_slice(header);
    ad
}

/// Hides or shows a header: lengths and numbers are nobody's business.
pub(in crate::journal) fn mask(
    key: &Secret<32>,
    segment: u32,
    offset: u64,
    header: &mut [u8; HEADER_LEN],
) {
    let mut place = [0; 12];
    let (head, tail) = place.split_at_mut(4);
    head.copy_from_slice(&segment.to_le_bytes());
    tail.copy_from_slice(&offset.to_le_bytes());
    let stream = blake3::keyed_hash(key.expose(), &place);
    for (byte, mask) in header.iter_mut().zip(stream.as_bytes()) {
        *byte ^= mask;
    }
}

/// Rows as they go into the record and the overlay.
type Images = Vec<(Key, Option<Value>)>;

impl Journal {
    /// Seals whole pages in place under fresh write numbers. Takes no lock; both cores work on big buffers.
    pub fn seal(&self, bytes: impl Into<Pages>) -> Sealed {
        let mut bytes = bytes.into();
        let pages = bytes.as_mut_slice().as_chunks_mut::<PAGE>().0;
        let count = pages.len();
        let number = self
            .session
            .next_page
            .fetch_add(count as u64, Ordering::Relaxed);
        let mut tags = vec![[0; 16]; count];
        let key = &self.session.keys.page;
        let seal = |number: u64, pages: &mut [[u8; PAGE]], tags: &mut [[u8; 16]]| {
            for (at, (page, tag)) in (number..).zip(pages.iter_mut().zip(tags)) {
                *tag = seal_page(key, at, page);
            }
        };
        if count < PARALLEL_PAGES {
            seal(number, pages, &mut tags);
        } else {
            let (left, right) = pages.split_at_mut(count / 2);
            let (left_tags, right_tags) = tags.split_at_mut(count / 2);
            let middle = number + left.len() as u64;
            // A thread for each big buffer costs less than a pool whose idle threads spin.
            let both = std::thread::scope(|scope| {
                let other = || seal(middle, &mut *right, &mut *right_tags);
                let other = std::thread::Builder::new().spawn_scoped(scope, other);
                seal(number, left, left_tags);
                other.is_ok()
            });
            if !both {
                seal(middle, right, right_tags);
            }
        }
        Sealed {
            bytes,
            number,
            tags,
        }
    }

    /// Appends one operation: when this returns it survives the end of this process. Gives the place of its pages.
    pub fn append(
        &self,
        batch: Batch,
        pages: Option<&Sealed>,
    ) -> Result<Option<Slot>, JournalError> {
        self.append_as(RecordKind::Rows, batch, pages)
    }

    pub(in crate::journal) fn append_as(
        &self,
        kind: RecordKind,
        mut batch: Batch,
        pages: Option<&Sealed>,
    ) -> Result<Option<Slot>, JournalError> {
        self.writable()?;
        let body_len = record::body_len(
            batch.frees.len(),
            batch.rows.iter().map(|(key, change)| lengths(key, change)),
        );
        let count = pages.map_or(0, Sealed::pages);
        let long =
            |change: &Change| matches!(change, Change::Put(value) if value.len() > ROW_VALUE_MAX);
        if body_len > RECORD_BODY_MAX
            || count as usize > RECORD_PAGES_MAX
            || batch.rows.iter().any(|(_, change)| long(change))
        {
            // Replay would not take it.
            return Err(JournalError::Io("a record".into(), Errno::TOOBIG));
        }
        let header_len = u32::try_from(body_len).map_err(|_| JournalError::NoSpace)?;
        let direct =
            pages.is_some_and(|pages| self.segments.direct_works() && pages.bytes.is_direct());
        let need = Need {
            body: (body_len + OVERHEAD) as u64,
            pages: count,
            direct,
        };
        let (place, images) = self.place(&mut batch, need)?;
        let base = place.data.as_ref().map(|(_, slot)| *slot);
        let header = RecordHeader {
            kind,
            body_len: header_len,
            pages: count,
            number: place.number,
            durable: self.durable.load(Ordering::Acquire),
        };
        let mut body = Vec::with_capacity(body_len + OVERHEAD);
        record::put_head(&mut body, base, batch.reserve, &batch.frees);
        for (key, value) in &images {
            record::put_row(&mut body, key, value.as_deref());
        }
        debug_assert_eq!(body.len(), body_len, "the place was measured for this body");
        if let Err(errno) = self.write_record(&place, header, body, pages) {
            return Err(self.break_off(&format!("writing the log failed: {errno}")));
        }
        if let Err(error) = self.order.finish(place.number) {
            if let (RecordKind::Nodes, Some(slot)) = (kind, base) {
                // The checkpoint they belong to fails, and nobody else knows of them.
                self.tail.lock().bury(SlotRange { slot, count });
            }
            return Err(error);
        }
        self.keeper.wake_if_due(self);
        Ok(base)
    }

    /// Hands out a place and shows the rows to readers: both under one lock, so that a checkpoint sees whole records.
    fn place(&self, batch: &mut Batch, need: Need) -> Result<(Place, Images), JournalError> {
        let mut reclaimed = false;
        loop {
            let mut tail = self.tail.lock();
            self.writable()?;
            if let Ok(place) = tail.place(batch, need) {
                let base = place.data.as_ref().map(|(_, slot)| *slot);
                let rows = std::mem::take(&mut batch.rows);
                let images: Images = rows
                    .into_iter()
                    .map(|(key, change)| (key, image(change, base)))
                    .collect();
                for (key, _) in images
                    .iter()
                    .filter(|(key, value)| key.kind() == b'I' && value.is_some())
                {
                    tail.next_ino = tail.next_ino.max(Ino(key.field(0)).counter() + 1);
                }
                self.overlay.apply(images.iter().cloned());
                return Ok((place, images));
            }
            let missing = tail.kept(batch.class, batch.reserve)
                + u64::from(need.pages)
                + need.body / PAGE as u64;
            let secured = tail.secured();
            drop(tail);
            match self.grow(secured, missing.saturating_sub(secured), batch.class) {
                Err(JournalError::NoSpace) if !reclaimed => {
                    reclaimed = self.reclaim_wait(batch.class)?;
                }
                other => other?,
            }
        }
    }

    fn write_record(
        &self,
        place: &Place,
        header: RecordHeader,
        mut body: Vec<u8>,
        pages: Option<&Sealed>,
    ) -> Result<(), Errno> {
        if let (Some(pages), Some((segment, slot))) = (pages, &place.data) {
            self.write_pages(segment, offset_of(slot.page), &pages.bytes)?;
        }
        if let Some((segment, offset, to)) = &place.jump {
            let jump = RecordHeader {
                kind: RecordKind::Jump,
                body_len: 4,
                pages: to.slot.page,
                number: u64::from(to.slot.segment),
                durable: header.durable,
            };
            let bytes = self.sealed_record(
                segment.number,
                *offset,
                jump,
                to.count.to_le_bytes().to_vec(),
            );
            self.write(segment, *offset, &bytes)?;
        }
        body = self.sealed_record(place.segment.number, place.offset, header, body);
        self.write(&place.segment, place.offset, &body)
    }

    fn sealed_record(
        &self,
        segment: u32,
        offset: u64,
        header: RecordHeader,
        mut body: Vec<u8>,
    ) -> Vec<u8> {
        let keys = &self.session.keys;
        let mut head = header.encode();
        let nonce = match header.kind {
            RecordKind::Jump => jump_nonce(segment, offset),
            RecordKind::Rows | RecordKind::Nodes => record_nonce(header.number),
        };
        seal_box(
            &keys.record,
            nonce,
            &record_ad(segment, offset, &head),
            &mut body,
        );
        mask(&keys.mask, segment, offset, &mut head);
        body.splice(..0, head);
        body
    }

    fn write_pages(&self, segment: &Arc<Segment>, offset: u64, pages: &Pages) -> Result<(), Errno> {
        if pages.is_direct()
            && let Some(file) = self.segments.direct(segment.number)
        {
            match disk::write_all(&*file, pages.as_slice(), offset) {
                Err(Errno::INVAL) => self.segments.give_up_direct(),
                other => return other,
            }
        }
        self.write(segment, offset, pages.as_slice())
    }

    fn write(&self, segment: &Arc<Segment>, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        let file = self.segments.file(segment.number).map_err(|_| Errno::IO)?;
        disk::write_all(&*file, bytes, offset)
    }
}

fn lengths(key: &Key, change: &Change) -> (usize, Option<usize>) {
    let value = match change {
        Change::Delete => None,
        Change::Put(value) => Some(value.len()),
        Change::Extent(bucket) => Some(bucket.encoded_len()),
        Change::Kept(nodes) => Some(nodes.encoded_len()),
    };
    (key.as_bytes().len(), value)
}

fn image(change: Change, base: Option<Slot>) -> Option<Value> {
    match change {
        Change::Delete => None,
        Change::Put(value) => Some(value),
        Change::Extent(mut bucket) => {
            if let Some(base) = base {
                bucket.resolve(base);
            }
            Some(bucket.encode().into())
        }
        Change::Kept(mut nodes) => {
            if let Some(base) = base {
                nodes.resolve(base);
            }
            Some(nodes.encode().into())
        }
    }
}
