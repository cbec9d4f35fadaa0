use crate::types::limits::PURPOSE_MAX;

/// What something is shared or asked for: at most 400 bytes of UTF-8 on one line, or nothing. A secret like every name: no
/// `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Purpose(Box<str>);

/// Why a text is no [`Purpose`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a purpose has at most 400 bytes, no control characters and no space around it")]
pub struct PurposeError;

impl Purpose {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`PurposeError`] says what it must be.
    pub fn parse(text: &str) -> Result<Self, PurposeError> {
        let is_plain = !text.contains(char::is_control) && text.trim() == text;
        if text.len() <= PURPOSE_MAX && is_plain {
            Ok(Self(text.into()))
        } else {
            Err(PurposeError)
        }
    }

    /// The text; empty when none was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_is_one_plain_line() {
        for good in ["", "Überweisung vom 3. März", &"a".repeat(400)] {
            assert!(Purpose::parse(good).is_ok_and(|purpose| purpose.as_str() == good));
        }
        for bad in ["a\nb", "\u{1b}[2J", " a", "a ", &"a".repeat(401)] {
            assert_eq!(Purpose::parse(bad).err(), Some(PurposeError), "{bad}");
        }
    }
}
