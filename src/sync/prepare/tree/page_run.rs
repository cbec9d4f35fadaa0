//! The lowest level of a tree: the pages.

use std::ops::Range;

use crate::crypto::Secret;
use crate::crypto::publish::{Reference, reseal_block, same_page, seal_block, seal_blocks};
use crate::format::published::Place;
use crate::sync::error::SyncError;
use crate::sync::prepare::pages::Page;
use crate::sync::prepare::tree::{Child, Tree, or_none};
use crate::types::Ino;
use crate::types::limits::PAGE;

/// A page that has data.
struct Filled {
    number: u64,
    bytes: Box<[u8; PAGE]>,
    /// No row of the file has it: it is kept.
    loose: bool,
}

impl Tree<'_, '_> {
    /// Pages of one parent; those that differ are sealed together.
    pub(super) fn page_run(&mut self, pages: Range<u64>) -> Result<Vec<Option<Child>>, SyncError> {
        let mut found = Vec::new();
        let (mut fresh, mut at) = (Vec::new(), Vec::new());
        let mut run = self.pages.load(pages.clone())?;
        if self.of.anew {
            self.bring(pages.start, &mut run)?;
        }
        for (number, loaded) in pages.zip(run) {
            let (bytes, loose) = match self.or_brought(number, loaded)? {
                Page::Same => {
                    found.push(self.same(number)?);
                    continue;
                }
                Page::Hole => (None, false),
                Page::Data(bytes) => (Some(bytes), false),
                Page::Loose(bytes) => (Some(bytes), true),
            };
            let Some(bytes) = bytes.filter(|bytes| bytes.iter().any(|byte| *byte != 0)) else {
                let place = self.place(Place::page(number));
                self.prepare.drop_place(self.ino, place);
                found.push(None);
                continue;
            };
            let page = Filled {
                number,
                bytes,
                loose,
            };
            let known = self.known(&page)?;
            if known.is_none() {
                at.push(found.len());
                fresh.push(page);
            }
            found.push(known);
        }
        for (at, reference) in at.into_iter().zip(self.seal(&fresh)) {
            if let Some(slot) = found.get_mut(at) {
                *slot = Some(reference);
            }
        }
        let child = |reference| Child {
            reference,
            plain: None,
        };
        Ok(found.into_iter().map(|found| found.map(child)).collect())
    }

    /// Brings the pages of a run that are not here: they are sealed anew as well.
    fn bring(&mut self, first: u64, run: &mut [Page]) -> Result<(), SyncError> {
        let from = self.old.as_ref().map_or(self.ino, |old| old.ino);
        let (mut missing, mut lacking) = (Vec::new(), Vec::new());
        for (number, page) in (first..).zip(run.iter_mut()) {
            if !matches!(page, Page::Same) {
                continue;
            }
            let place = self.place(Place::page(number));
            let kept = self.prepare.kept.get(self.ino, place)?;
            // It was brought before an interruption, and sealed.
            let sealed = kept.filter(|(known, plain)| same_page(self.conv, known, plain.expose()));
            if let Some((_, plain)) = sealed {
                *page = Page::Loose(Box::new(*plain.expose()));
                continue;
            }
            match self.same(number)? {
                Some(reference) => {
                    lacking.push((from, place, reference));
                    missing.push(page);
                }
                None => *page = Page::Hole,
            }
        }
        if lacking.is_empty() {
            return Ok(());
        }
        if self.prepare.can_wait(self.ino) && !self.prepare.has_room() {
            return Err(SyncError::NoRoom);
        }
        for (page, brought) in missing.into_iter().zip(self.prepare.fetched(lacking)) {
            *page = Page::Loose(Box::new(*brought?.expose()));
        }
        Ok(())
    }

    /// A page that was brought, is kept, and did not find its place: there is another attempt at it.
    fn or_brought(&self, number: u64, page: Page) -> Result<Page, SyncError> {
        let place = self.place(Place::page(number));
        if !matches!(page, Page::Same) || self.prepare.attempt(self.ino, place) == 0 {
            return Ok(page);
        }
        let kept = self.prepare.kept.get(self.ino, place)?;
        Ok(kept.map_or(page, |(_, plain)| Page::Loose(Box::new(*plain.expose()))))
    }

    /// What a page that is not here, or did not change, is referred to by.
    fn same(&mut self, number: u64) -> Result<Option<Reference>, SyncError> {
        let old = self.old.as_ref();
        if old.is_none_or(|old| number >= old.shape.pages()) {
            let why = "a page that is not here was never published";
            return Err(SyncError::Contradiction(self.ino, why));
        }
        self.old_reference(0, number)
    }

    /// The reference of a page that is published already, by this inode or by the one that it goes on from: then it is
    /// as far on its way as there.
    fn known(&mut self, page: &Filled) -> Result<Option<Reference>, SyncError> {
        let place = self.place(Place::page(page.number));
        let attempt = self.prepare.attempt(self.ino, place);
        let (from, old) = self.before(page, place)?;
        // What no row has may be kept from when it was in another box.
        let is_sure = !page.loose || self.prepare.trusted == Some(from);
        let is_same = |old: &Reference| match attempt {
            0 => {
                same_page(self.conv, old, &page.bytes)
                    || is_sure && !self.of.anew && reseal_block(old, &page.bytes).is_ok()
            }
            attempt => seal_block(self.conv, attempt, &page.bytes).0 == *old,
        };
        let Some(known) = old.filter(is_same) else {
            return Ok(None);
        };
        if from != self.ino {
            self.keep_if_loose(page, place, &known);
            self.prepare.carry(from, self.ino, place)?;
        }
        Ok(Some(known))
    }

    /// What stood at the place of a page, and whose it was.
    fn before(
        &mut self,
        page: &Filled,
        place: Place,
    ) -> Result<(Ino, Option<Reference>), SyncError> {
        let lineage = self.of.lineage.unwrap_or(self.ino);
        if page.loose {
            for ino in [self.ino, lineage] {
                if let Some(kept) = self.prepare.kept.reference(ino, place)? {
                    return Ok((ino, Some(kept)));
                }
            }
        }
        Ok((lineage, or_none(self.old_reference(0, page.number))?))
    }

    /// Seals pages and queues them.
    fn seal(&mut self, pages: &[Filled]) -> Vec<Reference> {
        let first = seal_blocks(self.conv, 0, pages.iter().map(|page| &*page.bytes));
        let mut references = Vec::with_capacity(pages.len());
        for (page, (first, _)) in pages.iter().zip(first) {
            let place = self.place(Place::page(page.number));
            let reference = match self.prepare.attempt(self.ino, place) {
                0 => first,
                attempt => seal_block(self.conv, attempt, &page.bytes).0,
            };
            self.prepare.drop_place(self.ino, place);
            self.keep_if_loose(page, place, &reference);
            self.prepare.queue(self.ino, place);
            references.push(reference);
        }
        references
    }

    fn keep_if_loose(&mut self, page: &Filled, place: Place, reference: &Reference) {
        if page.loose {
            let bytes = Secret::from_bytes(&page.bytes);
            self.prepare.keep((self.ino, place), reference, bytes);
        }
    }
}
