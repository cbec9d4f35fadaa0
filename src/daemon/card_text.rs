//! The identity of somebody as people pass it on: `podfs1…`, which a typing error does not turn into another one.

use bech32::Bech32m;
use bech32::Hrp;
use bech32::primitives::decode::CheckedHrpstring;

use crate::crypto::scalar::Owner;

const PREFIX: &str = "podfs";
const VERSION: u8 = 0;

/// The text (BIP-350): version 0 and the owner address.
pub fn text(owner: &Owner) -> String {
    let bytes = [&[VERSION], owner.0.as_slice()].concat();
    let written = Hrp::parse(PREFIX).map(|prefix| bech32::encode::<Bech32m>(prefix, &bytes));
    written.ok().and_then(Result::ok).unwrap_or_default()
}

/// Reads such a text, or an owner address as Ethereum writes it: `0x` and 40 digits.
pub fn parse(text: &str) -> Option<Owner> {
    let text = text.trim();
    if let Some(digits) = text.strip_prefix("0x") {
        let mut owner = Owner([0; 20]);
        hex::decode_to_slice(digits, &mut owner.0).ok()?;
        return Some(owner);
    }
    let read = CheckedHrpstring::new::<Bech32m>(text).ok()?;
    let prefix = read.hrp();
    let bytes: Vec<u8> = read.byte_iter().collect();
    let (version, owner) = bytes.split_first()?;
    if *version != VERSION || prefix.to_lowercase() != PREFIX {
        return None;
    }
    owner.try_into().ok().map(Owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_comes_back_and_no_typing_error_does() {
        let mut owner = Owner([0; 20]);
        let digits = "0ec7bc2ccc3ca3ac7071c8f2dbc2056a54cc77fa";
        hex::decode_to_slice(digits, &mut owner.0).unwrap();
        let written = text(&owner);
        assert_eq!(written, "podfs1qq8v00pves728trsw8y09k7zq449fnrhlgt3qvfq");
        assert_eq!(parse(&written), Some(owner));
        assert_eq!(parse(&written.to_uppercase()), Some(owner));
        assert_eq!(parse(&format!(" {written}\n")), Some(owner));
        assert_eq!(parse(&format!("0x{}", hex::encode(owner.0))), Some(owner));
        for at in 0..written.len() {
            for with in ['q', 'p', '0', 'b'] {
                let mut wrong = written.clone();
                wrong.replace_range(at..=at, &with.to_string());
                if wrong != written {
                    assert_eq!(parse(&wrong), None, "{wrong}");
                }
            }
        }
        for none in ["", "podfs1", "0x", "0x12", "anna"] {
            assert_eq!(parse(none), None, "{none}");
        }
    }
}
