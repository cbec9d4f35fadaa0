//! What others removed goes, where the owner has what it was.

use std::collections::BTreeMap;

use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::merging::not_now;
use crate::daemon::sharing::rest::NotNow;
use crate::daemon::sharing::rest::Rest;
use crate::daemon::sharing::taking::Taking;
use crate::format::audit::Kind;
use crate::format::rows::FileKind;
use crate::pod::Attr;
use crate::pod::PodError;
use crate::types::Ino;
use crate::types::Name;

impl Sharing {
    /// What is in the notes and not there now goes, where the owner has what it was.
    pub(super) async fn remove_what_went(
        &self,
        taking: &Taking<'_>,
        (was, now): (Ino, Ino),
        rest: &mut Rest,
    ) {
        let Ok(dir) = self.shared_folder(taking) else {
            return;
        };
        let mut open = vec![(was, Some(now), dir)];
        let mut left = Vec::new();
        while let Some((was, now, dir)) = open.pop() {
            let notes = self.pod.received_names(was);
            let names = now.map_or(Ok(Vec::new()), |now| self.pod.received_names(now));
            let (Ok(notes), Ok(names)) = (notes, names) else {
                rest.add(Err(NotNow::Later));
                continue;
            };
            let names: BTreeMap<Name, Ino> = names.into_iter().collect();
            for (name, note) in notes {
                let own = names.get(&name).copied();
                let (Ok(of_note), Ok(there)) = (
                    self.pod.getattr(note),
                    self.pod.lookup(dir, name.as_bytes()),
                ) else {
                    continue;
                };
                let is_dir = of_note.kind == FileKind::Directory;
                if is_dir && there.kind == FileKind::Directory {
                    // In the place of a folder is a file now, or what they have of it.
                    open.push((note, own, there.ino));
                }
                if own.is_some() {
                    continue;
                }
                if is_dir {
                    left.push((note, dir, name));
                } else {
                    let went = self.remove_one(taking, (note, rest), (dir, &name), there);
                    let went = went.await;
                    rest.add(went.map_err(|why| why.of(&name)));
                }
            }
        }
        for (note, dir, name) in left.into_iter().rev() {
            let went = self.remove_folder(taking, note, (dir, &name)).await;
            rest.add(went.map_err(|why| why.of(&name)));
        }
    }

    async fn remove_one(
        &self,
        taking: &Taking<'_>,
        (note, rest): (Ino, &Rest),
        (dir, name): (Ino, &Name),
        there: Attr,
    ) -> Result<(), NotNow> {
        if self.is_settled(note)? {
            return Ok(());
        }
        // What the owner changed meanwhile stays, and is not asked for again.
        if !self.was_made(note, &there)? && !self.is_base(note, &there).await? {
            return Ok(self.pod.has_taken_over((note, None), None)?);
        }
        if rest.may_be_renamed(&there) {
            return Err(NotNow::Later);
        }
        if self.pod.is_open(there.ino) {
            return Err(not_now(PodError::InUse));
        }
        self.record(taking, Kind::Removed, (dir, name)).await?;
        self.shared_folder(taking)?;
        let removed = self.pod.remove_over(note, (dir, name), &there);
        removed.map_err(not_now)
    }

    async fn remove_folder(
        &self,
        taking: &Taking<'_>,
        note: Ino,
        (dir, name): (Ino, &Name),
    ) -> Result<(), NotNow> {
        if self.is_settled(note)? {
            return Ok(());
        }
        let there = match self.pod.lookup(dir, name.as_bytes()) {
            Ok(there) if there.kind == FileKind::Directory => there,
            Ok(_) | Err(PodError::NotFound) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if !self.pod.own_names(there.ino)?.is_empty() {
            return Ok(());
        }
        // A box stays, and is not asked for again.
        if self.pod.box_at(there.ino).is_ok() {
            return Ok(self.pod.has_taken_over((note, None), None)?);
        }
        self.record(taking, Kind::Removed, (dir, name)).await?;
        self.shared_folder(taking)?;
        match self.pod.remove_over(note, (dir, name), &there) {
            Err(PodError::NotEmpty) => Ok(()),
            removed => removed.map_err(not_now),
        }
    }
}
