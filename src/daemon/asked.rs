//! What somebody asks for, checked before it is written.

use crate::daemon::refused::Refused;
use crate::daemon::refused::wrong;
use crate::format::message::AccessRequest;
use crate::types::PlainText;
use crate::types::Rights;
use crate::types::limits::PURPOSE_MAX;
use crate::types::limits::REQUEST_TEXTS_MAX;

impl AccessRequest {
    /// What was typed, if it can be asked for.
    pub(super) fn checked(
        what: &str,
        purpose: &str,
        rights: u8,
        (from, until): (Option<i64>, Option<i64>),
    ) -> Result<Self, Refused> {
        if what.is_empty() || purpose.is_empty() {
            return Err(wrong(&"a request names a path and a purpose"));
        }
        if purpose.len() > PURPOSE_MAX {
            return Err(wrong(&"a purpose has at most 400 bytes"));
        }
        if what.len().saturating_add(purpose.len()) > REQUEST_TEXTS_MAX {
            return Err(wrong(
                &"a path and a purpose have at most 1280 bytes together",
            ));
        }
        if from.zip(until).is_some_and(|(from, until)| until <= from) {
            return Err(wrong(&"what is asked for would end before it begins"));
        }
        Ok(Self {
            what: PlainText::parse(what)?,
            purpose: PlainText::parse(purpose)?,
            rights: Rights::from_bits(rights).map_err(|error| wrong(&error))?,
            from,
            until,
        })
    }
}
