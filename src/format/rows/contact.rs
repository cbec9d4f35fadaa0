//! Rows of cards: the owner's own, and those of contacts; and who is blocked.

use crate::crypto::identity::Fingerprint;
use crate::format::card::{CARD_LEN, Card, SIGNED_CARD_LEN, SignedCard};
use crate::format::rows::Key;
use crate::format::wire::{Malformed, Reader};
use crate::types::{ContactName, Timespec};

/// Value of the `C` row 0: the newest card of the pod's owner.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnCard {
    /// Whether a node took it.
    pub published: bool,
    /// Signed: the whole single-owner chunk.
    pub card: Box<[u8; SIGNED_CARD_LEN]>,
}

/// Value of every other `C` row: somebody whose keys are pinned.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// What the owner calls them.
    pub name: ContactName,
    /// Whether both read the same words to each other.
    pub verified: bool,
    /// BLAKE3 of a card that nothing vouches for, if one was met: nothing is done with this contact any more.
    pub alarm: Option<[u8; 32]>,
    /// When the first card was pinned.
    pub since: Timespec,
    /// The pinned card, signed: the whole single-owner chunk.
    pub card: Box<[u8; SIGNED_CARD_LEN]>,
}

/// Value of a `U` row: somebody of whom nothing is taken any more, contact or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Who.
    pub fingerprint: Fingerprint,
    /// Since when.
    pub since: Timespec,
}

const VERIFIED: u8 = 1;
const ALARM: u8 = 2;

/// Whether a `C` row is what its key says: a card that is signed by the identity it names, under the key of that
/// identity.
///
/// # Errors
/// Says what it is not.
pub fn check_card_row(key: &Key, row: &[u8]) -> Result<(), Malformed> {
    if *key == Key::own_card() {
        let own = OwnCard::decode(row)?;
        return SignedCard::read(own.card.as_slice()).map(drop);
    }
    let contact = Contact::decode(row)?;
    let card = SignedCard::read(contact.card.as_slice())?;
    if Key::contact_of(&card.card().identity) == *key {
        Ok(())
    } else {
        Err(Malformed("place of a contact"))
    }
}

/// Whether a `U` row is what its key says.
///
/// # Errors
/// Says what it is not.
pub fn check_blocked_row(key: &Key, row: &[u8]) -> Result<(), Malformed> {
    let blocked = Blocked::decode(row)?;
    if *key == Key::blocked(&blocked.fingerprint) {
        Ok(())
    } else {
        Err(Malformed("place of somebody blocked"))
    }
}

impl Blocked {
    /// Bytes of the row: fingerprint 32, since i64 and u32.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.fingerprint.0.to_vec();
        out.extend_from_slice(&self.since.secs.to_le_bytes());
        out.extend_from_slice(&self.since.nanos.to_le_bytes());
        out
    }

    /// Reads a row.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "row of somebody blocked");
        let blocked = Self {
            fingerprint: Fingerprint(reader.array()?),
            since: Timespec {
                secs: reader.i64()?,
                nanos: reader.u32()?,
            },
        };
        reader.end()?;
        Ok(blocked)
    }
}

impl OwnCard {
    /// Bytes of the row: published u8, card 1544.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![u8::from(self.published)];
        out.extend_from_slice(self.card.as_slice());
        out
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "row of the own card");
        let published = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(reader.malformed()),
        };
        let card = Box::new(reader.array()?);
        reader.end()?;
        Ok(Self { published, card })
    }
}

impl Contact {
    /// What the pinned card says.
    ///
    /// # Errors
    /// When it is none: the row is damaged.
    pub fn card(&self) -> Result<Card, Malformed> {
        let card = self.card.get(SIGNED_CARD_LEN.saturating_sub(CARD_LEN)..);
        Card::decode(card.unwrap_or_default())
    }

    /// Bytes of the row: flags u8 (1 verified, 2 alarm), since i64 and u32, with an alarm its hash 32, card 1544, the
    /// name.
    pub fn encode(&self) -> Vec<u8> {
        let flags = if self.verified { VERIFIED } else { 0 };
        let flags = flags | if self.alarm.is_some() { ALARM } else { 0 };
        let mut out = vec![flags];
        out.extend_from_slice(&self.since.secs.to_le_bytes());
        out.extend_from_slice(&self.since.nanos.to_le_bytes());
        out.extend(self.alarm.iter().flatten());
        out.extend_from_slice(self.card.as_slice());
        out.extend_from_slice(self.name.as_str().as_bytes());
        out
    }

    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "row of a contact");
        let flags = reader.u8()?;
        let since = Timespec {
            secs: reader.i64()?,
            nanos: reader.u32()?,
        };
        if flags & !(VERIFIED | ALARM) != 0 {
            return Err(reader.malformed());
        }
        let alarm = if flags & ALARM != 0 {
            Some(reader.array()?)
        } else {
            None
        };
        let card = Box::new(reader.array()?);
        let malformed = reader.malformed();
        let name = str::from_utf8(reader.rest()).map_err(|_| malformed)?;
        Ok(Self {
            name: ContactName::parse(name).map_err(|_| malformed)?,
            verified: flags & VERIFIED != 0,
            alarm,
            since,
            card,
        })
    }
}
