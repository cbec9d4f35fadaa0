//! Messages between the owner of a pod and their contacts: written, sent, read, kept.
//!
//! Each pair of people has a feed of single-owner chunks for each direction and week, at places that only the two can
//! compute. A message is in a row before it is in the network, and sealed in that row before it is sent, so that what is
//! sent again is the same bytes. What was read and cannot be opened is passed over; what nobody answers for is not.
//!
//! Who is not known to the other one cannot be read there: a request goes to their door too, again and again, until they
//! say in the feed that it has arrived.

mod collect;
mod cursor;
mod door;
mod error;
mod forget;
mod knock;
mod ledger;
mod moved;
mod pair;
mod send;
mod stranger;
#[cfg(test)]
mod tests;
mod witness;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::crypto::entropy::random_bytes;
use crate::crypto::identity::Fingerprint;
use crate::crypto::{EntropyError, Secret};
use crate::format::message::{Message, MessageBody, MessageId};
use crate::format::rows::{Contact, Key, MessageRow, MessageState};
use crate::index::Rows;
use crate::journal::{Batch, Class};
use crate::share::messages::collect::Reading;
use crate::share::messages::knock::AtDoor;
use crate::share::messages::ledger::{Ledger, scan};
use crate::share::messages::pair::Pair;
use crate::share::{Called, Contacts, ShareError};
use crate::types::Timespec;
use crate::types::limits::MESSAGES_KEPT_MAX;

pub use collect::Collected;
pub use error::MessageError;
pub use moved::Still;
pub use pair::MessageKeys;
pub use send::Sending;
pub use witness::ToldOfLog;

/// Fewest digits that stand for a message.
const ID_DIGITS_MIN: usize = 4;

/// To the owner of the pod, or from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// To them.
    Received,
    /// From them.
    Sent,
}

impl Way {
    fn key(self, number: u64) -> Key {
        Key::message(self == Self::Sent, number)
    }
}

/// A message that is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which way it goes.
    pub way: Way,
    /// Its number among those of its way, in the order of arrival, from 1.
    pub number: u64,
    /// The row.
    pub row: MessageRow,
}

/// Fills a buffer with random bytes fit for keys.
pub type Random = Box<dyn FnMut(&mut [u8]) -> Result<(), EntropyError> + Send>;

/// What messages need.
pub struct MessagesParts {
    /// Where they are kept.
    pub rows: Arc<Rows>,
    /// Whom the owner knows.
    pub contacts: Arc<Contacts>,
    /// The keys of the pod.
    pub keys: MessageKeys,
    /// Ids, and what sealing needs.
    pub random: Random,
}

/// The messages of a pod. There is one of these for a pod.
pub struct Messages {
    rows: Arc<Rows>,
    contacts: Arc<Contacts>,
    keys: RwLock<Arc<MessageKeys>>,
    random: Mutex<Random>,
    /// Held from reading a row to appending it.
    ledger: Mutex<Option<Ledger>>,
    /// How far the feeds of each contact were read since the start.
    readings: Mutex<BTreeMap<Fingerprint, Reading>>,
    /// What was put at the doors of others since the start, by the number of the request.
    at_doors: Mutex<BTreeMap<u64, AtDoor>>,
    collecting: tokio::sync::Mutex<()>,
    sending: tokio::sync::Mutex<()>,
    knocking: tokio::sync::Mutex<()>,
    at_own_door: tokio::sync::Mutex<()>,
}

impl Messages {
    /// Those among the rows.
    pub fn new(parts: MessagesParts) -> Self {
        Self {
            rows: parts.rows,
            contacts: parts.contacts,
            keys: RwLock::new(Arc::new(parts.keys)),
            random: Mutex::new(parts.random),
            ledger: Mutex::default(),
            readings: Mutex::default(),
            at_doors: Mutex::default(),
            collecting: tokio::sync::Mutex::default(),
            sending: tokio::sync::Mutex::default(),
            knocking: tokio::sync::Mutex::default(),
            at_own_door: tokio::sync::Mutex::default(),
        }
    }

    /// Whether anything can be written to a contact.
    ///
    /// # Errors
    /// [`MessageError::NoCard`]; [`MessageError::Share`] with an alarm.
    pub fn admits(&self, contact: &Contact) -> Result<(), MessageError> {
        self.pair(contact.clone())?;
        self.own_card()
    }

    /// Writes a message to a contact. When this returns it is in the log of the pod; [`Messages::send`] sends it. The
    /// message that it answers counts as answered from now on.
    ///
    /// # Errors
    /// [`MessageError::NoCard`]; [`MessageError::Share`] with an alarm: nothing is written to a contact that is stopped;
    /// [`MessageError::Unknown`]: they wrote no message that could be answered; [`MessageError::Full`].
    pub fn post(
        &self,
        contact: &Contact,
        body: MessageBody,
        answers: Option<MessageId>,
        now: Timespec,
    ) -> Result<MessageId, MessageError> {
        self.admits(contact)?;
        let pair = self.pair(contact.clone())?;
        let id = MessageId(self.random_bytes()?);
        let row = MessageRow {
            contact: pair.print,
            since: now,
            epoch: 0,
            state: MessageState::Unsent,
            place: None,
            card: None,
            sealed: None,
            recorded: false,
            message: Message {
                id,
                time: now,
                answers,
                body,
            },
        };
        self.with_ledger(|ledger| {
            if ledger.kept(pair.print, Way::Sent) >= MESSAGES_KEPT_MAX {
                return Err(MessageError::Full(pair.name()));
            }
            let mut batch = Batch::new(Class::Meta);
            if let Some(answered) = answers {
                let mut asked = self.received_from(ledger, answered, &pair.print)?;
                if rank(asked.row.state) < rank(MessageState::Answered) {
                    asked.row.state = MessageState::Answered;
                    batch.put(Way::Received.key(asked.number), asked.row.encode()?);
                }
            }
            let number = ledger.next(Way::Sent);
            batch.put(Way::Sent.key(number), row.encode()?);
            self.rows.append(batch, None)?;
            ledger.add(Way::Sent, number, &row);
            Ok(id)
        })
    }

    /// Messages of one way with numbers above `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn all(&self, way: Way, after: u64, limit: usize) -> Result<Vec<Kept>, MessageError> {
        let found = scan(&self.rows, way, after, limit)?.into_iter();
        Ok(found
            .map(|(number, row)| Kept { way, number, row })
            .collect())
    }

    /// Number of the newest message of one way; 0 before the first.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn newest(&self, way: Way) -> Result<u64, MessageError> {
        self.with_ledger(|ledger| Ok(ledger.next(way).saturating_sub(1)))
    }

    /// The message whose id begins with these hexadecimal digits, at least 4.
    ///
    /// # Errors
    /// [`MessageError::NoId`], [`MessageError::Unknown`], [`MessageError::Ambiguous`].
    pub fn one(&self, prefix: &str) -> Result<Kept, MessageError> {
        let digits = prefix.to_ascii_lowercase();
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex || !(ID_DIGITS_MIN..=32).contains(&digits.len()) {
            return Err(MessageError::NoId(prefix.to_owned()));
        }
        self.with_ledger(|ledger| {
            let first = padded(&digits, '0').unwrap_or(MessageId([0; 16]));
            let last = padded(&digits, 'f').unwrap_or(MessageId([0xff; 16]));
            let mut found = ledger.ids.range(first..=last);
            let (_, (way, number)) = found
                .next()
                .ok_or_else(|| MessageError::Unknown(digits.clone()))?;
            if found.next().is_some() {
                return Err(MessageError::Ambiguous(digits.clone()));
            }
            self.kept(*way, *number)
        })
    }

    /// The newest message of the same contact that answers this one, which was sent from here.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn answer_to(&self, sent: &Kept) -> Result<Option<Kept>, MessageError> {
        self.with_ledger(|ledger| {
            let number = ledger.answers.get(&sent.row.message.id);
            let Some(number) = number.filter(|_| sent.way == Way::Sent) else {
                return Ok(None);
            };
            let answer = self.kept(Way::Received, *number)?;
            Ok(Some(answer).filter(|answer| answer.row.contact == sent.row.contact))
        })
    }

    /// How many messages were not seen in the network yet.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn unsent(&self) -> Result<usize, MessageError> {
        self.with_ledger(|ledger| Ok(ledger.unsent.len()))
    }

    /// Notes how far a received message is. It never goes back: what is answered was seen.
    ///
    /// # Errors
    /// [`MessageError::Unknown`]; [`MessageError::Own`]: it was sent from here, or the state is one of such messages.
    pub fn mark(&self, id: MessageId, state: MessageState) -> Result<(), MessageError> {
        self.with_ledger(|ledger| {
            let name = hex::encode(id.0);
            let found = ledger.ids.get(&id).copied();
            let (way, number) = found.ok_or_else(|| MessageError::Unknown(name.clone()))?;
            if way == Way::Sent || !state.is_of_received() {
                return Err(MessageError::Own(name));
            }
            let mut kept = self.kept(way, number)?;
            if rank(kept.row.state) < rank(state) {
                kept.row.state = state;
                self.put(way, number, &kept.row)?;
            }
            Ok(())
        })
    }

    /// The contact that this fingerprint stands for in rows; nothing when they were forgotten.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn contact(&self, print: &Fingerprint) -> Result<Option<Contact>, MessageError> {
        let Some(row) = self.rows.get(&Key::contact_with(print))? else {
            return Ok(None);
        };
        let contact = Contact::decode(&row)?;
        let is_theirs = contact.print()? == *print;
        Ok(is_theirs.then_some(contact))
    }

    /// The received message of that id, if it is from that contact.
    fn received_from(
        &self,
        ledger: &Ledger,
        id: MessageId,
        print: &Fingerprint,
    ) -> Result<Kept, MessageError> {
        let unknown = || MessageError::Unknown(hex::encode(id.0));
        let (way, number) = ledger.ids.get(&id).copied().ok_or_else(unknown)?;
        let kept = self.kept(way, number)?;
        let is_theirs = way == Way::Received && kept.row.contact == *print;
        is_theirs.then_some(kept).ok_or_else(unknown)
    }

    fn kept(&self, way: Way, number: u64) -> Result<Kept, MessageError> {
        let row = self.rows.get(&way.key(number))?;
        let row = row.ok_or_else(|| MessageError::Unknown(format!("number {number}")))?;
        let row = MessageRow::decode(&row)?;
        Ok(Kept { way, number, row })
    }

    fn put(&self, way: Way, number: u64, row: &MessageRow) -> Result<(), MessageError> {
        let mut batch = Batch::new(Class::Meta);
        batch.put(way.key(number), row.encode()?);
        Ok(self.rows.append(batch, None)?)
    }

    /// Both, unless the contact is stopped.
    fn pair(&self, contact: Contact) -> Result<Pair, MessageError> {
        if contact.alarm.is_some() {
            let name = Called::new(contact.name.as_str());
            return Err(ShareError::Alarm(name).into());
        }
        let (card, _) = self.contacts.own()?.ok_or(MessageError::NoCard)?;
        let own = card.card().fingerprint();
        Pair::new(&self.keys(), own, contact)
    }

    /// Insists that the own card vouches for what is signed here.
    fn own_card(&self) -> Result<(), MessageError> {
        let own = self.contacts.own()?;
        let own = own.filter(|(card, _)| self.keys().are_on(card.card()));
        own.map(drop).ok_or(MessageError::NoCard)
    }

    fn with_ledger<T>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, MessageError>,
    ) -> Result<T, MessageError> {
        let mut ledger = self.ledger.lock();
        let loaded = match ledger.take() {
            Some(loaded) => loaded,
            None => Ledger::load(&self.rows)?,
        };
        work(ledger.insert(loaded))
    }

    fn random_bytes<const N: usize>(&self) -> Result<[u8; N], EntropyError> {
        random_bytes(&mut **self.random.lock())
    }

    fn random_secret(&self) -> Result<Secret<32>, EntropyError> {
        Secret::try_fill_with(|bytes| (self.random.lock())(bytes))
    }
}

/// Order of the states of received messages.
const fn rank(state: MessageState) -> u8 {
    match state {
        MessageState::New => 0,
        MessageState::Seen => 1,
        MessageState::Answered => 2,
        MessageState::Accepted => 3,
        MessageState::Unsent | MessageState::Sent | MessageState::Arrived => u8::MAX,
    }
}

/// The id that begins with `digits` and goes on with `with`.
fn padded(digits: &str, with: char) -> Option<MessageId> {
    let mut whole = digits.to_owned();
    whole.extend(std::iter::repeat_n(
        with,
        32_usize.saturating_sub(digits.len()),
    ));
    let mut id = MessageId([0; 16]);
    hex::decode_to_slice(whole, &mut id.0).ok().map(|()| id)
}
