//! When a publication begins: after some quiet, or at the latest some time after the first change, the later the longer
//! the changes go on.

use std::time::{Duration, Instant};

use crate::types::limits::{PUBLISH_AFTER, PUBLISH_AFTER_MAX, PUBLISH_QUIET, SEND_AGAIN};

/// What is known of the changes since the last cut.
pub(super) struct Schedule {
    operations: u64,
    first: Option<Instant>,
    last: Instant,
    after: Duration,
    hurried: bool,
    /// From when a cut is due until it was published: whether it was made in quiet.
    under_way: Option<bool>,
    /// When what is left over is sent again at the earliest.
    again: Option<Instant>,
}

impl Schedule {
    /// Something may have changed before the start, which is `now`.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            operations: 0,
            first: Some(now),
            last: now,
            after: PUBLISH_AFTER,
            hurried: false,
            under_way: None,
            again: None,
        }
    }

    /// Asks for a publication without delay.
    pub(super) const fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Whether a cut shall be made now, `operations` having been done in all; asked about once a second while there is
    /// none. `tight`: what is not published is in the way.
    pub(super) fn is_due(&mut self, now: Instant, operations: u64, tight: bool) -> bool {
        if operations != self.operations {
            self.operations = operations;
            self.last = now;
            self.first.get_or_insert(now);
        }
        let quiet = now.saturating_duration_since(self.last) >= PUBLISH_QUIET;
        let is_late = |first| now.saturating_duration_since(first) >= self.after;
        let wanted = self
            .first
            .is_some_and(|first| quiet || tight || is_late(first));
        // One that was due and was not made still is.
        let due = self.under_way.is_some() || self.hurried || wanted;
        if due {
            self.first = None;
            self.hurried = false;
            self.under_way = Some(quiet);
        }
        due
    }

    /// Whether what is left over of earlier publications shall be sent now: not all the time, for some of it may be
    /// what nobody can make any more.
    pub(super) fn may_send_again(&mut self, now: Instant) -> bool {
        let due = self.again.is_none_or(|again| now >= again);
        if due {
            self.again = Some(now + SEND_AGAIN);
        }
        due
    }

    /// Whether everything that changed was published.
    pub(super) const fn is_idle(&self, operations: u64) -> bool {
        self.first.is_none()
            && !self.hurried
            && self.under_way.is_none()
            && operations == self.operations
    }

    /// The cut was published. Under constant change the next one waits for twice as long.
    pub(super) fn published(&mut self) {
        let quiet = self.under_way.take();
        self.after = if quiet == Some(true) {
            PUBLISH_AFTER
        } else {
            (self.after * 2).min(PUBLISH_AFTER_MAX)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(500);

    /// How long it takes until a cut is due when something changes at each tick for `busy`, and then nothing.
    fn wait(
        schedule: &mut Schedule,
        now: &mut Instant,
        operations: &mut u64,
        busy: Duration,
    ) -> Duration {
        let start = *now;
        loop {
            if now.duration_since(start) < busy {
                *operations += 1;
            }
            if schedule.is_due(*now, *operations, false) {
                return now.duration_since(start);
            }
            *now += TICK;
        }
    }

    #[test]
    fn a_change_waits_for_quiet_and_never_for_long() {
        let (mut now, mut operations) = (Instant::now(), 0);
        let mut schedule = Schedule::new(now);
        let mut next = |busy| {
            let waited = wait(&mut schedule, &mut now, &mut operations, busy);
            assert!(!schedule.is_idle(operations));
            schedule.published();
            assert!(schedule.is_idle(operations));
            assert!(!schedule.is_due(now, operations, true), "nothing changed");
            waited
        };
        // What was there before the start.
        assert_eq!(next(Duration::ZERO), PUBLISH_QUIET);
        assert_eq!(next(TICK), PUBLISH_QUIET);
        assert_eq!(next(TICK * 11), TICK * 10 + PUBLISH_QUIET);
        for after in [60, 120, 240, 480, 900, 900] {
            assert_eq!(next(Duration::MAX), Duration::from_secs(after));
        }
        // The first quiet makes it prompt again, once it was published.
        assert_eq!(next(TICK), PUBLISH_QUIET);
        assert_eq!(next(Duration::MAX), PUBLISH_AFTER);
    }

    #[test]
    fn who_asks_does_not_wait() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now);
        assert!(!schedule.is_due(now, 1, false));
        assert!(schedule.is_due(now, 1, true), "it is in the way");
        schedule.published();
        assert!(!schedule.is_due(now, 2, false));
        schedule.hurry();
        assert!(schedule.is_due(now, 2, false));
        schedule.published();
        assert!(schedule.is_idle(2));
        schedule.hurry();
        assert!(!schedule.is_idle(2) && schedule.is_due(now, 2, false));
    }

    #[test]
    fn a_cut_that_was_not_made_is_still_due() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now);
        schedule.hurry();
        assert!(schedule.is_due(now, 1, false));
        assert!(!schedule.is_idle(1), "the cut is not made yet");
        assert!(schedule.is_due(now, 1, false));
        schedule.published();
        assert!(schedule.is_idle(1) && !schedule.is_due(now, 1, false));
    }
}
