use crate::types::limits::CONTACT_NAME_MAX;

/// What the owner of a pod calls somebody: 1 to 64 bytes of UTF-8 that can also be the name of a folder. A secret like
/// every name: no `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactName(Box<str>);

/// Why a text is no [`ContactName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a contact has 1 to 64 bytes, no slash, no control characters, no space around it, and is not . or .."
)]
pub struct ContactNameError;

impl ContactName {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`ContactNameError`] says what it must be.
    pub fn parse(text: &str) -> Result<Self, ContactNameError> {
        let is_sized = (1..=CONTACT_NAME_MAX).contains(&text.len());
        let is_plain = !text.contains(|it: char| it == '/' || it.is_control());
        if is_sized && is_plain && text.trim() == text && !matches!(text, "." | "..") {
            Ok(Self(text.into()))
        } else {
            Err(ContactNameError)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_a_folder() {
        for good in ["Anna", "Dr. Müller", "...", &"a".repeat(64)] {
            assert!(ContactName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a\nb",
            "\u{9b}2J",
            " a",
            "a ",
            &"a".repeat(65),
        ] {
            assert_eq!(
                ContactName::parse(bad).err(),
                Some(ContactNameError),
                "{bad}"
            );
        }
    }
}
