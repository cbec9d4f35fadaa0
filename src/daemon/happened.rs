//! What is recorded when something about other people was done.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::crypto::identity::Fingerprint;
use crate::format::audit::Kind;
use crate::format::audit::Outcome;
use crate::format::card::Card;
use crate::share::Pinned;
use crate::share::ShareError;
use crate::share::audit::Happening;
use crate::sync::SyncError;

/// The card of the pod was published.
pub(super) fn published(card: &Card) -> Happening {
    Happening::new(Kind::CardPublished).of(&number(card))
}

/// A card was met that is said to be of `name`; nothing happened when it is the one that is pinned, or was not looked at.
pub(super) fn met(
    card: &Card,
    name: &str,
    pinned: &Result<Pinned, ShareError>,
) -> Option<Happening> {
    let happening = match pinned {
        Ok(Pinned::New) => Happening::new(Kind::ContactAdded),
        Ok(Pinned::Newer) => Happening::new(Kind::ContactChanged),
        Ok(Pinned::Followed) => Happening::new(Kind::ContactChanged).because(FOLLOWED),
        Err(ShareError::Alarm(_)) => Happening::new(Kind::ContactAlarm).went(Outcome::Refused),
        Ok(Pinned::Same) | Err(_) => return None,
    };
    let who = card.fingerprint();
    Some(happening.with(who.0, name).of(&number(card)))
}

/// Both read the same words, those of this identity.
pub(super) fn verified(who: &Fingerprint, name: &str) -> Happening {
    Happening::new(Kind::ContactVerified).with(who.0, name)
}

/// A contact was forgotten.
pub(super) fn removed(who: &Fingerprint, name: &str) -> Happening {
    Happening::new(Kind::ContactRemoved).with(who.0, name)
}

/// Nothing of somebody is taken any more, or it is again.
pub(super) fn blocked(who: &Fingerprint, name: &str, on: bool) -> Happening {
    let kind = if on {
        Kind::ContactBlocked
    } else {
        Kind::ContactUnblocked
    };
    Happening::new(kind).with(who.0, name)
}

/// A folder became a box, or is none any more.
pub(super) fn bordered(kind: Kind, path: &Path, number: u32) -> Happening {
    Happening::new(kind)
        .of(path.as_os_str().as_bytes())
        .because(&format!("box number {number}"))
}

/// Publishing failed; nothing is recorded of what only has to be waited for.
pub(super) fn failed(error: &SyncError) -> Option<Happening> {
    let kind = match error {
        SyncError::Behind { .. } | SyncError::Forked => Kind::RollbackAlarm,
        SyncError::Malformed(_) | SyncError::Damaged(_) | SyncError::Contradiction(..) => {
            Kind::IntegrityFailure
        }
        SyncError::Store(_)
        | SyncError::Find(_)
        | SyncError::Read(_)
        | SyncError::Journal(_)
        | SyncError::BatchFull
        | SyncError::NoRoom
        | SyncError::Interrupted => return None,
    };
    let happening = Happening::new(kind).went(Outcome::Failed);
    Some(happening.because(&error.to_string()))
}

/// Why another identity is pinned.
const FOLLOWED: &str = "their identity was followed by the one that their card had fixed";

fn number(card: &Card) -> Vec<u8> {
    format!("card number {}", card.number).into_bytes()
}
