//! Collecting: the feeds of all contacts are read as far as there is anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::crypto::swarm::SealedChunk;
use crate::format::message::{Message, MessageBody};
use crate::format::rows::{FeedPlace, KeysTag, MessageRow, MessageState};
use crate::share::messages::error::MessageError;
use crate::share::messages::pair::{Feed, Pair, week};
use crate::share::messages::{Messages, Way};
use crate::store::StoreError;
use crate::store::endpoints::Endpoints;
use crate::types::limits::{
    MAIL_AHEAD, MAIL_CONTACTS_AT_ONCE, MAIL_SKEW, MAIL_SURE, MAIL_WEEK, MAIL_WEEKS_AT_ONCE,
    MAIL_WEEKS_MAX, MESSAGES_AT_ONCE, MESSAGES_KEPT_MAX,
};
use crate::types::{ContactName, Timespec};

/// What a look into the network brought.
#[derive(Clone, Default)]
pub struct Collected {
    /// New messages.
    pub received: usize,
    /// Messages that were received before.
    pub repeated: usize,
    /// Chunks that are no message: not signed by the contact, for another place, to somebody else, of a later podfs.
    pub skipped: usize,
    /// Contacts of whom as many messages are kept as may be, and who wrote more.
    pub full: Vec<ContactName>,
    /// As many requests of people who are no contacts are kept as may be, and there are more.
    pub is_door_full: bool,
    /// Why the network was not asked for all of it: somebody does not answer.
    pub silent: Option<StoreError>,
}

/// How far the feeds of a contact were read since the start.
#[derive(Clone)]
pub(super) struct Reading {
    keys: KeysTag,
    weeks: BTreeMap<u32, Progress>,
}

/// How far one feed was.
#[derive(Clone, Copy, Default)]
struct Progress {
    next: u64,
    /// When nothing more was there first and last, since there was something: seconds since 1970.
    empty: Option<(i64, i64)>,
    /// When it was looked last whether something stands behind.
    ahead: Option<i64>,
}

/// One look at the feeds of a contact.
struct Look<'a> {
    endpoints: &'a Endpoints,
    pair: &'a Pair,
    now: Timespec,
}

/// What stands at a place.
type Found = Result<Option<SealedChunk>, StoreError>;

/// What a chunk was.
pub(super) enum Taken {
    Received,
    Repeated,
    /// It says something of what was sent, and is not kept.
    Told,
    Skipped,
    Full,
}

impl Messages {
    /// Reads what contacts have written, except those that are stopped. What was read is in the log of the pod when this
    /// returns; what nobody answers for is read another time.
    ///
    /// # Errors
    /// When the log of the pod fails.
    pub async fn collect(
        self: &Arc<Self>,
        endpoints: &Endpoints,
        now: Timespec,
    ) -> Result<Collected, MessageError> {
        let _one = self.collecting.lock().await;
        let mut all = Collected::default();
        if self.contacts.own()?.is_none() {
            // Nobody knows this pod.
            return Ok(all);
        }
        let mut contacts = self.contacts.all()?.into_iter();
        let mut reading = JoinSet::new();
        loop {
            while reading.len() < MAIL_CONTACTS_AT_ONCE {
                let Some(contact) = contacts.next() else {
                    break;
                };
                let Ok(pair) = self.pair(contact) else {
                    continue;
                };
                if self.contacts.is_blocked(&pair.print)? {
                    continue;
                }
                let (messages, endpoints) = (Arc::clone(self), endpoints.clone());
                reading.spawn(async move { messages.read(&endpoints, &pair, now).await });
            }
            match reading.join_next().await {
                Some(Ok(read)) => all.add(read?),
                Some(Err(_)) => tracing::error!("reading the messages of a contact panicked"),
                None => return Ok(all),
            }
        }
    }

    /// Reads the feeds of one contact.
    async fn read(
        &self,
        endpoints: &Endpoints,
        pair: &Pair,
        now: Timespec,
    ) -> Result<Collected, MessageError> {
        let look = Look {
            endpoints,
            pair,
            now,
        };
        let mut read = Collected::default();
        let mut reading = self.reading(pair, now)?;
        let weeks: Vec<u32> = reading.weeks.keys().copied().collect();
        for weeks in weeks.chunks(MAIL_WEEKS_AT_ONCE) {
            let mut firsts = look.firsts(weeks, &reading).await;
            for week in weeks {
                let mut progress = reading.weeks.get(week).copied().unwrap_or_default();
                let first = firsts.remove(week);
                let goes_on = self
                    .read_week(&look, (*week, first), &mut progress, &mut read)
                    .await?;
                reading.weeks.insert(*week, progress);
                self.keep(pair, &mut reading, now)?;
                if !goes_on {
                    return Ok(read);
                }
            }
        }
        Ok(read)
    }

    /// Reads one feed as far as there is anything; false when the others are of no use now.
    async fn read_week(
        &self,
        look: &Look<'_>,
        (week, mut first): (u32, Option<Found>),
        progress: &mut Progress,
        read: &mut Collected,
    ) -> Result<bool, MessageError> {
        let Look { pair, now, .. } = *look;
        let feed = pair.feed(Way::Received, week);
        for _ in 0..MESSAGES_AT_ONCE {
            let index = progress.next;
            let found = match first.take() {
                Some(found) => found,
                None => look.endpoints.search(feed.address(index)).await,
            };
            let chunk = match found {
                Ok(Some(chunk)) => chunk,
                Ok(None) => match look.behind(&feed, progress).await {
                    Ok(Some(next)) => {
                        progress.next = next;
                        continue;
                    }
                    Ok(None) => return Ok(true),
                    Err(why) => {
                        read.silent = Some(why);
                        return Ok(false);
                    }
                },
                Err(why) => {
                    read.silent = Some(why);
                    return Ok(false);
                }
            };
            let place = FeedPlace { week, index };
            let taken = match pair.open(&self.keys(), chunk.payload(), &feed.place(index)) {
                Some(message) => self.take(pair, place, message, now)?,
                None => Taken::Skipped,
            };
            match taken {
                Taken::Received => read.received += 1,
                Taken::Repeated => read.repeated += 1,
                Taken::Told => {}
                Taken::Skipped => read.skipped += 1,
                Taken::Full => {
                    read.full.push(pair.contact.name.clone());
                    return Ok(false);
                }
            }
            *progress = Progress::at(index.saturating_add(1));
        }
        Ok(true)
    }

    /// Keeps a message, unless it is known or there are too many.
    fn take(
        &self,
        pair: &Pair,
        place: FeedPlace,
        message: Message,
        now: Timespec,
    ) -> Result<Taken, MessageError> {
        if let (MessageBody::Arrived, Some(arrived)) = (&message.body, message.answers) {
            return self.has_arrived(arrived, pair.print);
        }
        if let MessageBody::Witness(witness) = &message.body
            && !pair.vouches_for(witness)
        {
            tracing::info!("a checkpoint was countersigned with a key that is not on the card");
            return Ok(Taken::Skipped);
        }
        let row = MessageRow {
            contact: pair.print,
            since: now,
            epoch: pair.epoch(),
            state: MessageState::New,
            place: Some(place),
            card: None,
            sealed: None,
            recorded: false,
            message,
        };
        self.with_ledger(|ledger| {
            let id = row.message.id;
            if ledger.ids.contains_key(&id) || ledger.forgotten.contains(&id) {
                return Ok(Taken::Repeated);
            }
            if ledger.kept(row.contact, Way::Received) >= MESSAGES_KEPT_MAX {
                return Ok(Taken::Full);
            }
            let number = ledger.next(Way::Received);
            self.put(Way::Received, number, &row)?;
            ledger.add(Way::Received, number, &row);
            Ok(Taken::Received)
        })
    }

    /// How far the feeds of a contact were read, up to the newest week that may have begun somewhere.
    fn reading(&self, pair: &Pair, now: Timespec) -> Result<Reading, MessageError> {
        let known = self.readings.lock().get(&pair.print).cloned();
        let mut reading = match known {
            Some(known) if known.keys == pair.keys => known,
            _ => {
                let received = self.cursor(pair, now)?.received;
                let progress = Progress::at(received.index);
                Reading {
                    keys: pair.keys,
                    weeks: BTreeMap::from([(received.week, progress)]),
                }
            }
        };
        let newest = week(now.secs.saturating_add(MAIL_SKEW));
        reading.weeks = reading
            .weeks
            .split_off(&newest.saturating_sub(MAIL_WEEKS_MAX));
        let oldest = reading.weeks.keys().next().copied().unwrap_or(newest);
        for week in oldest..=newest {
            reading.weeks.entry(week).or_default();
        }
        Ok(reading)
    }

    /// Leaves feeds that are over, and keeps how far the oldest of the others was read.
    fn keep(&self, pair: &Pair, reading: &mut Reading, now: Timespec) -> Result<(), MessageError> {
        while let Some(oldest) = reading.weeks.first_entry() {
            let end = i64::from(*oldest.key())
                .saturating_add(1)
                .saturating_mul(MAIL_WEEK);
            // What was not there before says nothing of what came until then.
            let over = end.saturating_add(MAIL_SKEW);
            let empty = oldest.get().empty;
            if !empty.is_some_and(|(first, last)| is_sure((first.max(over), last))) {
                break;
            }
            oldest.remove();
        }
        if let Some((week, progress)) = reading.weeks.first_key_value() {
            let received = FeedPlace {
                week: *week,
                index: progress.next,
            };
            self.keep_received(pair, received, now)?;
        }
        self.readings.lock().insert(pair.print, reading.clone());
        Ok(())
    }
}

impl Progress {
    fn at(next: u64) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }
}

/// Whether what was not there first and last is not there.
fn is_sure((first, last): (i64, i64)) -> bool {
    last.saturating_sub(first) >= MAIL_SURE
}

impl Look<'_> {
    /// Nothing is at the next place. When that is sure, the places behind it are looked at, as often as it becomes sure
    /// anew: who writes goes on when a message was seen, so one that a node took and lost hides those behind it.
    async fn behind(
        &self,
        feed: &Feed,
        progress: &mut Progress,
    ) -> Result<Option<u64>, StoreError> {
        let now = self.now.secs;
        let (first, _) = progress.empty.unwrap_or((now, now));
        let since = progress.ahead.unwrap_or(first);
        if is_sure((since, now)) {
            for step in 1..=MAIL_AHEAD {
                let index = progress.next.saturating_add(step);
                if self.endpoints.search(feed.address(index)).await?.is_some() {
                    return Ok(Some(index));
                }
            }
            progress.ahead = Some(now);
        }
        progress.empty = Some((first, now));
        Ok(None)
    }

    /// What stands next in each of these weeks, asked for at once: to say that there is nothing takes the network long.
    async fn firsts(&self, weeks: &[u32], reading: &Reading) -> BTreeMap<u32, Found> {
        let mut looking = JoinSet::new();
        for week in weeks {
            let feed = self.pair.feed(Way::Received, *week);
            let next = reading.weeks.get(week).copied().unwrap_or_default().next;
            let (endpoints, address, week) = (self.endpoints.clone(), feed.address(next), *week);
            looking.spawn(async move { (week, endpoints.search(address).await) });
        }
        let mut found = BTreeMap::new();
        while let Some(looked) = looking.join_next().await {
            // What is missing here is asked for again.
            found.extend(looked.ok());
        }
        found
    }
}

impl Collected {
    /// What another look brought comes to this.
    pub fn add(&mut self, other: Self) {
        self.is_door_full |= other.is_door_full;
        self.received += other.received;
        self.repeated += other.repeated;
        self.skipped += other.skipped;
        self.full.extend(other.full);
        if other.silent.is_some() {
            self.silent = other.silent;
        }
    }
}
