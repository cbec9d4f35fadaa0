use crate::format::rows::Inode;
use crate::journal::{Batch, Class, Pages, Sealed};
use crate::pod::Pod;
use crate::pod::contents::edit::{Edit, Fill};
use crate::pod::contents::{PAGE_BYTES, last_bucket};
use crate::pod::error::PodError;
use crate::pod::remote::Missing;
use crate::types::Ino;
use crate::types::limits::{BUCKET, FILE_SIZE_MAX, PAGE, RECORD_PAGES_MAX};

/// Most bytes that one write takes: wherever it begins, its pages fit a record.
const WRITE_MAX: usize = (RECORD_PAGES_MAX - 1) * PAGE;
const S_ISUID: u32 = 0o4000;
const S_ISGID: u32 = 0o2000;
const S_IXGRP: u32 = 0o0010;

impl Pod {
    /// Writes `data` at `offset`, as one record; gives how many bytes were taken, less than all only above
    /// [`RECORD_PAGES_MAX`] pages or at the largest file size. `kill_priv` clears suid and sgid.
    pub fn write(
        &self,
        ino: Ino,
        offset: u64,
        data: &[u8],
        kill_priv: bool,
    ) -> Result<u32, PodError> {
        if offset >= FILE_SIZE_MAX && !data.is_empty() {
            return Err(PodError::FileTooLarge);
        }
        let room = usize::try_from(FILE_SIZE_MAX.saturating_sub(offset)).unwrap_or(usize::MAX);
        let data = data.get(..room.min(WRITE_MAX)).unwrap_or(data);
        let Some(len) = u32::try_from(data.len()).ok().filter(|len| *len > 0) else {
            return Ok(0);
        };
        let end = offset + u64::from(len);
        self.rows.admit(u64::from(len) + PAGE_BYTES)?;
        // Whole pages need nothing of what was there: they are sealed before anybody has to wait for us.
        let whole = offset.is_multiple_of(PAGE_BYTES) && end.is_multiple_of(PAGE_BYTES);
        let early = whole.then(|| self.rows.seal(Pages::copy(data)));

        let _held = self.locks.lock(&[ino]);
        let mut inode = self.file_clear_to(ino, last_bucket(end))?;
        let mut edit = Edit::new(self);
        edit.load(ino, (offset / BUCKET, last_bucket(end)), usize::MAX)?;
        let sealed = match early {
            Some(sealed) => sealed,
            None => self.seal_padded(&edit, ino, (offset, inode.size), data)?,
        };
        let first = offset / PAGE_BYTES;
        let pages = first..first + u64::from(sealed.pages());
        edit.replace(ino, &mut inode, pages, Fill::Sealed(&sealed, 0))?;
        inode.size = inode.size.max(end);
        if kill_priv {
            inode.mode = without_privileges(inode.mode);
        }
        self.touch(&mut inode);
        edit.append(ino, &inode, Class::Data, Some(sealed))?;
        Ok(len)
    }

    /// Rows for the contents of a file that the caller's batch makes; `inode` gets size and pages. What is sealed goes
    /// with the batch. At most [`RECORD_PAGES_MAX`] pages.
    pub(in crate::pod) fn fill(
        &self,
        ino: Ino,
        inode: &mut Inode,
        data: &[u8],
        batch: &mut Batch,
    ) -> Result<Option<Sealed>, PodError> {
        inode.size = data.len() as u64;
        if data.is_empty() {
            return Ok(None);
        }
        let mut bytes = data.to_vec();
        bytes.resize(data.len().next_multiple_of(PAGE), 0);
        let sealed = self.rows.seal(bytes);
        let mut edit = Edit::new(self);
        let pages = 0..u64::from(sealed.pages());
        edit.replace(ino, inode, pages, Fill::Sealed(&sealed, 0))?;
        // Nothing was there, so no count of shared pages is in it, and nothing needs to be held.
        drop(edit.finish(batch));
        Ok(Some(sealed))
    }

    /// Seals `data`, made whole pages by what the file holds before and behind it.
    fn seal_padded(
        &self,
        edit: &Edit<'_>,
        ino: Ino,
        (offset, size): (u64, u64),
        data: &[u8],
    ) -> Result<Sealed, PodError> {
        let skip = usize::try_from(offset % PAGE_BYTES).unwrap_or(0);
        let whole = (skip + data.len()).next_multiple_of(PAGE);
        let mut bytes = Vec::with_capacity(whole);
        let mut page = [0; PAGE];
        let mut missing = Missing::default();
        let (first, end) = (offset / PAGE_BYTES, offset + data.len() as u64);
        if skip > 0 {
            let run = edit.run_at(ino, first);
            self.read_page((ino, first), run, &mut page, &mut missing)?;
            bytes.extend_from_slice(page.get(..skip).unwrap_or_default());
        }
        bytes.extend_from_slice(data);
        let last = end / PAGE_BYTES;
        if end < size && bytes.len() < whole {
            if skip == 0 || last != first {
                let run = edit.run_at(ino, last);
                self.read_page((ino, last), run, &mut page, &mut missing)?;
            }
            let tail = page.get(bytes.len() % PAGE..).unwrap_or_default();
            bytes.extend_from_slice(tail);
        }
        missing.none(ino)?;
        bytes.resize(whole, 0);
        Ok(self.rows.seal(bytes))
    }
}

/// `mode` as a write by somebody else leaves it: no suid, and no sgid where it means a group.
pub(in crate::pod) const fn without_privileges(mode: u32) -> u32 {
    let killed = if mode & S_IXGRP == 0 {
        S_ISUID
    } else {
        S_ISUID | S_ISGID
    };
    mode & !killed
}
