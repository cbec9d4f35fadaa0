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
    /// Where the pages are.
    pub kind: RunKind,
}

/// Where the pages of a [`Run`] are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunKind {
    /// Preallocated; read as zeros.
    Unwritten,
    /// Not on this machine: those of the published version of this inode, at the same place in it.
    Remote,
    /// Sealed, in the log.
    Data(RunData),
}

/// One page of a [`Bucket`], taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageState {
    /// Nothing there; reads as zeros.
    Hole,
    /// Preallocated; reads as zeros.
    Unwritten,
    /// That of the published version of the inode.
    Remote,
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

impl PageState {
    /// The sealed page, when there is one on this machine.
    pub fn data(&self) -> Option<RunData> {
        match self {
            Self::Hole | Self::Unwritten | Self::Remote => None,
            Self::Data {
                slot,
                number,
                shared,
                tag,
            } => Some(RunData {
                slot: *slot,
                number: *number,
                shared: *shared,
                tags: vec![*tag],
            }),
        }
    }
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
const REMOTE: u8 = 3;

impl Run {
    /// The page behind the last.
    pub fn end(&self) -> usize {
        usize::from(self.start).saturating_add(usize::from(self.count))
    }

    /// The sealed pages, if they are in the log.
    pub const fn data(&self) -> Option<&RunData> {
        self.kind.data()
    }

    /// Whether the pages hold what was written, wherever that is; the others read as zeros.
    pub const fn is_written(&self) -> bool {
        !matches!(self.kind, RunKind::Unwritten)
    }
}

impl RunKind {
    /// The sealed pages, if they are in the log.
    pub const fn data(&self) -> Option<&RunData> {
        match self {
            Self::Data(data) => Some(data),
            Self::Unwritten | Self::Remote => None,
        }
    }

    /// The same, to be changed.
    pub const fn data_mut(&mut self) -> Option<&mut RunData> {
        match self {
            Self::Data(data) => Some(data),
            Self::Unwritten | Self::Remote => None,
        }
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
                *page = match &run.kind {
                    RunKind::Unwritten => PageState::Unwritten,
                    RunKind::Remote => PageState::Remote,
                    RunKind::Data(data) => PageState::Data {
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
            if let Some(run) = adjoining.filter(|run| run.joins(page)) {
                run.push(page);
            } else if let Some(kind) = page.kind() {
                runs.push(Run {
                    start: at,
                    count: 1,
                    kind,
                });
            }
        }
        Self { runs }
    }

    /// Pages that are no holes: written, preallocated, remote.
    pub fn taken(&self) -> u32 {
        self.runs.iter().map(|run| u32::from(run.count)).sum()
    }

    /// Preallocated pages.
    pub fn unwritten(&self) -> u32 {
        self.runs
            .iter()
            .filter(|run| run.kind == RunKind::Unwritten)
            .map(|run| u32::from(run.count))
            .sum()
    }

    /// Gives pending slots their place: the record's pages begin at `base`.
    pub fn resolve(&mut self, base: Slot) {
        let kinds = self.runs.iter_mut().map(|run| &mut run.kind);
        for data in kinds.filter_map(RunKind::data_mut) {
            if data.slot.is_pending() {
                data.slot = base.add(data.slot.page);
            }
        }
    }

    /// Bytes of the row, whatever the slots are.
    pub fn encoded_len(&self) -> usize {
        self.runs.iter().fold(0_usize, |sum, run| {
            let data = run.data().map_or(0, |data| {
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
            let data = match &run.kind {
                RunKind::Unwritten => {
                    out.push(UNWRITTEN);
                    continue;
                }
                RunKind::Remote => {
                    out.push(REMOTE);
                    continue;
                }
                RunKind::Data(data) => data,
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
                kind: RunKind::Unwritten,
            };
            if count == 0 || usize::from(start) < next || run.end() > BUCKET_PAGES {
                return Err(reader.malformed());
            }
            next = run.end();
            run.kind = match kind {
                UNWRITTEN => RunKind::Unwritten,
                REMOTE => RunKind::Remote,
                DATA | SHARED => RunKind::Data(sealed(&mut reader, count, kind == SHARED)?),
                _ => return Err(reader.malformed()),
            };
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
        match (&self.kind, page) {
            (RunKind::Unwritten, PageState::Unwritten) | (RunKind::Remote, PageState::Remote) => {
                true
            }
            (
                RunKind::Data(data),
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
        if let (RunKind::Data(data), PageState::Data { tag, .. }) = (&mut self.kind, page) {
            data.tags.push(*tag);
        }
    }
}

impl PageState {
    /// What a run of this page alone is; `None` for a hole.
    fn kind(&self) -> Option<RunKind> {
        match self {
            Self::Hole => None,
            Self::Unwritten => Some(RunKind::Unwritten),
            Self::Remote => Some(RunKind::Remote),
            Self::Data {
                slot,
                number,
                shared,
                tag,
            } => Some(RunKind::Data(RunData {
                slot: *slot,
                number: *number,
                shared: *shared,
                tags: vec![*tag],
            })),
        }
    }
}

/// What follows the kind of a run of `count` sealed pages.
fn sealed(reader: &mut Reader<'_>, count: u8, shared: bool) -> Result<RunData, Malformed> {
    let slot = Slot {
        segment: reader.u32()?,
        page: reader.u32()?,
    };
    let number = reader.u64()?;
    let tags = (0..count)
        .map(|_| reader.array())
        .collect::<Result<_, _>>()?;
    Ok(RunData {
        slot,
        number,
        shared,
        tags,
    })
}
