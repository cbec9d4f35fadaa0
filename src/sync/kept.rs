//! Pages and nodes of what is published that are kept on this machine: the `N` rows.
//!
//! Two write them: who publishes, and who fetches. Both do it through one [`Kept`], which holds a lock from reading a
//! row to appending it. What a row says is no more than what was kept; whether it still belongs to the published tree,
//! who reads it knows by comparing the reference with that in the parent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{ReentrantMutex, ReentrantMutexGuard};

use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::Place;
use crate::format::rows::{KeptNode, KeptNodes, Key, Published, Queued, Slot, SlotRange};
use crate::index::Rows;
use crate::journal::{Batch, Class, JournalError};
use crate::sync::edit::{KeptEdit, Look};
use crate::sync::queue::{Mark, Totals, queued};
use crate::types::Ino;
use crate::types::limits::PAGE;

/// In place of the publication in the `F` row of an inode whose nodes are being made anew.
pub(super) const UNFINISHED: u64 = u64::MAX;

/// What is kept of what is published.
pub struct Kept {
    rows: Arc<Rows>,
    writing: ReentrantMutex<()>,
    pub(super) totals: Totals,
    damage_told: AtomicBool,
}

impl Kept {
    /// What is kept among `rows`. There is one of these for a pod.
    ///
    /// # Errors
    /// [`JournalError`] when the queue cannot be read.
    pub fn new(rows: Arc<Rows>) -> Result<Self, JournalError> {
        let totals = Totals::count(&rows)?;
        Ok(Self {
            rows,
            writing: ReentrantMutex::new(()),
            totals,
            damage_told: AtomicBool::new(false),
        })
    }

    /// While it is held nobody else writes what is kept: for who changes something because of what rows say.
    pub(super) fn hold(&self) -> ReentrantMutexGuard<'_, ()> {
        self.writing.lock()
    }

    /// Pages and nodes that no node has taken yet, and those that one took which are not seen in the network yet.
    pub fn waiting(&self) -> (u64, u64) {
        self.totals.get()
    }

    /// How far the page or node at `place` is.
    ///
    /// # Errors
    /// [`JournalError`] when the log does not give it.
    pub fn mark(&self, ino: Ino, place: Place) -> Result<Mark, JournalError> {
        let (bucket, position) = place.row();
        let row = queued(&self.rows, &Key::queued(ino, bucket))?;
        let bit = 1_u32.checked_shl(position.into()).unwrap_or(0);
        Ok(match (row.unsent & bit, row.sent & bit) {
            (0, 0) => Mark::Done,
            (0, _) => Mark::Sent,
            _ => Mark::Unsent,
        })
    }

    /// The rows below.
    pub const fn rows(&self) -> &Arc<Rows> {
        &self.rows
    }

    /// What is published of `ino`, if anything is.
    ///
    /// # Errors
    /// [`JournalError`] when the log does not give it.
    pub fn published(&self, ino: Ino) -> Result<Option<Published>, JournalError> {
        let row = self.rows.get(&Key::published(ino))?;
        row.map(|row| Published::decode(&row).map_err(damaged))
            .transpose()
    }

    /// What the page or node kept at `place` is referred to by.
    ///
    /// # Errors
    /// [`JournalError`] when the log does not give it.
    pub fn reference(&self, ino: Ino, place: Place) -> Result<Option<Reference>, JournalError> {
        Ok(self.find(ino, place)?.map(|node| node.reference))
    }

    /// The page or node kept at `place`, and what it is referred to by. One that is damaged is not kept, whatever the
    /// row says: it can be fetched.
    ///
    /// # Errors
    /// [`JournalError`] when the log does not tell.
    pub fn get(
        &self,
        ino: Ino,
        place: Place,
    ) -> Result<Option<(Reference, Secret<PAGE>)>, JournalError> {
        let Some(node) = self.find(ino, place)? else {
            return Ok(None);
        };
        if let Ok(page) = self.read(&node) {
            return Ok(Some((node.reference, page)));
        }
        // It may just have been replaced, and its page given back.
        let _writing = self.writing.lock();
        let Some(node) = self.find(ino, place)? else {
            return Ok(None);
        };
        match self.read(&node) {
            Ok(page) => Ok(Some((node.reference, page))),
            Err(error @ (JournalError::Corrupt(_) | JournalError::Io(..))) => {
                if !self.damage_told.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "what is kept cannot be read: podfs check tells more");
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What stood at `place` is not published any more: nothing is left to do.
    pub(super) fn done(&self, ino: Ino, place: Place) -> Result<(), JournalError> {
        let mut edit = KeptEdit::new(Class::Meta);
        edit.mark(ino, place, Mark::Done);
        self.write(edit)
    }

    /// Places of `ino` that are on their way, those of at most `rows` rows.
    pub(super) fn queued(&self, ino: Ino, rows: usize) -> Result<Vec<Place>, JournalError> {
        let (from, to) = (Key::queued(ino, 0), Key::queued(ino, u64::MAX));
        let mut places = Vec::new();
        for (key, row) in self.rows.scan(&from, &to, rows)? {
            let row = Queued::decode(&row).map_err(damaged)?;
            places.extend(row.positions().map(|at| Place::of_row(key.field(1), at)));
        }
        Ok(places)
    }

    /// The places of `ino` where something is kept, by rows from `bucket` on, at most `limit` rows: bucket and what
    /// is in it. When there are fewer, these are the last.
    ///
    /// # Errors
    /// [`JournalError`] when the log does not give them.
    pub fn places(
        &self,
        ino: Ino,
        bucket: u64,
        limit: usize,
    ) -> Result<Vec<(u64, KeptNodes)>, JournalError> {
        let (from, to) = (Key::nodes(ino, bucket), Key::nodes(ino, u64::MAX));
        let rows = self.rows.scan(&from, &to, limit)?;
        let decoded = rows.into_iter().map(|(key, row)| {
            let nodes = KeptNodes::decode(&row).map_err(damaged)?;
            Ok((key.field(1), nodes))
        });
        decoded.collect()
    }

    /// Appends `edit` as one record. Pages that it replaces or takes away are given back.
    ///
    /// # Errors
    /// [`JournalError`]: nothing was changed.
    pub fn write(&self, edit: KeptEdit) -> Result<(), JournalError> {
        let _writing = self.writing.lock();
        let mut batch = Batch::new(edit.class);
        let mut bytes = Vec::with_capacity(edit.pages.saturating_mul(PAGE));
        let mut fresh = Vec::with_capacity(edit.pages);
        let mut publications = BTreeMap::new();
        let mut changed: BTreeMap<Key, KeptNodes> = BTreeMap::new();
        let mut touched = BTreeSet::new();
        let mut marks = edit.marks;
        for look in edit.looks {
            if self.is_still(&look, &mut publications)? {
                marks.settle(look.ino, look.place, look.mark);
            }
        }
        for ((ino, place), now) in edit.places {
            if let Some(expected) = now.as_ref().and_then(|fresh| fresh.publication)
                && (self.publication(ino, &mut publications)? != Some(expected)
                    || self.mark(ino, place)? == Mark::Unsent)
            {
                // Another publication, or one in the making, whose node was not sent yet.
                continue;
            }
            let (bucket, position) = place.row();
            let key = Key::nodes(ino, bucket);
            let nodes = match changed.entry(key) {
                std::collections::btree_map::Entry::Occupied(row) => row.into_mut(),
                std::collections::btree_map::Entry::Vacant(row) => row.insert(self.row(&key)?),
            };
            if now.is_none() && nodes.get(position).is_none() {
                continue;
            }
            touched.insert(key);
            let node = now.map(|now| {
                let at = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
                bytes.extend_from_slice(now.page.expose());
                fresh.push((key, position));
                KeptNode {
                    slot: Slot::pending(at),
                    number: 0,
                    tag: [0; 16],
                    reference: now.reference,
                }
            });
            let before = nodes.set(position, node);
            batch.frees.extend(before.map(|node| SlotRange {
                slot: node.slot,
                count: 1,
            }));
        }
        let sealed = (!fresh.is_empty()).then(|| self.rows.seal(bytes));
        if let Some(sealed) = &sealed {
            let numbers = sealed.number..;
            for (((key, position), number), tag) in fresh.iter().zip(numbers).zip(&sealed.tags) {
                if let Some(node) = changed.get_mut(key).and_then(|row| row.get_mut(*position)) {
                    (node.number, node.tag) = (number, *tag);
                }
            }
        }
        batch.rows.extend(edit.rows);
        for (key, nodes) in changed {
            if touched.contains(&key) {
                batch.kept(key, nodes);
            }
        }
        let delta = marks.apply(&self.rows, &mut batch)?;
        if !batch.rows.is_empty() {
            self.rows.append(batch, sealed)?;
            self.totals.add(delta);
        }
        Ok(())
    }

    /// Whether what was looked for is what stands at its place now.
    fn is_still(
        &self,
        look: &Look,
        publications: &mut BTreeMap<Ino, Option<u64>>,
    ) -> Result<bool, JournalError> {
        if look.place.as_page().is_some() {
            return Ok(self.publication(look.ino, publications)? == look.publication);
        }
        let now = self.reference(look.ino, look.place)?;
        Ok(now.map(|now| now.address()) == look.address)
    }

    fn publication(
        &self,
        ino: Ino,
        known: &mut BTreeMap<Ino, Option<u64>>,
    ) -> Result<Option<u64>, JournalError> {
        if let Some(publication) = known.get(&ino) {
            return Ok(*publication);
        }
        let publication = self.published(ino)?.map(|published| published.publication);
        known.insert(ino, publication);
        Ok(publication)
    }

    fn row(&self, key: &Key) -> Result<KeptNodes, JournalError> {
        let row = self.rows.get(key)?;
        row.map_or_else(
            || Ok(KeptNodes::default()),
            |row| KeptNodes::decode(&row).map_err(damaged),
        )
    }

    fn find(&self, ino: Ino, place: Place) -> Result<Option<KeptNode>, JournalError> {
        let (bucket, position) = place.row();
        let row = self.row(&Key::nodes(ino, bucket))?;
        Ok(row.get(position).cloned())
    }

    fn read(&self, node: &KeptNode) -> Result<Secret<PAGE>, JournalError> {
        Secret::try_fill_with(|page| self.rows.read(&node.data(), 0, page))
    }
}

pub(super) fn damaged(error: impl std::fmt::Display) -> JournalError {
    JournalError::Damaged(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::{PodSecret, ScopeId};
    use crate::crypto::publish::seal_node;
    use crate::journal::Change;

    const FILE: Ino = Ino(9);

    fn node(byte: u8) -> (Reference, Secret<PAGE>) {
        let secret = PodSecret::restore(Secret::from_bytes(&[1; 32])).box_secret(0, 0);
        let node = [byte; PAGE];
        let (reference, _) = seal_node(&secret.conv_file(&ScopeId([2; 16])), 0, &node);
        (reference, Secret::from_bytes(&node))
    }

    fn published(publication: u64) -> Change {
        let published = Published {
            publication,
            scope: ScopeId([2; 16]),
            size: 7,
            contents: Some(node(1).0),
            directory: None,
            number: None,
        };
        Change::Put(published.encode().into())
    }

    fn edit(puts: &[(Place, u8)]) -> KeptEdit {
        let mut edit = KeptEdit::new(Class::Meta);
        for (place, byte) in puts {
            let (reference, page) = node(*byte);
            edit.put(FILE, *place, reference, page);
        }
        edit
    }

    fn found(kept: &Kept, place: Place) -> Option<u8> {
        let (reference, page) = kept.get(FILE, place).unwrap()?;
        assert!(reference == node(page.expose()[0]).0);
        assert!(kept.reference(FILE, place).unwrap() == Some(reference));
        Some(page.expose()[PAGE - 1])
    }

    #[test]
    fn what_is_put_is_kept_and_what_it_replaces_is_given_back() {
        let kept = Kept::new(Arc::new(Rows::memory())).unwrap();
        let far = Place::node(3, 7);
        let first = edit(&[(Place::page(0), 3), (Place::page(31), 4), (far, 5)]);
        assert_eq!(first.pages(), 3);
        kept.write(first).unwrap();
        kept.write(edit(&[(Place::page(31), 6)])).unwrap();
        let places = [Place::page(0), Place::page(31), far, Place::page(1)];
        assert_eq!(
            places.map(|place| found(&kept, place)),
            [Some(3), Some(6), Some(5), None]
        );
        assert_eq!(kept.rows().live().0.len(), 3);
        let rows = kept.places(FILE, 0, 10).unwrap();
        let counts: Vec<_> = rows
            .iter()
            .map(|(bucket, nodes)| (*bucket, nodes.0.len()))
            .collect();
        assert_eq!(counts, [(0, 2), (far.row().0, 1)]);
        let mut all = KeptEdit::new(Class::Meta);
        for place in places {
            all.remove(FILE, place);
        }
        assert!(!all.is_empty() && all.pages() == 0);
        kept.write(all).unwrap();
        assert!(kept.rows().live().0.is_empty());
        assert!(kept.places(FILE, 0, 10).unwrap().is_empty());
    }

    #[test]
    fn what_was_fetched_of_an_older_publication_is_not_kept() {
        let kept = Kept::new(Arc::new(Rows::memory())).unwrap();
        let fetched = |publication| {
            let mut edit = KeptEdit::new(Class::Data);
            let (reference, page) = node(8);
            edit.put_fetched((FILE, publication), Place::page(0), reference, page);
            edit
        };
        kept.write(fetched(1)).unwrap();
        assert_eq!(found(&kept, Place::page(0)), None);
        let mut publish = edit(&[(Place::INODE, 1)]);
        publish.row(Key::published(FILE), published(2));
        kept.write(publish).unwrap();
        assert_eq!(kept.published(FILE).unwrap().unwrap().publication, 2);
        kept.write(fetched(1)).unwrap();
        assert_eq!(found(&kept, Place::page(0)), None);
        kept.write(fetched(2)).unwrap();
        assert_eq!(found(&kept, Place::page(0)), Some(8));
        assert_eq!(found(&kept, Place::INODE), Some(1));
        assert_eq!(kept.rows().live().0.len(), 2);
    }
}
