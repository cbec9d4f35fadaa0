//! What people write to each other: grants, requests, that a request was denied, that one has arrived, and what they saw
//! of each other's audit logs.

use zeroize::Zeroizing;

use crate::crypto::message::{MESSAGE_BODY_LEN, MessageBytes};
use crate::format::audit::{WITNESS_LEN, Witness};
use crate::format::wire::{Malformed, Reader, put_long};
use crate::types::{PlainText, Rights, Timespec};

const VERSION: u16 = 1;
const NANOS: u32 = 1_000_000_000;
/// Bytes before the body: version, kind, flags, id, time.
const HEAD_LEN: usize = 2 + 1 + 1 + 16 + 12;
/// Longest body of a [`MessageBody::Grant`], in a message that answers one: the length of the body and the id of the
/// other message stand before it.
pub const GRANT_LEN_MAX: usize = MESSAGE_BODY_LEN - HEAD_LEN - 16 - 4;

const GRANT: u8 = 1;
const REQUEST: u8 = 2;
const DENIED: u8 = 3;
const ARRIVED: u8 = 4;
const WITNESS: u8 = 5;

const ANSWERS: u8 = 1;
const FROM: u8 = 2;
const UNTIL: u8 = 4;

/// Names a message; random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub [u8; 16]);

/// One message.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its name. A second message with the name of another is none.
    pub id: MessageId,
    /// When it was written, as the sender says.
    pub time: Timespec,
    /// The message that it answers.
    pub answers: Option<MessageId>,
    /// What it says.
    pub body: MessageBody,
}

/// What a message says. Paths and purposes are secrets: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum MessageBody {
    /// Something is granted. At most [`GRANT_LEN_MAX`] bytes, which have a layout of their own.
    Grant(Box<[u8]>),
    /// Something is asked for.
    Request(AccessRequest),
    /// A request is denied.
    Denied {
        /// What the owner says about it; may be empty.
        why: PlainText,
    },
    /// The request that this answers came through the door: it need not be put there again.
    Arrived,
    /// The sender countersigns a checkpoint of the recipient's audit log. It answers nothing.
    Witness(Box<Witness>),
}

/// What somebody asks for.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessRequest {
    /// Path in the other one's pod, as the one who asks calls it; not empty.
    pub what: PlainText,
    /// What for; not empty.
    pub purpose: PlainText,
    /// What is to be allowed.
    pub rights: Rights,
    /// Seconds since 1970 from which on; nothing: from now on.
    pub from: Option<i64>,
    /// Seconds since 1970 until which; later than `from`. Nothing: no end.
    pub until: Option<i64>,
}

impl Message {
    /// The bytes, as `FORMAT.md` has them, without zeros behind.
    ///
    /// # Errors
    /// When it is longer than [`MESSAGE_BODY_LEN`], or says what may not be said.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut out = Vec::with_capacity(HEAD_LEN);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[self.body.kind(), self.flags()]);
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.time.secs.to_le_bytes());
        out.extend_from_slice(&self.time.nanos.to_le_bytes());
        out.extend(self.answers.iter().flat_map(|id| id.0));
        match &self.body {
            MessageBody::Grant(grant) => put_long(&mut out, grant),
            MessageBody::Request(request) => request.put(&mut out),
            MessageBody::Denied { why } => put_text(&mut out, why),
            MessageBody::Arrived => {}
            MessageBody::Witness(witness) => out.extend_from_slice(&witness.encode()),
        }
        // What would not be read is not written.
        Self::decode(&out).map(|_| out)
    }

    /// The bytes with the zeros behind, ready to be sealed.
    ///
    /// # Errors
    /// As [`Message::encode`].
    pub fn padded(&self) -> Result<MessageBytes, Malformed> {
        let bytes = Zeroizing::new(self.encode()?);
        let mut padded = Zeroizing::new([0; MESSAGE_BODY_LEN]);
        for (to, from) in padded.iter_mut().zip(bytes.iter()) {
            *to = *from;
        }
        Ok(padded)
    }

    /// Reads a message without zeros behind.
    ///
    /// # Errors
    /// Another version, a kind or flag that means nothing, texts that are too long or hold control characters.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let (message, rest) = Self::read(bytes)?;
        match rest {
            [] if bytes.len() <= MESSAGE_BODY_LEN => Ok(message),
            _ => Err(Malformed("message")),
        }
    }

    /// Reads an opened message with the zeros behind.
    ///
    /// # Errors
    /// As [`Message::decode`], or anything but zeros behind.
    pub fn decode_padded(bytes: &MessageBytes) -> Result<Self, Malformed> {
        Self::decode_with_zeros(bytes.as_slice())
    }

    /// The same for any number of zeros.
    pub(super) fn decode_with_zeros(bytes: &[u8]) -> Result<Self, Malformed> {
        let (message, rest) = Self::read(bytes)?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(Malformed("message"));
        }
        Ok(message)
    }

    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let mut reader = Reader::new(bytes, "message");
        let version = reader.u16()?;
        let (kind, flags) = (reader.u8()?, reader.u8()?);
        let known = match kind {
            REQUEST => ANSWERS | FROM | UNTIL,
            GRANT | DENIED | ARRIVED => ANSWERS,
            WITNESS => 0,
            _ => return Err(reader.malformed()),
        };
        let id = MessageId(reader.array()?);
        let time = Timespec {
            secs: reader.i64()?,
            nanos: reader.u32()?,
        };
        // Of what has arrived the id tells, and nothing else.
        let is_missing = kind == ARRIVED && flags != ANSWERS;
        if version != VERSION || flags & !known != 0 || time.nanos >= NANOS || is_missing {
            return Err(reader.malformed());
        }
        let answers = optional(&mut reader, flags & ANSWERS, |reader| {
            reader.array().map(MessageId)
        })?;
        let body = match kind {
            GRANT => MessageBody::Grant(reader.long()?.into()),
            REQUEST => MessageBody::Request(AccessRequest::read(&mut reader, flags)?),
            WITNESS => {
                let witness = Witness::decode(reader.bytes(WITNESS_LEN)?)?;
                MessageBody::Witness(Box::new(witness))
            }
            DENIED => MessageBody::Denied {
                why: read_text(&mut reader)?,
            },
            _ => MessageBody::Arrived,
        };
        let message = Self {
            id,
            time,
            answers,
            body,
        };
        Ok((message, reader.rest()))
    }

    const fn flags(&self) -> u8 {
        let answers = if self.answers.is_some() { ANSWERS } else { 0 };
        let limits = match &self.body {
            MessageBody::Request(request) => request.flags(),
            MessageBody::Grant(_)
            | MessageBody::Denied { .. }
            | MessageBody::Arrived
            | MessageBody::Witness(_) => 0,
        };
        answers | limits
    }
}

impl MessageBody {
    const fn kind(&self) -> u8 {
        match self {
            Self::Grant(_) => GRANT,
            Self::Request(_) => REQUEST,
            Self::Denied { .. } => DENIED,
            Self::Arrived => ARRIVED,
            Self::Witness(_) => WITNESS,
        }
    }
}

impl AccessRequest {
    const fn flags(&self) -> u8 {
        let from = if self.from.is_some() { FROM } else { 0 };
        let until = if self.until.is_some() { UNTIL } else { 0 };
        from | until
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.rights.bits());
        for end in [self.from, self.until].into_iter().flatten() {
            out.extend_from_slice(&end.to_le_bytes());
        }
        put_text(out, &self.what);
        put_text(out, &self.purpose);
    }

    fn read(reader: &mut Reader<'_>, flags: u8) -> Result<Self, Malformed> {
        let request = Self {
            rights: Rights::from_bits(reader.u8()?).map_err(|_| reader.malformed())?,
            from: optional(reader, flags & FROM, Reader::i64)?,
            until: optional(reader, flags & UNTIL, Reader::i64)?,
            what: read_text(reader)?,
            purpose: read_text(reader)?,
        };
        let is_empty = request.what.as_str().is_empty() || request.purpose.as_str().is_empty();
        let ends_first = request
            .until
            .is_some_and(|until| request.from.is_some_and(|from| until <= from));
        if is_empty || ends_first {
            return Err(reader.malformed());
        }
        Ok(request)
    }
}

fn put_text(out: &mut Vec<u8>, text: &PlainText) {
    put_long(out, text.as_str().as_bytes());
}

fn read_text(reader: &mut Reader<'_>) -> Result<PlainText, Malformed> {
    let text = str::from_utf8(reader.long()?).map_err(|_| reader.malformed())?;
    PlainText::parse(text).map_err(|_| reader.malformed())
}

fn optional<'a, T>(
    reader: &mut Reader<'a>,
    flag: u8,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Option<T>, Malformed> {
    (flag != 0).then(|| read(reader)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::limits::MESSAGE_TEXT_MAX;

    fn text(text: &str) -> PlainText {
        PlainText::parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn message(body: MessageBody) -> Message {
        Message {
            id: MessageId([1; 16]),
            time: Timespec { secs: 2, nanos: 3 },
            answers: Some(MessageId([4; 16])),
            body,
        }
    }

    fn request(from: Option<i64>, until: Option<i64>) -> AccessRequest {
        AccessRequest {
            what: text("Labs/2026"),
            purpose: text("treatment"),
            rights: Rights::READ,
            from,
            until,
        }
    }

    #[test]
    fn the_longest_of_each_kind_fits() {
        let longest = "x".repeat(MESSAGE_TEXT_MAX);
        let bodies = [
            MessageBody::Grant(vec![7; GRANT_LEN_MAX].into()),
            MessageBody::Denied {
                why: text(&longest),
            },
            MessageBody::Request(AccessRequest {
                what: text(&longest),
                purpose: text(&longest),
                ..request(Some(i64::MIN), Some(i64::MAX))
            }),
        ];
        for body in bodies.map(message) {
            let bytes = body.encode().unwrap();
            assert!(Message::decode(&bytes) == Ok(body.clone()));
            assert!(Message::decode_padded(&body.padded().unwrap()) == Ok(body));
        }
        let longer = message(MessageBody::Grant(vec![7; GRANT_LEN_MAX + 1].into()));
        assert!(longer.encode().is_err());
    }

    #[test]
    fn zeros_stand_behind_and_nothing_else() {
        let mut padded = message(MessageBody::Request(request(None, None)))
            .padded()
            .unwrap();
        assert!(Message::decode_padded(&padded).is_ok());
        assert!(Message::decode(padded.as_slice()).is_err());
        for at in [MESSAGE_BODY_LEN - 1, 2000] {
            padded[at] = 1;
            assert!(Message::decode_padded(&padded).is_err());
            padded[at] = 0;
        }
    }

    #[test]
    fn what_means_nothing_is_neither_read_nor_written() {
        for (from, until) in [(Some(1), Some(1)), (Some(2), Some(1))] {
            assert!(
                message(MessageBody::Request(request(from, until)))
                    .encode()
                    .is_err()
            );
        }
        let nothing = AccessRequest {
            purpose: text(""),
            ..request(None, None)
        };
        assert!(message(MessageBody::Request(nothing)).encode().is_err());
        let mut arrived = message(MessageBody::Arrived);
        assert!(Message::decode(&arrived.encode().unwrap()) == Ok(arrived.clone()));
        arrived.answers = None;
        assert!(arrived.encode().is_err());
    }
}
