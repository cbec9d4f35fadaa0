//! Mounting without privileges, through the setuid program fusermount3.
//!
//! It mounts, and sends the descriptor back over a socket whose number it finds in `_FUSE_COMMFD`. The
//! socket is its standard input: that number needs no descriptor to be leaked to other children.

use std::io;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use rustix::mount::MountFlags;
use rustix::net::AddressFamily;
use rustix::net::RecvAncillaryBuffer;
use rustix::net::RecvAncillaryMessage;
use rustix::net::RecvFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::mount::Detach;
use crate::daemon::mount::MountRequest;
use crate::daemon::mountpoint::Mountpoint;
use crate::types::limits::FUSE_READ_MAX;

const PROGRAM: &str = "fusermount3";
/// Longest complaint of the program that is passed on, in bytes.
const COMPLAINT_MAX: usize = 400;

pub(super) fn attach(point: &Mountpoint, request: &MountRequest) -> Result<OwnedFd, Fault> {
    point.opened_for(|| attach_opened(point, request))
}

fn attach_opened(point: &Mountpoint, request: &MountRequest) -> Result<OwnedFd, Fault> {
    let pair = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    );
    let (ours, theirs) =
        pair.map_err(|error| Fault::io(FaultKind::Other, "cannot make a socket", &error.into()))?;
    let output = Command::new(PROGRAM)
        .args(["-o", &options(request), "--"])
        .arg(&point.path)
        .env("_FUSE_COMMFD", "0")
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        .output()
        .map_err(|error| missing(&error))?;
    if !output.status.success() {
        return Err(refused(&point.path, &output));
    }
    receive(&ours).map_err(|error| {
        Fault::io(
            FaultKind::Fuse,
            format!("{PROGRAM} sent no descriptor"),
            &error,
        )
    })
}

pub(super) fn detach(point: &Path, how: Detach) -> Result<(), Fault> {
    let mut command = Command::new(PROGRAM);
    command.arg("-u").current_dir("/").stdin(Stdio::null());
    if how == Detach::Lazy {
        command.arg("-z");
    }
    let output = command
        .arg("--")
        .arg(point)
        .output()
        .map_err(|error| missing(&error))?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = complaint(&output);
    let kind = if complaint.contains("busy") {
        FaultKind::Busy
    } else if complaint.contains("not found") || complaint.contains("not mounted") {
        FaultKind::NotMounted
    } else {
        FaultKind::Other
    };
    Err(Fault::new(
        kind,
        format!("cannot unmount {}: {complaint}", Quoted(point)),
    ))
}

fn options(request: &MountRequest) -> String {
    let mut options = format!(
        "fsname={},subtype=podfs,default_permissions,max_read={FUSE_READ_MAX}",
        request.source
    );
    let flags = [
        (MountFlags::NOSUID, "nosuid", "suid"),
        (MountFlags::NODEV, "nodev", "dev"),
        (MountFlags::NOEXEC, "noexec", "exec"),
        (MountFlags::RDONLY, "ro", "rw"),
    ];
    for (flag, on, off) in flags {
        options.push(',');
        options.push_str(if request.flags.contains(flag) {
            on
        } else {
            off
        });
    }
    for (flag, on) in [
        (MountFlags::NOATIME, ",noatime"),
        (MountFlags::SYNCHRONOUS, ",sync"),
        (MountFlags::DIRSYNC, ",dirsync"),
    ] {
        if request.flags.contains(flag) {
            options.push_str(on);
        }
    }
    if request.allow_other {
        options.push_str(",allow_other");
    }
    options
}

fn missing(error: &io::Error) -> Fault {
    let fault = Fault::io(FaultKind::Fuse, format!("cannot run {PROGRAM}"), error);
    if error.kind() == io::ErrorKind::NotFound {
        fault.next("sudo apt install fuse3")
    } else {
        fault
    }
}

fn refused(point: &Path, output: &Output) -> Fault {
    let complaint = complaint(output);
    let fault = |kind| {
        Fault::new(
            kind,
            format!("cannot mount on {}: {complaint}", Quoted(point)),
        )
    };
    if complaint.contains("user_allow_other") {
        let next =
            "echo user_allow_other | sudo tee -a /etc/fuse.conf (or mount without allow_other)";
        fault(FaultKind::Fuse).next(next)
    } else if complaint.contains("no write access") {
        fault(FaultKind::Mountpoint).next(format!(
            "mount on a folder of your own, or: sudo podfs unmount --release {}",
            Quoted(point)
        ))
    } else {
        fault(FaultKind::Fuse).next("podfs doctor")
    }
}

fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.trim().lines().next_back().unwrap_or_default();
    let safe: String = line
        .chars()
        .filter(|c| !c.is_control())
        .take(COMPLAINT_MAX)
        .collect();
    if safe.is_empty() {
        format!("{PROGRAM} failed ({})", output.status)
    } else {
        safe
    }
}

fn receive(socket: &OwnedFd) -> io::Result<OwnedFd> {
    let mut byte = [0; 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut data = [IoSliceMut::new(&mut byte)];
    rustix::net::recvmsg(socket, &mut data, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = message
            && let Some(descriptor) = descriptors.next()
        {
            return Ok(descriptor);
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_keep_a_mount_safe_by_default() {
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        let request = MountRequest {
            source: "podfs:main".into(),
            flags,
            allow_other: false,
        };
        let list = options(&request);
        assert_eq!(
            list,
            "fsname=podfs:main,subtype=podfs,default_permissions,max_read=1048576,nosuid,nodev,exec,rw"
        );
    }
}
