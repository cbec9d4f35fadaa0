//! The directories of trays: where they stand, and how they are emptied.

use crate::format::rows::{Dentries, Dentry, FileKind, Key};
use crate::journal::{Batch, Class};
use crate::pod::attr::Attr;
use crate::pod::edit::{Edit, Spot};
use crate::pod::error::PodError;
use crate::pod::remove::Leaves;
use crate::pod::rename::Taken;
use crate::pod::{Caller, Pod};
use crate::types::{Ino, Name};

impl Pod {
    /// The directory `.pod/<name>`; it is made when it is missing.
    ///
    /// # Errors
    /// [`PodError::NotADirectory`]: something else has a name that podfs keeps for itself.
    pub fn state_subdirectory(&self, name: &str, owner: Caller) -> Result<Ino, PodError> {
        let _writing = self.state.lock();
        let above = self.state_directory_made()?;
        self.directory_in(above, name.as_bytes(), owner)
    }

    /// The same if it is there.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn find_state_subdirectory(&self, name: &str) -> Result<Option<Ino>, PodError> {
        let Some(above) = self.state_directory()? else {
            return Ok(None);
        };
        let found = self.named(&self.spot(above, name.as_bytes())?)?;
        Ok(found.and_then(|(ino, kind)| (kind == FileKind::Directory).then_some(ino)))
    }

    /// What stands in a tray gets another name, there or in the root directory.
    ///
    /// # Errors
    /// [`PodError::Exists`]: that name is taken.
    pub fn move_own(
        &self,
        (dir, name): (Ino, &[u8]),
        (to, new): (Ino, &Name),
    ) -> Result<(), PodError> {
        let _writing = self.state.lock();
        self.rename_own((dir, name), (to, new.as_bytes()), Taken::Keep)?;
        self.tell(to, new.as_bytes());
        Ok(())
    }

    /// All that stands in a directory that is the owner's.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn own_names(&self, dir: Ino) -> Result<Vec<Dentry>, PodError> {
        let (from, to) = (Key::dentry(dir, 0), Key::dentry(dir, u64::MAX));
        let mut names = Vec::new();
        for (_, row) in self.rows.scan(&from, &to, usize::MAX)? {
            names.extend(Dentries::decode(&row)?.0);
        }
        names.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(names)
    }

    /// Takes away a file of a tray that has the contents it had at `seen` and that nobody has open: it was taken
    /// over. With it goes the note, in that directory of notes, of what it was made from. Tells whether it went.
    ///
    /// # Errors
    /// When the log fails.
    pub fn let_go(
        &self,
        (dir, name): (Ino, &Name),
        seen: &Attr,
        notes: Option<Ino>,
    ) -> Result<bool, PodError> {
        self.rows.admit(0)?;
        let spot = self.spot(dir, name.as_bytes())?;
        let note = notes.map(|notes| self.spot(notes, name.as_bytes()));
        let note = note.transpose()?;
        let found = note.as_ref().map(|note| self.named(note)).transpose()?;
        let found = found
            .flatten()
            .filter(|(_, kind)| *kind == FileKind::Regular);
        let of_note = note.zip(found).map(|(note, (ino, _))| (note, ino));
        let (notes, note) = of_note
            .as_ref()
            .map_or((dir, dir), |(note, ino)| (note.dir, *ino));
        let _held = self.locks.lock(&[dir, seen.ino, notes, note]);
        let mut edit = Edit::new(self);
        let is_named = edit.entry(&spot)?.map(|(ino, _)| ino) == Some(seen.ino);
        if !is_named || Attr::of(seen.ino, edit.inode(seen.ino)?) != *seen {
            return Ok(false);
        }
        let now = self.now();
        let mut batch = Batch::new(Class::Meta);
        edit.remove(&spot)?;
        edit.count(dir, -1, 0, now)?;
        let leaves = self.unname(&mut edit, seen.ino, &mut batch)?;
        // Who has it open may change it still.
        if matches!(leaves, Leaves::Orphan(_)) {
            self.revive(&leaves);
            return Ok(false);
        }
        let mut with = Leaves::Stays;
        if let Some((spot, ino)) = of_note
            && edit.entry(&spot)?.map(|(named, _)| named) == Some(ino)
        {
            edit.remove(&spot)?;
            edit.count(spot.dir, -1, 0, now)?;
            with = self.unname(&mut edit, ino, &mut batch)?;
        }
        edit.finish(&mut batch);
        self.append_removals(batch, None, [&leaves, &with])?;
        self.is_itself_again(seen.ino);
        Ok(true)
    }

    /// Takes away an empty directory `name` of the notes in `was`, and the one in `now` that lies on it when that is
    /// empty too: nothing there was changed. One of `now` that has no notes, or took the place of a file, goes if the other
    /// one has it. Where there is none in `now` the notes stay, for then they say that it is gone.
    ///
    /// # Errors
    /// When the log fails.
    pub fn drop_layers(
        &self,
        (was, now): (Ino, Ino),
        name: &Name,
        is_theirs: bool,
    ) -> Result<(), PodError> {
        self.rows.admit(0)?;
        let spot = |dir| self.spot(dir, name.as_bytes());
        let (note, spot) = (spot(was)?, spot(now)?);
        let (behind, own) = (self.named(&note)?, self.named(&spot)?);
        let Some((own, FileKind::Directory)) = own else {
            return Ok(());
        };
        let noted = behind.map_or(was, |(ino, _)| ino);
        let _held = self.locks.lock(&[was, now, noted, own]);
        let mut edit = Edit::new(self);
        let is_named = edit.entry(&spot)? == Some((own, FileKind::Directory));
        if !is_named || edit.entry(&note)? != behind {
            return Ok(());
        }
        let is_empty = edit.inode(own)?.size == 0;
        let is_noted = match behind {
            Some((_, FileKind::Directory)) if edit.inode(noted)?.size > 0 => return Ok(()),
            Some((_, FileKind::Directory)) => true,
            // It says that the other one's file is gone, as long as something is here.
            Some(_) if !is_theirs || !is_empty => return Ok(()),
            Some(_) => true,
            None => false,
        };
        let goes = (is_noted || is_theirs) && is_empty;
        let at = self.now();
        let mut batch = Batch::new(Class::Meta);
        let mut take = |is_gone: bool, spot: &Spot, (ino, kind)| {
            if !is_gone {
                return Ok(Leaves::Stays);
            }
            edit.remove(spot)?;
            let subdirs = i32::from(kind == FileKind::Directory);
            edit.count(spot.dir, -1, -subdirs, at)?;
            self.unname(&mut edit, ino, &mut batch)
        };
        let noted = behind.unwrap_or((was, FileKind::Directory));
        let one = take(is_noted, &note, noted)?;
        let other = take(goes, &spot, (own, FileKind::Directory))?;
        if is_noted || goes {
            edit.finish(&mut batch);
            self.append_removals(batch, None, [&one, &other])?;
        }
        if goes {
            self.is_itself_again(own);
        }
        Ok(())
    }

    /// Whether a program has it open.
    pub fn is_open(&self, ino: Ino) -> bool {
        self.opens.is_open(ino)
    }

    /// The kernel asks again what has a name in a directory that was received.
    pub fn is_another(&self, dir: Ino, name: &Name) {
        self.tell(dir, name.as_bytes());
    }
}
