use crate::format::rows::{FileKind, Inode};
use crate::journal::{Batch, Class};
use crate::pod::attr::Attr;
use crate::pod::edit::Edit;
use crate::pod::error::PodError;
use crate::pod::{Caller, Pod};
use crate::types::Ino;
use crate::types::limits::TARGET_MAX;

/// Set-group-ID bit of a mode.
const SGID: u32 = 0o2000;
/// How often a directory of a tray may go while something is made in it.
const TURNS_MAX: usize = 8;

/// What a new inode shall be.
struct Blank<'a> {
    kind: FileKind,
    /// Permissions, the umask taken off.
    perm: u32,
    rdev: u32,
    target: &'a [u8],
    /// Whether it is opened in the same step.
    open: bool,
}

impl Pod {
    /// Makes a regular file and opens it, as `open` with `O_CREAT | O_EXCL` does: `Exists` when the name is taken.
    /// The caller closes it with [`Pod::release`].
    pub fn create(
        &self,
        dir: Ino,
        name: &[u8],
        perm: u32,
        caller: Caller,
    ) -> Result<Attr, PodError> {
        let blank = Blank {
            kind: FileKind::Regular,
            perm,
            rdev: 0,
            target: &[],
            open: true,
        };
        self.make(dir, name, &blank, caller)
    }

    /// Makes a file, fifo, socket or device node; `mode` has the type bits, none meaning a regular file.
    pub fn mknod(
        &self,
        dir: Ino,
        name: &[u8],
        (mode, rdev): (u32, u32),
        caller: Caller,
    ) -> Result<Attr, PodError> {
        let kind = if mode & 0o170_000 == 0 {
            FileKind::Regular
        } else {
            FileKind::from_mode(mode).ok_or(PodError::InvalidArgument)?
        };
        let device = matches!(kind, FileKind::CharDevice | FileKind::BlockDevice);
        if matches!(kind, FileKind::Directory | FileKind::Symlink) {
            return Err(PodError::InvalidArgument);
        }
        let blank = Blank {
            kind,
            perm: mode,
            rdev: if device { rdev } else { 0 },
            target: &[],
            open: false,
        };
        self.make(dir, name, &blank, caller)
    }

    /// Makes a directory.
    pub fn mkdir(
        &self,
        dir: Ino,
        name: &[u8],
        perm: u32,
        caller: Caller,
    ) -> Result<Attr, PodError> {
        let blank = Blank {
            kind: FileKind::Directory,
            perm,
            rdev: 0,
            target: &[],
            open: false,
        };
        self.make(dir, name, &blank, caller)
    }

    /// Makes a symlink; the target is bytes that nobody interprets.
    pub fn symlink(
        &self,
        dir: Ino,
        name: &[u8],
        target: &[u8],
        caller: Caller,
    ) -> Result<Attr, PodError> {
        if target.is_empty() {
            return Err(PodError::NotFound);
        }
        if target.len() > TARGET_MAX {
            return Err(PodError::NameTooLong);
        }
        let blank = Blank {
            kind: FileKind::Symlink,
            perm: 0o777,
            rdev: 0,
            target,
            open: false,
        };
        self.make(dir, name, &blank, caller)
    }

    /// One record: the inode, its name, its parent row and the directory.
    fn make(
        &self,
        dir: Ino,
        name: &[u8],
        blank: &Blank<'_>,
        caller: Caller,
    ) -> Result<Attr, PodError> {
        for _ in 0..TURNS_MAX {
            let at = self.to_add((dir, name), blank.kind)?;
            match self.make_in(at, name, blank, caller) {
                // Directories of a tray go when they are empty: this one did just now.
                Err(PodError::NotFound) if at != dir => {}
                made => {
                    let made = made?;
                    if at != dir && blank.kind == FileKind::Directory {
                        self.is_in_place_of((dir, name), at)?;
                    }
                    return Ok(made);
                }
            }
        }
        Err(PodError::NotFound)
    }

    fn make_in(
        &self,
        dir: Ino,
        name: &[u8],
        blank: &Blank<'_>,
        caller: Caller,
    ) -> Result<Attr, PodError> {
        let spot = self.spot(dir, name)?;
        self.rows.admit(0)?;
        let _held = self.locks.lock(&[dir]);
        let mut edit = Edit::new(self);
        let inode = self.blank_inode(blank, edit.directory(dir)?, caller);
        if edit.entry(&spot)?.is_some() {
            return Err(PodError::Exists);
        }
        let (ino, kind) = (self.fresh_ino(), inode.kind());
        let attr = Attr::of(ino, &inode);
        edit.insert(&spot, ino, kind)?;
        edit.count(dir, 1, i32::from(inode.is_dir()), inode.btime)?;
        edit.add(ino, inode);
        let mut batch = Batch::new(Class::Data);
        edit.finish(&mut batch);
        if blank.open {
            self.opens.open(ino);
        }
        match self.rows.append(batch, None) {
            Ok(()) => Ok(attr),
            Err(error) => {
                if blank.open {
                    self.opens.close(ino);
                }
                Err(error.into())
            }
        }
    }

    /// Owner, group and bits of a new inode: a set-group-ID directory gives its group to what is made in it, and the bit to directories.
    fn blank_inode(&self, blank: &Blank<'_>, parent: &Inode, caller: Caller) -> Inode {
        let inherits = parent.mode & SGID != 0;
        let mut perm = blank.perm & 0o7777;
        if inherits && blank.kind == FileKind::Directory {
            perm |= SGID;
        }
        let gid = if inherits { parent.gid } else { caller.gid };
        Inode {
            rdev: blank.rdev,
            size: blank.target.len() as u64,
            target: blank.target.into(),
            ..Inode::born(blank.kind.bits() | perm, caller.uid, gid, self.now())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ROOT;

    const USER: Caller = Caller {
        uid: 1000,
        gid: 1001,
    };

    #[test]
    fn a_new_file_is_found_with_what_it_was_made_with() {
        let pod = Pod::in_memory();
        let made = pod.create(ROOT, b"file", 0o6644, USER).unwrap();
        assert_eq!(pod.lookup(ROOT, b"file").unwrap(), made);
        assert_eq!((made.perm, made.uid, made.gid), (0o6644, 1000, 1001));
        assert_eq!((made.nlink, made.size, made.blocks), (1, 0, 0));
        let again = pod.create(ROOT, b"file", 0o644, USER);
        assert!(matches!(again, Err(PodError::Exists)));
        let root = pod.getattr(ROOT).unwrap();
        assert_eq!(
            (root.mtime, root.ctime, root.nlink),
            (made.btime, made.btime, 2)
        );
    }

    #[test]
    fn a_set_group_id_directory_gives_group_and_bit_on() {
        let pod = Pod::in_memory();
        let shared = pod.mkdir(ROOT, b"shared", 0o2775, USER).unwrap();
        assert_eq!(pod.getattr(ROOT).unwrap().nlink, 3);
        let other = Caller { uid: 5, gid: 6 };
        let below = pod.mkdir(shared.ino, b"below", 0o755, other).unwrap();
        assert_eq!((below.gid, below.perm), (1001, 0o2755));
        let file = pod.mknod(shared.ino, b"file", (0o644, 0), other).unwrap();
        assert_eq!((file.gid, file.perm), (1001, 0o644));
    }

    #[test]
    fn nodes_keep_kind_and_device() {
        let pod = Pod::in_memory();
        let null = pod.mknod(ROOT, b"null", (0o020_666, 0x103), USER).unwrap();
        assert_eq!((null.kind, null.rdev), (FileKind::CharDevice, 0x103));
        let fifo = pod.mknod(ROOT, b"fifo", (0o010_600, 7), USER).unwrap();
        assert_eq!((fifo.kind, fifo.rdev), (FileKind::Fifo, 0));
        let link = pod.symlink(ROOT, b"link", b"../a\xff", USER).unwrap();
        assert_eq!((link.size, link.perm), (5, 0o777));
        assert_eq!(*pod.readlink(link.ino).unwrap(), *b"../a\xff");
        assert!(matches!(
            pod.readlink(fifo.ino),
            Err(PodError::InvalidArgument)
        ));
    }

    #[test]
    fn names_and_targets_have_bounds() {
        let pod = Pod::in_memory();
        let long = pod.create(ROOT, &[b'n'; 256], 0o600, USER);
        assert!(matches!(long, Err(PodError::NameTooLong)));
        assert!(pod.create(ROOT, &[0xff; 255], 0o600, USER).is_ok());
        let far = pod.symlink(ROOT, b"far", &[b't'; 4096], USER);
        assert!(matches!(far, Err(PodError::NameTooLong)));
        let file = pod.lookup(ROOT, &[0xff; 255]).unwrap();
        let below = pod.create(file.ino, b"x", 0o600, USER);
        assert!(matches!(below, Err(PodError::NotADirectory)));
    }
}
