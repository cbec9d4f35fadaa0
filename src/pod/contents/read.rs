use std::ops::Range;

use crate::format::rows::{Bucket, Key, Run, RunKind};
use crate::journal::Value;
use crate::pod::Pod;
use crate::pod::contents::PAGE_BYTES;
use crate::pod::contents::buckets::{PAGES, follows};
use crate::pod::error::PodError;
use crate::pod::remote::Missing;
use crate::types::Ino;
use crate::types::limits::PAGE;

/// How often rows may change under a reader before it gives up: each turn, a writer came in between.
const TURNS_MAX: u32 = 64;

impl Pod {
    /// Reads up to `len` bytes from `offset` on; `out` then holds just what was read, less than `len` only at the
    /// end of the file; [`PodError::Absent`] when it needs pages that are elsewhere. Takes no lock. An `out` that is used again costs no clearing.
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
            let Err(error) = self.open_rows(ino, &rows, &pages, out) else {
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
        ino: Ino,
        rows: &[(Key, Value)],
        pages: &Range<u64>,
        out: &mut [u8],
    ) -> Result<(), PodError> {
        let mut opening = Opening {
            pod: self,
            ino,
            first: pages.start,
            next: pages.start,
            out,
            missing: Missing::default(),
        };
        let mut stretch: Option<Stretch> = None;
        for (key, row) in rows {
            let base = key.field(1).saturating_mul(PAGES);
            for run in Bucket::decode(row)?.runs {
                let (start, end) = clip(base, &run, pages);
                if start >= end {
                    continue;
                }
                if let Some(open) = &mut stretch
                    && open.take(&run, start..end)
                {
                    continue;
                }
                if let Some(done) = stretch.take() {
                    opening.open(&done)?;
                }
                let skip = start - (base + u64::from(run.start));
                stretch = Some(Stretch {
                    kind: run.kind,
                    skip: usize::try_from(skip).unwrap_or(usize::MAX),
                    pages: start..end,
                });
            }
        }
        if let Some(done) = stretch {
            opening.open(&done)?;
        }
        opening.place(pages.end..pages.end);
        opening.missing.none(ino)
    }

    /// Reads one page of a file, which is in `run`; or adds it to `missing`.
    pub(super) fn read_page(
        &self,
        (ino, page): (Ino, u64),
        run: Option<&Run>,
        out: &mut [u8; PAGE],
        missing: &mut Missing,
    ) -> Result<(), PodError> {
        let Some(run) = run else {
            out.fill(0);
            return Ok(());
        };
        match &run.kind {
            RunKind::Unwritten => out.fill(0),
            RunKind::Remote => {
                if !self.remote.page(ino, page, out)? {
                    missing.add(page);
                }
            }
            RunKind::Data(data) => {
                let nth = (page % PAGES).saturating_sub(u64::from(run.start));
                let nth = usize::try_from(nth).unwrap_or(usize::MAX);
                self.rows.read(data, nth, out)?;
            }
        }
        Ok(())
    }
}

/// Pages of a file that are contiguous in it, and in the log.
struct Stretch {
    kind: RunKind,
    /// Pages of `kind` before the first that is wanted.
    skip: usize,
    pages: Range<u64>,
}

impl Stretch {
    /// Grows by the wanted pages of a run that continues it in file and log; false when it does not.
    fn take(&mut self, run: &Run, pages: Range<u64>) -> bool {
        let (RunKind::Data(data), Some(more)) = (&mut self.kind, run.data()) else {
            return false;
        };
        let count = u32::try_from(data.tags.len()).unwrap_or(u32::MAX);
        if self.pages.end != pages.start || !follows(data, count, more) {
            return false;
        }
        data.tags.extend_from_slice(&more.tags);
        self.pages.end = pages.end;
        true
    }
}

/// A read under way.
struct Opening<'a> {
    pod: &'a Pod,
    ino: Ino,
    /// The page that `out` begins with.
    first: u64,
    /// The page behind those done.
    next: u64,
    out: &'a mut [u8],
    missing: Missing,
}

impl Opening<'_> {
    /// Where `pages` go. What lies before them and was not filled is a hole.
    fn place(&mut self, pages: Range<u64>) -> &mut [u8] {
        let (next, first) = (self.next, self.first);
        self.next = pages.end;
        let (from, to) = (bytes_of(pages.start - first), bytes_of(pages.end - first));
        if let Some(hole) = self.out.get_mut(bytes_of(next - first)..from) {
            hole.fill(0);
        }
        self.out.get_mut(from..to).unwrap_or_default()
    }

    fn open(&mut self, stretch: &Stretch) -> Result<(), PodError> {
        let (pod, ino) = (self.pod, self.ino);
        match &stretch.kind {
            RunKind::Unwritten => {}
            RunKind::Data(data) => {
                let place = self.place(stretch.pages.clone());
                pod.rows.read(data, stretch.skip, place)?;
            }
            RunKind::Remote => {
                let mut missing = std::mem::take(&mut self.missing);
                let place = self.place(stretch.pages.clone()).as_chunks_mut::<PAGE>().0;
                for (page, out) in stretch.pages.clone().zip(place) {
                    if !pod.remote.page(ino, page, out)? {
                        missing.add(page);
                    }
                }
                self.missing = missing;
            }
        }
        Ok(())
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
