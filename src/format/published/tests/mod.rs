#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "numbers of a test"
)]

mod arbitrary;
mod nodes;
mod splitting;

use crate::crypto::publish::Reference;

/// A reference that is the same in every run.
pub(super) fn reference(number: u64) -> Reference {
    let mut bytes = [0; 80];
    blake3::Hasher::new()
        .update(&number.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    Reference::from_bytes(&bytes).unwrap()
}
