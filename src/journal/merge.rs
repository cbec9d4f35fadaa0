//! Merges changed rows into the leaves of a checkpoint: only what changed is written anew.

use std::ops::Bound;
use std::sync::Arc;

use crate::format::node::{self, Pointer};
use crate::format::rows::{Key, RunData, SlotRange};
use crate::journal::leaf::Root;
use crate::journal::overlay::Images;
use crate::journal::{Batch, Class, Image, Journal, JournalError, Sealed, Value};
use crate::types::limits::{BRANCH_POINTERS, LEAF, PAGE, RECORD_PAGES_MAX};

/// The leaves and branches of the next checkpoint, and what they replace.
#[derive(Default)]
pub(in crate::journal) struct Merged {
    pub(in crate::journal) branches: Vec<Pointer>,
    /// Leaves that are no more.
    pub(in crate::journal) removed: Vec<Pointer>,
    /// Leaves that are new.
    pub(in crate::journal) added: Vec<Pointer>,
    /// Pages of nodes that are no more.
    pub(in crate::journal) frees: Vec<SlotRange>,
    /// Pages of nodes that are new: to be freed if the checkpoint fails.
    pub(in crate::journal) written: Vec<SlotRange>,
}

/// Writes nodes in batches, each one record.
struct Writer<'a> {
    journal: &'a Journal,
    bytes: Vec<u8>,
    /// First key and number of pages of each node in `bytes`.
    nodes: Vec<(Key, usize)>,
    written: &'a mut Vec<SlotRange>,
}

/// Pages of nodes in one record.
const BATCH_PAGES: usize = RECORD_PAGES_MAX / 4;

impl Writer<'_> {
    fn push(
        &mut self,
        first: Key,
        node: &[u8],
        done: &mut Vec<Pointer>,
    ) -> Result<(), JournalError> {
        let pages = node.len() / PAGE;
        if self.bytes.len() / PAGE + pages > BATCH_PAGES {
            self.flush(done)?;
        }
        self.bytes.extend_from_slice(node);
        self.nodes.push((first, pages));
        Ok(())
    }

    fn flush(&mut self, done: &mut Vec<Pointer>) -> Result<(), JournalError> {
        if self.nodes.is_empty() {
            return Ok(());
        }
        let sealed: Sealed = self.journal.seal(std::mem::take(&mut self.bytes));
        let kind = crate::format::record::RecordKind::Nodes;
        let base = self
            .journal
            .append_as(kind, Batch::new(Class::Checkpoint), Some(&sealed))?;
        let mut slot = base.ok_or_else(|| JournalError::Damaged("checkpoint".into()))?;
        self.written.push(SlotRange {
            slot,
            count: sealed.pages(),
        });
        let (mut number, mut tags) = (sealed.number, sealed.tags.as_slice());
        for (first, pages) in self.nodes.drain(..) {
            let (own, rest) = tags.split_at_checked(pages).unwrap_or_default();
            tags = rest;
            done.push(Pointer {
                first,
                run: RunData {
                    slot,
                    number,
                    shared: false,
                    tags: own.to_vec(),
                },
            });
            slot = slot.add(u32::try_from(pages).unwrap_or(u32::MAX));
            number += pages as u64;
        }
        Ok(())
    }
}

/// Rows on their way into leaves.
#[derive(Default)]
struct Leaves {
    rows: Vec<(Key, Value)>,
    bytes: usize,
}

impl Leaves {
    fn push(
        &mut self,
        key: Key,
        value: Value,
        writer: &mut Writer<'_>,
        done: &mut Vec<Pointer>,
    ) -> Result<(), JournalError> {
        let len = node::row_len(&key, &value);
        if self.bytes + len > LEAF && !self.rows.is_empty() {
            self.finish(writer, done)?;
        }
        self.bytes += len;
        self.rows.push((key, value));
        Ok(())
    }

    fn finish(
        &mut self,
        writer: &mut Writer<'_>,
        done: &mut Vec<Pointer>,
    ) -> Result<(), JournalError> {
        let Some((first, _)) = self.rows.first() else {
            return Ok(());
        };
        let leaf = node::leaf(self.rows.iter().map(|(key, value)| (key, &**value)));
        writer.push(*first, &leaf, done)?;
        self.rows.clear();
        self.bytes = 0;
        Ok(())
    }

    /// So little that it is better joined with the next leaf than written alone.
    const fn is_small(&self) -> bool {
        self.bytes > 0 && self.bytes < LEAF / 4
    }
}

fn range_of(pointer: &Pointer) -> SlotRange {
    SlotRange {
        slot: pointer.run.slot,
        count: u32::try_from(pointer.run.tags.len()).unwrap_or(u32::MAX),
    }
}

/// One merge under way.
struct Merge<'a> {
    images: &'a Images,
    writer: Writer<'a>,
    merged: &'a mut Merged,
}

impl Journal {
    /// Merges `images` into the leaves of `root`. What was written so far stands in `merged`, even on an error.
    pub(in crate::journal) fn merge(
        &self,
        root: &Root,
        images: &Images,
        merged: &mut Merged,
    ) -> Result<(), JournalError> {
        let mut written = Vec::new();
        let writer = Writer {
            journal: self,
            bytes: Vec::new(),
            nodes: Vec::new(),
            written: &mut written,
        };
        let outcome = Merge {
            images,
            writer,
            merged,
        }
        .branches(&root.branches);
        merged.written = written;
        outcome
    }
}

impl Merge<'_> {
    fn branches(&mut self, branches: &[Pointer]) -> Result<(), JournalError> {
        let mut lower = Bound::Unbounded;
        for at in 0..branches.len().max(1) {
            let next = branches.get(at + 1).map(|next| next.first);
            let upper = next.map_or(Bound::Unbounded, Bound::Excluded);
            let old = branches.get(at);
            if self.images.range((lower, upper)).next().is_none() {
                self.merged.branches.extend(old.cloned());
            } else {
                self.branch(old, (lower, upper))?;
            }
            lower = next.map_or(Bound::Unbounded, Bound::Included);
        }
        Ok(())
    }

    /// The branches that take the place of `old`.
    fn branch(
        &mut self,
        old: Option<&Pointer>,
        range: (Bound<Key>, Bound<Key>),
    ) -> Result<(), JournalError> {
        let journal = self.writer.journal;
        let pointers = old
            .map(|branch| journal.branch(branch))
            .transpose()?
            .unwrap_or_default();
        let leaves = self.leaves(&pointers, range)?;
        self.merged.frees.extend(old.map(range_of));
        for part in leaves.chunks(BRANCH_POINTERS) {
            if let Some(first) = part.first() {
                self.writer
                    .push(first.first, &node::branch(part), &mut self.merged.branches)?;
            }
        }
        self.writer.flush(&mut self.merged.branches)
    }

    /// The leaves of one branch after the changes in `range`.
    fn leaves(
        &mut self,
        pointers: &[Pointer],
        range: (Bound<Key>, Bound<Key>),
    ) -> Result<Vec<Pointer>, JournalError> {
        let mut kept = Vec::new();
        let mut fresh = Vec::new();
        let mut leaves = Leaves::default();
        let mut lower = range.0;
        for at in 0..pointers.len().max(1) {
            let next = pointers.get(at + 1).map(|next| next.first);
            let upper = next.map_or(range.1, Bound::Excluded);
            let old = pointers.get(at);
            let mut changes = self.images.range((lower, upper)).peekable();
            lower = next.map_or(lower, Bound::Included);
            if let (None, false, Some(old)) = (changes.peek(), leaves.is_small(), old) {
                leaves.finish(&mut self.writer, &mut fresh)?;
                kept.push(old.clone());
                continue;
            }
            let leaf = old
                .map(|pointer| self.writer.journal.leaf(pointer))
                .transpose()?;
            let rows = leaf.iter().flat_map(|leaf| leaf.rows.iter());
            for (key, value) in merge_rows(rows, changes) {
                leaves.push(key, value, &mut self.writer, &mut fresh)?;
            }
            self.merged.frees.extend(old.map(range_of));
            self.merged.removed.extend(old.cloned());
        }
        leaves.finish(&mut self.writer, &mut fresh)?;
        self.writer.flush(&mut fresh)?;
        self.merged.added.extend(fresh.iter().cloned());
        kept.append(&mut fresh);
        kept.sort_by_key(|pointer| pointer.first);
        Ok(kept)
    }
}

/// The rows of a leaf after the changes, in order.
fn merge_rows<'a>(
    rows: impl Iterator<Item = &'a (Key, Value)>,
    changes: impl Iterator<Item = (&'a Key, &'a Image)>,
) -> impl Iterator<Item = (Key, Value)> {
    let (mut rows, mut changes) = (rows.peekable(), changes.peekable());
    std::iter::from_fn(move || {
        loop {
            let old = match (rows.peek(), changes.peek()) {
                (None, None) => return None,
                (Some((old, _)), Some((new, _))) if old == *new => {
                    rows.next();
                    false
                }
                (Some((old, _)), Some((new, _))) => old < *new,
                (Some(_), None) => true,
                (None, Some(_)) => false,
            };
            if old {
                return rows.next().map(|(key, value)| (*key, Arc::clone(value)));
            }
            if let Some((key, Some(value))) = changes.next() {
                return Some((*key, Arc::clone(value)));
            }
        }
    })
}
