//! Records of the feeds of grants that the owner gave.

use crate::crypto::keys::GrantFeed;
use crate::crypto::publish::{RecordPlace, record_chunk, seal_record};
use crate::crypto::swarm::SealedChunk;
use crate::format::grant::{GrantRecord, RecordState};
use crate::format::rows::{Given, Key, LastRecord};
use crate::journal::{Batch, Class};
use crate::share::error::ShareError;
use crate::share::feed::newest_record;
use crate::share::given::{GivenGrants, Told};
use crate::store::endpoints::Endpoints;
use crate::types::Timespec;

impl GivenGrants {
    pub(super) fn tell(
        &self,
        given: &Given,
        state: &RecordState,
        now: Timespec,
    ) -> Result<Told, ShareError> {
        let said = GrantRecord::said(given.terms.until, state).map_err(ShareError::NoRow)?;
        let secret = self.grant(given);
        let last = self.last(&secret.feed())?;
        if last.as_ref().is_some_and(|last| last.said == said) {
            return Ok(Told::Already);
        }
        // At its index stands nothing else, ever: a node may have taken it without saying so.
        if last.as_ref().is_some_and(|last| last.pending.is_some()) {
            return Ok(Told::Later);
        }
        let place = RecordPlace {
            feed: secret.feed(),
            index: last.as_ref().map_or(0, |last| last.index.saturating_add(1)),
        };
        let record = GrantRecord {
            grant: given.id,
            index: place.index,
            previous: last.map_or([0; 32], |last| last.hash),
            time: now,
            until: given.terms.until,
            state: state.clone(),
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
        )?;
        Ok(Told::Made)
    }

    /// Whether its feed has a record of this machine.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn is_told(&self, given: &Given) -> Result<bool, ShareError> {
        Ok(self.last(&self.grant(given).feed())?.is_some())
    }

    /// How many records its feed has.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn told(&self, given: &Given) -> Result<u64, ShareError> {
        let last = self.last(&self.grant(given).feed())?;
        Ok(last.map_or(0, |last| last.index.saturating_add(1)))
    }

    fn last(&self, feed: &GrantFeed) -> Result<Option<LastRecord>, ShareError> {
        let row = self.rows.get(&Key::last_record(feed))?;
        let row = row.map(|row| LastRecord::decode(&row)).transpose();
        row.map_err(ShareError::NoRow)
    }

    fn put_last(&self, feed: &GrantFeed, last: &LastRecord) -> Result<(), ShareError> {
        let mut batch = Batch::new(Class::Meta);
        let row = last.encode().map_err(ShareError::NoRow)?;
        batch.put(Key::last_record(feed), row);
        self.rows.append(batch, None)?;
        // Whoever reads it in the network must not know more than this machine after a power cut.
        Ok(self.rows.sync()?)
    }

    /// A record that no node took yet, as the chunk that it is.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn unsent(&self, given: &Given) -> Result<Option<(u64, SealedChunk)>, ShareError> {
        let secret = self.grant(given);
        let Some(last) = self.last(&secret.feed())? else {
            return Ok(None);
        };
        let chunk = last.pending.as_ref().map(|payload| {
            let chunk = record_chunk(&secret, last.index, payload);
            chunk.map(|chunk| (last.index, chunk))
        });
        chunk
            .transpose()
            .map_err(|_| ShareError::NoRow(crate::format::wire::Malformed("record of a grant")))
    }

    /// A node took the record at that index.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn is_sent(&self, given: &Given, index: u64) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        let feed = self.grant(given).feed();
        match self.last(&feed)? {
            Some(last) if last.index == index => self.put_last(
                &feed,
                &LastRecord {
                    pending: None,
                    ..last
                },
            ),
            _ => Ok(()),
        }
    }

    /// Before the first record of this machine is sent: whether another machine of the owner wrote to the feed. Then
    /// this one goes on behind what is there, and what it would have said has to be told again.
    ///
    /// # Errors
    /// [`ShareError::Store`]: somebody does not answer.
    pub async fn goes_on(&self, given: &Given, endpoints: &Endpoints) -> Result<bool, ShareError> {
        let secret = self.grant(given);
        let found = newest_record(endpoints, (secret.feed(), &secret.cap_key()), 0).await?;
        let Some(found) = found else {
            return Ok(false);
        };
        let _writing = self.writing.lock();
        let last = self.last(&secret.feed())?;
        if last.is_some_and(|last| last.index > found.index || last.hash == found.hash) {
            return Ok(false);
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
