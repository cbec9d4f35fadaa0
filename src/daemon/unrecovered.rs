//! Why a pod does not come back from the network, and what to do then.

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::journal::JournalError;
use crate::share::ShareError;
use crate::sync::find::FindError;

pub(super) fn not_written(error: &JournalError) -> Fault {
    let kind = if matches!(error, JournalError::NoSpace) {
        FaultKind::NoSpace
    } else {
        FaultKind::State
    };
    Fault::new(kind, format!("cannot write the recovered pod: {error}"))
}

pub(super) fn not_found(error: &FindError) -> Fault {
    let kind = match error {
        FindError::Unavailable(_) => FaultKind::Network,
        FindError::Missing(..) => FaultKind::Missing,
        FindError::RolledBack { .. } | FindError::Forked(..) => FaultKind::Damaged,
    };
    Fault::new(kind, format!("cannot recover the pod: {error}"))
        .next("podfs node test, then try again")
}

pub(super) fn unknown_card(error: &ShareError) -> Fault {
    let what = format!("whether the keys of the pod were replaced cannot be told: {error}");
    Fault::new(FaultKind::Network, what).next("podfs node test, then try again")
}

pub(super) fn beyond(epoch: u32) -> Fault {
    let what = format!(
        "the card of this phrase says that its keys were replaced {epoch} times, which no pod reaches: somebody else has the phrase"
    );
    Fault::new(FaultKind::CardChanged, what)
        .next("on a machine that has the pod, when a successor is fixed: podfs keys handover")
}

/// What is published with keys that were replaced may be anybody's.
pub(super) fn replaced(epoch: u32) -> Fault {
    let what = format!(
        "the keys of the pod were replaced (epoch {epoch}), and the network has nothing yet that was published with the new ones"
    );
    Fault::new(FaultKind::Missing, what).next("try again later, or another node")
}

pub(super) fn incomplete(why: &str) -> Fault {
    let what = format!("parts of the newest state are missing in the network: {why}");
    Fault::new(FaultKind::Missing, what)
        .next("try again later, or take the state before: podfs recover --at 1")
}
