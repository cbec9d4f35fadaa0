//! Replay: from the newest checkpoint's floor to the end of the log.
//!
//! A record that is damaged or missing ends it. If anything that is left calls that record durable, this is
//! corruption: the pod opens read-only and says so. Otherwise it is the torn tail of a crash, and the next session
//! starts there.

use std::collections::BTreeMap;

use crate::crypto::open_page;
use crate::format::manifest::Manifest;
use crate::format::record::{RecordBody, RecordHeader, RecordKind};
use crate::format::rows::{Bucket, KeptNodes, Key, RunData, Slot, SlotRange};
use crate::journal::overlay::Overlay;
use crate::journal::scan::{Window, stride};
use crate::journal::segments::{Segments, offset_of};
use crate::journal::tail::{CHUNK_PAGES, Totals};
use crate::journal::{JournalError, disk};
use crate::types::Ino;
use crate::types::limits::PAGE;

/// A session that began after the manifest was written.
pub(in crate::journal) struct Later {
    /// Number of its first record: whatever older sessions have from there on does not count.
    pub(in crate::journal) first_record: u64,
    /// Its first segment.
    pub(in crate::journal) segment: u32,
}

/// What replay found.
pub(in crate::journal) struct Replayed {
    pub(in crate::journal) totals: Totals,
    /// Preallocated pages behind what was written: to be punched.
    pub(in crate::journal) trims: Vec<SlotRange>,
    pub(in crate::journal) records: u64,
    /// The record that is damaged although it was durable.
    pub(in crate::journal) damaged: Option<u64>,
}

struct Found {
    header: RecordHeader,
    body: RecordBody,
    /// What was taken for it before: chunks entered.
    entered: Vec<SlotRange>,
}

/// Replays into `overlay`. `durable` is the highest record known durable from elsewhere.
pub(in crate::journal) fn replay(
    segments: &Segments,
    manifest: &Manifest,
    later: Vec<Later>,
    durable: u64,
    overlay: &Overlay,
) -> Result<Replayed, JournalError> {
    let mut walk = walk(segments, manifest, later)?;
    let noted = walk
        .found
        .iter()
        .map(|found| found.header.durable)
        .max()
        .unwrap_or(0);
    let durable = durable
        .max(noted)
        .max(manifest.written)
        .max(manifest.floor.record.saturating_sub(1));
    let mut damaged = walk.gap || durable >= walk.next || called_durable(segments, &walk)?;
    let torn = walk
        .found
        .iter()
        .position(|found| found.header.number > durable && !pages_whole(segments, found));
    if let Some(torn) = torn.filter(|_| !damaged) {
        walk.found.truncate(torn);
    }
    walk.next = walk
        .found
        .last()
        .map_or(manifest.floor.record, |found| found.header.number + 1);
    damaged |= durable >= walk.next;
    let mut state = State::new(manifest);
    let records = walk
        .found
        .iter()
        .filter(|found| found.header.kind == RecordKind::Rows)
        .count() as u64;
    walk.found
        .into_iter()
        .for_each(|found| state.apply(found, manifest, segments, overlay));
    walk.entered
        .into_iter()
        .for_each(|range| state.enter(range, segments));
    state.finish(segments);
    state.totals.next_record = walk.next;
    Ok(Replayed {
        totals: state.totals,
        trims: state.trims,
        records,
        damaged: damaged.then_some(walk.next),
    })
}

struct Walk {
    found: Vec<Found>,
    /// Number of the record that was not found.
    next: u64,
    /// A later session begins further on than the records reach.
    gap: bool,
    /// Chunks entered after the last record.
    entered: Vec<SlotRange>,
    /// Where it ended.
    segment: Option<u32>,
}

fn walk(segments: &Segments, manifest: &Manifest, later: Vec<Later>) -> Result<Walk, JournalError> {
    let mut window = Window::new(segments);
    let mut later = later.into_iter().peekable();
    let mut place = segments
        .get(manifest.floor.segment)
        .map(|segment| (segment, manifest.floor.offset));
    let mut walk = Walk {
        found: Vec::new(),
        next: manifest.floor.record,
        gap: false,
        entered: Vec::new(),
        segment: None,
    };
    loop {
        if let Some(session) = later.next_if(|session| session.first_record <= walk.next) {
            let slot = Slot {
                segment: session.segment,
                page: 1,
            };
            walk.entered.push(SlotRange {
                slot,
                count: CHUNK_PAGES,
            });
            place = segments
                .get(session.segment)
                .map(|segment| (segment, PAGE as u64));
            continue;
        }
        let Some((segment, offset)) = &mut place else {
            break;
        };
        walk.segment = Some(segment.number);
        match window.record(segment, *offset)? {
            Some((header, body)) if header.kind == RecordKind::Jump => {
                let slot = Slot {
                    segment: u32::try_from(header.number).unwrap_or(u32::MAX),
                    page: header.pages,
                };
                let count = body
                    .first_chunk()
                    .map_or(0, |bytes| u32::from_le_bytes(*bytes));
                walk.entered.push(SlotRange { slot, count });
                place = segments
                    .get(slot.segment)
                    .map(|segment| (segment, offset_of(slot.page)));
            }
            Some((header, body)) if header.number == walk.next => {
                let Ok(body) = RecordBody::decode(&body) else {
                    break;
                };
                *offset += stride(&header);
                walk.next += 1;
                walk.found.push(Found {
                    header,
                    body,
                    entered: std::mem::take(&mut walk.entered),
                });
            }
            _ => break,
        }
    }
    walk.gap = later.next().is_some();
    Ok(walk)
}

/// Whether a record behind the end calls the missing one durable.
fn called_durable(segments: &Segments, walk: &Walk) -> Result<bool, JournalError> {
    let Some(last) = walk.segment.and_then(|number| segments.get(number)) else {
        return Ok(false);
    };
    let mut window = Window::new(segments);
    for number in segments
        .numbers()
        .into_iter()
        .filter(|number| *number >= last.number)
    {
        if let Some(segment) = segments
            .get(number)
            .filter(|segment| segment.session.id == last.session.id)
            && window.called_durable(&segment, walk.next)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the pages of a record are in the file: its own extent rows have their tags.
fn pages_whole(segments: &Segments, found: &Found) -> bool {
    let Some(base) = found
        .body
        .base
        .filter(|_| found.header.kind == RecordKind::Rows)
    else {
        return true;
    };
    let own = base.page..base.page + found.header.pages;
    let rows = found.body.rows.iter();
    let mut runs = rows.flat_map(|(key, value)| runs_of(key, value.as_deref().unwrap_or_default()));
    runs.all(|data| {
        let mine = data.slot.segment == base.segment && own.contains(&data.slot.page);
        !mine || run_whole(segments, &data)
    })
}

/// The pages that a row names.
fn runs_of(key: &Key, value: &[u8]) -> Vec<RunData> {
    match key.kind() {
        b'E' => {
            let bucket = Bucket::decode(value).unwrap_or_default();
            let runs = bucket.runs.iter();
            runs.filter_map(|run| run.data().cloned()).collect()
        }
        b'N' => {
            let nodes = KeptNodes::decode(value).unwrap_or_default().0;
            nodes.iter().map(|(_, node)| node.data()).collect()
        }
        _ => Vec::new(),
    }
}

fn run_whole(segments: &Segments, data: &RunData) -> bool {
    let Some(segment) = segments.get(data.slot.segment) else {
        return false;
    };
    let Ok(file) = segments.file(data.slot.segment) else {
        return false;
    };
    let mut bytes = vec![0; data.tags.len() * PAGE];
    if disk::read_all(&*file, &mut bytes, offset_of(data.slot.page)).is_err() {
        return false;
    }
    let mut pages = (data.number..).zip(bytes.as_chunks_mut::<PAGE>().0.iter_mut().zip(&data.tags));
    pages.all(|(number, (page, tag))| {
        open_page(&segment.session.keys.page, number, page, tag).is_ok()
    })
}

/// The tail's bookkeeping, done again.
struct State {
    totals: Totals,
    chunk: SlotRange,
    tail: Slot,
    trims: Vec<SlotRange>,
}

impl State {
    fn new(manifest: &Manifest) -> Self {
        let live: BTreeMap<u32, u32> = manifest
            .segments
            .iter()
            .map(|entry| (entry.number, entry.live))
            .collect();
        let totals = Totals {
            reserved: manifest.reserved,
            next_ino: manifest.next_ino,
            live,
            ..Totals::default()
        };
        Self {
            totals,
            chunk: manifest.chunk,
            tail: manifest.tail,
            trims: Vec::new(),
        }
    }

    fn apply(&mut self, found: Found, manifest: &Manifest, segments: &Segments, overlay: &Overlay) {
        let Found {
            header,
            body,
            entered,
        } = found;
        for range in entered {
            self.enter(range, segments);
        }
        self.totals.replay_bytes += stride(&header);
        self.totals.reserved = self.totals.reserved.saturating_add_signed(body.reserve);
        self.totals.dead.extend(&body.frees);
        if let Some(slot) = body.base {
            let range = SlotRange {
                slot,
                count: header.pages,
            };
            self.take(range, segments);
            // Nodes of a checkpoint that never got its manifest are dead; those of this manifest are counted in it.
            if header.kind == RecordKind::Nodes {
                if header.number > manifest.written {
                    self.totals.dead.push(range);
                } else if let Some(live) = self.totals.live.get_mut(&slot.segment) {
                    *live = live.saturating_sub(range.count);
                }
            }
        }
        for (key, value) in &body.rows {
            if key.kind() == b'I' && value.is_some() {
                self.totals.next_ino = self.totals.next_ino.max(Ino(key.field(0)).counter() + 1);
            }
        }
        overlay.apply(
            body.rows
                .into_iter()
                .map(|(key, value)| (key, value.map(Into::into))),
        );
    }

    /// The log went on in another chunk.
    fn enter(&mut self, range: SlotRange, segments: &Segments) {
        let old = std::mem::replace(&mut self.chunk, range);
        if old.count > 0 {
            self.totals.dead.push(old);
        }
        self.take(range, segments);
    }

    fn take(&mut self, range: SlotRange, segments: &Segments) {
        *self.totals.live.entry(range.slot.segment).or_default() += range.count;
        if self.tail.segment != range.slot.segment {
            self.trim(segments);
        }
        self.tail = range.slot.add(range.count);
    }

    /// Whatever is preallocated behind the tail was never written, or torn.
    fn trim(&mut self, segments: &Segments) {
        if let Some(segment) = segments.get(self.tail.segment) {
            let count = segment.pages.saturating_sub(self.tail.page);
            self.trims.push(SlotRange {
                slot: self.tail,
                count,
            });
        }
    }

    /// The session ended here: its last chunk takes no more records.
    fn finish(&mut self, segments: &Segments) {
        if self.chunk.count > 0 {
            self.totals.dead.push(self.chunk);
        }
        self.trim(segments);
    }
}
