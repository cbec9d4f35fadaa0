//! Publishes: cut, prepare, send, head, settle; and looks for what was sent, for ever.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::format::published::Batch;
use crate::store::{Outage, StoreError};
use crate::sync::audited::Checkpoints;
use crate::sync::boxes::BoxSecrets;
use crate::sync::confirm::Later;
use crate::sync::error::SyncError;
use crate::sync::evict::{Evict, Files, Standstill, shortage};
use crate::sync::follow::Follow;
use crate::sync::heads::OwnFeed;
use crate::sync::kept::Kept;
use crate::sync::leftover::Leftover;
use crate::sync::network::Network;
use crate::sync::pace::Pace;
use crate::sync::progress::{Part, Progress};
use crate::sync::reader::Reader;
use crate::sync::schedule::Schedule;
use crate::sync::scrub::{Scrub, Scrubbed};
use crate::sync::standing::Standing;
use crate::sync::state::Level;
use crate::sync::still::Wanted;
use crate::sync::upload::{Upload, chance};
use crate::types::Clock;
use crate::types::limits::{CONFIRM_PAUSE, PAGE, PUBLISH_TICK};

/// What a publisher is made of.
pub struct PublisherParts {
    /// Rows and what is kept.
    pub kept: Arc<Kept>,
    /// Reads what it needs and has not on this machine.
    pub reader: Arc<Reader>,
    /// The feed that it writes to.
    pub feed: OwnFeed,
    /// Secrets of the boxes that are attached to directories.
    pub boxes: BoxSecrets,
    /// The wall clock.
    pub clock: Clock,
    /// Owner and group that stand for the owner of the pod.
    pub owner: (u32, u32),
}

/// Carries one pod to the network.
pub struct Publisher {
    pub(super) kept: Arc<Kept>,
    pub(super) reader: Arc<Reader>,
    pub(super) feed: RwLock<Arc<OwnFeed>>,
    pub(super) boxes: RwLock<Arc<BoxSecrets>>,
    /// Held for reading by who publishes or looks for what was sent.
    pub(super) busy: tokio::sync::RwLock<()>,
    pub(super) clock: Clock,
    pub(super) owner: (u32, u32),
    pub(super) network: watch::Sender<Wanted>,
    /// The postage batches as heads name them.
    pub(super) batches: RwLock<Vec<Batch>>,
    pub(super) checkpoints: Mutex<Checkpoints>,
    pub(super) progress: Arc<Progress>,
    pub(super) schedule: Mutex<Schedule>,
    /// Held from reading the newest head of the own feed to writing what comes of it.
    pub(super) heading: Mutex<()>,
    pub(super) pace: Arc<Pace>,
    /// Who gives local copies up; nobody without.
    files: OnceLock<Weak<dyn Files>>,
    evict: Evict,
    pub(super) standstill: Standstill,
    pub(super) standing: Standing,
    pub(super) leftover: Mutex<Leftover>,
    pub(super) follow: Follow,
    /// Chunks that were queued for another node.
    pub(super) enlisted: AtomicU64,
    /// Something changed that the loops wait for.
    pub(super) changed: Notify,
    pub(super) stopped: AtomicBool,
}

/// Number of no publication.
const NO_PUBLICATION: u64 = u64::MAX;

impl Publisher {
    /// Publishes nothing before it knows a network and runs.
    pub fn new(parts: PublisherParts) -> Arc<Self> {
        Arc::new(Self {
            kept: parts.kept,
            reader: parts.reader,
            feed: RwLock::new(Arc::new(parts.feed)),
            boxes: RwLock::new(Arc::new(parts.boxes)),
            busy: tokio::sync::RwLock::default(),
            clock: parts.clock,
            owner: parts.owner,
            network: watch::Sender::new(Wanted::default()),
            batches: RwLock::default(),
            checkpoints: Mutex::default(),
            progress: Arc::default(),
            schedule: Mutex::new(Schedule::new(Instant::now())),
            heading: Mutex::new(()),
            pace: Arc::default(),
            files: OnceLock::new(),
            evict: Evict::default(),
            standstill: Standstill::default(),
            standing: Standing::default(),
            leftover: Mutex::default(),
            follow: Follow::default(),
            enlisted: AtomicU64::new(0),
            changed: Notify::new(),
            stopped: AtomicBool::new(false),
        })
    }

    /// The wall clock: seconds since 1970.
    pub fn now(&self) -> i64 {
        (self.clock)().secs
    }

    /// From now on local copies are given up when room is short, by `files`. Said once.
    pub fn set_files(&self, files: Weak<dyn Files>) {
        if self.files.set(files).is_err() {
            tracing::warn!("local copies are given up by whom it was said first");
        }
    }

    /// Publishing gives way while the folder is in use: `requests` tells how many reached it in all. Said once.
    pub fn watch_folder(&self, requests: impl Fn() -> u64 + Send + Sync + 'static) {
        self.pace.watch(Box::new(requests));
    }

    /// What is kept of what is published.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// What can be told while it goes on.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// What changed until now is published as soon as can be. Whoever asks for it perhaps saw to what was refused: that
    /// shows itself again, or is over.
    pub fn publish_now(&self) {
        self.progress.may_be_well(Part::Sending);
        self.schedule.lock().hurry();
        self.changed.notify_waiters();
    }

    /// Publishes what changed until now; returns when the network holds all of it.
    pub async fn publish_and_confirm(&self) {
        self.publish_now();
        while self.level().ok() != Some(Level::Confirmed) {
            self.pause(PUBLISH_TICK).await;
        }
    }

    /// Ends [`Publisher::run`] soon; what is under way is gone on with at the next start.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Publishes and confirms until it is stopped.
    pub async fn run(self: Arc<Self>) {
        let mut loops = JoinSet::new();
        let this = Arc::clone(&self);
        loops.spawn(async move { this.publish_for_ever().await });
        let this = Arc::clone(&self);
        loops.spawn(async move { this.confirm_for_ever().await });
        let this = Arc::clone(&self);
        loops.spawn(async move { this.make_room_for_ever().await });
        while !self.stopped.load(Ordering::Acquire) {
            self.pause(PUBLISH_TICK).await;
        }
        loops.shutdown().await;
    }

    async fn pause(&self, time: Duration) {
        let changed = self.changed.notified();
        if tokio::time::timeout(time, changed).await.is_ok() {
            tracing::trace!("woken");
        }
    }

    async fn publish_for_ever(&self) {
        let mut networks = self.network.subscribe();
        loop {
            let network = networks.borrow_and_update().now();
            let outcome = match &network {
                Some(network) => {
                    let _busy = self.busy.read().await;
                    tokio::select! {
                        outcome = self.publish_if_due(network) => outcome,
                        // It may try for ever where it was. What is not noted as sent is sent again.
                        _ = networks.changed() => continue,
                    }
                }
                None => Ok(()),
            };
            match outcome {
                Ok(()) => self.progress.is_well(Part::Sending),
                Err(error) => {
                    self.progress.is_troubled(Part::Sending, error);
                    self.pause(CONFIRM_PAUSE).await;
                }
            }
            self.pause(PUBLISH_TICK).await;
        }
    }

    async fn publish_if_due(&self, network: &Network) -> Result<(), SyncError> {
        self.look_at_feed(network).await?;
        let journal = self.kept.rows().journal();
        let is_new = self.to_be_listed(network)?.is_some();
        let mut left = Ok(());
        let cut = if let Some(cut) = journal.cut() {
            cut
        } else {
            if is_new {
                // It takes a cut to know what is published.
                self.schedule.lock().hurry();
            } else {
                left = self.send_rest(network).await;
            }
            let operations = self.kept.rows().operations();
            let tight = journal.base().is_none() || shortage(&self.kept) > 0;
            let now = Instant::now();
            if !self.schedule.lock().is_due(now, operations, tight) {
                return left;
            }
            self.make_cut().await?
        };
        if self.publish(network, &cut).await? {
            self.schedule.lock().published();
            self.changed.notify_waiters();
        }
        left
    }

    /// Sends what is left over of earlier publications, their newest head last. What is in the way of it is not in the
    /// way of what comes next.
    async fn send_rest(&self, network: &Network) -> Result<(), SyncError> {
        if self.send_leftover(network).await? {
            let upload = self.upload(network);
            self.send_leftover_head(&upload, NO_PUBLICATION).await?;
            self.send_box_heads(&upload).await?;
        }
        self.is_room_left()
    }

    pub(super) fn upload(&self, network: &Network) -> Upload {
        Upload {
            kept: Arc::clone(&self.kept),
            network: network.clone(),
            progress: Arc::clone(&self.progress),
            pace: Arc::clone(&self.pace),
        }
    }

    /// Looks again for everything that this machine could send again, or for one row of nodes in `one_in`; what is
    /// missing is sent again. `progress` is told how far it is.
    ///
    /// # Errors
    /// When there is no network, or nobody answers.
    pub async fn scrub(
        &self,
        one_in: u32,
        progress: &(dyn Fn(Scrubbed) + Sync),
    ) -> Result<Scrubbed, SyncError> {
        let network = self.network();
        let network = network.ok_or(StoreError::unavailable(Outage::Nobody))?;
        let scrub = Scrub {
            kept: Arc::clone(&self.kept),
            network,
        };
        let takes = || one_in <= 1 || chance().is_multiple_of(one_in.into());
        let found = scrub.run(takes, progress).await?;
        self.changed.notify_waiters();
        Ok(found)
    }

    async fn make_room_for_ever(&self) {
        loop {
            if let Err(error) = self.make_room() {
                tracing::warn!(%error, "room cannot be made");
                self.pause(CONFIRM_PAUSE).await;
            }
            self.pause(PUBLISH_TICK).await;
        }
    }

    fn make_room(&self) -> Result<(), SyncError> {
        let short = shortage(&self.kept);
        self.pace.set_tight(short > 0);
        let files = self.files.get().and_then(Weak::upgrade);
        let Some(files) = files.filter(|_| short > 0) else {
            return Ok(());
        };
        let work = || {
            let page = PAGE as u64;
            let fetched = self
                .reader
                .drop_pages(short.div_ceil(page), &self.stopped)?
                * page;
            let short = short.saturating_sub(fetched);
            let given_up = if self.is_to_move()? {
                // What was seen in another network is to be carried from here first.
                0
            } else {
                self.evict.run(&self.kept, &*files, short, &self.stopped)?
            };
            let gone = fetched + given_up;
            if self.stopped.load(Ordering::Acquire) {
                return Ok(());
            }
            if gone == 0 && self.give_cut_up()? {
                tracing::warn!("a publication that gets nowhere is given up: room is short");
                self.kept.rows().checkpoint()?;
            }
            if gone > 0 {
                tracing::info!(bytes = gone, "local copies were given up");
                self.kept.rows().checkpoint()?;
            }
            Ok(())
        };
        tokio::task::block_in_place(work)
    }

    async fn confirm_for_ever(&self) {
        let (mut later, mut sent) = (Later::default(), 0);
        let mut networks = self.network.subscribe();
        loop {
            // A node that is taking chunks is not asked for them as well, unless room waits for its answers.
            let before = std::mem::replace(&mut sent, self.progress.sent());
            let is_sending = sent > before && self.kept.waiting().0 > 0 && !self.pace.is_tight();
            let network = networks.borrow_and_update().now();
            if let Some(network) = network.filter(|_| !is_sending) {
                let _busy = self.busy.read().await;
                let outcome = tokio::select! {
                    outcome = self.confirm(network, &mut later) => outcome,
                    // What one network holds says nothing of another.
                    _ = networks.changed() => continue,
                };
                match outcome {
                    Ok(()) => self.progress.is_well(Part::Looking),
                    Err(error) => {
                        self.progress.is_troubled(Part::Looking, error);
                        self.pause(CONFIRM_PAUSE).await;
                    }
                }
            }
            self.pause(PUBLISH_TICK).await;
        }
    }
}
