//! Slots that only open with a token, a device or module that keeps a key and never gives it out (PKCS #11).
//!
//! The slot names a key on a token and holds a challenge. What that key makes of the challenge is the answer, and the
//! key that the file key is wrapped under comes from it. Whoever has the file and not the token has neither. An AES key
//! encrypts a random challenge; an RSA key opens one that a random answer was sealed into.

use crate::crypto::Secret;
use crate::crypto::entropy::Entropy;
use crate::crypto::keyslot::{Kek, WRAPPED_LEN};
use crate::crypto::passphrase::CostBounds;
use crate::crypto::rsa_seal::RSA_LEN;
use crate::format::keyfile::layout::{Layout, SLOTS_MAX, Slot};
use crate::format::keyfile::{KeyfileError, Opener, open};
use crate::format::wire::{Malformed, Reader};

/// Most bytes of the id of a key on a token.
pub const KEY_ID_MAX: usize = 32;
/// Bytes of a serial number, as PKCS #11 has them: text, blanks behind.
pub const SERIAL_LEN: usize = 16;
/// Bytes of a label, as PKCS #11 has them: text, blanks behind.
pub const TOKEN_LABEL_LEN: usize = 32;

/// `CKM_AES_CBC`. Written out, for the numbers of PKCS #11 are part of the layout.
const AES_CBC: u32 = 0x1082;
/// `CKM_RSA_PKCS_OAEP`.
const RSA_OAEP: u32 = 0x9;

/// Bytes before the challenge.
const NAMED_LEN: usize = 4 + SERIAL_LEN + TOKEN_LABEL_LEN + 1 + KEY_ID_MAX;
/// Most bytes of a slot's body before the wrapped file key.
pub(super) const KEY_LEN_MAX: usize = NAMED_LEN + *RSA_LEN.end();

/// What the token makes of the challenge of its slot. As secret as a passphrase.
pub type TokenAnswer = Secret<32>;

/// Id of a key on a token, `CKA_ID`: 1 to [`KEY_ID_MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyId(Vec<u8>);

/// Which key on which token opens a slot, and what it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenKey {
    /// Serial number of the token: what it is known by.
    pub serial: [u8; SERIAL_LEN],
    /// Its label when it was added: for people.
    pub label: [u8; TOKEN_LABEL_LEN],
    /// The key on it.
    pub id: KeyId,
    /// What it is asked.
    pub challenge: Challenge,
}

/// What kind of key a token keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// AES-256.
    Aes,
    /// RSA-2048 to RSA-4096.
    Rsa,
}

/// What a key on a token is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// Random: it is encrypted with AES-256-CBC, the initial vector zero. The two blocks are the answer.
    Aes([u8; 32]),
    /// What [`crate::crypto::rsa_seal::seal_to_rsa`] made of the answer, which is random.
    Rsa(Sealed),
}

/// What was sealed to an RSA key: as many bytes as its modulus, one of [`RSA_LEN`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

/// A token that is to open the keyfile from now on.
#[derive(Clone, Copy)]
pub struct NewToken<'a> {
    /// Which key, and a new challenge.
    pub key: &'a TokenKey,
    /// What it makes of the challenge.
    pub answer: &'a TokenAnswer,
    /// No passphrase opens the keyfile any more.
    pub only: bool,
}

/// What opens a keyfile, as it says. Not verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// A passphrase does.
    pub passphrase: bool,
    /// The tokens that do.
    pub tokens: Vec<TokenKey>,
}

impl KeyId {
    /// Takes 1 to [`KEY_ID_MAX`] bytes.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=KEY_ID_MAX)
            .contains(&bytes.len())
            .then(|| Self(bytes.to_vec()))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Sealed {
    /// Takes as many bytes as a modulus has.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        RSA_LEN.contains(&bytes.len()).then(|| Self(bytes.to_vec()))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Challenge {
    /// Which kind of key answers it.
    pub const fn kind(&self) -> KeyKind {
        match self {
            Self::Aes(_) => KeyKind::Aes,
            Self::Rsa(_) => KeyKind::Rsa,
        }
    }

    const fn mechanism(&self) -> u32 {
        match self {
            Self::Aes(_) => AES_CBC,
            Self::Rsa(_) => RSA_OAEP,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Aes(bytes) => bytes,
            Self::Rsa(sealed) => sealed.bytes(),
        }
    }
}

impl TokenKey {
    /// Whether both name the same key on the same token.
    pub fn is_same_key(&self, other: &Self) -> bool {
        self.serial == other.serial && self.label == other.label && self.id == other.id
    }

    /// Bytes it takes in a slot.
    pub(super) fn encoded_len(&self) -> usize {
        NAMED_LEN.saturating_add(self.challenge.bytes().len())
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.challenge.mechanism().to_le_bytes());
        out.extend_from_slice(&self.serial);
        out.extend_from_slice(&self.label);
        // At most KEY_ID_MAX.
        out.push(u8::try_from(self.id.0.len()).unwrap_or(u8::MAX));
        let end = out.len().saturating_add(KEY_ID_MAX);
        out.extend_from_slice(&self.id.0);
        out.resize(end, 0);
        out.extend_from_slice(self.challenge.bytes());
    }

    /// From the body of a slot of `body` bytes. The wrapped file key is left in the reader.
    pub(super) fn decode(reader: &mut Reader<'_>, body: usize) -> Result<Self, Malformed> {
        let mechanism = reader.u32()?;
        let (serial, label) = (reader.array()?, reader.array()?);
        let len = usize::from(reader.u8()?);
        let padded = reader.bytes(KEY_ID_MAX)?;
        let (id, padding) = padded
            .split_at_checked(len)
            .ok_or_else(|| reader.malformed())?;
        let id = KeyId::new(id).filter(|_| padding.iter().all(|byte| *byte == 0));
        let challenge = match mechanism {
            AES_CBC => Some(Challenge::Aes(reader.array()?)),
            RSA_OAEP => {
                let sealed = reader.bytes(body.saturating_sub(NAMED_LEN + WRAPPED_LEN))?;
                Sealed::new(sealed).map(Challenge::Rsa)
            }
            _ => None,
        };
        Ok(Self {
            serial,
            label,
            id: id.ok_or_else(|| reader.malformed())?,
            challenge: challenge.ok_or_else(|| reader.malformed())?,
        })
    }
}

/// Whether the body of a token's slot is of a mechanism that this version knows; another is kept like an unknown type.
pub(super) fn is_known(body: &[u8]) -> bool {
    let known = [AES_CBC, RSA_OAEP].map(u32::to_le_bytes);
    body.first_chunk().is_some_and(|own| known.contains(own))
}

/// What opens the keyfile `bytes`. Not verified: only who opens it knows that nobody changed the list.
///
/// # Errors
/// `NotOpened` when this is no keyfile.
pub fn ways(bytes: &[u8]) -> Result<Ways, KeyfileError> {
    let layout = Layout::decode(bytes).map_err(|_| KeyfileError::NotOpened)?;
    let mut ways = Ways::default();
    for slot in layout.slots {
        match slot {
            Slot::Passphrase { .. } => ways.passphrase = true,
            Slot::Token { key, .. } => ways.tokens.push(key),
            Slot::Recovery { .. } | Slot::Unknown { .. } => {}
        }
    }
    Ok(ways)
}

/// The keyfile `bytes` with a slot for a token, the last one; it takes the place of one for the same key.
///
/// A copy of the old file still opens as before, and to the same keys, also when `only` is asked for.
///
/// # Errors
/// `NotOpened`, `OutOfMemory`, `Full` or `Entropy`.
pub fn add_token(
    bytes: &[u8],
    opener: Opener<'_>,
    new: &NewToken<'_>,
    entropy: &mut Entropy<'_>,
) -> Result<Vec<u8>, KeyfileError> {
    add_within(&CostBounds::RELEASED, bytes, opener, new, entropy)
}

/// The keyfile `bytes` without the slots of this key.
///
/// # Errors
/// `NotOpened`, `OutOfMemory`; `NoToken` when it has no such slot, `LastWay` when only the phrase would be left.
pub fn remove_token(
    bytes: &[u8],
    opener: Opener<'_>,
    key: &TokenKey,
) -> Result<Vec<u8>, KeyfileError> {
    remove_within(&CostBounds::RELEASED, bytes, opener, key)
}

pub(super) fn add_within(
    bounds: &CostBounds,
    bytes: &[u8],
    opener: Opener<'_>,
    new: &NewToken<'_>,
    entropy: &mut Entropy<'_>,
) -> Result<Vec<u8>, KeyfileError> {
    let mut layout = Layout::decode(bytes).map_err(|_| KeyfileError::NotOpened)?;
    let file_key = open(bounds, &layout, opener)?.file_key;
    let header = Slot::header_of_token(new.key);
    let wrapped = Kek::from_token(new.answer).wrap(&file_key, &header, entropy)?;
    layout.slots.retain(|slot| match slot {
        Slot::Passphrase { .. } => !new.only,
        Slot::Token { key, .. } => !key.is_same_key(new.key),
        Slot::Recovery { .. } | Slot::Unknown { .. } => true,
    });
    if layout.slots.len() >= SLOTS_MAX {
        return Err(KeyfileError::Full);
    }
    layout.slots.push(Slot::Token {
        key: new.key.clone(),
        wrapped,
    });
    layout.mac = file_key.authenticate(&layout.encode_before_mac());
    Ok(layout.encode())
}

pub(super) fn remove_within(
    bounds: &CostBounds,
    bytes: &[u8],
    opener: Opener<'_>,
    key: &TokenKey,
) -> Result<Vec<u8>, KeyfileError> {
    let mut layout = Layout::decode(bytes).map_err(|_| KeyfileError::NotOpened)?;
    let file_key = open(bounds, &layout, opener)?.file_key;
    let before = layout.slots.len();
    layout
        .slots
        .retain(|slot| !matches!(slot, Slot::Token { key: own, .. } if own.is_same_key(key)));
    if layout.slots.len() == before {
        return Err(KeyfileError::NoToken);
    }
    let opens = |slot: &Slot| matches!(slot, Slot::Passphrase { .. } | Slot::Token { .. });
    if !layout.slots.iter().any(opens) {
        return Err(KeyfileError::LastWay);
    }
    layout.mac = file_key.authenticate(&layout.encode_before_mac());
    Ok(layout.encode())
}
