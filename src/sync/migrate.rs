//! A whole pod on its way to another node, perhaps of another network.
//!
//! First everything that is published is queued ([`Publisher::enlist`]); the heads that lead to the newest one follow at
//! once, since they are few and nothing else tells of them. From then on it is what any pod does: what is queued is
//! sent, what was sent is looked for, and the newest head comes last. The log says for which migration all was queued,
//! so that happens once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::crypto::swarm::SealedChunk;
use crate::format::rows::{HeadState, Key, SeenHeads};
use crate::journal::{Change, Class, Snapshot};
use crate::store::endpoints::{Sought, Verdict};
use crate::store::{Rejection, StoreError};
use crate::sync::edit::KeptEdit;
use crate::sync::epoch::older_feeds;
use crate::sync::error::SyncError;
use crate::sync::find::{self, Feed};
use crate::sync::kept::damaged;
use crate::sync::leftover::Missing;
use crate::sync::network::{Freight, Network};
use crate::sync::prepare::Attempts;
use crate::sync::publisher::Publisher;
use crate::sync::upload::Upload;
use crate::types::limits::{CONFIRM_PAUSE, RETRIEVE_TRIES};

/// How far a pod is that is carried to another node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migration {
    /// Whether everything is queued that was published before.
    pub listed: bool,
    /// Chunks that were queued since the start.
    pub looked: u64,
    /// What cannot be carried.
    pub missing: Missing,
}

impl Publisher {
    /// How far the pod is on its way, when it is carried to another node or was.
    ///
    /// # Errors
    /// When the log does not tell.
    pub fn migration(&self) -> Result<Option<Migration>, SyncError> {
        let Some(network) = self.network().filter(|network| network.migration.is_some()) else {
            return Ok(None);
        };
        let mut leftover = self.leftover.lock();
        leftover.keep(|ino| self.kept.published(ino).is_ok_and(|row| row.is_some()));
        Ok(Some(Migration {
            listed: self.to_be_listed(&network)?.is_none(),
            looked: self.enlisted.load(Ordering::Relaxed),
            missing: leftover.missing(),
        }))
    }

    /// Number of the migration that all of the pod is still to be queued for.
    pub(super) fn to_be_listed(&self, network: &Network) -> Result<Option<u64>, SyncError> {
        let known = self.kept.migration()?;
        Ok(network.migration.filter(|wanted| *wanted != known))
    }

    /// Whether the pod goes to another node, and what is on this machine is not all queued for it yet.
    pub(super) fn is_to_move(&self) -> Result<bool, SyncError> {
        match self.network() {
            Some(network) => Ok(self.to_be_listed(&network)?.is_some()),
            None => Ok(false),
        }
    }

    /// Queues everything that is published, `cut` included, and says so in the log.
    ///
    /// # Errors
    /// When something that is needed is not to be had now: it is begun again.
    pub(super) async fn migrate(
        &self,
        upload: &Upload,
        cut: &Arc<Snapshot>,
        migration: u64,
    ) -> Result<(), SyncError> {
        {
            // What another network was seen to hold says nothing of this one.
            let _held = self.kept.hold();
            self.kept.totals.next_era();
        }
        self.enlisted.store(0, Ordering::Relaxed);
        self.leftover.lock().forget();
        if self.head_of(cut)?.is_none() {
            // Rows that are half of this cut and half of the one before lead nowhere.
            self.prepared(cut, &Attempts::new(), &[])?;
        }
        self.enlist(&upload.network).await?;
        let is_found = self.carry_heads(upload).await?;
        self.carry_records(upload).await?;
        let _one = self.heading.lock();
        let mut edit = KeptEdit::new(Class::Meta);
        if let Some((mut own, _)) = self.last_head()? {
            if !is_found {
                own = self.feed().move_on(&own)?;
            }
            own.state = HeadState::Made;
            own.confirmed = 0;
            edit.row(Key::own_head(), Change::Put(own.encode().into()));
        }
        self.move_box_heads(&mut edit)?;
        let _held = self.kept.hold();
        edit.listed(self.kept.newest()?, migration);
        self.kept.write(edit)?;
        Ok(self.kept.rows().sync()?)
    }

    /// Carries the heads on the way to the newest one of each feed that is known, as they are. Says whether they lead to
    /// that of this machine: perhaps nobody has them any more.
    ///
    /// # Errors
    /// When somebody who may have them does not answer.
    async fn carry_heads(&self, upload: &Upload) -> Result<bool, SyncError> {
        let store = upload.network.endpoints.unhurried();
        let own = self.feed().feed();
        let last = self.last_head()?;
        let newest = last.as_ref().map(|(own, _)| own.index);
        let (mut carried, mut known) = (Vec::new(), BTreeSet::new());
        let now = self.feed();
        let head = last.as_ref().map(|(_, head)| head.clone());
        let older = older_feeds(&store, &now, head).await?;
        let feeds = self.known_feeds()?.into_iter();
        let feeds = feeds.map(|feed| (feed, now.secret()));
        for (feed, secret) in feeds.chain(older.iter().map(|(feed, secret)| (*feed, secret))) {
            let way = find::way(&store, secret, feed).await?;
            for (index, addresses) in way {
                // The newest one of this machine comes when all it tells of is there.
                if feed == own && Some(index) == newest {
                    continue;
                }
                let mut pair = Vec::new();
                for address in addresses {
                    if let Some(chunk) = upload.network.endpoints.search(address).await? {
                        pair.push(chunk);
                    }
                }
                if feed == own && !pair.is_empty() {
                    known.insert(index);
                }
                self.carry_pair(upload, &pair).await?;
                carried.extend(pair);
            }
        }
        for chunk in &carried {
            self.see(upload, chunk).await?;
        }
        let Some((newest, _)) = last.filter(|(last, _)| !find::leads(&known, last.index)) else {
            return Ok(true);
        };
        for chunk in self.feed().chunks(&newest)? {
            upload.network.endpoints.search(chunk.address()).await?;
        }
        Ok(false)
    }

    /// Carries the records that tell others of what is published: who is told nothing new finds the newest one as long
    /// as it is paid for.
    ///
    /// # Errors
    /// When somebody who may have one does not answer.
    async fn carry_records(&self, upload: &Upload) -> Result<(), SyncError> {
        let mut carried = Vec::new();
        for address in self.follow.records()? {
            let Some(record) = upload.network.endpoints.search(address).await? else {
                continue;
            };
            match upload.send(Freight::Node, &record).await {
                Ok(()) => carried.push(record),
                Err(StoreError::Rejected(Rejection::BucketFull(_))) => {
                    tracing::info!("the new batch has no room for a record of a grant");
                }
                Err(error) => return Err(error.into()),
            }
        }
        for record in &carried {
            self.see(upload, record).await?;
        }
        Ok(())
    }

    /// Own feed first.
    fn known_feeds(&self) -> Result<Vec<Feed>, SyncError> {
        let own = self.feed().feed();
        let row = self.kept.rows().get(&Key::seen_heads())?;
        let seen = row.map(|row| SeenHeads::decode(&row).map_err(damaged));
        let seen = seen.transpose()?.unwrap_or_default();
        let others = seen.0.into_iter().map(|seen| Feed {
            epoch: seen.epoch,
            box_epoch: seen.box_epoch,
            device: seen.device,
        });
        // Those of epochs before are found from the newest head.
        let others = others.filter(|feed| {
            *feed != own && (feed.epoch, feed.box_epoch) == (own.epoch, own.box_epoch)
        });
        Ok(std::iter::once(own).chain(others).collect())
    }

    /// One of a pair stands for both.
    async fn carry_pair(&self, upload: &Upload, pair: &[SealedChunk]) -> Result<(), SyncError> {
        let mut refused = 0;
        for chunk in pair {
            match upload.send(Freight::Node, chunk).await {
                Ok(()) => {}
                Err(StoreError::Rejected(Rejection::BucketFull(_))) => refused += 1,
                Err(error) => return Err(error.into()),
            }
        }
        if refused > 0 && refused == pair.len() {
            return Err(SyncError::BatchFull);
        }
        Ok(())
    }

    /// Looks until the network holds a head. Another one in its place was written since: it leads on as well.
    async fn see(&self, upload: &Upload, chunk: &SealedChunk) -> Result<(), SyncError> {
        let network = &upload.network;
        for _ in 0..RETRIEVE_TRIES {
            let sought = Sought::Owned(chunk);
            match network.endpoints.verify(sought, &network.writer).await? {
                Verdict::Held(_) | Verdict::Other => return Ok(()),
                Verdict::NotYet => tokio::time::sleep(CONFIRM_PAUSE).await,
            }
        }
        Err(StoreError::NotFound.into())
    }
}
