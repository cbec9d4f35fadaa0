use crate::format::rows::{Inode, Key, Run};
use crate::journal::{Batch, Sealed};
use crate::pod::Pod;
use crate::pod::contents::buckets::PAGES;
use crate::pod::contents::edit::{Edit, Fill};
use crate::pod::contents::shared::SharedGuard;
use crate::pod::contents::{PAGE_BYTES, PAGES_END, ROWS_MAX, last_bucket, regular};
use crate::pod::error::PodError;
use crate::pod::remote::Missing;
use crate::types::Ino;
use crate::types::limits::{FILE_SIZE_MAX, PAGE};

/// What a change of size adds to the caller's record.
#[derive(Default)]
#[must_use = "append the pages with the batch"]
pub(in crate::pod) struct Resized<'p> {
    /// The page of the new end, if it had to be rewritten: goes with the batch.
    pub(in crate::pod) sealed: Option<Sealed>,
    /// Held until the batch is appended.
    pub(in crate::pod) guard: Option<SharedGuard<'p>>,
}

/// What became of the contents of a file that goes.
#[must_use = "the caller has to note what is left to do"]
pub(in crate::pod) enum Freed<'p> {
    /// All is in the batch. The guard is held until that is appended.
    Now(Option<SharedGuard<'p>>),
    /// Too much for one record: the caller keeps the inode with no links, puts its `O` row, and the reaper, which
    /// knows of it, does the rest.
    Later,
}

impl Pod {
    /// Changes the size of a regular file, and of nothing else, whose lock the caller holds, within the caller's batch: `inode` gets size,
    /// pages and cut (the times are the caller's). A batch has room for one such call.
    pub(in crate::pod) fn resize(
        &self,
        ino: Ino,
        inode: &mut Inode,
        size: u64,
        batch: &mut Batch,
    ) -> Result<Resized<'_>, PodError> {
        regular(inode)?;
        if size > FILE_SIZE_MAX {
            return Err(PodError::FileTooLarge);
        }
        let old = std::mem::replace(&mut inode.size, size);
        if size > old {
            if inode.cut <= last_bucket(size) {
                self.finish_reaping(ino, inode)?;
            }
            return Ok(Resized::default());
        }
        if inode.pages == 0 {
            return Ok(Resized::default());
        }
        let mut edit = Edit::new(self);
        let sealed = if size < old {
            self.zero_behind_end(&mut edit, ino, inode)?
        } else {
            None
        };
        if drop_behind_end(&mut edit, ino, inode)? {
            batch.put(Key::orphan(ino), Vec::new());
            self.reaper.push(ino);
        }
        let guard = Some(edit.finish(batch));
        Ok(Resized { sealed, guard })
    }

    /// Rewrites the page of the new end so that only zeros are behind it.
    fn zero_behind_end(
        &self,
        edit: &mut Edit<'_>,
        ino: Ino,
        inode: &mut Inode,
    ) -> Result<Option<Sealed>, PodError> {
        let keep = usize::try_from(inode.size % PAGE_BYTES).unwrap_or(0);
        let at = inode.size / PAGE_BYTES;
        if keep == 0 {
            return Ok(None);
        }
        edit.load(ino, (at / PAGES, at / PAGES), 1)?;
        let run = edit.run_at(ino, at);
        if !run.is_some_and(Run::is_written) {
            return Ok(None);
        }
        let mut page = [0; PAGE];
        let mut missing = Missing::default();
        self.read_page((ino, at), run, &mut page, &mut missing)?;
        missing.none(ino)?;
        page.iter_mut().skip(keep).for_each(|byte| *byte = 0);
        let sealed = self.rows.seal(page.to_vec());
        edit.replace(ino, inode, at..at + 1, Fill::Sealed(&sealed, 0))?;
        Ok(Some(sealed))
    }

    /// Gives back the contents of a file that nobody has open, whose last name goes in the caller's batch and whose
    /// lock the caller holds. A batch has room for one such call.
    pub(in crate::pod) fn free_contents(
        &self,
        ino: Ino,
        inode: &mut Inode,
        batch: &mut Batch,
    ) -> Result<Freed<'_>, PodError> {
        if inode.pages == 0 {
            return Ok(Freed::Now(None));
        }
        // What was cut off before has its `O` row already, and the reaper on its way.
        if inode.cut == u64::MAX && inode.pages <= ROWS_MAX * PAGES {
            let mut edit = Edit::new(self);
            let limit = usize::try_from(ROWS_MAX + 1).unwrap_or(usize::MAX);
            if edit.load(ino, (0, u64::MAX), limit)? == u64::MAX {
                edit.replace(ino, inode, 0..PAGES_END, Fill::Hole)?;
                return Ok(Freed::Now(Some(edit.finish(batch))));
            }
        }
        self.reaper.push(ino);
        Ok(Freed::Later)
    }
}

/// Drops all pages behind the end, preallocated ones too. True when it is too much: then they are cut off and
/// the reaper has to come.
fn drop_behind_end(edit: &mut Edit<'_>, ino: Ino, inode: &mut Inode) -> Result<bool, PodError> {
    let first = inode.size.div_ceil(PAGE_BYTES);
    let dead = first.div_ceil(PAGES);
    if inode.cut <= first / PAGES {
        return Ok(false);
    }
    let all = inode.size == 0 && inode.pages > ROWS_MAX * PAGES;
    if !all {
        let last = inode.cut - 1;
        let limit = usize::try_from(ROWS_MAX + 1).unwrap_or(usize::MAX);
        let known = edit.load(ino, (first / PAGES, last), limit)?;
        let end = if known == last {
            PAGES_END
        } else {
            dead * PAGES
        };
        edit.replace(ino, inode, first..end, Fill::Hole)?;
        if known == last {
            return Ok(false);
        }
    }
    inode.cut = dead;
    Ok(true)
}
