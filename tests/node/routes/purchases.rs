//! Buying, topping up and diluting batches.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use serde::Serialize;

use crate::node::Mode;
use crate::node::chain::{Batch, BatchId, Chain, Order, Refusal};
use crate::node::hash::keccak;
use crate::node::inner::Inner;
use crate::node::params::{amount, batch_in_path, depth, header_flag, query};
use crate::node::reply::{Answer, Refused, Reply, json, refuse, standard};
use crate::node::routes::stamps::buckets;
use crate::node::routes::{Node, hexadecimal, not_allowed};

#[derive(Serialize)]
struct Bought {
    #[serde(rename = "batchID")]
    batch_id: String,
    #[serde(rename = "txHash")]
    transaction: String,
}

fn bought(status: StatusCode, id: &BatchId, dev: bool) -> Reply {
    let hash = if dev {
        [0; 32]
    } else {
        keccak(&[b"transaction", id])
    };
    let bought = Bought {
        batch_id: hexadecimal(id),
        transaction: format!("0x{}", hexadecimal(&hash)),
    };
    json(status, &bought)
}

/// Only one purchase at a time.
struct Purchase<'a>(&'a AtomicBool);

impl<'a> Purchase<'a> {
    fn begin(inner: &'a Inner) -> Result<Self, Refused> {
        if inner.buying.swap(true, Ordering::SeqCst) {
            let text = "simultaneous on-chain operations not supported";
            return Err(refuse(StatusCode::TOO_MANY_REQUESTS, text));
        }
        Ok(Self(&inner.buying))
    }
}

impl Drop for Purchase<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// `GET /stamps/{id}/buckets` or `POST /stamps/{amount}/{depth}`: the paths look alike.
pub async fn two_words(
    State(inner): Node,
    method: Method,
    Path((first, second)): Path<(String, String)>,
    RawQuery(text): RawQuery,
    headers: HeaderMap,
) -> Answer {
    match (method, second.as_str()) {
        (Method::GET, "buckets") => buckets(&inner, &first),
        (Method::POST, _) => {
            let label = query(text.as_deref(), "label").unwrap_or_default();
            let reply = buy(&inner, [&first, &second], &decoded(label), &headers)?;
            inner.durable().wait().await;
            Ok(reply)
        }
        (Method::PUT | Method::PATCH | Method::DELETE, "buckets") => {
            Ok(not_allowed(&Method::PUT, Some("GET")))
        }
        (method, _) => Ok(not_allowed(&method, Some("POST"))),
    }
}

/// A label as queries carry it.
fn decoded(label: &str) -> String {
    let spaced = label.replace('+', " ");
    let mut parts = spaced.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).map(|digits| u8::from_str_radix(digits, 16)) {
            Some(Ok(byte)) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[2..]);
            }
            _ => bytes.extend(part.as_bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn buy(inner: &Inner, words: [&str; 2], label: &str, headers: &HeaderMap) -> Answer {
    let _purchase = Purchase::begin(inner)?;
    let amount = amount(words[0])?;
    let depth = depth(words[1], 17)?;
    let immutable = header_flag(headers, "Immutable")?.unwrap_or(true);
    if inner.options.mode == Mode::Dev {
        let id = inner.buy_dev(amount, depth, immutable, label);
        return Ok(bought(StatusCode::CREATED, &id, true));
    }
    let order = Order {
        amount,
        depth,
        immutable,
    };
    let mut state = inner.state();
    let mut funds = state.funds;
    let batch = inner
        .network
        .world()
        .chain
        .buy(inner.owner(), &order, &mut funds);
    let no = |text| refuse(StatusCode::BAD_REQUEST, text);
    let batch = batch.map_err(|refusal| match refusal {
        Refusal::OutOfFunds => no("out of funds"),
        Refusal::InvalidDepth => no("invalid depth"),
        Refusal::InsufficientValidity => no("insufficient amount for 24h minimum validity"),
        Refusal::NoSuchBatch => refuse(StatusCode::INTERNAL_SERVER_ERROR, "cannot create batch"),
    })?;
    let recovers = inner.faults.switches().recovers;
    let label = if recovers { "recovered" } else { label };
    state.take_batch(&batch, label, funds);
    Ok(bought(StatusCode::CREATED, &batch.id, false))
}

pub async fn top_up(State(inner): Node, Path((id, more)): Path<(String, String)>) -> Answer {
    let reply = {
        let _purchase = Purchase::begin(&inner)?;
        let id = batch_in_path(&id)?;
        let more = amount(&more)?;
        changed(
            &inner,
            &id,
            |refusal| match refusal {
                Some(Refusal::OutOfFunds) => refuse(StatusCode::PAYMENT_REQUIRED, "out of funds"),
                _ => refuse(StatusCode::INTERNAL_SERVER_ERROR, "cannot topup batch"),
            },
            |chain, funds| chain.top_up(&id, more, funds),
        )?
    };
    inner.durable().wait().await;
    Ok(reply)
}

pub async fn dilute(State(inner): Node, Path((id, deeper)): Path<(String, String)>) -> Answer {
    let reply = {
        let _purchase = Purchase::begin(&inner)?;
        let id = batch_in_path(&id)?;
        let deeper = depth(&deeper, 0)?;
        changed(
            &inner,
            &id,
            |refusal| match refusal {
                Some(Refusal::InvalidDepth) => refuse(StatusCode::BAD_REQUEST, "invalid depth"),
                _ => refuse(StatusCode::INTERNAL_SERVER_ERROR, "cannot dilute batch"),
            },
            |chain, _| chain.dilute(&id, deeper),
        )?
    };
    inner.durable().wait().await;
    Ok(reply)
}

/// Changes a batch on the chain, and what this node knows of it when it is its own.
fn changed(
    inner: &Inner,
    id: &BatchId,
    refused: impl Fn(Option<Refusal>) -> Refused,
    change: impl FnOnce(&mut Chain, &mut u128) -> Result<Batch, Refusal>,
) -> Answer {
    if inner.options.mode == Mode::Dev {
        return Ok(standard(StatusCode::NOT_IMPLEMENTED));
    }
    let mut state = inner.state();
    let mut funds = state.funds;
    let batch = change(&mut inner.network.world().chain, &mut funds);
    let batch = batch.map_err(|refusal| refused(Some(refusal)))?;
    match state.issuers.get(id).map(|issuer| issuer.label.clone()) {
        Some(label) => state.take_batch(&batch, &label, funds),
        None => state.funds = funds,
    }
    Ok(bought(StatusCode::ACCEPTED, id, false))
}
