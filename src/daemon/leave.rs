//! Leaving a mount politely: a folder is often busy for a moment only, when a file manager or an indexer looks at it.

use std::path::PathBuf;

use crate::control::Holder;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::holders::holders;
use crate::daemon::mount;
use crate::daemon::mount::Detach;
use crate::types::limits::UNMOUNT_ATTEMPTS;
use crate::types::limits::UNMOUNT_PAUSE;

/// What came of it.
pub(super) enum Left {
    /// Nothing is mounted there any more.
    Gone,
    /// These programs hold it, as far as could be seen.
    Busy(Vec<Holder>),
    /// It cannot be done.
    Failed(Fault),
}

/// Takes the mount at `point` away unless somebody uses it.
pub(super) async fn leave(point: PathBuf) -> Left {
    for attempt in 1..=UNMOUNT_ATTEMPTS {
        let at = point.clone();
        let detached = tokio::task::spawn_blocking(move || mount::detach(&at, Detach::Polite));
        match detached.await {
            Ok(Ok(())) => return Left::Gone,
            Ok(Err(fault)) if fault.kind == FaultKind::NotMounted => return Left::Gone,
            Ok(Err(fault)) if fault.kind != FaultKind::Busy => return Left::Failed(fault),
            Ok(Err(_)) if attempt < UNMOUNT_ATTEMPTS => tokio::time::sleep(UNMOUNT_PAUSE).await,
            Ok(Err(_)) => {}
            Err(error) => return Left::Failed(Fault::new(FaultKind::Other, error.to_string())),
        }
    }
    let found = tokio::task::spawn_blocking(move || holders(&point)).await;
    let mut holders = found.unwrap_or_default();
    holders.retain(|holder| holder.pid != std::process::id());
    Left::Busy(holders)
}
