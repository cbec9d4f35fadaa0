//! How far pages and nodes are on their way: the `Q` rows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::format::published::Place;
use crate::format::rows::{Key, Queued};
use crate::index::Rows;
use crate::journal::{Batch, JournalError};
use crate::sync::kept::{Kept, damaged};
use crate::types::Ino;

/// How far a page or node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Not handed to a node yet.
    Unsent,
    /// A node took it.
    Sent,
    /// Seen in the network, or not published any more: nothing is left to do.
    Done,
}

/// Marks that change together, by row.
#[derive(Default)]
pub(super) struct Marks(BTreeMap<(Ino, u64), Masks>);

/// Places of one row: those that get each mark.
#[derive(Clone, Copy, Default)]
struct Masks {
    unsent: u32,
    sent: u32,
    done: u32,
    /// Those that get a mark only if they were sent.
    found: u32,
    lost: u32,
}

/// Pages and nodes on their way.
#[derive(Default)]
pub(super) struct Totals {
    unsent: AtomicU64,
    sent: AtomicU64,
    /// Counts how often all was queued anew.
    era: AtomicU64,
}

/// How totals change.
#[derive(Clone, Copy, Default)]
pub(super) struct Delta {
    unsent: i64,
    sent: i64,
}

impl Marks {
    pub(super) fn set(&mut self, ino: Ino, place: Place, mark: Mark) {
        let (bucket, position) = place.row();
        let bit = 1_u32.checked_shl(position.into()).unwrap_or(0);
        let masks = self.0.entry((ino, bucket)).or_default();
        for mask in masks.all() {
            *mask &= !bit;
        }
        match mark {
            Mark::Unsent => masks.unsent |= bit,
            Mark::Sent => masks.sent |= bit,
            Mark::Done => masks.done |= bit,
        }
    }

    /// Sets a mark where the place was sent, and leaves it alone where it is to be sent again.
    pub(super) fn settle(&mut self, ino: Ino, place: Place, mark: Mark) {
        let (bucket, position) = place.row();
        let bit = 1_u32.checked_shl(position.into()).unwrap_or(0);
        let masks = self.0.entry((ino, bucket)).or_default();
        match mark {
            Mark::Unsent => masks.lost |= bit,
            Mark::Sent => {}
            Mark::Done => masks.found |= bit,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the rows as they become to `batch`.
    pub(super) fn apply(self, rows: &Rows, batch: &mut Batch) -> Result<Delta, JournalError> {
        let mut delta = Delta::default();
        for ((ino, bucket), masks) in self.0 {
            let key = Key::queued(ino, bucket);
            let before = queued(rows, &key)?;
            let touched = masks.unsent | masks.sent | masks.done;
            let (unsent, sent) = (before.unsent & !touched, before.sent & !touched);
            let after = Queued {
                unsent: unsent | sent & masks.lost | masks.unsent,
                sent: sent & !masks.lost & !masks.found | masks.sent,
            };
            if after == before {
                continue;
            }
            let count = |mask: u32| i64::from(mask.count_ones());
            delta.unsent += count(after.unsent) - count(before.unsent);
            delta.sent += count(after.sent) - count(before.sent);
            if after.is_empty() {
                batch.delete(key);
            } else {
                batch.put(key, after.encode());
            }
        }
        Ok(delta)
    }
}

impl Masks {
    const fn all(&mut self) -> [&mut u32; 5] {
        [
            &mut self.unsent,
            &mut self.sent,
            &mut self.done,
            &mut self.found,
            &mut self.lost,
        ]
    }
}

impl Totals {
    /// Counts what the rows say.
    pub(super) fn count(rows: &Rows) -> Result<Self, JournalError> {
        let totals = Self::default();
        let (first, last) = (Key::queued(Ino(0), 0), Key::queued(Ino(u64::MAX), u64::MAX));
        let mut next = Some(first);
        while let Some(from) = next {
            let step = rows.scan(&from, &last, ROWS)?;
            next = step.last().and_then(|(key, _)| key.successor());
            for (_, row) in &step {
                let row = Queued::decode(row).map_err(damaged)?;
                totals.add(Delta {
                    unsent: row.unsent.count_ones().into(),
                    sent: row.sent.count_ones().into(),
                });
            }
            if step.len() < ROWS {
                break;
            }
        }
        Ok(totals)
    }

    pub(super) fn add(&self, delta: Delta) {
        for (total, change) in [(&self.unsent, delta.unsent), (&self.sent, delta.sent)] {
            if change >= 0 {
                total.fetch_add(change.unsigned_abs(), Ordering::Relaxed);
            } else {
                total.fetch_sub(change.unsigned_abs(), Ordering::Relaxed);
            }
        }
    }

    /// Which time it is that all was queued.
    pub(super) fn era(&self) -> u64 {
        self.era.load(Ordering::Relaxed)
    }

    /// All is queued anew: what was learnt until now counts no more.
    pub(super) fn next_era(&self) {
        self.era.fetch_add(1, Ordering::Relaxed);
    }

    /// Pages and nodes that no node has taken yet, and those that are not seen in the network yet.
    pub(super) fn get(&self) -> (u64, u64) {
        (
            self.unsent.load(Ordering::Relaxed),
            self.sent.load(Ordering::Relaxed),
        )
    }
}

impl Kept {
    /// How far the first places of `ino` are that are on their way; done when none is.
    pub(super) fn first_queued(&self, ino: Ino) -> Result<Mark, JournalError> {
        let (from, to) = (Key::queued(ino, 0), Key::queued(ino, u64::MAX));
        let rows = self.rows().scan(&from, &to, 1)?;
        let Some((_, row)) = rows.first() else {
            return Ok(Mark::Done);
        };
        let row = Queued::decode(row).map_err(damaged)?;
        Ok(if row.unsent == 0 {
            Mark::Sent
        } else {
            Mark::Unsent
        })
    }
}

/// Rows that are looked at together.
const ROWS: usize = 1024;

/// The row of that key, or an empty one.
pub(super) fn queued(rows: &Rows, key: &Key) -> Result<Queued, JournalError> {
    match rows.get(key)? {
        Some(row) => Queued::decode(&row).map_err(damaged),
        None => Ok(Queued::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Class;
    use crate::sync::edit::KeptEdit;
    use crate::sync::sample::kept;

    #[test]
    fn the_first_row_tells_how_far_a_file_is() {
        let kept = kept();
        let steps = [
            (Mark::Sent, 40, Mark::Sent),
            (Mark::Unsent, 3, Mark::Unsent),
            (Mark::Sent, 3, Mark::Sent),
            (Mark::Done, 3, Mark::Sent),
            (Mark::Done, 40, Mark::Done),
        ];
        for (mark, page, first) in steps {
            let mut edit = KeptEdit::new(Class::Meta);
            edit.mark(Ino(7), Place::page(page), mark);
            kept.write(edit).unwrap();
            assert_eq!(kept.first_queued(Ino(7)).unwrap(), first);
            assert_eq!(kept.first_queued(Ino(6)).unwrap(), Mark::Done);
        }
    }
}
