use crate::crypto::open_page;
use crate::format::rows::{RunData, Slot};
use crate::journal::segments::offset_of;
use crate::journal::{Journal, JournalError, disk};
use crate::types::limits::{PAGE, STREAM_READ};

impl Journal {
    /// Reads and opens pages of `data`, from its page `from` on, into `out` (whole pages). Bytes that are not those
    /// that were sealed are an error, never data.
    pub fn read(&self, data: &RunData, from: usize, out: &mut [u8]) -> Result<(), JournalError> {
        match self.try_read(data, from, out) {
            Err(JournalError::Corrupt(_)) => {
                // The row is shown before its pages are in the file: once all that is under way is written, it counts.
                let last = self.tail.lock().next_record.saturating_sub(1);
                self.order.wait(last)?;
                self.try_read(data, from, out)
            }
            other => other,
        }
    }

    fn try_read(&self, data: &RunData, from: usize, out: &mut [u8]) -> Result<(), JournalError> {
        let skip = u32::try_from(from).map_err(|_| JournalError::Corrupt(data.slot))?;
        let start = data.slot.add(skip);
        let segment = self
            .segments
            .get(start.segment)
            .ok_or(JournalError::Corrupt(start))?;
        let file = self
            .segments
            .file(start.segment)
            .map_err(|_| JournalError::Corrupt(start))?;
        disk::read_all(&*file, out, offset_of(start.page)).map_err(|errno| {
            JournalError::Io(format!("log segment {:016x}", start.segment), errno)
        })?;
        if out.len() >= STREAM_READ {
            disk::forget(&*file, offset_of(start.page), out.len() as u64);
        }
        let tags = data.tags.get(from..).unwrap_or_default();
        let pages = out.as_chunks_mut::<PAGE>().0;
        if tags.len() < pages.len() {
            return Err(JournalError::Corrupt(start));
        }
        let number = data.number + from as u64;
        for (at, (page, tag)) in (0_u32..).zip(pages.iter_mut().zip(tags)) {
            open_page(
                &segment.session.keys.page,
                number + u64::from(at),
                page,
                tag,
            )
            .map_err(|_| {
                JournalError::Corrupt(Slot {
                    segment: start.segment,
                    page: start.page + at,
                })
            })?;
        }
        Ok(())
    }
}
