//! Rows of grants: those that the pod's owner gave, and those that others gave to the owner; and how far their feeds
//! are, which is known of this machine alone.

use zeroize::Zeroizing;

use crate::crypto::identity::Fingerprint;
use crate::crypto::keys::{CapKey, GrantFeed};
use crate::format::grant::{Ended, Terms, put_cap, take_cap};
use crate::format::message::MessageId;
use crate::format::published::{put_name, put_time, take_name, take_time};
use crate::format::rows::Key;
use crate::format::wire::{Malformed, Reader};
use crate::types::limits::PAGE;
use crate::types::{ContactName, Ino, Name, Timespec};

const ENDED: u8 = 2;

/// Value of a `G` row: a grant that the owner of the pod gave.
#[derive(Clone, PartialEq, Eq)]
pub struct Given {
    /// The grant.
    pub id: [u8; 16],
    /// Whom it was given to.
    pub contact: Fingerprint,
    /// What the owner called them then: they may be a contact no more.
    pub contact_name: ContactName,
    /// The inode that is shared.
    pub target: Ino,
    /// The directory where it is.
    pub directory: Ino,
    /// And its name there.
    pub name: Name,
    /// What was agreed on.
    pub terms: Terms,
    /// When.
    pub made: Timespec,
    /// The keys that it was handed over with; with other ones it goes on in another feed.
    pub epochs: Epochs,
    /// How far it is.
    pub state: GivenState,
    /// The request that it answers, until it is handed over.
    pub answers: Option<MessageId>,
}

/// Epochs of the keys of both when something was handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    /// Of the owner of the pod.
    pub own: u32,
    /// Of the other one.
    pub theirs: u32,
}

/// How far a grant is that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenState {
    /// Its time has not begun: nothing was handed over.
    Waiting,
    /// It was handed over.
    Offered,
    /// It is over.
    Ended {
        /// Why.
        why: Ended,
        /// Since when.
        when: Timespec,
    },
}

/// Value of an `L` row: the newest record of a feed of the owner's.
#[derive(Clone, PartialEq, Eq)]
pub struct LastRecord {
    /// Its index; below `u64::MAX`.
    pub index: u64,
    /// BLAKE3 of its sealed payload.
    pub hash: [u8; 32],
    /// What it says: [`crate::format::grant::GrantRecord::said`].
    pub said: [u8; 32],
    /// The payload, until a node took it: exactly these bytes are sent, however often.
    pub pending: Option<Box<[u8; PAGE]>>,
}

/// Value of an `S` row: a grant that somebody gave to the owner of the pod. It holds the key that opens it, so there is
/// neither `Debug` nor `Clone`.
pub struct Received {
    /// The grant.
    pub id: [u8; 16],
    /// Who gave it.
    pub contact: Fingerprint,
    /// What was agreed on.
    pub terms: Terms,
    /// Where its records stand.
    pub feed: GrantFeed,
    /// Opens them.
    pub cap: CapKey,
    /// When it was given, or told of with other keys, as the message says.
    pub made: Timespec,
    /// Epoch of the keys of who gave it, when that was told.
    pub epoch: u32,
    /// How far it is.
    pub state: ReceivedState,
    /// The name under which it is shown.
    pub label: Name,
}

/// How far a grant is that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceivedState {
    /// It came.
    Offered,
    /// The owner took it.
    Accepted,
    /// It is over.
    Ended {
        /// Why.
        why: Ended,
        /// Since when.
        when: Timespec,
    },
}

/// Value of a `V` row: a record that was seen. The feed is never again believed to be at a lower index, or to have another payload there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenRecord {
    /// Its index; below `u64::MAX`.
    pub index: u64,
    /// BLAKE3 of its sealed payload.
    pub hash: [u8; 32],
    /// When it was made, as it says.
    pub time: Timespec,
    /// Whether all that it refers to was brought here.
    pub is_brought: bool,
}

impl Given {
    /// Bytes of the row: id 16, fingerprint 32, target u64, directory u64, length u8 and name, length u8 and name of the
    /// contact, terms, made 12, epochs u32 own and theirs, state, the id of the request that it answers if there is one.
    ///
    /// # Errors
    /// When the terms contradict each other.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut out = self.id.to_vec();
        out.extend_from_slice(&self.contact.0);
        out.extend_from_slice(&self.target.0.to_le_bytes());
        out.extend_from_slice(&self.directory.0.to_le_bytes());
        put_name(&mut out, &self.name);
        let contact = self.contact_name.as_str().as_bytes();
        out.push(u8::try_from(contact.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(contact);
        self.terms.put(&mut out)?;
        put_time(&mut out, Some(self.made));
        out.extend_from_slice(&self.epochs.own.to_le_bytes());
        out.extend_from_slice(&self.epochs.theirs.to_le_bytes());
        match self.state {
            GivenState::Waiting => out.push(0),
            GivenState::Offered => out.push(1),
            GivenState::Ended { why, when } => put_ended(&mut out, why, when),
        }
        out.extend(self.answers.iter().flat_map(|id| id.0));
        Ok(out)
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "row of a grant that was given");
        let given = Self {
            id: reader.array()?,
            contact: Fingerprint(reader.array()?),
            target: Ino(reader.u64()?),
            directory: Ino(reader.u64()?),
            name: take_name(&mut reader)?,
            contact_name: take_contact(&mut reader)?,
            terms: Terms::take(&mut reader)?,
            made: take_time(&mut reader)?,
            epochs: Epochs {
                own: reader.u32()?,
                theirs: reader.u32()?,
            },
            state: match reader.u8()? {
                0 => GivenState::Waiting,
                1 => GivenState::Offered,
                ENDED => {
                    let (why, when) = take_ended(&mut reader)?;
                    GivenState::Ended { why, when }
                }
                _ => return Err(reader.malformed()),
            },
            answers: (!reader.is_empty())
                .then(|| reader.array().map(MessageId))
                .transpose()?,
        };
        reader.end()?;
        Ok(given)
    }
}

impl LastRecord {
    /// Bytes of the row: index u64, hash 32, what it says 32, the payload if no node took it yet.
    ///
    /// # Errors
    /// When the payload is another one than the last.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        if !self.is_sound() {
            return Err(Malformed(LAST));
        }
        let mut out = self.index.to_le_bytes().to_vec();
        out.extend_from_slice(&self.hash);
        out.extend_from_slice(&self.said);
        out.extend(self.pending.iter().flat_map(|payload| payload.iter()));
        Ok(out)
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, LAST);
        let (index, hash, said) = (reader.u64()?, reader.array()?, reader.array()?);
        let is_pending = !reader.is_empty();
        let pending = is_pending.then(|| reader.array().map(Box::new));
        let last = Self {
            index,
            hash,
            said,
            pending: pending.transpose()?,
        };
        let malformed = reader.malformed();
        reader.end()?;
        if last.is_sound() {
            Ok(last)
        } else {
            Err(malformed)
        }
    }

    fn is_sound(&self) -> bool {
        let pending = self.pending.as_ref();
        let another = pending.is_some_and(|payload| blake3::hash(payload.as_slice()) != self.hash);
        self.index != u64::MAX && !another
    }
}

impl Received {
    /// Bytes of the row: id 16, fingerprint 32, owner 20, topic 32, cap key 32, length u8 and label, terms, made 12,
    /// epoch u32, state.
    ///
    /// # Errors
    /// When the terms contradict each other.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Malformed> {
        // Room for all of it: a vector that grew would leave a copy of the key behind.
        let mut out = Zeroizing::new(Vec::with_capacity(RECEIVED_MAX));
        out.extend_from_slice(&self.id);
        out.extend_from_slice(&self.contact.0);
        put_cap(&mut out, &self.feed, &self.cap);
        put_name(&mut out, &self.label);
        self.terms.put(&mut out)?;
        put_time(&mut out, Some(self.made));
        out.extend_from_slice(&self.epoch.to_le_bytes());
        match self.state {
            ReceivedState::Offered => out.push(0),
            ReceivedState::Accepted => out.push(1),
            ReceivedState::Ended { why, when } => put_ended(&mut out, why, when),
        }
        Ok(out)
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, RECEIVED);
        let (id, contact) = (reader.array()?, Fingerprint(reader.array()?));
        let (feed, cap) = take_cap(&mut reader)?;
        let label = take_name(&mut reader)?;
        let terms = Terms::take(&mut reader)?;
        let received = Self {
            id,
            contact,
            terms,
            feed,
            cap,
            made: take_time(&mut reader)?,
            epoch: reader.u32()?,
            state: match reader.u8()? {
                0 => ReceivedState::Offered,
                1 => ReceivedState::Accepted,
                ENDED => {
                    let (why, when) = take_ended(&mut reader)?;
                    ReceivedState::Ended { why, when }
                }
                _ => return Err(reader.malformed()),
            },
            label,
        };
        reader.end()?;
        Ok(received)
    }
}

impl SeenRecord {
    /// Bytes of the row: index u64, hash 32, time 12, brought u8.
    ///
    /// # Errors
    /// When there can be no record behind it.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        if self.index == u64::MAX {
            return Err(Malformed(SEEN));
        }
        let mut out = self.index.to_le_bytes().to_vec();
        out.extend_from_slice(&self.hash);
        put_time(&mut out, Some(self.time));
        out.push(u8::from(self.is_brought));
        Ok(out)
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, SEEN);
        let seen = Self {
            index: reader.u64()?,
            hash: reader.array()?,
            time: take_time(&mut reader)?,
            is_brought: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(reader.malformed()),
            },
        };
        let malformed = reader.malformed();
        reader.end()?;
        if seen.index == u64::MAX {
            return Err(malformed);
        }
        Ok(seen)
    }
}

const LAST: &str = "row of the newest record of a grant";
const SEEN: &str = "row of a record of a grant that was seen";
const RECEIVED: &str = "row of a grant that was received";
/// More than a row can need: two names, a purpose, and less than 300 bytes beside.
const RECEIVED_MAX: usize = 1500;

fn take_contact(reader: &mut Reader<'_>) -> Result<ContactName, Malformed> {
    let length = usize::from(reader.u8()?);
    let name = str::from_utf8(reader.bytes(length)?).map_err(|_| reader.malformed())?;
    ContactName::parse(name).map_err(|_| reader.malformed())
}

/// Adds 2, why u8, when 12.
fn put_ended(out: &mut Vec<u8>, why: Ended, when: Timespec) {
    out.extend_from_slice(&[ENDED, why.code()]);
    put_time(out, Some(when));
}

/// Reads why and when.
fn take_ended(reader: &mut Reader<'_>) -> Result<(Ended, Timespec), Malformed> {
    let why = Ended::of_code(reader.u8()?).ok_or(reader.malformed())?;
    Ok((why, take_time(reader)?))
}

/// Whether these are key and value of a row of a grant that was given.
///
/// # Errors
/// When they are not.
pub fn check_given_row(key: &Key, value: &[u8]) -> Result<(), Malformed> {
    let row = Given::decode(value)?;
    if *key == Key::given(&row.id) {
        Ok(())
    } else {
        Err(Malformed("row of a grant that was given"))
    }
}

/// Whether these are key and value of a row of a grant that was received.
///
/// # Errors
/// When they are not.
pub fn check_received_row(key: &Key, value: &[u8]) -> Result<(), Malformed> {
    let row = Received::decode(value)?;
    if *key == Key::received(&row.id) {
        Ok(())
    } else {
        Err(Malformed(RECEIVED))
    }
}
