//! `/tags`.

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::node::clock::rfc3339;
use crate::node::params::{Place, number, query};
use crate::node::reply::{Answer, Refused, Reply, json, ok, refuse, say};
use crate::node::routes::Node;
use crate::node::tags::Tag;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    split: u64,
    seen: u64,
    stored: u64,
    sent: u64,
    synced: u64,
    uid: u64,
    address: String,
    started_at: String,
}

#[derive(Serialize)]
struct List {
    tags: Vec<Shown>,
}

fn shown(tag: &Tag) -> Shown {
    Shown {
        split: tag.split,
        seen: tag.seen,
        stored: tag.stored,
        sent: tag.sent,
        synced: tag.synced,
        uid: tag.uid,
        address: tag.address.map_or(String::new(), |a| a.to_string()),
        started_at: rfc3339(tag.started),
    }
}

fn not_cached(mut reply: Reply) -> Reply {
    let value = HeaderValue::from_static("no-cache, private, max-age=0");
    reply.headers_mut().insert(CACHE_CONTROL, value);
    reply
}

fn not_present() -> Refused {
    refuse(StatusCode::NOT_FOUND, "tag not present")
}

pub async fn create(State(inner): Node) -> Answer {
    let tag = {
        let mut state = inner.state();
        let tag = state.tags.create(inner.network.clock().now());
        if let Some(log) = &mut state.log {
            log.tag(tag.uid, tag.started, None);
        }
        tag
    };
    inner.durable().wait().await;
    Ok(not_cached(json(StatusCode::CREATED, &shown(&tag))))
}

pub async fn show(State(inner): Node, Path(id): Path<String>) -> Answer {
    let uid = number(Place::Path, "id", &id)?;
    let state = inner.state();
    let tag = state.tags.get(uid).ok_or_else(not_present)?;
    Ok(not_cached(ok(&shown(tag))))
}

pub async fn delete(State(inner): Node, Path(id): Path<String>) -> Answer {
    let uid = number(Place::Path, "id", &id)?;
    let mut state = inner.state();
    // Bee says so of tags that never were, too.
    if state.tags.remove(uid)
        && let Some(log) = &mut state.log
    {
        log.tag_gone(uid);
    }
    let mut reply = say(StatusCode::NO_CONTENT, "");
    *reply.body_mut() = Body::empty();
    Ok(reply)
}

/// Names what a tag was for.
pub async fn done_split(State(inner): Node, Path(id): Path<String>, body: Bytes) -> Answer {
    let uid = number(Place::Path, "id", &id)?;
    let mut address = None;
    if !body.is_empty() {
        let malformed = || {
            refuse(
                StatusCode::INTERNAL_SERVER_ERROR,
                "error unmarshaling metadata",
            )
        };
        let value: serde_json::Value = serde_json::from_slice(&body).map_err(|_| malformed())?;
        let text = value.get("address").and_then(serde_json::Value::as_str);
        let text = text.unwrap_or_default();
        if !text.is_empty() {
            address = Some(text.parse().map_err(|_| malformed())?);
        }
    }
    let mut state = inner.state();
    let tag = state.tags.get_mut(uid).ok_or_else(not_present)?;
    tag.address = address.or(tag.address);
    let (started, address) = (tag.started, tag.address);
    if let Some(log) = &mut state.log {
        log.tag(uid, started, address);
    }
    Ok(say(StatusCode::OK, "ok"))
}

pub async fn list(State(inner): Node, RawQuery(text): RawQuery) -> Answer {
    let read = |name: &str, default: usize| {
        let given = query(text.as_deref(), name);
        given.map_or(Ok(default), |given| number(Place::Query, name, given))
    };
    let offset = read("offset", 0)?;
    let limit = read("limit", 100)?.min(1000);
    let state = inner.state();
    let tags = state.tags.all().skip(offset).take(limit);
    Ok(ok(&List {
        tags: tags.map(shown).collect(),
    }))
}
