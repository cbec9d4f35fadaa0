//! Keys of a later epoch: the feed of this machine goes on in another one, and nothing is sent again.

use std::sync::Arc;

use crate::crypto::keys::BoxSecret;
use crate::format::published::Head;
use crate::format::rows::{Key, OwnHead};
use crate::index::Rows;
use crate::journal::{Batch, Class};
use crate::store::Store;
use crate::sync::box_heads::begun_boxes;
use crate::sync::boxes::BoxSecrets;
use crate::sync::error::SyncError;
use crate::sync::find::{self, Feed};
use crate::sync::heads::OwnFeed;
use crate::sync::kept::damaged;
use crate::sync::publisher::Publisher;
use crate::types::Timespec;

/// What the first heads of feeds need: 16 random bytes, and the wall clock.
pub type Beginning = ([u8; 16], Timespec);

/// The feed of a device in one epoch, and the secrets of the boxes that are attached to directories.
pub type EpochFeeds = (OwnFeed, BoxSecrets);

impl Publisher {
    /// The feed that is written to.
    pub(super) fn feed(&self) -> Arc<OwnFeed> {
        Arc::clone(&self.feed.read())
    }

    /// The newest head of it, as it stands in the log.
    pub(super) fn last_head(&self) -> Result<Option<(OwnHead, Head)>, SyncError> {
        // Held until the row was read: both change together.
        let feed = self.feed.read();
        feed.last(self.kept.rows())
    }

    /// From now on feeds of a later epoch are written to: that of the pod, and those of boxes. Their first heads are durable
    /// in the log when this returns. What waits for a node is let go before, and gone on with afterwards.
    ///
    /// # Errors
    /// When the log does not give the heads before, or does not take the new ones: then nothing has changed.
    pub async fn begin_epoch(&self, later: EpochFeeds, begun: Beginning) -> Result<(), SyncError> {
        let _still = self.still().await;
        self.turn_to(later, begun)
    }

    fn turn_to(&self, later: EpochFeeds, begun: Beginning) -> Result<(), SyncError> {
        let _one = self.heading.lock();
        let (mut feed, mut boxes) = (self.feed.write(), self.boxes.write());
        begin(self.kept.rows(), (&later, (&feed, &boxes)), begun)?;
        *feed = Arc::new(later.0);
        *boxes = Arc::new(later.1);
        Ok(())
    }
}

/// Writes the first heads of the feeds of `later`, which go on from the newest ones of the epoch before. Says whether there
/// was any to go on from. All of them are in the log, or none.
fn begin(
    rows: &Rows,
    (later, before): (&EpochFeeds, (&OwnFeed, &BoxSecrets)),
    begun: Beginning,
) -> Result<bool, SyncError> {
    let Some((own, head)) = before.0.last(rows)? else {
        return Ok(false);
    };
    let mut batch = Batch::new(Class::Meta);
    let first = later.0.begin(before.0, (&own, head), begun)?;
    batch.put(Key::own_head(), first.encode());
    for (number, first) in begun_boxes(rows, ((&later.0, &later.1), before), begun)? {
        batch.put(Key::box_head(number), first.encode());
    }
    rows.append(batch, None)?;
    rows.sync()?;
    Ok(true)
}

/// The feeds of epochs before that of `feed`, whose newest head is `newest`: the newest first, with the secrets that open
/// them, as far as the heads are to be had that lead there.
///
/// # Errors
/// When nobody answers; or a head says what cannot be.
pub(super) async fn older_feeds(
    store: &Arc<dyn Store>,
    feed: &OwnFeed,
    newest: Option<Head>,
) -> Result<Vec<(Feed, BoxSecret)>, SyncError> {
    let mut older = Vec::new();
    let (mut at, mut head) = (feed.feed(), newest);
    while let Some((now, adopted)) = head.as_ref().and_then(|now| Some((now, now.adopted?))) {
        let place = Feed {
            epoch: adopted.epoch,
            box_epoch: adopted.box_epoch,
            device: adopted.device,
        };
        let ring = now.ring()?.filter(|ring| ring.epochs() < epochs(&at));
        let known: &BoxSecret = older.last().map_or(feed.secret(), |(_, secret)| secret);
        let found = match ring {
            Some(ring) if ring.epochs() == epochs(&place) => {
                let secret = ring.open(known).map_err(damaged)?;
                let found = find::at(store, &secret, place, adopted.index).await?;
                older.push((place, secret));
                found
            }
            // Another device of the same epoch.
            _ if epochs(&place) == epochs(&at) => {
                find::at(store, known, place, adopted.index).await?
            }
            _ => return Ok(older),
        };
        let found = found.filter(|found| found.hash == adopted.hash);
        (at, head) = (place, found.map(|found| found.head));
    }
    Ok(older)
}

const fn epochs(feed: &Feed) -> (u32, u32) {
    (feed.epoch, feed.box_epoch)
}

/// The feed that a log goes on with: that of `now`, and whether it was begun now, since the log was left in the epoch
/// `before`. Of a log that is only looked at, it is the one before then.
///
/// # Errors
/// When the log does not take the first heads.
pub fn settled(
    rows: &Rows,
    (now, before): (EpochFeeds, Option<EpochFeeds>),
    begun: Beginning,
    read_only: bool,
) -> Result<(OwnFeed, bool), SyncError> {
    let Some(before) = before else {
        return Ok((now.0, false));
    };
    let Some(row) = rows.get(&Key::own_head())? else {
        return Ok((now.0, false));
    };
    let own = OwnHead::decode(&row)?;
    if now.0.is_of(&own) || !before.0.is_of(&own) {
        return Ok((now.0, false));
    }
    if read_only {
        return Ok((before.0, false));
    }
    let is_begun = begin(rows, (&now, (&before.0, &before.1)), begun)?;
    Ok((now.0, is_begun))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::keys::PodSecret;
    use crate::format::rows::{Attached, HeadState};
    use crate::store::Memory;
    use crate::sync::sample::{attributes, head, wait};

    const NOW: Beginning = ([7; 16], Timespec { secs: 9, nanos: 0 });

    fn feed(epoch: u8) -> OwnFeed {
        feeds(epoch).0
    }

    fn feeds(epoch: u8) -> EpochFeeds {
        let secret = PodSecret::restore(Secret::from_bytes(&[epoch; 32]));
        let feed = OwnFeed::new(secret.box_secret(0, 0), epoch.into(), 3);
        (feed, BoxSecrets::new(&secret))
    }

    fn first() -> OwnHead {
        let adopted = crate::format::published::Adopted {
            epoch: 0,
            box_epoch: 0,
            device: 1,
            index: 9,
            hash: [1; 32],
        };
        let found = head(attributes(0o040_755, 1), Vec::new());
        feed(0).adopt(found, adopted, (5, [1; 16], NOW.1)).unwrap()
    }

    fn rows_with(own: &OwnHead) -> Rows {
        let rows = Rows::memory();
        let mut batch = Batch::new(Class::Meta);
        batch.put(Key::own_head(), own.encode());
        rows.append(batch, None).unwrap();
        rows
    }

    #[test]
    fn a_log_that_was_left_in_the_epoch_before_goes_on_once() {
        let rows = rows_with(&first());
        let at = |now: u8, before: u8, read_only| {
            let both = (feeds(now), Some(feeds(before)));
            settled(&rows, both, NOW, read_only).unwrap()
        };
        // Who only looks sees what is there.
        let (now, begun) = at(1, 0, true);
        assert_eq!((now.feed().epoch, begun), (0, false));
        let (now, begun) = at(1, 0, false);
        assert_eq!((now.feed().epoch, begun), (1, true));
        let (own, head) = now.last(&rows).unwrap().unwrap();
        assert_eq!((own.index, own.publication, head.epoch), (0, 5, 1));
        assert_eq!(head.adopted.unwrap().index, 0);
        let (now, begun) = at(1, 0, false);
        assert_eq!((now.feed().epoch, begun), (1, false));
        assert!(now.last(&rows).unwrap().unwrap().0 == own);
    }

    /// Whoever has nothing but the secret of a box finds it at once in the new epoch, and what was before.
    #[test]
    fn boxes_go_on_with_the_pod_unless_they_are_removed() {
        let rows = rows_with(&first());
        let attached = |number| Attached {
            number,
            one_scope: number == 2,
        };
        let of_box = |epoch, number| {
            let (feed, boxes) = feeds(epoch);
            feed.of_box(&boxes, attached(number))
        };
        let mut batch = Batch::new(Class::Meta);
        for number in 1..=3 {
            let mut found = head(attributes(0o040_755, 1), Vec::new());
            (found.box_number, found.one_scope) = (number, attached(number).one_scope);
            let draft = crate::sync::prepare::Draft {
                root: found.root,
                journal: found.journal,
            };
            let said = crate::sync::heads::Circumstances {
                publication: 5,
                now: NOW.1,
                next_ino: 9,
                batches: Vec::new(),
                checkpoint: None,
                nonce: NOW.0,
            };
            let made = of_box(0, number).make(None, draft, said).unwrap();
            batch.put(Key::box_head(number), made.encode());
            if number < 3 {
                let dir = crate::types::Ino(u64::from(number) + 9);
                batch.put(Key::attached(dir), attached(number).encode());
            }
        }
        rows.append(batch, None).unwrap();
        let (_, begun) = settled(&rows, (feeds(1), Some(feeds(0))), NOW, false).unwrap();
        assert!(begun);
        for number in 1..=2 {
            let (own, head) = of_box(1, number).last_of_box(&rows).unwrap().unwrap();
            assert_eq!((own.index, own.state), (0, HeadState::Made));
            assert_eq!((head.epoch, head.box_number), (1, number));
            assert_eq!(head.one_scope, number == 2);
            let adopted = head.adopted.unwrap();
            assert_eq!((adopted.epoch, adopted.device, adopted.index), (0, 3, 0));
            let before = head.ring().unwrap().unwrap();
            let before = before.open(of_box(1, number).secret()).unwrap();
            assert_eq!(
                before.feed_topic(3),
                of_box(0, number).secret().feed_topic(3)
            );
        }
        assert!(of_box(1, 3).last_of_box(&rows).unwrap().is_none());
    }

    #[test]
    fn the_secret_of_an_epoch_leads_to_all_before_and_to_none_behind() {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let (rows, mut newest) = (rows_with(&first()), None);
        for epoch in 0..4 {
            let before = feeds(epoch.max(1) - 1);
            let (now, _) = settled(&rows, (feeds(epoch), Some(before)), NOW, false).unwrap();
            let (own, head) = now.last(&rows).unwrap().unwrap();
            for chunk in now.chunks(&own).unwrap() {
                wait(store.put(&chunk)).unwrap();
            }
            newest = Some(head);
        }
        let older = wait(older_feeds(&store, &feed(3), newest.clone())).unwrap();
        let found: Vec<_> = older.iter().map(|(feed, _)| feed.epoch).collect();
        assert_eq!(found, [2, 1, 0]);
        for (place, secret) in &older {
            assert!(wait(find::at(&store, secret, *place, 0)).unwrap().is_some());
        }
        // Whoever has another secret gets no further.
        let ring = newest.unwrap().ring().unwrap().unwrap();
        assert!(ring.open(feed(2).secret()).is_err());
    }
}
