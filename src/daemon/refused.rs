//! Why something with other people was not done, as the daemon answers.

use crate::control::Refusal;
use crate::daemon::reconcile::Incomplete;
use crate::share::ShareError;
use crate::share::messages::MessageError;
use crate::store::Outage;
use crate::store::StoreError;
use crate::types::PlainTextError;
use crate::types::limits::CARD_PATIENCE;

/// Why it was not done; as text for people, which may name others and has no place in the log.
pub(super) struct Refused(pub(super) Refusal, pub(super) String);

impl From<ShareError> for Refused {
    fn from(error: ShareError) -> Self {
        let why = match &error {
            ShareError::Unknown(_) | ShareError::NotBlocked => Refusal::Unknown,
            ShareError::NoGrant(_) => Refusal::NoGrant,
            ShareError::IsOver => Refusal::Over,
            ShareError::NameTaken(_)
            | ShareError::Known(_)
            | ShareError::TooMany
            | ShareError::TooManyBlocked
            | ShareError::TooManyGrants => Refusal::Taken,
            ShareError::Alarm(_) => Refusal::Alarm,
            ShareError::Own
            | ShareError::OwnOlder
            | ShareError::Older(_)
            | ShareError::Left(_)
            | ShareError::NoCard(_) => Refusal::Card,
            ShareError::Gap(_) | ShareError::Store(StoreError::NotFound | StoreError::Corrupt) => {
                Refusal::Missing
            }
            ShareError::Store(StoreError::Unavailable { .. }) => Refusal::Network,
            ShareError::Store(StoreError::Rejected(_)) => Refusal::Node,
            ShareError::Journal(_)
            | ShareError::NoRow(_)
            | ShareError::NotCarried(_)
            | ShareError::OtherKeys
            | ShareError::Forked => Refusal::State,
        };
        Self(why, error.for_people())
    }
}

impl From<Incomplete> for Refused {
    fn from(incomplete: Incomplete) -> Self {
        let why = match incomplete {
            Incomplete::Fetching(_) => Refusal::Network,
            Incomplete::ReadOnly => Refusal::State,
        };
        Self(why, incomplete.to_string())
    }
}

/// Waits for the network, not for ever.
pub(super) async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, Refused> {
    let answer = tokio::time::timeout(CARD_PATIENCE, answer).await;
    let late = StoreError::unavailable(Outage::Late(CARD_PATIENCE));
    answer.map_err(|_| ShareError::from(late).into())
}

impl From<PlainTextError> for Refused {
    fn from(error: PlainTextError) -> Self {
        wrong(&error)
    }
}

impl From<MessageError> for Refused {
    fn from(error: MessageError) -> Self {
        let why = match error {
            MessageError::Share(error) => return error.into(),
            MessageError::NoCard | MessageError::BadKey(_) => Refusal::Card,
            MessageError::Unknown(_) | MessageError::Ambiguous(_) => Refusal::Message,
            MessageError::NoId(_) | MessageError::Own(_) | MessageError::Full(_) => Refusal::Wrong,
            MessageError::Malformed(_) | MessageError::Journal(_) | MessageError::Entropy(_) => {
                Refusal::State
            }
        };
        Self(why, error.for_people())
    }
}

/// What was asked for makes no sense.
pub(super) fn wrong(why: &dyn std::fmt::Display) -> Refused {
    Refused(Refusal::Wrong, why.to_string())
}
