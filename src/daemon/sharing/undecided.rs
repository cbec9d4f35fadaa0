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
