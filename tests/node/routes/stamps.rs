//! `/stamps`, `/batches` and `/envelope`, as far as they cost nothing.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use serde::Serialize;

use crate::node::Mode;
use crate::node::Version;
use crate::node::chain::{Batch, BatchId};
use crate::node::hash::sign;
use crate::node::inner::Inner;
use crate::node::issuer::{Issuer, stamp_digest};
use crate::node::params::{BATCH, Place, address, batch_in_path, header_hex, missing};
use crate::node::reply::{Answer, Refused, Reply, json, ok, refuse, standard};
use crate::node::routes::{Node, hexadecimal, not_allowed};

#[derive(Serialize)]
struct Stamp {
    #[serde(rename = "batchID")]
    batch_id: String,
    utilization: u32,
    #[serde(rename = "utilizationRatio", skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    usable: bool,
    label: String,
    depth: u8,
    amount: String,
    #[serde(rename = "bucketDepth")]
    bucket_depth: u8,
    #[serde(rename = "blockNumber")]
    block_number: u64,
    #[serde(rename = "immutableFlag")]
    immutable: bool,
    exists: bool,
    #[serde(rename = "batchTTL")]
    ttl: i64,
}

#[derive(Serialize)]
struct Stamps {
    stamps: Vec<Stamp>,
}

/// What a batch still is worth and whether it can be used; nothing when it has ended.
fn standing(inner: &Inner, issuer: &Issuer) -> Option<(bool, i64)> {
    if inner.options.mode == Mode::Dev {
        // It reckons with a price of 1, a total of 1 and blocks of two seconds, in 64 bits.
        let value = issuer.amount << issuer.depth;
        return Some((true, value.wrapping_sub(1).wrapping_mul(2) as i64));
    }
    let world = inner.network.world();
    let batch = world.chain.batch(&issuer.id)?;
    Some((world.chain.usable(batch), world.chain.ttl(batch)))
}

fn shown(inner: &Inner, issuer: &Issuer) -> Option<Stamp> {
    let (usable, ttl) = standing(inner, issuer)?;
    let newer = inner.options.version == Version::V2_8_1 && inner.options.mode != Mode::Dev;
    let ratio = f64::from(issuer.fullest()) / f64::from(issuer.bound());
    Some(Stamp {
        batch_id: hexadecimal(&issuer.id),
        utilization: issuer.fullest(),
        ratio: newer.then_some(ratio),
        usable,
        label: issuer.label.clone(),
        depth: issuer.depth,
        amount: issuer.amount.to_string(),
        bucket_depth: issuer.bucket_depth,
        block_number: issuer.block,
        immutable: issuer.immutable,
        exists: true,
        ttl,
    })
}

pub async fn list(State(inner): Node) -> Answer {
    let unlisted = {
        let left = &mut inner.faults.switches().unlisted;
        std::mem::replace(left, left.saturating_sub(1)) > 0
    };
    let state = inner.state();
    let stamps = state.issuers.values().filter(|_| !unlisted);
    Ok(ok(&Stamps {
        stamps: stamps.filter_map(|issuer| shown(&inner, issuer)).collect(),
    }))
}

fn absent() -> Refused {
    refuse(StatusCode::NOT_FOUND, "issuer does not exist")
}

pub async fn show(State(inner): Node, Path(id): Path<String>) -> Answer {
    let id = batch_in_path(&id)?;
    let state = inner.state();
    let issuer = state.issuers.get(&id).ok_or_else(absent)?;
    let stamp = shown(&inner, issuer).ok_or_else(absent)?;
    if !stamp.usable {
        return Err(refuse(StatusCode::BAD_REQUEST, "batch not usable"));
    }
    Ok(ok(&stamp))
}

#[derive(Serialize)]
struct Buckets {
    depth: u8,
    #[serde(rename = "bucketDepth")]
    bucket_depth: u8,
    #[serde(rename = "bucketUpperBound")]
    bound: u32,
    buckets: Vec<Bucket>,
}

#[derive(Serialize)]
struct Bucket {
    #[serde(rename = "bucketID")]
    id: usize,
    collisions: u32,
}

pub fn buckets(inner: &Inner, id: &str) -> Answer {
    let id = batch_in_path(id)?;
    let state = inner.state();
    let issuer = state.issuers.get(&id).ok_or_else(absent)?;
    let (usable, _) = standing(inner, issuer).ok_or_else(absent)?;
    if !usable {
        return Err(refuse(StatusCode::BAD_REQUEST, "batch not usable"));
    }
    let filled = &inner.faults.switches().full;
    let counts = issuer.buckets().iter().enumerate();
    let buckets = counts.map(|(bucket, count)| {
        let full = filled.contains(&(id, bucket as u32));
        Bucket {
            id: bucket,
            collisions: if full { issuer.bound() } else { *count },
        }
    });
    Ok(ok(&Buckets {
        depth: issuer.depth,
        bucket_depth: issuer.bucket_depth,
        bound: issuer.bound(),
        buckets: buckets.collect(),
    }))
}

/// Gives a batch another label; nodes before 2.8.1 cannot.
pub async fn set_label(State(inner): Node, Path(id): Path<String>, body: Bytes) -> Answer {
    if inner.options.version == Version::V2_8_0 || inner.options.mode == Mode::Dev {
        return Ok(not_allowed(&Method::PATCH, Some("GET")));
    }
    let id = batch_in_path(&id)?;
    let value: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let label = value.get("label").and_then(serde_json::Value::as_str);
    let label = label.filter(|label| !label.is_empty());
    let label = label.ok_or_else(|| refuse(StatusCode::BAD_REQUEST, "label is required"))?;
    let batch = inner.network.batch(&id).ok_or_else(absent)?;
    let mut state = inner.state();
    if !state.issuers.contains_key(&id) {
        return Err(absent());
    }
    let funds = state.funds;
    state.take_batch(&batch, label, funds);
    Ok(standard(StatusCode::OK))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OnChain {
    #[serde(rename = "batchID")]
    batch_id: String,
    value: String,
    start: u64,
    owner: String,
    depth: u8,
    bucket_depth: u8,
    immutable: bool,
    #[serde(rename = "batchTTL")]
    batch_ttl: i64,
}

#[derive(Serialize)]
struct Batches {
    batches: Vec<OnChain>,
}

pub async fn all_batches(State(inner): Node) -> Answer {
    if inner.options.mode == Mode::Dev {
        return Ok(dev_batches(&inner));
    }
    let world = inner.network.world();
    let shown = |batch: &Batch| OnChain {
        batch_id: hexadecimal(&batch.id),
        value: batch.value.to_string(),
        start: batch.start,
        owner: hexadecimal(&batch.owner),
        depth: batch.depth,
        bucket_depth: batch.bucket_depth,
        immutable: batch.immutable,
        batch_ttl: world.chain.ttl(batch),
    };
    Ok(ok(&Batches {
        batches: world.chain.batches().map(shown).collect(),
    }))
}

/// A development node's chain is what it has bought.
fn dev_batches(inner: &Inner) -> Reply {
    let state = inner.state();
    let shown = |issuer: &Issuer| OnChain {
        batch_id: hexadecimal(&issuer.id),
        value: (issuer.amount << issuer.depth).to_string(),
        start: 0,
        owner: hexadecimal(&inner.owner()),
        depth: issuer.depth,
        bucket_depth: issuer.bucket_depth,
        immutable: issuer.immutable,
        batch_ttl: standing(inner, issuer).map_or(-1, |(_, ttl)| ttl),
    };
    ok(&Batches {
        batches: state.issuers.values().map(shown).collect(),
    })
}

#[derive(Serialize)]
struct Envelope {
    issuer: String,
    index: String,
    timestamp: String,
    signature: String,
}

/// Stamps an address without seeing what stands there.
pub async fn envelope(State(inner): Node, Path(text): Path<String>, headers: HeaderMap) -> Answer {
    let batch = header_hex(&headers, BATCH)?;
    if batch.is_empty() {
        return Err(missing(Place::Header, BATCH));
    }
    let wanted = address("address", &text)?;
    let failed = || refuse(StatusCode::INTERNAL_SERVER_ERROR, "stamping failed");
    let wanted = wanted.ok_or_else(failed)?;
    let id: BatchId = inner.stamping_batch(&batch)?;
    let now = inner.network.clock().now();
    let slot = {
        let mut state = inner.state();
        let issuer = state.issuers.get_mut(&id).ok_or_else(failed)?;
        issuer.stamp_address(&wanted, &wanted, now)
    };
    let full = |_| refuse(StatusCode::PAYMENT_REQUIRED, "batch is overissued");
    let slot = slot.map_err(full)?;
    let signature = sign(&inner.key, &stamp_digest(&wanted, &slot));
    let envelope = Envelope {
        issuer: format!("0x{}", hexadecimal(&inner.owner())),
        index: format!("{:08x}{:08x}", slot.bucket, slot.index),
        timestamp: format!("{:016x}", slot.timestamp),
        signature: hexadecimal(&signature),
    };
    Ok(json(StatusCode::CREATED, &envelope))
}
