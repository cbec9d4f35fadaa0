//! Slots that open with a token. The token is played by an AES key, or an RSA key: what it answers, everybody can
//! compute who has it.

use super::*;
use crate::crypto::rsa_seal::{example, seal_to_rsa};
use crate::format::keyfile::token::{add_within, remove_within};
use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use sha2::Sha256;
use std::ops::Range;

/// What the golden files' token holds.
const TOKEN_SECRET: [u8; 32] = [0x42; 32];

/// What the golden files' token answers, or one with another AES key; `None` when it opens nothing.
fn answered(secret: &[u8; 32], key: &TokenKey) -> Option<TokenAnswer> {
    match &key.challenge {
        Challenge::Aes(challenge) => Some(answer_of(secret, challenge)),
        Challenge::Rsa(sealed) => {
            let opened = example::key().oaep_decrypt::<Sha256>(sealed.bytes());
            Secret::from_slice(&opened.ok()?)
        }
    }
}

/// AES-256-CBC of the two blocks, the initial vector zero.
fn answer_of(secret: &[u8; 32], challenge: &[u8; 32]) -> TokenAnswer {
    let cipher = Aes256::new(secret.into());
    let mut answer = [0; 32];
    let mut chained = [0; 16];
    for (from, to) in challenge.chunks(16).zip(answer.chunks_mut(16)) {
        for (byte, plain) in chained.iter_mut().zip(from) {
            *byte ^= plain;
        }
        let mut block = chained.into();
        cipher.encrypt_block(&mut block);
        chained.copy_from_slice(&block);
        to.copy_from_slice(&block);
    }
    Secret::from_bytes(&answer)
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [b' '; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

fn key(serial: &str, challenge: u8) -> TokenKey {
    TokenKey {
        serial: padded(serial),
        label: padded("keys of the house"),
        id: KeyId::new(b"\x01\x02\x03\x04\x05\x06\x07\x08").unwrap(),
        challenge: Challenge::Aes(std::array::from_fn(|at| {
            challenge.wrapping_add(u8::try_from(at).unwrap())
        })),
    }
}

/// The RSA key of the golden files.
fn rsa_key() -> TokenKey {
    let [modulus, exponent] = example::public();
    let answer = Secret::from_bytes(&[0x24; 32]);
    let sealed = seal_to_rsa(&modulus, &exponent, &answer, &mut entropy("rsa")).unwrap();
    TokenKey {
        challenge: Challenge::Rsa(Sealed::new(&sealed).unwrap()),
        ..key("0000000000000000", 0)
    }
}

fn first_key() -> TokenKey {
    key("0123456789abcdef", 7)
}

fn add(bytes: &[u8], bounds: &CostBounds, key: &TokenKey, only: bool) -> Vec<u8> {
    let new = NewToken {
        key,
        answer: &answered(&TOKEN_SECRET, key).unwrap(),
        only,
    };
    let opener = Opener::Recovery(&recovery());
    add_within(bounds, bytes, opener, &new, &mut entropy("token")).unwrap()
}

fn unlock_token(bytes: &[u8], secret: &[u8; 32]) -> Result<Bundle, KeyfileError> {
    let known = ways(bytes)?;
    let key = known.tokens.first().ok_or(KeyfileError::NoToken)?;
    let answer = answered(secret, key).ok_or(KeyfileError::NotOpened)?;
    unlock_with(
        bytes,
        Opener::Token {
            key,
            answer: &answer,
        },
    )
}

fn with_token(only: bool) -> Vec<u8> {
    add(&keyfile("good", CHEAP), &CHEAP_BOUNDS, &first_key(), only)
}

#[test]
fn opens_with_the_token_beside_the_passphrase() {
    let bytes = with_token(false);
    let found = unlock_token(&bytes, &TOKEN_SECRET).ok().unwrap();
    assert!(same(&found, &bundle()));
    assert!(unlock_cheap(&bytes, WORD).is_ok());
    assert!(unlock_with_phrase(&bytes, &recovery()).is_ok());
    let refused = unlock_token(&bytes, &[0x43; 32]);
    assert_eq!(refused.err(), Some(KeyfileError::NotOpened));
    let known = ways(&bytes).unwrap();
    assert!(known.passphrase && known.tokens == [first_key()]);
    // Its answer for another challenge, or under another name, opens nothing.
    for other in [key("0123456789abcdef", 8), key("0123456789abcdeX", 7)] {
        let opener = Opener::Token {
            key: &other,
            answer: &answered(&TOKEN_SECRET, &other).unwrap(),
        };
        let refused = unlock_with(&bytes, opener);
        assert_eq!(refused.err(), Some(KeyfileError::NotOpened));
    }
}

#[test]
fn the_token_alone_leaves_no_passphrase_but_the_phrase() {
    let bytes = with_token(true);
    assert!(unlock_token(&bytes, &TOKEN_SECRET).is_ok());
    assert!(unlock_with_phrase(&bytes, &recovery()).is_ok());
    assert_eq!(
        unlock_cheap(&bytes, WORD).err(),
        Some(KeyfileError::NotOpened)
    );
    assert!(!ways(&bytes).unwrap().passphrase);
    let back = change_cheap(&bytes, Opener::Recovery(&recovery()), b"new").unwrap();
    assert!(unlock_cheap(&back, b"new").is_ok());
    assert!(unlock_token(&back, &TOKEN_SECRET).is_ok());
    let (key, answer) = (first_key(), answered(&TOKEN_SECRET, &first_key()).unwrap());
    let opener = Opener::Token {
        key: &key,
        answer: &answer,
    };
    let back = change_cheap(&bytes, opener, b"newer").unwrap();
    assert!(unlock_cheap(&back, b"newer").is_ok());
}

#[test]
fn the_same_key_takes_one_slot_and_another_a_second() {
    let first = with_token(false);
    let again = add(&first, &CHEAP_BOUNDS, &key("0123456789abcdef", 9), false);
    assert_eq!(again.len(), first.len());
    assert!(unlock_token(&again, &TOKEN_SECRET).is_ok());
    let other = key("another", 7);
    let both = add(&again, &CHEAP_BOUNDS, &other, true);
    assert_eq!(ways(&both).unwrap().tokens.len(), 2);
    let answer = answered(&TOKEN_SECRET, &other).unwrap();
    let opener = Opener::Token {
        key: &other,
        answer: &answer,
    };
    assert!(unlock_with(&both, opener).is_ok());
    let one = remove_within(&CHEAP_BOUNDS, &both, opener, &first_key()).unwrap();
    assert_eq!(ways(&one).unwrap().tokens, std::slice::from_ref(&other));
    let gone = remove_within(&CHEAP_BOUNDS, &one, opener, &first_key());
    assert_eq!(gone.err(), Some(KeyfileError::NoToken));
    let last = remove_within(&CHEAP_BOUNDS, &one, opener, &other);
    assert_eq!(last.err(), Some(KeyfileError::LastWay));
    let wrong = remove_within(&CHEAP_BOUNDS, &one, Opener::Passphrase(WORD), &other);
    assert_eq!(wrong.err(), Some(KeyfileError::NotOpened));
}

#[test]
fn a_full_keyfile_takes_no_token() {
    let full = edited(&keyfile("good", CHEAP), &CHEAP_BOUNDS, |layout, _| {
        let filler = Slot::Unknown {
            kind: 77,
            body: Vec::new(),
        };
        layout.slots.resize(SLOTS_MAX, filler);
    });
    let key = first_key();
    let answer = answered(&TOKEN_SECRET, &key).unwrap();
    let new = |only| NewToken {
        key: &key,
        answer: &answer,
        only,
    };
    let opener = Opener::Passphrase(WORD);
    let added = |only| add_within(&CHEAP_BOUNDS, &full, opener, &new(only), &mut entropy("x"));
    assert_eq!(added(false).err(), Some(KeyfileError::Full));
    assert!(added(true).is_ok(), "the slot of the passphrase is free");
}

#[test]
fn every_flipped_bit_is_noticed_with_a_token() {
    let (bytes, key) = (with_token(true), first_key());
    let answer = answered(&TOKEN_SECRET, &key).unwrap();
    let opener = Opener::Token {
        key: &key,
        answer: &answer,
    };
    assert!(unlock_with(&bytes, opener).is_ok());
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let refused = unlock_with(&bad, opener);
        assert_eq!(refused.err(), Some(KeyfileError::NotOpened), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(unlock_with(&bytes[..len], opener).is_err(), "{len} bytes");
    }
}

/// The token does as it is told: with the challenge that a changed file says, as a mount would.
#[test]
fn a_changed_slot_is_noticed_also_when_the_token_answers_for_it() {
    let bytes = with_token(true);
    let slot = 28 + 4 + 92;
    for bit in slot * 8..(slot + 4 + 4 + 16 + 32 + 1 + 32 + 32 + 92) * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(unlock_token(&bad, &TOKEN_SECRET).is_err(), "bit {bit}");
    }
}

#[test]
fn an_rsa_key_on_the_token_opens_and_every_changed_byte_of_its_slot_is_noticed() {
    let good = keyfile("good", CHEAP);
    let bytes = add(&good, &CHEAP_BOUNDS, &rsa_key(), true);
    let found = unlock_token(&bytes, &TOKEN_SECRET).ok().unwrap();
    assert!(same(&found, &bundle()));
    assert_eq!(ways(&bytes).unwrap().tokens, [rsa_key()]);
    let layout = Layout::decode(&bytes).unwrap();
    assert_eq!(layout.encode(), bytes);
    let slot = 28 + 4 + 92;
    for at in slot..slot + 4 + 85 + 256 + 92 {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(unlock_token(&bad, &TOKEN_SECRET).is_err(), "byte {at}");
    }
}

/// Other bytes in place of some, and the code that is right for all.
fn changed(file_key: &FileKey, mut bytes: Vec<u8>, range: Range<usize>, value: &[u8]) -> Vec<u8> {
    bytes.splice(range, value.iter().copied());
    let end = bytes.len() - 32;
    let code = file_key.authenticate(&bytes[..end]);
    bytes[end..].copy_from_slice(&code);
    bytes
}

/// Recipes: what each of passphrase, phrase and token opens, in this order.
fn recipes() -> Vec<(&'static str, [bool; 3], Vec<u8>)> {
    let released = CostBounds::RELEASED;
    let good = add(&keyfile("good", FLOOR), &released, &first_key(), false);
    let only = add(&keyfile("good", FLOOR), &released, &first_key(), true);
    let two = add(&good, &released, &key("another", 7), false);
    let rsa = add(&keyfile("good", FLOOR), &released, &rsa_key(), true);
    let layout = Layout::decode(&good).unwrap();
    let file_key = open(&released, &layout, Opener::Recovery(&recovery()))
        .ok()
        .unwrap()
        .file_key;
    // The code is right: what refuses is the slot, which stands behind those of passphrase and phrase.
    let slot = 28 + (4 + 136) + (4 + 92);
    let body_with = |at: usize, value: &[u8]| {
        let range = slot + at..slot + at + value.len();
        changed(&file_key, good.clone(), range, value)
    };
    // The challenge, which begins 89 bytes behind the start of a slot behind that of the phrase alone.
    let slot = 28 + (4 + 92);
    let with_sealed = |from: usize, value: &[u8]| {
        let range = slot + 89 + from..slot + 89 + 256;
        let bytes = changed(&file_key, rsa.clone(), range, value);
        let len = u16::try_from(85 + 92 + from + value.len()).unwrap();
        changed(&file_key, bytes, slot + 2..slot + 4, &len.to_le_bytes())
    };
    vec![
        ("token", [true; 3], good.clone()),
        ("token-only", [false, true, true], only),
        ("token-two", [true; 3], two),
        (
            "token-rsa-wrong-sealed",
            [false, true, false],
            with_sealed(255, &[0]),
        ),
        ("token-rsa-wrong-shorter", [false; 3], with_sealed(255, &[])),
        (
            "token-rsa-wrong-longer",
            [false; 3],
            with_sealed(256, &[0; 257]),
        ),
        (
            "token-rsa-longest",
            [false, true, false],
            with_sealed(256, &[0; 256]),
        ),
        ("token-rsa", [false, true, true], rsa.clone()),
        (
            "token-other-mechanism",
            [true, true, false],
            body_with(4, &0x1081_u32.to_le_bytes()),
        ),
        (
            "token-wrong-serial",
            [true, true, false],
            body_with(8, b"X"),
        ),
        ("token-wrong-no-id", [false; 3], body_with(56, &[0])),
        ("token-wrong-id-length", [false; 3], body_with(56, &[33])),
        ("token-wrong-id-padding", [false; 3], body_with(88, &[1])),
        (
            "token-wrong-challenge",
            [true, true, false],
            body_with(89, &[0]),
        ),
        (
            "token-wrong-length",
            [false; 3],
            body_with(2, &208_u16.to_le_bytes()),
        ),
    ]
}

/// With `PODFS_WRITE_GOLDEN` set the files are written instead: only for a deliberate change of the format.
#[test]
fn golden_files_with_tokens_are_read_and_written_as_ever() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1");
    for (name, opens, bytes) in recipes() {
        let path = format!("{folder}/keyfile-{name}.bin");
        if std::env::var_os("PODFS_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        let frozen = std::fs::read(&path).unwrap();
        assert!(
            frozen == bytes,
            "{name}: what is written now differs from the golden file"
        );
        let tried = [
            unlock(&frozen, WORD),
            unlock_with_phrase(&frozen, &recovery()),
            unlock_token(&frozen, &TOKEN_SECRET),
        ];
        for (opened, opens) in tried.iter().zip(opens) {
            match opened {
                Ok(opened) => assert!(opens && same(opened, &bundle()), "{name}"),
                Err(error) => assert!(!opens, "{name}: {error}"),
            }
        }
    }
}
