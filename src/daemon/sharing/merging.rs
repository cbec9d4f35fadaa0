//! One file that others added or changed: taken over where the owner's is what they made it from, and else beside it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::far::Held;
use crate::daemon::sharing::happened;
use crate::daemon::sharing::rest::NotNow;
use crate::daemon::sharing::taking::Came;
use crate::daemon::sharing::taking::Taking;
use crate::format::audit::Kind;
use crate::format::base::Base;
use crate::format::rows::FileKind;
use crate::format::rows::Given;
use crate::format::rows::Taken;
use crate::pod::Attr;
use crate::pod::Copy;
use crate::pod::Note;
use crate::pod::PodError;
use crate::pod::Target;
use crate::types::Ino;
use crate::types::Name;

/// A file that came.
pub(super) struct Coming<'a> {
    pub(super) name: &'a Name,
    pub(super) attr: Attr,
    /// What says what it was made from.
    pub(super) note: Option<Ino>,
}

impl Coming<'_> {
    /// What its note is from then on.
    fn noted(&self, is_beside: bool) -> Option<Note> {
        self.note.map(|ino| Note { ino, is_beside })
    }
}

impl Sharing {
    pub(super) async fn take_file_over(
        &self,
        taking: &Taking<'_>,
        dir: Ino,
        of: &Coming<'_>,
    ) -> Result<(), NotNow> {
        let mut copy = None;
        let taken = self.copy_over(taking, dir, of, &mut copy).await;
        if let Some(copy) = copy {
            self.pod.drop_copy(&copy)?;
        }
        taken
    }

    /// Gives a whole copy the first name that is free, or whose file it replaces. What is left in `copy` has none.
    async fn copy_over(
        &self,
        taking: &Taking<'_>,
        dir: Ino,
        of: &Coming<'_>,
        copy: &mut Option<Copy>,
    ) -> Result<(), NotNow> {
        let arrived = Held::open(&self.pod, of.attr.ino, of.attr.size)?;
        let mut nth = 0;
        loop {
            let named = taking.name(of.name, nth)?;
            let over = match self.pod.lookup(dir, named.as_bytes()) {
                Ok(there) if self.is_there(taking, (&arrived, of), &there).await? => {
                    let made = taking.is_written.then_some(&there);
                    let note = of.noted(nth > 0 && self.is_its_copy(of, &there)?);
                    return Ok(self.pod.has_taken_over((of.attr.ino, note), made)?);
                }
                Ok(there) if self.is_replaced(taking, of, (&there, nth)).await? => Some(there),
                Err(PodError::NotFound) if !self.was_removed(of, nth)? => None,
                Ok(_) | Err(PodError::NotFound) => {
                    nth = nth.saturating_add(1);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if copy.is_none() {
                let begun = copy.insert(self.pod.begin_copy(of.attr.ino, self.owner)?);
                arrived.copy_to(begun.ino, self.owner).await?;
            }
            let Some(whole) = copy.as_ref() else {
                return Err(NotNow::Later);
            };
            if over.as_ref().is_some_and(|over| self.pod.is_open(over.ino)) {
                return Err(not_now(PodError::InUse));
            }
            let target = Target {
                at: (dir, &named),
                over: over.as_ref(),
                is_written: taking.is_written,
                note: of.noted(nth > 0),
            };
            let kind = if over.is_some() {
                Kind::Changed
            } else {
                Kind::Added
            };
            // What is not recorded is not done.
            self.record(taking, kind, (dir, &named)).await?;
            // It may have ended while the bytes came.
            self.shared_folder(taking)?;
            match self.pod.take_over(&of.attr, whole, &target, self.owner) {
                Ok(()) => {
                    *copy = None;
                    return Ok(());
                }
                Err(PodError::Exists) => {}
                Err(error) => return Err(not_now(error)),
            }
        }
    }

    /// Whether the owner has it already: taken over before, though no note says so, or made by the owner alike.
    async fn is_there(
        &self,
        taking: &Taking<'_>,
        (arrived, of): (&Held<'_>, &Coming<'_>),
        there: &Attr,
    ) -> Result<bool, PodError> {
        let is_other = there.kind != FileKind::Regular
            || (taking.is_written && !self.pod.are_alike(&of.attr, there)?);
        if is_other {
            return Ok(false);
        }
        let there = Held::open(&self.pod, there.ino, there.size)?;
        arrived.is_as(&there).await
    }

    /// Whether it takes the place of what the owner has there: that is what they made it from, or what was taken over
    /// from them last. A copy beside it only as long as it is made from the same: else they have let go what the copy is
    /// of, and it has that alone.
    async fn is_replaced(
        &self,
        taking: &Taking<'_>,
        of: &Coming<'_>,
        (there, nth): (&Attr, usize),
    ) -> Result<bool, NotNow> {
        if !taking.is_written || there.kind != FileKind::Regular {
            return Ok(false);
        }
        if nth > 0 {
            return Ok(self.is_its_copy(of, there)?);
        }
        if self.was_made(of.attr.ino, there)? {
            return Ok(true);
        }
        match of.note {
            Some(note) => self.is_base(note, there).await,
            None => Ok(false),
        }
    }

    /// Whether what the owner has is what was made of something that came, and nothing else since.
    pub(super) fn was_made(&self, came: Ino, there: &Attr) -> Result<bool, PodError> {
        let made = self.pod.taken(came)?.and_then(|taken| taken.made);
        Ok(made == Some((there.ino, there.ctime)))
    }

    /// Whether a note is of what the owner has. As long as that is not published nobody knows.
    pub(super) async fn is_base(&self, note: Ino, there: &Attr) -> Result<bool, NotNow> {
        let Some(base) = self.read_base(note).await? else {
            return Ok(false);
        };
        match there.kind {
            FileKind::Regular => {
                let version = self.publishing.publisher().version_of(there.ino);
                let version = version.map_err(|error| NotNow::Failed(error.to_string()))?;
                let version = version.ok_or(NotNow::Later)?;
                Ok(Base::of_file(version.as_ref()) == base)
            }
            FileKind::Symlink => Ok(Base::of_link(&self.pod.readlink(there.ino)?) == base),
            FileKind::Directory
            | FileKind::Fifo
            | FileKind::Socket
            | FileKind::CharDevice
            | FileKind::BlockDevice => Ok(false),
        }
    }

    /// Whether the owner removed what they changed. What they removed themselves before is not that.
    fn was_removed(&self, of: &Coming<'_>, nth: usize) -> Result<bool, PodError> {
        match of.note {
            Some(note) if nth == 0 => Ok(!self.is_settled(note)?),
            _ => Ok(false),
        }
    }

    /// Whether what the owner has beside theirs was put there of what was made from the same, and nothing else since.
    fn is_its_copy(&self, of: &Coming<'_>, there: &Attr) -> Result<bool, PodError> {
        let Some(note) = of.note else {
            return Ok(false);
        };
        let stands_beside = self.pod.taken(note)?.is_some_and(|noted| noted.is_taken);
        Ok(stands_beside && self.was_made(of.attr.ino, there)?)
    }

    /// Whether that something was removed is done, or will not be.
    pub(super) fn is_settled(&self, note: Ino) -> Result<bool, PodError> {
        Ok(self.pod.taken(note)? == Some(Taken::PLAIN))
    }

    pub(super) async fn record(
        &self,
        taking: &Taking<'_>,
        kind: Kind,
        (dir, name): (Ino, &Name),
    ) -> Result<(), NotNow> {
        let path = self.publishing.reader().path_of(dir).unwrap_or_default();
        let names = path.iter().chain([name]);
        let path: PathBuf = names
            .map(|name| OsStr::from_bytes(name.as_bytes()))
            .collect();
        let happening = happened::done(kind, taking.given, &path);
        let recorded = self.people.audit().record(&happening).await;
        recorded.map_err(|fault| NotNow::Failed(fault.what))
    }

    /// A file that is shared alone: the one that came is it, whatever it is called there.
    pub(super) async fn take_single_over(
        &self,
        taking: &Taking<'_>,
        came: Came,
    ) -> Result<(), NotNow> {
        let names = self.pod.received_names(came.now)?;
        let [(called, ino)] = names.as_slice() else {
            return if names.is_empty() {
                Ok(())
            } else {
                let what = "more than the file that is shared was changed";
                Err(NotNow::Failed(what.to_owned()))
            };
        };
        let attr = self.pod.getattr(*ino)?;
        if attr.kind != FileKind::Regular || self.pod.is_taken_over(*ino)? {
            return Ok(());
        }
        let notes = came
            .was
            .map_or(Ok(Vec::new()), |was| self.pod.received_names(was))?;
        let note = notes.iter().find(|(name, _)| name == called);
        let dir = self.shared_folder(taking)?;
        let of = Coming {
            name: &self.now(taking.given)?.name,
            attr,
            note: note.map(|(_, note)| *note),
        };
        self.refuse_early(&attr)?;
        let taken = self.take_file_over(taking, dir, &of).await;
        taken.map_err(|why| why.of(of.name))
    }

    fn now(&self, given: &Given) -> Result<Given, NotNow> {
        let now = self.given.find(&given.id);
        let now = now.map_err(|error| NotNow::Failed(error.to_string()))?;
        now.ok_or(NotNow::Over)
    }

    /// Where a file is that is shared alone. One that was moved is where it was published.
    pub(super) fn folder_of_single(&self, given: &Given) -> Result<Ino, NotNow> {
        let there = self.pod.lookup(given.directory, given.name.as_bytes());
        let is_it = matches!(&there, Ok(there) if there.ino == given.target);
        match self.pod.getattr(given.target) {
            Ok(target) if target.nlink > 0 && !is_it => Err(NotNow::Later),
            // Another took its place, as when a program saves it.
            _ => match there {
                Ok(there) if there.kind == FileKind::Regular => Ok(given.directory),
                Ok(_) | Err(PodError::NotFound) => Err(NotNow::Over),
                Err(error) => Err(error.into()),
            },
        }
    }
}

/// Why something is left as it is for now.
pub(super) fn not_now(error: PodError) -> NotNow {
    if matches!(error, PodError::InUse) {
        let why = "it was changed by them and is open here: it is taken over once it is closed";
        return NotNow::Failed(why.to_owned());
    }
    error.into()
}
