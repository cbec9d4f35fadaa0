//! The two ways to make a key from a key: `KDF[NAME]` and the keyed hash.
//!
//! `enc(f1, …, fn) = le32(|f1|) ‖ f1 ‖ … ‖ le32(|fn|) ‖ fn` is injective: no two lists of fields give the same
//! bytes, so no two meanings share a hash input. `KDF[NAME](m)` is BLAKE3 in key derivation mode with the context
//! `podfs 2026-11-20 v1 NAME`; `PRF(k, m)` is BLAKE3 in keyed mode.

use crate::crypto::domain::{Domain, Prefix};
use crate::crypto::secret::Secret;
use zeroize::Zeroize;

/// `KDF[domain](material)`.
pub fn kdf(domain: Domain, material: &[u8]) -> Secret<32> {
    derived(domain, |hasher| {
        hasher.update(material);
    })
}

/// `KDF[domain](enc(fields))`. The fields are hashed where they lie; no copy of a secret is made.
pub fn kdf_fields(domain: Domain, fields: &[&[u8]]) -> Secret<32> {
    derived(domain, |hasher| update_fields(hasher, fields))
}

/// The first `N` bytes of the extendable output of `KDF[domain](enc(fields))`. Its first 32 are [`kdf_fields`].
pub fn derived<const N: usize>(
    domain: Domain,
    feed: impl FnOnce(&mut blake3::Hasher),
) -> Secret<N> {
    let mut hasher = blake3::Hasher::new_derive_key(domain.context());
    feed(&mut hasher);
    finish(&mut hasher)
}

/// `PRF(key, prefix ‖ material)`.
pub fn prf(key: &Secret<32>, prefix: Prefix, material: &[u8]) -> Secret<32> {
    let mut hasher = blake3::Hasher::new_keyed(key.expose());
    hasher.update(&[prefix.byte()]).update(material);
    finish(&mut hasher)
}

/// `PRF(key, prefix ‖ number ‖ material)`, for material whose length its prefix fixes.
pub fn prf_numbered(key: &Secret<32>, prefix: Prefix, number: u8, material: &[u8]) -> Secret<32> {
    let mut hasher = blake3::Hasher::new_keyed(key.expose());
    hasher.update(&[prefix.byte(), number]).update(material);
    finish(&mut hasher)
}

/// `PRF(key, prefix ‖ enc(fields))`.
pub fn prf_fields(key: &Secret<32>, prefix: Prefix, fields: &[&[u8]]) -> Secret<32> {
    let mut hasher = blake3::Hasher::new_keyed(key.expose());
    hasher.update(&[prefix.byte()]);
    update_fields(&mut hasher, fields);
    finish(&mut hasher)
}

/// `enc(fields)` as bytes, for associated data and other things that are not secret.
pub fn enc(fields: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(
        fields
            .iter()
            .map(|field| field.len().saturating_add(4))
            .sum(),
    );
    for field in fields {
        out.extend_from_slice(&length(field));
        out.extend_from_slice(field);
    }
    out
}

/// Feeds `enc(fields)` to a hash.
pub fn update_fields(hasher: &mut blake3::Hasher, fields: &[&[u8]]) {
    for field in fields {
        hasher.update(&length(field)).update(field);
    }
}

/// `le32(|field|)`.
#[expect(
    clippy::expect_used,
    reason = "a truncated length would make the encoding ambiguous; no field comes near 4 GiB"
)]
fn length(field: &[u8]) -> [u8; 4] {
    u32::try_from(field.len())
        .expect("a field of less than 4 GiB")
        .to_le_bytes()
}

fn finish<const N: usize>(hasher: &mut blake3::Hasher) -> Secret<N> {
    let mut output = hasher.finalize_xof();
    let secret = Secret::fill_with(|bytes| output.fill(bytes));
    output.zeroize();
    hasher.zeroize();
    secret
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_streamed_encoding_is_the_written_one() {
        let fields: &[&[u8]] = &[b"", b"one", &[0; 7_000]];
        let streamed = kdf_fields(Domain::Root, fields);
        assert!(streamed.eq_ct(&kdf(Domain::Root, &enc(fields))));
        assert_eq!(
            streamed.expose(),
            &blake3::derive_key(Domain::Root.context(), &enc(fields))
        );

        let key = Secret::from_bytes(&[9; 32]);
        let mut written = vec![b'S'];
        written.extend(enc(fields));
        let hashed = blake3::keyed_hash(key.expose(), &written);
        assert_eq!(
            prf_fields(&key, Prefix::Scope, fields).expose(),
            hashed.as_bytes()
        );
        assert_eq!(
            prf(&key, Prefix::Scope, &enc(fields)).expose(),
            hashed.as_bytes()
        );
    }

    #[test]
    fn domains_and_prefixes_separate() {
        let one = kdf(Domain::Pod, b"same");
        assert!(!one.eq_ct(&kdf(Domain::Box, b"same")));
        let key = Secret::from_bytes(&[9; 32]);
        assert!(!prf(&key, Prefix::Block, b"same").eq_ct(&prf(&key, Prefix::Node, b"same")));
    }

    proptest! {
        #[test]
        fn the_encoding_is_injective(
            one in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..6), 0..5),
            other in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..6), 0..5),
        ) {
            let fields = |list: &[Vec<u8>]| enc(&list.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(fields(&one) == fields(&other), one == other);
        }
    }
}
