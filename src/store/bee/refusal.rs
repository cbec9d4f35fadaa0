use serde::Deserialize;

use crate::store::bee::http::Reply;
use crate::store::{Outage, Rejection, StoreError};
use crate::types::limits::BEE_MESSAGE_MAX;

/// What a node says when it does not do something.
#[derive(Deserialize)]
struct Complaint {
    message: String,
}

/// The node's own words, shortened; nothing when the body is not a node's, but a gateway's page.
pub(super) fn message(reply: &Reply) -> String {
    let said = serde_json::from_slice::<Complaint>(&reply.body)
        .map(|complaint| complaint.message)
        .unwrap_or_default();
    let printable = said.chars().filter(|c| !c.is_control());
    printable.take(BEE_MESSAGE_MAX).collect()
}

/// What a reply that is no success means, wherever it comes from. What a status means at one call alone is decided
/// there, before this.
pub(super) fn refusal(reply: &Reply) -> StoreError {
    let said = message(reply);
    let rejection = match reply.status {
        300..=399 => Rejection::Redirected,
        400 if said.contains("not supported in dev mode") => Rejection::Unsupported,
        400 => Rejection::Invalid(said),
        403 | 405 if said.starts_with("Chain is disabled") => Rejection::NoChain,
        401 | 403 | 407 => Rejection::Forbidden,
        404 | 405 | 410 | 501 => Rejection::Unsupported,
        402 => Rejection::OutOfFunds,
        413 => Rejection::Size,
        422 => Rejection::BatchUnusable,
        429 | 503 => {
            return StoreError::Unavailable {
                why: Outage::Busy(reply.status),
                retry_after: reply.retry_after,
            };
        }
        500..=599 => {
            return StoreError::Unavailable {
                why: Outage::Failed(reply.status, said),
                retry_after: reply.retry_after,
            };
        }
        _ => {
            let what = format!("status {}", reply.status);
            return StoreError::unavailable(Outage::Garbled(what));
        }
    };
    StoreError::Rejected(rejection)
}
