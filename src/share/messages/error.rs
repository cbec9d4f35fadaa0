use crate::crypto::EntropyError;
use crate::format::wire::Malformed;
use crate::journal::JournalError;
use crate::share::{Called, ShareError};

/// Why something with messages was not done. Nothing was changed. As text it names nobody, as [`ShareError`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum MessageError {
    /// The pod has no card, or one with other keys than this machine: nobody could tell that a message is of this pod.
    #[error("this pod has no card with the keys of this machine")]
    NoCard,
    /// No message has an id that begins so.
    #[error("there is no message {0}")]
    Unknown(String),
    /// The ids of several messages begin so.
    #[error("{0} stands for several messages: more digits tell which")]
    Ambiguous(String),
    /// No beginning of an id: at least 4 hexadecimal digits.
    #[error("{0:?} is no id of a message: give 4 to 32 hexadecimal digits of it")]
    NoId(String),
    /// The message was written here, and is in a state of its own.
    #[error("message {0} was sent from here")]
    Own(String),
    /// As many messages are kept of this contact, or to them, as may be.
    #[error("too many messages are kept from or to {0:?}")]
    Full(Called),
    /// A key on the card of the contact is none.
    #[error("the card of {0:?} holds a key that is none")]
    BadKey(Called),
    /// About contacts.
    #[error("{0}")]
    Share(#[from] ShareError),
    /// It cannot be written like that, or a row is damaged.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// The log of the pod.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// No random numbers.
    #[error("{0}")]
    Entropy(#[from] EntropyError),
}

impl MessageError {
    /// Whether it passes by itself: the log takes nothing just now.
    pub fn passes(&self) -> bool {
        let (Self::Journal(log) | Self::Share(ShareError::Journal(log))) = self else {
            return false;
        };
        matches!(log, JournalError::NoSpace | JournalError::Busy)
    }

    /// Why, with the name of whom it is about.
    pub fn for_people(&self) -> String {
        if let Self::Share(error) = self {
            return error.for_people();
        }
        let said = self.to_string();
        if let Self::Full(who) | Self::BadKey(who) = self {
            return who.in_place(&said);
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text of errors goes into the log, where nobody is named.
    #[test]
    fn only_people_are_told_who_it_is_about() {
        let who = || Called::new("Benedicta");
        let all = [
            MessageError::Full(who()),
            MessageError::BadKey(who()),
            ShareError::Unknown(who()).into(),
            ShareError::NameTaken(who()).into(),
            ShareError::Known(who()).into(),
            ShareError::Older(who()).into(),
            ShareError::Alarm(who()).into(),
            ShareError::Left(who()).into(),
            ShareError::Gap(who()).into(),
        ];
        for error in all {
            let log = format!("{error} {error:?}");
            assert!(!log.contains("Benedicta"), "{log}");
            let people = error.for_people();
            assert!(people.contains("\"Benedicta\""), "{people}");
        }
    }
}
