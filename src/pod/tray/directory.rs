//! The directories of trays: where they stand, and how they are emptied.

use crate::format::rows::{Dentries, Dentry, FileKind, Key};
use crate::journal::{Batch, Class};
use crate::pod::attr::Attr;
use crate::pod::edit::Edit;
use crate::pod::error::PodError;
use crate::pod::remove::Leaves;
use crate::pod::rename::Taken;
use crate::pod::{Caller, Pod};
use crate::types::{Ino, Name, ROOT};

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

    /// The directory `.pod/<name>` becomes an ordinary one, `new` in the root directory.
    ///
    /// # Errors
    /// [`PodError::Exists`]: that name is taken.
    pub fn show_state_subdirectory(&self, name: &str, new: &Name) -> Result<(), PodError> {
        let _writing = self.state.lock();
        let above = self.state_directory()?.ok_or(PodError::NotFound)?;
        let (from, to) = ((above, name.as_bytes()), (ROOT, new.as_bytes()));
        self.rename(from, to, Taken::Keep)?;
        self.tell(ROOT, new.as_bytes());
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
    /// over. Tells whether it went.
    ///
    /// # Errors
    /// When the log fails.
    pub fn let_go(&self, (dir, name): (Ino, &Name), seen: &Attr) -> Result<bool, PodError> {
        self.rows.admit(0)?;
        let spot = self.spot(dir, name.as_bytes())?;
        let _held = self.locks.lock(&[dir, seen.ino]);
        let mut edit = Edit::new(self);
        let is_named = edit.entry(&spot)?.map(|(ino, _)| ino) == Some(seen.ino);
        if !is_named {
            return Ok(false);
        }
        let now = self.now();
        if Attr::of(seen.ino, edit.inode(seen.ino)?) != *seen {
            return Ok(false);
        }
        let mut batch = Batch::new(Class::Meta);
        edit.remove(&spot)?;
        edit.count(dir, -1, 0, now)?;
        let leaves = self.unname(&mut edit, seen.ino, &mut batch)?;
        // Who has it open may change it still.
        if matches!(leaves, Leaves::Orphan(_)) {
            self.revive(&leaves);
            return Ok(false);
        }
        edit.finish(&mut batch);
        self.append_removal(batch, None, &leaves)?;
        Ok(true)
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
