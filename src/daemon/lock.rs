//! One process has a pod open. The lock is the kernel's: it ends with the process, however that ends.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use serde::Deserialize;
use serde::Serialize;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::types::limits::LOCK_CONTENT_MAX;

/// Who has the pod open, for the message to the one who comes second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// Process id.
    pub pid: u32,
    /// Where it mounts the pod; absent for `check` and other commands.
    pub mountpoint: Option<PathBuf>,
}

/// The pod is ours as long as this lives.
#[derive(Debug)]
pub struct PodLock {
    _file: File,
    /// Where the last holder mounted the pod: if it was killed, its mount may still be there, dead.
    left_at: Option<PathBuf>,
}

impl PodLock {
    /// Takes the lock of the pod with this state folder, or says who has it.
    pub fn acquire(state: &Path, mountpoint: Option<&Path>) -> Result<Self, Fault> {
        let path = state.join("lock");
        let failed = |error: io::Error| {
            Fault::io(
                FaultKind::State,
                format!("cannot lock {}", Quoted(&path)),
                &error,
            )
        };
        let file = open(&path).map_err(failed)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(in_use(state, holder(state).as_ref())),
            Err(error) => return Err(failed(error.into())),
        }
        let left_at = told(&file).and_then(|last| last.mountpoint);
        let holder = LockHolder {
            pid: std::process::id(),
            mountpoint: mountpoint.map(Path::to_owned),
        };
        if let Err(error) = write(&file, &holder) {
            // A full or read-only disk: the lock holds all the same, only its message is poorer.
            tracing::debug!(%error, "lock file not written");
        }
        Ok(Self {
            _file: file,
            left_at,
        })
    }

    /// Where the last holder mounted the pod.
    pub fn left_at(&self) -> Option<&Path> {
        self.left_at.as_deref()
    }
}

/// Who holds the lock now, as far as the file tells; `None` when nobody does. Looks without touching the
/// lock: taking it for a moment would make a start that races with us fail.
pub fn holder(state: &Path) -> Option<LockHolder> {
    let file = File::open(state.join("lock")).ok()?;
    let metadata = file.metadata().ok()?;
    let (major, minor) = (
        rustix::fs::major(metadata.dev()),
        rustix::fs::minor(metadata.dev()),
    );
    let told = told(&file);
    let words_of = |pid: u32| told.as_ref().filter(|told| told.pid == pid);
    let table = std::fs::read_to_string("/proc/locks").ok()?;
    let (pid, _) = table
        .lines()
        .filter_map(|line| exclusive_flock(line, metadata.ino()))
        // Files of other disks have the same numbers. btrfs shows another device than stat does: there the holder's
        // own words must do.
        .find(|(pid, device)| *device == (major, minor) || words_of(*pid).is_some())?;
    // A holder that has only just come has not written yet; the words of its predecessor mean nothing.
    Some(words_of(pid).cloned().unwrap_or(LockHolder {
        pid,
        mountpoint: None,
    }))
}

/// What the last holder wrote.
fn told(file: &File) -> Option<LockHolder> {
    let mut content = String::new();
    file.take(LOCK_CONTENT_MAX)
        .read_to_string(&mut content)
        .ok()?;
    serde_json::from_str(&content).ok()
}

/// An error that names the holder, when there is one. Only [`PodLock::acquire`] decides; this is to refuse
/// early.
pub fn refuse_if_held(state: &Path) -> Result<(), Fault> {
    holder(state).map_or(Ok(()), |holder| Err(in_use(state, Some(&holder))))
}

/// Process id and device out of `1: FLOCK  ADVISORY  WRITE 713 08:01:5678 0 EOF`.
fn exclusive_flock(line: &str, inode: u64) -> Option<(u32, (u32, u32))> {
    let mut fields = line.split_whitespace().skip(1);
    let kind = fields.next() == Some("FLOCK") && fields.nth(1) == Some("WRITE");
    let pid = fields.next()?.parse().ok()?;
    let mut place = fields.next()?.split(':');
    let mut device = || u32::from_str_radix(place.next()?, 16).ok();
    let device = (device()?, device()?);
    let locked = place.next()?.parse() == Ok(inode);
    (kind && locked).then_some((pid, device))
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    match options.custom_flags(libc::O_NOFOLLOW).open(path) {
        // Enough for flock on a read-only disk.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::options()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
            .or_else(|_| {
                let folder = path.parent().unwrap_or(Path::new("/"));
                File::open(folder)
            }),
        other => other,
    }
}

fn write(mut file: &File, holder: &LockHolder) -> io::Result<()> {
    let content = serde_json::to_vec(holder)?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&content)
}

fn in_use(state: &Path, holder: Option<&LockHolder>) -> Fault {
    let who = match holder {
        None => "another process".to_owned(),
        Some(LockHolder {
            pid,
            mountpoint: None,
        }) => format!("process {pid}"),
        Some(LockHolder {
            pid,
            mountpoint: Some(point),
        }) => {
            format!("process {pid}, mounted at {}", Quoted(point))
        }
    };
    let next = match holder.and_then(|holder| holder.mountpoint.as_deref()) {
        Some(point) => format!("use it there, or: podfs unmount {}", Quoted(point)),
        None => "wait until it is done, then try again".to_owned(),
    };
    Fault::new(
        FaultKind::InUse,
        format!("the pod in {} is in use by {who}", Quoted(state)),
    )
    .next(next)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn a_lock_is_told_by_number_and_device() {
        let line = "1: FLOCK  ADVISORY  WRITE 713 08:1f:5678 0 EOF";
        assert_eq!(exclusive_flock(line, 5678), Some((713, (8, 31))));
        assert_eq!(exclusive_flock(line, 5679), None);
        let posix = "2: POSIX  ADVISORY  WRITE 713 08:01:5678 0 EOF";
        assert_eq!(exclusive_flock(posix, 5678), None);
        let shared = "3: FLOCK  ADVISORY  READ 713 08:01:5678 0 EOF";
        assert_eq!(exclusive_flock(shared, 5678), None);
        assert_eq!(exclusive_flock("nonsense", 5678), None);
    }

    #[test]
    fn the_second_is_told_who_is_first() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(holder(state.path()), None);
        let first = PodLock::acquire(state.path(), Some(Path::new("/mnt/a"))).unwrap();
        let second = PodLock::acquire(state.path(), None).unwrap_err();
        assert_eq!(second.kind, FaultKind::InUse);
        assert!(
            second.what.contains("/mnt/a") && second.what.contains(&std::process::id().to_string()),
            "{second}"
        );
        drop(first);
        assert_eq!(holder(state.path()), None);
        PodLock::acquire(state.path(), None).unwrap();
    }

    #[test]
    fn of_many_at_once_exactly_one_wins() {
        let state = tempfile::tempdir().unwrap();
        let start = Barrier::new(8);
        let end = Barrier::new(8);
        let wins = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let lock = PodLock::acquire(state.path(), None);
                        end.wait();
                        usize::from(lock.is_ok())
                    })
                })
                .collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap())
                .sum::<usize>()
        });
        assert_eq!(wins, 1);
    }
}
