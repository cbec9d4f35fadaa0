//! Why a pod cannot be opened, and what to do about it.

use rustix::io::Errno;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::paths::PodPaths;
use crate::journal::JournalError;
use crate::pod::PodError;

pub(super) fn journal_fault(paths: &PodPaths, error: JournalError) -> Fault {
    let place = Quoted(&paths.state);
    let what = |why: &dyn std::fmt::Display| format!("cannot open the pod in {place}: {why}");
    match error {
        JournalError::NoSpace => Fault::new(FaultKind::NoSpace, what(&error))
            .next("free some space on that disk, or give the pod more with --budget"),
        JournalError::Corrupt(_) | JournalError::Damaged(_) => damaged(paths, what(&error)),
        JournalError::ReadOnly(_) | JournalError::Busy => {
            Fault::new(FaultKind::State, what(&error))
        }
        JournalError::Io(object, errno) => io_fault(place, &object, errno),
    }
}

fn io_fault(place: Quoted<'_>, object: &str, errno: Errno) -> Fault {
    let what = format!("cannot open the pod in {place}: {object}");
    Fault::io(FaultKind::State, what, &errno.into())
}

pub(super) fn pod_fault(paths: &PodPaths, error: &PodError) -> Fault {
    let what = format!("cannot open the pod in {}: {error}", Quoted(&paths.state));
    if matches!(error, PodError::Corrupt(_)) {
        damaged(paths, what)
    } else if matches!(error, PodError::NoSpace) {
        Fault::new(FaultKind::NoSpace, what)
            .next("free some space on that disk, or give the pod more with --budget")
    } else {
        Fault::new(FaultKind::State, what)
    }
}

fn damaged(paths: &PodPaths, what: String) -> Fault {
    let flag = paths.pod_flag();
    Fault::new(FaultKind::Damaged, what).next(format!("podfs check{flag}"))
}
