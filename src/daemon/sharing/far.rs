//! Contents of files wherever they are, piece by piece.

use crate::pod::Caller;
use crate::pod::Pod;
use crate::pod::PodError;
use crate::pod::Seek;
use crate::pod::SetAttr;
use crate::types::Ino;

/// Bytes that are read at a time.
const PIECE: u32 = 1 << 20;
/// How often a piece is read again whose pages went again before they were used.
const TURNS_MAX: usize = 32;

/// A file that is held open: what is read of it stays there, whatever becomes of its name.
pub(super) struct Held<'p> {
    pod: &'p Pod,
    ino: Ino,
    size: u64,
}

impl<'p> Held<'p> {
    pub(super) fn open(pod: &'p Pod, ino: Ino, size: u64) -> Result<Self, PodError> {
        pod.open(ino)?;
        Ok(Self { pod, ino, size })
    }

    /// The piece from `offset` on. What is elsewhere is fetched.
    async fn piece(&self, offset: u64, bytes: &mut Vec<u8>) -> Result<(), PodError> {
        for _ in 0..TURNS_MAX {
            match self.pod.read(self.ino, offset, PIECE, bytes) {
                Err(PodError::Absent { ino, pages }) => self.pod.fetch(ino, pages).await?,
                Ok(()) if bytes.is_empty() => return Err(PodError::Stale),
                other => return other,
            }
        }
        Err(went_again())
    }

    /// Its first piece.
    pub(super) async fn first(&self) -> Result<Vec<u8>, PodError> {
        let mut bytes = Vec::new();
        self.piece(0, &mut bytes).await?;
        Ok(bytes)
    }

    /// Writes all of it to a file that is empty. Where it has nothing the copy has nothing: a hole takes no room, however
    /// large whoever sent it made it.
    pub(super) async fn copy_to(&self, copy: Ino, owner: Caller) -> Result<(), PodError> {
        let (mut offset, mut bytes) = (0, Vec::new());
        while let Some(data) = self.next_data(offset)? {
            let end = self.pod.seek(self.ino, data, Seek::Hole)?;
            offset = data;
            while offset < end {
                self.piece(offset, &mut bytes).await?;
                let left = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
                bytes.truncate(left);
                offset = self.put(copy, offset, &bytes)?;
            }
        }
        let size = SetAttr {
            size: Some(self.size),
            ..SetAttr::default()
        };
        self.pod.setattr(copy, &size, owner).map(drop)
    }

    /// Writes a piece; gives where it ends.
    fn put(&self, copy: Ino, mut offset: u64, bytes: &[u8]) -> Result<u64, PodError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = self.pod.write(copy, offset, rest, false)?;
            let step = usize::try_from(written).unwrap_or(usize::MAX);
            rest = rest
                .get(step..)
                .filter(|_| written > 0)
                .ok_or(PodError::FileTooLarge)?;
            offset = offset.saturating_add(u64::from(written));
        }
        Ok(offset)
    }

    /// Where it has something, from `offset` on.
    fn next_data(&self, offset: u64) -> Result<Option<u64>, PodError> {
        match self.pod.seek(self.ino, offset, Seek::Data) {
            Ok(data) => Ok(Some(data)),
            Err(PodError::NoSuchOffset) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether another file has the same bytes.
    pub(super) async fn is_as(&self, other: &Self) -> Result<bool, PodError> {
        if self.size != other.size {
            return Ok(false);
        }
        let (mut offset, mut ours, mut theirs) = (0, Vec::new(), Vec::new());
        // Where neither has anything both have zeros.
        while let Some(data) = earlier(self.next_data(offset)?, other.next_data(offset)?) {
            self.piece(data, &mut ours).await?;
            other.piece(data, &mut theirs).await?;
            if ours != theirs {
                return Ok(false);
            }
            offset = data.saturating_add(ours.len() as u64);
        }
        Ok(true)
    }
}

/// The smaller one of those there are.
fn earlier(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// Brings what a file has of others into the log of the pod: it stays though they keep it no more.
pub(super) async fn adopt(pod: &Pod, ino: Ino) -> Result<(), PodError> {
    let (mut next, mut turns) = (0, 0);
    while turns < TURNS_MAX {
        match pod.adopt(ino, next) {
            Err(PodError::Absent { ino, pages }) => {
                turns += 1;
                pod.fetch(ino, pages).await?;
            }
            Ok(Some(more)) => (next, turns) = (more, 0),
            Ok(None) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Err(went_again())
}

fn went_again() -> PodError {
    let what = "pages went again before they were used";
    PodError::Unreachable(what.to_owned())
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.pod.release(self.ino) {
            tracing::debug!(%error, "a file that was replaced stays for now");
        }
    }
}
