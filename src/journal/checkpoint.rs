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
use crate::journal::reclaim::join;
use crate::journal::{Journal, JournalError, disk};

/// Who looks leaves up and wants to hear when they change: the index.
pub trait View: Sync {
    /// The leaves `removed` are no more, `added` are new; the newest checkpoint is `root`.
    fn replace(&self, removed: &[Pointer], added: &[Pointer], root: &Root);
}

/// The manifest, and its copy: one damaged file must not take the pod away.
pub(in crate::journal) const MANIFESTS: [&str; 2] = ["manifest", "manifest.copy"];

/// The log as a checkpoint finds it.
struct Cut {
    images: Arc<Images>,
    floor: Position,
    chunk: SlotRange,
    tail: Slot,
    reserved: u64,
    next_ino: u64,
    live: BTreeMap<u32, u32>,
    dead: Vec<SlotRange>,
}

impl Journal {
    /// Merges all rows changed since the last checkpoint into its leaves, writes the manifest, tells `view`, and gives
    /// dead pages back. Requests go on meanwhile. On an error everything is as before.
    pub fn checkpoint(&self, view: &dyn View) -> Result<(), JournalError> {
        let _one = self.checkpointing.lock();
        self.writable()?;
        let cut = self.cut();
        let root = self.root();
        let mut merged = Merged::default();
        // What is before the cut must be in the file before its pages are given back.
        let nodes = self
            .order
            .wait(cut.floor.record.saturating_sub(1))
            .and_then(|()| self.merge(&root, &cut.images, &mut merged))
            .and_then(|()| self.sync());
        if nodes.is_err() {
            // No manifest names them, and a full disk needs the room for the next attempt.
            self.punch_all(merged.written.iter());
        }
        let made = nodes.and_then(|()| self.write_manifest(&root, &cut, &merged));
        let outcome = match made {
            Ok((manifest, next)) => {
                let next = Arc::new(next);
                *self.root.write() = Arc::clone(&next);
                view.replace(&merged.removed, &merged.added, &next);
                self.overlay.forget_frozen();
                merged
                    .removed
                    .iter()
                    .for_each(|pointer| self.nodes.forget(pointer.run.slot));
                self.settle(cut.dead.iter().chain(&merged.frees));
                self.reclaim(&manifest.frees);
                Ok(())
            }
            Err(error) => {
                self.overlay.thaw();
                let mut tail = self.tail.lock();
                cut.dead
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

    fn cut(&self) -> Cut {
        let mut tail = self.tail.lock();
        tail.leaving = std::mem::take(&mut tail.dead_pages);
        tail.replay_bytes = 0;
        Cut {
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
        cut: &Cut,
        merged: &Merged,
    ) -> Result<(Manifest, Root), JournalError> {
        let mut live = cut.live.clone();
        let mut frees: Vec<SlotRange> = cut.dead.iter().chain(&merged.frees).copied().collect();
        merged
            .written
            .iter()
            .for_each(|range| *live.entry(range.slot.segment).or_default() += range.count);
        for range in &frees {
            let pages = live.entry(range.slot.segment).or_default();
            *pages = pages.saturating_sub(range.count);
        }
        // Counted by an earlier checkpoint, which could not give them back.
        frees.extend(self.unpunched.lock().iter());
        let frees = join(frees);
        let entry = |(number, live): (&u32, &u32)| {
            let segment = self.segments.get(*number)?;
            Some(SegmentEntry {
                number: *number,
                session: segment.session.id,
                live: *live,
            })
        };
        let digest = |sum: u128, pointers: &[Pointer], sign: fn(u128, u128) -> u128| {
            pointers
                .iter()
                .fold(sum, |sum, pointer| sign(sum, self.digest(pointer)))
        };
        let sum = digest(
            u128::from_le_bytes(root.digest),
            &merged.removed,
            u128::wrapping_sub,
        );
        let digest = digest(sum, &merged.added, u128::wrapping_add).to_le_bytes();
        let leaves = root.leaves + merged.added.len() as u64 - merged.removed.len() as u64;
        let manifest = Manifest {
            generation: root.generation + 1,
            floor: cut.floor,
            chunk: cut.chunk,
            tail: cut.tail,
            // Its nodes are durable, and a record above may be lost and its number given to another.
            written: self.durable.load(Ordering::Acquire),
            next_ino: cut.next_ino,
            reserved: cut.reserved,
            leaves,
            digest,
            segments: live.iter().filter_map(entry).collect(),
            frees,
            branches: merged.branches.clone(),
        };
        let bytes = seal_manifest(&self.manifest_key, &manifest)?;
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
        let next = Root {
            generation: manifest.generation,
            leaves,
            digest,
            branches: merged.branches.clone(),
        };
        Ok((manifest, next))
    }

    /// The manifest stands: what died before it counts no longer.
    fn settle<'a>(&self, died: impl Iterator<Item = &'a SlotRange>) {
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
