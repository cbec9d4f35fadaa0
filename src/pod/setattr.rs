use crate::format::rows::{Inode, Key};
use crate::journal::{Batch, Class};
use crate::pod::attr::Attr;
use crate::pod::contents::Resized;
use crate::pod::error::PodError;
use crate::pod::received::refuse_received;
use crate::pod::{Caller, Pod};
use crate::types::{Ino, Timespec};

/// Set-user-ID bit of a mode.
const SUID: u32 = 0o4000;
/// Set-group-ID bit of a mode.
const SGID: u32 = 0o2000;
/// Group execute: without it the set-group-ID bit once meant mandatory locks, and is kept where Linux keeps it.
const GROUP_EXECUTE: u32 = 0o010;

/// A time to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// What the clock says.
    Now,
    /// This one.
    At(Timespec),
}

/// What shall change; `None` stays. With nothing given it is what `chown(-1, -1)` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAttr {
    /// Permissions, suid, sgid and sticky; type bits are ignored.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Last access.
    pub atime: Option<SetTime>,
    /// Last change of the contents.
    pub mtime: Option<SetTime>,
    /// Last change of the inode; the clock if it is not given.
    pub ctime: Option<Timespec>,
}

impl SetAttr {
    /// Whether it is a `chown`, of whatever.
    fn is_chown(&self) -> bool {
        let nothing = Self::default();
        self.uid.is_some() || self.gid.is_some() || *self == nothing
    }
}

impl Pod {
    /// Changes attributes in one record. Whether the caller may is the kernel's to check (`default_permissions`);
    /// what goes with a change is done here: suid and sgid fall with a new owner, and with a new size unless root
    /// sets it.
    pub fn setattr(&self, ino: Ino, set: &SetAttr, caller: Caller) -> Result<Attr, PodError> {
        refuse_received(&[ino])?;
        self.rows.admit(0)?;
        let _held = self.locks.lock(&[ino]);
        let mut inode = self.inode(ino)?;
        let now = self.now();
        let mut batch = Batch::new(Class::Meta);
        if set.is_chown() {
            chown(&mut inode, set, caller);
        }
        if let Some(mode) = set.mode {
            inode.mode = inode.kind().bits() | (mode & 0o7777);
        }
        let resized = match set.size {
            Some(size) => {
                if !caller.is_root() {
                    drop_privileges(&mut inode);
                }
                inode.mtime = now;
                self.resize(ino, &mut inode, size, &mut batch)?
            }
            None => Resized::default(),
        };
        let time = |set: SetTime| match set {
            SetTime::Now => now,
            SetTime::At(time) => time,
        };
        if let Some(atime) = set.atime {
            inode.atime = time(atime);
        }
        if let Some(mtime) = set.mtime {
            inode.mtime = time(mtime);
        }
        inode.ctime = set.ctime.unwrap_or(now);
        batch.put(Key::inode(ino), inode.encode());
        let attr = self.attr_of(ino, &inode)?;
        self.rows.append(batch, resized.sealed)?;
        drop(resized.guard);
        Ok(attr)
    }
}

/// As Linux does: anything but a directory loses suid, and sgid too unless it is the mark of mandatory locks and the
/// superuser, or a member of the group, asks.
fn chown(inode: &mut Inode, set: &SetAttr, caller: Caller) {
    if let Some(uid) = set.uid {
        inode.uid = uid;
    }
    if let Some(gid) = set.gid {
        inode.gid = gid;
    }
    if inode.is_dir() {
        return;
    }
    let member = caller.is_root() || caller.gid == inode.gid;
    inode.mode &= !SUID;
    if inode.mode & GROUP_EXECUTE != 0 || !member {
        inode.mode &= !SGID;
    }
}

/// What a change of the contents by anybody but root takes away.
pub(super) fn drop_privileges(inode: &mut Inode) {
    inode.mode &= !SUID;
    if inode.mode & GROUP_EXECUTE != 0 {
        inode.mode &= !SGID;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::rows::FileKind;
    use crate::types::ROOT;

    const ROOT_USER: Caller = Caller { uid: 0, gid: 0 };
    const USER: Caller = Caller {
        uid: 1000,
        gid: 1000,
    };

    fn file(pod: &Pod, perm: u32) -> Ino {
        let found = pod.lookup(ROOT, b"f");
        if found.is_ok() {
            pod.unlink(ROOT, b"f").unwrap();
        }
        pod.mknod(ROOT, b"f", (perm, 0), USER).unwrap().ino
    }

    #[test]
    fn each_field_is_set_alone_and_ctime_moves() {
        let pod = Pod::in_memory();
        let ino = file(&pod, 0o644);
        let before = pod.getattr(ino).unwrap();
        let early = Timespec {
            secs: -2,
            nanos: 500_000_000,
        };
        let set = SetAttr {
            mtime: Some(SetTime::At(early)),
            ..SetAttr::default()
        };
        let after = pod.setattr(ino, &set, USER).unwrap();
        assert_eq!(after.mtime, early);
        assert_eq!((after.atime, after.perm), (before.atime, before.perm));
        assert!(after.ctime > before.ctime);
        let set = SetAttr {
            mode: Some(0o100_7751),
            ..SetAttr::default()
        };
        assert_eq!(pod.setattr(ino, &set, ROOT_USER).unwrap().perm, 0o7751);
        assert_eq!(pod.getattr(ino).unwrap().kind, FileKind::Regular);
    }

    #[test]
    fn a_new_owner_takes_suid_and_sgid_away() {
        let pod = Pod::in_memory();
        for (perm, caller, left) in [
            (0o6755, ROOT_USER, 0o755),
            (0o6755, USER, 0o755),
            (0o6745, ROOT_USER, 0o2745),
            (0o6745, USER, 0o2745),
            (0o6745, Caller { uid: 7, gid: 7 }, 0o745),
        ] {
            let ino = file(&pod, perm);
            let set = SetAttr {
                uid: Some(1000),
                ..SetAttr::default()
            };
            assert_eq!(pod.setattr(ino, &set, caller).unwrap().perm, left);
            let ino = file(&pod, perm);
            let nothing = SetAttr::default();
            assert_eq!(pod.setattr(ino, &nothing, caller).unwrap().perm, left);
        }
        let dir = pod.mkdir(ROOT, b"d", 0o6755, USER).unwrap().ino;
        let set = SetAttr {
            gid: Some(4),
            ..SetAttr::default()
        };
        assert_eq!(pod.setattr(dir, &set, USER).unwrap().perm, 0o6755);
    }

    #[test]
    fn a_new_size_takes_them_too_but_not_from_root() {
        let pod = Pod::in_memory();
        let set = SetAttr {
            size: Some(10_000),
            ..SetAttr::default()
        };
        let ino = file(&pod, 0o6755);
        assert_eq!(pod.setattr(ino, &set, ROOT_USER).unwrap().perm, 0o6755);
        let after = pod.setattr(ino, &set, USER).unwrap();
        assert_eq!((after.perm, after.size), (0o755, 10_000));
        assert_eq!((after.mtime, after.blocks), (after.ctime, 0));
        assert!(matches!(
            pod.setattr(ROOT, &set, ROOT_USER),
            Err(PodError::IsADirectory)
        ));
    }
}
