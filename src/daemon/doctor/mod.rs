//! What a pod needs of its machine and of its nodes, looked at one by one; whatever is missing comes with its cure.

mod network;

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::FallocateFlags;
use rustix::process::Resource;
use serde::Serialize;

use crate::daemon::fault::Quoted;
use crate::daemon::mount;
use crate::daemon::mountpoint;
use crate::daemon::mountpoint::Mountpoint;
use crate::daemon::paths::PodPaths;
use crate::daemon::report::free;
use crate::daemon::stale;
use crate::daemon::units::show_size;
use crate::types::system_clock;

/// Less than this free is not enough to work with, in bytes.
const FREE_BAD: u64 = 256 << 20;
/// Less than this free deserves a word, in bytes.
const FREE_LOW: u64 = 2 << 30;
/// No clock is right that shows a time before 2026, in seconds since 1970.
const CLOCK_MIN: i64 = 1_767_225_600;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, but less well or less safely.
    Warning,
    /// It does not work.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Short name of the check.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was seen.
    pub what: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Finding {
    fn good(check: &'static str, what: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Good,
            what: what.into(),
            fix: None,
        }
    }

    fn warning(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Warning,
            what: what.into(),
            fix: Some(fix.into()),
        }
    }

    fn bad(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Bad,
            what: what.into(),
            fix: Some(fix.into()),
        }
    }
}

/// Looks at everything; at `mountpoint` as well when one is named.
pub fn examine(paths: &PodPaths, mountpoint: Option<&Path>) -> Vec<Finding> {
    let state = existing_above(&paths.state);
    let mut findings = vec![
        device(),
        program(),
        others(),
        pod(paths),
        space(&state),
        holes(&state),
    ];
    findings.extend(stale_mounts());
    findings.push(clock());
    findings.push(memory());
    findings.push(core());
    findings.extend(mountpoint.map(|dir| folder(dir, paths)));
    findings.extend(network::examine(paths));
    findings
}

fn device() -> Finding {
    const CHECK: &str = "/dev/fuse";
    match File::options().read(true).write(true).open("/dev/fuse") {
        Ok(_) => Finding::good(CHECK, "can be opened"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Finding::bad(
            CHECK,
            "is missing",
            "sudo modprobe fuse (in a container: start it with --device /dev/fuse)",
        ),
        Err(error) => Finding::bad(CHECK, error.to_string(), "sudo chmod 666 /dev/fuse"),
    }
}

fn program() -> Finding {
    const CHECK: &str = "fusermount3";
    let found = search("fusermount3");
    let setuid = |file: &PathBuf| {
        fs::metadata(file).is_ok_and(|meta| meta.mode() & 0o4000 != 0 && meta.uid() == 0)
    };
    match found {
        _ if mount::may_mount() => {
            Finding::good(CHECK, "not needed: this user may mount by itself")
        }
        Some(file) if setuid(&file) => Finding::good(CHECK, file.display().to_string()),
        Some(file) => Finding::bad(
            CHECK,
            format!("{} is not setuid root", file.display()),
            format!("sudo chmod u+s {}", file.display()),
        ),
        None => Finding::bad(CHECK, "is missing", "sudo apt install fuse3"),
    }
}

fn search(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn others() -> Finding {
    const CHECK: &str = "allow_other";
    let allowed = fs::read_to_string("/etc/fuse.conf")
        .is_ok_and(|text| text.lines().any(|line| line.trim() == "user_allow_other"));
    if allowed || mount::may_mount() {
        return Finding::good(CHECK, "may be used");
    }
    Finding::warning(
        CHECK,
        "may not be used by ordinary users",
        "only if you need it: echo user_allow_other | sudo tee -a /etc/fuse.conf",
    )
}

fn pod(paths: &PodPaths) -> Finding {
    const CHECK: &str = "pod";
    let file = paths.keyfile();
    match fs::symlink_metadata(&file) {
        Ok(meta) if meta.mode() & 0o077 != 0 => Finding::bad(
            CHECK,
            format!("others may read or write {}", Quoted(&file)),
            format!("chmod 600 {}", Quoted(&file)),
        ),
        Ok(meta) if meta.uid() != rustix::process::geteuid().as_raw() => Finding::bad(
            CHECK,
            format!("{} belongs to another user", Quoted(&file)),
            "run podfs as the user who made the pod",
        ),
        Ok(_) => Finding::good(
            CHECK,
            format!("{:?} in {}", paths.name, Quoted(&paths.state)),
        ),
        Err(_) => Finding::warning(
            CHECK,
            format!("there is no pod {:?} yet", paths.name),
            format!("podfs init{}", paths.pod_flag()),
        ),
    }
}

fn space(state: &Path) -> Finding {
    const CHECK: &str = "disk space";
    let bytes = free(state);
    let what = format!("{} free at {}", show_size(bytes), Quoted(state));
    match bytes {
        FREE_LOW.. => Finding::good(CHECK, what),
        FREE_BAD.. => Finding::warning(CHECK, what, "free some space soon"),
        _ => Finding::bad(
            CHECK,
            what,
            "free some space, or move the state to a larger disk (XDG_DATA_HOME)",
        ),
    }
}

/// Space of deleted files is given back by punching holes into the log.
fn holes(state: &Path) -> Finding {
    const CHECK: &str = "hole punching";
    let punched = unnamed_file(state).and_then(|mut file| {
        file.write_all(&[1; 8192])?;
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&file, flags, 0, 4096)?;
        Ok(())
    });
    match punched {
        Ok(()) => Finding::good(CHECK, "supported by the state folder's file system"),
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => Finding::warning(
            CHECK,
            "not supported by the state folder's file system: deleted data keeps its space longer",
            "put the state on ext4, xfs, btrfs or tmpfs (XDG_DATA_HOME)",
        ),
        Err(error) => Finding::bad(
            CHECK,
            format!("cannot write to {}: {error}", Quoted(state)),
            "make the folder writable for you",
        ),
    }
}

/// A file that nobody else sees and that is gone when it is closed.
pub(super) fn unnamed_file(folder: &Path) -> std::io::Result<File> {
    use rustix::fs::Mode;
    use rustix::fs::OFlags;
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(
        folder,
        flags,
        Mode::RUSR | Mode::WUSR,
    )?))
}

fn stale_mounts() -> Vec<Finding> {
    const CHECK: &str = "dead mounts";
    let dead = stale::dead_mounts();
    if dead.is_empty() {
        return vec![Finding::good(CHECK, "none")];
    }
    let tell = |mount: &crate::daemon::mountinfo::Mount| {
        let place = Quoted(&mount.point);
        Finding::bad(
            CHECK,
            format!("{place}: its daemon is gone"),
            format!("podfs unmount {place}"),
        )
    };
    dead.iter().map(tell).collect()
}

fn clock() -> Finding {
    const CHECK: &str = "clock";
    if (system_clock())().secs >= CLOCK_MIN {
        return Finding::good(CHECK, "plausible");
    }
    Finding::warning(
        CHECK,
        "shows a time long past: files will carry it",
        "sudo timedatectl set-ntp true",
    )
}

fn memory() -> Finding {
    const CHECK: &str = "memory lock";
    let swap = fs::read_to_string("/proc/swaps").is_ok_and(|table| table.lines().count() > 1);
    match rustix::process::getrlimit(Resource::Memlock).current {
        None => Finding::good(CHECK, "no limit: keys never reach a swap device"),
        Some(_) if rustix::process::geteuid().is_root() => {
            Finding::good(CHECK, "root: keys never reach a swap device")
        }
        Some(_) if !swap => Finding::good(CHECK, "limited, but this machine has no swap"),
        Some(limit) => Finding::warning(
            CHECK,
            format!(
                "limited to {}: keys may reach the swap device",
                show_size(limit)
            ),
            "encrypt the swap device, or raise the limit: LimitMEMLOCK=infinity in the unit, memlock in limits.conf",
        ),
    }
}

fn core() -> Finding {
    const CHECK: &str = "core dumps";
    match rustix::process::dumpable_behavior() {
        Ok(rustix::process::DumpableBehavior::NotDumpable) => {
            Finding::good(CHECK, "podfs never dumps core")
        }
        _ => Finding::bad(
            CHECK,
            "podfs could dump core, with keys in it",
            "ulimit -c 0",
        ),
    }
}

fn folder(dir: &Path, paths: &PodPaths) -> Finding {
    const CHECK: &str = "mountpoint";
    let busy = mountpoint::resolve(dir).and_then(|point| mountpoint::mounted_at(&point));
    if let Ok(Some(mount)) = busy {
        let what = format!("{} is mounted at {}", mount.source, Quoted(dir));
        return Finding::good(CHECK, what);
    }
    match Mountpoint::prepare(dir, &paths.state) {
        Ok(point) => Finding::good(CHECK, format!("{} can be mounted on", Quoted(&point.path))),
        Err(fault) => Finding {
            check: CHECK,
            level: Level::Bad,
            what: fault.what,
            fix: fault.next,
        },
    }
}

/// The folder itself, or the first one above it that exists.
pub(super) fn existing_above(folder: &Path) -> PathBuf {
    folder
        .ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or(Path::new(OsStr::new("/")))
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_good_has_a_cure() {
        let paths = PodPaths::of("/nonexistent/state").unwrap();
        let findings = examine(&paths, Some(Path::new("/nonexistent/folder")));
        for finding in &findings {
            assert!(
                finding.level == Level::Good || finding.fix.is_some(),
                "{finding:?}"
            );
        }
        let level = |check| {
            findings
                .iter()
                .find(|finding| finding.check == check)
                .unwrap()
                .level
        };
        assert_eq!(level("pod"), Level::Warning);
        assert_eq!(level("mountpoint"), Level::Bad);
    }
}
