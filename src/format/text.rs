//! What people pass on as text: who somebody is, and shares of a phrase. Bech32m (BIP-350), so that no typing error makes
//! another one of it.

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use zeroize::Zeroizing;

use crate::crypto::Secret;
use crate::crypto::phrase_share::PhraseShare;
use crate::crypto::scalar::Owner;
use crate::format::wire::{Malformed, Reader};

const IDENTITY: &str = "podfs";
const SHARE: &str = "podfsshare";
const VERSION: u8 = 0;

/// An identity: `podfs1…`, of a byte 0 and the owner address.
pub fn identity(owner: &Owner) -> String {
    write(IDENTITY, &[&[VERSION], owner.0.as_slice()].concat())
}

/// Reads such a text, or an owner address as Ethereum writes it: `0x` and 40 digits.
///
/// # Errors
/// When it is neither.
pub fn read_identity(text: &str) -> Result<Owner, Malformed> {
    let wrong = Malformed("identity");
    let text = text.trim();
    if let Some(digits) = text.strip_prefix("0x") {
        let mut owner = Owner([0; 20]);
        hex::decode_to_slice(digits, &mut owner.0).map_err(|_| wrong)?;
        return Ok(owner);
    }
    let bytes = read(IDENTITY, text).ok_or(wrong)?;
    let mut reader = Reader::new(&bytes, "identity");
    if reader.u8()? != VERSION {
        return Err(wrong);
    }
    let owner = Owner(reader.array()?);
    reader.end()?;
    Ok(owner)
}

/// A share of a phrase: `podfsshare1…`, of a byte 0, the set 4, threshold u8, number u8, values 32.
pub fn share(share: &PhraseShare) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(vec![VERSION]);
    bytes.extend_from_slice(&share.set);
    bytes.extend_from_slice(&[share.threshold, share.number]);
    bytes.extend_from_slice(share.values.expose());
    Zeroizing::new(write(SHARE, &bytes))
}

/// Reads such a text.
///
/// # Errors
/// When it is none, or one character is wrong.
pub fn read_share(text: &str) -> Result<PhraseShare, Malformed> {
    let bytes = read(SHARE, text.trim()).ok_or(Malformed("share"))?;
    let mut reader = Reader::new(&bytes, "share");
    if reader.u8()? != VERSION {
        return Err(reader.malformed());
    }
    let share = PhraseShare {
        set: reader.array()?,
        threshold: reader.u8()?,
        number: reader.u8()?,
        values: Secret::from_slice(reader.bytes(32)?).ok_or(reader.malformed())?,
    };
    if share.threshold < 2 || share.number == 0 {
        return Err(reader.malformed());
    }
    reader.end()?;
    Ok(share)
}

fn write(prefix: &str, bytes: &[u8]) -> String {
    let written = Hrp::parse(prefix).map(|prefix| bech32::encode::<Bech32m>(prefix, bytes));
    written.ok().and_then(Result::ok).unwrap_or_default()
}

fn read(prefix: &str, text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let read = CheckedHrpstring::new::<Bech32m>(text).ok()?;
    let bytes = Zeroizing::new(read.byte_iter().collect::<Vec<u8>>());
    // Bits behind the last byte belong to nothing: another text with the same bytes is no text of ours.
    let ours = Zeroizing::new(write(prefix, &bytes));
    ours.eq_ignore_ascii_case(text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any character replaced by another one is noticed.
    fn no_typing_error_is_read(written: &str, read: impl Fn(&str) -> bool) {
        assert!(read(written) && read(&written.to_uppercase()) && read(&format!(" {written}\n")));
        for at in 0..written.len() {
            for with in ['q', 'p', '0', 'b', 'l'] {
                let mut wrong = written.to_owned();
                wrong.replace_range(at..=at, &with.to_string());
                assert!(wrong == written || !read(&wrong), "{wrong}");
            }
        }
        for none in ["", "podfs1", "podfsshare1", "0x", "0x12", "anna"] {
            assert!(!read(none), "{none}");
        }
    }

    #[test]
    fn an_identity_comes_back_and_no_typing_error_does() {
        let mut owner = Owner([0; 20]);
        let digits = "0ec7bc2ccc3ca3ac7071c8f2dbc2056a54cc77fa";
        hex::decode_to_slice(digits, &mut owner.0).unwrap();
        let written = identity(&owner);
        assert_eq!(written, "podfs1qq8v00pves728trsw8y09k7zq449fnrhlgt3qvfq");
        assert_eq!(read_identity(&format!("0x{digits}")), Ok(owner));
        no_typing_error_is_read(&written, |text| read_identity(text) == Ok(owner));
        assert!(read_share(&written).is_err());
    }

    #[test]
    fn a_share_comes_back_and_no_typing_error_does() {
        let given = PhraseShare {
            set: [1, 2, 3, 4],
            threshold: 2,
            number: 3,
            values: Secret::from_bytes(&[0xa5; 32]),
        };
        let written = share(&given);
        // As long as the code promises to notice four errors.
        assert!(written.len() <= 90, "{}", written.len());
        no_typing_error_is_read(&written, |text| {
            read_share(text).is_ok_and(|read| {
                let fields = (read.set, read.threshold, read.number);
                fields == (given.set, 2, 3) && read.values.eq_ct(&given.values)
            })
        });
        assert!(read_identity(&written).is_err());
        for (threshold, number) in [(1, 1), (0, 1), (2, 0)] {
            let wrong = PhraseShare {
                set: given.set,
                threshold,
                number,
                values: Secret::from_bytes(given.values.expose()),
            };
            assert!(read_share(&share(&wrong)).is_err());
        }
    }
}
