//! Checkpoints that stay readable behind the newest one, for whoever carries the pod elsewhere.
//!
//! The *cut* is a checkpoint that is being published, the *base* the one that was published last. What changed
//! between the two is found by comparing their nodes, which they share where nothing changed: requests pay nothing
//! for it. Pages that die meanwhile are held as long as a pinned checkpoint names them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::format::manifest::{Manifest, Pin};
use crate::format::rows::{Slot, SlotRange};
use crate::journal::reclaim::join;
use crate::journal::{Journal, JournalError, Snapshot, View};

/// What is pinned, and what is held for it.
#[derive(Clone, Default)]
pub(in crate::journal) struct Pins {
    base: Option<Arc<Snapshot>>,
    cut: Option<Arc<Snapshot>>,
    /// Pages of nodes that are no more.
    nodes: Vec<SlotRange>,
    /// Pages of data and records that died.
    data: Vec<SlotRange>,
}

/// Ranges that go back to the disk, and those that are held.
struct Parted {
    go: Vec<SlotRange>,
    held: Vec<SlotRange>,
}

/// Pages before `tail` were there when the pin was set.
fn part(ranges: impl Iterator<Item = SlotRange>, tail: Option<Slot>) -> Parted {
    let (held, go) = ranges.partition(|range| tail.is_some_and(|tail| range.slot < tail));
    Parted { go, held }
}

impl Pins {
    pub(in crate::journal) fn of(manifest: &Manifest) -> Self {
        let snapshot = |pin: &Option<Pin>| pin.as_ref().map(|pin| Arc::new(Snapshot::of(pin)));
        Self {
            base: snapshot(&manifest.base),
            cut: snapshot(&manifest.cut),
            nodes: manifest.held_nodes.clone(),
            data: manifest.held_data.clone(),
        }
    }

    /// Data is read of the cut alone; of the base only the rows.
    fn data_tail(&self) -> Option<Slot> {
        self.cut.as_ref().map(|cut| cut.tail)
    }

    fn node_tail(&self) -> Option<Slot> {
        let base = self.base.as_ref().map(|base| base.tail);
        base.max(self.data_tail())
    }

    /// Takes in what died before a checkpoint; gives what may go back to the disk with it.
    pub(in crate::journal) fn hold(
        &mut self,
        data: &[SlotRange],
        nodes: &[SlotRange],
    ) -> Vec<SlotRange> {
        let data = part(data.iter().copied(), self.data_tail());
        let nodes = part(nodes.iter().copied(), self.node_tail());
        self.data.extend(data.held);
        self.data = join(std::mem::take(&mut self.data));
        self.nodes.extend(nodes.held);
        [data.go, nodes.go].concat()
    }

    /// What no pin names any more. Of the nodes, with `named`, only ranges that hold one of those stay: what died
    /// between the old base and the new one stands before both.
    fn release(&mut self, named: Option<&BTreeSet<Slot>>) -> Vec<SlotRange> {
        let data = std::mem::take(&mut self.data).into_iter();
        let data = part(data, self.data_tail());
        let nodes = std::mem::take(&mut self.nodes).into_iter();
        let nodes = part(nodes, self.node_tail());
        self.data = data.held;
        let is_named = |range: &SlotRange| {
            let within = range.slot..range.slot.add(range.count);
            named.is_none_or(|named| named.range(within).next().is_some())
        };
        let (held, gone) = nodes.held.into_iter().partition(is_named);
        self.nodes = held;
        [data.go, nodes.go, gone].concat()
    }

    /// A checkpoint becomes the cut.
    pub(in crate::journal) fn set_cut(&mut self, cut: Snapshot) {
        self.cut = Some(Arc::new(cut));
    }

    /// A manifest that holds the pins and nothing else.
    pub(in crate::journal) fn manifest(&self) -> Manifest {
        let pin = |snapshot: &Option<Arc<Snapshot>>| snapshot.as_ref().map(|it| it.pin());
        Manifest {
            base: pin(&self.base),
            cut: pin(&self.cut),
            held_nodes: self.nodes.clone(),
            held_data: self.data.clone(),
            ..Manifest::empty()
        }
    }
}

impl Journal {
    /// The checkpoint that was published last.
    pub fn base(&self) -> Option<Arc<Snapshot>> {
        self.pins.lock().base.clone()
    }

    /// The checkpoint that is being published.
    pub fn cut(&self) -> Option<Arc<Snapshot>> {
        self.pins.lock().cut.clone()
    }

    /// Makes a checkpoint and pins it: the cut. The one before stays the cut until it is settled or dropped.
    pub fn make_cut(&self, view: &dyn View) -> Result<Arc<Snapshot>, JournalError> {
        self.checkpoint_as(view, true)?;
        self.cut().ok_or(JournalError::Busy)
    }

    /// The cut was published whole: it is the base from now on. A crash before the next manifest brings the pins back
    /// as they were; who asked asks again.
    pub fn settle_cut(&self) -> Result<(), JournalError> {
        self.writable()?;
        let _one = self.checkpointing.lock();
        let Some(cut) = self.cut() else { return Ok(()) };
        let mut named: BTreeSet<Slot> = cut.branches.iter().map(|it| it.run.slot).collect();
        for branch in &cut.branches {
            named.extend(self.branch(branch)?.iter().map(|leaf| leaf.run.slot));
        }
        let released = {
            let mut pins = self.pins.lock();
            pins.base = pins.cut.take();
            pins.release(Some(&named))
        };
        self.let_go(&released);
        Ok(())
    }

    /// Gives the cut up: what it alone names goes back to the disk. After a crash as with [`Journal::settle_cut`].
    pub fn drop_cut(&self) -> Result<(), JournalError> {
        self.writable()?;
        let _one = self.checkpointing.lock();
        let released = {
            let mut pins = self.pins.lock();
            pins.cut = None;
            pins.release(None)
        };
        self.let_go(&released);
        Ok(())
    }

    fn let_go(&self, released: &[SlotRange]) {
        let mut tail = self.tail.lock();
        for range in released {
            tail.bury(*range);
        }
        drop(tail);
        self.keeper.wake_if_due(self);
    }
}
