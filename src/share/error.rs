use crate::format::wire::Malformed;
use crate::journal::JournalError;
use crate::share::rows::ShelfError;
use crate::store::StoreError;

/// What the owner calls somebody: for people to read, and not for the log. There `"…"` stands for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Called(String);

/// Stands for a name.
const UNNAMED: &str = "\"…\"";

impl Called {
    /// So.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Puts the name where it is left out.
    pub(super) fn in_place(&self, said: &str) -> String {
        said.replacen(UNNAMED, &format!("{:?}", self.0), 1)
    }
}

impl std::fmt::Debug for Called {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(UNNAMED)
    }
}

/// Why something with other people was not done. As text it names nobody, so that it may stand in the log;
/// [`ShareError::for_people`] does. The variant says what comes next. Nothing was changed; with
/// [`ShareError::Alarm`] the contact may have been stopped, and with [`ShareError::NotCarried`] what was put is there.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ShareError {
    /// There is no contact of this name.
    #[error("there is no contact {0:?}")]
    Unknown(Called),
    /// Another contact has the name: their card does not lead to this one.
    #[error("{0:?} is somebody else already")]
    NameTaken(Called),
    /// The identity is pinned under another name.
    #[error("this is the card of {0:?}, who is a contact already")]
    Known(Called),
    /// The card is the pod's own.
    #[error("this is the card of this pod itself")]
    Own,
    /// It is not later than the card that this pod has.
    #[error("this pod has another card, which is as new or newer")]
    OwnOlder,
    /// The card is older than the one that is pinned.
    #[error("this card of {0:?} is older than the one that is pinned")]
    Older(Called),
    /// A card was met that the pinned one does not lead to: somebody may pass themselves off as the contact.
    #[error("a card of {0:?} was met that their pinned card does not vouch for")]
    Alarm(Called),
    /// The identity was followed by another one: whoever has its phrase is nobody any more.
    #[error("{0:?} has left this identity for another one, and no card of it is taken any more")]
    Left(Called),
    /// Cards between the pinned one and a newer one are not to be had, so nobody knows whether they are a chain.
    #[error("cards that lead from the pinned card of {0:?} to the newer one are not to be had")]
    Gap(Called),
    /// There are as many contacts as may be.
    #[error("there are too many contacts")]
    TooMany,
    /// As many people are blocked as may be.
    #[error("there are too many people who are blocked")]
    TooManyBlocked,
    /// They are not blocked.
    #[error("they are not blocked")]
    NotBlocked,
    /// There is no grant whose id begins so, or there are several.
    #[error("there is not one grant whose id begins with {0:?}")]
    NoGrant(String),
    /// There are as many grants as may be.
    #[error("there are as many grants as may be: one has to end before there is another")]
    TooManyGrants,
    /// The keys that the grant was handed over with are not known any more.
    #[error("this grant was handed over with keys that were replaced")]
    OtherKeys,
    /// The grant has ended.
    #[error("this grant is over")]
    IsOver,
    /// The feed of a grant says two things at one place, or goes on from something else than what was seen of it.
    #[error("its feed is not the one that was seen before")]
    Forked,
    /// What was given, or what stands in the network at the place of a card, is none, or a later podfs made it.
    #[error("no card that this podfs can read: {0}")]
    NoCard(#[from] Malformed),
    /// The network does not give what is needed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// What came from another machine of the owner is no row of its kind, or a later podfs made it.
    #[error("no {} that this podfs can read", .0.0)]
    NoRow(Malformed),
    /// It is noted on this machine, but not among the files of the pod, which carry it to others; that is tried
    /// again and again.
    #[error("noted on this machine only, and not yet for the network: {0}")]
    NotCarried(#[from] ShelfError),
    /// The log of the pod.
    #[error("{0}")]
    Journal(#[from] JournalError),
}

impl ShareError {
    /// Why, with the name of whom it is about.
    pub fn for_people(&self) -> String {
        let said = self.to_string();
        if let Self::Unknown(who)
        | Self::NameTaken(who)
        | Self::Known(who)
        | Self::Older(who)
        | Self::Alarm(who)
        | Self::Left(who)
        | Self::Gap(who) = self
        {
            return who.in_place(&said);
        }
        said
    }
}
