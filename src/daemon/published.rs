//! Contents that are not on this machine, as the file system asks for them.

use std::ops::Range;
use std::sync::Arc;

use crate::pod::Fetch;
use crate::pod::PodError;
use crate::pod::Remote;
use crate::sync::Level;
use crate::sync::Publisher;
use crate::sync::reader::ReadError;
use crate::sync::reader::Reader;
use crate::types::Ino;
use crate::types::limits::PAGE;

/// What is published, as far as this machine or the network has it.
pub(super) struct Published {
    pub(super) reader: Arc<Reader>,
    pub(super) publisher: Arc<Publisher>,
}

impl Remote for Published {
    fn page(&self, ino: Ino, page: u64, out: &mut [u8; PAGE]) -> Result<bool, PodError> {
        self.reader.page(ino, page, out).map_err(failed)
    }

    fn fetch(&self, ino: Ino, pages: Range<u64>) -> Fetch<'_> {
        Box::pin(async move { self.reader.fetch(ino, pages).await.map_err(failed) })
    }

    fn state(&self, ino: Ino) -> &'static str {
        match self.publisher.level_of(ino) {
            Ok(level) => level.name(),
            Err(error) => {
                tracing::warn!(%error, "how far a file is cannot be told");
                Level::Local.name()
            }
        }
    }
}

fn failed(error: ReadError) -> PodError {
    match error {
        ReadError::Fetch(..) => PodError::Unreachable(error.to_string()),
        ReadError::Unpublished(_) | ReadError::Behind(_) | ReadError::Malformed(..) => {
            PodError::Corrupt(error.to_string())
        }
        ReadError::Journal(error) => error.into(),
    }
}
