//! Gives dead pages back to the disk.

use crate::format::rows::SlotRange;
use crate::journal::Journal;

/// Ranges given back before the next checkpoint or the end of the mount gets its turn.
const PART: usize = 256;

impl Journal {
    /// Gives dead pages back to the disk, and segments in which nothing lives. What cannot be given back now is tried
    /// again with the next checkpoint.
    pub(in crate::journal) fn reclaim(&self, frees: &[SlotRange]) {
        let empty: Vec<u32> = {
            // A segment that is being made, and not yet a spare, would look empty.
            let _growing = self.growing.lock();
            let tail = self.tail.lock();
            let dead = |number: &u32| {
                tail.live.get(number).is_none_or(|live| *live == 0) && !tail.in_use(*number)
            };
            self.segments.numbers().into_iter().filter(dead).collect()
        };
        for number in &empty {
            match self.segments.remove(*number) {
                Ok(()) => drop(self.tail.lock().live.remove(number)),
                Err(error) => tracing::warn!(%error, "an empty segment stays"),
            }
        }
        let failed = self.punch_all(frees.iter());
        *self.unpunched.lock() = failed;
        if let Err(error) = self.trim() {
            tracing::warn!(%error, "a spare segment stays");
        }
    }

    /// Punches; gives the ranges that could not be.
    pub(in crate::journal) fn punch_all<'a>(
        &self,
        ranges: impl Iterator<Item = &'a SlotRange>,
    ) -> Vec<SlotRange> {
        let mut failed = Vec::new();
        for range in ranges {
            if let Err(error) = self.segments.punch(*range) {
                tracing::warn!(%error, "dead pages stay");
                failed.push(*range);
            }
        }
        failed
    }

    /// Gives back what the newest checkpoint freed, if a crash may have come between. Mounting does not wait for it:
    /// most of thousands of ranges were given back already, and each costs the file system a transaction.
    pub(in crate::journal) fn resume_reclaim(&self) {
        if self.writable().is_err() {
            return;
        }
        while !self.keeper.is_stopped() {
            let _one = self.checkpointing.lock();
            let part = {
                let mut left = self.unpunched.lock();
                let rest = left.len().saturating_sub(PART);
                left.split_off(rest)
            };
            let failed = self.punch_all(part.iter());
            let stuck = !failed.is_empty();
            self.unpunched.lock().extend(failed);
            if part.is_empty() || stuck {
                break;
            }
        }
        self.tail.lock().returning = 0;
    }
}

/// The same pages in as few ranges as can be, in order.
pub(in crate::journal) fn join(mut ranges: Vec<SlotRange>) -> Vec<SlotRange> {
    ranges.sort_unstable();
    let mut joined: Vec<SlotRange> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.slot.add(last.count) == range.slot => last.count += range.count,
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::rows::Slot;

    #[test]
    fn ranges_that_touch_become_one() {
        let range = |segment, page, count| SlotRange {
            slot: Slot { segment, page },
            count,
        };
        let apart = vec![
            range(1, 9, 1),
            range(0, 4, 4),
            range(0, 8, 2),
            range(1, 10, 3),
            range(1, 14, 1),
        ];
        let joined = vec![range(0, 4, 6), range(1, 9, 4), range(1, 14, 1)];
        assert_eq!(join(apart), joined);
    }
}
