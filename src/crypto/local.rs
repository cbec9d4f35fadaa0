//! Keys that never leave this machine: of the local log and of what stands beside it.
//!
//! All come from the device secret, which is random and lives in the keyfile: no phrase gives it back, and what is
//! sealed under it is worth nothing anywhere else.

use crate::crypto::derive::{kdf, kdf_fields, prf_fields};
use crate::crypto::domain::{Domain, Prefix};
use crate::crypto::seal::{BoxKey, PageKey};
use crate::crypto::secret::Secret;

/// The keys of one session of the log: of all segments that one opening of the pod writes.
pub struct JournalKeys {
    /// Seals records and the headers of segments.
    pub record: BoxKey,
    /// Seals the pages of files and of checkpoint nodes.
    pub page: PageKey,
    /// Hides what would otherwise be recognizable in a segment, such as lengths.
    pub mask: Secret<32>,
}

/// What a local key outside the segments is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalPurpose {
    /// Sealing the manifest.
    Manifest,
    /// Sealing the watermark.
    Watermark,
    /// Hashing pointers to leaves, for the sum that manifest and index must agree on.
    IndexKey,
    /// Sealing values of the index.
    IndexValue,
    /// Handing new keys to the daemon of the pod.
    Handover,
    /// Hashing names of directory entries: the key of [`name_hash`].
    NameHash,
}

/// The keys of the session with this random id, which its segments carry: `KDF[journal](enc(device secret, id, "record" | "page" | "mask"))`.
pub fn journal_keys(device_secret: &Secret<32>, segment_id: &[u8; 16]) -> JournalKeys {
    let key = |purpose: &[u8]| {
        kdf_fields(
            Domain::Journal,
            &[device_secret.expose(), segment_id, purpose],
        )
    };
    JournalKeys {
        record: BoxKey::new(key(b"record")),
        page: PageKey::new(key(b"page")),
        mask: key(b"mask"),
    }
}

/// The key for one purpose on this machine.
///
/// `KDF[local-index-key]` and `KDF[local-index-val]` of the device secret for the index;
/// `KDF[journal](enc(device secret, "manifest" | "watermark" | "handover" | "name-hash"))` for the rest. These have one field
/// less than the keys of a segment, so the two kinds never meet.
pub fn local_key(device_secret: &Secret<32>, purpose: LocalPurpose) -> Secret<32> {
    let beside_the_log = |name: &[u8]| kdf_fields(Domain::Journal, &[device_secret.expose(), name]);
    match purpose {
        LocalPurpose::Manifest => beside_the_log(b"manifest"),
        LocalPurpose::Watermark => beside_the_log(b"watermark"),
        LocalPurpose::Handover => beside_the_log(b"handover"),
        LocalPurpose::NameHash => beside_the_log(b"name-hash"),
        LocalPurpose::IndexKey => kdf(Domain::LocalIndexKey, device_secret.expose()),
        LocalPurpose::IndexValue => kdf(Domain::LocalIndexVal, device_secret.expose()),
    }
}

/// The keyed hash under which a name stands in its directory: 63 bits, never 0, 1 or 2.
///
/// The first 8 bytes, little-endian, of `PRF(key, 'I' ‖ enc(le64 dir, name))`, shifted right by one; 0, 1 and 2 are
/// kept for directory cookies and become 3, 4 and 5. Names can collide: the row holds the name itself.
pub fn name_hash(key: &Secret<32>, dir: u64, name: &[u8]) -> u64 {
    let hashed = prf_fields(key, Prefix::Index, &[&dir.to_le_bytes(), name]);
    let first = hashed
        .expose()
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes));
    match first >> 1 {
        reserved @ 0..=2 => reserved.saturating_add(3),
        hash => hash,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::seal::{open_page, seal_page};
    use std::collections::BTreeSet;

    fn device_secret() -> Secret<32> {
        Secret::from_bytes(&[0x5a; 32])
    }

    #[test]
    fn no_two_local_keys_are_equal() {
        let secret = device_secret();
        let mut seen = BTreeSet::new();
        for purpose in [
            LocalPurpose::Manifest,
            LocalPurpose::Watermark,
            LocalPurpose::Handover,
            LocalPurpose::IndexKey,
            LocalPurpose::IndexValue,
            LocalPurpose::NameHash,
        ] {
            assert!(
                seen.insert(*local_key(&secret, purpose).expose()),
                "{purpose:?}"
            );
        }
        for id in [[0; 16], [1; 16]] {
            assert!(seen.insert(*journal_keys(&secret, &id).mask.expose()));
        }
    }

    #[test]
    fn a_page_opens_only_in_its_segment() {
        let one = journal_keys(&device_secret(), &[1; 16]);
        let other = journal_keys(&device_secret(), &[2; 16]);
        let mut page = [7; 4096];
        let tag = seal_page(&one.page, 1, &mut page);
        let mut misplaced = page;
        assert!(open_page(&other.page, 1, &mut misplaced, &tag).is_err());
        assert!(open_page(&one.page, 1, &mut page, &tag).is_ok());
    }

    #[test]
    fn a_name_hash_depends_on_key_directory_and_name() {
        let key = local_key(&device_secret(), LocalPurpose::NameHash);
        let hash = name_hash(&key, 1, b"name");
        assert!((3..1 << 63).contains(&hash));
        assert_eq!(hash, name_hash(&key, 1, b"name"));
        assert_ne!(hash, name_hash(&key, 2, b"name"));
        assert_ne!(hash, name_hash(&key, 1, b"Name"));
        assert_ne!(hash, name_hash(&Secret::from_bytes(&[0; 32]), 1, b"name"));
    }
}
