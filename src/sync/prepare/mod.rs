//! Makes what a cut publishes: seals what differs from the publication before, keeps the nodes, queues the chunks.
//!
//! Everything is a function of the cut, of the keys and of what was published before, so doing it again after a crash
//! gives the same and queues nothing twice. Nothing is sent here; nodes of the old tree that are not on this machine are
//! fetched. Nodes of a large file are kept before its row names them: until then the row says that it is unfinished.

mod anew;
mod attributes;
mod contents;
mod followed;
mod head;
mod known;
mod names;
mod pages;
mod parts;
mod scope;
mod tree;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::crypto::Secret;
use crate::crypto::keys::{BoxSecret, ConvKey};
use crate::crypto::publish::{Reference, seal_node};
use crate::format::published::{Place, Rate};
use crate::format::rows::{HeadState, Key, Published};
use crate::journal::{Change, Class};
use crate::sync::boxes::{Borders, BoxSecrets};
use crate::sync::changes::{Changes, Touched};
use crate::sync::edit::KeptEdit;
use crate::sync::error::SyncError;
use crate::sync::follow::Followed;
use crate::sync::heads::OwnFeed;
use crate::sync::kept::{Kept, UNFINISHED};
use crate::sync::newest::NEWEST;
use crate::sync::pace::Pace;
use crate::sync::queue::Mark;
use crate::sync::renew::Renewals;
use crate::sync::view::View;
use crate::types::Ino;
use crate::types::limits::{FETCHED_RESERVE, PAGE, PREPARED_PAGES, PREPARED_ROWS};

pub(super) use head::{Draft, PATH_MAX};
pub(super) use parts::{Attempts, Fetch, Lacking, Parts, Prepared};

/// Parity of all that is published.
const RATE: Rate = Rate::DEFAULT;

/// A publication in the making.
pub(super) struct Preparation<'a> {
    view: View<'a>,
    /// The publication before, and its number.
    base: Option<(View<'a>, u64)>,
    kept: &'a Kept,
    feed: &'a OwnFeed,
    secret: &'a BoxSecret,
    boxes: &'a BoxSecrets,
    borders: Borders<'a>,
    owner: (u32, u32),
    attempts: &'a Attempts,
    fetch: Fetch<'a>,
    followed: &'a [Followed],
    renewals: &'a Renewals,
    /// The borders at the publication before.
    borders_before: Option<Borders<'a>>,
    /// What is in the making, when it goes on from something in another box: it is sealed anew.
    stray: Option<Ino>,
    /// What is in the making, when all that is kept of it is sealed as in the box that it is in.
    trusted: Option<Ino>,
    /// The file in the making, and what was published of it.
    current: Option<(Ino, Published)>,
    stopped: &'a AtomicBool,
    pace: &'a Pace,
    /// When the last record was written.
    began: Instant,
    publication: u64,
    edit: KeptEdit,
    /// Rows and marks in the edit, roughly.
    changed: usize,
}

impl<'a> Preparation<'a> {
    pub(super) fn new(parts: &Parts<'a>) -> Result<Self, SyncError> {
        let journal = parts.kept.rows().journal();
        let base = parts.base;
        let view = View::new(journal, parts.cut);
        let base = base.map(|base| (View::new(journal, base), base.generation));
        Ok(Self {
            view,
            base,
            borders_before: base.map(|(base, _)| Borders::at(base)).transpose()?,
            stray: None,
            trusted: None,
            kept: parts.kept,
            feed: parts.feed,
            secret: parts.feed.secret(),
            boxes: parts.boxes,
            borders: Borders::at(view)?,
            owner: parts.owner,
            attempts: parts.attempts,
            fetch: parts.fetch,
            followed: parts.followed,
            renewals: parts.renewals,
            current: None,
            stopped: parts.stopped,
            pace: parts.pace,
            began: Instant::now(),
            publication: parts.cut.generation,
            edit: KeptEdit::new(Class::Meta),
            changed: 0,
        })
    }

    /// Makes all of it.
    pub(super) fn run(mut self, changes: &Changes) -> Result<Prepared, SyncError> {
        self.begin()?;
        // Who goes on with the lineage of another is compared with what that one was.
        for (ino, touched) in &changes.contents {
            if self.kept.published(*ino)?.is_none() {
                self.contents(*ino, touched)?;
            }
        }
        self.flush()?;
        for (ino, touched) in &changes.contents {
            self.contents(*ino, touched)?;
        }
        for ino in self.with_attempts() {
            if !changes.contents.contains_key(&ino) {
                self.contents(ino, &Touched::default())?;
            }
        }
        self.flush()?;
        let draft = self.draft(changes)?;
        for ino in &changes.unnamed {
            self.unqueue(*ino)?;
        }
        for ino in &changes.gone {
            self.forget(*ino)?;
        }
        self.flush()?;
        let last = self.feed.last(self.kept.rows())?;
        let is_told = last.is_some_and(|(own, head)| {
            own.state != HeadState::Made && head.root == draft.root && head.journal == draft.journal
        });
        let (boxes, seen) = (self.box_drafts(&draft)?, self.seen()?);
        Ok(Prepared {
            boxes,
            draft: (!is_told).then_some(draft),
            seen,
        })
    }

    /// Notes that rows are about to tell of this publication, whatever becomes of it.
    fn begin(&mut self) -> Result<(), SyncError> {
        let newest = self.kept.newest()?;
        if newest.publication == self.publication {
            return Ok(());
        }
        let newest = Published {
            publication: self.publication,
            ..newest
        };
        self.publish(NEWEST, &newest);
        self.flush()
    }

    /// Deletes all that is known of an inode that is no more.
    fn forget(&mut self, ino: Ino) -> Result<(), SyncError> {
        loop {
            let rows = self.kept.places(ino, 0, ROWS)?;
            let last = rows.len() < ROWS;
            for (bucket, nodes) in rows {
                for (position, _) in nodes.0 {
                    self.drop_place(ino, Place::of_row(bucket, position));
                }
            }
            if last {
                break;
            }
            self.flush()?;
        }
        self.unqueue(ino)?;
        self.edit.row(Key::published(ino), Change::Delete);
        self.changed += 1;
        self.flush_if_large()
    }

    /// Nothing of an inode is on its way any more.
    fn unqueue(&mut self, ino: Ino) -> Result<(), SyncError> {
        loop {
            let places = self.kept.queued(ino, ROWS)?;
            if places.is_empty() {
                return Ok(());
            }
            for place in places {
                self.edit.mark(ino, place, Mark::Done);
            }
            self.flush()?;
        }
    }

    /// The page or node at `place`, which `reference` refers to: just made, kept, or fetched.
    fn published(
        &self,
        ino: Ino,
        place: Place,
        reference: &Reference,
    ) -> Result<Secret<PAGE>, SyncError> {
        if let Some(plain) = self.at_hand(ino, place, reference)? {
            return Ok(plain);
        }
        let fetched = self.fetched(vec![(ino, place, reference.clone())]);
        fetched
            .into_iter()
            .next()
            .unwrap_or(Err(SyncError::Interrupted))
    }

    /// The same, if it is on this machine.
    fn at_hand(
        &self,
        ino: Ino,
        place: Place,
        reference: &Reference,
    ) -> Result<Option<Secret<PAGE>>, SyncError> {
        if let Some((known, plain)) = self.edit.get(ino, place)
            && known == reference
        {
            return Ok(Some(Secret::from_bytes(plain.expose())));
        }
        let kept = self.kept.get(ino, place)?;
        Ok(kept.and_then(|(known, plain)| (known == *reference).then_some(plain)))
    }

    /// Nodes that are not on this machine, one for each that is wanted.
    fn fetched(&self, wanted: Vec<Lacking>) -> Vec<Result<Secret<PAGE>, SyncError>> {
        (self.fetch)(wanted)
    }

    /// Whether pages may be fetched that are kept until the network has them. Half of what is spared for the folder is
    /// for the nodes above them.
    fn has_room(&self) -> bool {
        let unwritten = (self.edit.pages() * PAGE) as u64;
        let free = self.kept.rows().space().free;
        free.saturating_sub(unwritten) > FETCHED_RESERVE / 2
    }

    /// Gives the node at `place` its reference. One that is as before keeps it; else it is kept and queued, as far
    /// as the inode whose lineage is continued did not publish the same.
    fn settle(
        &mut self,
        (ino, place): (Ino, Place),
        lineage: Option<Ino>,
        conv: &ConvKey,
        plain: &Secret<PAGE>,
    ) -> Result<Reference, SyncError> {
        let reference = match self.sealed((ino, place), conv, plain)? {
            Sealed::Before(reference) => return Ok(reference),
            Sealed::Now(reference) => reference,
        };
        let from = lineage.filter(|from| *from != ino);
        let known = match from {
            Some(from) => self.kept.reference(from, place)?,
            None => None,
        };
        self.keep((ino, place), &reference, Secret::from_bytes(plain.expose()));
        match from.filter(|_| known.as_ref() == Some(&reference)) {
            Some(from) => self.carry(from, ino, place)?,
            None => self.queue(ino, place),
        }
        Ok(reference)
    }

    /// The reference of the node at `place`: the one that is kept there, if it is the same node.
    fn sealed(
        &self,
        (ino, place): (Ino, Place),
        conv: &ConvKey,
        plain: &Secret<PAGE>,
    ) -> Result<Sealed, SyncError> {
        let attempt = self.attempt(ino, place);
        let kept = self.kept.get(ino, place)?;
        let before = kept.filter(|(_, known)| known.expose() == plain.expose());
        let before = before.map(|(reference, _)| reference);
        if attempt == 0
            && !self.renews(ino)
            && self.trusted == Some(ino)
            && let Some(reference) = before
        {
            return Ok(Sealed::Before(reference));
        }
        let (reference, _) = seal_node(conv, attempt, plain.expose());
        Ok(if before.as_ref() == Some(&reference) {
            Sealed::Before(reference)
        } else {
            Sealed::Now(reference)
        })
    }

    fn keep(&mut self, (ino, place): (Ino, Place), reference: &Reference, plain: Secret<PAGE>) {
        self.edit.put(ino, place, reference.clone(), plain);
    }

    /// What stands at `place` has to be sent.
    fn queue(&mut self, ino: Ino, place: Place) {
        self.edit.mark(ino, place, Mark::Unsent);
        self.changed += 1;
    }

    /// What stands at `place` is as far on its way as with the inode whose lineage is continued.
    fn carry(&mut self, from: Ino, ino: Ino, place: Place) -> Result<(), SyncError> {
        let mark = self.kept.mark(from, place)?;
        self.edit.mark(ino, place, mark);
        self.changed += 1;
        Ok(())
    }

    /// Nothing stands at `place` any more that would have to be kept or sent.
    fn drop_place(&mut self, ino: Ino, place: Place) {
        self.edit.remove(ino, place);
        self.edit.mark(ino, place, Mark::Done);
        self.changed += 1;
    }

    /// Nor at the places of these groups of parity.
    fn drop_groups(&mut self, (ino, of): (Ino, Place), groups: Range<usize>) {
        for group in groups {
            let group = u8::try_from(group).unwrap_or(u8::MAX);
            self.drop_place(ino, of.parity(group));
        }
    }

    fn publish(&mut self, ino: Ino, published: &Published) {
        let value = published.encode().into();
        self.edit.row(Key::published(ino), Change::Put(value));
        self.changed += 1;
    }

    fn flush_if_large(&mut self) -> Result<(), SyncError> {
        if self.edit.pages() < PREPARED_PAGES && self.changed < PREPARED_ROWS {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), SyncError> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(SyncError::Interrupted);
        }
        let mut edit = std::mem::replace(&mut self.edit, KeptEdit::new(Class::Meta));
        if let Some((ino, before)) = &self.current {
            // Nodes of a tree whose inode is still the old one: after a crash all of it is looked at again.
            let unfinished = Published {
                publication: UNFINISHED,
                number: if self.is_mixed(*ino) {
                    Some(Published::MIXED)
                } else {
                    before.number
                },
                ..before.clone()
            };
            let value = unfinished.encode().into();
            edit.row(Key::published(*ino), Change::Put(value));
        }
        let bytes = (edit.pages() + 1) * PAGE + self.changed * CHANGE_BYTES;
        self.kept.rows().admit(bytes as u64)?;
        self.changed = 0;
        self.kept.write(edit)?;
        self.pace.rest(self.began);
        self.began = Instant::now();
        Ok(())
    }
}

/// The reference of a node.
enum Sealed {
    /// It is kept already, and sent or queued.
    Before(Reference),
    Now(Reference),
}

/// Rows of kept nodes that are looked at together.
const ROWS: usize = 128;

/// What a row or a mark adds to a record, about.
const CHANGE_BYTES: usize = 64;
