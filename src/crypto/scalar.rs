//! secp256k1 private keys from the key tree, and the Swarm owner addresses they stand for.

use crate::crypto::derive::{derived, update_fields};
use crate::crypto::domain::Domain;
use crate::crypto::secret::Secret;
use k256::elliptic_curve::ops::ReduceNonZero;
use k256::elliptic_curve::sec1::ToSec1Point;
use k256::{Scalar, SecretKey, WideBytes};
use sha3::{Digest, Keccak256};
use zeroize::Zeroize;

/// Owner of single-owner chunks: the last 20 bytes of Keccak-256 over the uncompressed public key, as in Ethereum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub [u8; 20]);

/// `SCALAR[domain](enc(fields))`: 48 bytes of extendable output, read as a little-endian integer, modulo `n − 1`, plus 1.
///
/// The result lies in `1 ..= n − 1`, so it is always a valid private key; its bias is at most 2⁻¹²⁸.
/// It is returned as 32 big-endian bytes (SEC 1), the form every secp256k1 library takes.
pub(crate) fn scalar(domain: Domain, fields: &[&[u8]]) -> Secret<32> {
    let wide: Secret<48> = derived(domain, |hasher| update_fields(hasher, fields));
    let mut big_endian = WideBytes::default();
    for (to, from) in big_endian.iter_mut().rev().zip(wide.expose()) {
        *to = *from;
    }
    let mut scalar = <Scalar as ReduceNonZero<WideBytes>>::reduce_nonzero(&big_endian);
    big_endian.as_mut_slice().zeroize();
    let mut bytes = scalar.to_bytes();
    let secret = Secret::fill_with(|own| own.copy_from_slice(&bytes));
    bytes.as_mut_slice().zeroize();
    scalar.zeroize();
    secret
}

/// The public point of a private key made by [`scalar`], uncompressed: `04 ‖ x ‖ y`.
#[expect(
    clippy::expect_used,
    reason = "the secret was reduced to 1 ..= n − 1 when it was made"
)]
pub(crate) fn public_key(secret: &Secret<32>) -> [u8; 65] {
    let key = SecretKey::from_slice(secret.expose()).expect("a scalar in range");
    let point = key.public_key().to_sec1_point(false);
    point
        .as_ref()
        .try_into()
        .expect("an uncompressed point has 65 bytes")
}

/// The owner address of a private key made by [`scalar`].
pub(crate) fn owner(secret: &Secret<32>) -> Owner {
    owner_of(&public_key(secret))
}

/// The owner address that stands for a public point, `04 ‖ x ‖ y`.
pub(crate) fn owner_of([_, point @ ..]: &[u8; 65]) -> Owner {
    let hash: [u8; 32] = Keccak256::digest(point).into();
    let mut address = [0; 20];
    address
        .iter_mut()
        .zip(hash.iter().skip(12))
        .for_each(|(to, from)| *to = *from);
    Owner(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of Swarm's replicas, `01 00 … 00`, and its address as it stands in Bee.
    #[test]
    fn the_address_is_the_one_of_swarm() {
        let mut key = [0; 32];
        key[0] = 1;
        let hex: String = owner(&Secret::from_bytes(&key))
            .0
            .map(|byte| format!("{byte:02x}"))
            .concat();
        assert_eq!(hex, "dc5b20847f43d67928f49cd4f85d696b5a7617b5");
    }

    #[test]
    fn one_byte_more_is_another_scalar() {
        let one = scalar(Domain::FeedSigner, &[b"a"]);
        assert!(!one.eq_ct(&scalar(Domain::FeedSigner, &[b"a", b""])));
        assert!(!one.eq_ct(&scalar(Domain::IdSign, &[b"a"])));
        assert!(one.eq_ct(&scalar(Domain::FeedSigner, &[b"a"])));
    }
}
