//! What somebody else removed, or put something in the place of, goes: in one record, off what looks as it did then, and
//! off nothing that is open.

use crate::format::rows::{FileKind, Key, Taken};
use crate::journal::{Batch, Class};
use crate::pod::Pod;
use crate::pod::added::put_taken;
use crate::pod::attr::Attr;
use crate::pod::edit::{Edit, Spot};
use crate::pod::error::PodError;
use crate::pod::remove::Leaves;
use crate::types::{Ino, Name};

/// What was taken over beside something, and gets the name of that.
pub struct Placing<'a> {
    /// The directory that both are in.
    pub dir: Ino,
    /// Its name, and what it is.
    pub from: (&'a Name, &'a Attr),
    /// The name that it gets, and what goes from there.
    pub to: (&'a Name, Option<&'a Attr>),
    /// What arrived, of which it was made.
    pub arrived: Ino,
    /// What says what that was made from.
    pub note: Ino,
}

impl Pod {
    /// What was taken over beside something that was removed gets its name as that goes, and the note of that gets the
    /// note that it went: one step.
    ///
    /// # Errors
    /// [`PodError::Stale`]: one of them is another by now. [`PodError::Exists`]: something else has the name.
    /// [`PodError::InUse`]. [`PodError::NotEmpty`].
    pub fn put_in_place(&self, placing: &Placing<'_>) -> Result<(), PodError> {
        let Placing { dir, arrived, .. } = *placing;
        let ((from, moved), (to, over)) = (placing.from, placing.to);
        let source = self.spot(dir, from.as_bytes())?;
        let spot = self.spot(dir, to.as_bytes())?;
        self.rows.admit(0)?;
        let other = over.map_or(dir, |over| over.ino);
        let held = [dir, moved.ino, other, arrived, placing.note];
        let held = self.locks.lock(&held);
        let mut edit = Edit::new(self);
        let is_named = edit.entry(&source)? == Some((moved.ino, moved.kind));
        if !is_named || Attr::of(moved.ino, edit.inode(moved.ino)?) != *moved {
            return Err(PodError::Stale);
        }
        self.inode(arrived)?;
        self.inode(placing.note)?;
        let mut batch = Batch::new(Class::Meta);
        let leaves = self.make_room(&mut edit, &spot, over, &mut batch)?;
        let now = self.now();
        let placed = edit.remove(&source).and_then(|()| {
            edit.insert(&spot, moved.ino, moved.kind)?;
            edit.count(dir, 0, 0, now)?;
            edit.inode(moved.ino)?.ctime = now;
            batch.put(Key::taken_over(placing.note), Taken::PLAIN.encode()?);
            let made = (moved.kind == FileKind::Regular).then_some((moved.ino, now));
            put_taken((arrived, None), made, &mut batch)
        });
        if let Err(error) = placed {
            self.revive(&leaves);
            return Err(error);
        }
        edit.finish(&mut batch);
        self.append_removal(batch, None, &leaves)?;
        drop(held);
        for name in [from, to] {
            self.tell(dir, name.as_bytes());
        }
        Ok(())
    }

    /// What somebody removed goes, and its note gets the note that it went: one step.
    ///
    /// # Errors
    /// [`PodError::Stale`]: it is another by now. [`PodError::InUse`]. [`PodError::NotEmpty`].
    pub fn remove_over(
        &self,
        note: Ino,
        (dir, name): (Ino, &Name),
        over: &Attr,
    ) -> Result<(), PodError> {
        let spot = self.spot(dir, name.as_bytes())?;
        self.rows.admit(0)?;
        let held = self.locks.lock(&[dir, over.ino, note]);
        let mut edit = Edit::new(self);
        self.inode(note)?;
        let mut batch = Batch::new(Class::Meta);
        let leaves = self.unname_known(&mut edit, &spot, over, &mut batch)?;
        batch.put(Key::taken_over(note), Vec::new());
        edit.finish(&mut batch);
        self.append_removal(batch, None, &leaves)?;
        drop(held);
        self.tell(dir, name.as_bytes());
        Ok(())
    }

    /// Takes a name off what is replaced, if that looks as it did; where nothing is, nothing has it.
    pub(super) fn make_room(
        &self,
        edit: &mut Edit<'_>,
        spot: &Spot,
        over: Option<&Attr>,
        batch: &mut Batch,
    ) -> Result<Leaves<'_>, PodError> {
        match over {
            None if edit.entry(spot)?.is_some() => Err(PodError::Exists),
            None => Ok(Leaves::Stays),
            Some(over) => self.unname_known(edit, spot, over, batch),
        }
    }

    /// Takes a name off what has it and looks as it did, and off nothing that is open.
    fn unname_known(
        &self,
        edit: &mut Edit<'_>,
        spot: &Spot,
        known: &Attr,
        batch: &mut Batch,
    ) -> Result<Leaves<'_>, PodError> {
        let is_named = edit.entry(spot)?.map(|(ino, _)| ino) == Some(known.ino);
        if !is_named || Attr::of(known.ino, edit.inode(known.ino)?) != *known {
            return Err(PodError::Stale);
        }
        let subdirs = i32::from(known.kind == FileKind::Directory);
        edit.remove(spot)?;
        edit.count(spot.dir, -1, -subdirs, self.now())?;
        if self.is_open(known.ino) {
            return Err(PodError::InUse);
        }
        let leaves = self.unname(edit, known.ino, batch)?;
        if matches!(leaves, Leaves::Orphan(_)) {
            self.revive(&leaves);
            return Err(PodError::InUse);
        }
        Ok(leaves)
    }
}
