//! The keyfile: what a device keeps of a pod, locked under a passphrase or a token and, for the day these are gone, the
//! phrase.
//!
//! Pure functions over bytes; the layout is in `FORMAT.md`. A file key, random and never changed, seals the bundle;
//! each slot holds that key, wrapped. A slot is bound to its own header; a code under the file key binds all slots and
//! the bundle together, so slots can be added and replaced, but not by somebody who cannot open the file.

mod bundle;
mod layout;
#[cfg(test)]
mod tests;
mod token;

pub use bundle::{BUNDLE_LEN, Bundle, Replaced};
pub use layout::{KEYFILE_LEN_MAX, Layout, SLOT_BODY_MAX, SLOTS_MAX, SealedBundle, Slot};
pub use token::{
    Challenge, KEY_ID_MAX, KeyId, KeyKind, NewToken, SERIAL_LEN, Sealed, TOKEN_LABEL_LEN,
    TokenAnswer, TokenKey, Ways, add_token, remove_token, ways,
};

use crate::crypto::domain::ad;
use crate::crypto::entropy::{Entropy, EntropyError, random_bytes};
use crate::crypto::keys::{PodId, RecoveryKey};
use crate::crypto::keyslot::{FileKey, Kek};
use crate::crypto::passphrase::{Cost, CostBounds, StretchError};
use crate::crypto::{BOX_OVERHEAD, open_box, seal_box};
use zeroize::Zeroizing;

/// Why a keyfile was not opened or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyfileError {
    /// Wrong passphrase, wrong phrase, another file or a changed one: which of them is not told apart.
    #[error("wrong passphrase, or the keyfile is damaged")]
    NotOpened,
    /// The memory that stretching the passphrase takes cannot be had. Free some and try again.
    #[error("not enough free memory to check the passphrase")]
    OutOfMemory,
    /// The cost to be written is one that reading would refuse.
    #[error("the cost of the passphrase is outside what keyfiles may have")]
    Cost,
    /// Every slot is taken by one that is kept.
    #[error("the keyfile has no room for another slot")]
    Full,
    /// No slot of the keyfile is for this key on this token.
    #[error("the keyfile does not know this token")]
    NoToken,
    /// Without this slot nothing but the phrase would open the keyfile.
    #[error("only the recovery phrase would open the keyfile then")]
    LastWay,
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// What opens a keyfile.
#[derive(Clone, Copy)]
pub enum Opener<'a> {
    /// The passphrase of one of its slots.
    Passphrase(&'a [u8]),
    /// The recovery phrase, through [`crate::crypto::keys::RootKey::recovery`].
    Recovery(&'a RecoveryKey),
    /// A token.
    Token {
        /// As the slot has it.
        key: &'a TokenKey,
        /// What the token makes of the challenge.
        answer: &'a TokenAnswer,
    },
}

/// A passphrase that is to be set, and the work that a guess shall cost.
#[derive(Clone, Copy)]
pub struct NewPassphrase<'a> {
    /// Any bytes.
    pub passphrase: &'a [u8],
    /// From [`Cost::calibrate`].
    pub cost: Cost,
}

/// The bytes of a new keyfile with two slots: the passphrase and the phrase.
///
/// # Errors
/// [`KeyfileError`], all but `NotOpened`.
pub fn create(
    bundle: &Bundle,
    passphrase: &NewPassphrase<'_>,
    recovery: &RecoveryKey,
    entropy: &mut Entropy<'_>,
) -> Result<Vec<u8>, KeyfileError> {
    create_within(&CostBounds::RELEASED, bundle, passphrase, recovery, entropy)
}

/// What is in the keyfile `bytes`.
///
/// # Errors
/// `NotOpened` or `OutOfMemory`.
pub fn unlock(bytes: &[u8], passphrase: &[u8]) -> Result<Bundle, KeyfileError> {
    unlock_within(&CostBounds::RELEASED, bytes, Opener::Passphrase(passphrase))
}

/// What is in the keyfile `bytes`, opened with the phrase.
///
/// # Errors
/// `NotOpened`.
pub fn unlock_with_phrase(bytes: &[u8], recovery: &RecoveryKey) -> Result<Bundle, KeyfileError> {
    unlock_within(&CostBounds::RELEASED, bytes, Opener::Recovery(recovery))
}

/// What is in the keyfile `bytes`, opened in one of all ways.
///
/// # Errors
/// `NotOpened` or `OutOfMemory`.
pub fn unlock_with(bytes: &[u8], opener: Opener<'_>) -> Result<Bundle, KeyfileError> {
    unlock_within(&CostBounds::RELEASED, bytes, opener)
}

/// The keyfile `bytes` with a new passphrase: in place of the one given, or, given the phrase or a token, of all there
/// are.
///
/// Everything else stays as it is, slots of unknown types too. A copy of the old file still opens with the old
/// passphrase, and to the same keys: where it may have leaked, a new epoch is what helps.
///
/// # Errors
/// [`KeyfileError`].
pub fn change_passphrase(
    bytes: &[u8],
    opener: Opener<'_>,
    passphrase: &NewPassphrase<'_>,
    entropy: &mut Entropy<'_>,
) -> Result<Vec<u8>, KeyfileError> {
    change_within(&CostBounds::RELEASED, bytes, opener, passphrase, entropy)
}

/// The keyfile `bytes` with other keys in it; what opens it stays the same.
///
/// # Errors
/// [`KeyfileError`].
pub fn change_bundle(
    bytes: &[u8],
    opener: Opener<'_>,
    bundle: &Bundle,
    entropy: &mut Entropy<'_>,
) -> Result<Vec<u8>, KeyfileError> {
    let mut layout = Layout::decode(bytes).map_err(|_| KeyfileError::NotOpened)?;
    let found = open(&CostBounds::RELEASED, &layout, opener)?;
    layout.sealed_bundle = seal_bundle(&found.file_key, bundle, entropy)?;
    layout.mac = found.file_key.authenticate(&layout.encode_before_mac());
    Ok(layout.encode())
}

/// Which pod a keyfile says it belongs to. Not verified: it serves to derive the [`RecoveryKey`] that verifies it.
///
/// # Errors
/// `NotOpened` when this is no keyfile.
pub fn pod_id(bytes: &[u8]) -> Result<PodId, KeyfileError> {
    Layout::decode(bytes)
        .map(|layout| layout.pod_id)
        .map_err(|_| KeyfileError::NotOpened)
}

fn create_within(
    bounds: &CostBounds,
    bundle: &Bundle,
    passphrase: &NewPassphrase<'_>,
    recovery: &RecoveryKey,
    entropy: &mut Entropy<'_>,
) -> Result<Vec<u8>, KeyfileError> {
    let file_key = FileKey::generate(entropy)?;
    let passphrase = passphrase_slot(bounds, &file_key, passphrase, entropy)?;
    let wrapped =
        Kek::from_recovery(recovery).wrap(&file_key, &Slot::header_of_recovery(), entropy)?;
    let mut layout = Layout {
        pod_id: bundle.pod_id,
        slots: vec![passphrase, Slot::Recovery { wrapped }],
        sealed_bundle: seal_bundle(&file_key, bundle, entropy)?,
        mac: [0; 32],
    };
    layout.mac = file_key.authenticate(&layout.encode_before_mac());
    Ok(layout.encode())
}

fn unlock_within(
    bounds: &CostBounds,
    bytes: &[u8],
    opener: Opener<'_>,
) -> Result<Bundle, KeyfileError> {
    let layout = Layout::decode(bytes).map_err(|_| KeyfileError::NotOpened)?;
    let found = open(bounds, &layout, opener)?;
    open_bundle(&found.file_key, &layout)
}

fn change_within(
    bounds: &CostBounds,
    bytes: &[u8],
    opener: Opener<'_>,
    passphrase: &NewPassphrase<'_>,
    entropy: &mut Entropy<'_>,
) -> Result<Vec<u8>, KeyfileError> {
    let mut layout = Layout::decode(bytes).map_err(|_| KeyfileError::NotOpened)?;
    let found = open(bounds, &layout, opener)?;
    let slot = passphrase_slot(bounds, &found.file_key, passphrase, entropy)?;
    match opener {
        Opener::Passphrase(_) => {
            layout.slots.remove(found.slot);
        }
        Opener::Recovery(_) | Opener::Token { .. } => layout
            .slots
            .retain(|slot| !matches!(slot, Slot::Passphrase { .. })),
    }
    if layout.slots.len() >= SLOTS_MAX {
        return Err(KeyfileError::Full);
    }
    layout.slots.insert(0, slot);
    layout.mac = found.file_key.authenticate(&layout.encode_before_mac());
    Ok(layout.encode())
}

struct Found {
    file_key: FileKey,
    slot: usize,
}

/// Tries each slot of the opener's type. The first that unwraps decides: its key must fit the whole file.
fn open(bounds: &CostBounds, layout: &Layout, opener: Opener<'_>) -> Result<Found, KeyfileError> {
    let mut refusal = KeyfileError::NotOpened;
    for (at, slot) in layout.slots.iter().enumerate() {
        let (kek, wrapped) = match (opener, slot) {
            (
                Opener::Passphrase(passphrase),
                Slot::Passphrase {
                    cost,
                    salt,
                    wrapped,
                },
            ) if cost.is_within(bounds) => match Kek::from_passphrase(passphrase, salt, cost) {
                Ok(kek) => (kek, wrapped),
                Err(StretchError::OutOfMemory) => {
                    refusal = KeyfileError::OutOfMemory;
                    continue;
                }
                Err(StretchError::Parameters) => continue,
            },
            (Opener::Recovery(recovery), Slot::Recovery { wrapped }) => {
                (Kek::from_recovery(recovery), wrapped)
            }
            (Opener::Token { key, answer }, Slot::Token { key: own, wrapped }) if own == key => {
                (Kek::from_token(answer), wrapped)
            }
            _ => continue,
        };
        let Ok(file_key) = kek.unwrap(wrapped, &slot.header()) else {
            continue;
        };
        if !file_key.verify(&layout.encode_before_mac(), &layout.mac) {
            return Err(KeyfileError::NotOpened);
        }
        return Ok(Found { file_key, slot: at });
    }
    Err(refusal)
}

fn passphrase_slot(
    bounds: &CostBounds,
    file_key: &FileKey,
    new: &NewPassphrase<'_>,
    entropy: &mut Entropy<'_>,
) -> Result<Slot, KeyfileError> {
    let NewPassphrase { passphrase, cost } = *new;
    if !cost.is_within(bounds) {
        return Err(KeyfileError::Cost);
    }
    let salt = random_bytes(entropy)?;
    let kek = Kek::from_passphrase(passphrase, &salt, &cost).map_err(|error| match error {
        StretchError::OutOfMemory => KeyfileError::OutOfMemory,
        StretchError::Parameters => KeyfileError::Cost,
    })?;
    let wrapped = kek.wrap(file_key, &Slot::header_of_passphrase(&cost, &salt), entropy)?;
    Ok(Slot::Passphrase {
        cost,
        salt,
        wrapped,
    })
}

fn seal_bundle(
    file_key: &FileKey,
    bundle: &Bundle,
    entropy: &mut Entropy<'_>,
) -> Result<SealedBundle, KeyfileError> {
    let nonce = random_bytes(entropy)?;
    let mut bytes = bundle.encode(BOX_OVERHEAD);
    seal_box(&file_key.bundle_key(), nonce, ad::BUNDLE, &mut bytes);
    Ok(SealedBundle {
        nonce,
        sealed: bytes.to_vec(),
    })
}

fn open_bundle(file_key: &FileKey, layout: &Layout) -> Result<Bundle, KeyfileError> {
    let SealedBundle { nonce, sealed } = &layout.sealed_bundle;
    let mut bytes = Zeroizing::new(sealed.clone());
    open_box(&file_key.bundle_key(), *nonce, ad::BUNDLE, &mut bytes)
        .map_err(|_| KeyfileError::NotOpened)?;
    Bundle::decode(&bytes)
        .ok()
        .filter(|bundle| bundle.pod_id == layout.pod_id)
        .ok_or(KeyfileError::NotOpened)
}
