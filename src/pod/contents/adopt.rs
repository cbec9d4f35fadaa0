use crate::format::rows::{Run, RunKind};
use crate::journal::Class;
use crate::pod::Pod;
use crate::pod::contents::buckets::PAGES;
use crate::pod::contents::edit::{Edit, Fill};
use crate::pod::contents::{PAGE_BYTES, last_bucket};
use crate::pod::error::PodError;
use crate::pod::remote::Missing;
use crate::types::Ino;
use crate::types::limits::{PAGE, RECORD_PAGES_MAX};

/// Pages that one record takes in.
const STEP: u64 = RECORD_PAGES_MAX as u64 - 1;

impl Pod {
    /// Takes pages of a file into the log that are published by whoever it was received from, the first ones from page
    /// `from` on. In the network they stay what they are until they are sealed anew. Nothing else of the file changes, and it
    /// may be in use. Gives where to go on; nothing when there are no more.
    ///
    /// # Errors
    /// [`PodError::Absent`]: they have to be fetched first. [`PodError::NoSpace`].
    pub fn adopt(&self, ino: Ino, from: u64) -> Result<Option<u64>, PodError> {
        self.rows.admit(STEP.saturating_mul(PAGE_BYTES))?;
        let _held = self.locks.lock(&[ino]);
        let mut inode = self.file(ino)?;
        let end = inode.size.div_ceil(PAGE_BYTES);
        let mut edit = Edit::new(self);
        let buckets = (from / PAGES, last_bucket(inode.size));
        let limit = usize::try_from(STEP.div_ceil(PAGES)).unwrap_or(usize::MAX);
        let known = edit.load(ino, buckets, limit)?;
        let known = known.saturating_add(1).saturating_mul(PAGES).min(end);
        let theirs = |run: &Run| run.kind == RunKind::Remote;
        let Some(pages) = edit.ranges(ino, &(from..known), theirs).into_iter().next() else {
            return Ok((known < end).then_some(known));
        };
        let pages = pages.start..pages.end.min(pages.start.saturating_add(STEP));
        let (mut bytes, mut page) = (Vec::new(), [0; PAGE]);
        let mut missing = Missing::default();
        for at in pages.clone() {
            self.read_page((ino, at), edit.run_at(ino, at), &mut page, &mut missing)?;
            bytes.extend_from_slice(&page);
        }
        missing.none(ino)?;
        let sealed = self.rows.seal(bytes);
        let next = pages.end;
        edit.replace(ino, &mut inode, pages, Fill::Sealed(&sealed, 0))?;
        edit.append(ino, &inode, Class::Data, Some(sealed))?;
        Ok((next < end).then_some(next))
    }
}
