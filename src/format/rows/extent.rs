use crate::format::wire::{Malformed, Reader};
use crate::types::limits::BUCKET_PAGES;

/// Authentication tag of a sealed page (AES-256-GCM-SIV, RFC 8452).
pub type Tag = [u8; 16];

/// Where a sealed page is: a log segment and a page in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Number of the segment.
    pub segment: u32,
    /// Page in the segment; page 0 is its header.
    pub page: u32,
}

impl Slot {
    /// Stands, until the record has its place, for "the pages of this record"; `page` counts from the first of them.
    pub const fn pending(page: u32) -> Self {
        Self {
            segment: u32::MAX,
            page,
        }
    }

    /// Whether it waits for the place of its record.
    pub const fn is_pending(self) -> bool {
        self.segment == u32::MAX
    }

    /// Segment in the upper half, page in the lower: the order of slots.
    pub fn as_u64(self) -> u64 {
        u64::from(self.segment).wrapping_shl(32) | u64::from(self.page)
    }

    /// The inverse of [`Slot::as_u64`].
    pub fn from_u64(word: u64) -> Self {
        let half = |word: u64| u32::try_from(word & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        Self {
            segment: half(word.wrapping_shr(32)),
            page: half(word),
        }
    }

    /// The slot `pages` further on in the same segment.
    #[must_use]
    pub const fn add(self, pages: u32) -> Self {
        Self {
            segment: self.segment,
            page: self.page.saturating_add(pages),
        }
    }
}

/// `count` pages from `slot` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotRange {
    /// The first page.
    pub slot: Slot,
    /// How many.
    pub count: u32,
}

/// Sealed pages of a run: contiguous in the log, sealed under consecutive write numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunData {
    /// Place of the first page.
    pub slot: Slot,
    /// Write number of the first page, never used again in its session.
    pub number: u64,
    /// Whether an `R` row counts these pages: they may be named by other runs too.
    pub shared: bool,
    /// One tag a page.
    pub tags: Vec<Tag>,
}

/// Pages `start .. start + count` of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// First page within the bucket, 0 to 31.
    pub start: u8,
    /// Pages, 1 to 32.
    pub count: u8,
    /// Sealed pages, or `None`: preallocated, reads as zeros.
    pub data: Option<RunData>,
}

/// One page of a [`Bucket`], taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageState {
    /// Nothing there; reads as zeros.
    Hole,
    /// Preallocated; reads as zeros.
    Unwritten,
    /// A sealed page.
    Data {
        /// Its place.
        slot: Slot,
        /// Its write number.
        number: u64,
        /// Whether an `R` row counts it.
        shared: bool,
        /// Its tag.
        tag: Tag,
    },
}

/// Value of an `E` row: where 32 pages (128 KiB) of a file are. Runs are sorted and do not overlap; gaps are holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The runs.
    pub runs: Vec<Run>,
}

const UNWRITTEN: u8 = 0;
const DATA: u8 = 1;
const SHARED: u8 = 2;

impl Run {
    /// The page behind the last.
    pub fn end(&self) -> usize {
        usize::from(self.start).saturating_add(usize::from(self.count))
    }
}

impl Bucket {
    /// The state of every page.
    pub fn pages(&self) -> [PageState; BUCKET_PAGES] {
        let mut pages = [const { PageState::Hole }; BUCKET_PAGES];
        for run in &self.runs {
            for (at, page) in (0_u32..).zip(
                pages
                    .iter_mut()
                    .take(run.end())
                    .skip(usize::from(run.start)),
            ) {
                let nth = usize::try_from(at).unwrap_or(usize::MAX);
                *page = match &run.data {
                    None => PageState::Unwritten,
                    Some(data) => PageState::Data {
                        slot: data.slot.add(at),
                        number: data.number.wrapping_add(u64::from(at)),
                        shared: data.shared,
                        tag: data.tags.get(nth).copied().unwrap_or_default(),
                    },
                };
            }
        }
        pages
    }

    /// Joins page states into the fewest runs.
    pub fn from_pages(pages: &[PageState; BUCKET_PAGES]) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for (at, page) in (0_u8..).zip(pages) {
            let adjoining = runs.last_mut().filter(|run| run.end() == usize::from(at));
            match (adjoining, page) {
                (_, PageState::Hole) => {}
                (Some(run), page) if run.joins(page) => run.push(page),
                (_, PageState::Unwritten) => runs.push(Run {
                    start: at,
                    count: 1,
                    data: None,
                }),
                (
                    _,
                    PageState::Data {
                        slot,
                        number,
                        shared,
                        tag,
                    },
                ) => {
                    let data = RunData {
                        slot: *slot,
                        number: *number,
                        shared: *shared,
                        tags: vec![*tag],
                    };
                    runs.push(Run {
                        start: at,
                        count: 1,
                        data: Some(data),
                    });
                }
            }
        }
        Self { runs }
    }

    /// Pages that take room, written or preallocated.
    pub fn taken(&self) -> u32 {
        self.runs.iter().map(|run| u32::from(run.count)).sum()
    }

    /// Preallocated pages.
    pub fn unwritten(&self) -> u32 {
        self.runs
            .iter()
            .filter(|run| run.data.is_none())
            .map(|run| u32::from(run.count))
            .sum()
    }

    /// Gives pending slots their place: the record's pages begin at `base`.
    pub fn resolve(&mut self, base: Slot) {
        for data in self.runs.iter_mut().filter_map(|run| run.data.as_mut()) {
            if data.slot.is_pending() {
                data.slot = base.add(data.slot.page);
            }
        }
    }

    /// Bytes of the row, whatever the slots are.
    pub fn encoded_len(&self) -> usize {
        self.runs.iter().fold(0_usize, |sum, run| {
            let data = run.data.as_ref().map_or(0, |data| {
                data.tags.len().saturating_mul(16).saturating_add(16)
            });
            sum.saturating_add(3).saturating_add(data)
        })
    }

    /// Bytes of the row: per run `start u8, count u8, kind u8`, for data `segment u32, page u32, number u64, tags`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        for run in &self.runs {
            out.extend_from_slice(&[run.start, run.count]);
            let Some(data) = &run.data else {
                out.push(UNWRITTEN);
                continue;
            };
            out.push(if data.shared { SHARED } else { DATA });
            out.extend_from_slice(&data.slot.segment.to_le_bytes());
            out.extend_from_slice(&data.slot.page.to_le_bytes());
            out.extend_from_slice(&data.number.to_le_bytes());
            data.tags.iter().for_each(|tag| out.extend_from_slice(tag));
        }
        out
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "extent row");
        let mut runs = Vec::with_capacity(2);
        let mut next = 0_usize;
        while !reader.is_empty() {
            let (start, count, kind) = (reader.u8()?, reader.u8()?, reader.u8()?);
            let mut run = Run {
                start,
                count,
                data: None,
            };
            if count == 0 || usize::from(start) < next || run.end() > BUCKET_PAGES {
                return Err(reader.malformed());
            }
            next = run.end();
            if kind != UNWRITTEN {
                if kind != DATA && kind != SHARED {
                    return Err(reader.malformed());
                }
                let slot = Slot {
                    segment: reader.u32()?,
                    page: reader.u32()?,
                };
                let number = reader.u64()?;
                let tags = (0..count)
                    .map(|_| reader.array())
                    .collect::<Result<_, _>>()?;
                run.data = Some(RunData {
                    slot,
                    number,
                    shared: kind == SHARED,
                    tags,
                });
            }
            runs.push(run);
        }
        if runs.is_empty() {
            Err(reader.malformed())
        } else {
            Ok(Self { runs })
        }
    }
}

impl Run {
    fn joins(&self, page: &PageState) -> bool {
        let count = u32::from(self.count);
        match (&self.data, page) {
            (None, PageState::Unwritten) => true,
            (
                Some(data),
                PageState::Data {
                    slot,
                    number,
                    shared,
                    ..
                },
            ) => {
                data.shared == *shared
                    && data.slot.add(count) == *slot
                    && data.number.wrapping_add(u64::from(count)) == *number
            }
            _ => false,
        }
    }

    fn push(&mut self, page: &PageState) {
        self.count = self.count.saturating_add(1);
        if let (Some(data), PageState::Data { tag, .. }) = (&mut self.data, page) {
            data.tags.push(*tag);
        }
    }
}
