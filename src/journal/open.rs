use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};

use parking_lot::{Mutex, RwLock};

use crate::crypto::{BoxKey, LocalPurpose, Secret, local_key};
use crate::format::manifest::Manifest;
use crate::format::rows::SlotRange;
use crate::format::segment::SegmentHeader;
use crate::journal::checkpoint::{MANIFESTS, open_manifest};
use crate::journal::disk::{self, failed};
use crate::journal::keeper::Keeper;
use crate::journal::leaf::{Nodes, Root};
use crate::journal::order::Order;
use crate::journal::overlay::Overlay;
use crate::journal::pins::Pins;
use crate::journal::reclaim::join;
use crate::journal::replay::{Later, Replayed, replay};
use crate::journal::segments::{Segment, Segments, Session};
use crate::journal::sync::{GroupSync, open_watermark};
use crate::journal::tail::Tail;
use crate::journal::{Class, Journal, JournalError};
use crate::types::limits::{SEGMENT, SEGMENT_MIN};

/// What a journal is opened with.
pub struct JournalParts {
    /// The pod's state folder.
    pub dir: PathBuf,
    /// Random secret of this device, from the keyfile.
    pub secret: Secret<32>,
    /// Bytes the log may take on the disk; `None`: the free space less a reserve.
    pub budget: Option<u64>,
    /// Write nothing.
    pub read_only: bool,
}

/// Keys of what stands beside the segments.
struct Keys {
    manifest: BoxKey,
    watermark: BoxKey,
    digest: Secret<32>,
}

impl Keys {
    fn new(secret: &Secret<32>) -> Self {
        let box_key = |purpose| BoxKey::new(local_key(secret, purpose));
        Self {
            manifest: box_key(LocalPurpose::Manifest),
            watermark: box_key(LocalPurpose::Watermark),
            digest: local_key(secret, LocalPurpose::IndexKey),
        }
    }
}

/// What the newest checkpoint freed and perhaps did not give back, if that may be done now.
fn left_dead(manifest: &Manifest, writable: bool) -> Vec<SlotRange> {
    join(if writable {
        manifest.frees.clone()
    } else {
        Vec::new()
    })
}

fn damage(record: u64) -> String {
    format!("the log is damaged at record {record}: nothing after it is shown")
}

const LOG: &str = "log";
const WATERMARK: &str = "watermark";

impl Journal {
    /// Makes the log of a new pod, empty.
    pub fn create(parts: &JournalParts) -> Result<(), JournalError> {
        let log = parts.dir.join(LOG);
        std::fs::create_dir_all(&log).map_err(|error| io(&log, &error))?;
        let key = BoxKey::new(local_key(&parts.secret, LocalPurpose::Manifest));
        let bytes = crate::journal::checkpoint::seal_manifest(&key, &Manifest::empty())?;
        MANIFESTS
            .iter()
            .try_for_each(|name| disk::replace(&parts.dir, name, &bytes))?;
        disk::create(&parts.dir.join(WATERMARK))?;
        disk::sync_dir(&parts.dir)
    }

    /// Opens a log: reads the manifest, replays, and starts a new session. A damaged log opens read-only, with
    /// [`Journal::broken`] telling where.
    pub fn open(parts: JournalParts) -> Result<Self, JournalError> {
        let JournalParts {
            dir,
            secret,
            budget,
            read_only,
        } = parts;
        let keys = Keys::new(&secret);
        let (manifest, stale) = newest_manifest(&dir, &keys.manifest)?;
        let durable = read_watermark(&dir, &keys.watermark, &manifest)?;
        let segments = Segments::new(&dir.join(LOG), secret, read_only);
        let (later, unfinished) = adopt_all(&segments, &manifest)?;
        let overlay = Overlay::default();
        let replayed = replay(&segments, &manifest, later, durable, &overlay)?;
        let damage = replayed.damaged.map(damage);
        let writable = damage.is_none() && !read_only;
        let next_segment = next_segment(&segments, &manifest)?;
        let frees = left_dead(&manifest, writable);
        let Replayed {
            totals,
            trims,
            records,
            ..
        } = replayed;
        let first_record = totals.next_record;
        let session = segments.session(random()?);
        let header = SegmentHeader {
            number: next_segment,
            first_record,
        };
        let active = if writable {
            repair(&dir, &keys.manifest, &manifest, &stale);
            sync_replayed(&segments, &manifest)?;
            segments.discard(unfinished);
            remove_empty(&segments, &totals.live)?;
            trims.iter().try_for_each(|range| segments.punch(*range))?;
            first_segment(&segments, header, &session, &frees)?
        } else {
            Arc::new(Segment::nowhere(next_segment, Arc::clone(&session)))
        };
        let watermark = open_watermark_file(&dir, writable)?;
        let last_record = first_record.saturating_sub(1);
        let journal = Self {
            dir,
            session,
            first_record,
            tail: Mutex::new(Tail::new(active, totals, &frees)),
            overlay,
            order: Order::new(last_record),
            durable: AtomicU64::new(last_record),
            group: GroupSync::default(),
            synced_segment: AtomicU32::new(next_segment),
            segments,
            watermark,
            watermark_key: keys.watermark,
            manifest_key: keys.manifest,
            digest_key: keys.digest,
            root: RwLock::new(Arc::new(Root::of(&manifest))),
            nodes: Nodes::new(),
            checkpointing: Mutex::new(()),
            growing: Mutex::new(next_segment.saturating_add(1)),
            budget,
            read_only,
            damage: Mutex::new(damage),
            keeper: Keeper::new(),
            unpunched: Mutex::new(frees),
            pins: Mutex::new(Pins::of(&manifest)),
            replayed: records,
        };
        journal.keep_promises();
        Ok(journal)
    }

    /// Notes that what was replayed is durable, and gets the room again that `fallocate` was granted earlier.
    fn keep_promises(&self) {
        if self.writable().is_err() {
            return;
        }
        self.write_watermark();
        let (reserved, secured, kept) = {
            let tail = self.tail.lock();
            (tail.reserved, tail.secured(), tail.kept(Class::Data, 0))
        };
        if reserved > 0
            && secured < kept
            && let Err(error) = self.grow(secured, kept - secured, Class::Data)
        {
            tracing::warn!(%error, "preallocated room was taken by others meanwhile");
        }
    }

    /// Makes all durable and gives the preallocated room back. Nothing may be appended afterwards.
    pub fn close(&self) -> Result<(), JournalError> {
        self.sync()?;
        let (reserved, rest, spares) = {
            let mut tail = self.tail.lock();
            // Under this lock: who appends looks at it there, so that no record is put where nothing is any more.
            *self.damage.lock() = Some("closed".to_owned());
            let rest = tail.rest();
            (tail.reserved, rest, std::mem::take(&mut tail.spares))
        };
        if reserved > 0 {
            // Nobody else may take meanwhile what preallocated files were granted.
            return Ok(());
        }
        self.segments.punch(rest)?;
        spares
            .iter()
            .try_for_each(|spare| self.segments.remove(spare.number))
    }
}

fn io(path: &Path, error: &std::io::Error) -> JournalError {
    failed(path)(rustix::io::Errno::from_io_error(error).unwrap_or(rustix::io::Errno::IO))
}

fn random() -> Result<[u8; 16], JournalError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)
        .map_err(|_| JournalError::Damaged("the machine's random numbers".into()))?;
    Ok(id)
}

/// The highest record known durable; 0 when the file does not tell. It also tells of a manifest that is gone.
fn read_watermark(dir: &Path, key: &BoxKey, manifest: &Manifest) -> Result<u64, JournalError> {
    let mark = disk::read_file(&dir.join(WATERMARK))?.unwrap_or_default();
    let (durable, generation) = open_watermark(key, &mark).unwrap_or_default();
    if generation > manifest.generation {
        let what = "manifest: a newer one was there before, it";
        return Err(JournalError::Damaged(what.into()));
    }
    Ok(durable)
}

fn open_watermark_file(dir: &Path, writable: bool) -> Result<Option<OwnedFd>, JournalError> {
    let path = writable.then(|| dir.join(WATERMARK));
    path.map(|path| disk::open(&path, false)).transpose()
}

/// The newest of the manifest and its copy that opens, and the names of those that are not it.
fn newest_manifest(
    dir: &Path,
    key: &BoxKey,
) -> Result<(Manifest, Vec<&'static str>), JournalError> {
    let mut newest: Option<Manifest> = None;
    let mut found = Vec::new();
    for name in MANIFESTS {
        let bytes = disk::read_file(&dir.join(name))?.unwrap_or_default();
        let manifest = open_manifest(key, &bytes);
        match &manifest {
            Some(manifest)
                if newest
                    .as_ref()
                    .is_none_or(|known| known.generation < manifest.generation) =>
            {
                newest = Some(manifest.clone());
            }
            Some(_) => {}
            None => tracing::warn!(name, "does not open; its copy is used"),
        }
        found.push((name, manifest));
    }
    let newest =
        newest.ok_or_else(|| JournalError::Damaged("manifest and manifest.copy".into()))?;
    let stale = found.into_iter();
    let stale = stale.filter(|(_, manifest)| manifest.as_ref() != Some(&newest));
    let stale = stale.map(|(name, _)| name).collect();
    Ok((newest, stale))
}

/// Writes the newest manifest over its copy that is older or damaged, before what only the older one names goes.
fn repair(dir: &Path, key: &BoxKey, manifest: &Manifest, stale: &[&str]) {
    let repaired = stale.iter().try_for_each(|name| {
        let bytes = crate::journal::checkpoint::seal_manifest(key, manifest)?;
        disk::replace(dir, name, &bytes)
    });
    if let Err(error) = repaired {
        tracing::warn!(%error, "a copy of the manifest stays as it is");
    }
}

/// Makes durable what was replayed, for a crash of the process alone left it to the kernel: a session that begins
/// behind records which a power cut takes away would look like damage.
fn sync_replayed(segments: &Segments, manifest: &Manifest) -> Result<(), JournalError> {
    let floor = Some(manifest.floor.segment).filter(|number| *number != u32::MAX);
    segments
        .numbers()
        .into_iter()
        .filter(|number| floor.is_none_or(|floor| *number >= floor))
        .try_for_each(|number| segments.sync(number, false))
}

/// Removes the segments in which nothing lives: before a new one is made, for the disk may be full to the brim.
fn remove_empty(segments: &Segments, live: &BTreeMap<u32, u32>) -> Result<(), JournalError> {
    let empty = |number: &u32| live.get(number).is_none_or(|live| *live == 0);
    let numbers = segments.numbers().into_iter();
    numbers
        .filter(empty)
        .try_for_each(|number| segments.remove(number))
}

/// Takes the files of the log into the table; gives the sessions that began after the manifest, in order, and the
/// files whose making a crash cut short.
fn adopt_all(
    segments: &Segments,
    manifest: &Manifest,
) -> Result<(Vec<Later>, Vec<u32>), JournalError> {
    let known: BTreeMap<u32, [u8; 16]> = manifest
        .segments
        .iter()
        .map(|entry| (entry.number, entry.session))
        .collect();
    let on_disk = segments.on_disk()?;
    let missing = manifest
        .segments
        .iter()
        .find(|entry| entry.live > 0 && !on_disk.contains(&entry.number));
    if let Some(entry) = missing {
        return Err(JournalError::Damaged(format!(
            "log segment {:016x} is missing, the log",
            entry.number
        )));
    }
    let floor_session = known.get(&manifest.floor.segment).copied();
    let floor = Some(manifest.floor.segment).filter(|number| *number != u32::MAX);
    let mut later: Vec<Later> = Vec::new();
    let mut unfinished = Vec::new();
    let mut seen = floor_session;
    for number in on_disk {
        if let Some(session) = known.get(&number) {
            segments.adopt(number, *session)?;
            continue;
        }
        match segments.header(number) {
            Ok((session, header)) => {
                segments.adopt(number, session)?;
                // An older one is a file whose removal a power cut undid: no session begins there.
                let newer = floor.is_none_or(|floor| number > floor);
                if newer && seen != Some(session) {
                    seen = Some(session);
                    later.push(Later {
                        first_record: header.first_record,
                        segment: number,
                    });
                }
            }
            Err(_) if segments.is_blank(number) => unfinished.push(number),
            Err(error) => tracing::warn!(%error, "left alone"),
        }
    }
    Ok((later, unfinished))
}

fn next_segment(segments: &Segments, manifest: &Manifest) -> Result<u32, JournalError> {
    let on_disk = segments.on_disk()?.last().copied();
    let known = [manifest.floor.segment, manifest.tail.segment]
        .into_iter()
        .filter(|number| *number != u32::MAX);
    Ok(on_disk
        .into_iter()
        .chain(known)
        .max()
        .map_or(0, |last| last.saturating_add(1)))
}

/// The segment this session starts with. A disk that is full to the brim may be so with what the newest checkpoint
/// freed: then that goes first.
fn first_segment(
    segments: &Segments,
    header: SegmentHeader,
    session: &Arc<Session>,
    frees: &[SlotRange],
) -> Result<Arc<Segment>, JournalError> {
    let (mut size, mut frees) = (SEGMENT, frees.iter());
    loop {
        match segments.create(header, session, size) {
            Err(JournalError::NoSpace) if frees.len() > 0 => {
                frees.try_for_each(|range| segments.punch(*range))?;
            }
            Err(JournalError::NoSpace) if size > SEGMENT_MIN => size /= 2,
            other => return other,
        }
    }
}
