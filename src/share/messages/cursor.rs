//! How far the feeds of a contact are read and written.

use crate::format::rows::{FeedCursor, FeedPlace, Key};
use crate::journal::{Batch, Class};
use crate::share::messages::Messages;
use crate::share::messages::error::MessageError;
use crate::share::messages::pair::{Pair, week, week_of};
use crate::types::Timespec;
use crate::types::limits::{MAIL_SKEW, MAIL_WEEKS_BEFORE, MAIL_WEEKS_MAX};

impl Messages {
    /// The cursor of a contact as it is kept, or where to begin: some weeks before they were added. With other keys some
    /// weeks are read again, since what was written with them could not be opened, and writing begins at the front.
    pub(super) fn cursor(&self, pair: &Pair, now: Timespec) -> Result<FeedCursor, MessageError> {
        let kept = self.rows.get(&Key::feeds(&pair.print))?;
        let kept = kept.map(|row| FeedCursor::decode(&row)).transpose()?;
        let begin = |week: u32| FeedPlace {
            week: week.saturating_sub(MAIL_WEEKS_BEFORE),
            index: 0,
        };
        let mut cursor = match kept {
            Some(kept) if kept.keys == pair.keys => kept,
            kept => {
                let added = begin(week_of(pair.contact.since));
                FeedCursor {
                    keys: pair.keys,
                    received: kept.map_or(added, |kept| kept.received.min(begin(week_of(now)))),
                    sent: FeedPlace::default(),
                }
            }
        };
        // Neither further back than that, nor in a future that a clock once showed.
        let oldest = week_of(now).saturating_sub(MAIL_WEEKS_MAX);
        let newest = week(now.secs.saturating_sub(MAIL_SKEW));
        let clamped = cursor.received.week.clamp(oldest, newest.max(oldest));
        if clamped != cursor.received.week {
            cursor.received = FeedPlace {
                week: clamped,
                index: 0,
            };
        }
        Ok(cursor)
    }

    /// Where the next message goes: the place of the cursor, or the first of a new week.
    pub(super) fn next_place(&self, pair: &Pair, now: Timespec) -> Result<FeedPlace, MessageError> {
        let sent = self.cursor(pair, now)?.sent;
        let week = week_of(now);
        Ok(if sent.week == week {
            sent
        } else {
            FeedPlace { week, index: 0 }
        })
    }

    /// The place is taken: the next message goes behind it. Adds the cursor to `batch`; the ledger is locked.
    pub(super) fn pass(
        &self,
        pair: &Pair,
        place: FeedPlace,
        now: Timespec,
        batch: &mut Batch,
    ) -> Result<(), MessageError> {
        let mut cursor = self.cursor(pair, now)?;
        let next = FeedPlace {
            week: place.week,
            index: place.index.saturating_add(1),
        };
        // A place in an earlier week says nothing of this one.
        if cursor.sent.week != place.week || cursor.sent < next {
            cursor.sent = next;
        }
        batch.put(Key::feeds(&pair.print), cursor.encode());
        Ok(())
    }

    /// Keeps how far was read.
    pub(super) fn keep_received(
        &self,
        pair: &Pair,
        received: FeedPlace,
        now: Timespec,
    ) -> Result<(), MessageError> {
        self.with_ledger(|_| {
            let mut cursor = self.cursor(pair, now)?;
            let kept = self.rows.get(&Key::feeds(&pair.print))?;
            cursor.received = received;
            let row = cursor.encode();
            if kept.is_some_and(|kept| *kept == *row) {
                return Ok(());
            }
            let mut batch = Batch::new(Class::Meta);
            batch.put(Key::feeds(&pair.print), row);
            Ok(self.rows.append(batch, None)?)
        })
    }
}
