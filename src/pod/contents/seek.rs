use crate::format::rows::{Bucket, Key};
use crate::pod::Pod;
use crate::pod::contents::buckets::PAGES;
use crate::pod::contents::{PAGE_BYTES, last_bucket};
use crate::pod::error::PodError;
use crate::types::Ino;

/// Rows looked at in one scan.
const SCAN: usize = 128;

/// What `lseek` looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// `SEEK_DATA`: the first byte from the offset on that was written.
    Data,
    /// `SEEK_HOLE`: the first that was not; preallocated pages count as holes, and so does the end of the file.
    Hole,
}

impl Pod {
    /// Finds data or a hole from `offset` on. [`PodError::NoSuchOffset`] at or behind the end of the file, or when
    /// no data follows.
    pub fn seek(&self, ino: Ino, offset: u64, what: Seek) -> Result<u64, PodError> {
        let size = self.file(ino)?.size;
        if offset >= size {
            return Err(PodError::NoSuchOffset);
        }
        let page = match what {
            Seek::Data => self.next_data(ino, offset / PAGE_BYTES, size)?,
            Seek::Hole => Some(self.next_hole(ino, offset / PAGE_BYTES, size)?),
        };
        let found = page.map(|page| page.saturating_mul(PAGE_BYTES).max(offset));
        match what {
            Seek::Data => found.filter(|at| *at < size).ok_or(PodError::NoSuchOffset),
            Seek::Hole => Ok(found.unwrap_or(size).min(size)),
        }
    }

    /// The first page of data, `from` or behind it.
    fn next_data(&self, ino: Ino, from: u64, size: u64) -> Result<Option<u64>, PodError> {
        let last = last_bucket(size);
        let mut bucket = from / PAGES;
        while bucket <= last {
            let (first, last) = (Key::extent(ino, bucket), Key::extent(ino, last));
            let rows = self.rows.scan(&first, &last, SCAN)?;
            for (key, row) in &rows {
                let base = key.field(1) * PAGES;
                let runs = Bucket::decode(row)?.runs;
                let mut data = runs.iter().filter(|run| run.is_written());
                if let Some(run) = data.find(|run| base + run.end() as u64 > from) {
                    return Ok(Some(from.max(base + u64::from(run.start))));
                }
            }
            match rows.last() {
                Some((key, _)) if rows.len() == SCAN => bucket = key.field(1) + 1,
                _ => break,
            }
        }
        Ok(None)
    }

    /// The first page that is not data, `from` or behind it.
    fn next_hole(&self, ino: Ino, from: u64, size: u64) -> Result<u64, PodError> {
        let last = last_bucket(size);
        let mut at = from;
        while at / PAGES <= last {
            let (first, last) = (Key::extent(ino, at / PAGES), Key::extent(ino, last));
            let rows = self.rows.scan(&first, &last, SCAN)?;
            for (key, row) in &rows {
                let base = key.field(1) * PAGES;
                let runs = Bucket::decode(row)?.runs;
                for run in runs.iter().filter(|run| run.is_written()) {
                    let (start, end) = (base + u64::from(run.start), base + run.end() as u64);
                    if start <= at && at < end {
                        at = end;
                    }
                }
                if at < base + PAGES {
                    return Ok(at);
                }
            }
            if rows.len() < SCAN {
                break;
            }
        }
        Ok(at)
    }
}
