use crate::types::limits::NAME_MAX;

/// One component of a path: 1 to 255 bytes, no `/`, no NUL, neither `.` nor `..`. Names are secrets: no `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

/// Why bytes are no [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// More than 255 bytes.
    #[error("a name has at most 255 bytes")]
    TooLong,
    /// Empty, `.`, `..`, or it holds `/` or NUL.
    #[error("not a file name")]
    Invalid,
}

impl Name {
    /// Checks `bytes`; nothing is normalised, names are bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, NameError> {
        if bytes.len() > NAME_MAX {
            return Err(NameError::TooLong);
        }
        let forbidden = bytes.is_empty()
            || bytes == b"."
            || bytes == b".."
            || bytes.iter().any(|b| matches!(b, b'/' | 0));
        if forbidden {
            Err(NameError::Invalid)
        } else {
            Ok(Self(bytes.into()))
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bytes_within_posix_bounds() {
        assert!(Name::parse(&[0xff; 255]).is_ok());
        assert_eq!(Name::parse(&[b'a'; 256]).err(), Some(NameError::TooLong));
        for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b"] {
            assert_eq!(Name::parse(bad).err(), Some(NameError::Invalid));
        }
        assert!(Name::parse(b"...").is_ok());
    }
}
