use std::collections::BTreeMap;

use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::Place;
use crate::format::rows::Key;
use crate::journal::{Change, Class};
use crate::sync::queue::{Mark, Marks};
use crate::types::limits::{PAGE, RECORD_PAGES_MAX};
use crate::types::{Address, Ino};

/// Changes of what is kept, and rows that change with them: all or nothing.
pub struct KeptEdit {
    pub(super) class: Class,
    pub(super) places: BTreeMap<(Ino, Place), Option<Fresh>>,
    pub(super) pages: usize,
    pub(super) rows: BTreeMap<Key, Change>,
    pub(super) marks: Marks,
    pub(super) looks: Vec<Look>,
}

/// What became of a page or node that was looked for. It counts as long as the same stands at the place and was sent.
pub(super) struct Look {
    pub(super) ino: Ino,
    pub(super) place: Place,
    /// What was looked for; nothing if nothing was published there.
    pub(super) address: Option<Address>,
    /// Publication of the inode then.
    pub(super) publication: Option<u64>,
    pub(super) mark: Mark,
}

/// A page or node to be kept.
pub(super) struct Fresh {
    pub(super) reference: Reference,
    pub(super) page: Secret<PAGE>,
    /// Only if this is still the publication of the inode.
    pub(super) publication: Option<u64>,
}

impl KeptEdit {
    /// Changes nothing yet. `class` says who may take the last of the disk: nodes are [`Class::Meta`], fetched pages
    /// [`Class::Data`].
    pub fn new(class: Class) -> Self {
        Self {
            class,
            places: BTreeMap::new(),
            pages: 0,
            rows: BTreeMap::new(),
            marks: Marks::default(),
            looks: Vec::new(),
        }
    }

    /// The page or node that is to be kept at `place`.
    pub fn get(&self, ino: Ino, place: Place) -> Option<(&Reference, &Secret<PAGE>)> {
        let fresh = self.places.get(&(ino, place))?.as_ref()?;
        Some((&fresh.reference, &fresh.page))
    }

    /// Says how far the page or node at `place` is.
    pub fn mark(&mut self, ino: Ino, place: Place, mark: Mark) {
        self.marks.set(ino, place, mark);
    }

    /// Keeps `page`, which `reference` refers to, at `place`.
    pub fn put(&mut self, ino: Ino, place: Place, reference: Reference, page: Secret<PAGE>) {
        let publication = None;
        let fresh = Fresh {
            reference,
            page,
            publication,
        };
        self.set(ino, place, Some(fresh));
    }

    /// Keeps `page`, which was found from what `publication` published of `ino`; not when that is not the newest any
    /// more by the time this is written.
    pub fn put_fetched(
        &mut self,
        (ino, publication): (Ino, u64),
        place: Place,
        reference: Reference,
        page: Secret<PAGE>,
    ) {
        let publication = Some(publication);
        let fresh = Fresh {
            reference,
            page,
            publication,
        };
        self.set(ino, place, Some(fresh));
    }

    /// Gives up what is kept at `place`, if anything is.
    pub fn remove(&mut self, ino: Ino, place: Place) {
        self.set(ino, place, None);
    }

    /// Puts or deletes another row in the same record: not one of kind `N`.
    pub fn row(&mut self, key: Key, change: Change) {
        self.rows.insert(key, change);
    }

    /// Pages and nodes to be kept.
    pub const fn pages(&self) -> usize {
        self.pages
    }

    /// Whether no more pages fit into one record.
    pub const fn is_full(&self) -> bool {
        self.pages >= RECORD_PAGES_MAX
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
            && self.rows.is_empty()
            && self.marks.is_empty()
            && self.looks.is_empty()
    }

    fn set(&mut self, ino: Ino, place: Place, now: Option<Fresh>) {
        self.pages = self.pages.saturating_add(usize::from(now.is_some()));
        let before = self.places.insert((ino, place), now);
        let replaced = before.is_some_and(|before| before.is_some());
        self.pages = self.pages.saturating_sub(usize::from(replaced));
    }
}
