use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::format::manifest::Position;
use crate::format::record::{ALIGN, OVERHEAD};
use crate::format::rows::{Slot, SlotRange};
use crate::journal::segments::{Segment, offset_of};
use crate::journal::{Batch, Class};
use crate::types::limits::{HEADROOM_CHECKPOINT, HEADROOM_META, PAGE};

/// Pages taken at a time for records, so that small ones stand close together and data pages stay aligned.
pub(in crate::journal) const CHUNK_PAGES: u32 = 16;
/// Kept free at the end of a chunk for the jump to the next.
const JUMP_LEN: u64 = (OVERHEAD as u64 + 4).next_multiple_of(ALIGN);

/// Pages in which records stand.
pub(in crate::journal) struct Chunk {
    pub(in crate::journal) segment: Arc<Segment>,
    range: SlotRange,
    /// Where the next record goes.
    offset: u64,
    end: u64,
}

/// Where the log grows: the only place that hands out numbers and pages.
pub(in crate::journal) struct Tail {
    active: Arc<Segment>,
    /// Next free page of the active segment.
    page: u32,
    /// Preallocated segments to go on with.
    pub(in crate::journal) spares: VecDeque<Arc<Segment>>,
    chunk: Chunk,
    pub(in crate::journal) next_record: u64,
    /// Preallocated pages of files: room for them is kept.
    pub(in crate::journal) reserved: u64,
    /// Counter of the next inode.
    pub(in crate::journal) next_ino: u64,
    /// Pages in use per segment.
    pub(in crate::journal) live: BTreeMap<u32, u32>,
    /// Pages that died since the newest checkpoint.
    pub(in crate::journal) dead: Vec<SlotRange>,
    pub(in crate::journal) dead_pages: u64,
    /// Dead pages that the checkpoint under way gives back.
    pub(in crate::journal) leaving: u64,
    /// Pages that died in an earlier life and go back to the disk behind the mount.
    pub(in crate::journal) returning: u64,
    /// Bytes ever appended by this session through the kernel's cache.
    pub(in crate::journal) appended: u64,
    /// Record bytes since the newest checkpoint.
    pub(in crate::journal) replay_bytes: u64,
}

/// What was handed out for one record.
pub(in crate::journal) struct Place {
    pub(in crate::journal) segment: Arc<Segment>,
    pub(in crate::journal) offset: u64,
    pub(in crate::journal) number: u64,
    /// First data page, and the segment it is in.
    pub(in crate::journal) data: Option<(Arc<Segment>, Slot)>,
    /// A jump to be written first: from there to the chunk of this record.
    pub(in crate::journal) jump: Option<(Arc<Segment>, u64, SlotRange)>,
}

/// What a record needs room for.
#[derive(Clone, Copy)]
pub(in crate::journal) struct Need {
    /// Bytes of header, sealed body and tag.
    pub(in crate::journal) body: u64,
    /// Data pages.
    pub(in crate::journal) pages: u32,
    /// The pages go straight to the disk: a sync has nothing to write for them.
    pub(in crate::journal) direct: bool,
}

/// The log must grow by that many pages before this fits.
pub(in crate::journal) struct Short;

/// Totals that a tail starts with: from the manifest and replay.
#[derive(Default)]
pub(in crate::journal) struct Totals {
    pub(in crate::journal) next_record: u64,
    pub(in crate::journal) reserved: u64,
    pub(in crate::journal) next_ino: u64,
    pub(in crate::journal) live: BTreeMap<u32, u32>,
    pub(in crate::journal) dead: Vec<SlotRange>,
    pub(in crate::journal) replay_bytes: u64,
}

impl Tail {
    /// Starts in the first page of a fresh segment, while `returning` goes back to the disk.
    pub(in crate::journal) fn new(
        active: Arc<Segment>,
        totals: Totals,
        returning: &[SlotRange],
    ) -> Self {
        let pages = |ranges: &[SlotRange]| ranges.iter().map(|range| u64::from(range.count)).sum();
        let range = SlotRange {
            slot: Slot {
                segment: active.number,
                page: 1,
            },
            count: CHUNK_PAGES,
        };
        let chunk = Chunk {
            segment: Arc::clone(&active),
            range,
            offset: PAGE as u64,
            end: offset_of(1 + CHUNK_PAGES),
        };
        let Totals {
            next_record,
            reserved,
            next_ino,
            mut live,
            dead,
            replay_bytes,
        } = totals;
        live.insert(active.number, CHUNK_PAGES);
        let dead_pages = pages(&dead);
        let (page, spares) = (1 + CHUNK_PAGES, VecDeque::new());
        Self {
            active,
            page,
            spares,
            chunk,
            next_record,
            reserved,
            next_ino,
            live,
            dead,
            dead_pages,
            leaving: 0,
            returning: pages(returning),
            appended: 0,
            replay_bytes,
        }
    }

    /// Number of the segment that records or data go to: never removed.
    pub(in crate::journal) fn in_use(&self, number: u32) -> bool {
        let spare = self.spares.iter().any(|spare| spare.number == number);
        number == self.active.number || number == self.chunk.segment.number || spare
    }

    /// Preallocated pages that nobody took yet.
    pub(in crate::journal) fn secured(&self) -> u64 {
        let spares: u64 = self
            .spares
            .iter()
            .map(|spare| u64::from(spare.pages.saturating_sub(1)))
            .sum();
        u64::from(self.active.pages.saturating_sub(self.page)) + spares
    }

    /// Pages that must stay secured once a batch of that class, with that reserve, is in.
    pub(in crate::journal) fn kept(&self, class: Class, reserve: i64) -> u64 {
        let reserved = self.reserved.saturating_add_signed(reserve);
        // A page written into preallocated room brings its extent row along: a third on top covers it.
        let reserved = reserved + reserved / 3;
        let headroom = match class {
            Class::Data if reserve < 0 => HEADROOM_CHECKPOINT,
            Class::Data => HEADROOM_META + HEADROOM_CHECKPOINT,
            Class::Meta => HEADROOM_CHECKPOINT,
            Class::Checkpoint => return 0,
        };
        reserved + headroom / PAGE as u64
    }

    /// Hands out the place of a record.
    pub(in crate::journal) fn place(&mut self, batch: &Batch, need: Need) -> Result<Place, Short> {
        let Need {
            body,
            pages,
            direct,
        } = need;
        let len = body.next_multiple_of(ALIGN);
        let roomy = self.chunk.offset + len + JUMP_LEN <= self.chunk.end;
        let chunk_pages = CHUNK_PAGES
            .max(u32::try_from((len + JUMP_LEN).div_ceil(PAGE as u64)).map_err(|_| Short)?);
        let taken = u64::from(pages) + if roomy { 0 } else { u64::from(chunk_pages) };
        // What is left of a segment when the pages do not fit is lost: count it.
        let lost = u64::from(pages.max(chunk_pages));
        if self.secured() < taken + lost + self.kept(batch.class, batch.reserve) {
            return Err(Short);
        }
        let jump = if roomy {
            None
        } else {
            Some(self.next_chunk(chunk_pages)?)
        };
        let data = if pages == 0 {
            None
        } else {
            Some(self.take(pages)?)
        };
        let place = Place {
            segment: Arc::clone(&self.chunk.segment),
            offset: self.chunk.offset,
            number: self.next_record,
            data,
            jump,
        };
        self.chunk.offset += len;
        self.next_record += 1;
        self.replay_bytes += len;
        self.appended += len + if direct { 0 } else { offset_of(pages) };
        self.reserved = self.reserved.saturating_add_signed(batch.reserve);
        batch.frees.iter().for_each(|range| self.bury(*range));
        Ok(place)
    }

    fn next_chunk(&mut self, pages: u32) -> Result<(Arc<Segment>, u64, SlotRange), Short> {
        let (segment, slot) = self.take(pages)?;
        let start = offset_of(slot.page);
        let chunk = Chunk {
            segment,
            range: SlotRange { slot, count: pages },
            offset: start,
            end: start + offset_of(pages),
        };
        let old = std::mem::replace(&mut self.chunk, chunk);
        self.bury(old.range);
        Ok((old.segment, old.offset, SlotRange { slot, count: pages }))
    }

    /// Takes pages that follow one another.
    fn take(&mut self, pages: u32) -> Result<(Arc<Segment>, Slot), Short> {
        while self.page.saturating_add(pages) > self.active.pages {
            let next = self.spares.pop_front().ok_or(Short)?;
            let rest = self.active.pages - self.page;
            if rest > 0 {
                let slot = Slot {
                    segment: self.active.number,
                    page: self.page,
                };
                *self.live.entry(slot.segment).or_default() += rest;
                self.bury(SlotRange { slot, count: rest });
            }
            self.active = next;
            self.page = 1;
        }
        let slot = Slot {
            segment: self.active.number,
            page: self.page,
        };
        self.page += pages;
        *self.live.entry(slot.segment).or_default() += pages;
        Ok((Arc::clone(&self.active), slot))
    }

    /// Remembers pages that died, to be punched by the next checkpoint.
    pub(in crate::journal) fn bury(&mut self, range: SlotRange) {
        self.dead_pages += u64::from(range.count);
        match self.dead.last_mut() {
            Some(last) if last.slot.add(last.count) == range.slot => last.count += range.count,
            _ => self.dead.push(range),
        }
    }

    /// The pages that records stand in now.
    pub(in crate::journal) const fn chunk(&self) -> SlotRange {
        self.chunk.range
    }

    /// The next free page.
    pub(in crate::journal) fn next(&self) -> Slot {
        Slot {
            segment: self.active.number,
            page: self.page,
        }
    }

    /// The next free page and the pages behind it, up to the end of its segment.
    pub(in crate::journal) fn rest(&self) -> SlotRange {
        SlotRange {
            slot: self.next(),
            count: self.active.pages.saturating_sub(self.page),
        }
    }

    /// Number of the lowest segment that a record may still be written to.
    pub(in crate::journal) fn oldest(&self) -> u32 {
        self.chunk.segment.number.min(self.active.number)
    }

    /// Number of the highest segment that anything was written to.
    pub(in crate::journal) fn newest(&self) -> u32 {
        self.chunk.segment.number.max(self.active.number)
    }

    /// Where the next record will stand.
    pub(in crate::journal) fn position(&self) -> Position {
        Position {
            segment: self.chunk.segment.number,
            offset: self.chunk.offset,
            record: self.next_record,
        }
    }
}
