use crate::crypto::EntropyError;
use crate::format::wire::Malformed;
use crate::journal::JournalError;
use crate::share::ShareError;

/// Why something with messages was not done. Nothing was changed.
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
    Full(String),
    /// A key on the card of the contact is none.
    #[error("the card of {0:?} holds a key that is none")]
    BadKey(String),
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
