//! Pure functions over bytes: derive, seal, open, wrap, sign, swarm hash. No I/O, no clock, no randomness of its own.
//!
//! Every key has one purpose and one type; every input to a hash or a key derivation is encoded injectively
//! (see [`mod@derive`]). Nothing in this room can say *why* an opening failed: a wrong key, a wrong place and
//! changed bytes are the same error.
#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::as_conversions)
)]

#[cfg(test)]
mod account;
pub mod audit;
pub mod derive;
pub mod domain;
pub mod door;
pub mod entropy;
pub mod identity;
pub mod keys;
pub mod keyslot;
pub mod local;
pub mod merkle;
pub mod message;
pub mod pairwise;
pub mod passphrase;
pub mod phrase;
pub mod phrase_share;
pub mod publish;
pub mod ring;
pub mod rsa_seal;
pub mod scalar;
pub mod seal;
pub mod secret;
mod stream;
pub mod swarm;

pub use entropy::{Entropy, EntropyError};
pub use local::{JournalKeys, LocalPurpose, journal_keys, local_key, name_hash};
pub use phrase::{PHRASE_WORDS, Phrase, PhraseError};
pub use seal::{
    BOX_OVERHEAD, BoxKey, OpenError, PAGE_LEN, PageKey, TAG_LEN, Tag, open_box, open_page,
    seal_box, seal_page,
};
pub use secret::Secret;
