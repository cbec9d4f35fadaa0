//! The primitives against the published vectors of their standards, with the features they are built with here.

use crate::hex;
use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
use podfs::crypto::{BoxKey, OpenError, Phrase, Secret, open_box, seal_box};
use serde_json::Value;

fn vectors(kind: &str) -> Value {
    let file: Value = serde_json::from_str(include_str!("../vectors/primitives.json")).unwrap();
    file[kind].clone()
}

fn unhex(text: &Value) -> Vec<u8> {
    hex::decode(text.as_str().unwrap())
}

/// RFC 8452, appendix C.2 and, for the wrapping counter, C.3.
#[test]
fn aes_256_gcm_siv() {
    let cases = vectors("aes_256_gcm_siv");
    assert_eq!(cases.as_array().unwrap().len(), 26);
    for case in cases.as_array().unwrap() {
        let key = BoxKey::new(Secret::from_slice(&unhex(&case["key"])).unwrap());
        let nonce = unhex(&case["nonce"]).try_into().unwrap();
        let (ad, plain, sealed) = (
            unhex(&case["ad"]),
            unhex(&case["plain"]),
            unhex(&case["sealed"]),
        );
        let mut bytes = plain.clone();
        seal_box(&key, nonce, &ad, &mut bytes);
        assert_eq!(bytes, sealed, "{case}");
        assert_eq!(open_box(&key, nonce, &ad, &mut bytes), Ok(()), "{case}");
        assert_eq!(bytes, plain, "{case}");
        let mut other = sealed;
        other[0] ^= 1;
        assert_eq!(
            open_box(&key, nonce, &ad, &mut other),
            Err(OpenError),
            "{case}"
        );
    }
}

#[test]
fn blake3_in_all_three_modes() {
    let vectors = vectors("blake3");
    let key: [u8; 32] = vectors["key"]
        .as_str()
        .unwrap()
        .as_bytes()
        .try_into()
        .unwrap();
    let context = vectors["context"].as_str().unwrap();
    for case in vectors["cases"].as_array().unwrap() {
        let len = usize::try_from(case["input_len"].as_u64().unwrap()).unwrap();
        let input: Vec<u8> = (0..=250).cycle().take(len).collect();
        for (mode, mut hasher) in [
            ("hash", blake3::Hasher::new()),
            ("keyed_hash", blake3::Hasher::new_keyed(&key)),
            ("derive_key", blake3::Hasher::new_derive_key(context)),
        ] {
            let mut output = [0; 131];
            hasher.update(&input).finalize_xof().fill(&mut output);
            assert_eq!(output.to_vec(), unhex(&case[mode]), "{mode} of {len} bytes");
        }
    }
}

/// RFC 9106 §5.3.
#[test]
fn argon2id() {
    let params = ParamsBuilder::new()
        .m_cost(32)
        .t_cost(3)
        .p_cost(4)
        .data(AssociatedData::new(&[4; 12]).unwrap())
        .build()
        .unwrap();
    let argon2 =
        Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
    let mut tag = [0; 32];
    argon2
        .hash_password_into(&[1; 32], &[2; 16], &mut tag)
        .unwrap();
    assert_eq!(
        hex::encode(&tag),
        "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
    );
}

#[test]
fn bip39_of_24_words() {
    for case in vectors("bip39").as_array().unwrap() {
        let words = case["phrase"].as_str().unwrap();
        let entropy = Secret::from_slice(&unhex(&case["entropy"])).unwrap();
        assert_eq!(Phrase::from_entropy(&entropy).text().as_str(), words);
        assert_eq!(Phrase::parse(words).ok().unwrap().text().as_str(), words);
        let mnemonic = bip39::Mnemonic::parse_normalized(words).unwrap();
        assert_eq!(
            mnemonic.to_seed_normalized("TREZOR").to_vec(),
            unhex(&case["seed"])
        );
    }
}
