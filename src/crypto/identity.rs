//! Who somebody is to others: the identity key signs a card, and the card vouches for the keys of every day.
//!
//! A card is the one thing that stands in Swarm unsealed: it is meant for everybody. It is signed as the single-owner
//! chunk that it is, so a card that was handed over as a file proves as much as one that was fetched.

use bip39::Language;
use ed25519_dalek::SigningKey;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, Serializable};
use sha3::{Digest, Keccak256};

use crate::crypto::derive::{enc, kdf_fields};
use crate::crypto::domain::{Domain, ad};
use crate::crypto::keys::{IdentityKey, KemXwingSeed, Topic};
use crate::crypto::passphrase::{Cost, StretchError, stretch};
use crate::crypto::scalar::{Owner, owner_of};
use crate::crypto::secret::Secret;
use crate::crypto::swarm::{ChunkError, PAYLOAD_MAX, SealedChunk, SocId};

/// Bytes of an X-Wing public key (draft-connolly-cfrg-xwing-kem).
pub const XWING_LEN: usize = 1216;
/// Words that two people compare: 77 bits.
pub const SPOKEN_WORDS: usize = 7;

/// Bits of a word of BIP-39.
const WORD_BITS: usize = 11;

/// Work spent on the words. Whoever sits between two people may choose both keys that he shows, and needs about 2³⁹
/// tries at each: at this cost, thousands of years of a processor.
const SPOKEN_COST: Cost = Cost {
    memory_kib: 64 << 10,
    passes: 3,
    lanes: 4,
};

/// Stands for an identity: BLAKE3 of `enc("podfs/1/identity", public key)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Of an uncompressed secp256k1 point, `04 ‖ x ‖ y`.
    pub fn of(public_key: &[u8; 65]) -> Self {
        Self(*blake3::hash(&enc(&[ad::IDENTITY, public_key])).as_bytes())
    }
}

/// The owner address of an identity.
pub fn identity_owner(public_key: &[u8; 65]) -> Owner {
    owner_of(public_key)
}

/// Topic of every feed of cards: Keccak-256 of `podfs-keycard-1`.
pub fn card_topic() -> Topic {
    Topic(Keccak256::digest(b"podfs-keycard-1").into())
}

/// Signs card `number` of an identity, with as many zeros behind it as make it as long as every other chunk.
///
/// # Errors
/// [`ChunkError::Length`] when it is longer than that.
pub fn sign_card(
    identity: &IdentityKey,
    number: u64,
    card: &[u8],
) -> Result<SealedChunk, ChunkError> {
    let id = SocId::of_update(&card_topic(), number);
    let mut payload = card.to_vec();
    payload.resize(payload.len().max(PAYLOAD_MAX), 0);
    SealedChunk::signed(identity.secret(), &id, &payload)
}

/// The Ed25519 public key (RFC 8032) of a seed.
pub fn sign_public_key(seed: &Secret<32>) -> [u8; 32] {
    SigningKey::from_bytes(seed.expose())
        .verifying_key()
        .to_bytes()
}

/// The X-Wing public key of a seed.
///
/// # Panics
/// Never: every 32 bytes are a seed.
#[expect(clippy::expect_used, reason = "every 32 bytes are a seed of X-Wing")]
pub fn xwing_public_key(seed: &KemXwingSeed) -> Box<[u8; XWING_LEN]> {
    let secret = <XWing as Kem>::PrivateKey::from_bytes(seed.secret().expose());
    let public = XWing::sk_to_pk(&secret.expect("a seed of 32 bytes"));
    let mut bytes = Box::new([0; XWING_LEN]);
    public.write_exact(bytes.as_mut_slice());
    bytes
}

/// The words that two people read to each other: the same for both, in whatever order the fingerprints are given, and
/// others as soon as one of the keys is another.
///
/// # Errors
/// When 64 MiB of memory cannot be had.
pub fn spoken_words(
    one: &Fingerprint,
    other: &Fingerprint,
) -> Result<[&'static str; SPOKEN_WORDS], StretchError> {
    let (low, high) = if one <= other {
        (one, other)
    } else {
        (other, one)
    };
    let fields = [low.0.as_slice(), &high.0];
    let salt = kdf_fields(Domain::Sas, &fields);
    let stretched = stretch(&enc(&fields), salt.expose(), &SPOKEN_COST)?;
    let list = Language::English.word_list();
    let word = |nth: usize| {
        let bits = (0..WORD_BITS).map(|bit| bit_at(stretched.expose(), nth, bit));
        let number = bits.fold(0_usize, |number, bit| number << 1 | usize::from(bit));
        list.get(number).copied().unwrap_or_default()
    };
    Ok(std::array::from_fn(word))
}

/// Bit `bit` of word `nth`, the highest bit of the first byte first.
fn bit_at(bytes: &[u8; 32], nth: usize, bit: usize) -> bool {
    let at = nth.saturating_mul(WORD_BITS).saturating_add(bit);
    let byte = bytes.get(at / 8).copied().unwrap_or_default();
    byte.wrapping_shl(u32::try_from(at % 8).unwrap_or_default()) & 0x80 != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::RootKey;
    use crate::crypto::phrase::Phrase;
    use crate::crypto::swarm::{soc_address, soc_owner};

    fn root() -> RootKey {
        let phrase = Phrase::from_entropy(&Secret::from_bytes(&[0; 32]));
        RootKey::derive(&phrase.seed(), None)
    }

    #[test]
    fn a_card_is_signed_at_the_place_of_its_number() {
        let identity = root().identity(0);
        let chunk = sign_card(&identity, 3, b"card").unwrap();
        let id = SocId::of_update(&card_topic(), 3);
        assert_eq!(chunk.address(), soc_address(&id, &identity.owner()));
        assert_eq!(soc_owner(chunk.bytes()), Some(identity.owner()));
        assert_eq!(identity_owner(&identity.public_key()), identity.owner());
        assert_eq!(chunk.payload().len(), PAYLOAD_MAX);
        assert!(chunk.payload().starts_with(b"card\0"));
        assert!(sign_card(&identity, 3, &[0; PAYLOAD_MAX + 1]).is_err());
    }

    /// RFC 8032, 7.1, test 1.
    #[test]
    fn the_signing_key_is_that_of_the_standard() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let bytes = |text: &str| text.parse::<crate::types::Address>().unwrap().0;
        assert_eq!(
            sign_public_key(&Secret::from_bytes(&bytes(seed))),
            bytes(public)
        );
    }

    #[test]
    fn words_are_the_same_on_both_sides_and_others_for_others() {
        let prints = [1, 2, 3].map(|byte| Fingerprint([byte; 32]));
        let words = spoken_words(&prints[0], &prints[1]).unwrap();
        assert_eq!(spoken_words(&prints[1], &prints[0]).unwrap(), words);
        assert_ne!(spoken_words(&prints[0], &prints[2]).unwrap(), words);
        let list = Language::English.word_list();
        assert!(words.iter().all(|word| list.contains(word)));
    }

    #[test]
    fn bits_are_read_from_the_highest_on() {
        let mut bytes = [0; 32];
        bytes[1] = 0b0010_0000;
        let set: Vec<_> = (0..22)
            .filter(|at| bit_at(&bytes, at / WORD_BITS, at % WORD_BITS))
            .collect();
        assert_eq!(set, [10]);
    }

    #[test]
    fn fingerprints_differ_with_the_key() {
        let root = root();
        let [one, other] =
            [0, 1].map(|number| Fingerprint::of(&root.identity(number).public_key()));
        assert_ne!(one, other);
        assert_eq!(xwing_public_key(&root.kem_xwing(0)).len(), XWING_LEN);
    }
}
