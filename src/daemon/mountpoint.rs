//! The folder a pod is mounted on: fit for it, and closed while nothing is mounted.
//!
//! A bare mountpoint takes no writes, or a program would save in clear what it believes to be sealed.
//! It stays closed after the unmount; `podfs unmount --release DIR` opens it again.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::IFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::mount;
use crate::daemon::mountinfo;
use crate::daemon::mountinfo::Mount;
use crate::daemon::mountinfo::Pulse;
use crate::types::limits::MOUNT_PULSE;

/// Mode of a bare mountpoint.
const CLOSED: Mode = Mode::from_raw_mode(0o500);
/// Mode after release, and while an unprivileged mount needs to find it writable.
const OPEN: Mode = Mode::from_raw_mode(0o700);

/// A folder that may be mounted on.
#[derive(Debug)]
pub struct Mountpoint {
    /// Absolute, without symlinks.
    pub path: PathBuf,
    folder: OwnedFd,
}

impl Mountpoint {
    /// Checks `path` for the pod with this state folder; a dead mount of ours is cleared away.
    pub fn prepare(path: &Path, state: &Path) -> Result<Self, Fault> {
        let path = resolve(path)?;
        while let Some(found) = mounted_at(&path)? {
            clear(&found)?;
        }
        let state = state.canonicalize().unwrap_or_else(|_| state.to_owned());
        if mountinfo::is_below(&state, &path) || mountinfo::is_below(&path, &state) {
            let what = format!(
                "cannot mount on {}: it and the pod's state {} lie in each other",
                Quoted(&path),
                Quoted(&state)
            );
            return Err(Fault::new(FaultKind::Mountpoint, what).next("mount on another folder"));
        }
        let folder = open_folder(&path)?;
        match fs::read_dir(&path).map(|mut entries| entries.next().is_some()) {
            Ok(false) => Ok(Self { path, folder }),
            Ok(true) => {
                let what = format!("cannot mount on {}: the folder is not empty", Quoted(&path));
                Err(Fault::new(FaultKind::Mountpoint, what).next(format!(
                    "move its files away, or make another one: mkdir {}",
                    Quoted(&sibling(&path))
                )))
            }
            Err(error) => Err(unusable(&path, &error)),
        }
    }

    /// Lets `mount` find the folder writable, as fusermount3 wants it; when it fails, the folder is closed again.
    pub fn opened_for<T>(&self, mount: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        let failed = |error: Errno| {
            let what = format!("cannot open {} for the mount", Quoted(&self.path));
            Fault::io(FaultKind::Mountpoint, what, &error.into())
        };
        let stat = rustix::fs::fstat(&self.folder).map_err(failed)?;
        let own = stat.st_uid == rustix::process::geteuid().as_raw();
        if !own || stat.st_mode & 0o200 != 0 {
            return mount();
        }
        rustix::fs::fchmod(&self.folder, OPEN).map_err(failed)?;
        mount().inspect_err(|_| {
            if let Err(error) = rustix::fs::fchmod(&self.folder, CLOSED) {
                tracing::warn!(%error, "the bare folder stays open");
            }
        })
    }

    /// Closes the bare folder: mode 0500 and, where the kernel lets us, the immutable flag. Works through the
    /// descriptor, so also below a mount.
    ///
    /// # Errors
    /// The folder belongs to somebody else, or its file system has no modes.
    pub fn protect(&self) -> io::Result<()> {
        let stat = rustix::fs::fstat(&self.folder)?;
        let closed = if stat.st_mode & 0o777 == CLOSED.bits() {
            Ok(())
        } else {
            rustix::fs::fchmod(&self.folder, CLOSED)
        };
        let flag = immutable(&self.folder, true);
        match (closed, flag) {
            (Ok(()), _) | (_, Ok(())) => Ok(()),
            (Err(error), Err(_)) => Err(error.into()),
        }
    }
}

/// Opens a bare mountpoint again for ordinary use.
pub fn release(path: &Path) -> Result<(), Fault> {
    let path = resolve(path)?;
    if let Some(found) = mounted_at(&path)? {
        let what = format!(
            "cannot release {}: {} is mounted there",
            Quoted(&path),
            found.source
        );
        return Err(
            Fault::new(FaultKind::Busy, what).next(format!("podfs unmount {}", Quoted(&path)))
        );
    }
    let folder = open_folder(&path)?;
    let flag = immutable(&folder, false);
    match (rustix::fs::fchmod(&folder, OPEN), flag) {
        (Ok(()), _) => Ok(()),
        (Err(error), _) => {
            let what = format!("cannot release {}", Quoted(&path));
            Err(Fault::io(FaultKind::Mountpoint, what, &error.into())
                .next("try as its owner, or as root"))
        }
    }
}

/// The absolute path without symlinks, never asking a dead mount at its end.
pub fn resolve(path: &Path) -> Result<PathBuf, Fault> {
    let absolute = std::path::absolute(path).map_err(|error| unusable(path, &error))?;
    let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(Fault::new(
            FaultKind::Mountpoint,
            "cannot mount on the root folder",
        ));
    };
    let named = parent
        .canonicalize()
        .map_err(|error| unusable(path, &error))?
        .join(name);
    if mounted_at(&named)?.is_some() {
        return Ok(named);
    }
    named.canonicalize().map_err(|error| unusable(path, &error))
}

/// The uppermost mount at `path`.
pub fn mounted_at(path: &Path) -> Result<Option<Mount>, Fault> {
    mountinfo::mounted_at(path)
        .map_err(|error| Fault::io(FaultKind::Other, "cannot read /proc/self/mountinfo", &error))
}

/// Detaches a dead mount of ours; anything else is left alone.
fn clear(found: &Mount) -> Result<(), Fault> {
    let place = Quoted(&found.point);
    if !found.is_ours() {
        let what = format!(
            "cannot mount on {place}: {} ({}) is mounted there",
            found.source, found.kind
        );
        return Err(Fault::new(FaultKind::Mountpoint, what)
            .next(format!("mount on another folder, or: umount {place}")));
    }
    if found.pulse(MOUNT_PULSE) != Pulse::Dead {
        let what = format!("cannot mount on {place}: {} is mounted there", found.source);
        return Err(Fault::new(FaultKind::Mountpoint, what).next(format!("podfs unmount {place}")));
    }
    tracing::info!(source = found.source, "a dead mount was cleared away");
    mount::detach(&found.point, mount::Detach::Lazy).map_err(|fault| {
        Fault {
            kind: FaultKind::Mountpoint,
            ..fault
        }
        .next(format!("sudo umount -l {place}"))
    })
}

fn open_folder(path: &Path) -> Result<OwnedFd, Fault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|error| unusable(path, &error.into()))
}

fn unusable(path: &Path, error: &io::Error) -> Fault {
    let place = Quoted(path);
    let what = |why: &str| {
        Fault::new(
            FaultKind::Mountpoint,
            format!("cannot mount on {place}: {why}"),
        )
    };
    let kind = error.kind();
    if kind == io::ErrorKind::NotFound {
        what("there is no such folder").next(format!("mkdir -p {place}"))
    } else if kind == io::ErrorKind::NotADirectory {
        what("it is not a folder").next("name an empty folder")
    } else if kind == io::ErrorKind::PermissionDenied {
        what("permission denied").next("choose an empty folder of your own, such as ~/Pod")
    } else {
        what(&error.to_string())
    }
}

fn sibling(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push("-pod");
    path.with_file_name(name)
}

fn immutable(folder: &OwnedFd, on: bool) -> rustix::io::Result<()> {
    let flags = rustix::fs::ioctl_getflags(folder)?;
    if flags.contains(IFlags::IMMUTABLE) == on {
        return Ok(());
    }
    let mut wanted = flags;
    wanted.set(IFlags::IMMUTABLE, on);
    rustix::fs::ioctl_setflags(folder, wanted)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_cannot_be_mounted_on() {
        let top = tempfile::tempdir().unwrap();
        let state = top.path().join("state");
        fs::create_dir(&state).unwrap();
        fs::write(top.path().join("file"), "x").unwrap();
        let inside = state.join("inside");
        fs::create_dir(&inside).unwrap();
        let root = Path::new("/").to_owned();
        let proc = Path::new("/proc").to_owned();
        for bad in [
            top.path().join("missing"),
            top.path().join("file"),
            top.path().to_owned(),
            inside,
            root,
            proc,
        ] {
            let fault = Mountpoint::prepare(&bad, &state).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Mountpoint, "{bad:?}: {fault}");
        }
    }

    #[test]
    fn a_protected_folder_can_be_prepared_again_and_released() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("pod");
        fs::create_dir(&folder).unwrap();
        let state = Path::new("/nonexistent/state");
        for _ in 0..2 {
            let prepared = Mountpoint::prepare(&folder, state).unwrap();
            prepared.protect().unwrap();
            assert_eq!(
                fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
                0o500
            );
        }
        assert!(fs::write(folder.join("x"), "x").is_err() || immutable_is_missing(&folder));
        release(&folder).unwrap();
        fs::write(folder.join("x"), "x").unwrap();
    }

    /// Root writes through modes; only the flag stops it, and not every file system has it.
    fn immutable_is_missing(folder: &Path) -> bool {
        let folder = open_folder(folder).unwrap();
        rustix::fs::ioctl_getflags(&folder).is_err()
    }
}
