//! The files in `.pod`, as the rooms above the file system use them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::pod::Pod;
use crate::pod::PodError;
use crate::share::Shelf;
use crate::share::ShelfError;
use crate::types::Ino;
use crate::types::limits::PAGE;
use crate::types::limits::STATE_FILE_MAX;

/// Bytes read at a time.
const PIECE: usize = STATE_FILE_MAX;
/// How often a file is looked for again that was replaced just when it was found, and a piece is read again whose pages
/// went again before they were used.
const TURNS_MAX: usize = 32;

/// The files that carry rows about people.
pub(super) struct PodShelf(pub(super) Arc<Pod>);

impl Shelf for PodShelf {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ShelfError> {
        self.0
            .put_state(name, bytes)
            .map_err(|error| failed(&error))
    }

    fn remove(&self, name: &str) -> Result<(), ShelfError> {
        self.0.remove_state(name).map_err(|error| failed(&error))
    }

    fn holds(&self, name: &str) -> Result<bool, ShelfError> {
        let file = self.0.state_file(name).map_err(|error| failed(&error))?;
        Ok(file.is_some())
    }
}

fn failed(error: &PodError) -> ShelfError {
    ShelfError(if matches!(error, PodError::NotADirectory) {
        "the name .pod in the top folder belongs to podfs, and a file of an earlier version has it"
            .to_owned()
    } else {
        error.to_string()
    })
}

/// What the file `.pod/<name>` holds, if there is one. What is elsewhere is fetched; this takes `patience` at most.
///
/// # Errors
/// [`PodError::Unreachable`]: the network does not give it in time.
pub(super) async fn read_state(
    pod: &Pod,
    name: &str,
    patience: Duration,
) -> Result<Option<Zeroizing<Vec<u8>>>, PodError> {
    let read = timeout(patience, read_far(pod, name)).await;
    read.unwrap_or_else(|_| Err(PodError::Unreachable("no answer in time".to_owned())))
}

async fn read_far(pod: &Pod, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, PodError> {
    let Some(mut reading) = Reading::begin(pod, name)? else {
        return Ok(None);
    };
    let mut turns = 0;
    loop {
        let before = reading.bytes.len();
        let (ino, pages) = match reading.go_on() {
            Ok(()) => return Ok(Some(reading.end())),
            Err(PodError::Absent { ino, pages }) => (ino, pages),
            Err(error) => return Err(error),
        };
        turns = if reading.bytes.len() > before {
            0
        } else {
            turns + 1
        };
        if turns > TURNS_MAX {
            let what = "pages went again before they were used";
            return Err(PodError::Unreachable(what.to_owned()));
        }
        pod.fetch(ino, pages).await?;
    }
}

/// The same without the network.
///
/// # Errors
/// [`PodError::Absent`]: it would take the network.
pub(super) fn read_state_here(
    pod: &Pod,
    name: &str,
) -> Result<Option<Zeroizing<Vec<u8>>>, PodError> {
    let Some(mut reading) = Reading::begin(pod, name)? else {
        return Ok(None);
    };
    reading.go_on()?;
    Ok(Some(reading.end()))
}

/// A file that is being read. It is held open, so that it stays what it is when another takes its name.
struct Reading<'p> {
    pod: &'p Pod,
    ino: Ino,
    size: usize,
    bytes: Zeroizing<Vec<u8>>,
}

impl<'p> Reading<'p> {
    fn begin(pod: &'p Pod, name: &str) -> Result<Option<Self>, PodError> {
        for _ in 0..TURNS_MAX {
            let Some((ino, size)) = pod.state_file(name)? else {
                return Ok(None);
            };
            match pod.open(ino) {
                Ok(()) => {
                    let size = usize::try_from(size).map_err(|_| PodError::FileTooLarge)?;
                    let bytes = Zeroizing::new(Vec::new());
                    return Ok(Some(Self {
                        pod,
                        ino,
                        size,
                        bytes,
                    }));
                }
                Err(PodError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Err(PodError::Stale)
    }

    /// Reads what is left.
    fn go_on(&mut self) -> Result<(), PodError> {
        while self.bytes.len() < self.size {
            let want = PIECE.min(self.size - self.bytes.len());
            // Whole pages, so that the read never moves it and leaves a copy.
            let mut piece = Zeroizing::new(Vec::with_capacity(PIECE.min(self.size) + 2 * PAGE));
            let offset = self.bytes.len() as u64;
            let len = u32::try_from(want).unwrap_or(u32::MAX);
            self.pod.read(self.ino, offset, len, &mut piece)?;
            if piece.is_empty() {
                return Err(PodError::Stale);
            }
            if self.bytes.is_empty() && piece.len() == self.size {
                self.bytes = piece;
                return Ok(());
            }
            let left = self.size - self.bytes.len();
            self.bytes.reserve_exact(left);
            self.bytes.extend_from_slice(&piece);
        }
        Ok(())
    }

    fn end(mut self) -> Zeroizing<Vec<u8>> {
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.pod.release(self.ino) {
            tracing::debug!(%error, "a file that was replaced stays for now");
        }
    }
}
