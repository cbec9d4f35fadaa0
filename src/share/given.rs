//! Grants that the owner gave: rows, and the records of their feeds.

use std::sync::Arc;

use crate::crypto::identity::Fingerprint;
use crate::crypto::keys::{BoxSecret, GrantSecret};
use crate::crypto::publish::{RecordPlace, open_record, record_chunk, seal_record};
use crate::crypto::swarm::SealedChunk;
use crate::format::grant::{Ended, Grant, GrantRecord, RecordState};
use crate::format::published::{Attributes, Entry};
use crate::format::rows::{Given, GivenState, Key, LastRecord};
use crate::format::wire::Malformed;
use crate::index::Rows;
use crate::journal::{Batch, Class};
use crate::share::error::ShareError;
use crate::share::feed::newest_record;
use crate::share::rows::PeopleRows;
use crate::store::endpoints::Endpoints;
use crate::types::limits::{GRANTS_MAX, PAGE};
use crate::types::{Ino, Name, Timespec};

use parking_lot::Mutex;
use zeroize::Zeroizing;

/// What becomes of the record that a publication asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The newest record says so already.
    Already,
    /// It waits to be sent.
    Made,
    /// The one before was not sent yet: ask again afterwards.
    Later,
}

/// A record that waits to be sent.
pub struct Unsent {
    /// Its place in the feed.
    pub index: u64,
    /// Whether this machine knows of none before it.
    pub is_first: bool,
    /// What is sent.
    pub chunk: SealedChunk,
}

/// The grants that the owner of a pod gave. There is one of these for a pod.
pub struct GivenGrants {
    people: Arc<PeopleRows>,
    /// For rows of this machine alone.
    rows: Arc<Rows>,
    secret: BoxSecret,
    /// Held from reading a row to writing it.
    writing: Mutex<()>,
}

impl GivenGrants {
    /// Those of a box with this secret.
    pub fn new(people: Arc<PeopleRows>, rows: Arc<Rows>, secret: BoxSecret) -> Self {
        Self {
            people,
            rows,
            secret,
            writing: Mutex::new(()),
        }
    }

    /// All of them, the oldest first.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn all(&self) -> Result<Vec<Given>, ShareError> {
        let (from, to) = Key::all_given();
        let rows = self.people.scan(&from, &to, usize::MAX)?;
        let all = rows.iter().map(|(_, row)| Given::decode(row));
        let mut all: Vec<Given> = all.collect::<Result<_, _>>().map_err(ShareError::NoRow)?;
        all.sort_by_key(|given| (given.made, given.id));
        Ok(all)
    }

    /// The one whose id begins with these hexadecimal digits.
    ///
    /// # Errors
    /// [`ShareError::NoGrant`]: there is none, or several.
    pub fn one(&self, digits: &str) -> Result<Given, ShareError> {
        let mut all = self.all()?.into_iter();
        let mut matching = all.by_ref().filter(|given| is_meant(&given.id, digits));
        match (matching.next(), matching.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(ShareError::NoGrant(digits.to_owned())),
        }
    }

    /// Keeps a new grant.
    ///
    /// # Errors
    /// [`ShareError::TooManyGrants`]; or it cannot be written.
    pub fn give(&self, given: &Given) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        if self.all()?.len() >= GRANTS_MAX || self.people.get(&Key::given(&given.id))?.is_some() {
            return Err(ShareError::TooManyGrants);
        }
        self.put(given)
    }

    fn put(&self, given: &Given) -> Result<(), ShareError> {
        let row = given.encode().map_err(ShareError::NoRow)?;
        self.people.put_now(Key::given(&given.id), row)
    }

    fn grant(&self, id: &[u8; 16]) -> GrantSecret {
        self.secret.grant(id)
    }

    /// What is handed over of a grant.
    ///
    /// # Errors
    /// When its terms contradict each other.
    pub fn handed_over(&self, given: &Given) -> Result<Zeroizing<Vec<u8>>, ShareError> {
        let secret = self.grant(&given.id);
        let grant = Grant {
            id: given.id,
            terms: given.terms.clone(),
            feed: secret.feed(),
            cap: secret.cap_key(),
        };
        grant.encode().map_err(ShareError::NoRow)
    }

    /// It was handed over.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn is_offered(&self, given: &Given) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        let now = self.read(&given.id)?;
        if now.state != GivenState::Waiting {
            return Ok(());
        }
        self.put(&Given {
            state: GivenState::Offered,
            ..now
        })
    }

    /// The one of that id.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn find(&self, id: &[u8; 16]) -> Result<Option<Given>, ShareError> {
        let row = self.people.get(&Key::given(id))?;
        let given = row.map(|row| Given::decode(&row)).transpose();
        let given = given.map_err(ShareError::NoRow)?;
        Ok(given.filter(|given| given.id == *id))
    }

    fn read(&self, id: &[u8; 16]) -> Result<Given, ShareError> {
        let row = self.people.get(&Key::given(id))?;
        let row = row.ok_or_else(|| ShareError::NoGrant(hex::encode(id)))?;
        Given::decode(&row).map_err(ShareError::NoRow)
    }

    /// Those that a publication is told to.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn followed(&self) -> Result<Vec<Given>, ShareError> {
        let mut followed = Vec::new();
        for given in self.all()? {
            let is_done = given.terms.snapshot && self.last(&given.id)?.is_some();
            if given.state == GivenState::Offered && !is_done {
                followed.push(given);
            }
        }
        Ok(followed)
    }

    /// A publication has what a grant is of, there and so; or has it no more. One whose time is over, which has only not
    /// been ended yet, is told nothing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn is_published(
        &self,
        given: &Given,
        seen: Option<((Ino, Ino, &Name), Attributes)>,
        now: Timespec,
    ) -> Result<Told, ShareError> {
        let _writing = self.writing.lock();
        let row = self.read(&given.id)?;
        if row.state != GivenState::Offered || row.terms.is_past(now) {
            return Ok(Told::Already);
        }
        // Something of another kind in its place is something else.
        let seen = seen.filter(|(_, attributes)| attributes.kind() == row.terms.kind);
        let Some(((target, directory, name), attributes)) = seen else {
            return self.end_with(row, Ended::Gone, now);
        };
        let moved = Given {
            target,
            directory,
            name: name.clone(),
            ..row.clone()
        };
        if moved != row {
            self.put(&moved)?;
        }
        let entry = Entry {
            name: row.terms.name.clone(),
            attributes,
        };
        self.tell(&row, &RecordState::Live(Box::new(entry)), now)
    }

    /// It is over: its feed says so, and nothing more.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(&self, given: &Given, why: Ended, now: Timespec) -> Result<Told, ShareError> {
        let _writing = self.writing.lock();
        self.end_with(self.read(&given.id)?, why, now)
    }

    fn end_with(&self, given: Given, why: Ended, now: Timespec) -> Result<Told, ShareError> {
        let was_offered = given.state == GivenState::Offered;
        let ended = Given {
            state: GivenState::Ended { why, when: now },
            ..given
        };
        self.put(&ended)?;
        if !was_offered {
            return Ok(Told::Already);
        }
        self.tell(&ended, &RecordState::Ended(why), now)
    }

    /// What is said at last of a grant that is over, if that could not be said when it ended.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn tell_the_end(&self, given: &Given, now: Timespec) -> Result<Told, ShareError> {
        let _writing = self.writing.lock();
        let given = self.read(&given.id)?;
        if let GivenState::Ended { why, .. } = given.state
            && self.last(&given.id)?.is_some()
        {
            return self.tell(&given, &RecordState::Ended(why), now);
        }
        Ok(Told::Already)
    }

    fn tell(&self, given: &Given, state: &RecordState, now: Timespec) -> Result<Told, ShareError> {
        let said = GrantRecord::said(given.terms.until, state).map_err(ShareError::NoRow)?;
        let last = self.last(&given.id)?;
        if last.as_ref().is_some_and(|last| last.said == said) {
            return Ok(Told::Already);
        }
        // At its index stands nothing else, ever: a node may have taken it without saying so. An end does not wait for
        // it, and goes to the next one; who follows looks over the gap.
        let waiting = last
            .as_ref()
            .and_then(|last| Some((last.index, last.pending.as_deref()?)))
            .map(|waiting| self.waiting(&given.id, waiting))
            .transpose()?;
        if waiting.is_some() && matches!(state, RecordState::Live(_)) {
            return Ok(Told::Later);
        }
        let (index, hash) = last.map_or((0, [0; 32]), |last| {
            (last.index.saturating_add(1), last.hash)
        });
        let record = GrantRecord {
            grant: given.id,
            index,
            previous: waiting.map_or(hash, |waiting| waiting.previous),
            time: now,
            until: given.terms.until,
            state: state.clone(),
        };
        self.write(&record, said)?;
        Ok(Told::Made)
    }

    /// From now on the record waits to be sent.
    fn write(&self, record: &GrantRecord, said: [u8; 32]) -> Result<(), ShareError> {
        let secret = self.grant(&record.grant);
        let place = RecordPlace {
            feed: secret.feed(),
            index: record.index,
        };
        let plain = record.encode().map_err(ShareError::NoRow)?;
        let payload = seal_record(&secret.cap_key(), &place, &plain);
        self.put_last(
            &record.grant,
            &LastRecord {
                index: place.index,
                hash: *blake3::hash(payload.as_slice()).as_bytes(),
                said,
                pending: Some(payload),
            },
        )
    }

    /// What waits to be sent.
    fn waiting(
        &self,
        id: &[u8; 16],
        (index, payload): (u64, &[u8; PAGE]),
    ) -> Result<GrantRecord, ShareError> {
        let secret = self.grant(id);
        let place = RecordPlace {
            feed: secret.feed(),
            index,
        };
        let plain = open_record(&secret.cap_key(), &place, payload).map_err(|_| no_record())?;
        GrantRecord::decode(plain.expose()).map_err(ShareError::NoRow)
    }

    /// Nothing can ever stand at the index of the record that waits: it goes to the next one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn passes_by(&self, given: &Given, index: u64) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        let Some(last) = self.last(&given.id)?.filter(|last| last.index == index) else {
            return Ok(());
        };
        let Some(payload) = &last.pending else {
            return Ok(());
        };
        let waiting = self.waiting(&given.id, (index, payload))?;
        let next = GrantRecord {
            index: index.saturating_add(1),
            ..waiting
        };
        self.write(&next, last.said)
    }

    fn last(&self, id: &[u8; 16]) -> Result<Option<LastRecord>, ShareError> {
        let row = self.rows.get(&Key::last_record(id))?;
        let row = row.map(|row| LastRecord::decode(&row)).transpose();
        row.map_err(ShareError::NoRow)
    }

    fn put_last(&self, id: &[u8; 16], last: &LastRecord) -> Result<(), ShareError> {
        let mut batch = Batch::new(Class::Meta);
        let row = last.encode().map_err(ShareError::NoRow)?;
        batch.put(Key::last_record(id), row);
        self.rows.append(batch, None)?;
        // Whoever reads it in the network must not know more than this machine after a power cut.
        Ok(self.rows.sync()?)
    }

    /// A record that no node took yet. A version whose time is over is none: the end takes its place.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn unsent(&self, given: &Given, now: Timespec) -> Result<Option<Unsent>, ShareError> {
        let given = self.read(&given.id)?;
        if given.state == GivenState::Offered && given.terms.is_past(now) {
            return Ok(None);
        }
        let last = self.last(&given.id)?;
        let Some((index, payload)) = last.and_then(|last| Some((last.index, last.pending?))) else {
            return Ok(None);
        };
        let record = self.waiting(&given.id, (index, &payload))?;
        let chunk = record_chunk(&self.grant(&given.id), index, &payload);
        Ok(Some(Unsent {
            index,
            is_first: record.previous == [0; 32],
            chunk: chunk.map_err(|_| no_record())?,
        }))
    }

    /// A node took the record at that index.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn is_sent(&self, given: &Given, index: u64) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        match self.last(&given.id)? {
            Some(last) if last.index == index => self.put_last(
                &given.id,
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
        let secret = self.grant(&given.id);
        let found = newest_record(endpoints, (secret.feed(), &secret.cap_key()), 0).await?;
        let Some(found) = found else {
            return Ok(false);
        };
        let _writing = self.writing.lock();
        let last = self.last(&given.id)?;
        if last.is_some_and(|last| last.index > found.index || last.hash == found.hash) {
            return Ok(false);
        }
        let said = GrantRecord::said(found.record.until, &found.record.state);
        self.put_last(
            &given.id,
            &LastRecord {
                index: found.index,
                hash: found.hash,
                said: said.map_err(ShareError::NoRow)?,
                pending: None,
            },
        )?;
        Ok(true)
    }

    /// Those of somebody that are not over.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn of(&self, contact: &Fingerprint) -> Result<Vec<Given>, ShareError> {
        let is_alive = |given: &Given| !matches!(given.state, GivenState::Ended { .. });
        let mut all = self.all()?;
        all.retain(|given| given.contact == *contact && is_alive(given));
        Ok(all)
    }
}

fn no_record() -> ShareError {
    ShareError::NoRow(Malformed("record of a grant"))
}

/// Whether an id begins with these hexadecimal digits, at least four of them.
pub(super) fn is_meant(id: &[u8; 16], digits: &str) -> bool {
    digits.len() >= 4 && hex::encode(id).starts_with(&digits.to_lowercase())
}
