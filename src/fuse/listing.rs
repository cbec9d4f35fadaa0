use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use fuser::{INodeNo, ReplyDirectory, ReplyDirectoryPlus};

use crate::fuse::answer::GENERATION;
use crate::fuse::attr::{bare_attr, file_attr, file_type};
use crate::fuse::told::keeps;
use crate::pod::{Entry, Pod, PodError};
use crate::types::Ino;

/// Nothing is above the topmost directory of a mount.
fn shown(entry: &Entry<'_>, (dir, top): (Ino, Ino)) -> Ino {
    if dir == top && entry.name == b".." {
        dir
    } else {
        entry.ino
    }
}

/// Fills `reply` with the names behind `cookie`.
pub(super) fn list(
    pod: &Pod,
    (dir, top): (Ino, Ino),
    cookie: u64,
    reply: &RefCell<Option<ReplyDirectory>>,
) -> Result<(), PodError> {
    let mut reply = reply.borrow_mut();
    let Some(reply) = reply.as_mut() else {
        return Ok(());
    };
    pod.readdir(dir, cookie, |entry| {
        let ino = pod.known_as(shown(&entry, (dir, top)));
        !reply.add(
            INodeNo(ino.0),
            entry.cookie,
            file_type(entry.kind),
            OsStr::from_bytes(entry.name),
        )
    })
}

/// The same with attributes; each entry taken counts as a look-up. An entry that goes away meanwhile is left out.
pub(super) fn list_plus(
    pod: &Pod,
    (dir, top): (Ino, Ino),
    cookie: u64,
    reply: &RefCell<Option<ReplyDirectoryPlus>>,
) -> Result<(), PodError> {
    let mut reply = reply.borrow_mut();
    let Some(reply) = reply.as_mut() else {
        return Ok(());
    };
    let mut failed = None;
    pod.readdir(dir, cookie, |entry| {
        let attr = if matches!(entry.name, b"." | b"..") {
            bare_attr(pod.known_as(shown(&entry, (dir, top))), entry.kind)
        } else {
            match pod.getattr(entry.ino) {
                Ok(attr) => file_attr(&pod.told(attr)),
                Err(PodError::NotFound) => return true,
                Err(error) => {
                    failed = Some(error);
                    return false;
                }
            }
        };
        let name = OsStr::from_bytes(entry.name);
        !reply.add(
            attr.ino,
            entry.cookie,
            name,
            &keeps(entry.ino),
            &attr,
            GENERATION,
        )
    })?;
    failed.map_or(Ok(()), Err)
}
