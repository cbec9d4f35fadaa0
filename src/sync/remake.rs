//! Makes the chunks of what is published again, from what is on this machine.

use crate::crypto::Secret;
use crate::crypto::publish::{Reference, reseal_blocks, reseal_nodes};
use crate::crypto::swarm::SealedChunk;
use crate::format::published::{Contents, Inode, InodeKind, Place, Rate, Shape, TreeNode};
use crate::format::rows::{Bucket, Key, PageState, Published};
use crate::journal::Snapshot;
use crate::sync::error::SyncError;
use crate::sync::kept::Kept;
use crate::sync::network::Freight;
use crate::sync::view::View;
use crate::types::Ino;
use crate::types::limits::{BUCKET_PAGES, PAGE};

/// Pages in an extent row.
const BUCKET: u64 = BUCKET_PAGES as u64;

/// A page or node of what is published, as it is asked for.
pub(super) struct Wanted {
    pub(super) place: Place,
    pub(super) freight: Freight,
    /// What it is referred to by; `None`: it is not published any more.
    pub(super) reference: Option<Reference>,
}

impl Wanted {
    pub(super) fn of(place: Place, reference: Option<Reference>) -> Self {
        let freight = match place.as_page() {
            Some(_) => Freight::Page,
            None => Freight::Node,
        };
        Self {
            place,
            freight,
            reference,
        }
    }
}

/// Looks up and makes again what one inode published.
pub(super) struct Remake<'a> {
    kept: &'a Kept,
    /// Where overwritten pages can still be read.
    cut: Option<&'a Snapshot>,
    ino: Ino,
    published: Option<Published>,
    /// The last node that was looked at, and its children.
    parent: Option<(Place, Vec<Option<Reference>>)>,
}

impl<'a> Remake<'a> {
    pub(super) fn new(
        kept: &'a Kept,
        cut: Option<&'a Snapshot>,
        ino: Ino,
    ) -> Result<Self, SyncError> {
        Ok(Self {
            kept,
            cut,
            ino,
            published: kept.published(ino)?,
            parent: None,
        })
    }

    pub(super) const fn ino(&self) -> Ino {
        self.ino
    }

    /// The publication that what is looked up belongs to.
    pub(super) fn publication(&self) -> Option<u64> {
        Some(self.published.as_ref()?.publication)
    }

    /// What stands at these places, as far as the nodes above them can be read.
    pub(super) fn look_up(
        &mut self,
        places: impl IntoIterator<Item = Place>,
    ) -> Result<Vec<Wanted>, SyncError> {
        let mut wanted = Vec::new();
        for place in places {
            let reference = match place.as_page() {
                Some(page) => match self.page_reference(page) {
                    // Published it may be all the same.
                    Err(SyncError::Damaged(_)) => continue,
                    found => found?,
                },
                None => self.kept.reference(self.ino, place)?,
            };
            wanted.push(Wanted::of(place, reference));
        }
        Ok(wanted)
    }

    /// The chunks of what was looked up, as far as this machine has them.
    pub(super) fn chunks(&self, wanted: &[Wanted]) -> Result<Vec<Option<SealedChunk>>, SyncError> {
        let mut plain = Vec::with_capacity(wanted.len());
        for one in wanted {
            plain.push(match (&one.reference, one.place.as_page()) {
                (None, _) => None,
                (Some(_), Some(page)) => self.page(page)?,
                (Some(_), None) => self.node(one.place)?,
            });
        }
        let mut chunks: Vec<Option<SealedChunk>> = wanted.iter().map(|_| None).collect();
        for is_block in [true, false] {
            let of_kind = |one: &Wanted| is_block == one.place.is_sealed_as_page();
            let (mut at, mut references, mut pages) = (Vec::new(), Vec::new(), Vec::new());
            for (nth, (one, plain)) in wanted.iter().zip(&plain).enumerate() {
                if let (Some(reference), Some(plain)) = (&one.reference, plain)
                    && of_kind(one)
                {
                    at.push(nth);
                    references.push(reference);
                    pages.push(plain.expose());
                }
            }
            let made = if is_block {
                reseal_blocks(&references, pages)
            } else {
                reseal_nodes(&references, pages)
            };
            for (nth, made) in at.into_iter().zip(made) {
                if let Some(chunk) = chunks.get_mut(nth) {
                    *chunk = made.ok();
                }
            }
        }
        Ok(chunks)
    }

    fn node(&self, place: Place) -> Result<Option<Secret<PAGE>>, SyncError> {
        Ok(self.kept.get(self.ino, place)?.map(|(_, plain)| plain))
    }

    /// A page of the file: as it was at the cut, else as it is now, else as it was fetched. Whether it is the one that
    /// was published shows when it is sealed.
    fn page(&self, page: u64) -> Result<Option<Secret<PAGE>>, SyncError> {
        if let Some(data) = self.page_state(page)?.data() {
            let read = |out: &mut [u8; PAGE]| self.kept.rows().read(&data, 0, out);
            match Secret::try_fill_with(read) {
                Ok(plain) => return Ok(Some(plain)),
                // Without a cut it may just have been overwritten, and its place given back.
                Err(_) if self.cut.is_none() => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.node(Place::page(page))
    }

    /// Whether the page at `place` was published before and is not on this machine any more.
    pub(super) fn is_given_up(&self, place: Place) -> Result<bool, SyncError> {
        let Some(page) = place.as_page() else {
            return Ok(false);
        };
        Ok(matches!(self.page_state(page)?, PageState::Remote))
    }

    fn page_state(&self, page: u64) -> Result<PageState, SyncError> {
        let number = page / BUCKET;
        let bucket = match self.cut {
            Some(cut) => View::new(self.kept.rows().journal(), cut).bucket(self.ino, number)?,
            None => self.current(number)?,
        };
        let position = usize::try_from(page % BUCKET).unwrap_or(0);
        let state = bucket.pages().into_iter().nth(position);
        Ok(state.unwrap_or(PageState::Hole))
    }

    fn current(&self, number: u64) -> Result<Bucket, SyncError> {
        Ok(
            match self.kept.rows().get(&Key::extent(self.ino, number))? {
                Some(row) => Bucket::decode(&row)?,
                None => Bucket::default(),
            },
        )
    }

    fn page_reference(&mut self, page: u64) -> Result<Option<Reference>, SyncError> {
        let Some(published) = &self.published else {
            return Ok(None);
        };
        let Some(shape) = Shape::of(published.size, Rate::DEFAULT) else {
            return Ok(None);
        };
        if page >= shape.pages() {
            return Ok(None);
        }
        let parent = if shape.level() == 0 {
            Place::INODE
        } else {
            Place::node(1, page / shape.span(1))
        };
        if self
            .parent
            .as_ref()
            .is_none_or(|(place, _)| *place != parent)
        {
            self.parent = Some((parent, self.children(parent)?));
        }
        let children = self.parent.as_ref().map(|(_, children)| children);
        Ok(children.and_then(|children| children.get(shape.slot(0, page)).cloned().flatten()))
    }

    fn children(&self, parent: Place) -> Result<Vec<Option<Reference>>, SyncError> {
        let Some(plain) = self.node(parent)? else {
            return match self.kept.reference(self.ino, parent)? {
                Some(_) => Err(SyncError::Damaged(self.ino)),
                None => Ok(Vec::new()),
            };
        };
        if parent != Place::INODE {
            return Ok(TreeNode::decode(plain.expose())?.children);
        }
        Ok(
            match Inode::decode(plain.expose(), InodeKind::File)?.contents {
                Contents::Tree { children, .. } => children,
                Contents::Inline(_) => Vec::new(),
            },
        )
    }
}
