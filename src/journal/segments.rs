use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lru::LruCache;
use parking_lot::{Mutex, RwLock};
use rustix::fs;
use rustix::io::Errno;

use crate::crypto::domain::ad;
use crate::crypto::{JournalKeys, Secret, journal_keys, open_box, seal_box};
use crate::format::rows::SlotRange;
use crate::format::segment::{PLAIN_LEN, SESSION_LEN, SegmentHeader};
use crate::journal::JournalError;
use crate::journal::disk::{self, failed};
use crate::types::limits::{PAGE, SEGMENT_FILES_MAX};

/// One opening of the pod: a random id and the keys that derive from it. No number is used twice in a session.
pub(in crate::journal) struct Session {
    pub(in crate::journal) id: [u8; 16],
    pub(in crate::journal) keys: JournalKeys,
    /// Write number of the next page.
    pub(in crate::journal) next_page: AtomicU64,
}

/// A file of the log.
pub(in crate::journal) struct Segment {
    pub(in crate::journal) number: u32,
    pub(in crate::journal) session: Arc<Session>,
    /// Preallocated pages, the header's included.
    pub(in crate::journal) pages: u32,
    /// What it adds to [`Segments::allocated`].
    allocated: AtomicU64,
}

impl Segment {
    /// A segment of that many pages that is not on the disk.
    pub(in crate::journal) const fn nowhere(number: u32, session: Arc<Session>) -> Self {
        Self {
            number,
            session,
            pages: 0,
            allocated: AtomicU64::new(0),
        }
    }
}

/// All files of the log.
pub(in crate::journal) struct Segments {
    dir: PathBuf,
    secret: Secret<32>,
    read_only: bool,
    table: RwLock<BTreeMap<u32, Arc<Segment>>>,
    sessions: Mutex<BTreeMap<[u8; 16], Arc<Session>>>,
    files: Mutex<LruCache<u32, Arc<OwnedFd>>>,
    /// The segment written to last, open past the kernel's cache.
    direct: Mutex<Option<(u32, Arc<OwnedFd>)>>,
    direct_works: AtomicBool,
    /// Bytes the segments take on the disk.
    pub(in crate::journal) allocated: AtomicU64,
}

/// Nonce of a segment's header; records and jumps never have these last four bytes.
fn header_nonce(number: u32) -> [u8; 12] {
    let mut nonce = [0xff; 12];
    let (head, _) = nonce.split_at_mut(4);
    head.copy_from_slice(&number.to_le_bytes());
    nonce
}

/// Offset of a page in its segment.
pub(in crate::journal) fn offset_of(page: u32) -> u64 {
    u64::from(page) * PAGE as u64
}

impl Segments {
    /// The log in `dir`, no segment known yet.
    pub(in crate::journal) fn new(dir: &Path, secret: Secret<32>, read_only: bool) -> Self {
        Self {
            dir: dir.to_owned(),
            secret,
            read_only,
            table: RwLock::default(),
            sessions: Mutex::default(),
            direct: Mutex::new(None),
            direct_works: AtomicBool::new(true),
            files: Mutex::new(LruCache::new(
                NonZeroUsize::new(SEGMENT_FILES_MAX).unwrap_or(NonZeroUsize::MIN),
            )),
            allocated: AtomicU64::new(0),
        }
    }

    /// Numbers of the files that are there, in order.
    pub(in crate::journal) fn on_disk(&self) -> Result<Vec<u32>, JournalError> {
        let entries = std::fs::read_dir(&self.dir).map_err(|error| {
            failed(&self.dir)(Errno::from_io_error(&error).unwrap_or(Errno::IO))
        })?;
        let mut numbers: Vec<u32> = entries
            .flatten()
            .filter_map(|entry| {
                u32::from_str_radix(entry.file_name().to_str()?.strip_suffix(".seg")?, 16).ok()
            })
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.dir.join(format!("{number:016x}.seg"))
    }

    /// The session with that id; its keys are derived once.
    pub(in crate::journal) fn session(&self, id: [u8; 16]) -> Arc<Session> {
        let mut sessions = self.sessions.lock();
        let session = sessions.entry(id).or_insert_with(|| {
            let keys = journal_keys(&self.secret, &id);
            Arc::new(Session {
                id,
                keys,
                next_page: AtomicU64::new(0),
            })
        });
        Arc::clone(session)
    }

    /// Takes a file that is there into the table.
    pub(in crate::journal) fn adopt(
        &self,
        number: u32,
        session: [u8; 16],
    ) -> Result<Arc<Segment>, JournalError> {
        let path = self.path(number);
        let stat = fs::fstat(&*self.file(number)?).map_err(failed(&path))?;
        let bytes = u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
        self.allocated.fetch_add(bytes, Ordering::Relaxed);
        let pages = u32::try_from(stat.st_size / 4096).unwrap_or(u32::MAX);
        let segment = Arc::new(Segment {
            number,
            session: self.session(session),
            pages,
            allocated: AtomicU64::new(bytes),
        });
        self.table.write().insert(number, Arc::clone(&segment));
        Ok(segment)
    }

    /// Reads the header of a file: the session that wrote it, and what it says.
    pub(in crate::journal) fn header(
        &self,
        number: u32,
    ) -> Result<([u8; 16], SegmentHeader), JournalError> {
        let damaged = || JournalError::Damaged(format!("header of log segment {number:016x}"));
        let mut page = vec![0; PAGE];
        disk::read_all(&*self.file(number)?, &mut page, 0).map_err(failed(&self.path(number)))?;
        let (id, sealed) = page
            .split_first_chunk::<SESSION_LEN>()
            .ok_or_else(damaged)?;
        let mut sealed = sealed.to_vec();
        let session = self.session(*id);
        open_box(
            &session.keys.record,
            header_nonce(number),
            ad::SEGMENT,
            &mut sealed,
        )
        .map_err(|_| damaged())?;
        let header = SegmentHeader::decode(&sealed).map_err(|_| damaged())?;
        if header.number == number {
            Ok((*id, header))
        } else {
            Err(damaged())
        }
    }

    /// Makes a segment of `bytes`, all of it preallocated, durable with its name.
    pub(in crate::journal) fn create(
        &self,
        header: SegmentHeader,
        session: &Arc<Session>,
        bytes: u64,
    ) -> Result<Arc<Segment>, JournalError> {
        let path = self.path(header.number);
        let fd = disk::create(&path)?;
        let made = disk::preallocate(&fd, bytes);
        let mut page = header.encode();
        debug_assert_eq!(page.len(), PLAIN_LEN, "the header fills its page");
        seal_box(
            &session.keys.record,
            header_nonce(header.number),
            ad::SEGMENT,
            &mut page,
        );
        page.splice(..0, session.id);
        let made = made
            .and_then(|()| disk::write_all(&fd, &page, 0))
            .and_then(|()| disk::sync(&fd))
            .map_err(failed(&path))
            .and_then(|()| disk::sync_dir(&self.dir));
        if let Err(error) = made {
            disk::remove(&path).ok();
            return Err(error);
        }
        let pages = u32::try_from(bytes / PAGE as u64).unwrap_or(u32::MAX);
        let segment = Arc::new(Segment {
            number: header.number,
            session: Arc::clone(session),
            pages,
            allocated: AtomicU64::new(bytes),
        });
        self.allocated.fetch_add(bytes, Ordering::Relaxed);
        self.table
            .write()
            .insert(header.number, Arc::clone(&segment));
        self.files.lock().put(header.number, Arc::new(fd));
        Ok(segment)
    }

    /// The segment of that number, if the log has it.
    pub(in crate::journal) fn get(&self, number: u32) -> Option<Arc<Segment>> {
        self.table.read().get(&number).map(Arc::clone)
    }

    /// Numbers of all segments in the table.
    pub(in crate::journal) fn numbers(&self) -> Vec<u32> {
        self.table.read().keys().copied().collect()
    }

    /// The open file of a segment.
    pub(in crate::journal) fn file(&self, number: u32) -> Result<Arc<OwnedFd>, JournalError> {
        let mut files = self.files.lock();
        if let Some(fd) = files.get(&number) {
            return Ok(Arc::clone(fd));
        }
        let path = self.path(number);
        let fd = loop {
            match disk::open(&path, self.read_only) {
                // Too many files are open: one of ours is closed for this one.
                Err(JournalError::Io(_, Errno::MFILE | Errno::NFILE)) if !files.is_empty() => {
                    drop(files.pop_lru());
                }
                other => break Arc::new(other?),
            }
        };
        files.put(number, Arc::clone(&fd));
        Ok(fd)
    }

    /// Whether big writes may go past the kernel's cache.
    pub(in crate::journal) fn direct_works(&self) -> bool {
        self.direct_works.load(Ordering::Relaxed)
    }

    /// The disk does not take what goes past the cache as it is: from now on nothing does.
    pub(in crate::journal) fn give_up_direct(&self) {
        self.direct_works.store(false, Ordering::Relaxed);
    }

    /// The file of a segment for big writes.
    pub(in crate::journal) fn direct(&self, number: u32) -> Option<Arc<OwnedFd>> {
        if !self.direct_works() {
            return None;
        }
        let mut direct = self.direct.lock();
        if let Some((known, fd)) = &*direct
            && *known == number
        {
            return Some(Arc::clone(fd));
        }
        let Some(fd) = disk::open_direct(&self.path(number)).map(Arc::new) else {
            self.give_up_direct();
            return None;
        };
        *direct = Some((number, Arc::clone(&fd)));
        Some(fd)
    }

    /// Makes durable what was written to a segment; with `stream` the kernel forgets it then.
    pub(in crate::journal) fn sync(&self, number: u32, stream: bool) -> Result<(), JournalError> {
        let file = self.file(number)?;
        disk::sync_data(&*file)
            .map_err(|errno| JournalError::Io(format!("log segment {number:016x}"), errno))?;
        if stream {
            disk::forget(&*file, 0, 0);
        }
        Ok(())
    }

    /// Gives pages back to the disk.
    pub(in crate::journal) fn punch(&self, range: SlotRange) -> Result<(), JournalError> {
        let Some(segment) = self.get(range.slot.segment) else {
            return Ok(());
        };
        let fd = self.file(segment.number)?;
        let len = offset_of(range.count);
        disk::punch(&*fd, offset_of(range.slot.page), len)
            .map_err(failed(&self.path(segment.number)))?;
        let before = segment.allocated.load(Ordering::Relaxed);
        let after = blocks(&fd).min(before);
        segment.allocated.store(after, Ordering::Relaxed);
        self.allocated.fetch_sub(before - after, Ordering::Relaxed);
        Ok(())
    }

    /// Removes a segment in which nothing lives.
    pub(in crate::journal) fn remove(&self, number: u32) -> Result<(), JournalError> {
        let Some(segment) = self.table.write().remove(&number) else {
            return Ok(());
        };
        self.files.lock().pop(&number);
        self.direct.lock().take_if(|(known, _)| *known == number);
        if let Err(errno) = disk::remove(&self.path(number)) {
            self.table.write().insert(number, segment);
            return Err(failed(&self.path(number))(errno));
        }
        // A reader may have opened it once more meanwhile, and an open file keeps its room.
        self.files.lock().pop(&number);
        let bytes = segment.allocated.load(Ordering::Relaxed);
        self.allocated.fetch_sub(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Whether nothing but the header's page was ever written to a file of the log. It is read, for `SEEK_DATA` calls
    /// data what the kernel has cached of preallocated room.
    pub(in crate::journal) fn is_blank(&self, number: u32) -> bool {
        let (Ok(file), mut piece) = (self.file(number), vec![0; 1 << 20]) else {
            return false;
        };
        let end = fs::fstat(&*file).map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0));
        let mut at = PAGE as u64;
        while at < end {
            let read = disk::read_all(&*file, &mut piece, at);
            if read.is_err() || piece.iter().any(|byte| *byte != 0) {
                return false;
            }
            at += piece.len() as u64;
        }
        true
    }

    /// Removes files that are in no table: their making was cut short.
    pub(in crate::journal) fn discard(&self, numbers: Vec<u32>) {
        for number in numbers {
            self.files.lock().pop(&number);
            if let Err(errno) = disk::remove(&self.path(number)) {
                tracing::warn!(%errno, number, "an unfinished segment stays");
            }
        }
    }

    /// Free bytes of the file system that carries the log, for a user who is not root.
    pub(in crate::journal) fn host_free(&self) -> u64 {
        fs::statvfs(&self.dir).map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Size of the file system that carries the log.
    pub(in crate::journal) fn host_size(&self) -> u64 {
        fs::statvfs(&self.dir).map_or(0, |stat| stat.f_blocks.saturating_mul(stat.f_frsize))
    }
}

fn blocks(fd: impl AsFd) -> u64 {
    fs::fstat(fd).map_or(0, |stat| u64::try_from(stat.st_blocks).unwrap_or(0) * 512)
}
