use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::crypto::keys::PodSecret;
use crate::format::rows::{SeenHead, SeenHeads};
use crate::store::{Outage, Store, StoreError};
use crate::sync::find::head::{Door, own_box};
use crate::sync::find::probe::{climb, newest_if_any};
use crate::sync::find::{Feed, FindError, FoundHead};
use crate::types::RECEIVED;
use crate::types::limits::FIND_FEEDS_MAX;

/// Devices above the highest that has a head which are asked for too.
const DEVICES: u16 = 8;
/// Epochs above the highest that have heads which are asked for too, both kinds together.
const EPOCHS: u32 = 2;

/// Gives the secret of the pod in an epoch.
pub type PodKeys<'a> = &'a (dyn Fn(u32) -> PodSecret + Send + Sync);

/// What is known before anything is asked.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// An epoch of the pod that there was.
    pub epoch: u32,
    /// An epoch of the box that there was.
    pub box_epoch: u32,
    /// Heads that were seen: nothing older is believed.
    pub seen: SeenHeads,
}

/// How far the search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Feeds that were searched.
    pub asked: usize,
    /// Feeds that are to be searched, as far as is known.
    pub wanted: usize,
    /// Feeds that have a head.
    pub found: usize,
}

/// The newest heads of all feeds.
#[derive(Default)]
pub struct Survey {
    heads: BTreeMap<Feed, FoundHead>,
}

/// Searches all feeds of a pod for their newest heads. Slow: what is not there makes a node look everywhere.
///
/// # Errors
/// [`FindError::Unavailable`]: nothing is known. [`FindError::RolledBack`], [`FindError::Forked`]: a feed is not what
/// it was.
pub async fn survey(
    store: &Arc<dyn Store>,
    pods: PodKeys<'_>,
    known: &Known,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Survey, FindError> {
    let mut survey = Survey::default();
    let mut asked: BTreeSet<Feed> = BTreeSet::new();
    let mut again = true;
    loop {
        let mut wanted = survey.wanted(known);
        wanted.retain(|feed| !asked.contains(feed));
        if wanted.is_empty() && survey.heads.is_empty() && again {
            // "There is no pod" depends on it: the feeds that each pod begins with once more.
            wanted.extend((0..DEVICES).map(|device| feed((0, 0), device)));
            again = false;
        }
        if wanted.is_empty() {
            break;
        }
        asked.extend(&wanted);
        let tell = |left: usize, found: usize| {
            progress(Progress {
                asked: asked.len().saturating_sub(left),
                wanted: asked.len(),
                found,
            });
        };
        survey.search(store, pods, (wanted, again), &tell).await?;
    }
    for seen in &known.seen.0 {
        let place = feed((seen.epoch, seen.box_epoch), seen.device);
        refuse_older(place, survey.heads.get(&place), seen)?;
    }
    Ok(survey)
}

impl Survey {
    /// The newest head of each feed that has one.
    pub fn heads(&self) -> impl Iterator<Item = &FoundHead> {
        self.heads.values()
    }

    /// Whether another feed went on from the newest head of this one, or from a later one.
    pub fn is_superseded(&self, found: &FoundHead) -> bool {
        self.heads.values().any(|other| {
            other.head.adopted.as_ref().is_some_and(|adopted| {
                let from = feed((adopted.epoch, adopted.box_epoch), adopted.device);
                other.feed != found.feed && from == found.feed && adopted.index >= found.head.index
            })
        })
    }

    /// The heads of the newest epoch of the pod that no other knows, best first: the first is what the pod goes on from,
    /// each of the others shows a state that the first knows nothing of.
    pub fn contenders(&self) -> Vec<&FoundHead> {
        let newest = self.newest_epoch();
        let heads = || self.heads.values().filter(|it| it.feed.epoch == newest);
        let mut left: Vec<_> = heads().filter(|it| !self.is_superseded(it)).collect();
        if left.is_empty() {
            left = heads().collect();
        }
        left.sort_by_key(|found| {
            let Feed {
                epoch,
                box_epoch,
                device,
            } = found.feed;
            Reverse((epoch, box_epoch, found.head.time, device))
        });
        left
    }

    /// How many feeds go on in an epoch that is over: their keys were replaced, and what they say is not believed.
    pub fn refused(&self) -> usize {
        let newest = self.newest_epoch();
        let heads = self.heads.values().filter(|it| it.feed.epoch < newest);
        heads.filter(|it| !self.is_superseded(it)).count()
    }

    fn newest_epoch(&self) -> u32 {
        let epochs = self.heads.keys().map(|feed| feed.epoch);
        epochs.max().unwrap_or_default()
    }

    /// The heads to be remembered: those found, and those that were `seen` before of other feeds.
    pub fn seen(&self, before: &SeenHeads) -> SeenHeads {
        let place = |seen: &SeenHead| feed((seen.epoch, seen.box_epoch), seen.device);
        let mut all: BTreeMap<_, _> = before.0.iter().map(|seen| (place(seen), *seen)).collect();
        all.extend(self.heads().map(|found| (found.feed, found.seen())));
        SeenHeads(all.into_values().collect())
    }

    /// The device numbers that no feed was found of, the lowest first: for a machine that comes new.
    pub fn free_devices(&self) -> impl Iterator<Item = u16> {
        let taken: BTreeSet<_> = self.heads.keys().map(|feed| feed.device).collect();
        (0..RECEIVED).filter(move |device| !taken.contains(device))
    }

    /// The feeds to be searched by what is known so far.
    fn wanted(&self, known: &Known) -> BTreeSet<Feed> {
        let seen = known.seen.0.iter();
        let seen = seen.map(|seen| feed((seen.epoch, seen.box_epoch), seen.device));
        let feeds: Vec<_> = self.heads.keys().copied().chain(seen).collect();
        let epochs = feeds.iter().map(|feed| feed.epoch);
        let epoch = epochs.fold(known.epoch, u32::max);
        let box_epochs = feeds.iter().map(|feed| feed.box_epoch);
        let box_epoch = box_epochs.fold(known.box_epoch, u32::max);
        let devices = feeds.iter().map(|feed| feed.device.saturating_add(DEVICES));
        let devices = devices.fold(DEVICES - 1, u16::max);
        let mut wanted = BTreeSet::new();
        for above in 0..=EPOCHS {
            for e in 0..=epoch.saturating_add(above) {
                for f in 0..=box_epoch.saturating_add(EPOCHS - above) {
                    wanted.extend((0..=devices).map(|device| feed((e, f), device)));
                }
            }
        }
        wanted
    }

    /// Searches these feeds, `brief`ly those that have no heads; `tell` hears how many are left and how many have heads.
    async fn search(
        &mut self,
        store: &Arc<dyn Store>,
        pods: PodKeys<'_>,
        (wanted, brief): (BTreeSet<Feed>, bool),
        tell: &(dyn Fn(usize, usize) + Send + Sync),
    ) -> Result<(), FindError> {
        let mut left = wanted.len();
        let (mut queue, mut climbing) = (wanted.into_iter(), JoinSet::new());
        loop {
            while climbing.len() < FIND_FEEDS_MAX
                && let Some(feed) = queue.next()
            {
                let (store, door) = (Arc::clone(store), Door::new(&own_box(pods, feed), feed));
                let door = Arc::new(door);
                climbing.spawn(async move {
                    if brief {
                        newest_if_any(&store, &door).await
                    } else {
                        climb(&store, &door).await
                    }
                });
            }
            let Some(found) = climbing.join_next().await else {
                return Ok(());
            };
            let cut = |_| FindError::Unavailable(StoreError::unavailable(Outage::Cut));
            if let Some(found) = found.map_err(cut)?? {
                self.heads.insert(found.feed, found);
            }
            left = left.saturating_sub(1);
            tell(left, self.heads.len());
        }
    }
}

/// Refuses what is older than a head that was seen, or another one in its place.
pub(super) fn refuse_older(
    feed: Feed,
    found: Option<&FoundHead>,
    seen: &SeenHead,
) -> Result<(), FindError> {
    let index = found.map(|found| found.head.index);
    if index.is_none_or(|index| index < seen.index) {
        return Err(FindError::RolledBack {
            feed,
            seen: seen.index,
            found: index,
        });
    }
    let same = found.is_some_and(|found| found.head.index > seen.index || found.hash == seen.hash);
    if same {
        Ok(())
    } else {
        Err(FindError::Forked(feed, seen.index))
    }
}

const fn feed((epoch, box_epoch): (u32, u32), device: u16) -> Feed {
    Feed {
        epoch,
        box_epoch,
        device,
    }
}
