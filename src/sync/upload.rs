//! Sends what is queued: many chunks at once, as many as the node keeps up with, each until it is taken.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::crypto::swarm::SealedChunk;
use crate::format::published::Place;
use crate::format::rows::Key;
use crate::store::retry::{self, Next};
use crate::store::{Rejection, StoreError};
use crate::sync::error::SyncError;
use crate::sync::kept::Kept;
use crate::sync::load::{Cargo, Job, Part, produce};
use crate::sync::network::{Freight, Network};
use crate::sync::notes::Notes;
use crate::sync::pace::{Pace, Work};
use crate::sync::progress::{self, Progress};
use crate::sync::queue::Mark;
use crate::types::limits::{SENDING_FIRST, SENDING_MAX, SENDING_MIN};
use crate::types::{Address, Ino};

/// How a chunk fared.
enum Fate {
    Taken,
    /// The batch has no room at its address.
    NoRoom,
    /// It is neither here nor anywhere else.
    Lost,
}

/// What became of it.
#[derive(Default)]
pub(super) struct Outcome {
    /// Found no room in the postage batch: they have to be sealed anew.
    pub(super) no_room: Vec<(Ino, Place)>,
    /// Not on this machine, and found no room in the batch.
    pub(super) refused: u64,
    /// Neither on this machine nor anywhere else: whose, and how many.
    pub(super) lost: BTreeMap<Ino, u64>,
    /// The row to go on with.
    pub(super) next: Option<Key>,
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
    /// Sends a part of what is queued. What is not on this machine is fetched and handed on.
    ///
    /// # Errors
    /// When the node refuses for good, nobody answers who may have what is not here, or the log fails; what was sent is
    /// noted.
    pub(super) async fn send_all(&self, part: Part) -> Result<Outcome, SyncError> {
        let (jobs, mut inbox) = mpsc::channel(ROWS_AHEAD);
        let kept = Arc::clone(&self.kept);
        let producer = tokio::task::spawn_blocking(move || produce(&kept, &part, &jobs));
        let mut sending = Sending {
            upload: self,
            width: Width::new(),
            waiting: VecDeque::new(),
            running: JoinSet::new(),
            notes: Notes::new(&self.kept),
            outcome: Outcome::default(),
        };
        let outcome = sending.run(&mut inbox).await;
        drop(inbox);
        let noted = sending.notes.flush().await;
        let ended = producer.await.map_err(|_| SyncError::Interrupted)?;
        outcome?;
        noted?;
        Ok(Outcome {
            next: ended?,
            ..sending.outcome
        })
    }

    /// The chunk, from wherever it is; nothing when it is nowhere.
    async fn fetch(&self, address: Address) -> Result<Option<SealedChunk>, StoreError> {
        let mut attempt = 0;
        loop {
            let error = match self.network.endpoints.search(address).await {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let Next::Again(pause) = retry::next(&error, attempt, chance()) else {
                return Err(error);
            };
            if attempt >= PATIENT {
                return Err(error);
            }
            attempt += 1;
            tokio::time::sleep(pause).await;
        }
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
            self.progress.is_troubled(progress::Part::Sending, error);
            attempt += 1;
            tokio::time::sleep(pause).await;
            *took += pause;
        }
    }
}

/// Rows whose chunks are made before they are sent.
const ROWS_AHEAD: usize = 4;
/// How often who does not answer is asked again for what is not here, before all of it waits.
const PATIENT: u32 = 3;
/// A node that forgets every tag at once is broken.
const NEW_TAGS: u32 = 5;

struct Sending<'u> {
    upload: &'u Upload,
    width: Width,
    waiting: VecDeque<Job>,
    running: JoinSet<(Job, Result<Fate, StoreError>, bool)>,
    notes: Notes,
    outcome: Outcome,
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
                        Fate::NoRoom if matches!(job.cargo, Cargo::Relayed(_)) => {
                            self.outcome.refused += 1;
                        }
                        Fate::NoRoom => self.outcome.no_room.push((job.ino, job.place)),
                        Fate::Lost if matches!(job.cargo, Cargo::Owed(_)) => {
                            let why = "what is queued of it cannot be made again";
                            return Err(SyncError::Contradiction(job.ino, why));
                        }
                        Fate::Lost => *self.outcome.lost.entry(job.ino).or_default() += 1,
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
            let fate = upload.carry(&job, &mut took).await;
            (job, fate, took > SLOW)
        });
    }
}

impl Upload {
    async fn carry(&self, job: &Job, took: &mut Duration) -> Result<Fate, StoreError> {
        let fetched;
        let chunk = match &job.cargo {
            Cargo::Made(chunk) => chunk,
            Cargo::Relayed(address) | Cargo::Owed(address) => {
                match self.fetch(*address).await? {
                    Some(chunk) => fetched = chunk,
                    None => return Ok(Fate::Lost),
                }
                &fetched
            }
        };
        match self.send_timed(job.freight, chunk, took).await {
            Ok(()) => Ok(Fate::Taken),
            Err(StoreError::Rejected(Rejection::BucketFull(_))) => Ok(Fate::NoRoom),
            Err(error) => Err(error),
        }
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

/// A random number that guards nothing.
pub(super) fn chance() -> u64 {
    let mut bytes = [0; 8];
    // Without it those who failed together come back together: no harm.
    let drawn = getrandom::fill(&mut bytes);
    drawn.map_or(0, |()| u64::from_le_bytes(bytes))
}
