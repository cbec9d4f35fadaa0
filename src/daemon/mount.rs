//! mount(2), umount2(2) and their unprivileged stand-in fusermount3 (`daemon::fusermount`).
//!
//! Done here and not by the FUSE library, whose unmount may take down another file system at the same
//! path, and whose options can be injected through the name of the source.

use std::ffi::CString;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::mount::MountFlags;
use rustix::mount::UnmountFlags;
use rustix::thread::CapabilitySet;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::fusermount;
use crate::daemon::mountinfo;
use crate::daemon::mountinfo::OUR_TYPE;
use crate::daemon::mountpoint::Mountpoint;
use crate::types::limits::FUSE_READ_MAX;
use crate::types::limits::READ_AHEAD_KB;

/// What to mount.
#[derive(Clone, Debug)]
pub struct MountRequest {
    /// Source the kernel shows; see `paths::clean_source`.
    pub source: String,
    /// Flags for the kernel.
    pub flags: MountFlags,
    /// Other users may enter.
    pub allow_other: bool,
}

/// How to take a mount away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detach {
    /// Only when nobody uses it.
    Polite,
    /// At once for new users; it ends when the last one lets go.
    Lazy,
}

/// Whether this process may mount by itself.
pub fn may_mount() -> bool {
    rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

/// An error unless the kernel's FUSE is there.
pub fn require_device() -> Result<(), Fault> {
    if Path::new("/dev/fuse").exists() {
        return Ok(());
    }
    let next = "sudo modprobe fuse (in a container: start it with --device /dev/fuse)";
    Err(Fault::new(FaultKind::Fuse, "cannot mount: /dev/fuse is missing").next(next))
}

/// Mounts, and gives the descriptor the kernel's requests come from.
pub fn attach(point: &Mountpoint, request: &MountRequest) -> Result<OwnedFd, Fault> {
    require_device()?;
    if !may_mount() {
        return fusermount::attach(point, request);
    }
    let device = open_device()?;
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    let other = if request.allow_other {
        ",allow_other"
    } else {
        ""
    };
    let data = format!(
        "fd={},rootmode=40000,user_id={user},group_id={group},default_permissions,max_read={FUSE_READ_MAX}{other}",
        device.as_raw_fd()
    );
    let data = CString::new(data)
        .map_err(|_| Fault::new(FaultKind::Other, "mount data with a zero byte"))?;
    rustix::mount::mount(
        request.source.as_str(),
        &point.path,
        OUR_TYPE,
        request.flags,
        data.as_c_str(),
    )
    .map_err(|error| {
        let what = format!("cannot mount on {}", Quoted(&point.path));
        let fault = Fault::io(FaultKind::Fuse, what, &error.into());
        match error {
            Errno::PERM | Errno::ACCESS => fault.next("podfs doctor"),
            Errno::NODEV => fault.next("sudo modprobe fuse"),
            _ => fault,
        }
    })?;
    Ok(device)
}

/// Takes the uppermost mount at `point` away.
pub fn detach(point: &Path, how: Detach) -> Result<(), Fault> {
    if !may_mount() {
        return fusermount::detach(point, how);
    }
    let flags = match how {
        Detach::Polite => UnmountFlags::NOFOLLOW,
        Detach::Lazy => UnmountFlags::NOFOLLOW | UnmountFlags::DETACH,
    };
    rustix::mount::unmount(point, flags).map_err(|error| {
        let kind = match error {
            Errno::BUSY => FaultKind::Busy,
            Errno::INVAL | Errno::NOENT => FaultKind::NotMounted,
            _ => FaultKind::Other,
        };
        Fault::io(
            kind,
            format!("cannot unmount {}", Quoted(point)),
            &error.into(),
        )
    })
}

/// Widens the read-ahead of the mount. Only root may; once the kernel and the daemon have shaken hands.
pub fn widen_read_ahead(point: &Path) -> io::Result<()> {
    let mount = mountinfo::mounted_at(point)?.ok_or(io::ErrorKind::NotFound)?;
    let setting = format!("/sys/class/bdi/{}/read_ahead_kb", mount.device);
    std::fs::write(setting, READ_AHEAD_KB.to_string())
}

/// Ends the connection behind a mount that was detached and is still held by programs: they get ENOTCONN.
pub fn abort(minor: &str) -> io::Result<()> {
    std::fs::write(format!("/sys/fs/fuse/connections/{minor}/abort"), "1")
}

fn open_device() -> Result<OwnedFd, Fault> {
    rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(|error| {
        Fault::io(FaultKind::Fuse, "cannot open /dev/fuse", &error.into()).next("podfs doctor")
    })
}
