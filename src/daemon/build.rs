//! Puts the rooms together: keyfile, log and index, file system, kernel.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use crate::control::StatusReport;
use crate::crypto::Secret;
use crate::daemon::config::ServeConfig;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::keyfile;
use crate::daemon::passphrase::Passphrase;
use crate::daemon::paths::PodPaths;
use crate::format::keyfile::Bundle;
use crate::format::keyfile::unlock;
use crate::fuse;
use crate::fuse::Allow;
use crate::fuse::Running;
use crate::fuse::ServeOptions;
use crate::fuse::Serving;
use crate::journal::JournalError;
use crate::pod::Caller;
use crate::pod::Pod;
use crate::pod::PodError;
use crate::pod::PodParts;
use crate::pod::rows::Rows;
use crate::pod::rows::RowsParts;
use crate::types::system_clock;

/// A request that runs for longer is told in the log.
const OVERDUE: Duration = Duration::from_secs(5);

/// An open pod; cheap to clone.
#[derive(Clone)]
pub(super) struct House {
    pod: Arc<Pod>,
}

/// What goes through a mount.
#[derive(Clone)]
pub(super) struct Activity {
    running: Arc<Running>,
}

/// The threads that serve a mount.
pub(super) struct Session {
    serving: Serving,
}

/// Opens the pod: keys first, for their error is the most common one, then the log and what it replays.
pub(super) fn open(
    config: &ServeConfig,
    passphrase: Passphrase,
    progress: &mut dyn FnMut(&str),
) -> Result<House, Fault> {
    let bundle = open_keyfile(&config.paths, &passphrase)?;
    drop(passphrase);
    progress("opening the log");
    let rows = RowsParts {
        dir: config.paths.state.clone(),
        secret: bundle.device_secret,
        budget: config.budget,
        read_only: config.read_only(),
    };
    let rows = Rows::open(&rows).map_err(|error| journal_fault(&config.paths, error))?;
    if let Some(why) = rows.journal().broken()
        && !config.read_only()
    {
        let what = format!(
            "cannot open the pod in {} for writing: {why}",
            Quoted(&config.paths.state)
        );
        return Err(Fault::new(FaultKind::Damaged, what)
            .next("save what is there: podfs mount -o ro DIR; then: podfs check"));
    }
    let (uid, gid) = config.owner;
    let parts = PodParts {
        rows,
        clock: system_clock(),
        device: bundle.device,
        owner: Caller { uid, gid },
    };
    let pod = Pod::over(parts).map_err(|error| pod_fault(&config.paths, &error))?;
    let pod = Arc::new(pod);
    if !config.read_only() {
        pod.start_reaper().map_err(|error| {
            Fault::io(FaultKind::State, "cannot start a thread", &error).next("podfs doctor")
        })?;
    }
    Ok(House { pod })
}

/// Makes the log of a new pod.
pub(super) fn create(paths: &PodPaths, bundle: &Bundle) -> Result<(), Fault> {
    let parts = RowsParts {
        dir: paths.state.clone(),
        secret: Secret::from_bytes(bundle.device_secret.expose()),
        budget: None,
        read_only: false,
    };
    Rows::create(&parts).map_err(|error| journal_fault(paths, error))
}

/// What the keyfile of the pod keeps.
pub(super) fn open_keyfile(paths: &PodPaths, passphrase: &Passphrase) -> Result<Bundle, Fault> {
    let file = paths.keyfile();
    let bytes = keyfile::load(&file)?;
    unlock(&bytes, passphrase.expose()).map_err(|error| keyfile::fault(&file, error))
}

impl House {
    /// Serves the pod on a mounted descriptor of the kernel.
    pub(super) fn serve(&self, device: OwnedFd, config: &ServeConfig) -> Result<Session, Fault> {
        let allow = if config.allow_other {
            Allow::All
        } else {
            Allow::Owner
        };
        let options = ServeOptions {
            allow,
            ..ServeOptions::default()
        };
        let serving = fuse::serve(device, Arc::clone(&self.pod), options).map_err(|error| {
            Fault::io(FaultKind::Fuse, "cannot talk to the kernel's FUSE", &error)
                .next("podfs doctor")
        })?;
        Ok(Session { serving })
    }

    /// Makes everything accepted so far durable.
    pub(super) fn sync(&self) -> Result<(), Fault> {
        if self.broken().is_some() {
            return Ok(());
        }
        let synced = self.pod.rows().sync();
        synced
            .map_err(|error| Fault::new(FaultKind::State, format!("cannot sync the pod: {error}")))
    }

    /// Makes everything durable and the next start a quick one.
    pub(super) fn close(&self) -> Result<(), Fault> {
        self.pod.stop_reaper();
        let closed = self.pod.rows().close(true);
        closed
            .map_err(|error| Fault::new(FaultKind::State, format!("cannot close the pod: {error}")))
    }

    /// Why nothing can be changed, if so.
    pub(super) fn broken(&self) -> Option<String> {
        self.pod.rows().journal().broken()
    }

    /// Adds what only the open pod knows.
    pub(super) fn fill(&self, report: &mut StatusReport) {
        let rows = self.pod.rows();
        let space = rows.space();
        report.reason = self.broken();
        let state = if report.reason.is_some() {
            "read-only"
        } else {
            "mounted"
        };
        state.clone_into(&mut report.state);
        report.bytes_live = Some(space.live);
        report.budget = Some(space.total);
        report.unsynced_bytes = Some(rows.journal().unsynced());
    }
}

impl Session {
    /// What goes through it.
    pub(super) fn activity(&self) -> Activity {
        Activity {
            running: Arc::clone(self.serving.running()),
        }
    }

    /// Waits until the mount is gone.
    pub(super) fn join(self) {
        if let Err(error) = self.serving.join() {
            // An aborted connection ends like this as well.
            tracing::info!(%error, "the mount ended");
        }
    }
}

impl Activity {
    /// Requests so far.
    pub(super) fn requests(&self) -> u64 {
        self.running.requests()
    }

    /// Tells every request that takes too long, once.
    pub(super) fn log_slow_requests(&self) {
        self.running.tell_overdue(OVERDUE);
    }
}

fn journal_fault(paths: &PodPaths, error: JournalError) -> Fault {
    let place = Quoted(&paths.state);
    let what = |why: &dyn std::fmt::Display| format!("cannot open the pod in {place}: {why}");
    match error {
        JournalError::NoSpace => Fault::new(FaultKind::NoSpace, what(&error))
            .next("free some space on that disk, or give it more with --budget"),
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

fn pod_fault(paths: &PodPaths, error: &PodError) -> Fault {
    let what = format!("cannot open the pod in {}: {error}", Quoted(&paths.state));
    if matches!(error, PodError::Corrupt(_)) {
        damaged(paths, what)
    } else if matches!(error, PodError::NoSpace) {
        Fault::new(FaultKind::NoSpace, what)
            .next("free some space on that disk, or give it more with --budget")
    } else {
        Fault::new(FaultKind::State, what)
    }
}

fn damaged(paths: &PodPaths, what: String) -> Fault {
    let flag = paths.pod_flag();
    Fault::new(FaultKind::Damaged, what).next(format!("podfs check{flag}"))
}
