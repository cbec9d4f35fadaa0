//! Keys of a later epoch: the feed of this machine goes on in another one, and nothing is sent again.

use std::sync::Arc;

use crate::crypto::keys::BoxSecret;
use crate::format::published::Head;
use crate::format::rows::{Key, OwnHead};
use crate::index::Rows;
use crate::journal::{Batch, Class};
use crate::store::Store;
use crate::sync::boxes::BoxSecrets;
use crate::sync::error::SyncError;
use crate::sync::find::{self, Feed};
use crate::sync::heads::OwnFeed;
use crate::sync::kept::damaged;
use crate::sync::publisher::Publisher;
use crate::types::Timespec;

/// What the first head of a feed needs: 16 random bytes, and the wall clock.
pub type Beginning = ([u8; 16], Timespec);

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

    /// From now on `feed`, of a later epoch, is written to, and boxes have these secrets. Its first head is durable in the log when this returns. What
    /// waits for a node is let go before, and gone on with afterwards.
    ///
    /// # Errors
    /// When the log does not give the head before, or does not take the new one: then nothing has changed.
    pub async fn begin_epoch(
        &self,
        (feed, boxes): (OwnFeed, BoxSecrets),
        begun: Beginning,
    ) -> Result<(), SyncError> {
        let network = self.network();
        self.set_network(None);
        let turned = {
            let _still = self.busy.write().await;
            self.turn_to((feed, boxes), begun)
        };
        self.set_network(network);
        turned
    }

    fn turn_to(
        &self,
        (feed, boxes): (OwnFeed, BoxSecrets),
        begun: Beginning,
    ) -> Result<(), SyncError> {
        let _one = self.heading.lock();
        let mut now = self.feed.write();
        if let Some((own, head)) = now.last(self.kept.rows())? {
            self.note_head(&feed.begin(&now, (&own, head), begun)?)?;
        }
        *now = Arc::new(feed);
        *self.boxes.write() = Arc::new(boxes);
        Ok(())
    }
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

/// The feed that a log goes on with: `feed`, and whether that was begun now, since the log was left in the epoch of
/// `before`. Of a log that is only looked at, it is `before` then.
///
/// # Errors
/// When the log does not take the first head.
pub fn settled(
    rows: &Rows,
    (feed, before): (OwnFeed, Option<OwnFeed>),
    begun: Beginning,
    read_only: bool,
) -> Result<(OwnFeed, bool), SyncError> {
    let Some(before) = before else {
        return Ok((feed, false));
    };
    let Some(row) = rows.get(&Key::own_head())? else {
        return Ok((feed, false));
    };
    let own = OwnHead::decode(&row)?;
    if feed.is_of(&own) || !before.is_of(&own) {
        return Ok((feed, false));
    }
    if read_only {
        return Ok((before, false));
    }
    let Some((own, head)) = before.last(rows)? else {
        return Ok((feed, false));
    };
    let first = feed.begin(&before, (&own, head), begun)?;
    let mut batch = Batch::new(Class::Meta);
    batch.put(Key::own_head(), first.encode());
    rows.append(batch, None)?;
    rows.sync()?;
    Ok((feed, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::keys::PodSecret;
    use crate::store::Memory;
    use crate::sync::sample::{attributes, head, wait};

    const NOW: Beginning = ([7; 16], Timespec { secs: 9, nanos: 0 });

    fn feed(epoch: u8) -> OwnFeed {
        let secret = PodSecret::restore(Secret::from_bytes(&[epoch; 32]));
        OwnFeed::new(secret.box_secret(0, 0), epoch.into(), 3)
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
            let feeds = (feed(now), Some(feed(before)));
            settled(&rows, feeds, NOW, read_only).unwrap()
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

    #[test]
    fn the_secret_of_an_epoch_leads_to_all_before_and_to_none_behind() {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let (rows, mut newest) = (rows_with(&first()), None);
        for epoch in 0..4 {
            let before = feed(epoch.max(1) - 1);
            let (now, _) = settled(&rows, (feed(epoch), Some(before)), NOW, false).unwrap();
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
