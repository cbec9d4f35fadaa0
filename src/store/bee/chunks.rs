use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use crate::crypto::swarm::{CHUNK_LEN_MAX, CONTENT_LEN_MAX, SealedChunk};
use crate::store::bee::http::{Ask, Reply, flag, garbled};
use crate::store::bee::refusal::{message, refusal};
use crate::store::bee::{BatchId, Bee, UploadTag};
use crate::store::{Receipt, Rejection, StoreError, accepted};
use crate::types::Address;
use crate::types::limits::BEE_JSON_MAX;

const BATCH: HeaderName = HeaderName::from_static("swarm-postage-batch-id");
const DEFERRED: HeaderName = HeaderName::from_static("swarm-deferred-upload");
const REDUNDANCY: HeaderName = HeaderName::from_static("swarm-redundancy-level");
const ENCRYPT: HeaderName = HeaderName::from_static("swarm-encrypt");
const PIN: HeaderName = HeaderName::from_static("swarm-pin");
const TAG: HeaderName = HeaderName::from_static("swarm-tag");
const CACHE: HeaderName = HeaderName::from_static("swarm-cache");
/// No parities are added.
const PLAIN: HeaderValue = HeaderValue::from_static("0");

/// What an upload is paid with, and counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Postage {
    /// The batch whose slots are used.
    pub batch: BatchId,
    /// With a tag the node keeps the chunk and pushes it in its own time; without, it answers when somebody in the
    /// network took it. Development nodes need one.
    pub tag: Option<UploadTag>,
}

/// Whether the node shall keep what it fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// For reading.
    Keep,
    /// For verifying: a copy that our own question left behind proves nothing.
    Bypass,
}

#[derive(Deserialize)]
struct Reference {
    reference: String,
}

#[derive(Deserialize)]
struct Retrievable {
    #[serde(rename = "isRetrievable")]
    is_retrievable: bool,
}

impl Bee {
    /// `POST /chunks`. The reference in the reply is compared with the chunk's address.
    ///
    /// # Errors
    /// As [`Store::put`](crate::store::Store::put); a full bucket is [`Rejection::BucketFull`].
    pub async fn put(&self, chunk: &SealedChunk, postage: &Postage) -> Result<Receipt, StoreError> {
        if chunk.is_single_owner() && chunk.bytes().len() <= CONTENT_LEN_MAX {
            // A node would take these bytes for a content-addressed chunk, and store it under another address.
            return Err(StoreError::Rejected(Rejection::Size));
        }
        let batch = HeaderValue::try_from(postage.batch.to_string())
            .map_err(|_| garbled("a batch without a name"))?;
        let mut headers = vec![
            (BATCH, batch),
            (DEFERRED, flag(postage.tag.is_some())),
            (REDUNDANCY, PLAIN),
            (ENCRYPT, flag(false)),
            (PIN, flag(false)),
        ];
        headers.extend(postage.tag.map(|tag| (TAG, HeaderValue::from(tag.0))));
        let ask = Ask {
            method: Method::POST,
            headers,
            body: Some(Bytes::from_owner(chunk.shared_bytes())),
            ..Ask::get(&["chunks"], self.deadlines().write, BEE_JSON_MAX)
        };
        let reply = self.http.send(ask).await?;
        if !matches!(reply.status, 200 | 201) {
            return Err(put_refusal(&reply, chunk.address()));
        }
        let Reference { reference } = reply.json()?;
        if reference.parse() == Ok(chunk.address()) {
            Ok(Receipt::OnNode)
        } else {
            Err(garbled("the reference of another chunk"))
        }
    }

    /// `GET /chunks/{address}`, compared with its address.
    ///
    /// # Errors
    /// As [`Store::get`](crate::store::Store::get).
    pub async fn get(&self, address: Address, cache: Cache) -> Result<SealedChunk, StoreError> {
        let deadline = match cache {
            Cache::Keep => self.deadlines().read,
            Cache::Bypass => self.deadlines().verify,
        };
        let keep = matches!(cache, Cache::Keep);
        let text = address.to_string();
        let ask = Ask {
            headers: vec![(CACHE, flag(keep))],
            ..Ask::get(&["chunks", &text], deadline, CHUNK_LEN_MAX)
        };
        let reply = self.http.send(ask).await?;
        match reply.status {
            200 => accepted(&address, &reply.body),
            // A node says 500 for chunks that are not to be had, a gateway for anything; 404 may be a gateway's page.
            404 | 500 => Err(StoreError::NotFound),
            _ => Err(refusal(&reply)),
        }
    }

    /// `HEAD /chunks/{address}`: a node looks into its own store only; a gateway asks the network.
    ///
    /// # Errors
    /// As [`Store::has`](crate::store::Store::has).
    pub async fn has(&self, address: Address) -> Result<bool, StoreError> {
        let text = address.to_string();
        let ask = Ask {
            method: Method::HEAD,
            ..Ask::get(&["chunks", &text], self.deadlines().ask, BEE_JSON_MAX)
        };
        let reply = self.http.send(ask).await?;
        match reply.status {
            200 => Ok(true),
            404 | 500 => Ok(false),
            _ => Err(refusal(&reply)),
        }
    }

    /// `GET /stewardship/{address}`: whether the network has the chunk, whatever the node itself holds. A development
    /// node says yes to everything; gateways do not offer it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: not known. [`Rejection::Unsupported`]: not offered.
    pub async fn is_retrievable(&self, address: Address) -> Result<bool, StoreError> {
        let text = address.to_string();
        let ask = Ask {
            headers: vec![(REDUNDANCY, PLAIN)],
            ..Ask::get(
                &["stewardship", &text],
                self.deadlines().verify,
                BEE_JSON_MAX,
            )
        };
        let reply = self.http.send(ask).await?;
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        let Retrievable { is_retrievable } = reply.json()?;
        Ok(is_retrievable)
    }
}

fn put_refusal(reply: &Reply, address: Address) -> StoreError {
    match reply.status {
        402 => StoreError::Rejected(Rejection::BucketFull(address)),
        404 => match message(reply) {
            said if said.contains("tag") => StoreError::Rejected(Rejection::TagUnknown),
            said if said.contains("batch") => StoreError::Rejected(Rejection::BatchUnknown),
            _ => refusal(reply),
        },
        _ => refusal(reply),
    }
}
