use std::fmt;

use reqwest::Method;
use serde::Deserialize;

use crate::store::bee::Bee;
use crate::store::bee::http::Ask;
use crate::store::bee::refusal::refusal;
use crate::store::{Rejection, StoreError};
use crate::types::limits::BEE_JSON_MAX;

/// The node's number for some uploads that are counted together. Short-lived: an error in one of its requests may
/// drop chunks of the same tag that were not pushed yet, and a node forgets tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UploadTag(pub u64);

impl fmt::Display for UploadTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How far the node is with a tag's chunks, in chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TagState {
    /// Handed to the node.
    pub split: u64,
    /// Of these, known to it before.
    pub seen: u64,
    /// Kept, because the node itself is where they belong.
    pub stored: u64,
    /// Sent off.
    pub sent: u64,
    /// Acknowledged by somebody in the network.
    pub synced: u64,
}

impl TagState {
    /// Whether all of them, at least `expected`, left for the network. It may never come true: batches expire,
    /// counters get stuck. Wait with a deadline, then look for the chunks themselves.
    pub const fn is_synced(&self, expected: u64) -> bool {
        let done = self.synced.saturating_add(self.seen);
        self.split >= expected && done >= self.split
    }
}

#[derive(Deserialize)]
struct Created {
    uid: u64,
}

impl Bee {
    /// `POST /tags`: a new tag.
    ///
    /// # Errors
    /// [`Rejection::Unsupported`] from a gateway.
    pub async fn new_tag(&self) -> Result<UploadTag, StoreError> {
        let ask = Ask {
            method: Method::POST,
            ..Ask::get(&["tags"], self.deadlines().ask, BEE_JSON_MAX)
        };
        let reply = self.http.send(ask).await?;
        if !matches!(reply.status, 200 | 201) {
            return Err(refusal(&reply));
        }
        let Created { uid } = reply.json()?;
        Ok(UploadTag(uid))
    }

    /// `GET /tags/{uid}`.
    ///
    /// # Errors
    /// [`Rejection::TagUnknown`] when the node forgot it.
    pub async fn tag(&self, tag: UploadTag) -> Result<TagState, StoreError> {
        let uid = tag.to_string();
        let ask = Ask::get(&["tags", &uid], self.deadlines().ask, BEE_JSON_MAX);
        let reply = self.http.send(ask).await?;
        match reply.status {
            200 => reply.json(),
            404 => Err(StoreError::Rejected(Rejection::TagUnknown)),
            _ => Err(refusal(&reply)),
        }
    }

    /// `DELETE /tags/{uid}`; one that is not there is deleted already.
    ///
    /// # Errors
    /// When the node does not answer or does not offer it.
    pub async fn delete_tag(&self, tag: UploadTag) -> Result<(), StoreError> {
        let uid = tag.to_string();
        let ask = Ask {
            method: Method::DELETE,
            ..Ask::get(&["tags", &uid], self.deadlines().ask, BEE_JSON_MAX)
        };
        let reply = self.http.send(ask).await?;
        match reply.status {
            200 | 204 | 404 => Ok(()),
            _ => Err(refusal(&reply)),
        }
    }
}
