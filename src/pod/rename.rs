use crate::format::rows::FileKind;
use crate::journal::{Batch, Class};
use crate::pod::Pod;
use crate::pod::attr::Attr;
use crate::pod::edit::{Edit, Spot};
use crate::pod::error::PodError;
use crate::pod::remove::Leaves;
use crate::types::limits::LINK_MAX;
use crate::types::{Ino, ROOT, SHARED};

/// What a rename does with a name that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is replaced in the same step.
    Replace,
    /// The rename fails with [`PodError::Exists`].
    Keep,
    /// The two names change what they name.
    Exchange,
}

/// An inode, and its kind.
pub(super) type Named = (Ino, FileKind);

impl Pod {
    /// Gives `ino` one more name.
    pub fn link(&self, ino: Ino, dir: Ino, name: &[u8]) -> Result<Attr, PodError> {
        if ino.is_received() || dir.is_received() {
            return Err(if ino.is_received() && dir.is_received() {
                PodError::ReadOnly
            } else {
                PodError::CrossDevice
            });
        }
        // What stands in a tray has pages of others, and nothing else comes into one.
        if self.tray_around(dir)?.is_some() || self.tray_around(ino)?.is_some() {
            return Err(PodError::CrossDevice);
        }
        let spot = self.spot(dir, name)?;
        self.rows.admit(0)?;
        let _borders = self.within_a_box(ino, dir)?;
        let _held = self.locks.lock(&[dir, ino]);
        let mut edit = Edit::new(self);
        edit.directory(dir)?;
        if edit.entry(&spot)?.is_some() {
            return Err(PodError::Exists);
        }
        let now = self.now();
        let inode = edit.inode(ino)?;
        if inode.is_dir() {
            return Err(PodError::NotPermitted);
        }
        if inode.nlink == 0 {
            return Err(PodError::NotFound);
        }
        if inode.nlink >= LINK_MAX {
            return Err(PodError::TooManyLinks);
        }
        inode.nlink += 1;
        inode.ctime = now;
        let (kind, attr) = (inode.kind(), Attr::of(ino, inode));
        edit.insert(&spot, ino, kind)?;
        edit.count(dir, 1, 0, now)?;
        let mut batch = Batch::new(Class::Data);
        edit.finish(&mut batch);
        self.rows.append(batch, None)?;
        Ok(attr)
    }

    /// Moves what `name` in `from` names to `new_name` in `to`, in one step whatever was there.
    pub fn rename(
        &self,
        (from, name): (Ino, &[u8]),
        (to, new_name): (Ino, &[u8]),
        taken: Taken,
    ) -> Result<(), PodError> {
        let moving = self.to_move((from, name), (to, new_name), taken)?;
        // Nothing looks other by that, and whoever sees them moved is told the numbers that they know.
        for (received, own) in &moving.lifted {
            self.becomes(*received, *own);
        }
        let moved = self.rename_own((moving.from, name), (moving.to, new_name), taken);
        if moved.is_err() {
            for (_, own) in &moving.lifted {
                self.is_itself_again(*own);
            }
        }
        moved?;
        for (dir, name, tray) in [(from, name, moving.from), (to, new_name, moving.to)] {
            if tray != dir {
                self.is_in_place_of((dir, name), tray)?;
            }
        }
        Ok(())
    }

    /// The same where both ends stand.
    pub(super) fn rename_own(
        &self,
        (from, name): (Ino, &[u8]),
        (to, new_name): (Ino, &[u8]),
        taken: Taken,
    ) -> Result<(), PodError> {
        let (source, target) = (self.spot(from, name)?, self.spot(to, new_name)?);
        self.rows.admit(0)?;
        let _borders = self.within_a_box(from, to)?;
        loop {
            let moved = self.named(&source)?.ok_or(PodError::NotFound)?;
            let other = self.named(&target)?;
            if moved.0 == SHARED || other.is_some_and(|(ino, _)| ino == SHARED) {
                return Err(PodError::NotPermitted);
            }
            let dirs = moved.1 == FileKind::Directory
                || other.is_some_and(|(_, kind)| kind == FileKind::Directory);
            let _moves = (dirs && from != to).then(|| self.locks.moves());
            if from != to {
                let (moved, other) = ((&source, moved), (&target, other));
                self.refuse_loops(moved, other, taken)?;
            }
            let replaced = other.map_or(moved.0, |(ino, _)| ino);
            let _held = self.locks.lock(&[from, to, moved.0, replaced]);
            let mut edit = Edit::new(self);
            if edit.entry(&source)? != Some(moved) || edit.entry(&target)? != other {
                continue;
            }
            edit.directory(from)?;
            edit.directory(to)?;
            return match (other, taken) {
                (Some(_), Taken::Keep) => Err(PodError::Exists),
                (None, Taken::Exchange) => Err(PodError::NotFound),
                // Two names of one inode: POSIX wants nothing done.
                (Some((ino, _)), _) if ino == moved.0 => Ok(()),
                (Some(other), Taken::Exchange) => {
                    self.exchange(edit, (&source, moved), (&target, other))
                }
                (other, _) => self.replace(edit, (&source, moved), (&target, other)),
            };
        }
    }

    fn replace(
        &self,
        mut edit: Edit<'_>,
        (source, moved): (&Spot, Named),
        (target, other): (&Spot, Option<Named>),
    ) -> Result<(), PodError> {
        let now = self.now();
        let mut batch = Batch::new(Class::Meta);
        let mut leaves = Leaves::Stays;
        let is_dir = moved.1 == FileKind::Directory;
        edit.remove(source)?;
        edit.count(source.dir, -1, -i32::from(is_dir), now)?;
        edit.inode(moved.0)?.ctime = now;
        if let Some((ino, kind)) = other {
            let other_is_dir = kind == FileKind::Directory;
            if is_dir && !other_is_dir {
                return Err(PodError::NotADirectory);
            }
            if other_is_dir && !is_dir {
                return Err(PodError::IsADirectory);
            }
            edit.remove(target)?;
            edit.count(target.dir, -1, -i32::from(other_is_dir), now)?;
            leaves = self.unname(&mut edit, ino, &mut batch)?;
        }
        let placed = edit
            .insert(target, moved.0, moved.1)
            .and_then(|()| edit.count(target.dir, 1, i32::from(is_dir), now));
        if let Err(error) = placed {
            self.revive(&leaves);
            return Err(error);
        }
        edit.finish(&mut batch);
        self.append_removal(batch, None, &leaves)
    }

    fn exchange(
        &self,
        mut edit: Edit<'_>,
        (source, moved): (&Spot, Named),
        (target, other): (&Spot, Named),
    ) -> Result<(), PodError> {
        let now = self.now();
        let subdirs =
            i32::from(other.1 == FileKind::Directory) - i32::from(moved.1 == FileKind::Directory);
        edit.remove(source)?;
        edit.remove(target)?;
        edit.insert(source, other.0, other.1)?;
        edit.insert(target, moved.0, moved.1)?;
        edit.count(source.dir, 0, subdirs, now)?;
        edit.count(target.dir, 0, -subdirs, now)?;
        edit.inode(moved.0)?.ctime = now;
        edit.inode(other.0)?.ctime = now;
        let mut batch = Batch::new(Class::Meta);
        edit.finish(&mut batch);
        Ok(self.rows.append(batch, None)?)
    }

    /// A directory may not come to lie in itself. The lock on moves is held when one of the two is a directory.
    fn refuse_loops(
        &self,
        (source, moved): (&Spot, Named),
        (target, other): (&Spot, Option<Named>),
        taken: Taken,
    ) -> Result<(), PodError> {
        if moved.1 == FileKind::Directory && self.is_within(target.dir, moved.0)? {
            return Err(PodError::Loop);
        }
        match other {
            Some((ino, FileKind::Directory)) if self.is_within(source.dir, ino)? => {
                Err(match taken {
                    Taken::Exchange => PodError::Loop,
                    Taken::Keep => PodError::Exists,
                    Taken::Replace => PodError::NotEmpty,
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether `dir` is `ancestor` or lies below it.
    pub(super) fn is_within(&self, dir: Ino, ancestor: Ino) -> Result<bool, PodError> {
        let mut at = dir;
        while at != ancestor {
            let above = self.parent(at)?;
            if at == ROOT || above == at {
                return Ok(false);
            }
            at = above;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::Caller;

    const OWNER: Caller = Caller { uid: 0, gid: 0 };

    fn dir(pod: &Pod, at: Ino, name: &[u8]) -> Ino {
        pod.mkdir(at, name, 0o700, OWNER).unwrap().ino
    }

    fn file(pod: &Pod, at: Ino, name: &[u8]) -> Ino {
        pod.mknod(at, name, (0o600, 0), OWNER).unwrap().ino
    }

    #[test]
    fn a_file_replaces_a_file_in_one_step() {
        let pod = Pod::in_memory();
        let (a, b) = (dir(&pod, ROOT, b"a"), dir(&pod, ROOT, b"b"));
        let (new, old) = (file(&pod, a, b"new"), file(&pod, b, b"old"));
        pod.rename((a, b"new"), (b, b"old"), Taken::Replace)
            .unwrap();
        assert_eq!(pod.lookup(b, b"old").unwrap().ino, new);
        assert!(pod.lookup(a, b"new").is_err());
        assert_eq!(pod.getattr(old).unwrap().nlink, 0);
        assert!(matches!(pod.open(old), Err(PodError::NotFound)));
        assert_eq!(pod.inode(a).unwrap().size, 0);
        assert_eq!(pod.inode(b).unwrap().size, 1);
    }

    #[test]
    fn moving_a_directory_moves_its_link() {
        let pod = Pod::in_memory();
        let (a, b) = (dir(&pod, ROOT, b"a"), dir(&pod, ROOT, b"b"));
        let c = dir(&pod, a, b"c");
        pod.rename((a, b"c"), (b, b"c"), Taken::Replace).unwrap();
        assert_eq!(pod.parent(c).unwrap(), b);
        assert_eq!(pod.getattr(a).unwrap().nlink, 2);
        assert_eq!(pod.getattr(b).unwrap().nlink, 3);
        dir(&pod, a, b"c");
        pod.rename((b, b"c"), (a, b"c"), Taken::Replace).unwrap();
        assert_eq!(pod.lookup(a, b"c").unwrap().ino, c);
        assert_eq!(pod.getattr(a).unwrap().nlink, 3);
        assert_eq!(pod.getattr(b).unwrap().nlink, 2);
    }

    #[test]
    fn exchange_swaps_what_names_name() {
        let pod = Pod::in_memory();
        let a = dir(&pod, ROOT, b"a");
        let (below, top) = (dir(&pod, a, b"d"), file(&pod, ROOT, b"f"));
        pod.rename((a, b"d"), (ROOT, b"f"), Taken::Exchange)
            .unwrap();
        assert_eq!(pod.lookup(ROOT, b"f").unwrap().ino, below);
        assert_eq!(pod.lookup(a, b"d").unwrap().ino, top);
        assert_eq!(pod.getattr(a).unwrap().nlink, 2);
        assert_eq!(pod.getattr(ROOT).unwrap().nlink, 4);
        let missing = pod.rename((a, b"d"), (a, b"no"), Taken::Exchange);
        assert!(matches!(missing, Err(PodError::NotFound)));
    }

    #[test]
    fn no_directory_ends_up_in_itself() {
        let pod = Pod::in_memory();
        let a = dir(&pod, ROOT, b"a");
        let b = dir(&pod, a, b"b");
        let c = dir(&pod, b, b"c");
        let into = pod.rename((ROOT, b"a"), (c, b"a"), Taken::Replace);
        assert!(matches!(into, Err(PodError::Loop)));
        let onto = pod.rename((b, b"c"), (ROOT, b"a"), Taken::Replace);
        assert!(matches!(onto, Err(PodError::NotEmpty)));
        let swap = pod.rename((b, b"c"), (ROOT, b"a"), Taken::Exchange);
        assert!(matches!(swap, Err(PodError::Loop)));
    }

    #[test]
    fn what_may_not_be_replaced_stays() {
        let pod = Pod::in_memory();
        let (d, f) = (dir(&pod, ROOT, b"d"), file(&pod, ROOT, b"f"));
        file(&pod, d, b"x");
        for (from, to, taken) in [
            (&b"f"[..], &b"d"[..], Taken::Replace),
            (b"d", b"f", Taken::Replace),
            (b"f", b"d", Taken::Keep),
        ] {
            assert!(pod.rename((ROOT, from), (ROOT, to), taken).is_err());
        }
        dir(&pod, ROOT, b"e");
        let full = pod.rename((ROOT, b"e"), (ROOT, b"d"), Taken::Replace);
        assert!(matches!(full, Err(PodError::NotEmpty)));
        pod.link(f, ROOT, b"g").unwrap();
        pod.rename((ROOT, b"f"), (ROOT, b"g"), Taken::Replace)
            .unwrap();
        assert_eq!(pod.getattr(f).unwrap().nlink, 2, "same inode: nothing done");
        assert!(matches!(
            pod.link(d, ROOT, b"h"),
            Err(PodError::NotPermitted)
        ));
    }
}
