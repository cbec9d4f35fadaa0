//! Sending: what is unsent is sealed into its row, put, and seen.

use std::collections::BTreeSet;

use crate::crypto::message::MessagePayload;
use crate::crypto::swarm::SealedChunk;
use crate::format::message::MessageBody;
use crate::format::rows::{FeedPlace, MessageRow, MessageState, SealedMessage};
use crate::journal::{Batch, Class};
use crate::share::messages::error::MessageError;
use crate::share::messages::pair::{Feed, Pair, week_of};
use crate::share::messages::{Messages, Way};
use crate::store::endpoints::Endpoints;
use crate::store::{Store, StoreError};
use crate::types::Timespec;
use crate::types::limits::MESSAGES_AT_ONCE;

/// What became of unsent messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sending {
    /// Seen in the network now.
    pub sent: usize,
    /// Not yet.
    pub waiting: usize,
    /// Why not, if the network is why.
    pub why: Option<StoreError>,
}

/// To whom, and through whom.
struct Post<'a> {
    endpoints: &'a Endpoints,
    node: &'a dyn Store,
    pair: &'a Pair,
    now: Timespec,
}

/// What is at the place of a message.
enum There {
    /// The message.
    Seen,
    /// Something else.
    Taken,
    /// Nothing that was seen yet.
    Nothing,
    /// Nothing, and it is too late to put it there.
    Stale,
    /// Nothing that could be told.
    Waits(StoreError),
}

impl Messages {
    /// Sends what is unsent through `node`, to each contact in order: the next one only when the one before was seen.
    /// What is sent was in its row before, and is sent again as the same bytes. Where another machine of the same person
    /// has put something, it goes to the next place; what was not seen in its week goes to a later one, and whoever
    /// receives it twice keeps it once.
    ///
    /// # Errors
    /// [`MessageError::NoCard`]; or the log of the pod fails.
    pub async fn send(
        &self,
        endpoints: &Endpoints,
        node: &dyn Store,
        now: Timespec,
    ) -> Result<Sending, MessageError> {
        let _one = self.sending.lock().await;
        let unsent = self.with_ledger(|ledger| Ok(ledger.unsent.clone()))?;
        let mut sending = Sending::default();
        if unsent.is_empty() {
            return Ok(sending);
        }
        self.own_card()?;
        let mut behind = BTreeSet::new();
        for number in unsent {
            let Ok(kept) = self.kept(Way::Sent, number) else {
                continue;
            };
            let print = kept.row.contact;
            let contact = self.correspondent(&print)?;
            let contact = contact.filter(|it| it.alarm.is_none());
            let pair = contact.and_then(|contact| self.pair(contact).ok());
            let (Some(pair), false) = (pair, behind.contains(&print)) else {
                sending.waiting += 1;
                continue;
            };
            let post = Post {
                endpoints,
                node,
                pair: &pair,
                now,
            };
            let waits = self.send_one(&post, number, kept.row).await?;
            if waits.is_none() {
                sending.sent += 1;
            } else {
                behind.insert(print);
                sending.waiting += 1;
                sending.why = waits;
            }
        }
        Ok(sending)
    }

    /// Sends one message; says why it waits.
    async fn send_one(
        &self,
        post: &Post<'_>,
        number: u64,
        mut row: MessageRow,
    ) -> Result<Option<StoreError>, MessageError> {
        let Post { pair, now, .. } = *post;
        let before = row.place.zip(row.sealed.take());
        let before = before.filter(|(_, sealed)| sealed.keys == pair.keys);
        if let Some((place, sealed)) = before {
            let feed = pair.feed(Way::Sent, place.week);
            match post.deliver(&feed, place, &sealed.payload).await? {
                There::Seen => return self.sent(pair, (number, row), place, now).map(|()| None),
                There::Waits(why) => return Ok(Some(why)),
                There::Nothing => return Ok(Some(StoreError::NotFound)),
                There::Taken => self.pass_by(pair, place, now)?,
                There::Stale => {}
            }
        }
        let place = match self.free_place(post).await? {
            Ok(place) => place,
            Err(why) => return Ok(Some(why)),
        };
        let feed = pair.feed(Way::Sent, place.week);
        let seed = self.random_secret()?;
        self.signed_now(pair, &mut row.message.body);
        let payload = pair.seal(&self.keys(), &row.message, &feed.place(place.index), seed)?;
        row.place = Some(place);
        row.sealed = Some(SealedMessage {
            keys: pair.keys,
            payload,
        });
        // It may have been removed meanwhile.
        let there = self.with_ledger(|ledger| {
            let there = ledger.unsent.contains(&number);
            if there {
                self.put(Way::Sent, number, &row)?;
            }
            Ok(there)
        })?;
        let Some(sealed) = row.sealed.take().filter(|_| there) else {
            return Ok(None);
        };
        match post.deliver(&feed, place, &sealed.payload).await? {
            There::Seen => self.sent(pair, (number, row), place, now).map(|()| None),
            There::Waits(why) => Ok(Some(why)),
            There::Nothing | There::Taken | There::Stale => Ok(Some(StoreError::NotFound)),
        }
    }

    /// The first place of this week at which nothing stands.
    async fn free_place(
        &self,
        post: &Post<'_>,
    ) -> Result<Result<FeedPlace, StoreError>, MessageError> {
        let Post { pair, now, .. } = *post;
        for _ in 0..MESSAGES_AT_ONCE {
            let place = self.next_place(pair, now)?;
            let feed = pair.feed(Way::Sent, place.week);
            match post.endpoints.search(feed.address(place.index)).await {
                Ok(None) => return Ok(Ok(place)),
                Ok(Some(_)) => self.pass_by(pair, place, now)?,
                Err(why) => return Ok(Err(why)),
            }
        }
        // It goes on from there at the next attempt.
        Ok(Err(StoreError::NotFound))
    }

    fn pass_by(&self, pair: &Pair, place: FeedPlace, now: Timespec) -> Result<(), MessageError> {
        self.with_ledger(|ledger| {
            let mut batch = Batch::new(Class::Meta);
            self.pass(ledger, (pair, place), now, &mut batch)?;
            Ok(self.rows.append(batch, None)?)
        })
    }

    /// The message was seen: what was sealed is not needed any more.
    fn sent(
        &self,
        pair: &Pair,
        (number, mut row): (u64, MessageRow),
        place: FeedPlace,
        now: Timespec,
    ) -> Result<(), MessageError> {
        row.state = MessageState::Sent;
        (row.place, row.sealed) = (Some(place), None);
        self.with_ledger(|ledger| {
            let mut batch = Batch::new(Class::Meta);
            self.pass(ledger, (pair, place), now, &mut batch)?;
            // That something has arrived is told once, and not kept.
            let is_kept = !matches!(row.message.body, MessageBody::Arrived);
            if !is_kept {
                batch.delete(Way::Sent.key(number));
            } else if ledger.unsent.contains(&number) {
                batch.put(Way::Sent.key(number), row.encode()?);
            }
            self.rows.append(batch, None)?;
            ledger.unsent.remove(&number);
            if !is_kept {
                ledger.remove(Way::Sent, number, &row);
            }
            Ok(())
        })
    }
}

impl Post<'_> {
    /// Puts a payload at its place, unless it or something else is there already, or its week is over.
    async fn deliver(
        &self,
        feed: &Feed,
        place: FeedPlace,
        payload: &MessagePayload,
    ) -> Result<There, MessageError> {
        let chunk = feed.chunk(place.index, payload)?;
        let there = self.look(&chunk).await;
        if !matches!(there, There::Nothing) {
            return Ok(there);
        }
        if place.week != week_of(self.now) {
            return Ok(There::Stale);
        }
        match self.node.put(&chunk).await {
            Ok(_) => Ok(self.look(&chunk).await),
            Err(why) => Ok(There::Waits(why)),
        }
    }

    async fn look(&self, chunk: &SealedChunk) -> There {
        match self.endpoints.search(chunk.address()).await {
            Ok(Some(found)) if found.payload() == chunk.payload() => There::Seen,
            Ok(Some(_)) => There::Taken,
            Ok(None) => There::Nothing,
            Err(why) => There::Waits(why),
        }
    }
}
