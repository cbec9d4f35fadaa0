use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::crypto::{LocalPurpose, Secret, local_key, name_hash};
use crate::format::rows::{Key, RunData};
use crate::index::Index;
#[cfg(test)]
use crate::index::scratch::Scratch;
use crate::journal::{
    Batch, Image, Journal, JournalError, JournalParts, Leaf, Pages, Sealed, Snapshot, Space, Value,
};
use crate::types::Ino;

/// The pod's rows: what was appended last, wherever it is. Changed ones are in the journal's memory; the others in
/// the leaves of the newest checkpoint, which the index finds.
pub struct Rows {
    journal: Arc<Journal>,
    index: Arc<Index>,
    name_key: Secret<32>,
    operations: AtomicU64,
    threads: Mutex<Vec<JoinHandle<()>>>,
    #[cfg(test)]
    pub(super) scratch: Scratch,
}

/// What rows are opened with.
pub struct RowsParts {
    /// The pod's state folder.
    pub dir: PathBuf,
    /// Random secret of this device.
    pub secret: Secret<32>,
    /// Bytes the log may take on the disk; `None`: the free space less a reserve.
    pub budget: Option<u64>,
    /// Write nothing.
    pub read_only: bool,
}

impl RowsParts {
    fn journal(&self) -> JournalParts {
        JournalParts {
            dir: self.dir.clone(),
            secret: Secret::from_bytes(self.secret.expose()),
            budget: self.budget,
            read_only: self.read_only,
        }
    }
}

/// Rows in order.
type KeyedRows = Vec<(Key, Value)>;

/// How often a look-up is done again when a checkpoint moved rows meanwhile.
const ATTEMPTS: usize = 16;

impl Rows {
    /// Makes the log of a new pod.
    pub fn create(parts: &RowsParts) -> Result<(), JournalError> {
        Journal::create(&parts.journal())
    }

    /// Opens the log, replays it, opens the index, and starts syncing and making checkpoints in the background.
    pub fn open(parts: &RowsParts) -> Result<Self, JournalError> {
        let journal = Arc::new(Journal::open(parts.journal())?);
        let index = Arc::new(Index::open(
            &parts.dir.join("index"),
            &parts.secret,
            &journal,
        ));
        let name_key = local_key(&parts.secret, LocalPurpose::NameHash);
        let sync = spawn("sync", {
            let journal = Arc::clone(&journal);
            move || journal.sync_loop()
        })?;
        let checkpoint = spawn("checkpoint", {
            let (journal, index) = (Arc::clone(&journal), Arc::clone(&index));
            move || journal.checkpoint_loop(&*index)
        })?;
        let threads = Mutex::new(vec![sync, checkpoint]);
        Ok(Self {
            journal,
            index,
            name_key,
            operations: AtomicU64::new(0),
            threads,
            #[cfg(test)]
            scratch: Scratch::default(),
        })
    }

    /// Ends the background work; with `clean` everything goes into a checkpoint first.
    pub fn close(&self, clean: bool) -> Result<(), JournalError> {
        self.journal.stop();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            if thread.join().is_err() {
                tracing::error!("a background thread of the journal panicked");
            }
        }
        if !clean || self.journal.broken().is_some() {
            return Ok(());
        }
        self.journal.checkpoint(&*self.index)?;
        self.index.close();
        self.journal.close()
    }

    /// The row of that key.
    pub fn get(&self, key: &Key) -> Result<Option<Value>, JournalError> {
        for _ in 0..ATTEMPTS {
            let epoch = self.journal.epoch();
            if let Some(image) = self.journal.image(key) {
                return Ok(image);
            }
            // While entries come and go the index may skip one: what it does not find, the log is asked for.
            if let Ok(Some(leaf)) = self.indexed(key)
                && let Some(value) = leaf.get(key)
            {
                return Ok(Some(Arc::clone(value)));
            }
            match self.leaf(key) {
                Ok(leaf) => return Ok(leaf.and_then(|leaf| leaf.get(key).map(Arc::clone))),
                Err(error) => self.moved(epoch, error)?,
            }
        }
        Err(JournalError::Busy)
    }

    /// The first `limit` rows with `from <= key <= to`, in order.
    pub fn scan(&self, from: &Key, to: &Key, limit: usize) -> Result<KeyedRows, JournalError> {
        let mut rows = Vec::new();
        let mut cursor = *from;
        while rows.len() < limit && cursor <= *to {
            let (mut step, next) = self.step(&cursor, to, limit - rows.len())?;
            rows.append(&mut step);
            let Some(next) = next else { break };
            cursor = next;
        }
        rows.truncate(limit);
        Ok(rows)
    }

    /// Rows from `cursor` on, as far as one leaf reaches, and where to go on.
    fn step(
        &self,
        cursor: &Key,
        to: &Key,
        limit: usize,
    ) -> Result<(KeyedRows, Option<Key>), JournalError> {
        for _ in 0..ATTEMPTS {
            let epoch = self.journal.epoch();
            let (pointer, next) = match self.journal.find(cursor) {
                Ok(around) => around,
                Err(error) => {
                    self.moved(epoch, error)?;
                    continue;
                }
            };
            let next = next.filter(|next| next <= to);
            let end = next.unwrap_or(*to);
            let layered = self.journal.images(cursor, &end, limit);
            let leaf = match pointer
                .map(|pointer| self.journal.leaf(&pointer))
                .transpose()
            {
                Ok(_) if layered.epoch != epoch => continue,
                Ok(leaf) => leaf,
                Err(error) => {
                    self.moved(epoch, error)?;
                    continue;
                }
            };
            let reached = if layered.complete {
                end
            } else {
                layered.rows.last().map_or(end, |(key, _)| *key)
            };
            let old = leaf
                .as_ref()
                .map(|leaf| leaf.range(cursor, &reached))
                .unwrap_or_default();
            let mut rows = layer(old, layered.rows);
            if !layered.complete {
                return Ok((rows, reached.successor()));
            }
            if next.is_some() {
                // The next leaf's first row belongs to the next step.
                rows.retain(|(key, _)| *key < end);
            }
            return Ok((rows, next));
        }
        Err(JournalError::Busy)
    }

    /// The last row with `from <= key <= to`.
    pub fn last(&self, from: &Key, to: &Key) -> Result<Option<(Key, Value)>, JournalError> {
        let mut to = *to;
        let mut attempts = 0;
        while attempts < ATTEMPTS && to >= *from {
            let epoch = self.journal.epoch();
            let leaf = match self.leaf(&to) {
                Ok(leaf) => leaf,
                Err(error) => {
                    self.moved(epoch, error)?;
                    attempts += 1;
                    continue;
                }
            };
            let images = self.journal.images_back(from, &to);
            if images.epoch != epoch {
                attempts += 1;
                continue;
            }
            let changed = |key: &Key| images.rows.iter().any(|(image, _)| image == key);
            let rows = leaf.as_ref().map(|leaf| leaf.range(from, &to));
            let rows = rows.unwrap_or_default();
            let old = rows.iter().rfind(|(key, _)| !changed(key));
            let mut newest = images.rows.iter();
            let newest = newest.find_map(|(key, value)| Some((key, value.as_ref()?)));
            let newest = newest.map(|(key, value)| (*key, Arc::clone(value)));
            let reached = rows.first().map(|(key, _)| *key);
            match (old, newest, reached) {
                (Some(old), newest, _) => {
                    let newer = newest.filter(|(key, _)| *key > old.0);
                    return Ok(Some(newer.unwrap_or_else(|| old.clone())));
                }
                // All rows of this leaf were deleted since: those of the leaf before may come later than the image.
                (None, newest, Some(first))
                    if newest.as_ref().is_none_or(|(key, _)| *key < first) =>
                {
                    let Some(before) = first.predecessor() else {
                        return Ok(newest);
                    };
                    to = before;
                }
                (None, newest, _) => return Ok(newest),
            }
        }
        if to < *from {
            Ok(None)
        } else {
            Err(JournalError::Busy)
        }
    }

    /// The leaf that would hold `key`, as the index has it.
    fn indexed(&self, key: &Key) -> Result<Option<Arc<Leaf>>, JournalError> {
        let pointer = self.index.find(key, &self.journal)?;
        pointer
            .map(|pointer| self.journal.leaf(&pointer))
            .transpose()
    }

    /// The same as the log has it, which changes in one step.
    fn leaf(&self, key: &Key) -> Result<Option<Arc<Leaf>>, JournalError> {
        let (pointer, _) = self.journal.find(key)?;
        pointer
            .map(|pointer| self.journal.leaf(&pointer))
            .transpose()
    }

    /// A leaf that does not open may just have been replaced and its pages given back: then look again.
    fn moved(&self, epoch: u64, error: JournalError) -> Result<(), JournalError> {
        if self.journal.epoch() == epoch {
            Err(error)
        } else {
            Ok(())
        }
    }

    /// Seals whole pages in place. Holds no lock.
    pub fn seal(&self, bytes: impl Into<Pages>) -> Sealed {
        self.journal.seal(bytes)
    }

    /// Appends one operation: when this returns it survives the end of this process.
    pub fn append(&self, batch: Batch, pages: Option<Sealed>) -> Result<(), JournalError> {
        let of_files = batch.rows.iter().any(|(key, _)| key.is_of_files());
        self.append_unseen(batch, pages)?;
        // Not before: a cut made meanwhile would miss it, and nothing would be due afterwards.
        self.operations
            .fetch_add(of_files.into(), Ordering::Relaxed);
        Ok(())
    }

    /// The same for what changes nothing that anybody sees: it is no operation.
    pub fn append_unseen(&self, batch: Batch, pages: Option<Sealed>) -> Result<(), JournalError> {
        #[cfg(test)]
        self.scratch.before(&batch);
        let base = self.journal.append(batch, pages.as_ref())?;
        #[cfg(test)]
        self.scratch.after(base, pages.as_ref());
        drop((base, pages));
        Ok(())
    }

    /// Operations since the start that changed files, their names or attributes.
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// Waits until there is room for more unsynced bytes. Call before locks are taken.
    pub fn admit(&self, bytes: u64) -> Result<(), JournalError> {
        self.journal.admit(bytes)
    }

    /// Reads and opens pages of `data`, from its page `from` on, into `out` (whole pages).
    pub fn read(&self, data: &RunData, from: usize, out: &mut [u8]) -> Result<(), JournalError> {
        self.journal.read(data, from, out)
    }

    /// Makes everything appended so far durable: one shared `fdatasync`.
    pub fn sync(&self) -> Result<(), JournalError> {
        self.journal.sync()
    }

    /// Makes a checkpoint now.
    pub fn checkpoint(&self) -> Result<(), JournalError> {
        self.journal.checkpoint(&*self.index)
    }

    /// Makes a checkpoint now and pins it, see [`Journal::cut`].
    pub fn make_cut(&self) -> Result<Arc<Snapshot>, JournalError> {
        self.journal.make_cut(&*self.index)
    }

    /// Room.
    pub fn space(&self) -> Space {
        self.journal.space()
    }

    /// The log, for its figures.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Counter of an inode this pod never had.
    pub fn next_ino(&self) -> u64 {
        self.journal.next_ino()
    }

    /// The 63-bit keyed hash of a name in a directory (or of an xattr name on an inode): never 0, 1 or 2.
    pub fn name_hash(&self, ino: Ino, name: &[u8]) -> u64 {
        name_hash(&self.name_key, ino.0, name)
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if let Err(error) = self.close(false) {
            tracing::error!(%error, "closing the log");
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, JournalError> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map_err(|error| {
        let errno = rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::AGAIN);
        JournalError::Io(format!("thread {name}"), errno)
    })
}

/// Rows of a leaf with the images laid over them.
fn layer(old: &[(Key, Value)], images: Vec<(Key, Image)>) -> KeyedRows {
    let mut rows = Vec::with_capacity(old.len() + images.len());
    let mut old = old.iter().peekable();
    for (key, image) in images {
        while let Some((before, value)) = old.next_if(|(known, _)| *known < key) {
            rows.push((*before, Arc::clone(value)));
        }
        old.next_if(|(known, _)| *known == key);
        rows.extend(image.map(|value| (key, value)));
    }
    rows.extend(old.map(|(key, value)| (*key, Arc::clone(value))));
    rows
}
