//! What the process denies others and itself, before it sees a secret.

use std::fmt;
use std::io;

use crate::types::limits::OPEN_FILES_WANTED;
use rustix::mm::MlockAllFlags;
use rustix::process::DumpableBehavior;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::thread::CapabilitySet;

/// The kernel rather ends others when memory runs out: a dead daemon is a dead folder. From -1000 to 1000.
const OOM_SCORE_ADJUST: i32 = -500;

/// What could be had; told once in the log and by `podfs doctor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLock {
    /// All pages stay in memory, swapped to no disk.
    All,
    /// Only what locks itself page by page.
    SecretsOnly,
}

impl fmt::Display for MemoryLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all memory is locked",
            Self::SecretsOnly => "memory lock limit too small to lock all memory",
        })
    }
}

/// For every command, first of all: no core dumps, no ptrace by the same user, no payloads in panic messages.
pub fn process() {
    let steps = [
        (
            "PR_SET_DUMPABLE",
            rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable),
        ),
        ("RLIMIT_CORE", no_core()),
    ];
    for (step, outcome) in steps {
        if let Err(error) = outcome {
            tracing::warn!(%error, step, "hardening step failed");
        }
    }
    // A payload may quote a name or a byte of a file; the place is enough to find the bug.
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "internal error");
    }));
}

/// For the daemon: memory, files, and its standing with the kernel. Every step is a wish.
pub fn daemon() -> MemoryLock {
    if let Err(error) = raise_files() {
        tracing::debug!(%error, "file limit not raised");
    }
    // Memory reclaim inside a request must not wait for writeback into the file system we serve.
    if let Err(error) = rustix::process::configure_io_flusher_behavior(true) {
        tracing::debug!(%error, "not an I/O flusher");
    }
    if let Err(error) = lower_oom_score() {
        tracing::debug!(%error, "out-of-memory score not lowered");
    }
    lock_memory()
}

/// Locks pages as they are touched. Only without a limit: below one, a later allocation would fail.
fn lock_memory() -> MemoryLock {
    let unlimited = rustix::process::getrlimit(Resource::Memlock)
        .current
        .is_none();
    let privileged = rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    if !unlimited && !privileged {
        return MemoryLock::SecretsOnly;
    }
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    match rustix::mm::mlockall(flags) {
        Ok(()) => MemoryLock::All,
        Err(error) => {
            tracing::debug!(%error, "memory not locked");
            MemoryLock::SecretsOnly
        }
    }
}

fn no_core() -> rustix::io::Result<()> {
    let maximum = rustix::process::getrlimit(Resource::Core).maximum;
    rustix::process::setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum,
        },
    )
}

fn raise_files() -> rustix::io::Result<()> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let wanted = limit
        .maximum
        .map_or(OPEN_FILES_WANTED, |maximum| maximum.min(OPEN_FILES_WANTED));
    if limit.current.is_some_and(|current| current < wanted) {
        rustix::process::setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(wanted),
                maximum: limit.maximum,
            },
        )?;
    }
    Ok(())
}

fn lower_oom_score() -> io::Result<()> {
    let path = "/proc/self/oom_score_adj";
    let current: i32 = std::fs::read_to_string(path)?.trim().parse().unwrap_or(0);
    if current > OOM_SCORE_ADJUST {
        std::fs::write(path, OOM_SCORE_ADJUST.to_string())
    } else {
        Ok(())
    }
}
