//! Rows of messages, and of how far the feeds of a contact were read and written.

use crate::crypto::identity::Fingerprint;
use crate::crypto::message::MessagePayload;
use crate::crypto::swarm::PAYLOAD_MAX;
use crate::format::card::SIGNED_CARD_LEN;
use crate::format::message::{Message, MessageId};
use crate::format::rows::Key;
use crate::format::wire::{Malformed, Reader, put_long};
use crate::types::Timespec;

/// Value of an `M` row.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Fingerprint of the other one's identity.
    pub contact: Fingerprint,
    /// When it arrived, or was written here.
    pub since: Timespec,
    /// Of a received one: epoch of the keys of who wrote it, when it came; else 0.
    pub epoch: u32,
    /// How far it is.
    pub state: MessageState,
    /// Where it stands, or will; nothing before it is sealed. Of one that came through the door: the week in which it was
    /// read, and the number of the slot.
    pub place: Option<FeedPlace>,
    /// The card of who wrote it, signed, when it came through the door and they were no contact.
    pub card: Option<Box<[u8; SIGNED_CARD_LEN]>>,
    /// What is sent, as long as it is not seen in the network.
    pub sealed: Option<SealedMessage>,
    /// Whether the audit log has it: of requests that came.
    pub recorded: bool,
    /// The message itself.
    pub message: Message,
}

/// How far a message is: the first four are states of received ones, the others of own ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// Received, and not shown yet.
    New,
    /// Shown.
    Seen,
    /// Answered by the owner.
    Answered,
    /// What it grants was accepted.
    Accepted,
    /// Not seen in the network yet.
    Unsent,
    /// Seen in the network.
    Sent,
    /// The other one said that it has arrived.
    Arrived,
}

/// A place in the feed of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedPlace {
    /// Weeks since 1970.
    pub week: u32,
    /// Index in the feed of that week.
    pub index: u64,
}

/// What is sent, always the same bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedMessage {
    /// Stands for the keys of both sides that it was made with.
    pub keys: KeysTag,
    /// The payload of the chunk.
    pub payload: Box<MessagePayload>,
}

/// Stands for the keys of two people: with other ones it is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeysTag(pub [u8; 8]);

/// Value of a `T` row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedCursor {
    /// The keys whose feeds these are.
    pub keys: KeysTag,
    /// What is received next.
    pub received: FeedPlace,
    /// Where is sent next.
    pub sent: FeedPlace,
}

const PLACE: u8 = 1;
const SEALED: u8 = 2;
const CARD: u8 = 4;
const RECORDED: u8 = 8;

impl MessageRow {
    /// Bytes of the row: flags u8 (1 place, 2 sealed, 4 card, 8 recorded), state u8, contact 32, since i64 and u32, epoch
    /// u32, with a place week u32 and index u64, with a sealed message tag 8 and payload 4096, with a card 1544, then the
    /// message.
    ///
    /// # Errors
    /// When the message cannot be written.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let place = if self.place.is_some() { PLACE } else { 0 };
        let sealed = if self.sealed.is_some() { SEALED } else { 0 };
        let card = if self.card.is_some() { CARD } else { 0 };
        let recorded = if self.recorded { RECORDED } else { 0 };
        let mut out = vec![place | sealed | card | recorded, self.state.byte()];
        out.extend_from_slice(&self.contact.0);
        out.extend_from_slice(&self.since.secs.to_le_bytes());
        out.extend_from_slice(&self.since.nanos.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        if let Some(place) = &self.place {
            place.put(&mut out);
        }
        if let Some(sealed) = &self.sealed {
            out.extend_from_slice(&sealed.keys.0);
            out.extend_from_slice(sealed.payload.as_slice());
        }
        out.extend(self.card.iter().flat_map(|card| card.iter()));
        put_long(&mut out, &self.message.encode()?);
        Ok(out)
    }

    /// Reads a row.
    ///
    /// # Errors
    /// When it is none: only what is unsent is kept sealed, everything else has a place, and only what was received may
    /// have a card.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "row of a message");
        let flags = reader.u8()?;
        let state = MessageState::of(reader.u8()?).ok_or(reader.malformed())?;
        let may_be = match state {
            MessageState::Unsent => matches!(flags, 0 | 3),
            MessageState::New
            | MessageState::Seen
            | MessageState::Answered
            | MessageState::Accepted => flags & !(CARD | RECORDED) == PLACE,
            MessageState::Sent | MessageState::Arrived => flags == PLACE,
        };
        if !may_be {
            return Err(reader.malformed());
        }
        let contact = Fingerprint(reader.array()?);
        let since = Timespec {
            secs: reader.i64()?,
            nanos: reader.u32()?,
        };
        let epoch = reader.u32()?;
        let place = (flags & PLACE != 0).then(|| FeedPlace::read(&mut reader));
        let place = place.transpose()?;
        let sealed = (flags & SEALED != 0).then(|| SealedMessage::read(&mut reader));
        let sealed = sealed.transpose()?;
        let card = (flags & CARD != 0).then(|| reader.array());
        let card = card.transpose()?.map(Box::new);
        let message = Message::decode(reader.long()?)?;
        reader.end()?;
        Ok(Self {
            contact,
            since,
            epoch,
            state,
            place,
            card,
            sealed,
            recorded: flags & RECORDED != 0,
            message,
        })
    }
}

impl MessageState {
    const fn byte(self) -> u8 {
        match self {
            Self::New => 1,
            Self::Seen => 2,
            Self::Answered => 3,
            Self::Accepted => 4,
            Self::Unsent => 5,
            Self::Sent => 6,
            Self::Arrived => 7,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::New,
            2 => Self::Seen,
            3 => Self::Answered,
            4 => Self::Accepted,
            5 => Self::Unsent,
            6 => Self::Sent,
            7 => Self::Arrived,
            _ => return None,
        })
    }

    /// Whether it is one of received messages.
    pub const fn is_of_received(self) -> bool {
        matches!(
            self,
            Self::New | Self::Seen | Self::Answered | Self::Accepted
        )
    }
}

impl FeedPlace {
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.week.to_le_bytes());
        out.extend_from_slice(&self.index.to_le_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            week: reader.u32()?,
            index: reader.u64()?,
        })
    }
}

impl SealedMessage {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            keys: KeysTag(reader.array()?),
            payload: Box::new(reader.array::<PAYLOAD_MAX>()?),
        })
    }
}

impl FeedCursor {
    /// Bytes of the row: tag 8, received week u32 and index u64, sent week u32 and index u64.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.keys.0.to_vec();
        self.received.put(&mut out);
        self.sent.put(&mut out);
        out
    }

    /// Reads a row.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "row of feeds");
        let cursor = Self {
            keys: KeysTag(reader.array()?),
            received: FeedPlace::read(&mut reader)?,
            sent: FeedPlace::read(&mut reader)?,
        };
        reader.end()?;
        Ok(cursor)
    }
}

/// The message of a `Y` row, whose value is its id: it was received and forgotten, and may be met again.
///
/// # Errors
/// When it is no such row, or another one than the key says.
pub fn forgotten_message(key: &Key, row: &[u8]) -> Result<MessageId, Malformed> {
    let malformed = Malformed("row of what was forgotten");
    let id = row.try_into().map_err(|_| malformed)?;
    let day = u32::try_from(key.field(0)).map_err(|_| malformed)?;
    let is_it = *key == Key::forgotten(day, &id);
    is_it.then_some(MessageId(id)).ok_or(malformed)
}
