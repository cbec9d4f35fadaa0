use std::sync::Arc;

use crate::crypto::keys::{BoxSecret, HeadKeys, Topic};
use crate::crypto::publish::{HeadPlace, open_head};
use crate::crypto::scalar::Owner;
use crate::crypto::swarm::{SealedChunk, SocId, soc_address};
use crate::format::published::Head;
use crate::format::rows::SeenHead;
use crate::store::{Store, StoreError};
use crate::sync::find::{FindError, PodKeys};
use crate::types::Address;
use crate::types::limits::{BACKOFF_FIRST, FIND_ATTEMPTS};

/// The box whose heads are found: the pod's own.
const OWN_BOX: u32 = 0;

/// Which feed: one for each device in each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Feed {
    /// Epoch of the pod.
    pub epoch: u32,
    /// Epoch of the box.
    pub box_epoch: u32,
    /// The device.
    pub device: u16,
}

/// A head as it was found.
#[derive(Clone)]
pub struct FoundHead {
    /// The feed in which it stands.
    pub feed: Feed,
    /// What it says.
    pub head: Head,
    /// BLAKE3 of its sealed payload.
    pub hash: [u8; 32],
}

/// What is needed to ask for the heads of one feed, and to open them.
pub(super) struct Door {
    pub(super) feed: Feed,
    owner: Owner,
    topics: [Topic; 2],
    keys: HeadKeys,
}

impl std::fmt::Display for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            epoch,
            box_epoch,
            device,
        } = self;
        write!(
            f,
            "the feed of device {device} in epoch {epoch}.{box_epoch}"
        )
    }
}

impl FoundHead {
    /// What is noted of it, so that nothing older is ever believed.
    pub const fn seen(&self) -> SeenHead {
        SeenHead {
            epoch: self.feed.epoch,
            box_epoch: self.feed.box_epoch,
            device: self.feed.device,
            index: self.head.index,
            hash: self.hash,
        }
    }

    /// The head before this one: of its feed, or the one that the feed went on from. For a pod of which this head's
    /// nodes are missing. Whether it is that one, its hash tells.
    ///
    /// # Errors
    /// [`FindError::Missing`] when it is not to be had, [`FindError::Unavailable`] when nobody answers.
    pub async fn before(
        &self,
        store: &Arc<dyn Store>,
        pods: PodKeys<'_>,
    ) -> Result<Option<Self>, FindError> {
        let (feed, index, hash) = match (self.head.previous, &self.head.adopted) {
            (Some((index, hash)), _) => (self.feed, index, hash),
            (None, Some(adopted)) => {
                let feed = Feed {
                    epoch: adopted.epoch,
                    box_epoch: adopted.box_epoch,
                    device: adopted.device,
                };
                (feed, adopted.index, adopted.hash)
            }
            (None, None) => return Ok(None),
        };
        let door = Door::new(&own_box(pods, feed), feed);
        for replica in [false, true] {
            let found = door.ask(&**store, index, replica).await?;
            if let Some(found) = found.filter(|found| found.hash == hash) {
                return Ok(Some(found));
            }
        }
        Err(FindError::Missing(feed, index))
    }
}

/// The secret of the pod's own box in the epochs of `feed`.
pub(super) fn own_box(pods: PodKeys<'_>, feed: Feed) -> BoxSecret {
    pods(feed.epoch).box_secret(OWN_BOX, feed.box_epoch)
}

impl Door {
    pub(super) fn new(secret: &BoxSecret, feed: Feed) -> Self {
        Self {
            feed,
            owner: secret.feed_signer(feed.device).owner(),
            topics: [
                secret.feed_topic(feed.device),
                secret.feed_replica_topic(feed.device),
            ],
            keys: secret.head_keys(),
        }
    }

    /// Where the head at `index` stands: under the primary topic, and under the other.
    pub(super) fn addresses(&self, index: u64) -> [Address; 2] {
        let of = |topic: &Topic| soc_address(&SocId::of_update(topic, index), &self.owner);
        self.topics.each_ref().map(of)
    }

    /// The head at `index` under one of the topics, if one is there.
    ///
    /// # Errors
    /// [`FindError::Unavailable`] when nobody answers, however often.
    pub(super) async fn ask(
        &self,
        store: &dyn Store,
        index: u64,
        replica: bool,
    ) -> Result<Option<FoundHead>, FindError> {
        let [primary, other] = self.addresses(index);
        let address = if replica { other } else { primary };
        let chunk = get(store, address).await?;
        Ok(chunk.and_then(|chunk| self.open(&chunk, index)))
    }

    /// A chunk that stands in the right place and does not open there, or says that it belongs elsewhere, is no head.
    fn open(&self, chunk: &SealedChunk, index: u64) -> Option<FoundHead> {
        let [topic, _] = self.topics;
        let place = HeadPlace {
            owner: self.owner,
            topic,
            index,
        };
        let plain = open_head(&self.keys, &place, chunk.payload()).ok()?;
        let head = Head::decode(plain.expose()).ok()?;
        let Feed {
            epoch,
            box_epoch,
            device,
        } = self.feed;
        let says = (
            head.epoch,
            head.box_number,
            head.box_epoch,
            head.device,
            head.index,
        );
        let hash = *blake3::hash(chunk.payload()).as_bytes();
        let found = FoundHead {
            feed: self.feed,
            head,
            hash,
        };
        (says == (epoch, OWN_BOX, box_epoch, device, index)).then_some(found)
    }
}

/// The chunk, or nothing when it is not there. Silence is asked again, and then an error.
async fn get(store: &dyn Store, address: Address) -> Result<Option<SealedChunk>, FindError> {
    let mut pause = BACKOFF_FIRST;
    for attempt in 1..=FIND_ATTEMPTS {
        match store.get(address).await {
            Ok(chunk) => return Ok(Some(chunk)),
            Err(StoreError::NotFound | StoreError::Corrupt) => return Ok(None),
            Err(StoreError::Unavailable { .. }) if attempt < FIND_ATTEMPTS => {
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
            Err(error) => return Err(FindError::Unavailable(error)),
        }
    }
    Ok(None)
}
