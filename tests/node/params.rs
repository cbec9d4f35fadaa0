//! Parameters of a request, refused in Bee's words.

use axum::http::{HeaderMap, StatusCode};
use podfs::types::Address;

use crate::node::chain::BatchId;
use crate::node::reply::{Reason, Refused, with_reasons};

pub const BATCH: &str = "Swarm-Postage-Batch-Id";
pub const STAMP: &str = "Swarm-Postage-Stamp";
pub const TAG: &str = "Swarm-Tag";

/// Where parameters stand; Bee names it in its refusal.
#[derive(Clone, Copy)]
pub enum Place {
    Header,
    Path,
    Query,
}

fn refused(place: Place, field: &str, error: &str) -> Refused {
    let message = match place {
        Place::Header => "invalid header params",
        Place::Path => "invalid path params",
        Place::Query => "invalid query params",
    };
    let reason = Reason {
        field: field.to_owned(),
        error: error.to_owned(),
    };
    with_reasons(StatusCode::BAD_REQUEST, message, &[reason]).into()
}

/// A parameter that must be there.
pub fn missing(place: Place, field: &str) -> Refused {
    refused(place, &field.to_lowercase(), "want required:")
}

/// Bytes of any length from hexadecimal digits.
pub fn hex(place: Place, field: &str, text: &str) -> Result<Vec<u8>, Refused> {
    let wrong = |c: char| format!("invalid hex byte: U+{:04X} '{c}'", u32::from(c));
    if let Some(c) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Err(refused(place, field, &wrong(c)));
    }
    if text.len() % 2 == 1 {
        return Err(refused(place, field, "odd length hex string"));
    }
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    Ok((0..text.len()).step_by(2).map(digit).collect())
}

/// A whole number without sign, as Go reads it.
pub fn number<T: TryFrom<u128>>(place: Place, field: &str, text: &str) -> Result<T, Refused> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused(place, field, "invalid syntax"));
    }
    let value = text.parse().ok().and_then(|value| T::try_from(value).ok());
    value.ok_or_else(|| refused(place, field, "value out of range"))
}

/// An amount of money; Bee has no upper bound, here it is enough that nobody could pay it.
pub fn amount(text: &str) -> Result<u128, Refused> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused(Place::Path, "amount", "invalid value"));
    }
    Ok(text.parse().unwrap_or(u128::MAX))
}

pub fn depth(text: &str, least: u8) -> Result<u8, Refused> {
    let depth = number(Place::Path, "depth", text)?;
    if depth < least {
        let error = format!("want min:{least}");
        return Err(refused(Place::Path, "depth", &error));
    }
    Ok(depth)
}

/// A chunk's address in the path. Bee reads any length; nothing is ever found at another than 32 bytes.
pub fn address(field: &str, text: &str) -> Result<Option<Address>, Refused> {
    let bytes = hex(Place::Path, field, text)?;
    Ok(<[u8; 32]>::try_from(bytes).ok().map(Address))
}

pub fn batch_in_path(text: &str) -> Result<BatchId, Refused> {
    let bytes = hex(Place::Path, "batch_id", text)?;
    bytes
        .try_into()
        .map_err(|_| refused(Place::Path, "batch_id", "want len:32"))
}

/// The text of a header; nothing when it is absent.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The bytes of a hexadecimal header; empty when it is absent.
pub fn header_hex(headers: &HeaderMap, name: &str) -> Result<Vec<u8>, Refused> {
    header(headers, name).map_or(Ok(Vec::new()), |text| hex(Place::Header, name, text))
}

pub fn header_number<T: TryFrom<u128>>(
    headers: &HeaderMap,
    name: &str,
) -> Result<Option<T>, Refused> {
    let text = header(headers, name);
    text.map(|text| number(Place::Header, name, text))
        .transpose()
}

/// A truth value, as Go's `ParseBool` reads it.
pub fn header_flag(headers: &HeaderMap, name: &str) -> Result<Option<bool>, Refused> {
    let Some(text) = header(headers, name) else {
        return Ok(None);
    };
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Some(true)),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Some(false)),
        _ => Err(refused(Place::Header, name, "invalid syntax")),
    }
}

/// `Swarm-Redundancy-Level`, when it is there.
pub fn level(headers: &HeaderMap) -> Result<Option<u8>, Refused> {
    const NAME: &str = "Swarm-Redundancy-Level";
    let level = header_number(headers, NAME)?;
    if level.is_some_and(|level: u8| level > 4) {
        let error = "want redundancy level to be between 0 and 4";
        return Err(refused(Place::Header, &NAME.to_lowercase(), error));
    }
    Ok(level)
}

/// The value of `name` in a query string.
pub fn query<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    query?.split('&').find_map(|pair| {
        pair.strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='))
    })
}
