//! Door slots: where somebody writes to a person who does not know them yet.
//!
//! Whoever has a card can compute the slots of its owner, so anybody can put something there, and something else over it:
//! nothing rests on a slot. What stands in one is sealed to the owner of the card and signed inside like every message;
//! and it shows, before anything is opened, that some work was spent on it, for this slot of this day.

use zeroize::Zeroizing;

use crate::crypto::derive::{enc, kdf_fields};
use crate::crypto::domain::{Domain, ad};
use crate::crypto::identity::{Fingerprint, XWING_LEN};
use crate::crypto::keys::{KemXwingSeed, Topic};
use crate::crypto::message::{
    Correspondents, Kind, MessagePayload, MessagePlace, NoKey, NoMessage, Opened, SEALED_OVERHEAD,
    open_signed, seal_signed,
};
use crate::crypto::scalar::{owner, scalar};
use crate::crypto::secret::Secret;
use crate::crypto::swarm::{ChunkError, PAYLOAD_MAX, SealedChunk, SocId, soc_address};
use crate::types::Address;
use crate::types::limits::DOOR_WORK;

/// Bytes of the number that shows the work.
const WORK_LEN: usize = 8;
/// Bytes of what stands before it.
const SEALED_LEN: usize = PAYLOAD_MAX - WORK_LEN;
/// Bytes of what is said at the door, with the zeros behind.
pub const DOOR_BODY_LEN: usize = SEALED_LEN - SEALED_OVERHEAD;

/// What is said at the door, padded with zeros.
pub type DoorBytes = Zeroizing<[u8; DOOR_BODY_LEN]>;

const DOOR: Kind = Kind {
    sealed: ad::DOOR,
    signed: ad::SIGNED_DOOR,
};

/// A slot of somebody's door on one day, as everybody who has their card computes it.
pub struct DoorSlot {
    signer: Secret<32>,
    place: MessagePlace,
}

/// What was opened of a slot. Whose it is, the card inside tells.
pub struct DoorOpened {
    opened: Opened,
    place: MessagePlace,
}

impl DoorSlot {
    /// Slot `slot` of the door of the identity with that fingerprint; days count from 1970. It is message 0 of a feed:
    /// `signer = SCALAR[door](enc(fingerprint, le32 day, le32 slot))`, `topic = KDF[door-topic](the same)`.
    pub fn of(recipient: &Fingerprint, day: u32, slot: u32) -> Self {
        let (day, slot) = (day.to_le_bytes(), slot.to_le_bytes());
        let fields: [&[u8]; 3] = [&recipient.0, &day, &slot];
        let signer = scalar(Domain::Door, &fields);
        let place = MessagePlace {
            owner: owner(&signer),
            topic: Topic(*kdf_fields(Domain::DoorTopic, &fields).expose()),
            index: 0,
        };
        Self { signer, place }
    }

    /// Where it is.
    pub const fn place(&self) -> &MessagePlace {
        &self.place
    }

    /// Its address in Swarm.
    pub fn address(&self) -> Address {
        soc_address(&self.id(), &self.place.owner)
    }

    /// The chunk that puts a payload there.
    ///
    /// # Errors
    /// [`ChunkError::Length`] when the payload is longer than that of any chunk.
    pub fn chunk(&self, payload: &[u8]) -> Result<SealedChunk, ChunkError> {
        SealedChunk::signed(&self.signer, &self.id(), payload)
    }

    fn id(&self) -> SocId {
        SocId::of_update(&self.place.topic, self.place.index)
    }
}

/// Signs `body` with the Ed25519 key of a seed, seals it to the X-Wing key of the one whose door it is, and does the work:
/// some tenths of a second. `seed` is 32 random bytes that are used for nothing else.
///
/// # Errors
/// [`NoKey`]: the bytes of the recipient's key are no key.
pub fn seal_door(
    body: &DoorBytes,
    place: &MessagePlace,
    between: Correspondents<'_>,
    keys: (&Secret<32>, &[u8; XWING_LEN]),
    seed: Secret<32>,
) -> Result<Box<MessagePayload>, NoKey> {
    let mut sealed = seal_signed((&DOOR, place), body.as_slice(), between, keys, seed)?;
    let number = work(place, &sealed);
    sealed.extend_from_slice(&number.to_le_bytes());
    let mut payload = Box::new([0; PAYLOAD_MAX]);
    payload
        .iter_mut()
        .zip(sealed)
        .for_each(|(to, from)| *to = from);
    Ok(payload)
}

/// Whether the work was spent on this payload for this place.
pub fn has_work(payload: &[u8], place: &MessagePlace) -> bool {
    parts(payload).is_ok_and(|(sealed, number)| is_work(&worked_on(place, sealed), number))
}

/// Opens a slot with the own X-Wing seed. Only what work was spent on is opened.
///
/// # Errors
/// [`NoMessage`], whatever is wrong.
pub fn open_door(
    payload: &[u8],
    place: &MessagePlace,
    own: &KemXwingSeed,
) -> Result<DoorOpened, NoMessage> {
    let (sealed, number) = parts(payload)?;
    if !is_work(&worked_on(place, sealed), number) {
        return Err(NoMessage);
    }
    let opened = open_signed(&DOOR, sealed, place, own)?;
    Ok(DoorOpened {
        opened,
        place: *place,
    })
}

impl DoorOpened {
    /// What is said there, by whomever.
    pub fn body(&self) -> &[u8] {
        self.opened.body()
    }

    /// Insists that the owner of the Ed25519 key `signer` wrote it to the recipient, for this slot.
    ///
    /// # Errors
    /// [`NoMessage`], whatever is wrong.
    pub fn is_signed_by(
        &self,
        signer: &[u8; 32],
        between: Correspondents<'_>,
    ) -> Result<(), NoMessage> {
        self.opened
            .is_signed_by(&DOOR, signer, &self.place, between)
    }
}

/// What stands before the number, and the number.
fn parts(payload: &[u8]) -> Result<(&[u8], u64), NoMessage> {
    let (sealed, number) = payload.split_last_chunk().ok_or(NoMessage)?;
    if sealed.len() != SEALED_LEN {
        return Err(NoMessage);
    }
    Ok((sealed, u64::from_le_bytes(*number)))
}

/// BLAKE3 up to the number: `enc("podfs/1/work", place, BLAKE3 of what is sealed)`.
fn worked_on(place: &MessagePlace, sealed: &[u8]) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    let hash = blake3::hash(sealed);
    hasher.update(&enc(&[ad::WORK, &place.encoded(), hash.as_bytes()]));
    hasher
}

/// Whether the hash of that and of `le64 number` begins with as many zero bits as it must, the highest bit first.
fn is_work(worked_on: &blake3::Hasher, number: u64) -> bool {
    let mut hasher = worked_on.clone();
    hasher.update(&number.to_le_bytes());
    let hash = hasher.finalize();
    let first = hash.as_bytes().first_chunk().copied();
    first.is_some_and(|first| u32::from_be_bytes(first).leading_zeros() >= DOOR_WORK)
}

/// The first number that is enough.
fn work(place: &MessagePlace, sealed: &[u8]) -> u64 {
    let worked_on = worked_on(place, sealed);
    let mut numbers = 0..u64::MAX;
    numbers
        .find(|number| is_work(&worked_on, *number))
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::identity::{sign_public_key, xwing_public_key};
    use crate::crypto::message::open_message;

    struct Person {
        print: Fingerprint,
        sign: Secret<32>,
        xwing: KemXwingSeed,
    }

    fn person(byte: u8) -> Person {
        Person {
            print: Fingerprint([byte; 32]),
            sign: Secret::from_bytes(&[byte + 100; 32]),
            xwing: KemXwingSeed::restore(Secret::from_bytes(&[byte + 200; 32])),
        }
    }

    fn between<'a>(sender: &'a Person, recipient: &'a Person) -> Correspondents<'a> {
        Correspondents {
            sender: &sender.print,
            recipient: &recipient.print,
        }
    }

    fn sealed(slot: &DoorSlot) -> Box<MessagePayload> {
        let (anna, ben) = (person(1), person(2));
        let key = xwing_public_key(&anna.xwing);
        let body = Zeroizing::new([7; DOOR_BODY_LEN]);
        let seed = Secret::from_bytes(&[9; 32]);
        let keys = (&ben.sign, &*key);
        seal_door(&body, slot.place(), between(&ben, &anna), keys, seed).unwrap()
    }

    #[test]
    fn whose_door_it_is_opens_it_and_sees_who_wrote() {
        let (anna, ben, cleo) = (person(1), person(2), person(3));
        let slot = DoorSlot::of(&anna.print, 20_000, 31);
        let payload = sealed(&slot);
        assert!(has_work(payload.as_slice(), slot.place()));
        let opened = open_door(payload.as_slice(), slot.place(), &anna.xwing).unwrap();
        assert_eq!(opened.body(), [7; DOOR_BODY_LEN]);
        let bens = sign_public_key(&ben.sign);
        opened.is_signed_by(&bens, between(&ben, &anna)).unwrap();
        for (signer, wrong) in [
            (&cleo, between(&ben, &anna)),
            (&ben, between(&cleo, &anna)),
            (&ben, between(&ben, &cleo)),
        ] {
            let signer = sign_public_key(&signer.sign);
            assert!(opened.is_signed_by(&signer, wrong).is_err());
        }
        assert!(open_door(payload.as_slice(), slot.place(), &cleo.xwing).is_err());
        // It is no message of a feed.
        let read = open_message(
            payload.as_slice(),
            slot.place(),
            between(&ben, &anna),
            &bens,
            &anna.xwing,
        );
        assert!(read.is_err());
    }

    #[test]
    fn what_no_work_was_spent_on_or_was_moved_is_not_opened() {
        let anna = person(1);
        let slot = DoorSlot::of(&anna.print, 20_000, 3);
        let payload = sealed(&slot);
        let beside = DoorSlot::of(&anna.print, 20_000, 4);
        assert!(!has_work(payload.as_slice(), beside.place()));
        assert!(open_door(payload.as_slice(), beside.place(), &anna.xwing).is_err());
        for at in [0, 1119, 1120, 4087, 4088, 4095] {
            let mut changed = payload.clone();
            changed[at] ^= 1;
            assert!(!has_work(changed.as_slice(), slot.place()), "{at}");
            assert!(open_door(changed.as_slice(), slot.place(), &anna.xwing).is_err());
        }
        for len in [0, 7, 8, 4095] {
            assert!(open_door(&payload[..len], slot.place(), &anna.xwing).is_err());
        }
    }

    #[test]
    fn every_slot_is_somewhere_else() {
        let prints = [1, 2].map(|byte| Fingerprint([byte; 32]));
        let mut seen = std::collections::BTreeSet::new();
        for print in prints {
            for (day, slot) in [(1, 0), (1, 1), (2, 0)] {
                let slot = DoorSlot::of(&print, day, slot);
                assert!(seen.insert(slot.place().owner.0.to_vec()));
                assert!(seen.insert(slot.place().topic.0.to_vec()));
                let chunk = slot.chunk(&[1; PAYLOAD_MAX]).unwrap();
                assert_eq!(chunk.address(), slot.address());
                assert!(seen.insert(slot.address().0.to_vec()));
            }
        }
    }
}
