//! One file for each family of routes.

mod bytes;
mod chunks;
mod feeds;
mod information;
mod pins;
mod purchases;
mod soc;
mod stamps;
mod stewardship;
mod tags;
mod tree;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::routing::{any, get, patch, post};

use crate::node::Mode;
use crate::node::inner::Inner;
use crate::node::params::{TAG, header_number};
use crate::node::reply::{Refused, Reply, refuse, standard};

type Node = State<Arc<Inner>>;

pub fn router(inner: &Arc<Inner>) -> Router {
    let routes = if inner.options.mode == Mode::Gateway {
        gateway()
    } else {
        let all = business().merge(technical()).nest("/v1", business());
        all.fallback(async || standard(StatusCode::NOT_FOUND))
    };
    routes
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::clone(inner))
}

/// What stands under `/v1` too.
fn business() -> Router<Arc<Inner>> {
    Router::new()
        .route("/chunks", post(chunks::upload))
        .route("/chunks/{address}", get(chunks::download).head(chunks::has))
        .route("/bytes", post(bytes::upload))
        .route("/bytes/{address}", get(bytes::download).head(bytes::head))
        .route("/soc/{owner}/{id}", get(soc::download).post(soc::upload))
        .route("/feeds/{owner}/{topic}", get(feeds::look_up).post(absent))
        .route("/tags", get(tags::list).post(tags::create))
        .route(
            "/tags/{id}",
            get(tags::show).delete(tags::delete).patch(tags::done_split),
        )
        .route("/pins", get(pins::list))
        .route(
            "/pins/{reference}",
            get(pins::show).post(pins::pin).delete(pins::unpin),
        )
        .route(
            "/stewardship/{address}",
            get(stewardship::retrievable).put(stewardship::reupload),
        )
        .route("/envelope/{address}", post(stamps::envelope))
        .route("/stamps", get(stamps::list))
        .route("/stamps/{id}", get(stamps::show).patch(stamps::set_label))
        .route("/stamps/{id}/{rest}", any(purchases::two_words))
        .route("/stamps/topup/{id}/{amount}", patch(purchases::top_up))
        .route("/stamps/dilute/{id}/{depth}", patch(purchases::dilute))
        .route("/batches", get(stamps::all_batches))
        .route("/status", get(information::status))
        .route("/wallet", get(information::wallet))
        .route("/bzz", any(absent))
        .route("/bzz/{*path}", any(absent))
        .route("/grantee", any(absent))
        .route("/pss/{*path}", any(absent))
        .route("/gsoc/{*path}", any(absent))
        .route("/chunks/stream", any(absent))
}

fn technical() -> Router<Arc<Inner>> {
    Router::new()
        .route("/", any(async || "Ethereum Swarm Bee\n"))
        .route("/health", any(information::health))
        .route("/readiness", any(information::readiness))
        .route("/node", get(information::node))
        .route("/addresses", get(information::addresses))
        .route("/chainstate", get(information::chain_state))
}

/// What a proxy in front of a node lets through.
fn gateway() -> Router<Arc<Inner>> {
    Router::new()
        .route("/health", get(async || "OK"))
        .route("/readiness", get(information::readiness))
        .route("/gateway", get(information::gateway))
        .route("/chunks", post(chunks::upload))
        .route("/chunks/{address}", get(chunks::download))
        .route("/bytes", post(bytes::upload))
        .route("/bytes/{address}", get(bytes::download))
        .route("/soc/{owner}/{id}", post(soc::upload))
        .route("/feeds/{owner}/{topic}", get(feeds::look_up))
        .fallback(information::gateway_not_found)
}

/// What real nodes do and this one does not.
async fn absent() -> Reply {
    standard(StatusCode::NOT_IMPLEMENTED)
}

async fn wrong_method(method: Method) -> Reply {
    not_allowed(&method, None)
}

/// The refusal of a method, with the one that is allowed when the router does not know it. Who asks gets it without.
fn not_allowed(method: &Method, allowed: Option<&'static str>) -> Reply {
    let mut reply = standard(StatusCode::METHOD_NOT_ALLOWED);
    *reply.body_mut() = "{\"message\":\"Method Not Allowed\",\"code\":405}\n".into();
    if method == Method::OPTIONS {
        *reply.status_mut() = StatusCode::NO_CONTENT;
        *reply.body_mut() = Body::empty();
        reply.headers_mut().remove(CONTENT_TYPE);
    }
    if let Some(allowed) = allowed {
        let allowed = HeaderValue::from_static(allowed);
        reply.headers_mut().insert(ALLOW, allowed);
    }
    reply
}

/// The tag that a request counts into; nothing when it names none.
fn named_tag(inner: &Inner, headers: &HeaderMap) -> Result<Option<u64>, Refused> {
    let Some(uid) = header_number(headers, TAG)?.filter(|uid| *uid > 0) else {
        return Ok(None);
    };
    if inner.options.mode == Mode::Gateway {
        return Ok(None);
    }
    if inner.state().tags.get(uid).is_none() {
        return Err(refuse(StatusCode::NOT_FOUND, "tag not found"));
    }
    Ok(Some(uid))
}

/// Hexadecimal digits in lower case, without `0x`.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}
