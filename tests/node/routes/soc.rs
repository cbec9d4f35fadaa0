//! `/soc`.

use axum::body::{Body, to_bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::node::hash::{Chunk, PAYLOAD_MAX, SPAN, Soc, keccak, recover, soc_address};
use crate::node::inner::Inner;
use crate::node::misdeeds::forgets;
use crate::node::params::{Place, header_flag, hex, missing, query};
use crate::node::reply::{Answer, Reply, created, refuse, say};
use crate::node::route::Route;
use crate::node::routes::bytes::serve_content;
use crate::node::routes::chunks::announced;
use crate::node::routes::{Node, hexadecimal};
use crate::node::upload::Session;

pub const SIGNATURE: HeaderName = HeaderName::from_static("swarm-soc-signature");

/// What a development node says.
const IN_DEV: (StatusCode, &str) = (
    StatusCode::NOT_IMPLEMENTED,
    "operation is not supported in dev mode",
);

pub async fn upload(
    State(inner): Node,
    Path((owner, id)): Path<(String, String)>,
    RawQuery(text): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    announced(&headers, SPAN + PAYLOAD_MAX)?;
    let owner = hex(Place::Path, "owner", &owner)?;
    let id = hex(Place::Path, "id", &id)?;
    let signature = query(text.as_deref(), "sig").filter(|text| !text.is_empty());
    let signature = signature.ok_or_else(|| missing(Place::Query, "sig"))?;
    let signature = hex(Place::Query, "sig", signature)?;
    let session = inner.any_session(&headers, None, Some(IN_DEV))?;
    let Ok(content) = to_bytes(body, SPAN + PAYLOAD_MAX).await else {
        return Ok(crate::node::reply::standard(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let reply = stored(&inner, &session, [&owner, &id, &signature], &content);
    inner.durable().wait().await;
    Ok(reply)
}

fn stored(inner: &Inner, session: &Session, parts: [&Vec<u8>; 3], content: &[u8]) -> Reply {
    let [owner, id, signature] = parts;
    if content.len() < SPAN {
        return say(StatusCode::BAD_REQUEST, "short chunk data");
    }
    if owner.len() != 20 || signature.len() != 65 {
        return say(StatusCode::UNAUTHORIZED, "invalid address");
    }
    let chunk = Chunk::single_owner([id, signature, content].concat());
    let wanted = soc_address(id, owner);
    let chunk = chunk.filter(|chunk| id.len() == 32 && chunk.address == wanted);
    let Some(chunk) = chunk else {
        return say(StatusCode::UNAUTHORIZED, "invalid chunk");
    };
    inner.counts.lock().put(chunk.address);
    let faults = inner.faults.of(Route::PostChunk, Some(chunk.address));
    match inner.put(session, &chunk, forgets(&faults)) {
        Ok(()) => created(chunk.address.to_string(), None),
        Err(_) => say(StatusCode::BAD_REQUEST, "chunk write error"),
    }
}

pub async fn download(
    State(inner): Node,
    Path((owner, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let owner = hex(Place::Path, "owner", &owner)?;
    let id = hex(Place::Path, "id", &id)?;
    let only_root = header_flag(&headers, "Swarm-Only-Root-Chunk")?.unwrap_or(false);
    let address = soc_address(&id, &owner);
    let not_found = || refuse(StatusCode::NOT_FOUND, "requested chunk cannot be retrieved");
    let bytes = inner.find(&address, true).ok_or_else(not_found)?.read();
    let no_owner = || {
        refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "chunk is not a single owner chunk",
        )
    };
    let soc = Soc::parse(&bytes).ok_or_else(no_owner)?;
    let content = Chunk::content(soc.content.to_vec()).ok_or_else(no_owner)?;
    recover(&keccak(&[soc.id, &content.address.0]), soc.signature).ok_or_else(no_owner)?;
    let signature = HeaderValue::from_str(&hexadecimal(soc.signature)).unwrap();
    let mut reply = serve_content(&inner, &headers, &content, only_root).await?;
    reply.headers_mut().insert(SIGNATURE, signature);
    let exposed = HeaderValue::from_static("Swarm-Soc-Signature");
    let name = HeaderName::from_static("access-control-expose-headers");
    reply.headers_mut().append(name, exposed);
    Ok(reply)
}
