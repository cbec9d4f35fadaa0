//! Grants that others gave to the owner.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::crypto::identity::Fingerprint;
use crate::format::grant::{Ended, Grant, GrantFeed, GrantRecord};
use crate::format::rows::{Key, Received, ReceivedState, SeenRecord};
use crate::index::Rows;
use crate::journal::{Batch, Class};
use crate::share::error::ShareError;
use crate::share::feed::{Newest, newest_record};
use crate::share::given::is_meant;
use crate::share::rows::PeopleRows;
use crate::store::endpoints::Endpoints;
use crate::types::limits::GRANTS_MAX;
use crate::types::{Name, Timespec};

/// What a grant that came is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A new one.
    New,
    /// One that came before.
    Known,
    /// One that came before, and goes on in another feed, or is over: the message says nothing else.
    Moved,
    /// None: its place is that of a grant which somebody else gave.
    Anothers,
}

/// The grants that the owner of a pod received. There is one of these for a pod.
pub struct ReceivedGrants {
    people: Arc<PeopleRows>,
    /// For rows of this machine alone.
    rows: Arc<Rows>,
    /// Held from reading a row to writing it.
    writing: Mutex<()>,
}

impl ReceivedGrants {
    /// Those among the rows of a pod.
    pub fn new(people: Arc<PeopleRows>, rows: Arc<Rows>) -> Self {
        Self {
            people,
            rows,
            writing: Mutex::new(()),
        }
    }

    /// All of them, the oldest first.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn all(&self) -> Result<Vec<Received>, ShareError> {
        let (from, to) = Key::all_received();
        let rows = self.people.scan(&from, &to, usize::MAX)?;
        let all = rows.iter().map(|(_, row)| Received::decode(row));
        let mut all: Vec<_> = all.collect::<Result<_, _>>().map_err(ShareError::NoRow)?;
        all.sort_by_key(|received| (received.made, received.id));
        Ok(all)
    }

    /// The one whose id begins with these hexadecimal digits.
    ///
    /// # Errors
    /// [`ShareError::NoGrant`]: there is none, or several.
    pub fn one(&self, digits: &str) -> Result<Received, ShareError> {
        let mut all = self.all()?.into_iter();
        let mut matching = all
            .by_ref()
            .filter(|received| is_meant(&received.id, digits));
        match (matching.next(), matching.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(ShareError::NoGrant(digits.to_owned())),
        }
    }

    /// The one of that id.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn find(&self, id: &[u8; 16]) -> Result<Option<Received>, ShareError> {
        Ok(self.in_place(id)?.filter(|received| received.id == *id))
    }

    /// The one in the row of that id, which can be another one's.
    fn in_place(&self, id: &[u8; 16]) -> Result<Option<Received>, ShareError> {
        let row = self.people.get(&Key::received(id))?;
        let row = row.map(|row| Received::decode(&row)).transpose();
        row.map_err(ShareError::NoRow)
    }

    /// Somebody gave the owner a grant, in a message of keys of that epoch. One that is known already stays what it is,
    /// whoever sends it again; only the one who gave it says where it goes on, with newer keys, or later with the same.
    ///
    /// # Errors
    /// [`ShareError::TooManyGrants`]; or it cannot be written.
    pub fn arrives(
        &self,
        contact: Fingerprint,
        grant: Grant,
        (epoch, made): (u32, Timespec),
    ) -> Result<Arrival, ShareError> {
        let _writing = self.writing.lock();
        if let Some(there) = self.in_place(&grant.id)? {
            if there.id != grant.id || there.contact != contact {
                return Ok(Arrival::Anothers);
            }
            let is_over = matches!(there.state, ReceivedState::Ended { .. });
            let is_later = (epoch, made) > (there.epoch, there.made);
            if !is_later || there.feed == grant.feed {
                return Ok(Arrival::Known);
            }
            if !is_over {
                self.put(&Received {
                    terms: grant.terms,
                    feed: grant.feed,
                    cap: grant.cap,
                    made,
                    epoch,
                    ..there
                })?;
            }
            return Ok(Arrival::Moved);
        }
        let is_over = |it: &Received| matches!(it.state, ReceivedState::Ended { .. });
        let all = self.all()?;
        let of_contact = all.iter().filter(|it| it.contact == contact);
        if of_contact.filter(|it| !is_over(it)).count() >= GRANTS_MAX {
            return Err(ShareError::TooManyGrants);
        }
        let label = grant.terms.name.clone();
        self.put(&Received {
            id: grant.id,
            contact,
            terms: grant.terms,
            feed: grant.feed,
            cap: grant.cap,
            made,
            epoch,
            state: ReceivedState::Offered,
            label,
        })?;
        Ok(Arrival::New)
    }

    /// The owner takes it, and sees it under that name.
    ///
    /// # Errors
    /// [`ShareError::IsOver`]; or it cannot be written.
    pub fn accept(&self, id: &[u8; 16], label: &Name) -> Result<(), ShareError> {
        self.change(id, |received| match received.state {
            ReceivedState::Offered => {
                received.state = ReceivedState::Accepted;
                received.label = label.clone();
                Ok(true)
            }
            ReceivedState::Accepted => Ok(false),
            ReceivedState::Ended { .. } => Err(ShareError::IsOver),
        })
    }

    /// It is over.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(&self, id: &[u8; 16], why: Ended, when: Timespec) -> Result<(), ShareError> {
        self.change(id, |received| {
            let is_new = !matches!(received.state, ReceivedState::Ended { .. });
            if is_new {
                received.state = ReceivedState::Ended { why, when };
            }
            Ok(is_new)
        })
    }

    fn change(
        &self,
        id: &[u8; 16],
        change: impl FnOnce(&mut Received) -> Result<bool, ShareError>,
    ) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        let unknown = || ShareError::NoGrant(hex::encode(id));
        let mut received = self.find(id)?.ok_or_else(unknown)?;
        if change(&mut received)? {
            self.put(&received)?;
        }
        Ok(())
    }

    fn put(&self, received: &Received) -> Result<(), ShareError> {
        let row = received.encode().map_err(ShareError::NoRow)?;
        self.people
            .put_now(Key::received(&received.id), row.to_vec())
    }

    /// The newest record that was seen in a feed.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn seen(&self, feed: &GrantFeed) -> Result<Option<SeenRecord>, ShareError> {
        let row = self.rows.get(&Key::seen_record(feed))?;
        let row = row.map(|row| SeenRecord::decode(&row)).transpose();
        row.map_err(ShareError::NoRow)
    }

    /// A record was seen: never again is an older one believed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn is_seen(&self, feed: &GrantFeed, seen: &SeenRecord) -> Result<(), ShareError> {
        let mut batch = Batch::new(Class::Meta);
        let row = seen.encode().map_err(ShareError::NoRow)?;
        batch.put(Key::seen_record(feed), row);
        Ok(self.rows.append(batch, None)?)
    }

    /// The newest record of its feed that was not brought yet, if there is one.
    ///
    /// # Errors
    /// [`ShareError::Store`]: somebody may have it and does not answer; [`ShareError::Forked`].
    pub async fn newest(
        &self,
        received: &Received,
        endpoints: &Endpoints,
    ) -> Result<Option<(SeenRecord, GrantRecord)>, ShareError> {
        let before = self.seen(&received.feed)?;
        let from = match before {
            None => 0,
            Some(seen) if seen.is_brought => seen.index.saturating_add(1),
            Some(seen) => seen.index,
        };
        let feed = (received.feed, &received.cap);
        let Some(newest) = newest_record(endpoints, feed, from).await? else {
            return Ok(None);
        };
        if newest.record.grant != received.id {
            tracing::warn!("a record in the feed of a grant is of another grant");
            return Ok(None);
        }
        if before.is_some_and(|seen| !goes_on(&seen, &newest)) {
            return Err(ShareError::Forked);
        }
        let seen = SeenRecord {
            index: newest.index,
            hash: newest.hash,
            time: newest.record.time,
            is_brought: false,
        };
        Ok(Some((seen, newest.record)))
    }
}

/// Whether the feed is still the one of which a record was seen. Over a gap nobody can tell.
fn goes_on(seen: &SeenRecord, newest: &Newest) -> bool {
    match newest.index.checked_sub(seen.index) {
        Some(0) => newest.hash == seen.hash,
        Some(1) => newest.record.previous == seen.hash,
        _ => true,
    }
}
