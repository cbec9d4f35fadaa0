//! The log as lines of JSON: for people, for programs, and to be verified by anybody.

use serde::{Deserialize, Serialize};

use crate::format::audit::{Content, Record, SignedCheckpoint, Witness};
use crate::format::wire::Malformed;
use crate::share::audit::{Held, Holder};
use crate::types::Timespec;

const FORMAT: &str = "podfs audit 1";

/// The first line of an exported log. All bytes are hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// `podfs audit 1`.
    pub format: String,
    /// Which log it is.
    pub origin: String,
    /// The Ed25519 key that has signed the end of it.
    pub key: String,
    /// The signed card of the owner, if they had one; it vouches for the key, and the identity signed it.
    pub card: Option<String>,
    /// Checkpoints.
    pub checkpoints: Vec<HeldLine>,
}

/// A checkpoint in the header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub enum HeldLine {
    /// The newest published head has it.
    Head {
        /// It, with key and signature.
        checkpoint: String,
    },
    /// It stands behind the last record.
    Export {
        /// It, with key and signature.
        checkpoint: String,
    },
    /// Somebody countersigned it.
    Person {
        /// What they are called.
        name: String,
        /// It, and what they signed.
        witness: String,
    },
}

impl Header {
    /// Of a log.
    pub fn new(origin: &[u8; 32], key: &[u8; 32]) -> Self {
        Self {
            format: FORMAT.to_owned(),
            origin: hex::encode(origin),
            key: hex::encode(key),
            card: None,
            checkpoints: Vec::new(),
        }
    }

    /// Origin and key.
    ///
    /// # Errors
    /// Another format, or what is no such line.
    pub fn origin_and_key(&self) -> Result<([u8; 32], [u8; 32]), Malformed> {
        if self.format != FORMAT {
            return Err(WRONG);
        }
        Ok((array(&self.origin)?, array(&self.key)?))
    }

    /// The checkpoints, as the pod knows who holds them.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn held(&self) -> Result<Vec<Held>, Malformed> {
        self.held_by(|name, _| Holder::Person(name))
    }

    /// The checkpoints, as a file says who holds them: whoever wrote it may have written any name.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn claimed(&self) -> Result<Vec<Held>, Malformed> {
        self.held_by(|name, witness| Holder::Claimed(name, witness.key))
    }

    fn held_by(&self, person: impl Fn(String, &Witness) -> Holder) -> Result<Vec<Held>, Malformed> {
        let all = self.checkpoints.iter().map(|line| {
            Ok(match line {
                HeldLine::Head { checkpoint } => Held::own(Holder::Head, signed(checkpoint)?),
                HeldLine::Export { checkpoint } => Held::own(Holder::Export, signed(checkpoint)?),
                HeldLine::Person { name, witness } => {
                    let witness = Witness::decode(&bytes(witness)?)?;
                    Held::witnessed(person(name.clone(), &witness), &witness)
                }
            })
        });
        all.collect()
    }
}

/// One record. What is not known or means nothing is `null`; what stands in the tree follows in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its place, from 0.
    pub number: u64,
    /// When it happened: seconds since 1970.
    pub time: i64,
    /// And nanoseconds.
    pub nanos: u32,
    /// What happened; `null` when it was deleted, or a later podfs wrote it.
    pub kind: Option<String>,
    /// `done`, `refused` or `failed`.
    pub outcome: Option<String>,
    /// Which machine of the pod.
    pub device: Option<u16>,
    /// With what: a path in the pod, or a name. When it is no UTF-8, with escapes as in C.
    pub object: Option<String>,
    /// With whom: fingerprint of their identity.
    pub who: Option<String>,
    /// What they were called then.
    pub name: Option<String>,
    /// Under which grant.
    pub grant: Option<String>,
    /// A purpose or a reason.
    pub text: Option<String>,
    /// Until when it is allowed: seconds since 1970.
    pub until: Option<i64>,
    /// What hides the event in its commitment; `null` when both were deleted.
    pub salt: Option<String>,
    /// The event as it was written.
    pub event: Option<String>,
    /// The commitment, when salt and event were deleted.
    pub commitment: Option<String>,
    /// The key that signs from here on, when it is another one.
    pub key: Option<String>,
    /// Signature of the checkpoint behind the record.
    pub signature: String,
}

impl Line {
    /// Of a record.
    pub fn of(number: u64, record: &Record) -> Self {
        let Timespec { secs, nanos } = record.time();
        let (salt, event, commitment) = match &record.content {
            Content::Full { salt, event } => {
                (Some(hex::encode(salt)), Some(hex::encode(event)), None)
            }
            Content::Erased { commitment, .. } => (None, None, Some(hex::encode(commitment))),
        };
        let said = record.event();
        let said = said.as_ref();
        let full = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            number,
            time: secs,
            nanos,
            kind: said.map(|event| event.kind.name().to_owned()),
            outcome: said.map(|event| event.outcome.name().to_owned()),
            device: said.map(|event| event.device),
            object: said.and_then(|event| full(&object_text(&event.object))),
            who: said.and_then(|event| event.who.map(hex::encode)),
            name: said.and_then(|event| full(&event.name)),
            grant: said.and_then(|event| event.grant.map(hex::encode)),
            text: said.and_then(|event| full(&event.text)),
            until: said.and_then(|event| event.until),
            salt,
            event,
            commitment,
            key: record.key.map(hex::encode),
            signature: hex::encode(record.signature),
        }
    }

    /// The record that stands in the place `number`.
    ///
    /// # Errors
    /// When there is none in it, or when the line says in words what the record does not say.
    pub fn record(&self, number: u64) -> Result<Record, Malformed> {
        let content = match (&self.salt, &self.event, &self.commitment) {
            (Some(salt), Some(event), None) => Content::Full {
                salt: array(salt)?,
                event: bytes(event)?,
            },
            (None, None, Some(commitment)) => Content::Erased {
                commitment: array(commitment)?,
                time: Timespec {
                    secs: self.time,
                    nanos: self.nanos,
                },
            },
            _ => return Err(WRONG),
        };
        let record = Record {
            key: self.key.as_deref().map(array).transpose()?,
            signature: array(&self.signature)?,
            content,
        };
        // As it is read from a log: what could not stand there is no record.
        let written = record.encode();
        let mut read = crate::format::audit::records(&written);
        let record = read.next().ok_or(WRONG)??;
        let told = record.number().unwrap_or(number);
        if Self::of(told, &record) == *self {
            Ok(record)
        } else {
            Err(WRONG)
        }
    }
}

/// A path or name as text: as it is where that is UTF-8, else with escapes as in C.
pub fn object_text(object: &[u8]) -> String {
    match std::str::from_utf8(object) {
        Ok(text) => text.to_owned(),
        Err(_) => object.escape_ascii().to_string(),
    }
}

const WRONG: Malformed = Malformed("line of an audit log");

fn signed(digits: &str) -> Result<SignedCheckpoint, Malformed> {
    SignedCheckpoint::decode(&bytes(digits)?)
}

/// Only small letters: there is one way to write them.
fn bytes(digits: &str) -> Result<Vec<u8>, Malformed> {
    if digits.bytes().any(|digit| digit.is_ascii_uppercase()) {
        return Err(WRONG);
    }
    hex::decode(digits).map_err(|_| WRONG)
}

fn array<const N: usize>(digits: &str) -> Result<[u8; N], Malformed> {
    bytes(digits)?.try_into().map_err(|_| WRONG)
}
