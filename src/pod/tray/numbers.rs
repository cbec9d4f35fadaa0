//! The kernel knows what was received by its number, and has it open under that. Once it was changed it is another
//! inode, of the owner's own; for as long as the mount lasts, it keeps its number for the kernel.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::format::rows::Key;
use crate::journal::Batch;
use crate::pod::attr::Attr;
use crate::pod::error::PodError;
use crate::pod::{Caller, Pod, SetAttr};
use crate::types::Ino;

/// Which inode is which for the kernel.
#[derive(Default)]
pub(in crate::pod) struct Numbers {
    map: Mutex<Map>,
    /// Whether there are any: most pods have none.
    is_used: AtomicBool,
}

#[derive(Default)]
struct Map {
    /// What was received, and what it has become.
    became: BTreeMap<Ino, Ino>,
    /// The other way round.
    was: BTreeMap<Ino, Ino>,
    /// Directories that were received, and the other ones that are seen in their place.
    hidden: BTreeMap<Ino, Ino>,
    /// How often the kernel has open what was received.
    open: BTreeMap<Ino, u32>,
}

impl Pod {
    /// What the kernel means by a number.
    pub fn meant(&self, ino: Ino) -> Ino {
        if !ino.is_received() {
            return ino;
        }
        let map = self.numbers.map.lock();
        map.became.get(&ino).copied().unwrap_or(ino)
    }

    /// The number under which the kernel knows an inode.
    pub fn known_as(&self, ino: Ino) -> Ino {
        if !self.numbers.is_used.load(Ordering::Acquire) {
            return ino;
        }
        let map = self.numbers.map.lock();
        map.was.get(&ino).copied().unwrap_or(ino)
    }

    /// Attributes as the kernel is told them.
    pub fn told(&self, attr: Attr) -> Attr {
        Attr {
            ino: self.known_as(attr.ino),
            ..attr
        }
    }

    /// [`Pod::getattr`] for the kernel.
    ///
    /// # Errors
    /// Those of it.
    pub fn getattr_told(&self, ino: Ino) -> Result<Attr, PodError> {
        Ok(self.told(self.getattr(ino)?))
    }

    /// What is changed when the kernel changes what it knows by that number.
    ///
    /// # Errors
    /// [`PodError::ReadOnly`]: it was received, and may not be changed, or podfs tells it.
    pub fn to_change(&self, ino: Ino) -> Result<Ino, PodError> {
        let meant = self.meant(ino);
        if meant.is_told() {
            Err(PodError::ReadOnly)
        } else if meant.is_received() {
            self.lift(meant)
        } else {
            Ok(meant)
        }
    }

    /// [`Pod::setattr`] for the kernel.
    ///
    /// # Errors
    /// Those of it, and of [`Pod::to_change`].
    pub fn setattr_meant(&self, ino: Ino, set: &SetAttr, caller: Caller) -> Result<Attr, PodError> {
        Ok(self.told(self.setattr(self.to_change(ino)?, set, caller)?))
    }

    /// [`Pod::write`] for the kernel.
    ///
    /// # Errors
    /// Those of it, and of [`Pod::to_change`].
    pub fn write_to(
        &self,
        (ino, offset): (Ino, u64),
        data: &[u8],
        kill_priv: bool,
    ) -> Result<u32, PodError> {
        self.write(self.to_change(ino)?, offset, data, kill_priv)
    }

    /// [`Pod::open`] for the kernel.
    ///
    /// # Errors
    /// Those of it. [`PodError::Stale`]: another has its name by now, which is to be looked up.
    pub fn open_meant(&self, ino: Ino) -> Result<(), PodError> {
        if !ino.is_received() {
            return self.open(ino);
        }
        // Held meanwhile: it becomes no other between.
        let mut map = self.numbers.map.lock();
        match self.open(map.became.get(&ino).copied().unwrap_or(ino)) {
            Err(PodError::NotFound) => return Err(PodError::Stale),
            opened => opened?,
        }
        let open = map.open.entry(ino).or_default();
        *open = open.saturating_add(1);
        Ok(())
    }

    /// [`Pod::release`] for the kernel.
    ///
    /// # Errors
    /// Those of it.
    pub fn release_meant(&self, ino: Ino) -> Result<(), PodError> {
        if !ino.is_received() {
            return self.release(ino);
        }
        let meant = {
            let mut map = self.numbers.map.lock();
            if let Some(open) = map.open.get_mut(&ino) {
                *open = open.saturating_sub(1);
                if *open == 0 {
                    map.open.remove(&ino);
                }
            }
            map.became.get(&ino).copied().unwrap_or(ino)
        };
        self.release(meant)
    }

    /// [`Pod::forget`] for the kernel.
    pub fn forget_meant(&self, ino: Ino) {
        let meant = self.meant(ino);
        self.forget(ino);
        if meant != ino {
            self.forget(meant);
            if matches!(self.find_inode(meant), Ok(None)) {
                self.is_itself_again(meant);
            }
        }
    }

    /// Whoever sees `own`, which is about to be what was received, is told the number that it had.
    pub(super) fn is_to_become(&self, received: Ino, own: Ino) {
        self.numbers.is_used.store(true, Ordering::Release);
        self.numbers.map.lock().was.insert(own, received);
    }

    /// What was received is `own` from now on; whoever has it open has that open. Gives how many those are: what they had
    /// open is to be let go by [`Pod::release_received`].
    pub(in crate::pod) fn becomes(&self, received: Ino, own: Ino) -> u32 {
        self.numbers.is_used.store(true, Ordering::Release);
        let mut map = self.numbers.map.lock();
        if let Some(before) = map.became.insert(received, own) {
            map.was.remove(&before);
        }
        map.was.insert(own, received);
        let open = map.open.get(&received).copied().unwrap_or(0);
        for _ in 0..open {
            self.opens.open(own);
        }
        open
    }

    /// Called with no lock held: the last one that had it open may take it away.
    pub(super) fn release_received(&self, received: Ino, open: u32) {
        for _ in 0..open {
            if let Err(error) = self.release(received) {
                tracing::debug!(%error, "a file that was changed stays for now");
            }
        }
    }

    /// In place of a directory that was received stands `own` from now on, which is something else.
    pub(super) fn is_hidden_by(&self, received: Ino, own: Ino) {
        self.numbers.map.lock().hidden.insert(received, own);
    }

    /// What was received is itself again: `own` is no more.
    pub(in crate::pod) fn is_itself_again(&self, own: Ino) {
        let mut map = self.numbers.map.lock();
        map.was.remove(&own);
        map.became.retain(|_, is| *is != own);
        map.hidden.retain(|_, is| *is != own);
    }

    /// Whether something that was received may be seen again where `own` was seen instead. Not as long as the kernel
    /// means another by its number: one that was moved from there, or that is open and has no name any more.
    ///
    /// # Errors
    /// When the log does not say.
    pub fn may_be_seen(&self, received: Ino, own: Ino) -> Result<bool, PodError> {
        let Some(other) = self.became(received).filter(|other| *other != own) else {
            return Ok(true);
        };
        if self.find_inode(other)?.is_some() {
            return Ok(false);
        }
        self.is_itself_again(other);
        Ok(true)
    }

    /// What something that was received has become.
    pub(super) fn became(&self, received: Ino) -> Option<Ino> {
        self.numbers.map.lock().became.get(&received).copied()
    }

    /// Whether the kernel has something open that was received.
    pub(super) fn has_open(&self, received: Ino) -> bool {
        self.numbers.map.lock().open.contains_key(&received)
    }

    /// Whether the directory `own`, which lies on one that was received, is seen in its place.
    pub(super) fn is_seen_instead(&self, received: Ino, own: Ino) -> bool {
        let map = self.numbers.map.lock();
        map.became.contains_key(&received) || map.hidden.get(&received) == Some(&own)
    }

    /// Whether an inode was received once.
    fn was_received(&self, ino: Ino) -> bool {
        self.numbers.is_used.load(Ordering::Acquire)
            && self.numbers.map.lock().was.contains_key(&ino)
    }

    /// What is noted beside an inode that others made, and goes with it.
    pub(in crate::pod) fn forget_notes(&self, ino: Ino, batch: &mut Batch) {
        if ino.is_received() {
            batch.delete(Key::taken_over(ino));
        } else if self.was_received(ino) {
            // As it was received, it may never have been published here.
            batch.delete(Key::published(ino));
        }
    }
}
