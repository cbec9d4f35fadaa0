//! Grants that the owner gave: rows, and the records of their feeds.

mod moved;
mod records;

use std::sync::Arc;

use crate::crypto::identity::Fingerprint;
use crate::crypto::keys::{BoxSecret, GrantSecret};
use crate::format::grant::{Ended, Grant, RecordState};
use crate::format::published::{Attributes, Entry};
use crate::format::rows::{Epochs, Given, GivenState, Key};
use crate::index::Rows;
use crate::share::audit::PublishedLog;
use crate::share::error::ShareError;
use crate::share::rows::PeopleRows;
use crate::types::limits::GRANTS_MAX;
use crate::types::{Ino, Name, Timespec};

pub use moved::Said;
pub use records::Unsent;

use parking_lot::{Mutex, RwLock};
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

/// The keys of the owner from which those of grants are made.
pub struct GrantKeys {
    /// Epoch of the owner's keys.
    pub epoch: u32,
    /// The box whose things are shared, in this epoch.
    pub secret: BoxSecret,
    /// The same in the epoch before, if its keys were replaced on this machine: what waits in a feed of then is read with
    /// it, and nothing new is sealed.
    pub before: Option<BoxSecret>,
}

impl GrantKeys {
    /// Those of a grant that was handed over in these epochs; nothing when the owner's are not known any more.
    fn of(&self, given: &Given) -> Option<GrantSecret> {
        let behind = self.epoch.checked_sub(given.epochs.own)?;
        let secret = match behind {
            0 => Some(&self.secret),
            1 => self.before.as_ref(),
            _ => None,
        };
        Some(secret?.grant_to(&given.id, given.epochs.theirs))
    }
}

/// The grants that the owner of a pod gave. There is one of these for a pod.
pub struct GivenGrants {
    people: Arc<PeopleRows>,
    /// For rows of this machine alone.
    pub(super) rows: Arc<Rows>,
    keys: RwLock<GrantKeys>,
    /// The audit log as it is published.
    pub(super) log: Mutex<Option<PublishedLog>>,
    /// Held from reading a row to writing it.
    pub(super) writing: Mutex<()>,
}

impl GivenGrants {
    /// Those that are made from these keys.
    pub fn new(people: Arc<PeopleRows>, rows: Arc<Rows>, keys: GrantKeys) -> Self {
        Self {
            people,
            rows,
            keys: RwLock::new(keys),
            log: Mutex::default(),
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
        self.has_room()?;
        if self.people.get(&Key::given(&given.id))?.is_some() {
            return Err(ShareError::TooManyGrants);
        }
        self.put(given)
    }

    /// Whether one more can be given.
    ///
    /// # Errors
    /// [`ShareError::TooManyGrants`]; or the log does not tell.
    pub fn has_room(&self) -> Result<(), ShareError> {
        let is_alive = |given: &&Given| !matches!(given.state, GivenState::Ended { .. });
        if self.all()?.iter().filter(is_alive).count() < GRANTS_MAX {
            Ok(())
        } else {
            Err(ShareError::TooManyGrants)
        }
    }

    fn put(&self, given: &Given) -> Result<(), ShareError> {
        let row = given.encode().map_err(ShareError::NoRow)?;
        self.people.put_now(Key::given(&given.id), row)
    }

    /// The keys of the owner are others from now on.
    pub fn replace_keys(&self, keys: GrantKeys) {
        let _writing = self.writing.lock();
        *self.keys.write() = keys;
    }

    pub(super) fn grant(&self, given: &Given) -> Option<GrantSecret> {
        self.keys.read().of(given)
    }

    /// The grant as it is handed over to somebody whose keys are of epoch `theirs`.
    pub fn with_keys(&self, given: &Given, theirs: u32) -> Given {
        let own = self.keys.read().epoch;
        Given {
            epochs: Epochs { own, theirs },
            ..given.clone()
        }
    }

    /// Whether it was handed over with the keys that the owner has now: else nothing but its end is said in its feed.
    fn is_current(&self, given: &Given) -> bool {
        given.epochs.own == self.keys.read().epoch
    }

    /// What is handed over of a grant.
    ///
    /// # Errors
    /// When its terms contradict each other; or the keys that it was handed over with are not known any more.
    pub fn handed_over(&self, given: &Given) -> Result<Zeroizing<Vec<u8>>, ShareError> {
        let secret = self.grant(given).ok_or(ShareError::OtherKeys)?;
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
            answers: None,
            epochs: given.epochs,
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
            let is_done = given.terms.snapshot && self.is_told(&given)?;
            if given.state == GivenState::Offered && self.is_current(&given) && !is_done {
                followed.push(given);
            }
        }
        Ok(followed)
    }

    /// The audit log that is published with what is told from now on.
    pub fn set_log(&self, log: PublishedLog) {
        *self.log.lock() = Some(log);
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
        if row.state != GivenState::Offered || row.terms.is_past(now) || !self.is_current(&row) {
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
            // Whether it is a box is nothing to others.
            attributes: Attributes {
                attached: None,
                ..attributes
            },
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
            && self.is_told(&given)?
        {
            return self.tell(&given, &RecordState::Ended(why), now);
        }
        Ok(Told::Already)
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

/// Whether an id begins with these hexadecimal digits, at least four of them.
pub(super) fn is_meant(id: &[u8; 16], digits: &str) -> bool {
    digits.len() >= 4 && hex::encode(id).starts_with(&digits.to_lowercase())
}
