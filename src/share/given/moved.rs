//! Grants that go on in another feed with the last that was said of them: since the keys of one of both were replaced,
//! nothing is believed any more of what stands in the feed before.

use crate::crypto::publish::{RecordPlace, open_record};
use crate::format::grant::{Ended, GrantRecord, RecordState};
use crate::format::rows::{Given, GivenState, Key};
use crate::journal::{Batch, Class};
use crate::share::error::ShareError;
use crate::share::feed::newest_record;
use crate::share::given::GivenGrants;
use crate::share::given::records::no_record;
use crate::store::StoreError;
use crate::store::endpoints::Endpoints;
use crate::types::Timespec;
use crate::types::limits::{MAIL_WEEK, MAIL_WEEKS_BEFORE};

/// What stands in the feed of a grant.
pub enum Said {
    /// Nothing yet.
    Nothing,
    /// This, at last.
    Last(Box<RecordState>),
    /// Something that this machine did not write, or cannot read any more.
    Unknown,
}

impl GivenGrants {
    /// Whether a grant that is over was handed over with keys of the owner that are replaced by now, and whoever received
    /// it may not know yet that it is over. Who was not there for weeks, and knows when its time is over, is told nothing.
    ///
    /// # Errors
    /// When the log does not give what is known of its feed.
    pub fn end_goes_on(&self, given: &Given, now: Timespec) -> Result<bool, ShareError> {
        let GivenState::Ended { why, when } = given.state else {
            return Ok(false);
        };
        let last = self.last(given)?;
        let Some((_, last)) = last.filter(|_| why != Ended::Expired && !self.is_current(given))
        else {
            return Ok(false);
        };
        let said = GrantRecord::said(given.terms.until, &RecordState::Ended(why));
        let is_told = last.pending.is_none() && last.said == said.map_err(ShareError::NoRow)?;
        let weeks = i64::from(MAIL_WEEKS_BEFORE).saturating_mul(MAIL_WEEK);
        Ok(!is_told || now.secs.saturating_sub(when.secs) <= weeks)
    }

    /// What is said of it so far in its feed, which is one of keys that may be replaced by now: who has those can write
    /// there too, so nothing counts but what this machine wrote.
    ///
    /// # Errors
    /// [`ShareError::Store`]: what a node took is not to be had.
    pub async fn said(&self, given: &Given, endpoints: &Endpoints) -> Result<Said, ShareError> {
        let Some(secret) = self.grant(given) else {
            return Ok(Said::Unknown);
        };
        let (feed, cap) = (secret.feed(), secret.cap_key());
        let Some((_, last)) = self.last(given)? else {
            let found = newest_record(endpoints, (feed, &cap), 0).await?;
            return Ok(found.map_or(Said::Nothing, |_| Said::Unknown));
        };
        let place = RecordPlace {
            feed,
            index: last.index,
        };
        let payload = if let Some(pending) = last.pending {
            pending.to_vec()
        } else {
            let found = endpoints.search(place.address()).await?;
            found.ok_or(StoreError::NotFound)?.payload().to_vec()
        };
        if *blake3::hash(&payload).as_bytes() != last.hash {
            return Ok(Said::Unknown);
        }
        let plain = open_record(&cap, &place, &payload).map_err(|_| no_record())?;
        let record = GrantRecord::decode(plain.expose()).map_err(ShareError::NoRow)?;
        Ok(Said::Last(Box::new(record.state)))
    }

    /// It was handed over once more, with these keys: its feed is another one from now on. There it says at once that it is
    /// over if it is, else what was `said` before, if that is to be said again. Each step can be the last: done once more,
    /// it comes to the same.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn is_moved(
        &self,
        moved: &Given,
        said: Option<&RecordState>,
        now: Timespec,
    ) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        let before = self.read(&moved.id)?;
        let ended = match before.state {
            GivenState::Waiting => return Ok(()),
            GivenState::Offered => None,
            GivenState::Ended { why, .. } => Some(RecordState::Ended(why)),
        };
        let moved = Given {
            epochs: moved.epochs,
            ..before.clone()
        };
        if let Some(said) = ended.as_ref().or(said) {
            self.tell(&moved, said, now)?;
        }
        self.put(&moved)?;
        let Some(left) = self
            .grant(&before)
            .filter(|_| before.epochs != moved.epochs)
        else {
            return Ok(());
        };
        let mut batch = Batch::new(Class::Meta);
        batch.delete(Key::last_record(&left.feed()));
        Ok(self.rows.append(batch, None)?)
    }
}
