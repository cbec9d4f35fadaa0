//! The recovery phrase: 24 English words (BIP-39) that give back everything.

use crate::crypto::entropy::{Entropy, EntropyError, random_secret};
use crate::crypto::secret::Secret;
use bip39::{Language, Mnemonic};
use zeroize::{Zeroize, Zeroizing};

/// Words in a phrase: 256 bits and a checksum of 8.
pub const PHRASE_WORDS: usize = 24;
/// Longest English word of BIP-39 and the space behind it.
const WORD_LEN_MAX: usize = 9;

/// A valid recovery phrase. Wiped when dropped; no `Debug`.
pub struct Phrase(Box<Mnemonic>);

/// The 64 bytes BIP-39 makes of a phrase (with no passphrase of its own).
pub struct Seed(Secret<64>);

/// Why a text is no recovery phrase. Says where, never which word was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// Not 24 words.
    #[error("a recovery phrase has {PHRASE_WORDS} words, this one has {0}")]
    WordCount(usize),
    /// The word at this position, counted from 1, is not in the list.
    #[error("word {0} is not in the list of recovery words")]
    UnknownWord(usize),
    /// All words are in the list, but not in this order.
    #[error("the words do not belong together: one is wrong, or two changed places")]
    Checksum,
}

impl Phrase {
    /// A new phrase.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn generate(entropy: &mut Entropy<'_>) -> Result<Self, EntropyError> {
        Ok(Self::from_entropy(&random_secret(entropy)?))
    }

    /// The phrase of these 256 bits.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "BIP-39 refuses by length alone, and 32 bytes is one of its lengths"
    )]
    pub fn from_entropy(entropy: &Secret<32>) -> Self {
        let words = Mnemonic::from_entropy_in(Language::English, entropy.expose());
        Self(Box::new(words.expect("256 bits make 24 words")))
    }

    /// Reads a phrase as people type it: any spaces and line ends, any case.
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        let count = text.split_whitespace().count();
        if count != PHRASE_WORDS {
            return Err(PhraseError::WordCount(count));
        }
        let mut lower = Zeroizing::new(text.to_owned());
        lower.make_ascii_lowercase();
        let words =
            Mnemonic::parse_in_normalized(Language::English, &lower).map_err(
                |error| match error {
                    bip39::Error::UnknownWord(at) => PhraseError::UnknownWord(at.saturating_add(1)),
                    bip39::Error::BadWordCount(count) => PhraseError::WordCount(count),
                    bip39::Error::BadEntropyBitCount(_)
                    | bip39::Error::InvalidChecksum
                    | bip39::Error::AmbiguousLanguages(_) => PhraseError::Checksum,
                },
            )?;
        Ok(Self(Box::new(words)))
    }

    /// The 256 bits that it is made of.
    pub(in crate::crypto) fn entropy(&self) -> Secret<32> {
        let (mut bytes, _) = self.0.to_entropy_array();
        let entropy = bytes.first_chunk().map(Secret::from_bytes);
        bytes.zeroize();
        entropy.unwrap_or_else(|| Secret::from_bytes(&[0; 32]))
    }

    /// The words in order.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.words()
    }

    /// The words with single spaces between them.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PHRASE_WORDS * WORD_LEN_MAX));
        for word in self.words() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }

    /// The seed of the key tree: PBKDF2-HMAC-SHA512 as BIP-39 says, salt `mnemonic`.
    pub fn seed(&self) -> Seed {
        let seed = Zeroizing::new(self.0.to_seed_normalized(""));
        Seed(Secret::from_bytes(&seed))
    }
}

impl Seed {
    /// The bytes.
    pub fn secret(&self) -> &Secret<64> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ZEROS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
         abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art";

    #[test]
    fn reads_what_people_type() {
        let typed = format!("  {}\n", ZEROS.replace(' ', "\t ").to_uppercase());
        let phrase = Phrase::parse(&typed).ok().unwrap();
        assert_eq!(
            phrase.text().as_str(),
            Phrase::from_entropy(&Secret::from_bytes(&[0; 32]))
                .text()
                .as_str()
        );
    }

    #[test]
    fn says_what_is_wrong_without_the_word() {
        let refused = |text: &str| Phrase::parse(text).err();
        assert_eq!(refused(""), Some(PhraseError::WordCount(0)));
        assert_eq!(
            refused(&ZEROS.replacen("abandon ", "", 12)),
            Some(PhraseError::WordCount(12))
        );
        assert_eq!(
            refused(&ZEROS.replacen("abandon", "sesame", 1)),
            Some(PhraseError::UnknownWord(1))
        );
        assert_eq!(
            refused(&ZEROS.replace("art", "ärt")),
            Some(PhraseError::UnknownWord(24))
        );
        assert_eq!(
            refused(&ZEROS.replace("art", "able")),
            Some(PhraseError::Checksum)
        );
    }

    #[test]
    fn a_new_phrase_is_made_of_all_the_entropy() {
        let mut asked = 0;
        let phrase = Phrase::generate(&mut |bytes| {
            asked += bytes.len();
            bytes.fill(0xff);
            Ok(())
        });
        assert_eq!(asked, 32);
        assert!(phrase.ok().unwrap().text().ends_with("zoo vote"));
        assert_eq!(
            Phrase::generate(&mut |_| Err(EntropyError)).err(),
            Some(EntropyError)
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_phrase_or_an_error(text in "[a-z ]{0,300}|\\PC{0,80}") {
            prop_assert!(Phrase::parse(&text).is_err());
        }

        #[test]
        fn every_phrase_reads_back(entropy in any::<[u8; 32]>()) {
            let text = Phrase::from_entropy(&Secret::from_bytes(&entropy)).text();
            prop_assert_eq!(Phrase::parse(&text).ok().unwrap().text(), text);
        }
    }
}
