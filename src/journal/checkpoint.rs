use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::crypto::domain::ad;
use crate::crypto::{BoxKey, open_box, seal_box};
use crate::format::manifest::{Manifest, NONCE_LEN, Position, SegmentEntry};
use crate::format::node::Pointer;
use crate::format::rows::{Slot, SlotRange};
use crate::journal::leaf::Root;
use crate::journal::merge::Merged;
use crate::journal::overlay::Images;
use crate::journal::pins::Pins;
use crate::journal::reclaim::join;
use crate::journal::snapshot::Snapshot;
use crate::journal::{Journal, JournalError, disk};

/// Who looks leaves up and wants to hear when they change: the index.
pub trait View: Sync {
    /// The leaves `removed` are no more, `added` are new; the newest checkpoint is `root`.
    fn replace(&self, removed: &[Pointer], added: &[Pointer], root: &Root);
}

/// The manifest, and its copy: one damaged file must not take the pod away.
pub(in crate::journal) const MANIFESTS: [&str; 2] = ["manifest", "manifest.copy"];

/// The log as a checkpoint finds it.
struct Frozen {
    images: Arc<Images>,
    floor: Position,
    chunk: SlotRange,
    tail: Slot,
    reserved: u64,
    next_ino: u64,
    live: BTreeMap<u32, u32>,
    dead: Vec<SlotRange>,
}

/// A checkpoint whose manifest stands.
struct Made {
    root: Arc<Root>,
    /// What died with it, counted as live until now.
    died: Vec<SlotRange>,
    /// What goes back to the disk, in as few ranges as can be.
    frees: Vec<SlotRange>,
    pins: Pins,
}

impl Journal {
    /// Merges all rows changed since the last checkpoint into its leaves, writes the manifest, tells `view`, and gives
    /// dead pages back. Requests go on meanwhile. On an error everything is as before.
    pub fn checkpoint(&self, view: &dyn View) -> Result<(), JournalError> {
        self.checkpoint_as(view, false)
    }

    /// The same; with `cut` it is pinned.
    pub(in crate::journal) fn checkpoint_as(
        &self,
        view: &dyn View,
        cut: bool,
    ) -> Result<(), JournalError> {
        let _one = self.checkpointing.lock();
        self.writable()?;
        if cut && self.cut().is_some() {
            return Ok(());
        }
        let frozen = self.freeze();
        let root = self.root();
        let mut merged = Merged::default();
        // What is before the cut must be in the file before its pages are given back.
        let nodes = self
            .order
            .wait(frozen.floor.record.saturating_sub(1))
            .and_then(|()| self.merge(&root, &frozen.images, &mut merged))
            .and_then(|()| self.sync());
        if nodes.is_err() {
            // No manifest names them, and a full disk needs the room for the next attempt.
            self.punch_all(merged.written.iter());
        }
        let made = nodes.and_then(|()| self.write_manifest(&root, &frozen, &merged, cut));
        let outcome = match made {
            Ok(made) => {
                *self.root.write() = Arc::clone(&made.root);
                *self.pins.lock() = made.pins;
                view.replace(&merged.removed, &merged.added, &made.root);
                self.overlay.forget_frozen();
                merged
                    .removed
                    .iter()
                    .for_each(|pointer| self.nodes.forget(pointer.run.slot));
                self.settle(&made.died);
                self.reclaim(&made.frees);
                Ok(())
            }
            Err(error) => {
                self.overlay.thaw();
                let mut tail = self.tail.lock();
                frozen
                    .dead
                    .iter()
                    .chain(&merged.written)
                    .for_each(|range| tail.bury(*range));
                drop(tail);
                Err(error)
            }
        };
        self.tail.lock().leaving = 0;
        outcome
    }

    fn freeze(&self) -> Frozen {
        let mut tail = self.tail.lock();
        tail.leaving = std::mem::take(&mut tail.dead_pages);
        tail.replay_bytes = 0;
        Frozen {
            images: self.overlay.freeze(),
            floor: tail.position(),
            chunk: tail.chunk(),
            tail: tail.next(),
            reserved: tail.reserved,
            next_ino: tail.next_ino,
            live: tail.live.clone(),
            dead: std::mem::take(&mut tail.dead),
        }
    }

    fn write_manifest(
        &self,
        root: &Root,
        frozen: &Frozen,
        merged: &Merged,
        cut: bool,
    ) -> Result<Made, JournalError> {
        let mut live = frozen.live.clone();
        let mut pins = self.pins.lock().clone();
        let died = pins.hold(&frozen.dead, &merged.frees);
        merged
            .written
            .iter()
            .for_each(|range| *live.entry(range.slot.segment).or_default() += range.count);
        for range in &died {
            let pages = live.entry(range.slot.segment).or_default();
            *pages = pages.saturating_sub(range.count);
        }
        if cut {
            pins.set_cut(Snapshot {
                generation: root.generation + 1,
                // Its nodes stand before this page.
                tail: self.tail.lock().next(),
                branches: merged.branches.clone(),
            });
        }
        // Those were counted by an earlier checkpoint, which could not give them back.
        let unpunched = self.unpunched.lock().clone();
        let frees = join(died.iter().copied().chain(unpunched).collect());
        let entry = |(number, live): (&u32, &u32)| {
            let segment = self.segments.get(*number)?;
            Some(SegmentEntry {
                number: *number,
                session: segment.session.id,
                live: *live,
            })
        };
        let leaves = root.leaves + merged.added.len() as u64 - merged.removed.len() as u64;
        let manifest = Manifest {
            generation: root.generation + 1,
            floor: frozen.floor,
            chunk: frozen.chunk,
            tail: frozen.tail,
            // Its nodes are durable, and a record above may be lost and its number given to another.
            written: self.durable.load(Ordering::Acquire),
            next_ino: frozen.next_ino,
            reserved: frozen.reserved,
            leaves,
            digest: self.digest_after(root, merged),
            segments: live.iter().filter_map(entry).collect(),
            frees,
            branches: merged.branches.clone(),
            ..pins.manifest()
        };
        let bytes = seal_manifest(&self.manifest_key, &manifest)?;
        if bytes.len() > disk::WHOLE_MAX {
            // It could not be read again: who holds the cut has to give it up.
            return Err(JournalError::NoSpace);
        }
        let put = || {
            MANIFESTS
                .iter()
                .try_for_each(|name| disk::replace(&self.dir, name, &bytes))
        };
        match put() {
            // The disk is full to the brim: what is kept for checkpoints is there for this.
            Err(JournalError::NoSpace) if self.give_spare_back()? => put()?,
            other => other?,
        }
        Ok(Made {
            root: Arc::new(Root::of(&manifest)),
            frees: manifest.frees,
            died,
            pins,
        })
    }

    /// The digest of all leaves once those of `merged` took the places of theirs.
    fn digest_after(&self, root: &Root, merged: &Merged) -> [u8; 16] {
        let fold = |sum: u128, pointers: &[Pointer], sign: fn(u128, u128) -> u128| {
            let digests = pointers.iter().map(|pointer| self.digest(pointer));
            digests.fold(sum, sign)
        };
        let sum = u128::from_le_bytes(root.digest);
        let sum = fold(sum, &merged.removed, u128::wrapping_sub);
        fold(sum, &merged.added, u128::wrapping_add).to_le_bytes()
    }

    /// The manifest stands: what died before it counts no longer.
    fn settle(&self, died: &[SlotRange]) {
        let mut tail = self.tail.lock();
        for range in died {
            let pages = tail.live.entry(range.slot.segment).or_default();
            *pages = pages.saturating_sub(range.count);
        }
        drop(tail);
        self.write_watermark();
    }
}

pub(in crate::journal) fn seal_manifest(
    key: &BoxKey,
    manifest: &Manifest,
) -> Result<Vec<u8>, JournalError> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce)
        .map_err(|_| JournalError::Damaged("the machine's random numbers".into()))?;
    let mut bytes = manifest.encode();
    seal_box(key, nonce, ad::MANIFEST, &mut bytes);
    bytes.splice(..0, nonce);
    Ok(bytes)
}

/// Opens a manifest file.
pub(in crate::journal) fn open_manifest(key: &BoxKey, bytes: &[u8]) -> Option<Manifest> {
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
    let mut plain = sealed.to_vec();
    open_box(key, *nonce, ad::MANIFEST, &mut plain).ok()?;
    Manifest::decode(&plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Secret;

    #[test]
    fn a_manifest_comes_back_and_every_flip_is_noticed() {
        let key = BoxKey::new(Secret::from_bytes(&[1; 32]));
        let manifest = Manifest {
            generation: 7,
            leaves: 3,
            next_ino: 9,
            ..Manifest::empty()
        };
        let bytes = seal_manifest(&key, &manifest).unwrap();
        assert_eq!(open_manifest(&key, &bytes), Some(manifest));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open_manifest(&key, &bad), None);
        }
    }
}
