//! The processes podfs starts of itself: the daemon, and the one that asks a new mount for an answer.

use std::io;
use std::path::PathBuf;

use crate::cli::exit::Exit;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::handoff::News;
use crate::daemon::handoff::Starter;
use crate::daemon::log;
use crate::daemon::log::LogTarget;
use crate::daemon::mountinfo;
use crate::daemon::serve;
use crate::types::limits::MOUNT_PROBE;

/// The daemon in the background. What goes wrong before the folder answers is told to who started it.
pub(super) fn daemon() -> Result<Exit, Fault> {
    let broken = |error: io::Error| {
        Fault::io(
            FaultKind::Daemon,
            "the daemon was not told what to do",
            &error,
        )
    };
    let mut starter = Starter::take().map_err(broken)?;
    let (config, passphrase) = starter.receive().map_err(broken)?;
    // Away from the terminal and its signals.
    rustix::process::setsid().map_err(|error| broken(error.into()))?;
    let folders = config.paths.make_private_folders();
    let logging =
        folders.and_then(|()| log::start(LogTarget::File(&config.paths.log), config.debug));
    let mut waiting = Some(starter);
    let outcome = serve::serve(&config, passphrase, &mut |mut news| {
        let ready = match &mut news {
            News::Ready(notes) => {
                let without = |error| format!("there is no log: {error}");
                notes.extend(logging.as_ref().err().map(without));
                true
            }
            News::Progress(_) | News::Failed(_) => false,
        };
        let heard = waiting.as_mut().is_some_and(|starter| starter.tell(&news));
        if ready {
            waiting = None;
        }
        heard
    });
    let Err(fault) = outcome else {
        return Ok(Exit::Done);
    };
    tracing::error!(%fault, "ended by a failure");
    let exit = Exit::of(fault.kind);
    if let Some(mut starter) = waiting {
        starter.tell(&News::Failed(fault));
    }
    Ok(exit)
}

/// Whether the mount at `point` answers.
pub(super) fn probe(point: PathBuf) -> Exit {
    match mountinfo::answers(point, MOUNT_PROBE) {
        mountinfo::Pulse::Alive => Exit::Done,
        mountinfo::Pulse::Dead | mountinfo::Pulse::Silent => Exit::Fuse,
    }
}
