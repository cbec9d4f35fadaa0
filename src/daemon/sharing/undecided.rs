//! What the other one has done about something that was changed here, as far as what they have tells.

use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::far::Held;
use crate::format::base::Base;
use crate::format::rows::Dentry;
use crate::format::rows::FileKind;
use crate::pod::Attr;
use crate::pod::PodError;
use crate::sync::SyncError;
use crate::types::Ino;
use crate::types::limits::CHANGED_PATIENCE;

impl Sharing {
    /// Whether the other one has just what something was made from: they know nothing of it yet.
    pub(super) async fn is_undecided(
        &self,
        note: Option<&Dentry>,
        there: Option<&Attr>,
    ) -> Result<bool, PodError> {
        let (Some(note), Some(there)) = (note, there) else {
            return Ok(false);
        };
        let base = self.read_base(note.ino).await?;
        Ok(base.is_some() && self.pod.base_of(there.ino)? == base)
    }

    /// The same of a file that may have taken the place of a folder. They make place for it as long as they have nothing
    /// in that but what was removed here.
    pub(super) async fn is_undecided_about(
        &self,
        own: &Dentry,
        note: Option<&Dentry>,
        there: Option<&Attr>,
    ) -> Result<bool, PodError> {
        match (note, there) {
            (Some(note), Some(there)) if note.kind == FileKind::Directory => {
                let are_folders = [own.kind, there.kind].map(|kind| kind == FileKind::Directory);
                Ok(are_folders == [false, true] && !self.has_more(there.ino, note.ino).await?)
            }
            _ => self.is_undecided(note, there).await,
        }
    }

    /// Whether they may be about to do what they were told before, which was something else: that it was removed, or
    /// another version. After a while nobody is.
    pub(super) fn may_be_done_otherwise(
        &self,
        note: Option<&Dentry>,
        own: Ino,
    ) -> Result<bool, PodError> {
        let Some(note) = note else { return Ok(false) };
        let publisher = self.publishing.publisher();
        let failed = |error: SyncError| PodError::Io(error.to_string());
        if !publisher.is_told_after(own, note.ino).map_err(failed)? {
            return Ok(false);
        }
        let is_told = publisher.version_of(own).map_err(failed)?.is_some();
        Ok(!is_told || self.is_changed_lately(own)?)
    }

    pub(super) fn is_changed_lately(&self, own: Ino) -> Result<bool, PodError> {
        let changed = self.pod.getattr(own)?.ctime;
        let age = (self.clock)().secs.saturating_sub(changed.secs);
        Ok(age < i64::try_from(CHANGED_PATIENCE.as_secs()).unwrap_or(i64::MAX))
    }

    /// Whether the other one has something in a directory that was not there when it was removed, or was other than it is.
    pub(super) async fn has_more(&self, theirs: Ino, notes: Ino) -> Result<bool, PodError> {
        let mut left = vec![(theirs, notes)];
        while let Some((theirs, notes)) = left.pop() {
            let notes = self.pod.own_names(notes)?;
            for (name, there) in self.names_in(theirs)? {
                let note = notes.iter().find(|note| note.name == name);
                match note.map(|note| (note, note.kind, there.kind)) {
                    Some((note, FileKind::Directory, FileKind::Directory)) => {
                        left.push((there.ino, note.ino));
                    }
                    Some((note, FileKind::Regular, _))
                        if self.is_undecided(Some(note), Some(&there)).await? => {}
                    _ => return Ok(true),
                }
            }
        }
        Ok(false)
    }

    /// What a note says; nothing when it is none.
    pub(super) async fn read_base(&self, note: Ino) -> Result<Option<Base>, PodError> {
        let attr = self.pod.getattr(note)?;
        if attr.kind != FileKind::Regular || usize::try_from(attr.size) != Ok(Base::LEN) {
            return Ok(None);
        }
        let bytes = Held::open(&self.pod, note, attr.size)?.first().await?;
        Ok(Base::decode(&bytes).ok())
    }
}
