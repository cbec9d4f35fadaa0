use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::format::segment::SegmentHeader;
use crate::journal::{Class, Journal, JournalError};
use crate::types::limits::{BUDGET_RESERVE_PART, PAGE, RECLAIM_WAIT, SEGMENT, SEGMENT_MIN};

/// Room, in bytes of disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// What the pod may take: its budget, or what it has and could still get.
    pub total: u64,
    /// What new data may still take.
    pub free: u64,
    /// What the log takes on the disk.
    pub allocated: u64,
    /// Pages in use, in bytes: data, rows and their checkpoints.
    pub live: u64,
    /// Pages that wait to be given back, in bytes.
    pub dead: u64,
}

/// Dead bytes for which a full disk is worth a checkpoint.
const WORTH_RECLAIM: u64 = 256 * 1024;

impl Journal {
    /// Bytes the log may take on the disk.
    fn limit(&self) -> u64 {
        let allocated = self.segments.allocated.load(Ordering::Relaxed);
        self.budget.unwrap_or_else(|| {
            let reserve = self.segments.host_size() / BUDGET_RESERVE_PART;
            allocated + self.segments.host_free().saturating_sub(reserve)
        })
    }

    /// Where the room is.
    pub fn space(&self) -> Space {
        let allocated = self.segments.allocated.load(Ordering::Relaxed);
        let limit = self.limit();
        let tail = self.tail.lock();
        let unused = tail.secured().saturating_sub(tail.kept(Class::Data, 0)) * PAGE as u64;
        let live: u64 = tail.live.values().map(|pages| u64::from(*pages)).sum();
        let dead = tail.dead_pages + tail.leaving;
        let returning = tail.returning;
        drop(tail);
        let host = self.segments.host_free();
        let growth = limit.saturating_sub(allocated).min(host);
        let free = unused + growth + (dead + returning) * PAGE as u64;
        let page = PAGE as u64;
        Space {
            total: limit.min(allocated + host).max(page),
            free,
            allocated,
            live: live.saturating_sub(dead) * page,
            dead: dead * page,
        }
    }

    /// Preallocates at least `pages` more than the `secured` ones that were too few.
    pub(in crate::journal) fn grow(
        &self,
        secured: u64,
        pages: u64,
        class: Class,
    ) -> Result<(), JournalError> {
        let mut next = self.growing.lock();
        let before = self.tail.lock().secured();
        if before > secured {
            // Somebody else was as short, and first.
            return Ok(());
        }
        let wanted = before + pages;
        let mut size = SEGMENT;
        loop {
            let header = SegmentHeader {
                number: *next,
                first_record: self.first_record,
            };
            let fits = self.segments.allocated.load(Ordering::Relaxed) + size <= self.limit();
            let made = if fits || class == Class::Checkpoint {
                self.segments.create(header, &self.session, size)
            } else {
                Err(JournalError::NoSpace)
            };
            match made {
                Ok(segment) => {
                    *next += 1;
                    let mut tail = self.tail.lock();
                    tail.spares.push_back(segment);
                    if tail.secured() >= wanted {
                        return Ok(());
                    }
                }
                Err(JournalError::NoSpace) if size > SEGMENT_MIN => size /= 2,
                Err(error) => return Err(error),
            }
        }
    }

    /// No room: if enough is dead, waits for the checkpoint that gives it back.
    pub(in crate::journal) fn reclaim_wait(&self, class: Class) -> Result<bool, JournalError> {
        let dead = {
            let tail = self.tail.lock();
            (tail.dead_pages + tail.leaving + tail.returning) * PAGE as u64
        };
        if class == Class::Checkpoint || dead < WORTH_RECLAIM {
            return Err(JournalError::NoSpace);
        }
        if self.keeper.checkpoint_wait(Instant::now() + RECLAIM_WAIT) {
            Ok(true)
        } else {
            Err(JournalError::NoSpace)
        }
    }

    /// Gives spare segments back that nothing is kept for.
    pub(in crate::journal) fn trim(&self) -> Result<(), JournalError> {
        let _growing = self.growing.lock();
        loop {
            let spare = {
                let mut tail = self.tail.lock();
                let kept = tail.kept(Class::Data, 0) + SEGMENT / PAGE as u64;
                let last = tail.spares.back().map_or(0, |spare| u64::from(spare.pages));
                if last == 0 || tail.secured() < kept + last {
                    return Ok(());
                }
                tail.spares.pop_back()
            };
            let Some(spare) = spare else { return Ok(()) };
            self.segments.remove(spare.number)?;
        }
    }

    /// Gives one spare segment back, whatever it is kept for; false when there is none.
    pub(in crate::journal) fn give_spare_back(&self) -> Result<bool, JournalError> {
        let _growing = self.growing.lock();
        let spare = self.tail.lock().spares.pop_back();
        match spare {
            None => Ok(false),
            Some(spare) => self.segments.remove(spare.number).map(|()| true),
        }
    }
}
