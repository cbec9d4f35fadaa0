//! The records of the feeds of grants, as they are written and sent.

use crate::crypto::keys::{GrantFeed, GrantSecret};
use crate::crypto::publish::{RecordPlace, open_record, record_chunk, seal_record};
use crate::crypto::swarm::SealedChunk;
use crate::format::grant::{GrantRecord, RecordState};
use crate::format::rows::{Given, GivenState, Key, LastRecord};
use crate::format::wire::Malformed;
use crate::journal::{Batch, Class};
use crate::share::error::ShareError;
use crate::share::feed::newest_record;
use crate::share::given::{GivenGrants, Told};
use crate::store::endpoints::Endpoints;
use crate::types::limits::PAGE;
use crate::types::{Address, Timespec};

/// A record that waits to be sent.
pub struct Unsent {
    /// The grant in whose feed that is: by now it may go on in another one.
    pub given: Given,
    /// Its place in the feed.
    pub index: u64,
    /// Whether this machine knows of none before it.
    pub is_first: bool,
    /// Whether it tells a version, and not an end.
    pub is_version: bool,
    /// What is sent.
    pub chunk: SealedChunk,
}

impl GivenGrants {
    pub(super) fn tell(
        &self,
        given: &Given,
        state: &RecordState,
        now: Timespec,
    ) -> Result<Told, ShareError> {
        let Some(secret) = self.grant(given) else {
            // Nobody believes what is said there by now.
            return Ok(Told::Already);
        };
        let said = GrantRecord::said(given.terms.until, state).map_err(ShareError::NoRow)?;
        let last = self.last_in(&secret.feed())?;
        if last.as_ref().is_some_and(|last| last.said == said) {
            return Ok(Told::Already);
        }
        // At its index stands nothing else, ever: a node may have taken it without saying so. An end does not wait for
        // it, and goes to the next one; who follows looks over the gap.
        let waiting = last
            .as_ref()
            .and_then(|last| Some((last.index, last.pending.as_deref()?)))
            .map(|waiting| opened(&secret, waiting))
            .transpose()?;
        if waiting.is_some() && matches!(state, RecordState::Live(_)) {
            return Ok(Told::Later);
        }
        let (index, hash) = last.map_or((0, [0; 32]), |last| {
            (last.index.saturating_add(1), last.hash)
        });
        let log = self.log.lock();
        let record = GrantRecord {
            grant: given.id,
            index,
            previous: waiting.map_or(hash, |waiting| waiting.previous),
            time: now,
            until: given.terms.until,
            state: state.clone(),
            log: log.as_ref().map(|log| log.shown_to(&given.contact.0)),
        };
        drop(log);
        self.write(&secret, &record, said)?;
        Ok(Told::Made)
    }

    /// From now on the record waits to be sent.
    fn write(
        &self,
        secret: &GrantSecret,
        record: &GrantRecord,
        said: [u8; 32],
    ) -> Result<(), ShareError> {
        let place = RecordPlace {
            feed: secret.feed(),
            index: record.index,
        };
        let plain = record.encode().map_err(ShareError::NoRow)?;
        let payload = seal_record(&secret.cap_key(), &place, &plain);
        self.put_last(
            &place.feed,
            &LastRecord {
                index: place.index,
                hash: *blake3::hash(payload.as_slice()).as_bytes(),
                said,
                pending: Some(payload),
            },
        )
    }

    /// Nothing can ever stand at the index of the record that waits: it goes to the next one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn passes_by(&self, given: &Given, index: u64) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        let last = self.last(given)?;
        let Some((secret, last)) = last.filter(|(_, last)| last.index == index) else {
            return Ok(());
        };
        let Some(payload) = &last.pending else {
            return Ok(());
        };
        let waiting = opened(&secret, (index, payload))?;
        let next = GrantRecord {
            index: index.saturating_add(1),
            ..waiting
        };
        self.write(&secret, &next, last.said)
    }

    /// Whether its feed has a record of this machine.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn is_told(&self, given: &Given) -> Result<bool, ShareError> {
        Ok(self.last(given)?.is_some())
    }

    /// The newest record of its feed, and the keys of that.
    pub(super) fn last(
        &self,
        given: &Given,
    ) -> Result<Option<(GrantSecret, LastRecord)>, ShareError> {
        let Some(secret) = self.grant(given) else {
            return Ok(None);
        };
        let last = self.last_in(&secret.feed())?;
        Ok(last.map(|last| (secret, last)))
    }

    fn last_in(&self, feed: &GrantFeed) -> Result<Option<LastRecord>, ShareError> {
        let row = self.rows.get(&Key::last_record(feed))?;
        let row = row.map(|row| LastRecord::decode(&row)).transpose();
        row.map_err(ShareError::NoRow)
    }

    /// Where the newest record of each stands that a node took.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn records(&self) -> Result<Vec<Address>, ShareError> {
        let mut records = Vec::new();
        for given in self.all()? {
            let last = self.last(&given)?;
            if let Some((secret, last)) = last.filter(|(_, last)| last.pending.is_none()) {
                let (feed, index) = (secret.feed(), last.index);
                records.push(RecordPlace { feed, index }.address());
            }
        }
        Ok(records)
    }

    /// How many records its feed has.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn told(&self, given: &Given) -> Result<u64, ShareError> {
        let last = self.last(given)?;
        Ok(last.map_or(0, |(_, last)| last.index.saturating_add(1)))
    }

    fn put_last(&self, feed: &GrantFeed, last: &LastRecord) -> Result<(), ShareError> {
        let mut batch = Batch::new(Class::Meta);
        let row = last.encode().map_err(ShareError::NoRow)?;
        batch.put(Key::last_record(feed), row);
        self.rows.append(batch, None)?;
        // Whoever reads it in the network must not know more than this machine after a power cut.
        Ok(self.rows.sync()?)
    }

    /// A record that no node took yet. A version whose time is over is none: the end takes its place; nor is one in a feed
    /// of keys that were replaced: who has those could open it.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn unsent(&self, given: &Given, now: Timespec) -> Result<Option<Unsent>, ShareError> {
        let given = self.read(&given.id)?;
        if given.state == GivenState::Offered && given.terms.is_past(now) {
            return Ok(None);
        }
        let last = self.last(&given)?;
        let waits = last.and_then(|(secret, last)| Some((secret, last.index, last.pending?)));
        let Some((secret, index, payload)) = waits else {
            return Ok(None);
        };
        let record = opened(&secret, (index, &payload))?;
        let is_version = matches!(record.state, RecordState::Live(_));
        if is_version && !self.is_current(&given) {
            return Ok(None);
        }
        let chunk = record_chunk(&secret, index, &payload);
        Ok(Some(Unsent {
            index,
            is_first: record.previous == [0; 32],
            is_version,
            chunk: chunk.map_err(|_| no_record())?,
            given,
        }))
    }

    /// A node took the record at that index.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn is_sent(&self, given: &Given, index: u64) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        match self.last(given)? {
            Some((secret, last)) if last.index == index => self.put_last(
                &secret.feed(),
                &LastRecord {
                    pending: None,
                    ..last
                },
            ),
            _ => Ok(()),
        }
    }

    /// Before the first record of this machine is sent: whether another machine of the owner wrote to the feed. Then
    /// this one goes on behind what is there, and what it would have said has to be told again; behind an end nothing is.
    ///
    /// # Errors
    /// [`ShareError::Store`]: somebody does not answer.
    pub async fn goes_on(&self, given: &Given, endpoints: &Endpoints) -> Result<bool, ShareError> {
        let Some(secret) = self.grant(given) else {
            return Ok(false);
        };
        let found = newest_record(endpoints, (secret.feed(), &secret.cap_key()), 0).await?;
        let Some(found) = found else {
            return Ok(false);
        };
        let _writing = self.writing.lock();
        let last = self.last_in(&secret.feed())?;
        if last.is_some_and(|last| last.index > found.index || last.hash == found.hash) {
            return Ok(false);
        }
        if let RecordState::Ended(why) = found.record.state {
            // It was sent before anything else, and what noted it may be lost with the machine.
            let when = found.record.time;
            self.put(&Given {
                state: GivenState::Ended { why, when },
                ..self.read(&given.id)?
            })?;
        }
        let said = GrantRecord::said(found.record.until, &found.record.state);
        self.put_last(
            &secret.feed(),
            &LastRecord {
                index: found.index,
                hash: found.hash,
                said: said.map_err(ShareError::NoRow)?,
                pending: None,
            },
        )?;
        Ok(true)
    }
}

/// What waits to be sent.
fn opened(
    secret: &GrantSecret,
    (index, payload): (u64, &[u8; PAGE]),
) -> Result<GrantRecord, ShareError> {
    let feed = secret.feed();
    let place = RecordPlace { feed, index };
    let plain = open_record(&secret.cap_key(), &place, payload).map_err(|_| no_record())?;
    GrantRecord::decode(plain.expose()).map_err(ShareError::NoRow)
}

pub(super) fn no_record() -> ShareError {
    ShareError::NoRow(Malformed("record of a grant"))
}
