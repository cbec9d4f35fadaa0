//! `/chunks`.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};

use crate::node::hash::{CHUNK_MAX, Chunk, SPAN};
use crate::node::inner::Inner;
use crate::node::misdeeds::{after, before, forgets};
use crate::node::params::{address, header_flag};
use crate::node::reply::{Answer, Refused, Reply, created, refuse, say, standard};
use crate::node::route::Route;
use crate::node::routes::{Node, named_tag};
use crate::node::upload::{NotPut, Session};

pub async fn upload(State(inner): Node, headers: HeaderMap, body: Body) -> Answer {
    let session = announced(&headers, CHUNK_MAX).and_then(|()| {
        let tag = named_tag(&inner, &headers)?;
        inner.any_session(&headers, tag, None)
    });
    // The body is read in any case, so that the connection can be used again.
    let body = to_bytes(body, CHUNK_MAX).await;
    let session = match session {
        Ok(session) => session,
        Err(refused) => return Ok(befallen(&inner, refused).await),
    };
    let reply = stored(&inner, &session, body.ok()).await;
    if reply.status().is_client_error() || reply.status().is_server_error() {
        inner.clean_up(&session);
    }
    Ok(reply)
}

/// A refusal, unless a fault says something else.
async fn befallen(inner: &Inner, refused: Refused) -> Reply {
    use axum::response::IntoResponse;
    let faults = inner.faults.of(Route::PostChunk, None);
    match before(&faults).await {
        Some(reply) => reply,
        None => after(&faults, &inner.faults, refused.into_response()).await,
    }
}

async fn stored(inner: &Inner, session: &Session, body: Option<Bytes>) -> Reply {
    let Some(body) = body else {
        return standard(StatusCode::PAYLOAD_TOO_LARGE);
    };
    if body.len() < SPAN {
        return say(StatusCode::BAD_REQUEST, "insufficient data length");
    }
    let Some(chunk) = Chunk::of_body(&body) else {
        return say(StatusCode::INTERNAL_SERVER_ERROR, "create chunk error");
    };
    inner.counts.lock().put(chunk.address);
    let faults = inner.faults.of(Route::PostChunk, Some(chunk.address));
    if let Some(reply) = before(&faults).await {
        return reply;
    }
    let reply = match inner.put(session, &chunk, forgets(&faults)) {
        Ok(()) => created(chunk.address.to_string(), session.tag),
        Err(why) => not_put(&why),
    };
    inner.durable().wait().await;
    let reply = after(&faults, &inner.faults, reply).await;
    if reply.status() == StatusCode::CREATED {
        inner.counts.lock().taken(chunk.address);
    }
    reply
}

fn not_put(why: &NotPut) -> Reply {
    match why {
        NotPut::BucketFull => say(StatusCode::PAYMENT_REQUIRED, "batch is overissued"),
        NotPut::Foreign => say(StatusCode::BAD_REQUEST, "stamp signature is invalid"),
        NotPut::Unsigned => say(StatusCode::INTERNAL_SERVER_ERROR, "chunk write error"),
        NotPut::Push => say(StatusCode::INTERNAL_SERVER_ERROR, "done split failed"),
    }
}

/// Refuses a body that says itself that it is too long.
pub fn announced(headers: &HeaderMap, most: usize) -> Result<(), Refused> {
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > most) {
        return Err(standard(StatusCode::PAYLOAD_TOO_LARGE).into());
    }
    Ok(())
}

pub async fn download(State(inner): Node, Path(text): Path<String>, headers: HeaderMap) -> Answer {
    let cache = header_flag(&headers, "Swarm-Cache")?.unwrap_or(true);
    let wanted = address("address", &text)?;
    let found = wanted.and_then(|address| inner.find(&address, cache));
    let Some(held) = found else {
        return Err(refuse(StatusCode::NOT_FOUND, "chunk not found"));
    };
    let mut reply = Reply::new(Body::from(held.read()));
    let kind = HeaderValue::from_static("binary/octet-stream");
    reply.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(reply)
}

/// Whether the node itself has it; the network is not asked.
pub async fn has(State(inner): Node, Path(text): Path<String>) -> Answer {
    let wanted = address("address", &text)?;
    let has = wanted.is_some_and(|address| inner.local(&address).is_some());
    Ok(standard(if has {
        StatusCode::OK
    } else {
        StatusCode::NOT_FOUND
    }))
}
