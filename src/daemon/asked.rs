//! What somebody asks for: checked before it is written, and recorded when it comes.

use crate::daemon::messages::Mail;
use crate::daemon::refused::Refused;
use crate::daemon::refused::wrong;
use crate::format::audit::Kind;
use crate::format::message::AccessRequest;
use crate::format::message::MessageBody;
use crate::share::audit::Happening;
use crate::share::messages::Kept;
use crate::share::messages::MessageError;
use crate::types::PlainText;
use crate::types::Purpose;
use crate::types::Rights;
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
        // What no grant can be given for cannot be asked for.
        Purpose::parse(purpose).map_err(|error| wrong(&error))?;
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

impl Mail {
    /// Records the requests that came and are not recorded yet.
    pub(super) async fn note_requests(&self) -> Result<(), MessageError> {
        let _one = self.noting.lock().await;
        for kept in self.messages.unrecorded()? {
            if let MessageBody::Request(asked) = &kept.row.message.body {
                let happening = self.happened(Kind::RequestReceived, &kept, asked)?;
                if let Err(fault) = self.audit.record(&happening).await {
                    tracing::warn!(%fault, "not in the audit log yet");
                    return Ok(());
                }
                self.messages.is_recorded(kept.number)?;
            }
        }
        Ok(())
    }

    /// What is recorded of a request.
    pub(super) fn happened(
        &self,
        kind: Kind,
        kept: &Kept,
        asked: &AccessRequest,
    ) -> Result<Happening, MessageError> {
        let contact = self.messages.contact(&kept.row.contact)?;
        let name = contact.as_ref().map_or("", |contact| contact.name.as_str());
        let happening = Happening::new(kind)
            .with(kept.row.contact.0, name)
            .of(asked.what.as_str().as_bytes())
            .because(asked.purpose.as_str());
        Ok(match asked.until {
            Some(until) => happening.until(until),
            None => happening,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_approved_cannot_be_asked_for() {
        let ask = |purpose: &str| AccessRequest::checked("lab", purpose, 1, (None, None));
        assert!(ask("second opinion").is_ok());
        for bad in ["", "x ", " x", "a\nb", &"a".repeat(401)] {
            let Err(Refused(why, _)) = ask(bad) else {
                panic!("{bad:?} can be asked for");
            };
            assert_eq!(why, crate::control::Refusal::Wrong);
        }
    }
}
