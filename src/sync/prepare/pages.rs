//! Where the pages of what is published come from.

use std::ops::Range;

use crate::format::rows::PageState;
use crate::sync::changes::{Touched, has_same_place};
use crate::sync::error::SyncError;
use crate::sync::view::View;
use crate::types::Ino;
use crate::types::limits::{BUCKET_PAGES, PAGE};

const BUCKET: u64 = BUCKET_PAGES as u64;

/// A page as the publication shall show it.
pub(super) enum Page {
    /// It reads as zeros.
    Hole,
    /// As it is published already.
    Same,
    /// These bytes.
    Data(Box<[u8; PAGE]>),
    /// These bytes, which no row has.
    Loose(Box<[u8; PAGE]>),
}

/// The pages of contents.
pub(super) trait Pages {
    /// Pages `pages`, fewer than a node has children.
    fn load(&self, pages: Range<u64>) -> Result<Vec<Page>, SyncError>;

    /// Whether any of them may be another than was published.
    fn differ(&self, pages: &Range<u64>) -> bool;

    /// Whether all of them are holes.
    fn are_holes(&self, pages: &Range<u64>) -> Result<bool, SyncError>;
}

/// The pages of a file at a cut.
pub(super) struct FilePages<'a> {
    pub(super) ino: Ino,
    pub(super) view: View<'a>,
    /// What it is compared with, and where they differ; without, every page is looked at.
    pub(super) since: Option<(View<'a>, &'a Touched)>,
    /// The contents as they were published, when they stood in the inode.
    pub(super) inline: Option<&'a [u8]>,
}

/// Bytes that are the contents: a target, or extended attributes.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Pages for FilePages<'_> {
    fn load(&self, pages: Range<u64>) -> Result<Vec<Page>, SyncError> {
        let mut loaded = Vec::new();
        for bucket in pages.start / BUCKET..pages.end.div_ceil(BUCKET) {
            let first = bucket * BUCKET;
            let part = pages.start.max(first) - first..pages.end.min(first + BUCKET) - first;
            self.load_bucket(bucket, part, &mut loaded)?;
        }
        Ok(loaded)
    }

    fn differ(&self, pages: &Range<u64>) -> bool {
        let Some((_, touched)) = self.since.filter(|_| self.inline.is_none()) else {
            return true;
        };
        let buckets = pages.start / BUCKET..pages.end.div_ceil(BUCKET);
        let next = touched
            .buckets
            .partition_point(|range| range.end <= buckets.start);
        touched
            .buckets
            .get(next)
            .is_some_and(|range| range.start < buckets.end)
    }

    fn are_holes(&self, pages: &Range<u64>) -> Result<bool, SyncError> {
        let buckets = pages.start / BUCKET..pages.end.div_ceil(BUCKET);
        self.view.has_no_extents(self.ino, buckets)
    }
}

impl FilePages<'_> {
    /// Pages `part` of a bucket.
    fn load_bucket(
        &self,
        number: u64,
        part: Range<u64>,
        loaded: &mut Vec<Page>,
    ) -> Result<(), SyncError> {
        let touched = |touched: &Touched| touched.buckets.iter().any(|it| it.contains(&number));
        let before = match self.since {
            Some((base, since)) if touched(since) => Some(base.bucket(self.ino, number)?.pages()),
            _ => None,
        };
        let now = self.view.bucket(self.ino, number)?.pages();
        for at in part {
            let nth = usize::try_from(at).unwrap_or(usize::MAX);
            let Some(state) = now.get(nth) else { continue };
            let before = before.as_ref().and_then(|before| before.get(nth));
            let is_same = match (self.since, before) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(_), Some(before)) => has_same_place(before, state),
            };
            loaded.push(match (state, self.inline) {
                (PageState::Hole | PageState::Unwritten, _) => Page::Hole,
                (PageState::Remote, Some(inline)) if number == 0 && at == 0 => {
                    Page::Loose(padded(inline))
                }
                (PageState::Remote, _) => Page::Same,
                (PageState::Data { .. }, None) if is_same => Page::Same,
                (PageState::Data { .. }, _) => Page::Data(self.view.page(state)?),
            });
        }
        Ok(())
    }
}

fn padded(bytes: &[u8]) -> Box<[u8; PAGE]> {
    let mut page = Box::new([0; PAGE]);
    for (to, from) in page.iter_mut().zip(bytes) {
        *to = *from;
    }
    page
}

impl Pages for Bytes<'_> {
    fn load(&self, pages: Range<u64>) -> Result<Vec<Page>, SyncError> {
        let count = usize::try_from(pages.end - pages.start).unwrap_or(0);
        let first = usize::try_from(pages.start).unwrap_or(usize::MAX);
        let chunks = self.0.chunks(PAGE).skip(first).take(count);
        Ok(chunks.map(|chunk| Page::Loose(padded(chunk))).collect())
    }

    fn differ(&self, _pages: &Range<u64>) -> bool {
        true
    }

    fn are_holes(&self, _pages: &Range<u64>) -> Result<bool, SyncError> {
        Ok(false)
    }
}
