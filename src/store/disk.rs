use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::crypto::swarm::{CHUNK_LEN_MAX, SealedChunk};
use crate::store::{Answer, Outage, Pulse, Receipt, Rejection, Store, StoreError};
use crate::types::Address;
use crate::types::limits::{DISK_STORE_LOCK, DISK_STORE_TAIL};

/// The file in the store's folder.
const FILE: &str = "chunks";
/// Address 32 ‖ length 2, little-endian ‖ zero 2 ‖ the first 12 bytes of the BLAKE3 hash of these 36.
const HEADER: usize = 48;
const CHECKED: usize = 36;
/// Records begin at multiples of this, so that the next one is found behind a damaged one.
const ALIGN: u64 = 64;

/// Chunks in one append-only file: a header that names the chunk, then its bytes as a node sends them.
///
/// A put returns when the chunk is beyond a power cut; those who put at the same time share one sync. A chunk is
/// compared with its address whenever it is read, so nothing in the file has to be believed: opening looks at the
/// headers (about a second for a million chunks, 64 bytes of memory each), steps over what is none, and compares
/// only the chunks at the very end, which a crash may have torn.
#[derive(Clone)]
pub struct Disk {
    shared: Arc<Shared>,
}

struct Shared {
    file: File,
    places: Mutex<Places>,
    /// Bytes of the file that are beyond a power cut. Held during a sync.
    durable: Mutex<u64>,
}

#[derive(Default)]
struct Places {
    of: HashMap<Address, Place>,
    end: u64,
    /// A sync failed: the kernel forgets what it could not write, so nothing after that can be promised.
    failed: Option<String>,
}

#[derive(Clone, Copy)]
struct Place {
    at: u64,
    len: usize,
}

impl Disk {
    /// Opens the store in `dir`, or makes an empty one. Reads the whole index: to be called before anyone waits.
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
        let places = scan(&file).map_err(|error| failed(&error))?;
        // What was found may have been written by a process that died before its sync.
        file.sync_data().map_err(|error| failed(&error))?;
        let durable = Mutex::new(places.end);
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
            .write_all_at(&record, at)
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
        let outcome = before.map_or_else(
            || self.file.sync_data().map_err(|error| error.to_string()),
            Err,
        );
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
        match self.file.read_exact_at(&mut bytes, at) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(StoreError::Corrupt);
            }
            other => other.map_err(|error| failed(&error))?,
        }
        SealedChunk::verified(address, &bytes).map_err(|_| StoreError::Corrupt)
    }
}

/// Header, bytes, and zeros up to the next multiple of [`ALIGN`].
fn record(address: &Address, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let len = u16::try_from(bytes.len()).map_err(|_| StoreError::Rejected(Rejection::Size))?;
    let whole = record_len(bytes.len());
    let mut record = Vec::with_capacity(usize::try_from(whole).unwrap_or(0));
    record.extend_from_slice(&address.0);
    record.extend_from_slice(&len.to_le_bytes());
    record.extend_from_slice(&[0; 2]);
    let check = blake3::hash(&record);
    record.extend(check.as_bytes().iter().take(HEADER - CHECKED));
    record.extend_from_slice(bytes);
    record.resize(usize::try_from(whole).unwrap_or(record.len()), 0);
    Ok(record)
}

fn record_len(bytes: usize) -> u64 {
    (HEADER as u64)
        .saturating_add(bytes as u64)
        .next_multiple_of(ALIGN)
}

/// The chunk that a header names and its length, if it is a header.
fn header(bytes: &[u8; HEADER]) -> Option<(Address, usize)> {
    let (checked, check) = bytes.split_at(CHECKED);
    if !blake3::hash(checked).as_bytes().starts_with(check) {
        return None;
    }
    let address: [u8; 32] = checked.get(..32)?.try_into().ok()?;
    let len: [u8; 2] = checked.get(32..34)?.try_into().ok()?;
    let len = usize::from(u16::from_le_bytes(len));
    (len <= CHUNK_LEN_MAX).then_some((Address(address), len))
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

/// Finds every record by its header. Of two with one address the later counts: it was written because the earlier
/// did not read back.
fn scan(file: &File) -> std::io::Result<Places> {
    let size = file.metadata()?.len();
    let mut places = Places::default();
    let (mut at, mut damaged) = (0, 0_u64);
    while at < size {
        let Some((address, place)) = record_at(file, at, size)? else {
            at = at.saturating_add(ALIGN);
            damaged = damaged.saturating_add(ALIGN);
            continue;
        };
        at = at.saturating_add(record_len(place.len));
        places.of.insert(address, place);
        places.end = at;
    }
    let inside = damaged.saturating_sub(size.saturating_sub(places.end).next_multiple_of(ALIGN));
    if inside > 0 {
        tracing::warn!(
            bytes = inside,
            "the chunk store has damaged places, stepped over"
        );
    }
    Ok(places)
}

fn record_at(file: &File, at: u64, size: u64) -> std::io::Result<Option<(Address, Place)>> {
    let mut bytes = [0; HEADER];
    let body = at.saturating_add(HEADER as u64);
    if body > size {
        return Ok(None);
    }
    file.read_exact_at(&mut bytes, at)?;
    let Some((address, len)) = header(&bytes) else {
        return Ok(None);
    };
    if body.saturating_add(len as u64) > size {
        return Ok(None);
    }
    if at.saturating_add(DISK_STORE_TAIL) >= size {
        let mut chunk = vec![0; len];
        file.read_exact_at(&mut chunk, body)?;
        if SealedChunk::verified(&address, &chunk).is_err() {
            return Ok(None);
        }
    }
    Ok(Some((address, Place { at, len })))
}

fn failed(error: &std::io::Error) -> StoreError {
    match Errno::from_io_error(error) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => StoreError::Rejected(Rejection::NoSpace),
        _ => StoreError::unavailable(Outage::Disk(error.to_string())),
    }
}
