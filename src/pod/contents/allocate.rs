use std::ops::Range;

use rustix::fs::FallocateFlags;

use crate::format::rows::{Inode, Run};
use crate::journal::{Class, Sealed};
use crate::pod::Pod;
use crate::pod::contents::buckets::{self, PAGES};
use crate::pod::contents::edit::{Edit, Fill};
use crate::pod::contents::{PAGE_BYTES, PAGES_END, ROWS_MAX, last_bucket};
use crate::pod::error::PodError;
use crate::pod::remote::Missing;
use crate::types::Ino;
use crate::types::limits::{FILE_SIZE_MAX, PAGE};

/// Bytes that a record of a deletion or preallocation may bring to the log: two pages and its rows.
const STEP_BYTES: u64 = 128 * 1024;

impl Pod {
    /// `fallocate(2)`: preallocates, with or without growing the file, punches holes, zeroes ranges. Other modes are
    /// [`PodError::NotSupported`]. Ranges of more than 32 MiB are done in several records; a preallocation that finds
    /// no room gives back what it took.
    pub fn fallocate(
        &self,
        ino: Ino,
        offset: u64,
        len: u64,
        mode: FallocateFlags,
    ) -> Result<(), PodError> {
        let keep = FallocateFlags::KEEP_SIZE;
        let known = keep | FallocateFlags::PUNCH_HOLE | FallocateFlags::ZERO_RANGE;
        let (punch, zero) = (
            mode.contains(FallocateFlags::PUNCH_HOLE),
            mode.contains(FallocateFlags::ZERO_RANGE),
        );
        if !known.contains(mode) || (punch && (zero || !mode.contains(keep))) {
            return Err(PodError::NotSupported);
        }
        if len == 0 {
            return Err(PodError::InvalidArgument);
        }
        let end = offset.checked_add(len).filter(|end| *end <= FILE_SIZE_MAX);
        let bytes = offset..end.ok_or(PodError::FileTooLarge)?;
        let grow = !mode.contains(keep);
        if punch {
            self.clear_range(ino, &bytes, false)
        } else if zero {
            self.clear_range(ino, &bytes, true)?;
            self.preallocate(ino, &bytes, grow)
        } else {
            self.preallocate(ino, &bytes, grow)
        }
    }

    /// Makes preallocated pages of all holes, then grows the file.
    fn preallocate(&self, ino: Ino, bytes: &Range<u64>, grow: bool) -> Result<(), PodError> {
        let pages = bytes.start / PAGE_BYTES..bytes.end.div_ceil(PAGE_BYTES);
        // Even if all the file has were within the range: what cannot fit is refused before anything is written.
        let missing = (pages.end - pages.start).saturating_sub(self.file(ino)?.pages);
        if missing.saturating_mul(PAGE_BYTES) > self.rows.space().free {
            return Err(PodError::NoSpace);
        }
        let mut taken = Vec::new();
        let mut next = pages.start;
        while next < pages.end {
            let step = next..pages.end.min((next / PAGES + ROWS_MAX) * PAGES);
            next = step.end;
            let grown = (next == pages.end).then_some(if grow { bytes.end } else { 0 });
            if let Err(error) = self.preallocate_step(ino, step, grown, &mut taken) {
                self.give_back(ino, &taken)?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// One record of a preallocation; the last one knows the size the file shall have at least.
    fn preallocate_step(
        &self,
        ino: Ino,
        pages: Range<u64>,
        grown: Option<u64>,
        taken: &mut Vec<Range<u64>>,
    ) -> Result<(), PodError> {
        self.rows.admit(STEP_BYTES)?;
        let _held = self.locks.lock(&[ino]);
        let (first, last) = (pages.start / PAGES, (pages.end - 1) / PAGES);
        let mut inode = self.file_clear_to(ino, last)?;
        let mut edit = Edit::new(self);
        edit.load(ino, (first, last), usize::MAX)?;
        let mut added = Vec::new();
        for number in first..=last {
            let range = buckets::within(number, &pages);
            let holes = match edit.bucket(ino, number) {
                Some(bucket) => buckets::holes(bucket, &range),
                None => vec![range],
            };
            for hole in holes {
                let base = number * PAGES;
                let hole = base + u64::from(hole.start)..base + u64::from(hole.end);
                edit.replace(ino, &mut inode, hole.clone(), Fill::Unwritten)?;
                added.push(hole);
            }
        }
        if let Some(size) = grown {
            inode.size = inode.size.max(size);
            self.touch(&mut inode);
        } else if added.is_empty() {
            return Ok(());
        }
        edit.append(ino, &inode, Class::Data, None)?;
        for range in added {
            buckets::add_range(taken, range);
        }
        Ok(())
    }

    /// Makes holes again of pages that were preallocated and not written since.
    fn give_back(&self, ino: Ino, taken: &[Range<u64>]) -> Result<(), PodError> {
        for range in taken {
            let mut next = range.start;
            while next < range.end {
                let pages = next..range.end.min((next / PAGES + ROWS_MAX) * PAGES);
                next = pages.end;
                let _held = self.locks.lock(&[ino]);
                let (first, last) = (pages.start / PAGES, (pages.end - 1) / PAGES);
                let mut inode = self.file_clear_to(ino, last)?;
                let mut edit = Edit::new(self);
                edit.load(ino, (first, last), usize::MAX)?;
                for unwritten in edit.ranges(ino, &pages, |run| !run.is_written()) {
                    edit.replace(ino, &mut inode, unwritten, Fill::Hole)?;
                }
                edit.append(ino, &inode, Class::Meta, None)?;
            }
        }
        Ok(())
    }

    /// Zeroes a range: whole pages are dropped, or become preallocated where `keep_room`; what remains of a page
    /// at either end is rewritten.
    fn clear_range(&self, ino: Ino, bytes: &Range<u64>, keep_room: bool) -> Result<(), PodError> {
        let mut next = None;
        loop {
            self.rows.admit(STEP_BYTES)?;
            let _held = self.locks.lock(&[ino]);
            let mut inode = self.file_clear_to(ino, last_bucket(bytes.end))?;
            let mut edit = Edit::new(self);
            let sealed = match next {
                None => self.zero_ends(&mut edit, ino, &mut inode, bytes)?,
                Some(_) => None,
            };
            let whole = whole_pages(bytes, inode.size);
            let from = next.unwrap_or(whole.start);
            let done = clear_step(&mut edit, (ino, &mut inode), from..whole.end, keep_room)?;
            self.touch(&mut inode);
            let class = if keep_room { Class::Data } else { Class::Meta };
            edit.append(ino, &inode, class, sealed)?;
            if done >= whole.end {
                return Ok(());
            }
            next = Some(done);
        }
    }

    /// Rewrites the pages that a range covers in part, zeroed within it, where they hold data.
    fn zero_ends(
        &self,
        edit: &mut Edit<'_>,
        ino: Ino,
        inode: &mut Inode,
        bytes: &Range<u64>,
    ) -> Result<Option<Sealed>, PodError> {
        let whole = whole_pages(bytes, inode.size);
        let (first, last) = (bytes.start / PAGE_BYTES, (bytes.end - 1) / PAGE_BYTES);
        let mut partial = vec![first, last];
        partial.dedup();
        partial.retain(|page| !whole.contains(page) && page * PAGE_BYTES < inode.size);
        let mut missing = Missing::default();
        let mut buffer = Vec::new();
        let mut rewritten = Vec::new();
        for page in partial {
            edit.load(ino, (page / PAGES, page / PAGES), 1)?;
            let run = edit.run_at(ino, page);
            if !run.is_some_and(Run::is_written) {
                continue;
            }
            let mut plain = [0; PAGE];
            self.read_page((ino, page), run, &mut plain, &mut missing)?;
            let base = page * PAGE_BYTES;
            let inside = |at: u64| {
                usize::try_from(at.saturating_sub(base))
                    .unwrap_or(PAGE)
                    .min(PAGE)
            };
            if let Some(zeroed) = plain.get_mut(inside(bytes.start)..inside(bytes.end)) {
                zeroed.fill(0);
            }
            buffer.extend_from_slice(&plain);
            rewritten.push(page);
        }
        missing.none(ino)?;
        if rewritten.is_empty() {
            return Ok(None);
        }
        let sealed = self.rows.seal(buffer);
        for (nth, page) in (0..).zip(rewritten) {
            edit.replace(ino, inode, page..page + 1, Fill::Sealed(&sealed, nth))?;
        }
        Ok(Some(sealed))
    }
}

/// Clears whole pages of a file, as many as one record may; gives the page up to which it came.
fn clear_step(
    edit: &mut Edit<'_>,
    (ino, inode): (Ino, &mut Inode),
    pages: Range<u64>,
    keep_room: bool,
) -> Result<u64, PodError> {
    if pages.is_empty() {
        return Ok(pages.end);
    }
    let (first, last) = (pages.start / PAGES, (pages.end - 1) / PAGES);
    let limit = usize::try_from(ROWS_MAX).unwrap_or(usize::MAX);
    let known = edit.load(ino, (first, last), limit)?;
    let end = pages.end.min((known + 1).saturating_mul(PAGES));
    if keep_room {
        // Only what is there: holes between are preallocated afterwards, in records of their own.
        for data in edit.ranges(ino, &(pages.start..end), Run::is_written) {
            edit.replace(ino, inode, data, Fill::Unwritten)?;
        }
    } else {
        edit.replace(ino, inode, pages.start..end, Fill::Hole)?;
    }
    Ok(end)
}

/// The pages that may be cleared whole. The last page of the file is one of them when the range reaches the end:
/// behind it are zeros only.
fn whole_pages(bytes: &Range<u64>, size: u64) -> Range<u64> {
    let start = bytes.start.div_ceil(PAGE_BYTES);
    let end = if bytes.end >= size {
        bytes.end.div_ceil(PAGE_BYTES)
    } else {
        bytes.end / PAGE_BYTES
    };
    start..end.clamp(start, PAGES_END)
}
