use std::ops::Range;

use crate::format::rows::{Bucket, Key, Run, RunData};
use crate::journal::{JournalError, Value};
use crate::pod::Pod;
use crate::pod::contents::PAGE_BYTES;
use crate::pod::contents::buckets::{PAGES, follows};
use crate::pod::error::PodError;
use crate::types::Ino;
use crate::types::limits::PAGE;

/// How often rows may change under a reader before it gives up: each turn, a writer came in between.
const TURNS_MAX: u32 = 64;

impl Pod {
    /// Reads up to `len` bytes from `offset` on; `out` then holds just what was read, less than `len` only at the
    /// end of the file. Takes no lock. An `out` that is used again costs no clearing.
    pub fn read(&self, ino: Ino, offset: u64, len: u32, out: &mut Vec<u8>) -> Result<(), PodError> {
        let inode = self.file(ino)?;
        let end = inode.size.min(offset.saturating_add(u64::from(len)));
        if offset >= end {
            out.clear();
            return Ok(());
        }
        let pages = offset / PAGE_BYTES..end.div_ceil(PAGE_BYTES);
        let bytes = bytes_of(pages.end - pages.start);
        out.truncate(bytes);
        out.resize(bytes, 0);
        self.read_pages(ino, pages, out)?;
        let skip = usize::try_from(offset % PAGE_BYTES).unwrap_or(0);
        out.truncate(skip + usize::try_from(end - offset).unwrap_or(usize::MAX));
        drop(out.drain(..skip));
        Ok(())
    }

    /// Reads whole pages, holes as zeros. A page that fails may have been overwritten and its place given back since
    /// its row was read: then the row is another one now. If it is the same, the error is true.
    fn read_pages(&self, ino: Ino, pages: Range<u64>, out: &mut [u8]) -> Result<(), PodError> {
        let (first, last) = (pages.start / PAGES, (pages.end - 1) / PAGES);
        let (from, to) = (Key::extent(ino, first), Key::extent(ino, last));
        let limit = usize::try_from(last - first + 1).unwrap_or(usize::MAX);
        let mut rows = self.rows.scan(&from, &to, limit)?;
        let mut turns = 0;
        loop {
            let Err(error) = self.open_rows(&rows, &pages, out) else {
                return Ok(());
            };
            let again = self.rows.scan(&from, &to, limit)?;
            turns += 1;
            if again == rows || turns == TURNS_MAX {
                return Err(error);
            }
            rows = again;
        }
    }

    /// Opens what `rows` name of `pages` into `out`, in as few reads as the log allows.
    fn open_rows(
        &self,
        rows: &[(Key, Value)],
        pages: &Range<u64>,
        out: &mut [u8],
    ) -> Result<(), PodError> {
        let mut next = pages.start;
        let mut stretch: Option<Stretch> = None;
        for (key, row) in rows {
            let base = key.field(1).saturating_mul(PAGES);
            for run in Bucket::decode(row)?.runs {
                let (start, end) = clip(base, &run, pages);
                let Some(data) = run.data.filter(|_| start < end) else {
                    continue;
                };
                let skip = start - (base + u64::from(run.start));
                if let Some(open) = stretch.as_mut()
                    && open.pages.end == start
                    && open.continued_by(&data)
                {
                    open.data.tags.extend_from_slice(&data.tags);
                    open.pages.end = end;
                    continue;
                }
                if let Some(done) = stretch.take() {
                    next = self.open_stretch(&done, next, pages.start, out)?;
                }
                stretch = Some(Stretch {
                    data,
                    skip: usize::try_from(skip).unwrap_or(usize::MAX),
                    pages: start..end,
                });
            }
        }
        if let Some(done) = stretch {
            next = self.open_stretch(&done, next, pages.start, out)?;
        }
        if let Some(hole) = out.get_mut(bytes_of(next - pages.start)..) {
            hole.fill(0);
        }
        Ok(())
    }

    /// Zeros from page `next` up to the stretch, then the stretch; gives the page behind it.
    fn open_stretch(
        &self,
        stretch: &Stretch,
        next: u64,
        base: u64,
        out: &mut [u8],
    ) -> Result<u64, PodError> {
        let (from, to) = (stretch.pages.start - base, stretch.pages.end - base);
        if let Some(hole) = out.get_mut(bytes_of(next - base)..bytes_of(from)) {
            hole.fill(0);
        }
        let place = out.get_mut(bytes_of(from)..bytes_of(to));
        self.rows
            .read(&stretch.data, stretch.skip, place.unwrap_or_default())?;
        Ok(stretch.pages.end)
    }

    /// Reads one page of a run, by the page's place in its bucket.
    pub(super) fn read_page(
        &self,
        run: Option<&Run>,
        at: u64,
        out: &mut [u8; PAGE],
    ) -> Result<(), JournalError> {
        let Some((run, data)) = run.and_then(|run| Some((run, run.data.as_ref()?))) else {
            out.fill(0);
            return Ok(());
        };
        let nth = (at % PAGES).saturating_sub(u64::from(run.start));
        self.rows
            .read(data, usize::try_from(nth).unwrap_or(usize::MAX), out)
    }
}

/// Pages of a file that are contiguous in the log.
struct Stretch {
    data: RunData,
    /// Pages of `data` before the first that is wanted.
    skip: usize,
    pages: Range<u64>,
}

impl Stretch {
    fn continued_by(&self, next: &RunData) -> bool {
        let count = u32::try_from(self.data.tags.len()).unwrap_or(u32::MAX);
        follows(&self.data, count, next)
    }
}

/// The pages of `run`, in a bucket that begins at page `base`, that are wanted.
fn clip(base: u64, run: &Run, pages: &Range<u64>) -> (u64, u64) {
    let start = base + u64::from(run.start);
    let end = start + u64::from(run.count);
    (start.max(pages.start), end.min(pages.end))
}

/// Bytes of that many pages.
fn bytes_of(pages: u64) -> usize {
    usize::try_from(pages.saturating_mul(PAGE_BYTES)).unwrap_or(usize::MAX)
}
