use crate::crypto::BOX_OVERHEAD;
use crate::crypto::keys::PodId;
use crate::crypto::keyslot::{WRAPPED_LEN, WrappedKey};
use crate::crypto::passphrase::Cost;
use crate::format::keyfile::bundle::BUNDLE_LEN;
use crate::format::keyfile::token::{self, TokenKey};
use crate::format::wire::{Malformed, Reader};

/// Most slots in a keyfile; opening may have to try each.
pub const SLOTS_MAX: usize = 8;
/// Most bytes in the body of a slot, known or not.
pub const SLOT_BODY_MAX: usize = 1024;
/// No keyfile is longer.
pub const KEYFILE_LEN_MAX: usize =
    HEADER_LEN + SLOTS_MAX * (4 + SLOT_BODY_MAX) + SEALED_BUNDLE_LEN + MAC_LEN;

pub(crate) const MAGIC: [u8; 8] = *b"podfskey";
pub(crate) const VERSION: u16 = 1;
pub(crate) const HEADER_LEN: usize = 8 + 2 + 2 + 16;
pub(crate) const SEALED_BUNDLE_LEN: usize = 12 + BUNDLE_LEN + BOX_OVERHEAD;
pub(crate) const MAC_LEN: usize = 32;

const PASSPHRASE: u16 = 1;
const RECOVERY: u16 = 2;
const TOKEN: u16 = 3;
const COST_LEN: usize = 3 * 4 + 32;

/// The bytes of a keyfile, taken apart. Nothing in it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Which pod the file says it opens.
    pub pod_id: PodId,
    /// The ways to open it, in order.
    pub slots: Vec<Slot>,
    /// Nonce, ciphertext and tag of the bundle.
    pub sealed_bundle: SealedBundle,
    /// Code over all bytes before it.
    pub mac: [u8; MAC_LEN],
}

/// The sealed bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBundle {
    /// Random, new at each sealing.
    pub nonce: [u8; 12],
    /// Ciphertext and tag: 4112 bytes.
    pub sealed: Vec<u8>,
}

/// One way to open a keyfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Type 1.
    Passphrase {
        /// Work of one guess.
        cost: Cost,
        /// Salt of Argon2id.
        salt: [u8; 32],
        /// The file key.
        wrapped: WrappedKey,
    },
    /// Type 2.
    Recovery {
        /// The file key.
        wrapped: WrappedKey,
    },
    /// Type 3.
    Token {
        /// Which key on which token, and what it is asked.
        key: TokenKey,
        /// The file key.
        wrapped: WrappedKey,
    },
    /// A type, or a mechanism of a token, of a later version: kept as it is.
    Unknown {
        /// Neither 1 nor 2.
        kind: u16,
        /// Whatever it says.
        body: Vec<u8>,
    },
}

impl Layout {
    /// All bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.encode_before_mac();
        out.extend_from_slice(&self.mac);
        out
    }

    /// The bytes the code is made over.
    pub fn encode_before_mac(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(KEYFILE_LEN_MAX);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&length_16(self.slots.len()));
        out.extend_from_slice(&self.pod_id.0);
        for slot in &self.slots {
            slot.encode(&mut out);
        }
        out.extend_from_slice(&self.sealed_bundle.nonce);
        out.extend_from_slice(&self.sealed_bundle.sealed);
        out
    }

    /// Takes `bytes` apart. Each keyfile has one encoding: what decodes, encodes to the same bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "keyfile");
        if reader.array()? != MAGIC || reader.u16()? != VERSION {
            return Err(reader.malformed());
        }
        let count = usize::from(reader.u16()?);
        if count == 0 || count > SLOTS_MAX {
            return Err(reader.malformed());
        }
        let pod_id = PodId(reader.array()?);
        let slots = (0..count)
            .map(|_| Slot::decode(&mut reader))
            .collect::<Result<_, _>>()?;
        let nonce = reader.array()?;
        let sealed = reader.bytes(BUNDLE_LEN + BOX_OVERHEAD)?.to_vec();
        let mac = reader.array()?;
        if !reader.rest().is_empty() {
            return Err(reader.malformed());
        }
        Ok(Self {
            pod_id,
            slots,
            sealed_bundle: SealedBundle { nonce, sealed },
            mac,
        })
    }
}

impl Slot {
    /// The bytes before the wrapped key: type, length and parameters. The wrapped key is bound to them.
    pub fn header(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + COST_LEN);
        match self {
            Self::Passphrase { cost, salt, .. } => passphrase_header(&mut out, cost, salt),
            Self::Recovery { .. } => head(&mut out, RECOVERY, WRAPPED_LEN),
            Self::Token { key, .. } => token_header(&mut out, key),
            Self::Unknown { kind, body } => head(&mut out, *kind, body.len()),
        }
        out
    }

    /// The header of a passphrase slot that is yet to be wrapped.
    pub fn header_of_passphrase(cost: &Cost, salt: &[u8; 32]) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + COST_LEN);
        passphrase_header(&mut out, cost, salt);
        out
    }

    /// The header of a recovery slot that is yet to be wrapped.
    pub fn header_of_recovery() -> Vec<u8> {
        let mut out = Vec::with_capacity(4);
        head(&mut out, RECOVERY, WRAPPED_LEN);
        out
    }

    /// The header of a token's slot that is yet to be wrapped.
    pub fn header_of_token(key: &TokenKey) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + token::KEY_LEN_MAX);
        token_header(&mut out, key);
        out
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header());
        match self {
            Self::Passphrase { wrapped, .. }
            | Self::Recovery { wrapped }
            | Self::Token { wrapped, .. } => {
                out.extend_from_slice(&wrapped.nonce);
                out.extend_from_slice(&wrapped.commitment);
                out.extend_from_slice(&wrapped.sealed);
            }
            Self::Unknown { body, .. } => out.extend_from_slice(body),
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let kind = reader.u16()?;
        let len = usize::from(reader.u16()?);
        if len > SLOT_BODY_MAX {
            return Err(reader.malformed());
        }
        let bytes = reader.bytes(len)?;
        let mut body = Reader::new(bytes, "keyfile slot");
        let slot = match kind {
            PASSPHRASE => Self::Passphrase {
                cost: Cost {
                    memory_kib: body.u32()?,
                    passes: body.u32()?,
                    lanes: body.u32()?,
                },
                salt: body.array()?,
                wrapped: wrapped(&mut body)?,
            },
            RECOVERY => Self::Recovery {
                wrapped: wrapped(&mut body)?,
            },
            TOKEN if token::is_known(bytes) => Self::Token {
                key: TokenKey::decode(&mut body, len)?,
                wrapped: wrapped(&mut body)?,
            },
            _ => Self::Unknown {
                kind,
                body: body.rest().to_vec(),
            },
        };
        if body.rest().is_empty() {
            Ok(slot)
        } else {
            Err(reader.malformed())
        }
    }
}

fn passphrase_header(out: &mut Vec<u8>, cost: &Cost, salt: &[u8; 32]) {
    head(out, PASSPHRASE, COST_LEN + WRAPPED_LEN);
    out.extend_from_slice(&cost.memory_kib.to_le_bytes());
    out.extend_from_slice(&cost.passes.to_le_bytes());
    out.extend_from_slice(&cost.lanes.to_le_bytes());
    out.extend_from_slice(salt);
}

fn token_header(out: &mut Vec<u8>, key: &TokenKey) {
    head(out, TOKEN, key.encoded_len().saturating_add(WRAPPED_LEN));
    key.encode(out);
}

fn head(out: &mut Vec<u8>, kind: u16, len: usize) {
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&length_16(len));
}

/// Both lengths written here are bounded: slots by [`SLOTS_MAX`], bodies by [`SLOT_BODY_MAX`].
fn length_16(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes()
}

fn wrapped(reader: &mut Reader<'_>) -> Result<WrappedKey, Malformed> {
    Ok(WrappedKey {
        nonce: reader.array()?,
        commitment: reader.array()?,
        sealed: reader.array()?,
    })
}
