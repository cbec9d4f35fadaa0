//! How the values of the list are written: as they are shown, but for addresses.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serializer;

use crate::store::bee::NodeAddress;

/// An address as the file has it.
pub(super) fn with_credentials<S: Serializer>(
    address: &NodeAddress,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(address.with_credentials())
}

/// Reads such an address.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NodeAddress, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

#[expect(
    clippy::ref_option,
    reason = "serde hands over a reference to the field"
)]
pub(super) fn serialize<S: Serializer, T: fmt::Display>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>, T>(
    deserializer: D,
) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    let value = text.parse().map_err(serde::de::Error::custom)?;
    Ok(Some(value))
}
