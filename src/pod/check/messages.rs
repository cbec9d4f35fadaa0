//! Messages, how far the feeds of contacts were read, and what is not taken any more.

use crate::format::rows::{FeedCursor, Key, MessageRow, check_blocked_row, forgotten_message};
use crate::format::wire::Malformed;
use crate::pod::Pod;
use crate::pod::check::{Finding, Report};
use crate::pod::error::PodError;

impl Pod {
    /// Every message must be readable, and in a state of the way that it goes.
    pub(super) fn check_messages(&self, report: &mut Report) -> Result<(), PodError> {
        self.each_row(b'M', |key, row| {
            let message = MessageRow::decode(&row).and_then(|row| {
                let received = key == Key::message(false, key.field(1));
                let fits = row.state.is_of_received() == received && key.field(0) < 2;
                fits.then_some(()).ok_or(Malformed("place of a message"))
            });
            if let Err(error) = message {
                report.add(Finding::Malformed(key, error.to_string()));
            }
            Ok(())
        })?;
        self.each_row(b'T', |key, row| {
            if let Err(error) = FeedCursor::decode(&row) {
                report.add(Finding::Malformed(key, error.to_string()));
            }
            Ok(())
        })?;
        self.each_row(b'U', |key, row| {
            if let Err(error) = check_blocked_row(&key, &row) {
                report.add(Finding::Malformed(key, error.to_string()));
            }
            Ok(())
        })?;
        self.each_row(b'Y', |key, row| {
            if let Err(error) = forgotten_message(&key, &row) {
                report.add(Finding::Malformed(key, error.to_string()));
            }
            Ok(())
        })
    }
}
