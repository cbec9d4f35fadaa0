//! Deletions too big for one record: noted in an `O` row, done here in bounded batches.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::format::rows::{Inode, Key};
use crate::journal::{Batch, Class};
use crate::pod::Pod;
use crate::pod::attr::Attr;
use crate::pod::contents::buckets::PAGES;
use crate::pod::contents::edit::{Edit, Fill};
use crate::pod::contents::{PAGES_END, ROWS_MAX};
use crate::pod::error::PodError;
use crate::types::Ino;

/// Most inodes that wait in memory; above it all `O` rows are looked through instead.
const QUEUE_MAX: usize = 4096;
/// Rows of other kinds that one batch deletes; an attribute may have 64 KiB.
const SMALL_ROWS_MAX: usize = 64;
/// How long the reaper waits before it tries again what the journal had no room for.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Inodes with dead contents, and the thread that goes through them.
pub(in crate::pod) struct Reaper {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    inos: VecDeque<Ino>,
    /// Look through all `O` rows: there may be more than `inos`.
    all: bool,
    stop: bool,
}

impl Reaper {
    /// No thread yet.
    pub(in crate::pod) fn new() -> Self {
        Self {
            queue: Arc::default(),
            thread: Mutex::new(None),
        }
    }

    /// Notes an inode that has dead contents, or will have once the lock its caller holds is released.
    pub(in crate::pod) fn push(&self, ino: Ino) {
        let mut waiting = self.queue.state.lock();
        if waiting.inos.len() < QUEUE_MAX {
            waiting.inos.push_back(ino);
        } else {
            waiting.all = true;
        }
        self.queue.wake.notify_one();
    }

    /// Stops the thread and waits for its last batch. What is left is noted in the pod.
    pub(in crate::pod) fn stop(&self) {
        self.queue.state.lock().stop = true;
        self.queue.wake.notify_all();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the reaper ended in a panic");
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Queue {
    /// The next inodes to look at; empty when all `O` rows are to be looked through, `None` to stop.
    fn wait(&self, again: bool) -> Option<VecDeque<Ino>> {
        let mut waiting = self.state.lock();
        if again && !waiting.stop {
            self.wake.wait_for(&mut waiting, AGAIN_AFTER);
        }
        while !waiting.stop && !waiting.all && waiting.inos.is_empty() {
            self.wake.wait(&mut waiting);
        }
        if waiting.stop {
            return None;
        }
        if std::mem::take(&mut waiting.all) {
            waiting.inos.clear();
        }
        Some(std::mem::take(&mut waiting.inos))
    }

    fn stopped(&self) -> bool {
        self.state.lock().stop
    }
}

/// The thread: one batch after the other, holding the pod only while it works.
fn run(pod: &Weak<Pod>, queue: &Queue) {
    let mut again = false;
    while let Some(mut inos) = queue.wait(again) {
        again = false;
        if inos.is_empty() {
            let Some(pod) = pod.upgrade() else { return };
            match pod.orphans() {
                Ok(all) => inos.extend(all),
                Err(error) => tracing::error!(%error, "orphans cannot be read"),
            }
        }
        for ino in inos {
            let mut cursor = 0;
            loop {
                let Some(pod) = pod.upgrade().filter(|_| !queue.stopped()) else {
                    return;
                };
                match pod.reap_step(ino, &mut cursor) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%ino, %error, "deleting goes on later");
                        again |= matches!(error, PodError::Busy | PodError::NoSpace);
                        break;
                    }
                }
            }
        }
        queue.state.lock().all |= again;
    }
}

impl Pod {
    /// Starts the thread that finishes huge deletions, those of an earlier life first.
    pub fn start_reaper(self: &Arc<Self>) -> std::io::Result<()> {
        let (pod, queue) = (Arc::downgrade(self), Arc::clone(&self.reaper.queue));
        self.reaper.queue.state.lock().all = true;
        let thread = std::thread::Builder::new()
            .name("reaper".into())
            .spawn(move || run(&pod, &queue))?;
        *self.reaper.thread.lock() = Some(thread);
        Ok(())
    }

    /// Stops it, before the rows are closed.
    pub fn stop_reaper(&self) {
        self.reaper.stop();
    }

    /// Does all that the thread would do, at once.
    pub fn reap_all(&self) -> Result<(), PodError> {
        for ino in self.orphans()? {
            let mut cursor = 0;
            while self.reap_step(ino, &mut cursor)? {}
        }
        Ok(())
    }

    /// All inodes that have an `O` row.
    pub(in crate::pod) fn orphans(&self) -> Result<Vec<Ino>, PodError> {
        let (from, to) = (Key::orphan(Ino(0)), Key::orphan(Ino(u64::MAX)));
        let rows = self.rows.scan(&from, &to, usize::MAX)?;
        Ok(rows.iter().map(|(key, _)| Ino(key.field(0))).collect())
    }

    /// One batch of what is dead in an inode: contents behind its cut, or all of it once it has no name and nobody
    /// has it open. True while there is more. `cursor` begins as 0 and spares the next step the rows that are gone.
    pub(in crate::pod) fn reap_step(&self, ino: Ino, cursor: &mut u64) -> Result<bool, PodError> {
        let _held = self.locks.lock(&[ino]);
        let Some(mut inode) = self.find_inode(ino)? else {
            return Ok(false);
        };
        if inode.nlink == 0 && self.opens.doom(ino) {
            if inode.pages > 0 {
                self.reap_pages(ino, &mut inode, 0, cursor)?;
                return Ok(true);
            }
            return self.reap_inode(ino, &inode);
        }
        if inode.cut == u64::MAX {
            return Ok(false);
        }
        let cut = inode.cut;
        self.reap_pages(ino, &mut inode, cut, cursor)
    }

    /// Deletes all that is dead behind the cut of a file whose lock is held, before it is used again. `inode` may
    /// differ from the stored row: it keeps its changes.
    pub(super) fn finish_reaping(&self, ino: Ino, inode: &mut Inode) -> Result<(), PodError> {
        if inode.cut == u64::MAX {
            return Ok(());
        }
        let mut stored = self.inode(ino)?;
        let (before, cut) = (stored.pages, stored.cut);
        let mut cursor = 0;
        while self.reap_pages(ino, &mut stored, cut, &mut cursor)? {}
        inode.pages -= before - stored.pages;
        inode.cut = u64::MAX;
        Ok(())
    }

    /// One record: rows from bucket `from` on are deleted. True while there are more; else the cut is healed.
    fn reap_pages(
        &self,
        ino: Ino,
        inode: &mut Inode,
        from: u64,
        cursor: &mut u64,
    ) -> Result<bool, PodError> {
        let mut edit = Edit::new(self);
        let limit = usize::try_from(ROWS_MAX).unwrap_or(usize::MAX);
        let mut first = from.max(*cursor);
        let mut known = edit.load(ino, (first, u64::MAX), limit)?;
        if known == u64::MAX && first > from {
            // The lock was released since the cursor was set: rows may have come before it.
            first = from;
            known = edit.load(ino, (first, u64::MAX), limit)?;
        }
        let more = known < u64::MAX;
        *cursor = if more { known + 1 } else { from };
        edit.replace(ino, inode, from * PAGES..PAGES_END, Fill::Hole)?;
        let mut batch = Batch::new(Class::Meta);
        let guard = edit.finish(&mut batch);
        if !more {
            inode.cut = u64::MAX;
            if inode.nlink > 0 {
                batch.delete(Key::orphan(ino));
            }
        }
        batch.put(Key::inode(ino), inode.encode());
        self.rows.append(batch, None)?;
        drop(guard);
        Ok(more)
    }

    /// One record: attributes and places of an inode without contents, at last the inode.
    fn reap_inode(&self, ino: Ino, inode: &Inode) -> Result<bool, PodError> {
        let attributes = (Key::xattr(ino, 0), Key::xattr(ino, u64::MAX));
        let places = (
            Key::parent(ino, Ino(0), 0),
            Key::parent(ino, Ino(u64::MAX), u64::MAX),
        );
        let mut batch = Batch::new(Class::Meta);
        let mut more = false;
        for (from, to) in [attributes, places] {
            let rows = self.rows.scan(&from, &to, SMALL_ROWS_MAX)?;
            more |= rows.len() == SMALL_ROWS_MAX;
            for (key, _) in rows {
                batch.delete(key);
            }
        }
        if !more {
            self.forget_notes(ino, &mut batch);
            batch.delete(Key::inode(ino));
            batch.delete(Key::orphan(ino));
        }
        self.rows.append(batch, None)?;
        if !more {
            self.opens.bury(ino, Attr::of(ino, inode));
        }
        Ok(more)
    }
}
