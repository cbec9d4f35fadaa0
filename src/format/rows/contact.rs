//! Rows of cards: the owner's own, and those of contacts; and who is blocked.

use crate::crypto::identity::Fingerprint;
use crate::format::card::{CARD_LEN, Card, SIGNED_CARD_LEN, SignedCard};
use crate::format::rows::Key;
use crate::format::wire::{Malformed, Reader};
use crate::types::limits::CARD_EPOCH_BITS;
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
    /// Fingerprints of the identities that they had before this one, the first one first; at most 255.
    pub former: Vec<Fingerprint>,
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
const FORMER: u8 = 4;

/// Whether a `C` row is what its key says: a card that is signed by the identity it names, under the key of the first
/// identity of that person.
///
/// # Errors
/// Says what it is not.
pub fn check_card_row(key: &Key, row: &[u8]) -> Result<(), Malformed> {
    if *key == Key::own_card() {
        let own = OwnCard::decode(row)?;
        return SignedCard::read(own.card.as_slice()).map(drop);
    }
    let contact = Contact::decode(row)?;
    SignedCard::read(contact.card.as_slice())?;
    if contact.key()? == *key {
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

    /// What stands for them in all rows, whatever became of their keys: the fingerprint of the first identity that was
    /// pinned.
    ///
    /// # Errors
    /// When the row is damaged.
    pub fn print(&self) -> Result<Fingerprint, Malformed> {
        match self.former.first() {
            Some(first) => Ok(*first),
            None => Ok(self.card()?.fingerprint()),
        }
    }

    /// Where the row is.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn key(&self) -> Result<Key, Malformed> {
        Ok(Key::contact_with(&self.print()?))
    }

    /// Stands for their keys: later ones have a higher number, those of a later identity too.
    ///
    /// # Errors
    /// When the row is damaged.
    pub fn epoch(&self) -> Result<u32, Malformed> {
        let identities = u32::try_from(self.former.len()).unwrap_or(u32::MAX);
        Ok(identities << CARD_EPOCH_BITS | self.card()?.epoch)
    }

    /// Bytes of the row: flags u8 (1 verified, 2 alarm, 4 former identities), since i64 and u32, with an alarm its hash 32,
    /// with former identities their number u8 and fingerprints 32, card 1544, the name.
    pub fn encode(&self) -> Vec<u8> {
        let flag = |flag: u8, is_set: bool| if is_set { flag } else { 0 };
        let flags = flag(VERIFIED, self.verified)
            | flag(ALARM, self.alarm.is_some())
            | flag(FORMER, !self.former.is_empty());
        let mut out = vec![flags];
        out.extend_from_slice(&self.since.secs.to_le_bytes());
        out.extend_from_slice(&self.since.nanos.to_le_bytes());
        out.extend(self.alarm.iter().flatten());
        if !self.former.is_empty() {
            out.push(u8::try_from(self.former.len()).unwrap_or(u8::MAX));
            out.extend(self.former.iter().flat_map(|print| print.0));
        }
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
        if flags & !(VERIFIED | ALARM | FORMER) != 0 {
            return Err(reader.malformed());
        }
        let alarm = if flags & ALARM != 0 {
            Some(reader.array()?)
        } else {
            None
        };
        let mut former = Vec::new();
        if flags & FORMER != 0 {
            let count = reader.u8()?;
            for _ in 0..count {
                former.push(Fingerprint(reader.array()?));
            }
            if count == 0 {
                return Err(reader.malformed());
            }
        }
        let card = Box::new(reader.array()?);
        let malformed = reader.malformed();
        let name = str::from_utf8(reader.rest()).map_err(|_| malformed)?;
        Ok(Self {
            name: ContactName::parse(name).map_err(|_| malformed)?,
            verified: flags & VERIFIED != 0,
            alarm,
            since,
            former,
            card,
        })
    }
}
