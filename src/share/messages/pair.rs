//! The owner of the pod and one contact: where they write to each other, and with which keys.

use crate::crypto::Secret;
use crate::crypto::derive::enc;
use crate::crypto::identity::{Fingerprint, sign_public_key};
use crate::crypto::keys::{KemX25519Key, KemXwingSeed, Topic};
use crate::crypto::message::{
    Correspondents, MessagePayload, MessagePlace, open_message, seal_message,
};
use crate::crypto::pairwise::{Direction, InboxSigner, PairSecret};
use crate::crypto::scalar::Owner;
use crate::crypto::swarm::{SealedChunk, SocId, soc_address};
use crate::format::audit::Witness;
use crate::format::card::Card;
use crate::format::message::Message;
use crate::format::rows::{Contact, KeysTag};
use crate::share::Called;
use crate::share::messages::Way;
use crate::share::messages::error::MessageError;
use crate::types::limits::MAIL_WEEK;
use crate::types::{Address, Timespec};

/// The keys of a pod that messages need.
pub struct MessageKeys {
    /// What pairs of people agree with.
    pub x25519: KemX25519Key,
    /// Opens what is sent to the pod.
    pub xwing: KemXwingSeed,
    /// Seed of the Ed25519 key that signs what is sent.
    pub sign: Secret<32>,
}

impl MessageKeys {
    /// Whether the card names these keys.
    pub(super) fn are_on(&self, card: &Card) -> bool {
        card.sign == sign_public_key(&self.sign) && card.x25519 == self.x25519.public_key()
    }
}

/// The owner and a contact.
pub(super) struct Pair {
    pub(super) contact: Contact,
    /// Stands for the contact in rows.
    pub(super) print: Fingerprint,
    /// Stands for the keys of both.
    pub(super) keys: KeysTag,
    card: Card,
    epoch: u32,
    pub(super) own: Fingerprint,
    theirs: Fingerprint,
    secret: PairSecret,
}

/// The feed of one direction in one week.
pub(super) struct Feed {
    signer: InboxSigner,
    owner: Owner,
    topic: Topic,
}

impl Pair {
    pub(super) fn new(
        keys: &MessageKeys,
        own: Fingerprint,
        contact: Contact,
    ) -> Result<Self, MessageError> {
        let card = contact.card()?;
        let theirs = card.fingerprint();
        let secret = PairSecret::agree(&keys.x25519, &card.x25519, [&own, &theirs]);
        let secret =
            secret.map_err(|_| MessageError::BadKey(Called::new(contact.name.as_str())))?;
        let fields: [&[u8]; 5] = [
            &sign_public_key(&keys.sign),
            &keys.x25519.public_key(),
            &card.sign,
            &card.x25519,
            card.xwing.as_slice(),
        ];
        let hash = blake3::hash(&enc(&fields));
        let tag = hash.as_bytes().first_chunk().copied();
        Ok(Self {
            keys: KeysTag(tag.unwrap_or_default()),
            print: contact.print()?,
            epoch: contact.epoch()?,
            contact,
            card,
            own,
            theirs,
            secret,
        })
    }

    /// Epoch of the keys of the contact, as [`Contact::epoch`].
    pub(super) const fn epoch(&self) -> u32 {
        self.epoch
    }

    pub(super) fn name(&self) -> Called {
        Called::new(self.contact.name.as_str())
    }

    pub(super) fn feed(&self, way: Way, week: u32) -> Feed {
        let direction = match way {
            Way::Received => Direction::of(&self.theirs, &self.own),
            Way::Sent => Direction::of(&self.own, &self.theirs),
        };
        let signer = self.secret.signer(direction, week);
        Feed {
            owner: signer.owner(),
            topic: self.secret.topic(direction, week),
            signer,
        }
    }

    pub(super) fn seal(
        &self,
        keys: &MessageKeys,
        message: &Message,
        place: &MessagePlace,
        seed: Secret<32>,
    ) -> Result<Box<MessagePayload>, MessageError> {
        let between = Correspondents {
            sender: &self.own,
            recipient: &self.theirs,
        };
        let body = message.padded()?;
        let sealed = seal_message(&body, place, between, (&keys.sign, &self.card.xwing), seed);
        sealed.map_err(|_| MessageError::BadKey(self.name()))
    }

    /// Whether the contact countersigned it, with the key on their card that opens their messages.
    pub(super) fn vouches_for(&self, witness: &Witness) -> bool {
        witness.who == self.theirs.0 && witness.key == self.card.sign
    }

    /// The message that stands there, if the contact wrote it to the owner for this place.
    pub(super) fn open(
        &self,
        keys: &MessageKeys,
        payload: &[u8],
        place: &MessagePlace,
    ) -> Option<Message> {
        let between = Correspondents {
            sender: &self.theirs,
            recipient: &self.own,
        };
        let body = open_message(payload, place, between, &self.card.sign, &keys.xwing).ok()?;
        Message::decode_padded(&body).ok()
    }
}

impl Feed {
    pub(super) const fn place(&self, index: u64) -> MessagePlace {
        MessagePlace {
            owner: self.owner,
            topic: self.topic,
            index,
        }
    }

    pub(super) fn address(&self, index: u64) -> Address {
        soc_address(&SocId::of_update(&self.topic, index), &self.owner)
    }

    pub(super) fn chunk(
        &self,
        index: u64,
        payload: &MessagePayload,
    ) -> Result<SealedChunk, MessageError> {
        let chunk = self.signer.chunk(&self.topic, index, payload);
        chunk.map_err(|_| crate::format::wire::Malformed("payload of a message").into())
    }
}

/// Weeks since 1970.
pub(super) fn week(seconds: i64) -> u32 {
    u32::try_from(seconds.div_euclid(MAIL_WEEK).max(0)).unwrap_or(u32::MAX)
}

/// The week of a moment.
pub(super) fn week_of(time: Timespec) -> u32 {
    week(time.secs)
}
