use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::format::manifest::Pin;
use crate::format::node::Pointer;
use crate::format::rows::{Key, Slot};
use crate::journal::{Journal, JournalError, Value};

/// A checkpoint that is pinned: its rows can be read although newer ones were written since.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its generation.
    pub generation: u64,
    /// Pages before this one were there when it was made.
    pub(in crate::journal) tail: Slot,
    pub(in crate::journal) branches: Vec<Pointer>,
}

/// Rows of one leaf.
pub struct Step {
    /// In order.
    pub rows: Vec<(Key, Value)>,
    /// Where to go on, if there may be more.
    pub next: Option<Key>,
}

/// A row that differs between two checkpoints; one of both values is there.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its key.
    pub key: Key,
    /// What it was.
    pub old: Option<Value>,
    /// What it is.
    pub new: Option<Value>,
}

impl Snapshot {
    pub(in crate::journal) fn of(pin: &Pin) -> Self {
        Self {
            generation: pin.generation,
            tail: pin.tail,
            branches: pin.branches.clone(),
        }
    }

    pub(in crate::journal) fn pin(&self) -> Pin {
        Pin {
            generation: self.generation,
            tail: self.tail,
            branches: self.branches.clone(),
        }
    }
}

impl Journal {
    /// The row of that key in a pinned checkpoint.
    pub fn row_at(&self, at: &Snapshot, key: &Key) -> Result<Option<Value>, JournalError> {
        let (pointer, _) = self.find_in(&at.branches, key)?;
        let leaf = pointer.map(|pointer| self.leaf(&pointer)).transpose()?;
        Ok(leaf.and_then(|leaf| leaf.get(key).map(Arc::clone)))
    }

    /// Rows with `from <= key <= to` in a pinned checkpoint, in order, as far as one leaf reaches.
    pub fn rows_at(&self, at: &Snapshot, from: &Key, to: &Key) -> Result<Step, JournalError> {
        let (pointer, next) = self.find_in(&at.branches, from)?;
        let leaf = pointer.map(|pointer| self.leaf(&pointer)).transpose()?;
        let rows = leaf.map(|leaf| leaf.range(from, to).to_vec());
        Ok(Step {
            rows: rows.unwrap_or_default(),
            next: next.filter(|next| next <= to),
        })
    }

    /// Shows every row that differs between two pinned checkpoints, in key order; without an `old` one, all rows.
    /// Costs what the leaves cost that the two do not share.
    pub fn differences(
        &self,
        old: Option<&Snapshot>,
        new: &Snapshot,
        mut show: impl FnMut(Difference) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let (old, new) = self.unshared(old.map_or(&[], |old| &old.branches), &new.branches)?;
        let mut old = Leaves::new(self, old).peekable();
        let mut new = Leaves::new(self, new).peekable();
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return Ok(()),
                (Some(Ok(old)), Some(Ok(new))) => old.0.cmp(&new.0),
                // An error comes out when its side is taken.
                (Some(Err(_)), _) | (_, None) => Ordering::Less,
                (_, Some(_)) => Ordering::Greater,
            };
            let before = if order.is_le() { old.next() } else { None }.transpose()?;
            let after = if order.is_ge() { new.next() } else { None }.transpose()?;
            let Some(key) = before.as_ref().or(after.as_ref()).map(|row| row.0) else {
                return Ok(());
            };
            let (old, new) = (before.map(|row| row.1), after.map(|row| row.1));
            if old != new {
                show(Difference { key, old, new })?;
            }
        }
    }

    /// The leaves of two trees that are not in both. Nodes are never changed in place, so one that is in both holds the
    /// same rows in both.
    fn unshared(
        &self,
        old: &[Pointer],
        new: &[Pointer],
    ) -> Result<(Vec<Pointer>, Vec<Pointer>), JournalError> {
        let (old, new) = without_common(old.to_vec(), new.to_vec());
        let leaves = |branches: &[Pointer]| {
            let mut leaves = Vec::new();
            for branch in branches {
                leaves.extend(self.branch(branch)?.iter().cloned());
            }
            Ok::<_, JournalError>(leaves)
        };
        Ok(without_common(leaves(&old)?, leaves(&new)?))
    }
}

/// Both lists without the nodes that are in both.
fn without_common(mut old: Vec<Pointer>, mut new: Vec<Pointer>) -> (Vec<Pointer>, Vec<Pointer>) {
    let slots = |pointers: &[Pointer]| -> BTreeSet<Slot> {
        pointers.iter().map(|pointer| pointer.run.slot).collect()
    };
    let (in_old, in_new) = (slots(&old), slots(&new));
    old.retain(|pointer| !in_new.contains(&pointer.run.slot));
    new.retain(|pointer| !in_old.contains(&pointer.run.slot));
    (old, new)
}

/// Rows of leaves, one leaf in memory at a time.
struct Leaves<'a> {
    journal: &'a Journal,
    pointers: std::vec::IntoIter<Pointer>,
    rows: std::vec::IntoIter<(Key, Value)>,
}

impl<'a> Leaves<'a> {
    fn new(journal: &'a Journal, pointers: Vec<Pointer>) -> Self {
        Self {
            journal,
            pointers: pointers.into_iter(),
            rows: Vec::new().into_iter(),
        }
    }
}

impl Iterator for Leaves<'_> {
    type Item = Result<(Key, Value), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            match self.journal.leaf(&self.pointers.next()?) {
                Ok(leaf) => self.rows = leaf.rows.clone().into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
