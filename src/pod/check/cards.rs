//! Cards: the owner's own, and those of contacts; and what was seen of their audit logs.

use crate::format::rows::{check_card_row, check_seen_log_row};
use crate::pod::Pod;
use crate::pod::check::{Finding, Report};
use crate::pod::error::PodError;

impl Pod {
    /// Every card must be signed by the identity that it names, and stand under the key of that identity.
    pub(super) fn check_cards(&self, report: &mut Report) -> Result<(), PodError> {
        self.each_row(b'C', |key, row| {
            if let Err(error) = check_card_row(&key, &row) {
                report.add(Finding::Malformed(key, error.to_string()));
            }
            Ok(())
        })?;
        self.each_row(b'Z', |key, row| {
            if let Err(error) = check_seen_log_row(&key, &row) {
                report.add(Finding::Malformed(key, error.to_string()));
            }
            Ok(())
        })
    }
}
