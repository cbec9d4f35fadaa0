//! Sends what is queued: many chunks at once, as many as the node keeps up with, each until it is taken.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::crypto::swarm::SealedChunk;
use crate::format::published::Place;
use crate::format::rows::{Key, Queued};
use crate::journal::Snapshot;
use crate::store::StoreError;
use crate::store::retry::{self, Next};
use crate::sync::error::SyncError;
use crate::sync::kept::{Kept, damaged};
use crate::sync::network::{Freight, Network};
use crate::sync::notes::Notes;
use crate::sync::pace::{Pace, Work};
use crate::sync::progress::{Part, Progress};
use crate::sync::queue::Mark;
use crate::sync::remake::Remake;
use crate::types::Ino;
use crate::types::limits::{SENDING_FIRST, SENDING_MAX, SENDING_MIN};

/// One chunk on its way.
struct Job {
    ino: Ino,
    place: Place,
    freight: Freight,
    chunk: SealedChunk,
}

/// How a chunk fared.
enum Fate {
    Taken,
    /// The batch has no room at its address.
    NoRoom,
}

/// What is sent, and where to.
#[derive(Clone)]
pub(super) struct Upload {
    pub(super) kept: Arc<Kept>,
    pub(super) network: Network,
    pub(super) progress: Arc<Progress>,
    pub(super) pace: Arc<Pace>,
}

impl Upload {
    /// Sends everything that is queued. Gives the places whose chunks found no room in the postage batch: they have to
    /// be sealed anew.
    ///
    /// # Errors
    /// When the node refuses for good, or the log fails; what was sent is noted.
    pub(super) async fn send_all(
        &self,
        cut: Option<Arc<Snapshot>>,
    ) -> Result<Vec<(Ino, Place)>, SyncError> {
        let (jobs, mut inbox) = mpsc::channel(ROWS_AHEAD);
        let kept = Arc::clone(&self.kept);
        let producer = tokio::task::spawn_blocking(move || produce(&kept, cut.as_deref(), &jobs));
        let mut sending = Sending {
            upload: self,
            width: Width::new(),
            waiting: VecDeque::new(),
            running: JoinSet::new(),
            notes: Notes::new(&self.kept),
            no_room: Vec::new(),
        };
        let outcome = sending.run(&mut inbox).await;
        drop(inbox);
        let noted = sending.notes.flush().await;
        let ended = producer.await.map_err(|_| SyncError::Interrupted)?;
        outcome?;
        noted?;
        ended?;
        Ok(sending.no_room)
    }

    /// Sends one chunk until it is taken or refused for good.
    pub(super) async fn send(
        &self,
        freight: Freight,
        chunk: &SealedChunk,
    ) -> Result<(), StoreError> {
        self.send_timed(freight, chunk, &mut Duration::default())
            .await
    }

    /// The same; adds to `took` the time that it took without waiting for its turns.
    async fn send_timed(
        &self,
        freight: Freight,
        chunk: &SealedChunk,
        took: &mut Duration,
    ) -> Result<(), StoreError> {
        let mut attempt = 0;
        loop {
            let turn = self.pace.turn(Work::Sending).await;
            let began = Instant::now();
            let put = self.network.store(freight).put(chunk).await;
            drop(turn);
            *took += began.elapsed();
            let Err(error) = put else {
                self.progress.taken();
                return Ok(());
            };
            let pause = match retry::next(&error, attempt, chance()) {
                Next::Again(pause) | Next::LookAtBatch(pause) => pause,
                Next::NewTag if attempt < NEW_TAGS => Duration::ZERO,
                Next::NewTag | Next::OtherAddress | Next::Stop => return Err(error),
            };
            self.progress.is_troubled(Part::Sending, error);
            attempt += 1;
            tokio::time::sleep(pause).await;
            *took += pause;
        }
    }
}

/// Rows whose chunks are made before they are sent.
const ROWS_AHEAD: usize = 4;
/// A node that forgets every tag at once is broken.
const NEW_TAGS: u32 = 5;

struct Sending<'u> {
    upload: &'u Upload,
    width: Width,
    waiting: VecDeque<Job>,
    running: JoinSet<(Job, Result<Fate, StoreError>, bool)>,
    notes: Notes,
    no_room: Vec<(Ino, Place)>,
}

impl Sending<'_> {
    async fn run(&mut self, inbox: &mut mpsc::Receiver<Vec<Job>>) -> Result<(), SyncError> {
        let mut open = true;
        loop {
            while self.running.len() < self.width.now
                && let Some(job) = self.waiting.pop_front()
            {
                self.start(job);
            }
            if self.running.is_empty() && self.waiting.is_empty() && !open {
                return Ok(());
            }
            tokio::select! {
                more = inbox.recv(), if open && self.waiting.is_empty() => match more {
                    Some(jobs) => self.waiting.extend(jobs),
                    None => open = false,
                },
                Some(done) = self.running.join_next() => {
                    let (job, fate, troubled) = done.map_err(|_| SyncError::Interrupted)?;
                    self.width.note(troubled);
                    match fate? {
                        Fate::Taken => self.notes.mark(job.ino, job.place, Mark::Sent),
                        Fate::NoRoom => self.no_room.push((job.ino, job.place)),
                    }
                    self.notes.flush_if_due().await?;
                }
            }
        }
    }

    fn start(&mut self, job: Job) {
        let upload = self.upload.clone();
        self.running.spawn(async move {
            let mut took = Duration::ZERO;
            let sent = upload.send_timed(job.freight, &job.chunk, &mut took).await;
            let fate = match sent {
                Ok(()) => Ok(Fate::Taken),
                Err(StoreError::Rejected(crate::store::Rejection::BucketFull(_))) => {
                    Ok(Fate::NoRoom)
                }
                Err(error) => Err(error),
            };
            (job, fate, took > SLOW)
        });
    }
}

/// A node that takes longer for a chunk has too many on its hands.
const SLOW: Duration = Duration::from_secs(5);

/// How many chunks are on their way at once: one more after each round that went well, half as many after one that
/// did not.
struct Width {
    now: usize,
    well: usize,
    halved: Instant,
}

impl Width {
    fn new() -> Self {
        Self {
            now: SENDING_FIRST,
            well: 0,
            halved: Instant::now(),
        }
    }

    fn note(&mut self, troubled: bool) {
        if troubled {
            if self.halved.elapsed() > SLOW {
                self.now = (self.now / 2).max(SENDING_MIN);
                self.halved = Instant::now();
            }
            self.well = 0;
            return;
        }
        self.well += 1;
        if self.well >= self.now {
            self.well = 0;
            self.now = (self.now + 1).min(SENDING_MAX);
        }
    }
}

/// Makes the chunks that are queued and not sent, row by row, as fast as they are taken off.
fn produce(
    kept: &Kept,
    cut: Option<&Snapshot>,
    jobs: &mpsc::Sender<Vec<Job>>,
) -> Result<(), SyncError> {
    let mut current: Option<Remake<'_>> = None;
    let mut unmade = 0_u64;
    each_row(kept, Key::queued(Ino(0), 0), |ino, bucket, row| {
        if row.unsent == 0 {
            return Ok(true);
        }
        // Or what is published and queued meanwhile is taken for what is gone.
        let held = kept.hold();
        let published = kept.published(ino)?.map(|now| now.publication);
        let mut remake = match current.take() {
            Some(remake) if remake.ino() == ino && remake.publication() == published => remake,
            _ => Remake::new(kept, cut, ino)?,
        };
        let wanted = remake.look_up(places(bucket, row.unsent))?;
        for gone in wanted.iter().filter(|wanted| wanted.reference.is_none()) {
            kept.done(ino, gone.place)?;
        }
        drop(held);
        let chunks = remake.chunks(&wanted)?;
        let of = remake.publication();
        let remake_of_cut = cut.is_some_and(|cut| of == Some(cut.generation));
        current = Some(remake);
        let mut row_jobs = Vec::new();
        for (wanted, chunk) in wanted.into_iter().zip(chunks) {
            match (wanted.reference, chunk) {
                (Some(_), Some(chunk)) => row_jobs.push(Job {
                    ino,
                    place: wanted.place,
                    freight: wanted.freight,
                    chunk,
                }),
                (Some(_), None) if remake_of_cut => {
                    let why = "what is queued of it cannot be made again";
                    return Err(SyncError::Contradiction(ino, why));
                }
                // Overwritten since, or given up and lost: the next publication shows it, or nobody can.
                (Some(_), None) => unmade += 1,
                (None, _) => {}
            }
        }
        Ok(jobs.blocking_send(row_jobs).is_ok())
    })?;
    if unmade > 0 {
        tracing::warn!(unmade, "chunks that the network lacks cannot be made again");
    }
    Ok(())
}

/// Shows every row of the queue from `from` on until `show` says that it is enough.
pub(super) fn each_row(
    kept: &Kept,
    from: Key,
    mut show: impl FnMut(Ino, u64, Queued) -> Result<bool, SyncError>,
) -> Result<(), SyncError> {
    let last = Key::queued(Ino(u64::MAX), u64::MAX);
    let mut next = Some(from);
    while let Some(from) = next {
        let rows = kept.rows().scan(&from, &last, ROWS)?;
        next = rows.last().and_then(|(key, _)| key.successor());
        let done = rows.len() < ROWS;
        for (key, row) in rows {
            let row = Queued::decode(&row).map_err(damaged)?;
            if !show(Ino(key.field(0)), key.field(1), row)? {
                return Ok(());
            }
        }
        if done {
            break;
        }
    }
    Ok(())
}

/// Rows that are looked at together.
const ROWS: usize = 256;

/// The places of a row at which a bit is set.
pub(super) fn places(bucket: u64, mask: u32) -> impl Iterator<Item = Place> {
    let row = Queued {
        unsent: mask,
        sent: 0,
    };
    row.positions().map(move |at| Place::of_row(bucket, at))
}

/// A random number that guards nothing.
pub(super) fn chance() -> u64 {
    let mut bytes = [0; 8];
    // Without it those who failed together come back together: no harm.
    let drawn = getrandom::fill(&mut bytes);
    drawn.map_or(0, |()| u64::from_le_bytes(bytes))
}
