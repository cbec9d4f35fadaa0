//! One publication: what a cut publishes is prepared, sent, and ended with a head.

use std::sync::{Arc, mpsc};
use std::time::Instant;

use tokio::runtime::Handle;

use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::crypto::swarm::SealedChunk;
use crate::format::published::Place;
use crate::format::rows::{HeadState, Key, OwnHead};
use crate::journal::{Change, Class, Snapshot};
use crate::store::{Rejection, StoreError};
use crate::sync::changes::Changes;
use crate::sync::edit::KeptEdit;
use crate::sync::error::SyncError;
use crate::sync::follow::Followed;
use crate::sync::heads::Circumstances;
use crate::sync::load::Part;
use crate::sync::network::{Freight, Network};
use crate::sync::prepare::{Attempts, Draft, Parts, Preparation, Prepared};
use crate::sync::publisher::Publisher;
use crate::sync::reader::Reader;
use crate::sync::upload::Upload;
use crate::types::Ino;
use crate::types::limits::{PAGE, SEAL_ATTEMPTS_MAX};

impl Publisher {
    /// Carries one cut to the network, as far as it is not there yet; false when it was given up meanwhile.
    pub(super) async fn publish(
        &self,
        network: &Network,
        cut: &Arc<Snapshot>,
    ) -> Result<bool, SyncError> {
        let upload = self.upload(network);
        if let Some(migration) = self.to_be_listed(network)? {
            self.migrate(&upload, cut, migration).await?;
        }
        self.send_leftover_head(&upload, cut.generation).await?;
        self.send_box_heads(&upload).await?;
        let mut attempts = Attempts::new();
        let mut head = self.head_of(cut)?;
        while head.is_none() {
            let list = self.follow.list();
            let prepared = match self.prepared(cut, &attempts, &list.followed) {
                Err(SyncError::NoRoom) if self.put_off(cut)? => return Ok(false),
                prepared => prepared?,
            };
            let Prepared { draft, boxes, seen } = prepared;
            let base = self.kept.rows().journal().base();
            let before = base.map_or(0, |base| base.generation);
            let part = Part::Cut(Arc::clone(cut), before);
            let no_room = upload.send_all(part).await?.no_room;
            if !self.has_cut(cut.generation) {
                return Ok(false);
            }
            if no_room.is_empty() {
                self.follow.tell(list, seen);
                self.make_box_heads(boxes, cut.generation)?;
                let Some(draft) = draft else { break };
                head = self.make_head(draft, cut.generation)?;
                if head.is_none() {
                    return Ok(false);
                }
            }
            for place in no_room {
                let attempt = attempts.entry(place).or_default();
                *attempt += 1;
                if *attempt > SEAL_ATTEMPTS_MAX {
                    return Err(SyncError::BatchFull);
                }
            }
        }
        if let Some(head) = head {
            self.send_head(&upload, head).await?;
        }
        self.send_box_heads(&upload).await?;
        self.tell_renewed(cut).await?;
        self.kept.rows().journal().settle_cut()?;
        Ok(true)
    }

    /// Gives the cut up when nothing of it was taken for long: what it pins goes back to the disk, and its publication
    /// gets no head. Says whether it did.
    pub(super) fn give_cut_up(&self) -> Result<bool, SyncError> {
        let journal = self.kept.rows().journal();
        let Some(generation) = journal.cut().map(|cut| cut.generation) else {
            return Ok(false);
        };
        let taken = self.progress.sent();
        if !self.standstill.is_long(generation, taken, Instant::now()) {
            return Ok(false);
        }
        let _one = self.heading.lock();
        let head = self.last_head()?;
        // With its head the publication stands: only that is left to be sent.
        if head.is_some_and(|(head, _)| head.publication == generation) || !self.has_cut(generation)
        {
            return Ok(false);
        }
        journal.drop_cut()?;
        self.schedule.lock().hurry();
        Ok(true)
    }

    /// Has the node take a chunk that belongs to no publication, however often that takes. Nothing without a node.
    pub async fn put(&self, chunk: &SealedChunk) -> Option<Result<(), StoreError>> {
        let network = self.network()?;
        Some(self.upload(&network).send(Freight::Node, chunk).await)
    }

    pub(super) fn has_cut(&self, generation: u64) -> bool {
        let cut = self.kept.rows().journal().cut();
        cut.is_some_and(|cut| cut.generation == generation)
    }

    /// Sends the newest head if that was not done, unless it ends publication `but`: a feed has no gaps.
    pub(super) async fn send_leftover_head(
        &self,
        upload: &Upload,
        but: u64,
    ) -> Result<(), SyncError> {
        match self.last_head()? {
            Some((head, _)) if head.publication != but => self.send_head(upload, head).await,
            _ => Ok(()),
        }
    }

    /// The head that ends this publication, if it was made before.
    pub(super) fn head_of(&self, cut: &Snapshot) -> Result<Option<OwnHead>, SyncError> {
        let last = self.last_head()?.map(|(own, _)| own);
        Ok(last.filter(|own| own.publication == cut.generation))
    }

    /// What the cut publishes. Takes long, and waits for what has to be fetched.
    pub(super) fn prepared(
        &self,
        cut: &Arc<Snapshot>,
        attempts: &Attempts,
        followed: &[Followed],
    ) -> Result<Prepared, SyncError> {
        let journal = self.kept.rows().journal();
        let base = journal.base();
        let runtime = Handle::current();
        let fetch = |wanted| fetch_all(&runtime, &self.reader, wanted);
        let (feed, boxes) = (self.feed(), Arc::clone(&self.boxes.read()));
        let work = || {
            let first = attempts.is_empty();
            let changes = Changes::between(&self.kept, base.as_deref(), cut, first)?;
            if changes.is_empty() && base.is_some() && first && !self.follow.is_due() {
                return Ok(Prepared::default());
            }
            let parts = Parts {
                cut,
                base: base.as_deref(),
                kept: &self.kept,
                feed: &feed,
                boxes: &boxes,
                owner: self.owner,
                attempts,
                fetch: &fetch,
                followed,
                renewals: &changes.renewals,
                stopped: &self.stopped,
                pace: &self.pace,
            };
            Preparation::new(&parts)?.run(&changes)
        };
        tokio::task::block_in_place(work)
    }

    /// The head that ends the publication of a cut; nothing when that was given up.
    fn make_head(&self, draft: Draft, publication: u64) -> Result<Option<OwnHead>, SyncError> {
        let _one = self.heading.lock();
        if !self.has_cut(publication) {
            return Ok(None);
        }
        let last = self.last_head()?;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|_| SyncError::Interrupted)?;
        let said = Circumstances {
            publication,
            now: (self.clock)(),
            next_ino: self.kept.rows().next_ino(),
            batches: self.batches.read().clone(),
            checkpoint: self.checkpoints.lock().of(publication),
            nonce,
        };
        let head = self.feed().make(last.as_ref(), draft, said)?;
        self.note_head(&head)?;
        Ok(Some(head))
    }

    /// Writes what became of the newest head; false when it is another by now.
    pub(super) fn replace_head(&self, before: &OwnHead, now: &OwnHead) -> Result<bool, SyncError> {
        let _one = self.heading.lock();
        let newest = self.last_head()?.map(|(newest, _)| newest);
        let is_newest =
            newest.is_some_and(|it| it.index == before.index && it.payload == before.payload);
        if is_newest {
            self.note_head(now)?;
        }
        Ok(is_newest)
    }

    pub(super) fn note_head(&self, head: &OwnHead) -> Result<(), SyncError> {
        let mut edit = KeptEdit::new(Class::Meta);
        let value = head.encode().into();
        edit.row(Key::own_head(), Change::Put(value));
        self.kept.write(edit)?;
        // Whoever reads it in the network must not know more than this machine after a power cut.
        Ok(self.kept.rows().sync()?)
    }

    /// Sends a head under both topics. When the batch has room at neither address, the index is given up.
    async fn send_head(&self, upload: &Upload, mut head: OwnHead) -> Result<(), SyncError> {
        while head.state == HeadState::Made {
            self.look_at_place(&upload.network, &head).await?;
            let (mut taken, mut refusal) = (false, None);
            for chunk in self.feed().chunks(&head)? {
                match upload.send(Freight::Node, &chunk).await {
                    Ok(()) => taken = true,
                    Err(error) => refusal = Some(error),
                }
            }
            let mut now = head.clone();
            match refusal {
                Some(StoreError::Rejected(Rejection::BucketFull(_))) if !taken => {
                    now = self.feed().skip(&head)?;
                }
                Some(error) if !taken => return Err(error.into()),
                _ => now.state = HeadState::Sent,
            }
            if !self.replace_head(&head, &now)? {
                return Err(SyncError::Interrupted);
            }
            head = now;
        }
        Ok(())
    }
}

/// Fetches nodes that are not on this machine side by side, and gives them in their order: for a thread that may block.
fn fetch_all(
    runtime: &Handle,
    reader: &Arc<Reader>,
    wanted: Vec<(Ino, Place, Reference)>,
) -> Vec<Result<Secret<PAGE>, SyncError>> {
    let fetches = wanted.into_iter().map(|(ino, place, reference)| {
        let reader = Arc::clone(reader);
        let (answer, answered) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            let node = reader.node(ino, place, &reference).await;
            // Nobody waits for it any more when an earlier one was the end of the program.
            drop(answer.send(node));
        });
        answered
    });
    let fetches: Vec<_> = fetches.collect();
    let found = fetches.into_iter().map(|answered| match answered.recv() {
        Ok(node) => node
            .map(|node| Secret::from_bytes(node.expose()))
            .map_err(SyncError::from),
        Err(mpsc::RecvError) => Err(SyncError::Interrupted),
    });
    found.collect()
}
