use std::collections::BTreeMap;
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
use crate::journal::replay::{Later, Replayed, replay};
use crate::journal::segments::{Segment, Segments, Session};
use crate::journal::sync::{GroupSync, open_watermark};
use crate::journal::tail::Tail;
use crate::journal::{Journal, JournalError};
use crate::types::limits::SEGMENT;

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
        let manifest = newest_manifest(&dir, &keys.manifest)?;
        let durable = read_watermark(&dir, &keys.watermark, &manifest)?;
        let segments = Segments::new(&dir.join(LOG), secret, read_only);
        let later = adopt_all(&segments, &manifest)?;
        let overlay = Overlay::default();
        let replayed = replay(&segments, &manifest, later, durable, &overlay)?;
        let broken = match replayed.damaged {
            Some(record) => Some(format!(
                "the log is damaged at record {record}: nothing after it is shown"
            )),
            None if read_only => Some("mounted read-only".to_owned()),
            None => None,
        };
        let next_segment = next_segment(&segments, &manifest)?;
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
        let active = first_segment(&segments, header, &session, broken.is_none())?;
        let watermark = match broken {
            None => Some(disk::open(&dir.join(WATERMARK), false)?),
            Some(_) => None,
        };
        let last_record = first_record.saturating_sub(1);
        let floor = segments.get(manifest.floor.segment);
        let journal = Self {
            dir,
            session,
            first_record,
            tail: Mutex::new(Tail::new(active, totals)),
            overlay,
            order: Order::new(last_record),
            // Whatever was replayed may still wait in the kernel: the first sync covers its segments as well.
            durable: AtomicU64::new(durable.min(last_record)),
            group: GroupSync::default(),
            synced_segment: AtomicU32::new(floor.map_or(0, |floor| floor.number)),
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
            broken: Mutex::new(broken),
            keeper: Keeper::new(),
            replayed: records,
        };
        journal.tidy(&trims, &manifest.frees)?;
        Ok(journal)
    }

    /// Makes what was replayed durable and gives back what died or was never written.
    fn tidy(&self, trims: &[SlotRange], frees: &[SlotRange]) -> Result<(), JournalError> {
        if self.writable().is_err() {
            return Ok(());
        }
        self.sync()?;
        trims
            .iter()
            .try_for_each(|range| self.segments.punch(*range))?;
        self.reclaim(frees)
    }

    /// Makes all durable and gives the preallocated room back. Nothing may be appended afterwards.
    pub fn close(&self) -> Result<(), JournalError> {
        self.sync()?;
        let (rest, spares) = {
            let mut tail = self.tail.lock();
            (tail.rest(), std::mem::take(&mut tail.spares))
        };
        *self.broken.lock() = Some("closed".to_owned());
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

/// The newest of the manifest and its copy that opens.
fn newest_manifest(dir: &Path, key: &BoxKey) -> Result<Manifest, JournalError> {
    let mut newest: Option<Manifest> = None;
    for name in MANIFESTS {
        let bytes = disk::read_file(&dir.join(name))?.unwrap_or_default();
        match open_manifest(key, &bytes) {
            Some(manifest)
                if newest
                    .as_ref()
                    .is_none_or(|known| known.generation < manifest.generation) =>
            {
                newest = Some(manifest);
            }
            Some(_) => {}
            None => tracing::warn!(name, "does not open; its copy is used"),
        }
    }
    newest.ok_or_else(|| JournalError::Damaged("manifest and manifest.copy".into()))
}

/// Takes the files of the log into the table; gives the sessions that began after the manifest, in order.
fn adopt_all(segments: &Segments, manifest: &Manifest) -> Result<Vec<Later>, JournalError> {
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
            Err(error) => tracing::warn!(%error, "left alone"),
        }
    }
    Ok(later)
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

/// The segment this session starts with; for a log that takes nothing, one that is not there.
fn first_segment(
    segments: &Segments,
    header: SegmentHeader,
    session: &Arc<Session>,
    writable: bool,
) -> Result<Arc<Segment>, JournalError> {
    if !writable {
        return Ok(Arc::new(Segment {
            number: header.number,
            session: Arc::clone(session),
            pages: 0,
        }));
    }
    let mut size = SEGMENT;
    loop {
        match segments.create(header, session, size) {
            Err(JournalError::NoSpace) if size > crate::types::limits::SEGMENT_MIN => size /= 2,
            other => return other,
        }
    }
}
