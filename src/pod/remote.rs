use std::ops::Range;
use std::pin::Pin;

use crate::pod::error::PodError;
use crate::types::Ino;
use crate::types::limits::PAGE;

/// Pages between two that are missing which are rather fetched too than left to a second wait.
const GAP: u64 = 16;

/// What [`Remote::fetch`] gives.
pub type Fetch<'a> = Pin<Box<dyn Future<Output = Result<(), PodError>> + Send + 'a>>;

/// Where the pages are that are not in the log.
pub trait Remote: Send + Sync {
    /// Copies page `page` of the published version of `ino` into `out`, zeros behind its end; false when it has to
    /// be fetched first. Prompt.
    fn page(&self, ino: Ino, page: u64, out: &mut [u8; PAGE]) -> Result<bool, PodError>;

    /// Brings pages of the published version onto this machine, for long enough that [`Remote::page`] gives them.
    /// Pages that this version does not have are passed over. [`PodError::Unreachable`] when the network does not
    /// give one.
    fn fetch(&self, ino: Ino, pages: Range<u64>) -> Fetch<'_>;

    /// How far an inode has come into the network: `local`, `queued`, `on-node` or `confirmed`. Prompt.
    fn state(&self, _ino: Ino) -> &'static str {
        "local"
    }
}

/// No network: nothing remote can be had.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

impl Remote for Nowhere {
    fn page(&self, _ino: Ino, _page: u64, _out: &mut [u8; PAGE]) -> Result<bool, PodError> {
        Ok(false)
    }

    fn fetch(&self, _ino: Ino, _pages: Range<u64>) -> Fetch<'_> {
        let why = "this pod is in no network".to_owned();
        Box::pin(std::future::ready(Err(PodError::Unreachable(why))))
    }
}

/// Pages that an operation needs and that are not here.
#[derive(Default)]
pub(super) struct Missing(Option<Range<u64>>);

impl Missing {
    /// One more, behind the others. One far behind is left for when the operation is done again: all that lies
    /// between would be fetched too.
    pub(super) fn add(&mut self, page: u64) {
        match &mut self.0 {
            None => self.0 = Some(page..page.saturating_add(1)),
            Some(pages) if page <= pages.end.saturating_add(GAP) => {
                pages.end = page.saturating_add(1);
            }
            Some(_) => {}
        }
    }

    /// [`PodError::Absent`] if there are any.
    pub(super) fn none(self, ino: Ino) -> Result<(), PodError> {
        self.0
            .map_or(Ok(()), |pages| Err(PodError::Absent { ino, pages }))
    }
}
