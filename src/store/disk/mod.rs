mod medium;
mod records;
#[cfg(test)]
mod tests;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::crypto::swarm::SealedChunk;
use crate::store::disk::medium::Medium;
use crate::store::disk::records::{HEADER, Place, Places, record, record_len, scan};
use crate::store::{Answer, Outage, Pulse, Receipt, Rejection, Store, StoreError};
use crate::types::Address;
use crate::types::limits::{DISK_STORE_LOCK, DISK_STORE_TAIL};

/// The file in the store's folder.
const FILE: &str = "chunks";

/// Chunks in one append-only file: a header that names the chunk, then its bytes as a node sends them.
///
/// A put returns when the chunk is beyond a power cut; those who put at the same time share one sync. A chunk is
/// compared with its address whenever it is read, so nothing in the file has to be believed: opening looks at the
/// headers (about a second for a million chunks, 64 bytes of memory each), steps over what is none, and compares
/// only the chunks at the very end, which a crash may have torn. It writes these again, because a sync may have failed.
#[derive(Clone)]
pub struct Disk {
    shared: Arc<Shared>,
}

struct Shared {
    file: Box<dyn Medium>,
    places: Mutex<Places>,
    /// Bytes of the file that are beyond a power cut. Held during a sync.
    durable: Mutex<u64>,
}

impl Disk {
    /// Opens the store in `dir`, or makes an empty one. Reads the whole index: to be called before anyone waits. When the
    /// disk does not take what was written last once more, the store gives what it has and takes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened, or another process has it open.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let mut folder = DirBuilder::new();
        folder.recursive(true).mode(0o700);
        folder.create(dir).map_err(|error| failed(&error))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let file = options
            .open(dir.join(FILE))
            .map_err(|error| failed(&error))?;
        lock(&file)?;
        let parent = File::open(dir).map_err(|error| failed(&error))?;
        parent.sync_all().map_err(|error| failed(&error))?;
        Self::on(Box::new(file)).map_err(|error| failed(&error))
    }

    fn on(file: Box<dyn Medium>) -> io::Result<Self> {
        let mut places = scan(&*file)?;
        let written = write_again(&*file, places.end);
        let durable = Mutex::new(if written.is_ok() { places.end } else { 0 });
        places.failed = written.err().map(|error| error.to_string());
        Ok(Self {
            shared: Arc::new(Shared {
                file,
                places: Mutex::new(places),
                durable,
            }),
        })
    }

    /// How many chunks there are.
    pub fn len(&self) -> usize {
        self.shared.places.lock().of.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.shared.places.lock().of.is_empty()
    }

    /// All addresses, in no order.
    pub fn addresses(&self) -> Vec<Address> {
        self.shared.places.lock().of.keys().copied().collect()
    }

    /// Runs what waits for the disk where it holds nobody up.
    fn aside<T, F>(&self, work: F) -> Answer<'_, T>
    where
        T: Send + 'static,
        F: FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            tokio::task::spawn_blocking(move || work(&shared))
                .await
                .unwrap_or_else(|error| {
                    Err(StoreError::unavailable(Outage::Disk(error.to_string())))
                })
        })
    }
}

impl Store for Disk {
    fn put<'a>(&'a self, chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        let chunk = chunk.clone();
        self.aside(move |shared| {
            let end = shared.append(&chunk)?;
            shared.sync(end)?;
            Ok(Receipt::Kept)
        })
    }

    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        self.aside(move |shared| {
            let place = shared.places.lock().of.get(&address).copied();
            shared.read(&address, place.ok_or(StoreError::NotFound)?)
        })
    }

    fn has(&self, address: Address) -> Answer<'_, bool> {
        Box::pin(async move { Ok(self.shared.places.lock().of.contains_key(&address)) })
    }
}

impl Pulse for Disk {
    fn pulse(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            match &self.shared.places.lock().failed {
                Some(why) => Err(StoreError::unavailable(Outage::Disk(why.clone()))),
                None => Ok(()),
            }
        })
    }
}

impl Shared {
    /// Writes the chunk unless it is there and reads back; gives the end of its record.
    fn append(&self, chunk: &SealedChunk) -> Result<u64, StoreError> {
        let address = chunk.address();
        let there = self.places.lock().of.get(&address).copied();
        if let Some(place) = there
            && self.read(&address, place).is_ok()
        {
            return Ok(place.at.saturating_add(record_len(place.len)));
        }
        let record = record(&address, chunk.bytes())?;
        let mut places = self.places.lock();
        if let Some(why) = &places.failed {
            return Err(StoreError::unavailable(Outage::Disk(why.clone())));
        }
        let at = places.end;
        // A write that fails half-way leaves the end where it was: the next one goes over it.
        self.file
            .write(&record, at)
            .map_err(|error| failed(&error))?;
        places.end = at.saturating_add(record.len() as u64);
        let len = chunk.bytes().len();
        places.of.insert(address, Place { at, len });
        Ok(places.end)
    }

    /// Returns once everything before `end` is beyond a power cut.
    fn sync(&self, end: u64) -> Result<(), StoreError> {
        let mut durable = self.durable.lock();
        if *durable >= end {
            return Ok(());
        }
        let (upto, before) = {
            let places = self.places.lock();
            (places.end, places.failed.clone())
        };
        let outcome =
            before.map_or_else(|| self.file.sync().map_err(|error| error.to_string()), Err);
        match outcome {
            Ok(()) => {
                *durable = upto;
                Ok(())
            }
            Err(why) => {
                self.places.lock().failed = Some(why.clone());
                Err(StoreError::unavailable(Outage::Disk(why)))
            }
        }
    }

    fn read(&self, address: &Address, place: Place) -> Result<SealedChunk, StoreError> {
        let mut bytes = vec![0; place.len];
        let at = place.at.saturating_add(HEADER as u64);
        match self.file.read(&mut bytes, at) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(StoreError::Corrupt);
            }
            other => other.map_err(|error| failed(&error))?,
        }
        SealedChunk::verified(address, &bytes).map_err(|_| StoreError::Corrupt)
    }
}

/// Locks the file of a store. A program that this process is just starting holds a lock that was let go meanwhile, from
/// its fork until its exec: that passes.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing tells when the lock of a file is let go"
)]
fn lock(file: &File) -> Result<(), StoreError> {
    let deadline = Instant::now() + DISK_STORE_LOCK;
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(Errno::WOULDBLOCK) => {
                let why = "another process uses the store".to_owned();
                return Err(StoreError::unavailable(Outage::Disk(why)));
            }
            Err(errno) => return Err(failed(&errno.into())),
        }
    }
}

/// Makes durable what was found. The end of the file may have been written by a process that died before its sync, or
/// whose sync failed: then the kernel shows bytes that it takes for written and that are not on the disk, and another
/// sync alone would succeed and do nothing.
fn write_again(file: &dyn Medium, end: u64) -> io::Result<()> {
    // The zeros behind the last record may be missing.
    let end = end.min(file.size()?);
    let start = end.saturating_sub(DISK_STORE_TAIL);
    let mut tail = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
    file.read(&mut tail, start)?;
    file.write(&tail, start)?;
    file.sync()
}

fn failed(error: &io::Error) -> StoreError {
    match Errno::from_io_error(error) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => StoreError::Rejected(Rejection::NoSpace),
        _ => StoreError::unavailable(Outage::Disk(error.to_string())),
    }
}
