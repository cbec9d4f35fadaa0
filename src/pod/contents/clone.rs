use std::ops::Range;

use crate::format::rows::{Inode, Run, RunKind, SlotRange};
use crate::journal::Class;
use crate::pod::Pod;
use crate::pod::contents::buckets::{self, PAGES};
use crate::pod::contents::edit::{Edit, Fill};
use crate::pod::contents::{PAGE_BYTES, ROWS_MAX, last_bucket};
use crate::pod::error::PodError;
use crate::types::Ino;
use crate::types::limits::{BUCKET, FILE_SIZE_MAX};

/// Most bytes shared by one call.
const CALL_MAX: u64 = 256 << 20;
/// Most bytes shared by one record.
const STEP_MAX: u64 = ROWS_MAX * BUCKET;
/// Most bytes that one call copies by reading and writing.
const COPY_MAX: u64 = 1 << 20;
/// Bytes that the record of a clone may bring to the log: two rows a bucket.
const STEP_BYTES: u64 = ROWS_MAX * 2 * 640;

/// One end of a copy.
#[derive(Clone, Copy)]
struct Place {
    ino: Ino,
    offset: u64,
}

impl Place {
    const fn at(self, done: u64) -> Self {
        Self {
            ino: self.ino,
            offset: self.offset + done,
        }
    }

    /// The pages of `len` bytes.
    const fn pages(self, len: u64) -> Range<u64> {
        self.offset / PAGE_BYTES..(self.offset + len).div_ceil(PAGE_BYTES)
    }
}

/// What one record of a copy does.
enum Step {
    /// So many bytes are shared.
    Shared(u64),
    /// So many bytes cannot be shared, and have to be read and written.
    Bytes(u64),
}

impl Pod {
    /// `copy_file_range(2)`: gives how many bytes were copied, 0 at the end of the source. Pages that begin at page
    /// boundaries on both sides are shared, not copied; a call copies at most 256 MiB, of what cannot be shared at
    /// most 1 MiB. Remote pages cannot: they are those of one place in one file. Holes and preallocated pages are
    /// copied as holes.
    #[expect(
        clippy::too_many_arguments,
        reason = "the arguments of the system call"
    )]
    pub fn copy_range(
        &self,
        source: Ino,
        source_offset: u64,
        target: Ino,
        target_offset: u64,
        len: u64,
    ) -> Result<u64, PodError> {
        let from = Place {
            ino: source,
            offset: source_offset,
        };
        let to = Place {
            ino: target,
            offset: target_offset,
        };
        let left = self.file(source)?.size.saturating_sub(source_offset);
        let room = FILE_SIZE_MAX.saturating_sub(target_offset);
        let len = len.min(left).min(CALL_MAX);
        if len == 0 {
            return Ok(0);
        }
        if room == 0 {
            return Err(PodError::FileTooLarge);
        }
        let len = len.min(room);
        if source == target && source_offset.abs_diff(target_offset) < len {
            return Err(PodError::InvalidArgument);
        }
        let mut done = 0;
        let mut copied = 0;
        while done < len && copied < COPY_MAX {
            match self.copy_step(from.at(done), to.at(done), len - done) {
                Ok((0, _)) => break,
                Ok((bytes, shared)) => {
                    done += bytes;
                    copied += if shared { 0 } else { bytes };
                }
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// One record of a copy: its bytes, and whether they are shared.
    fn copy_step(&self, from: Place, to: Place, len: u64) -> Result<(u64, bool), PodError> {
        let skip = from.offset % PAGE_BYTES;
        let piece = if skip != to.offset % PAGE_BYTES {
            len.min(COPY_MAX)
        } else if skip > 0 {
            len.min(PAGE_BYTES - skip)
        } else {
            match self.share_step(from, to, len.min(STEP_MAX))? {
                Step::Shared(bytes) => return Ok((bytes, true)),
                Step::Bytes(bytes) => bytes.min(COPY_MAX),
            }
        };
        Ok((self.copy_bytes(from, to, piece)?, false))
    }

    fn copy_bytes(&self, from: Place, to: Place, len: u64) -> Result<u64, PodError> {
        let mut bytes = Vec::new();
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        self.read(from.ino, from.offset, len, &mut bytes)?;
        self.write(to.ino, to.offset, &bytes, false).map(u64::from)
    }

    /// Makes the target name the pages of the source, up to the first that is remote; nothing when that one comes
    /// first, or when no whole page and no end of both files is in the range.
    fn share_step(&self, from: Place, to: Place, len: u64) -> Result<Step, PodError> {
        self.rows.admit(STEP_BYTES)?;
        let _held = self.locks.lock(&[from.ino, to.ino]);
        let source = self.file(from.ino)?;
        let len = len.min(source.size.saturating_sub(from.offset));
        let mut target = self.file_clear_to(to.ino, last_bucket(to.offset + len))?;
        let tail = len % PAGE_BYTES;
        let both_end = from.offset + len == source.size && to.offset + len >= target.size;
        let mut len = if tail == 0 || both_end {
            len
        } else {
            len - tail
        };
        if len == 0 {
            return Ok(Step::Bytes(tail));
        }
        let mut edit = Edit::new(self);
        edit.load(from.ino, rows(&from.pages(len)), usize::MAX)?;
        let all = from.pages(len);
        let remote = edit.ranges(from.ino, &all, |run| run.kind == RunKind::Remote);
        if let Some(remote) = remote.first() {
            if remote.start == all.start {
                return Ok(Step::Bytes(len.min((remote.end - all.start) * PAGE_BYTES)));
            }
            len = (remote.start - all.start) * PAGE_BYTES;
        }
        edit.load(to.ino, rows(&to.pages(len)), usize::MAX)?;
        let runs = take_references(&mut edit, from.ino, &from.pages(len))?;
        let places = (all.start, to.pages(len));
        name_again(&mut edit, &mut target, to.ino, &runs, places)?;
        target.size = target.size.max(to.offset + len);
        self.touch(&mut target);
        edit.append(to.ino, &target, Class::Data, None)?;
        Ok(Step::Shared(len))
    }
}

/// The extent rows of pages, first and last.
const fn rows(pages: &Range<u64>) -> (u64, u64) {
    (pages.start / PAGES, (pages.end - 1) / PAGES)
}

/// Counts the pages of a range once more; gives their runs, with the file's page each begins at.
fn take_references(
    edit: &mut Edit<'_>,
    ino: Ino,
    pages: &Range<u64>,
) -> Result<Vec<(u64, Run)>, PodError> {
    let mut runs: Vec<(u64, Run)> = Vec::new();
    let mut open: Option<SlotRange> = None;
    for number in edit.numbers(ino, rows(pages)) {
        let range = buckets::within(number, pages);
        edit.mark_shared(ino, number, &range);
        let bucket = edit.bucket(ino, number);
        let pieces = bucket.iter().flat_map(|bucket| &bucket.runs);
        let pieces: Vec<Run> = pieces
            .filter(|run| run.data().is_some())
            .filter_map(|run| buckets::piece(run, &range))
            .collect();
        for run in pieces {
            let Some(data) = run.data() else { continue };
            let count = u32::from(run.count);
            match &mut open {
                Some(open) if open.slot.add(open.count) == data.slot => open.count += count,
                _ => {
                    let next = SlotRange {
                        slot: data.slot,
                        count,
                    };
                    if let Some(done) = open.replace(next) {
                        edit.references.add(done)?;
                    }
                }
            }
            runs.push((number * PAGES + u64::from(run.start), run));
        }
    }
    if let Some(done) = open {
        edit.references.add(done)?;
    }
    Ok(runs)
}

/// Replaces pages `to` of the target by the runs, which lie as far behind its start as they did behind `from`.
fn name_again(
    edit: &mut Edit<'_>,
    target: &mut Inode,
    ino: Ino,
    runs: &[(u64, Run)],
    (from, to): (u64, Range<u64>),
) -> Result<(), PodError> {
    edit.replace(ino, target, to.clone(), Fill::Hole)?;
    for (page, run) in runs {
        let Some(data) = run.data() else { continue };
        let start = to.start + (page - from);
        let pages = start..start + u64::from(run.count);
        edit.replace(ino, target, pages, Fill::Shared(data))?;
    }
    Ok(())
}
