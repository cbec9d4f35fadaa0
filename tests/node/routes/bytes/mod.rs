//! `/bytes`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use podfs::types::Address;

use crate::node::Mode;
use crate::node::Version;
use crate::node::hash::{Chunk, PAYLOAD_MAX, SPAN, content_address, span_of};
use crate::node::inner::Inner;
use crate::node::params::{BATCH, Place, address, header_flag, header_hex, level, missing};
use crate::node::reply::{Answer, Refused, Reply, created, refuse, standard};
use crate::node::routes::tree::{Broken, Joiner, Splitter};
use crate::node::routes::{Node, named_tag};
use crate::node::upload::{NotPut, Session};

mod ranges;

pub async fn upload(State(inner): Node, headers: HeaderMap, body: Body) -> Answer {
    let batch = header_hex(&headers, BATCH)?;
    if batch.is_empty() && inner.options.mode != Mode::Gateway {
        return Err(missing(Place::Header, BATCH));
    }
    plain_only(&inner, &headers)?;
    let pin = header_flag(&headers, "Swarm-Pin")?.unwrap_or(false);
    let deferred = header_flag(&headers, "Swarm-Deferred-Upload")?.unwrap_or(true);
    let tag = if deferred || pin {
        Some(tag_of(&inner, &headers)?)
    } else {
        None
    };
    let session = inner.own_session(&batch, tag, None)?;
    let root = match split(&inner, &session, body).await {
        Ok(root) => root,
        Err(reply) => {
            inner.clean_up(&session);
            return Err(reply);
        }
    };
    {
        let mut state = inner.state();
        if pin {
            state.pins.insert(root);
        }
        if let Some(tag) = tag.and_then(|uid| state.tags.get_mut(uid)) {
            tag.address = Some(root);
        }
    }
    inner.durable().wait().await;
    Ok(created(root.to_string(), tag))
}

/// Only what podfs uses is done here; what would change references is refused.
fn plain_only(inner: &Inner, headers: &HeaderMap) -> Result<(), Refused> {
    let absent = || Err(standard(StatusCode::NOT_IMPLEMENTED).into());
    let encrypt = header_flag(headers, "Swarm-Encrypt")?.unwrap_or(false);
    let act = header_flag(headers, "Swarm-Act")?.unwrap_or(false);
    if encrypt || act {
        return absent();
    }
    let default = inner.options.version == Version::V2_8_0 || inner.options.mode == Mode::Dev;
    match level(headers)? {
        Some(0) => Ok(()),
        None if default => Ok(()),
        None => {
            let text = "Swarm-Redundancy-Level is missing: nodes from 2.8.1 on would add parities";
            Err(refuse(StatusCode::BAD_REQUEST, text))
        }
        Some(_) => absent(),
    }
}

/// The tag that is named, or a new one.
fn tag_of(inner: &Inner, headers: &HeaderMap) -> Result<u64, Refused> {
    if let Some(uid) = named_tag(inner, headers)? {
        return Ok(uid);
    }
    let mut state = inner.state();
    let tag = state.tags.create(inner.network.clock().now());
    if let Some(log) = &mut state.log {
        log.tag(tag.uid, tag.started, None);
    }
    Ok(tag.uid)
}

async fn split(inner: &Inner, session: &Session, mut body: Body) -> Result<Address, Refused> {
    let put = |chunk: Chunk| {
        inner.counts.lock().put(chunk.address);
        inner.put(session, &chunk, false)
    };
    let mut splitter = Splitter::new(put);
    while let Some(frame) = body.frame().await {
        let failed = |_| refuse(StatusCode::INTERNAL_SERVER_ERROR, "split write all failed");
        if let Ok(data) = frame.map_err(failed)?.into_data() {
            splitter.add(&data).map_err(|why| not_put(&why))?;
        }
    }
    splitter.finish().map_err(|why| not_put(&why))
}

fn not_put(why: &NotPut) -> Refused {
    match why {
        NotPut::BucketFull => refuse(StatusCode::PAYMENT_REQUIRED, "batch is overissued"),
        NotPut::Push => refuse(StatusCode::INTERNAL_SERVER_ERROR, "done split failed"),
        _ => refuse(StatusCode::INTERNAL_SERVER_ERROR, "split write all failed"),
    }
}

pub async fn download(State(inner): Node, Path(text): Path<String>, headers: HeaderMap) -> Answer {
    level(&headers)?;
    let cache = header_flag(&headers, "Swarm-Cache")?.unwrap_or(true);
    let wanted = address("address", &text)?;
    let found = wanted.and_then(|address| Some((address, inner.find(&address, cache)?)));
    let Some((address, held)) = found else {
        return Ok(standard(StatusCode::NOT_FOUND));
    };
    let bytes = held.read();
    if content_address(&bytes) != Some(address) {
        return Err(refuse(StatusCode::INTERNAL_SERVER_ERROR, "joiner failed"));
    }
    let root = Chunk {
        address,
        bytes: bytes.into(),
        identity: address,
    };
    serve_content(&inner, &headers, &root, false).await
}

/// The length, from the root alone.
pub async fn head(State(inner): Node, Path(text): Path<String>) -> Answer {
    let found = address("address", &text)?.and_then(|address| inner.find(&address, true));
    let Some(held) = found else {
        return Ok(with_status(StatusCode::NOT_FOUND));
    };
    let mut reply = with_status(StatusCode::OK);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, octets());
    let exposed = HeaderValue::from_static("Accept-Ranges, Content-Encoding");
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(span_of(&held.read())));
    Ok(reply)
}

fn with_status(status: StatusCode) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = status;
    reply
}

fn octets() -> HeaderValue {
    HeaderValue::from_static("application/octet-stream")
}

/// The file below a root, or its root chunk alone.
pub async fn serve_content(
    inner: &Arc<Inner>,
    headers: &HeaderMap,
    root: &Chunk,
    only_root: bool,
) -> Answer {
    if only_root {
        let mut reply = Reply::new(Body::from(root.bytes.to_vec()));
        reply.headers_mut().insert(CONTENT_TYPE, octets());
        return Ok(reply);
    }
    let node = Arc::clone(inner);
    let find = move |address: &Address| node.find(address, true);
    let mut joiner = Joiner::new(root.bytes.to_vec(), find);
    // A root that is no root is refused; what is wrong further down shows up as a body that ends early.
    let single = joiner.len() <= PAYLOAD_MAX as u64;
    if single && joiner.len() != (root.bytes.len() - SPAN) as u64 {
        return Err(refuse(StatusCode::INTERNAL_SERVER_ERROR, "joiner failed"));
    }
    if !single && joiner.leaf(0) == Err(Broken::Malformed) {
        return Err(refuse(StatusCode::INTERNAL_SERVER_ERROR, "joiner failed"));
    }
    let modified = inner.network.clock().now();
    Ok(ranges::serve(joiner, headers, &root.address, modified))
}
