use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::*;
use crate::crypto::Secret;
use crate::crypto::keys::{BoxSecret, PodSecret};
use crate::crypto::publish::{HeadPlace, seal_head};
use crate::crypto::swarm::{SealedChunk, SocId, soc_address};
use crate::format::published::{Adopted, Head};
use crate::format::rows::SeenHeads;
use crate::store::{Answer, Receipt, Rejection, Store};
use crate::sync::sample;
use crate::types::{Address, Timespec};

fn pod(epoch: u32) -> PodSecret {
    PodSecret::restore(Secret::from_bytes(&[epoch.to_le_bytes()[0] + 1; 32]))
}

const FEED: Feed = Feed {
    epoch: 0,
    box_epoch: 0,
    device: 0,
};

fn feed(epoch: u32, box_epoch: u32, device: u16) -> Feed {
    Feed {
        epoch,
        box_epoch,
        device,
    }
}

fn head(feed: Feed, index: u64) -> Head {
    let time = Timespec {
        secs: i64::try_from(index).unwrap(),
        nanos: 0,
    };
    Head {
        device: feed.device,
        epoch: feed.epoch,
        box_epoch: feed.box_epoch,
        index,
        time,
        ..sample::head(sample::attributes(0o040_755, 1), Vec::new())
    }
}

/// What a feed says that goes on from there.
fn adopted(from: Feed, index: u64) -> Adopted {
    Adopted {
        epoch: from.epoch,
        box_epoch: from.box_epoch,
        device: from.device,
        index,
        hash: *blake3::hash(&sealed(from, index, &head(from, index))).as_bytes(),
    }
}

fn secret(feed: Feed) -> BoxSecret {
    pod(feed.epoch).box_secret(0, feed.box_epoch)
}

fn sealed(at: Feed, index: u64, head: &Head) -> [u8; 4096] {
    let secret = secret(at);
    let place = HeadPlace {
        owner: secret.feed_signer(at.device).owner(),
        topic: secret.feed_topic(at.device),
        index,
    };
    seal_head(&secret.head_keys(), &place, head.encode().unwrap().expose())
}

fn addresses(at: Feed, index: u64) -> [Address; 2] {
    let secret = secret(at);
    let owner = secret.feed_signer(at.device).owner();
    let topics = [
        secret.feed_topic(at.device),
        secret.feed_replica_topic(at.device),
    ];
    topics.map(|topic| soc_address(&SocId::of_update(&topic, index), &owner))
}

/// Signs heads when they are asked for.
#[derive(Default)]
struct Feeds {
    there: Mutex<BTreeMap<Address, (Feed, u64, bool)>>,
    heads: Mutex<BTreeMap<(Feed, u64), Head>>,
    payloads: Mutex<BTreeMap<(Feed, u64), Vec<u8>>>,
    lost: Mutex<BTreeSet<Address>>,
    silent: Mutex<bool>,
    asked: Mutex<u64>,
}

impl Feeds {
    fn of(feeds: &[(Feed, u64)]) -> Arc<Self> {
        let made = Self::default();
        for (feed, count) in feeds {
            (0..*count).for_each(|index| made.add(*feed, index));
        }
        Arc::new(made)
    }

    fn add(&self, feed: Feed, index: u64) {
        let mut there = self.there.lock();
        for (address, replica) in addresses(feed, index).into_iter().zip([false, true]) {
            there.insert(address, (feed, index, replica));
        }
    }

    fn say(&self, feed: Feed, said: Head) -> [u8; 32] {
        self.add(feed, said.index);
        let hash = *blake3::hash(&sealed(feed, said.index, &said)).as_bytes();
        self.heads.lock().insert((feed, said.index), said);
        hash
    }

    fn chunk(&self, address: Address) -> Option<SealedChunk> {
        let (at, index, replica) = *self.there.lock().get(&address)?;
        let said = self.heads.lock().get(&(at, index)).cloned();
        let payload = self.payloads.lock().get(&(at, index)).cloned();
        let payload = payload.unwrap_or_else(|| {
            sealed(at, index, &said.unwrap_or_else(|| head(at, index))).to_vec()
        });
        let secret = secret(at);
        let topic = if replica {
            secret.feed_replica_topic(at.device)
        } else {
            secret.feed_topic(at.device)
        };
        let (signer, id) = (
            secret.feed_signer(at.device),
            SocId::of_update(&topic, index),
        );
        Some(SealedChunk::single_owner(&signer, &id, &payload).unwrap())
    }

    fn lose(&self, feed: Feed, index: u64) {
        self.lost.lock().extend(addresses(feed, index));
    }

    fn newest(self: &Arc<Self>, feed: Feed) -> Result<Option<u64>, FindError> {
        let store: Arc<dyn Store> = Arc::clone(self) as Arc<dyn Store>;
        let found = wait(newest(&store, &secret(feed), feed))?;
        Ok(found.map(|found| found.head.index))
    }

    fn survey(self: &Arc<Self>, known: &Known) -> Result<Survey, FindError> {
        let store: Arc<dyn Store> = Arc::clone(self) as Arc<dyn Store>;
        wait(survey(&store, &pod, known, &|progress| {
            assert!(progress.asked <= progress.wanted);
        }))
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(future)
}

impl Store for Feeds {
    fn put<'a>(&'a self, _chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        Box::pin(async { Err(StoreError::Rejected(Rejection::NoBatch)) })
    }

    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        Box::pin(async move {
            *self.asked.lock() += 1;
            tokio::task::yield_now().await;
            if *self.silent.lock() {
                return Err(StoreError::unavailable(crate::store::Outage::Down));
            }
            if self.lost.lock().contains(&address) {
                return Err(StoreError::NotFound);
            }
            self.chunk(address).ok_or(StoreError::NotFound)
        })
    }

    fn has(&self, address: Address) -> Answer<'_, bool> {
        Box::pin(async move { Ok(self.chunk(address).is_some()) })
    }
}

const LONG: u64 = 20_000;

#[test]
fn no_lost_index_hides_newer_heads() {
    let feeds = Feeds::of(&[(FEED, LONG)]);
    assert_eq!(feeds.newest(FEED).unwrap(), Some(LONG - 1));
    assert!(*feeds.asked.lock() < 700, "{}", feeds.asked.lock());
    let powers = (0..15).map(|power| (1 << power) - 1);
    for index in powers.chain([18_431, 19_454, 19_998, 12_000]) {
        feeds.lost.lock().clear();
        feeds.lose(FEED, index);
        assert_eq!(feeds.newest(FEED).unwrap(), Some(LONG - 1), "{index}");
    }
    feeds.lose(FEED, LONG - 1);
    assert_eq!(feeds.newest(FEED).unwrap(), Some(LONG - 2));
    for lost in addresses(FEED, LONG - 1) {
        *feeds.lost.lock() = BTreeSet::from([lost]);
        assert_eq!(feeds.newest(FEED).unwrap(), Some(LONG - 1));
    }
    feeds.lost.lock().clear();
    (LONG - 9..LONG - 1).for_each(|index| feeds.lose(FEED, index));
    assert_eq!(feeds.newest(FEED).unwrap(), Some(LONG - 1));
}

#[test]
fn every_short_feed_is_found_to_its_end() {
    let feeds = Feeds::of(&[]);
    assert_eq!(feeds.newest(FEED).unwrap(), None);
    for index in 0..70 {
        feeds.add(FEED, index);
        assert_eq!(feeds.newest(FEED).unwrap(), Some(index));
    }
}

#[test]
fn what_says_that_it_belongs_elsewhere_is_no_head() {
    let feeds = Feeds::of(&[(FEED, 3)]);
    let elsewhere = [
        Head {
            index: 4,
            ..head(FEED, 3)
        },
        Head {
            device: 1,
            ..head(FEED, 3)
        },
        Head {
            epoch: 1,
            ..head(FEED, 3)
        },
        Head {
            box_number: 1,
            ..head(FEED, 3)
        },
        Head {
            box_epoch: 1,
            ..head(FEED, 3)
        },
    ];
    feeds.add(FEED, 3);
    for wrong in elsewhere {
        feeds
            .payloads
            .lock()
            .insert((FEED, 3), sealed(FEED, 3, &wrong).to_vec());
        assert_eq!(feeds.newest(FEED).unwrap(), Some(2));
    }
    // Garbage, nothing, the head of another place, of another pod.
    let old = sealed(FEED, 2, &head(FEED, 2)).to_vec();
    let other = sealed(feed(1, 0, 0), 3, &head(FEED, 3)).to_vec();
    for wrong in [vec![7; 4096], Vec::new(), old, other] {
        feeds.payloads.lock().insert((FEED, 3), wrong);
        assert_eq!(feeds.newest(FEED).unwrap(), Some(2));
    }
    feeds.payloads.lock().clear();
    assert_eq!(feeds.newest(FEED).unwrap(), Some(3));
}

#[test]
fn silence_is_never_no_head() {
    let feeds = Feeds::of(&[(FEED, 3)]);
    *feeds.silent.lock() = true;
    assert!(matches!(feeds.newest(FEED), Err(FindError::Unavailable(_))));
    let surveyed = feeds.survey(&Known::default());
    assert!(matches!(surveyed, Err(FindError::Unavailable(_))));
}

#[test]
fn the_feed_that_nobody_went_on_from_is_chosen() {
    let (old, new) = (FEED, feed(0, 1, 9));
    let feeds = Feeds::of(&[(old, 5)]);
    let adopted = adopted(old, 4);
    let (hash, adopted) = (adopted.hash, Some(adopted));
    feeds.add(feed(0, 0, 8), 0);
    let first = Head {
        adopted,
        ..head(new, 0)
    };
    feeds.say(new, first);
    let survey = feeds.survey(&Known::default()).unwrap();
    let places: Vec<_> = survey.contenders().iter().map(|found| found.feed).collect();
    assert_eq!(places, [new, feed(0, 0, 8)]);
    let superseded: Vec<_> = survey
        .heads()
        .map(|found| survey.is_superseded(found))
        .collect();
    assert_eq!(superseded, [true, false, false]);
    assert_eq!(survey.free_devices().next(), Some(1));
    // Back to the first head of all, by hash.
    let store: Arc<dyn Store> = Arc::clone(&feeds) as Arc<dyn Store>;
    let before = wait(survey.contenders()[0].before(&store, &pod))
        .unwrap()
        .unwrap();
    assert_eq!(
        (before.feed, before.head.index, before.hash),
        (old, 4, hash)
    );
    assert!(wait(before.before(&store, &pod)).unwrap().is_none());
    feeds.lose(old, 4);
    let missing = wait(survey.contenders()[0].before(&store, &pod));
    assert!(matches!(missing, Err(FindError::Missing(feed, 4)) if feed == old));
}

/// Whoever has the keys of an epoch that is over can go on in it.
#[test]
fn what_goes_on_in_an_epoch_that_is_over_is_not_believed() {
    let new = feed(1, 0, 0);
    for (heads, refused) in [(5, 0), (6, 1)] {
        let (feeds, adopted) = (Feeds::of(&[(FEED, heads)]), Some(adopted(FEED, 4)));
        let first = head(new, 0);
        feeds.say(new, Head { adopted, ..first });
        let survey = feeds.survey(&Known::default()).unwrap();
        let left: Vec<_> = survey.contenders().iter().map(|it| it.feed).collect();
        assert_eq!((left, survey.refused()), (vec![new], refused));
    }
}

#[test]
fn epochs_are_found_two_further_and_from_what_is_known() {
    let far = feed(2, 0, 0);
    let feeds = Feeds::of(&[(far, 1), (feed(4, 0, 3), 2)]);
    let survey = feeds.survey(&Known::default()).unwrap();
    assert_eq!(survey.contenders()[0].feed, feed(4, 0, 3));
    let feeds = Feeds::of(&[(feed(5, 1, 0), 1)]);
    assert!(
        feeds
            .survey(&Known::default())
            .unwrap()
            .contenders()
            .is_empty()
    );
    let known = Known {
        epoch: 4,
        ..Known::default()
    };
    assert_eq!(feeds.survey(&known).unwrap().contenders().len(), 1);
}

#[test]
fn what_was_seen_is_never_older_or_another() {
    let feeds = Feeds::of(&[(FEED, 5), (feed(0, 0, 1), 1)]);
    let found = feeds.survey(&Known::default()).unwrap();
    let seen = found.seen(&SeenHeads::default());
    assert_eq!(seen.0.len(), 2);
    let known = Known {
        seen: seen.clone(),
        ..Known::default()
    };
    assert_eq!(feeds.survey(&known).unwrap().seen(&seen), seen);
    feeds.lose(FEED, 4);
    let back = feeds.survey(&known);
    assert!(
        matches!(back, Err(FindError::RolledBack { feed, seen: 4, found: Some(3) }) if feed == FEED)
    );
    feeds.lost.lock().clear();
    let other = Head {
        next_ino: 77,
        ..head(FEED, 4)
    };
    feeds.say(FEED, other);
    assert!(matches!(feeds.survey(&known), Err(FindError::Forked(feed, 4)) if feed == FEED));
    feeds.add(FEED, 5);
    assert_eq!(feeds.survey(&known).unwrap().seen(&seen).0[0].index, 5);
}

#[test]
fn empty_feeds_take_few_looks_and_expired_beginnings_hide_nothing() {
    let feeds = Feeds::of(&[(FEED, 300)]);
    let begin = |from: u64| {
        feeds.lost.lock().clear();
        (0..from).for_each(|index| feeds.lose(FEED, index));
        *feeds.asked.lock() = 0;
        let survey = feeds.survey(&Known::default()).unwrap();
        let found = survey.heads().map(|found| found.head.index).next();
        (found, *feeds.asked.lock())
    };
    for from in [0, 1, 3, 4, 100, 200, 255] {
        let (found, asked) = begin(from);
        assert_eq!(found, Some(299), "without the first {from}");
        assert!(asked < 2000, "{asked}");
    }
    // What only the whole search finds is found when there is nothing else.
    let feeds = Feeds::of(&[(FEED, 7)]);
    (0..6).for_each(|index| feeds.lose(FEED, index));
    let survey = feeds.survey(&Known::default()).unwrap();
    assert_eq!(survey.heads().map(|found| found.head.index).next(), Some(6));
}
