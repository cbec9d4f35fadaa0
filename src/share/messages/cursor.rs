//! How far the feeds of a contact are read and written.

use crate::crypto::identity::Fingerprint;
use crate::format::message::MessageBody;
use crate::format::rows::{FeedCursor, FeedPlace, Key, MessageRow, MessageState};
use crate::journal::{Batch, Class};
use crate::share::messages::error::MessageError;
use crate::share::messages::ledger::Ledger;
use crate::share::messages::pair::{Pair, week, week_of};
use crate::share::messages::{Kept, Messages, Way};
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

    /// The place is taken: the next message goes behind it. Adds the cursor to `batch`.
    pub(super) fn pass(
        &self,
        ledger: &mut Ledger,
        (pair, place): (&Pair, FeedPlace),
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
        self.turn_feeds(ledger, (pair, &cursor), now, batch)
    }

    /// Keeps how far was read.
    pub(super) fn keep_received(
        &self,
        pair: &Pair,
        received: FeedPlace,
        now: Timespec,
    ) -> Result<(), MessageError> {
        self.with_ledger(|ledger| {
            let mut cursor = self.cursor(pair, now)?;
            let kept = self.rows.get(&Key::feeds(&pair.print))?;
            cursor.received = received;
            let row = cursor.encode();
            if kept.is_some_and(|kept| *kept == *row) {
                return Ok(());
            }
            let mut batch = Batch::new(Class::Meta);
            self.turn_feeds(ledger, (pair, &cursor), now, &mut batch)?;
            Ok(self.rows.append(batch, None)?)
        })
    }

    /// Adds the cursor to `batch`. When it is the first one with other keys, the feeds so far are read by nobody any more.
    fn turn_feeds(
        &self,
        ledger: &mut Ledger,
        (pair, cursor): (&Pair, &FeedCursor),
        now: Timespec,
        batch: &mut Batch,
    ) -> Result<(), MessageError> {
        batch.put(Key::feeds(&pair.print), cursor.encode());
        let kept = self.rows.get(&Key::feeds(&pair.print))?;
        let kept = kept.map(|row| FeedCursor::decode(&row)).transpose()?;
        if kept.is_none_or(|kept| kept.keys == cursor.keys) {
            return Ok(());
        }
        self.send_again(ledger, &pair.print, now, batch)
    }

    /// What was asked or denied in the last weeks and is not known to have been read is unsent from now on, as soon as
    /// `batch` is in the log.
    pub(super) fn send_again(
        &self,
        ledger: &mut Ledger,
        to: &Fingerprint,
        now: Timespec,
        batch: &mut Batch,
    ) -> Result<(), MessageError> {
        let oldest = week_of(now).saturating_sub(MAIL_WEEKS_BEFORE);
        for Kept { number, row, .. } in self.all(Way::Sent, 0, usize::MAX)? {
            let is_read = match row.message.body {
                MessageBody::Request(_) => ledger.answers.contains_key(&row.message.id),
                MessageBody::Denied { .. } => false,
                // Those are told anew by whoever wrote them.
                MessageBody::Grant(_) | MessageBody::Arrived | MessageBody::Witness(_) => true,
            };
            let is_sent = row.state == MessageState::Sent && row.contact == *to;
            if is_sent && !is_read && week_of(row.since) >= oldest {
                let row = MessageRow {
                    state: MessageState::Unsent,
                    place: None,
                    ..row
                };
                batch.put(Way::Sent.key(number), row.encode()?);
                ledger.unsent.insert(number);
            }
        }
        Ok(())
    }
}
