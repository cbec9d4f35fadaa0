//! What others added to folders that the owner shares, or changed of what is shared: brought to a place that no path
//! leads to, and from there taken over into the folder, where it is the owner's.
//!
//! What was taken over once is noted at what arrived, which is another inode as soon as its contents are others. The
//! note is in the record that gives the copy its name: there is never one without the other.

use crate::format::rows::{FileKind, Inode, Key, Taken};
use crate::journal::{Batch, Class};
use crate::pod::attr::Attr;
use crate::pod::edit::Edit;
use crate::pod::error::PodError;
use crate::pod::setattr::{SetAttr, SetTime};
use crate::pod::{Caller, Pod};
use crate::types::{ADDED, Ino, Name, Timespec};

/// Name of the directory of copies that are not whole yet, in `.pod`.
const COPIES: &str = "arriving";
/// Permissions of what is taken over, as most programs make files and folders.
const FILE: u32 = 0o644;
const DIRECTORY: u32 = 0o755;

/// A copy under way.
pub struct Copy {
    /// The file that it is.
    pub ino: Ino,
    dir: Ino,
    name: Name,
}

/// Where a copy goes.
pub struct Target<'a> {
    /// The directory, and the name.
    pub at: (Ino, &'a Name),
    /// The owner's file that it replaces, if that is still as it was then.
    pub over: Option<&'a Attr>,
    /// Whether the one who added it may change what is there, attributes too.
    pub is_written: bool,
    /// What says what it was made from.
    pub note: Option<Note>,
}

/// What says what something was made from that arrived.
#[derive(Clone, Copy)]
pub struct Note {
    /// Its inode.
    pub ino: Ino,
    /// Whether what came stands beside what the owner has, for that is another by now.
    pub is_beside: bool,
}

impl Pod {
    /// The directory of what others added; it is made when it is missing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn added(&self, owner: Caller) -> Result<Ino, PodError> {
        if self.find_inode(ADDED)?.is_none() {
            let mode = FileKind::Directory.bits() | 0o500;
            let inode = Inode::born(mode, owner.uid, owner.gid, self.now());
            let mut batch = Batch::new(Class::Meta);
            batch.put(Key::inode(ADDED), inode.encode());
            self.rows.append_unseen(batch, None)?;
        }
        Ok(ADDED)
    }

    /// What somebody added is looked at no more, and is forgotten.
    ///
    /// # Errors
    /// When the log fails.
    pub fn forget_added(&self, name: &Name) -> Result<(), PodError> {
        if self.find_inode(ADDED)?.is_none() {
            return Ok(());
        }
        self.withdraw(ADDED, name)
    }

    /// What is noted of something that arrived, if anything is.
    ///
    /// # Errors
    /// When the log does not say.
    pub fn taken(&self, arrived: Ino) -> Result<Option<Taken>, PodError> {
        let row = self.rows.get(&Key::taken_over(arrived))?;
        Ok(row.map(|row| Taken::decode(&row)).transpose()?)
    }

    /// Whether something that arrived was taken over.
    ///
    /// # Errors
    /// When the log does not say.
    pub fn is_taken_over(&self, arrived: Ino) -> Result<bool, PodError> {
        Ok(self.taken(arrived)?.is_some_and(|taken| taken.is_taken))
    }

    /// Something that arrived is the owner's already, or was; it is in this file, if it is in any. The note of what it
    /// was made from tells of that file, too.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn has_taken_over(
        &self,
        (arrived, note): (Ino, Option<Note>),
        made: Option<&Attr>,
    ) -> Result<(), PodError> {
        let _held = self.locks.lock(&[arrived]);
        self.inode(arrived)?;
        let mut batch = Batch::new(Class::Meta);
        let made = made.map(|made| (made.ino, made.ctime));
        put_taken((arrived, note), made, &mut batch)?;
        Ok(self.rows.append_unseen(batch, None)?)
    }

    /// Of what takes the place of something that arrived, nothing is taken over yet; but what was made of that is known.
    pub(super) fn carry_taken(
        &self,
        before: Ino,
        arrived: Ino,
        batch: &mut Batch,
    ) -> Result<(), PodError> {
        if let Some(Taken {
            made: made @ Some(_),
            ..
        }) = self.taken(before)?
        {
            let taken = Taken {
                is_taken: false,
                made,
            };
            batch.put(Key::taken_over(arrived), taken.encode()?);
        }
        Ok(())
    }

    /// Whether two files that have the same bytes have the same besides, as far as that is shared: whether they may be
    /// executed, and their extended attributes.
    ///
    /// # Errors
    /// When the log does not say.
    pub fn are_alike(&self, one: &Attr, other: &Attr) -> Result<bool, PodError> {
        let is_program = |attr: &Attr| attr.perm & 0o100 != 0;
        Ok(is_program(one) == is_program(other)
            && self.all_attributes(one.ino)? == self.all_attributes(other.ino)?)
    }

    /// The directory `name` in `dir`, which is the owner's; it is made when it is missing.
    ///
    /// # Errors
    /// [`PodError::NotADirectory`]: something else has the name.
    pub fn take_directory_over(
        &self,
        dir: Ino,
        name: &Name,
        owner: Caller,
    ) -> Result<Ino, PodError> {
        let made = match self.mkdir(dir, name.as_bytes(), DIRECTORY, owner) {
            Err(PodError::Exists) => None,
            made => Some(made?),
        };
        if let Some(made) = made {
            self.tell(dir, name.as_bytes());
            return Ok(made.ino);
        }
        let there = self.lookup(dir, name.as_bytes())?;
        if there.kind == FileKind::Directory {
            Ok(there.ino)
        } else {
            Err(PodError::NotADirectory)
        }
    }

    /// An empty file out of sight, for a copy of what arrived. What was left of one before goes.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin_copy(&self, arrived: Ino, owner: Caller) -> Result<Copy, PodError> {
        let dir = self.state_subdirectory(COPIES, owner)?;
        let name = Name::parse(format!("{:016x}", arrived.0).as_bytes())?;
        match self.unlink(dir, name.as_bytes()) {
            Ok(()) | Err(PodError::NotFound) => {}
            Err(error) => return Err(error),
        }
        let made = self.mknod(dir, name.as_bytes(), (FILE, 0), owner)?;
        Ok(Copy {
            ino: made.ino,
            dir,
            name,
        })
    }

    /// A copy that nobody wants goes.
    ///
    /// # Errors
    /// When the log fails.
    pub fn drop_copy(&self, copy: &Copy) -> Result<(), PodError> {
        self.unlink(copy.dir, copy.name.as_bytes())
    }

    /// All copies that are not whole go: those of before a crash.
    ///
    /// # Errors
    /// When the log fails.
    pub fn drop_copies(&self) -> Result<(), PodError> {
        let Some(dir) = self.find_state_subdirectory(COPIES)? else {
            return Ok(());
        };
        for entry in self.own_names(dir)? {
            self.unlink(dir, entry.name.as_bytes())?;
        }
        Ok(())
    }

    /// A whole copy gets its name, and what arrived the note that it was taken over: one step.
    ///
    /// # Errors
    /// [`PodError::Exists`]: the name is taken. [`PodError::NotFound`]: the directory is no more. Of what is replaced
    /// [`PodError::Stale`]: it is another by now; [`PodError::InUse`].
    pub fn take_over(
        &self,
        arrived: &Attr,
        copy: &Copy,
        target: &Target<'_>,
        owner: Caller,
    ) -> Result<(), PodError> {
        self.setattr(copy.ino, &target.attributes(arrived), owner)?;
        let (dir, name) = target.at;
        let source = self.spot(copy.dir, copy.name.as_bytes())?;
        let spot = self.spot(dir, name.as_bytes())?;
        self.rows.admit(0)?;
        let other = target.over.map_or(dir, |over| over.ino);
        let held = self
            .locks
            .lock(&[copy.dir, dir, copy.ino, other, arrived.ino]);
        let mut edit = Edit::new(self);
        let named = edit.entry(&source)?.filter(|(ino, _)| *ino == copy.ino);
        let (ino, kind) = named.ok_or(PodError::NotFound)?;
        if edit.directory(dir)?.nlink == 0 || self.inode(arrived.ino)?.nlink == 0 {
            return Err(PodError::NotFound);
        }
        let mut batch = Batch::new(Class::Meta);
        let leaves = self.make_room(&mut edit, &spot, target.over, &mut batch)?;
        let now = self.now();
        let placed = edit.remove(&source).and_then(|()| {
            edit.count(copy.dir, -1, 0, now)?;
            edit.insert(&spot, ino, kind)?;
            edit.count(dir, 1, 0, now)?;
            let inode = edit.inode(ino)?;
            inode.ctime = now;
            if target.is_written {
                inode.xattrs = self.inode(arrived.ino)?.xattrs;
                self.copy_attributes(arrived.ino, ino, &mut batch)?;
            }
            // What may only be added is not changed again.
            let made = target.is_written.then_some((ino, now));
            put_taken((arrived.ino, target.note), made, &mut batch)
        });
        if let Err(error) = placed {
            self.revive(&leaves);
            return Err(error);
        }
        edit.finish(&mut batch);
        self.append_removal(batch, None, &leaves)?;
        drop(held);
        self.tell(dir, name.as_bytes());
        Ok(())
    }
}

/// What arrived is taken over, and its note knows what was made of it, and whether that stands beside the owner's.
pub(super) fn put_taken(
    (arrived, note): (Ino, Option<Note>),
    made: Option<(Ino, Timespec)>,
    batch: &mut Batch,
) -> Result<(), PodError> {
    let taken = Taken {
        is_taken: true,
        made,
    };
    batch.put(Key::taken_over(arrived), taken.encode()?);
    if let Some(note) = note.filter(|_| made.is_some()) {
        let noted = Taken {
            is_taken: note.is_beside,
            made,
        };
        batch.put(Key::taken_over(note.ino), noted.encode()?);
    }
    Ok(())
}

impl Target<'_> {
    /// What the copy gets besides its bytes: of the owner's file that it replaces all but whether it is a program.
    fn attributes(&self, arrived: &Attr) -> SetAttr {
        let perm = self.over.map_or(FILE, |over| u32::from(over.perm) & 0o777);
        let readers = perm & 0o444;
        let mode = match arrived.perm & 0o100 {
            _ if !self.is_written => perm,
            0 => perm & !0o111,
            _ => perm | readers.wrapping_shr(2),
        };
        SetAttr {
            mode: Some(mode),
            uid: self.over.map(|over| over.uid),
            gid: self.over.map(|over| over.gid),
            mtime: Some(SetTime::At(arrived.mtime)),
            ..SetAttr::default()
        }
    }
}
