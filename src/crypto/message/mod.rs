//! Messages: one chunk each, that only the recipient opens and only the sender can have written.
//!
//! Sign, then seal with HPKE (RFC 9180, Base mode): the signature inside names both people, the key that it was sealed to
//! and the very encapsulation, so nobody passes a message on as if it had been written to somebody else, or moves it.

#[cfg(test)]
mod tests;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, setup_receiver};
use hpke::{HpkeError, setup_sender_with_rng};
use zeroize::Zeroizing;

use crate::crypto::derive::enc;
use crate::crypto::domain::{Domain, ad};
use crate::crypto::identity::{Fingerprint, XWING_LEN};
use crate::crypto::keys::{KemXwingSeed, Topic};
use crate::crypto::scalar::Owner;
use crate::crypto::secret::Secret;
use crate::crypto::stream::Stream;
use crate::crypto::swarm::PAYLOAD_MAX;

/// Bytes of an encapsulation of X-Wing.
const ENCAPSULATED_LEN: usize = 1120;
const SIGNATURE_LEN: usize = 64;
const TAG_LEN: usize = 16;
/// What sealing and signing add to a body.
pub(super) const SEALED_OVERHEAD: usize = ENCAPSULATED_LEN + TAG_LEN + SIGNATURE_LEN;
/// Bytes of what a message says, with the zeros behind.
pub const MESSAGE_BODY_LEN: usize = PAYLOAD_MAX - SEALED_OVERHEAD;

/// KEM 0x647a (X-Wing), KDF 0x0001 (HKDF-SHA256), AEAD 0x0003 (ChaCha20-Poly1305), big-endian as in HPKE.
const SUITE: [u8; 6] = [0x64, 0x7a, 0, 1, 0, 3];

/// What a message says, padded with zeros: all messages are alike.
pub type MessageBytes = Zeroizing<[u8; MESSAGE_BODY_LEN]>;

/// A message as it stands in Swarm: `encapsulation 1120 ‖ ciphertext 2960 ‖ tag 16`.
pub type MessagePayload = [u8; PAYLOAD_MAX];

/// Why bytes are no message: of nobody, to somebody else, for another place, changed. Which of these is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no message to this pod from this contact at this place")]
pub struct NoMessage;

/// Why a message cannot be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the card of the recipient holds an X-Wing key that is none")]
pub struct NoKey;

/// Where a message stands, which it is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessagePlace {
    /// Owner of the feed.
    pub owner: Owner,
    /// The feed.
    pub topic: Topic,
    /// Index in it.
    pub index: u64,
}

/// From whom to whom.
#[derive(Clone, Copy, Debug)]
pub struct Correspondents<'a> {
    /// Fingerprint of the sender's identity.
    pub sender: &'a Fingerprint,
    /// Fingerprint of the recipient's identity.
    pub recipient: &'a Fingerprint,
}

impl MessagePlace {
    /// `enc("podfs/1/place", owner, topic, le64 index)`.
    pub(super) fn encoded(&self) -> Vec<u8> {
        let index = self.index.to_le_bytes();
        enc(&[ad::PLACE, &self.owner.0, &self.topic.0, &index])
    }
}

/// What is sealed: names that keep one kind from being read as another.
pub(super) struct Kind {
    /// Heads `info` of HPKE.
    pub(super) sealed: &'static [u8],
    /// Heads what is signed.
    pub(super) signed: &'static [u8],
}

const MESSAGE: Kind = Kind {
    sealed: ad::MESSAGE,
    signed: ad::SIGNED_MESSAGE,
};

/// What was opened; who wrote it is to be seen yet.
pub(super) struct Opened {
    /// Signature and body.
    plain: Zeroizing<Vec<u8>>,
    /// The X-Wing key that it was sealed to.
    recipient_key: [u8; XWING_LEN],
    encapsulated: [u8; ENCAPSULATED_LEN],
}

/// Signs `body` with the Ed25519 key of a seed and seals it to an X-Wing key. `seed` is 32 random bytes that are
/// used for nothing else.
///
/// # Errors
/// [`NoKey`]: the bytes of the recipient's key are no key.
pub fn seal_message(
    body: &MessageBytes,
    place: &MessagePlace,
    between: Correspondents<'_>,
    keys: (&Secret<32>, &[u8; XWING_LEN]),
    seed: Secret<32>,
) -> Result<Box<MessagePayload>, NoKey> {
    let sealed = seal_signed((&MESSAGE, place), body.as_slice(), between, keys, seed)?;
    let mut payload = Box::new([0; PAYLOAD_MAX]);
    payload
        .iter_mut()
        .zip(sealed)
        .for_each(|(to, from)| *to = from);
    Ok(payload)
}

/// Opens a message with the own X-Wing seed, and sees that the owner of the Ed25519 key `signer` wrote it to us and for
/// this place.
///
/// # Errors
/// [`NoMessage`], whatever is wrong.
pub fn open_message(
    payload: &[u8],
    place: &MessagePlace,
    between: Correspondents<'_>,
    signer: &[u8; 32],
    own: &KemXwingSeed,
) -> Result<MessageBytes, NoMessage> {
    let payload: &MessagePayload = payload.try_into().map_err(|_| NoMessage)?;
    let opened = open_signed(&MESSAGE, payload, place, own)?;
    opened.is_signed_by(&MESSAGE, signer, place, between)?;
    let body: &[u8; MESSAGE_BODY_LEN] = opened.body().try_into().map_err(|_| NoMessage)?;
    Ok(Zeroizing::new(*body))
}

/// `encapsulation ‖ ciphertext ‖ tag` of a signature and the body.
pub(super) fn seal_signed(
    (kind, place): (&Kind, &MessagePlace),
    body: &[u8],
    between: Correspondents<'_>,
    (sign, recipient_key): (&Secret<32>, &[u8; XWING_LEN]),
    seed: Secret<32>,
) -> Result<Vec<u8>, NoKey> {
    let key = <XWing as Kem>::PublicKey::from_bytes(recipient_key).map_err(|_| NoKey)?;
    let mut random = Stream::new(Domain::MessageStream, seed);
    let (encapsulated, mut context) = setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &key,
        &kind.info(),
        &mut random,
    )
    .map_err(|_| NoKey)?;
    let mut out = vec![0; ENCAPSULATED_LEN];
    encapsulated.write_exact(&mut out);
    let hash = signed_hash((kind, place), body, between, recipient_key, &out);
    let signature = SigningKey::from_bytes(sign.expose()).sign(&hash);
    let mut plain = Zeroizing::new(Vec::with_capacity(SIGNATURE_LEN.saturating_add(body.len())));
    plain.extend_from_slice(&signature.to_bytes());
    plain.extend_from_slice(body);
    let sealed = context.seal(&plain, &place.encoded()).map_err(|_| NoKey)?;
    out.extend_from_slice(&sealed);
    Ok(out)
}

/// Opens what [`seal_signed`] gives.
pub(super) fn open_signed(
    kind: &Kind,
    payload: &[u8],
    place: &MessagePlace,
    own: &KemXwingSeed,
) -> Result<Opened, NoMessage> {
    let (encapsulated, sealed) = payload.split_first_chunk().ok_or(NoMessage)?;
    let key = <XWing as Kem>::PrivateKey::from_bytes(own.secret().expose());
    let key = key.map_err(|_| NoMessage)?;
    let plain = opened(kind, encapsulated, sealed, &key, place).map_err(|_| NoMessage)?;
    let mut recipient_key = [0; XWING_LEN];
    XWing::sk_to_pk(&key).write_exact(&mut recipient_key);
    Ok(Opened {
        plain,
        recipient_key,
        encapsulated: *encapsulated,
    })
}

impl Opened {
    pub(super) fn body(&self) -> &[u8] {
        self.plain.get(SIGNATURE_LEN..).unwrap_or_default()
    }

    /// Insists that the owner of this Ed25519 key wrote it to the recipient, for this place.
    pub(super) fn is_signed_by(
        &self,
        kind: &Kind,
        signer: &[u8; 32],
        place: &MessagePlace,
        between: Correspondents<'_>,
    ) -> Result<(), NoMessage> {
        let (signature, body) = self.plain.split_first_chunk().ok_or(NoMessage)?;
        let (key, encapsulated) = (&self.recipient_key, &self.encapsulated);
        let hash = signed_hash((kind, place), body, between, key, encapsulated);
        let signer = VerifyingKey::from_bytes(signer).map_err(|_| NoMessage)?;
        let verified = signer.verify_strict(&hash, &Signature::from_bytes(signature));
        verified.map_err(|_| NoMessage)
    }
}

impl Kind {
    /// `enc(name, suite)`.
    fn info(&self) -> Vec<u8> {
        enc(&[self.sealed, &SUITE])
    }
}

fn opened(
    kind: &Kind,
    encapsulated: &[u8],
    sealed: &[u8],
    key: &<XWing as Kem>::PrivateKey,
    place: &MessagePlace,
) -> Result<Zeroizing<Vec<u8>>, HpkeError> {
    let encapsulated = <XWing as Kem>::EncappedKey::from_bytes(encapsulated)?;
    let mut context = setup_receiver::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        key,
        &encapsulated,
        &kind.info(),
    )?;
    context.open(sealed, &place.encoded()).map(Zeroizing::new)
}

/// BLAKE3 of `enc(name, recipient's X-Wing key, encapsulation, sender, recipient, place, body)`.
fn signed_hash(
    (kind, place): (&Kind, &MessagePlace),
    body: &[u8],
    between: Correspondents<'_>,
    recipient_key: &[u8; XWING_LEN],
    encapsulated: &[u8],
) -> [u8; 32] {
    let place = place.encoded();
    let fields: [&[u8]; 7] = [
        kind.signed,
        recipient_key,
        encapsulated,
        &between.sender.0,
        &between.recipient.0,
        &place,
        body,
    ];
    let mut hasher = blake3::Hasher::new();
    crate::crypto::derive::update_fields(&mut hasher, &fields);
    *hasher.finalize().as_bytes()
}
