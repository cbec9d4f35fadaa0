//! Notes of what changes were made from.

use crate::format::base::Base;
use crate::format::rows::{FileKind, Inode};
use crate::journal::{Batch, Class, Sealed};
use crate::pod::Pod;
use crate::pod::edit::{Edit, Spot};
use crate::pod::error::PodError;
use crate::pod::tray::{At, Layers};
use crate::types::Ino;

impl Pod {
    /// What a change of something that was received is made from; nothing for what only has names.
    ///
    /// # Errors
    /// When the log does not say.
    pub fn base_of(&self, received: Ino) -> Result<Option<Base>, PodError> {
        let inode = self.inode(received)?;
        Ok(match inode.kind() {
            FileKind::Regular => {
                let published = self.find_published(received)?;
                let contents = published.and_then(|row| row.contents);
                Some(Base::of_file(contents.as_ref()))
            }
            FileKind::Symlink => Some(Base::of_link(&inode.target)),
            FileKind::Directory
            | FileKind::Fifo
            | FileKind::Socket
            | FileKind::CharDevice
            | FileKind::BlockDevice => None,
        })
    }

    /// Notes what the other one has under a name, if there is no note of it yet: what is made or removed there from now
    /// on was made from that.
    ///
    /// # Errors
    /// [`PodError::NotFound`]: it is another by now, or the directory of notes is gone.
    pub(super) fn note_base(&self, (dir, name): At<'_>, layers: Layers) -> Result<(), PodError> {
        let theirs = self.spot(dir, name)?;
        let Some((ino, kind)) = self.named(&theirs)? else {
            return Ok(());
        };
        if kind == FileKind::Directory {
            let owner = self.owner_of(dir)?;
            return self.directory_in(layers.was, name, owner).map(drop);
        }
        let spot = self.spot(layers.was, name)?;
        self.rows.admit(0)?;
        let _held = self.locks.lock(&[dir, ino, layers.now, layers.was]);
        let mut edit = Edit::new(self);
        edit.directory(layers.now)?;
        if edit.entry(&theirs)? != Some((ino, kind)) {
            return Err(PodError::NotFound);
        }
        if edit.entry(&spot)?.is_some() {
            return Ok(());
        }
        let mut batch = Batch::new(Class::Data);
        let sealed = self.add_note(&mut edit, &spot, ino, &mut batch)?;
        edit.finish(&mut batch);
        Ok(self.rows.append(batch, sealed)?)
    }

    /// Adds the note under a free name.
    pub(super) fn add_note(
        &self,
        edit: &mut Edit<'_>,
        spot: &Spot,
        received: Ino,
        batch: &mut Batch,
    ) -> Result<Option<Sealed>, PodError> {
        let base = self.base_of(received)?.ok_or(PodError::NotPermitted)?;
        let (like, now) = (self.inode(received)?, self.now());
        let mode = FileKind::Regular.bits() | 0o600;
        let mut inode = Inode::born(mode, like.uid, like.gid, now);
        let ino = self.fresh_ino();
        let sealed = self.fill(ino, &mut inode, &base.encode(), batch)?;
        edit.insert(spot, ino, FileKind::Regular)?;
        edit.count(spot.dir, 1, 0, now)?;
        edit.add(ino, inode);
        Ok(sealed)
    }
}
