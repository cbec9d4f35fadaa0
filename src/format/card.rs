//! Key cards: the public keys of somebody, as everybody may read them.

use crate::crypto::identity::{Fingerprint, XWING_LEN, card_topic, identity_owner};
use crate::crypto::scalar::Owner;
use crate::crypto::swarm::{
    CHUNK_LEN_MAX, PAGE_SPAN, SOC_HEADER_LEN, SPAN_LEN, SealedChunk, SocId, soc_address, soc_owner,
};
use crate::format::wire::{Malformed, Reader};
use crate::types::Timespec;
use crate::types::limits::CARD_EPOCH_MAX;

const VERSION: u16 = 1;
/// Bytes of a card.
pub const CARD_LEN: usize = 2 + 8 + 4 + 4 + 12 + 65 + 32 + 32 + XWING_LEN + 32 + 32;
/// Bytes of a card with its signature: the single-owner chunk without the zeros behind the card.
pub const SIGNED_CARD_LEN: usize = SOC_HEADER_LEN + SPAN_LEN + CARD_LEN;

/// What a card says. The identity signs it, and with it the keys that are used from day to day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its index in the feed of cards; each takes the place of the one before.
    pub number: u64,
    /// Which identity of its phrase it is; the first is 0.
    pub identity_number: u32,
    /// Epoch of the keys, below 2²⁴. Nothing of an older one is accepted any more.
    pub epoch: u32,
    /// When it was made.
    pub made: Timespec,
    /// Public key of the identity: an uncompressed secp256k1 point, `04 ‖ x ‖ y`.
    pub identity: [u8; 65],
    /// Ed25519 key that signs grants and messages.
    pub sign: [u8; 32],
    /// X25519 key.
    pub x25519: [u8; 32],
    /// X-Wing key.
    pub xwing: Box<[u8; XWING_LEN]>,
    /// BLAKE3 of the card before; in the first one the fingerprint of the identity that this one follows, or zeros.
    pub previous: [u8; 32],
    /// Owner address of the identity that may follow this one, if one was fixed.
    pub successor: Option<Owner>,
}

impl Card {
    /// The bytes, as `FORMAT.md` has them.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(CARD_LEN);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.identity_number.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.made.secs.to_le_bytes());
        out.extend_from_slice(&self.made.nanos.to_le_bytes());
        out.extend_from_slice(&self.identity);
        out.extend_from_slice(&self.sign);
        out.extend_from_slice(&self.x25519);
        out.extend_from_slice(self.xwing.as_slice());
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(&self.successor.unwrap_or(NOBODY).0);
        out.extend_from_slice(&[0; SUCCESSOR_ZEROS]);
        out
    }

    /// Reads a card.
    ///
    /// # Errors
    /// Another length or version, a time, an epoch or a point that is none, a later card with none before it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "card");
        if reader.u16()? != VERSION {
            return Err(reader.malformed());
        }
        let card = Self {
            number: reader.u64()?,
            identity_number: reader.u32()?,
            epoch: reader.u32()?,
            made: Timespec {
                secs: reader.i64()?,
                nanos: reader.u32()?,
            },
            identity: reader.array()?,
            sign: reader.array()?,
            x25519: reader.array()?,
            xwing: Box::new(reader.array()?),
            previous: reader.array()?,
            successor: Some(Owner(reader.array()?)).filter(|owner| *owner != NOBODY),
        };
        let zeros: [u8; SUCCESSOR_ZEROS] = reader.array()?;
        let has_before = card.number == 0 || card.previous != [0; 32];
        let is_point = card.identity.first() == Some(&UNCOMPRESSED);
        let is_sound = card.made.nanos < NANOS && card.epoch <= CARD_EPOCH_MAX;
        if !is_sound || !has_before || !is_point || zeros != [0; SUCCESSOR_ZEROS] {
            return Err(reader.malformed());
        }
        reader.end()?;
        Ok(card)
    }

    /// The owner of its feed.
    pub fn owner(&self) -> Owner {
        identity_owner(&self.identity)
    }

    /// What stands for its identity.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.identity)
    }

    /// Whether `self` is the first card of the identity that `before`, a card of another one, has fixed to follow it, and
    /// says so itself: both have signed that they belong together.
    pub fn succeeds(&self, before: &Self) -> bool {
        self.number == 0
            && self.identity != before.identity
            && before.successor == Some(self.owner())
            && self.previous == before.fingerprint().0
    }
}

/// A card that its identity signed. Two are the same when they say the same: one card has several signatures.
#[derive(Clone, Debug)]
pub struct SignedCard {
    card: Card,
    chunk: SealedChunk,
}

impl PartialEq for SignedCard {
    fn eq(&self, other: &Self) -> bool {
        self.card == other.card
    }
}

impl Eq for SignedCard {}

impl SignedCard {
    /// Reads a card as it is handed over: the single-owner chunk, with the zeros behind the card or without. Its
    /// signature was checked when this returns; whose card it ought to be, the caller knows.
    ///
    /// # Errors
    /// When it is no card, or not signed by the identity that it names at the place of its number.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let wrong = Malformed("signed card");
        let body = bytes.get(SOC_HEADER_LEN.saturating_add(SPAN_LEN)..);
        let body = body.ok_or(wrong)?.split_at_checked(CARD_LEN);
        let (body, zeros) = body.ok_or(wrong)?;
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(wrong);
        }
        let card = Card::decode(body)?;
        let owner = soc_owner(bytes).filter(|owner| *owner == card.owner());
        let id = SocId::of_update(&card_topic(), card.number);
        let address = soc_address(&id, &owner.ok_or(wrong)?);
        let chunk = SealedChunk::verified(&address, bytes).map_err(|_| wrong)?;
        // With another span the zeros belong to the chunk, and the shorter form would be another one.
        let span = chunk.bytes().get(SOC_HEADER_LEN..).unwrap_or_default();
        let is_whole = chunk.bytes().len() == CHUNK_LEN_MAX;
        if !is_whole || span.first_chunk() != Some(&PAGE_SPAN.to_le_bytes()) {
            return Err(wrong);
        }
        Ok(Self { card, chunk })
    }

    /// The card as it is handed over and kept.
    pub fn bytes(&self) -> &[u8] {
        self.chunk
            .bytes()
            .get(..SIGNED_CARD_LEN)
            .unwrap_or_default()
    }

    /// What it says.
    pub const fn card(&self) -> &Card {
        &self.card
    }

    /// The chunk that it is.
    pub const fn chunk(&self) -> &SealedChunk {
        &self.chunk
    }

    /// What the next card of the chain has as the one before.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.card.encode()).as_bytes()
    }

    /// Whether `self` is the card right after `before`, of the same identity. A successor that was fixed stays.
    pub fn follows(&self, before: &Self) -> bool {
        let (now, then) = (&self.card, &before.card);
        let same_successor = then.successor.is_none() || now.successor == then.successor;
        (now.identity, now.identity_number) == (then.identity, then.identity_number)
            && then.number.checked_add(1) == Some(now.number)
            && now.previous == before.hash()
            && now.epoch >= then.epoch
            && same_successor
    }
}

const NANOS: u32 = 1_000_000_000;
/// In place of a successor when none was fixed.
const NOBODY: Owner = Owner([0; 20]);
/// Bytes behind the address of a successor.
const SUCCESSOR_ZEROS: usize = 12;
/// Begins an uncompressed point (SEC 1).
const UNCOMPRESSED: u8 = 4;
