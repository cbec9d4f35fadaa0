use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderName;
use serde::{Deserialize, Deserializer};
use tokio::time::Instant;

use crate::store::bee::http::{Ask, Reply, flag, garbled};
use crate::store::bee::refusal::{message, refusal};
use crate::store::bee::{Bee, Plur};
use crate::store::retry::backoff;
use crate::store::{Outage, Rejection, StoreError};
use crate::types::limits::{BATCH_DEPTH_MAX, BATCH_POLL, BEE_JSON_MAX, BEE_LIST_MAX};
use crate::types::{Address, AddressError};

const IMMUTABLE: HeaderName = HeaderName::from_static("immutable");
/// What a node calls a batch that it found on the chain: one whose purchase it did not see to the end.
const RECOVERED: &str = "recovered";

/// The name of a postage batch, as the chain has it. Not a secret: every stamp shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub [u8; 32]);

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Address(self.0).fmt(f)
    }
}

impl FromStr for BatchId {
    type Err = AddressError;

    /// 64 hexadecimal digits, with or without `0x` in front.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        digits.parse().map(|Address(bytes)| Self(bytes))
    }
}

impl<'de> Deserialize<'de> for BatchId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A batch that the node owns.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// Its name.
    #[serde(rename = "batchID")]
    pub id: BatchId,
    /// It holds 2^depth chunks, in 2^`bucket_depth` buckets.
    pub depth: u8,
    /// 16, but on development nodes.
    pub bucket_depth: u8,
    /// What was paid for each slot.
    #[serde(default)]
    pub amount: Plur,
    /// Chunks in its fullest bucket.
    #[serde(default)]
    pub utilization: u64,
    /// False for the first ten blocks, and after it expired.
    pub usable: bool,
    /// What its buyer called it.
    #[serde(default)]
    pub label: String,
    /// Of a batch that is not immutable, new chunks overwrite the oldest silently: never used for a pod.
    #[serde(rename = "immutableFlag")]
    pub immutable: bool,
    /// How long it lasts at today's price; nothing when the node does not know.
    #[serde(rename = "batchTTL", default, deserialize_with = "time_left")]
    pub time_left: Option<Duration>,
}

impl Batch {
    /// Slots of one bucket.
    pub const fn bucket_slots(&self) -> u64 {
        1 << self.depth.saturating_sub(self.bucket_depth)
    }

    /// Whether its time is over.
    pub fn is_expired(&self) -> bool {
        self.time_left == Some(Duration::ZERO)
    }
}

fn time_left<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let seconds = i64::deserialize(deserializer)?;
    Ok(u64::try_from(seconds).ok().map(Duration::from_secs))
}

/// How full each bucket of a batch is. A chunk belongs to the bucket that the first bits of its address name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Slots of each bucket.
    pub slots: u32,
    /// Used slots of each.
    pub used: Vec<u32>,
}

#[derive(Deserialize)]
struct Stamps {
    stamps: Vec<Batch>,
}

#[derive(Deserialize)]
struct Bought {
    #[serde(rename = "batchID")]
    id: BatchId,
}

#[derive(Deserialize)]
struct Buckets {
    #[serde(rename = "bucketUpperBound")]
    slots: u32,
    buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    #[serde(rename = "bucketID")]
    id: usize,
    collisions: u32,
}

impl Bee {
    /// `GET /stamps`: the node's batches.
    ///
    /// # Errors
    /// Refused by gateways and nodes without the blockchain.
    pub async fn batches(&self) -> Result<Vec<Batch>, StoreError> {
        let ask = Ask::get(&["stamps"], self.deadlines().ask, BEE_LIST_MAX);
        let reply = self.http.send(ask).await?;
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        let Stamps { stamps } = reply.json()?;
        sane(stamps)
    }

    /// `GET /stamps/{id}`.
    ///
    /// # Errors
    /// [`Rejection::BatchUnusable`] for one that is too young; [`Rejection::BatchUnknown`] for one that is not the
    /// node's, or expired long ago.
    pub async fn batch(&self, id: BatchId) -> Result<Batch, StoreError> {
        let text = id.to_string();
        let ask = Ask::get(&["stamps", &text], self.deadlines().ask, BEE_JSON_MAX);
        let reply = self.http.send(ask).await?;
        if reply.status != 200 {
            return Err(batch_refusal(&reply));
        }
        let mut one = sane(vec![reply.json()?])?;
        one.pop().ok_or_else(|| garbled("no batch"))
    }

    /// `GET /stamps/{id}/buckets`. Two megabytes: not for every minute.
    ///
    /// # Errors
    /// As [`Bee::batch`].
    pub async fn fill(&self, id: BatchId) -> Result<Fill, StoreError> {
        let text = id.to_string();
        let ask = Ask::get(
            &["stamps", &text, "buckets"],
            self.deadlines().ask,
            BEE_LIST_MAX,
        );
        let reply = self.http.send(ask).await?;
        if reply.status != 200 {
            return Err(batch_refusal(&reply));
        }
        let Buckets { slots, buckets } = reply.json()?;
        let mut used = vec![0; buckets.len()];
        for bucket in buckets {
            *used
                .get_mut(bucket.id)
                .ok_or_else(|| garbled("a bucket that is none"))? = bucket.collisions;
        }
        Ok(Fill { slots, used })
    }

    /// Buys an immutable batch of 2^`depth` slots at `amount` each, called `label`; returns when it is mined, half a
    /// minute before it becomes usable. One with this label that is there already is returned instead. When the answer
    /// is lost, the purchase is looked for in the list of batches, where it appears once it is mined: under its label,
    /// or as one that was not there before and that the node found on the chain.
    ///
    /// # Errors
    /// [`Rejection::OutOfFunds`]; [`Outage::Unsettled`]: not known whether it was bought, and not found in the list for
    /// [`BEE_SETTLE`](crate::types::limits::BEE_SETTLE); any other [`StoreError::Unavailable`]: not bought, ask again.
    pub async fn buy(&self, amount: Plur, depth: u8, label: &str) -> Result<BatchId, StoreError> {
        let before = self.batches().await?;
        let ours = |batch: &&Batch| {
            let as_ordered = batch.depth == depth && batch.immutable && !batch.is_expired();
            let new = before.iter().all(|known| known.id != batch.id);
            let found = new && batch.label == RECOVERED && batch.amount == amount;
            as_ordered && (batch.label == label || found)
        };
        if let Some(batch) = before.iter().find(ours) {
            return Ok(batch.id);
        }
        match self.order(amount, depth, label).await {
            Err(error) if is_unsettled(&error) => {}
            settled => return settled,
        }
        let until = Instant::now() + self.deadlines().settle;
        let mut attempt = 0;
        loop {
            // That the list is not to be had just now says nothing of the purchase.
            let batches = self.batches().await.unwrap_or_default();
            if let Some(batch) = batches.iter().find(ours) {
                return Ok(batch.id);
            }
            if Instant::now() >= until {
                return Err(StoreError::unavailable(Outage::Unsettled));
            }
            tokio::time::sleep(backoff(attempt, 0).min(BATCH_POLL)).await;
            attempt = attempt.saturating_add(1);
        }
    }

    async fn order(&self, amount: Plur, depth: u8, label: &str) -> Result<BatchId, StoreError> {
        let (amount, depth) = (amount.0.to_string(), depth.to_string());
        let ask = Ask {
            method: Method::POST,
            query: Some(("label", label)),
            headers: vec![(IMMUTABLE, flag(true))],
            repeatable: false,
            ..Ask::get(
                &["stamps", &amount, &depth],
                self.deadlines().chain,
                BEE_JSON_MAX,
            )
        };
        let reply = self.http.send(ask).await?;
        match reply.status {
            200..=202 => reply.json().map(|Bought { id }| id),
            _ => Err(purchase_refusal(&reply)),
        }
    }

    /// Adds `amount` to every slot of a batch: it lasts longer. Not repeated, and not to be without looking first.
    ///
    /// # Errors
    /// [`Rejection::OutOfFunds`]; [`Rejection::Unsupported`] from development nodes; [`Outage::Unsettled`].
    pub async fn top_up(&self, id: BatchId, amount: Plur) -> Result<(), StoreError> {
        let amount = amount.0.to_string();
        self.change("topup", id, &amount).await
    }

    /// Makes a batch deeper: twice the room and half the time for each step.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] for a depth that is not larger; [`Rejection::Unsupported`] from development nodes;
    /// [`Outage::Unsettled`].
    pub async fn dilute(&self, id: BatchId, depth: u8) -> Result<(), StoreError> {
        let depth = depth.to_string();
        self.change("dilute", id, &depth).await
    }

    async fn change(&self, what: &str, id: BatchId, value: &str) -> Result<(), StoreError> {
        let id = id.to_string();
        let ask = Ask {
            method: Method::PATCH,
            repeatable: false,
            ..Ask::get(
                &["stamps", what, &id, value],
                self.deadlines().chain,
                BEE_JSON_MAX,
            )
        };
        let outcome = match self.http.send(ask).await {
            Ok(reply) if matches!(reply.status, 200..=202) => Ok(()),
            Ok(reply) => Err(purchase_refusal(&reply)),
            Err(lost) => Err(lost),
        };
        match outcome {
            Err(error) if is_unsettled(&error) => Err(StoreError::unavailable(Outage::Unsettled)),
            settled => settled,
        }
    }
}

/// Whether the node may have paid all the same: it sends a transaction, waits until that is mined, and only then answers.
fn is_unsettled(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable { why, .. } => {
            !matches!(why, Outage::Unreachable(_) | Outage::Busy(_))
        }
        StoreError::NotFound | StoreError::Rejected(_) | StoreError::Corrupt => false,
    }
}

/// Depths that shift a number out of itself come from no node.
fn sane(batches: Vec<Batch>) -> Result<Vec<Batch>, StoreError> {
    let strange = |batch: &Batch| batch.depth.max(batch.bucket_depth) > BATCH_DEPTH_MAX;
    if batches.iter().any(strange) {
        return Err(garbled("a batch of impossible depth"));
    }
    Ok(batches)
}

fn batch_refusal(reply: &Reply) -> StoreError {
    match reply.status {
        400 if message(reply).contains("not usable") => {
            StoreError::Rejected(Rejection::BatchUnusable)
        }
        404 => StoreError::Rejected(Rejection::BatchUnknown),
        _ => refusal(reply),
    }
}

fn purchase_refusal(reply: &Reply) -> StoreError {
    match reply.status {
        400 | 402 if message(reply).contains("out of funds") => {
            StoreError::Rejected(Rejection::OutOfFunds)
        }
        404 if message(reply).contains("batch") => StoreError::Rejected(Rejection::BatchUnknown),
        _ => refusal(reply),
    }
}
