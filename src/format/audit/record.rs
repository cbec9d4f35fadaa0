use crate::crypto::audit::{SIGNATURE_LEN, commitment};
use crate::format::audit::event::{Event, put_time, stamp, take_time};
use crate::format::wire::{Malformed, Reader, put_long};
use crate::types::Timespec;
use crate::types::limits::AUDIT_RECORD_MAX;

const WHAT: &str = "audit record";

mod flag {
    pub(super) const ERASED: u8 = 1;
    pub(super) const KEY: u8 = 2;
    pub(super) const ALL: u8 = ERASED | KEY;
}

/// What a record holds of its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The event, and what hides it in its commitment.
    Full {
        /// Random.
        salt: [u8; 16],
        /// The bytes of the event. A later podfs may have written what this one cannot read.
        event: Vec<u8>,
    },
    /// Both were deleted: what happened is not known any more, that something did still is.
    Erased {
        /// [`commitment`] of what was deleted.
        commitment: [u8; 32],
        /// When it happened: the checkpoint behind the record has it.
        time: Timespec,
    },
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key that signs from here on; nothing: the one that signed the record before.
    pub key: Option<[u8; 32]>,
    /// Signature of the checkpoint behind this record.
    pub signature: [u8; SIGNATURE_LEN],
    /// The event.
    pub content: Content,
}

impl Record {
    /// Length u32 of all that follows, flags u8, key, signature, salt and event or commitment and time.
    pub fn encode(&self) -> Vec<u8> {
        let flag = |is, flag| if is { flag } else { 0 };
        let is_erased = matches!(self.content, Content::Erased { .. });
        let flags = flag(is_erased, flag::ERASED) | flag(self.key.is_some(), flag::KEY);
        let mut body = vec![flags];
        body.extend_from_slice(self.key.as_ref().map_or(&[], |key| key.as_slice()));
        body.extend_from_slice(&self.signature);
        match &self.content {
            Content::Full { salt, event } => {
                body.extend_from_slice(salt);
                body.extend_from_slice(event);
            }
            Content::Erased { commitment, time } => {
                body.extend_from_slice(commitment);
                put_time(&mut body, *time);
            }
        }
        let mut out = Vec::new();
        put_long(&mut out, &body);
        out
    }

    /// Takes the next record off a log.
    ///
    /// # Errors
    /// When there is none, or not all of it.
    pub fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let body = reader.long()?;
        if body.len() > AUDIT_RECORD_MAX {
            return Err(Malformed(WHAT));
        }
        let mut body = Reader::new(body, WHAT);
        let flags = body.u8()?;
        if flags & !flag::ALL != 0 {
            return Err(Malformed(WHAT));
        }
        let key = (flags & flag::KEY != 0).then(|| body.array()).transpose()?;
        let signature = body.array()?;
        let content = if flags & flag::ERASED == 0 {
            let salt = body.array()?;
            let event = body.rest().to_vec();
            stamp(&event)?;
            Content::Full { salt, event }
        } else {
            let (commitment, time) = (body.array()?, take_time(&mut body)?);
            Content::Erased { commitment, time }
        };
        body.end()?;
        Ok(Self {
            key,
            signature,
            content,
        })
    }

    /// What stands in the tree for it.
    pub fn leaf(&self) -> [u8; 32] {
        match &self.content {
            Content::Full { salt, event } => commitment(salt, event),
            Content::Erased { commitment, .. } => *commitment,
        }
    }

    /// The event; nothing when it was deleted, or a later podfs wrote it.
    pub fn event(&self) -> Option<Event> {
        match &self.content {
            Content::Full { event, .. } => Event::decode(event).ok(),
            Content::Erased { .. } => None,
        }
    }

    /// The number that its event has; nothing when that was deleted.
    pub fn number(&self) -> Option<u64> {
        match &self.content {
            Content::Full { event, .. } => stamp(event).ok().map(|(number, _)| number),
            Content::Erased { .. } => None,
        }
    }

    /// When it happened.
    pub fn time(&self) -> Timespec {
        match &self.content {
            Content::Full { event, .. } => stamp(event).map(|(_, time)| time).unwrap_or_default(),
            Content::Erased { time, .. } => *time,
        }
    }

    /// Deletes what happened: salt and event, not what the tree and the signatures rest on.
    pub fn erase(&mut self) {
        self.content = Content::Erased {
            commitment: self.leaf(),
            time: self.time(),
        };
    }
}

/// The records of a log, in order; the first that is none is the last.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = Result<Record, Malformed>> {
    let mut reader = Some(Reader::new(bytes, WHAT));
    std::iter::from_fn(move || {
        let rest = reader.as_mut().filter(|rest| !rest.is_empty())?;
        let record = Record::take(rest);
        if record.is_err() {
            reader = None;
        }
        Some(record)
    })
}
