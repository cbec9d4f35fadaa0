/// What somebody may do with what was shared with them. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rights(u8);

/// A text or a number that names no rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rights are read, append or write")]
pub struct RightsError;

impl Rights {
    /// To read; reading a directory is listing it.
    pub const READ: Self = Self(1);
    /// To read, and to add new files.
    pub const APPEND: Self = Self(1 | 2);
    /// To read, add and change.
    pub const WRITE: Self = Self(1 | 2 | 4);

    /// All there are.
    pub const ALL: [Self; 3] = [Self::READ, Self::APPEND, Self::WRITE];

    /// As layouts have them: 1 to read, 2 to append, 4 to write, added up.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The rights with these bits.
    ///
    /// # Errors
    /// When there are none such: those to write without those to append, say.
    pub fn from_bits(bits: u8) -> Result<Self, RightsError> {
        let known = Self::ALL.into_iter().find(|rights| rights.0 == bits);
        known.ok_or(RightsError)
    }

    /// Whether all of `other` is in these.
    pub const fn include(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn name(self) -> &'static str {
        match self {
            Self::APPEND => "append",
            Self::WRITE => "write",
            _ => "read",
        }
    }
}

impl std::fmt::Display for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Rights {
    type Err = RightsError;

    /// `read`, `append` or `write`.
    fn from_str(text: &str) -> Result<Self, RightsError> {
        let named = Self::ALL.into_iter().find(|rights| rights.name() == text);
        named.ok_or(RightsError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_said_by_a_word_and_by_bits() {
        for (rights, word) in Rights::ALL.into_iter().zip(["read", "append", "write"]) {
            assert_eq!(rights.to_string(), word);
            assert_eq!(word.parse(), Ok(rights));
            assert_eq!(Rights::from_bits(rights.bits()), Ok(rights));
            assert!(rights.include(Rights::READ) && Rights::WRITE.include(rights));
        }
        assert!(!Rights::APPEND.include(Rights::WRITE) && !Rights::READ.include(Rights::APPEND));
        for none in ["", "Read", "read,write", "7"] {
            assert_eq!(none.parse::<Rights>(), Err(RightsError), "{none}");
        }
        let known = (0..=u8::MAX).filter(|bits| Rights::from_bits(*bits).is_ok());
        assert!(known.eq([1, 3, 7]));
    }
}
