//! A folder that took the place of a file, and a file that took the place of a folder. What is there goes only once all
//! that came is here: so it is taken over beside that at first, and gets its name when that goes.

use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::merging::not_now;
use crate::daemon::sharing::rest::NotNow;
use crate::daemon::sharing::rest::Rest;
use crate::daemon::sharing::taking::Taking;
use crate::format::audit::Kind;
use crate::format::rows::FileKind;
use crate::pod::Attr;
use crate::pod::Placing;
use crate::pod::PodError;
use crate::types::Ino;
use crate::types::Name;
use crate::types::limits::ADDED_COPIES_MAX;

/// Something that came and is of another kind than what it was made from.
pub(super) struct OtherKind {
    pub(super) path: Vec<Name>,
    pub(super) name: Name,
    pub(super) came: Ino,
    /// What says what it was made from.
    pub(super) note: Ino,
}

impl Sharing {
    /// Everything else was taken over.
    pub(super) async fn put_in_place(
        &self,
        taking: &Taking<'_>,
        others: &[OtherKind],
        rest: &mut Rest,
    ) {
        for of in others {
            let put = self.put_one_in_place(taking, of).await;
            rest.add(put.map_err(|why| why.of(&of.name)));
        }
    }

    async fn put_one_in_place(&self, taking: &Taking<'_>, of: &OtherKind) -> Result<(), NotNow> {
        if self.is_settled(of.note)? {
            return Ok(());
        }
        let mut dir = self.shared_folder(taking)?;
        for name in &of.path {
            match self.found(dir, name.as_bytes())? {
                Some(there) if there.kind == FileKind::Directory => dir = there.ino,
                _ => return Ok(()),
            }
        }
        let there = self.found(dir, of.name.as_bytes())?;
        let Some((name, beside)) = self.made_beside(taking, dir, of)? else {
            return Ok(());
        };
        if let Some(there) = &there {
            // What the owner changed meanwhile stays.
            if !self.makes_place(of.note, there).await? {
                return Ok(());
            }
            if self.pod.is_open(there.ino) {
                return Err(not_now(PodError::InUse));
            }
            self.record(taking, Kind::Removed, (dir, &of.name)).await?;
        }
        self.shared_folder(taking)?;
        let placing = Placing {
            dir,
            from: (&name, &beside),
            to: (&of.name, there.as_ref()),
            arrived: of.came,
            note: of.note,
        };
        self.pod.put_in_place(&placing).map_err(not_now)
    }

    /// What has that name, if anything does.
    pub(super) fn found(&self, dir: Ino, name: &[u8]) -> Result<Option<Attr>, PodError> {
        match self.pod.lookup(dir, name) {
            Ok(there) => Ok(Some(there)),
            Err(PodError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What was made of it beside what the owner has, if the owner has not changed that.
    fn made_beside(
        &self,
        taking: &Taking<'_>,
        dir: Ino,
        of: &OtherKind,
    ) -> Result<Option<(Name, Attr)>, NotNow> {
        let came = self.pod.getattr(of.came)?;
        for nth in 1..ADDED_COPIES_MAX {
            let name = taking.name(&of.name, nth)?;
            let Some(found) = self.found(dir, name.as_bytes())? else {
                continue;
            };
            let is_it = if found.kind == FileKind::Directory {
                self.is_theirs_alone(found.ino, came.ino)?
            } else {
                self.was_made(came.ino, &found)?
            };
            if is_it && found.kind == came.kind {
                return Ok(Some((name, found)));
            }
        }
        Ok(None)
    }

    /// Whether a folder that they made has nothing of others in it.
    fn is_theirs_alone(&self, made: Ino, came: Ino) -> Result<bool, PodError> {
        let theirs = self.pod.received_names(came)?;
        let own = self.pod.own_names(made)?;
        let is_theirs = |name: &Name| theirs.iter().any(|(theirs, _)| theirs == name);
        Ok(own.iter().all(|entry| is_theirs(&entry.name)))
    }

    /// Whether what the owner has goes: a file that is what they removed, or a folder of which nothing is left.
    async fn makes_place(&self, note: Ino, there: &Attr) -> Result<bool, NotNow> {
        let is_folder = there.kind == FileKind::Directory;
        if (self.pod.getattr(note)?.kind == FileKind::Directory) != is_folder {
            return Ok(false);
        }
        if is_folder {
            let is_left = !self.pod.own_names(there.ino)?.is_empty();
            return Ok(!is_left && self.pod.box_at(there.ino).is_err());
        }
        Ok(self.was_made(note, there)? || self.is_base(note, there).await?)
    }
}
