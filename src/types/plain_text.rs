use crate::types::limits::MESSAGE_TEXT_MAX;

/// A line of text that somebody else wrote: at most 1024 bytes of UTF-8 without control characters, and without
/// characters that change the direction of what stands around them.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainText(Box<str>);

/// Why a text is no [`PlainText`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a text in a message is one line of at most {MESSAGE_TEXT_MAX} bytes without control characters"
)]
pub struct PlainTextError;

impl PlainText {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`PlainTextError`] says what it must be.
    pub fn parse(text: &str) -> Result<Self, PlainTextError> {
        if text.len() > MESSAGE_TEXT_MAX || text.contains(is_no_plain) {
            return Err(PlainTextError);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, line and paragraph separators, and controls of direction (Unicode 16, UAX 9).
fn is_no_plain(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_plain_line() {
        for good in [
            "",
            "Befunde für Dr. Müller",
            "a/b c",
            &"x".repeat(MESSAGE_TEXT_MAX),
        ] {
            assert!(PlainText::parse(good).is_ok(), "{good}");
        }
        let longer = "x".repeat(MESSAGE_TEXT_MAX + 1);
        for bad in [
            "a\nb",
            "\0",
            "\u{1b}[2J",
            "\u{9b}2J",
            "x\u{202e}gpj.exe",
            "\u{2028}",
            &longer,
        ] {
            assert!(PlainText::parse(bad).is_err(), "{bad:?}");
        }
    }
}
