//! Carries out faults around the work that a request asks for.

use std::io;
use std::pin::pin;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use futures_util::stream;
use http_body_util::BodyExt;

use crate::node::faults::{Fault, Faults};
use crate::node::reply::{Reply, say};

/// Put into a reply that is never sent: the connection is closed instead.
#[derive(Clone)]
pub struct Hangup;

/// What happens instead of the work, if anything.
pub async fn before(faults: &[Fault]) -> Option<Reply> {
    for fault in faults {
        match fault {
            Fault::Delay(delay) => tokio::time::sleep(*delay).await,
            Fault::Hang => std::future::pending::<()>().await,
            Fault::Close => return Some(hangup()),
            Fault::Say(status, message) => {
                return Some(say(StatusCode::from_u16(*status).unwrap(), message));
            }
            Fault::Page(status, retry_after) => return Some(page(*status, *retry_after)),
            _ => {}
        }
    }
    None
}

/// Whether the chunk shall not be stored.
pub fn forgets(faults: &[Fault]) -> bool {
    faults.iter().any(|fault| matches!(fault, Fault::Forget))
}

/// What becomes of the reply.
pub async fn after(faults: &[Fault], switches: &Faults, mut reply: Reply) -> Reply {
    for fault in faults {
        reply = match fault {
            Fault::LoseReply => hangup(),
            Fault::WrongReference => changed(reply, |body| wrong_reference(body)).await,
            Fault::Corrupt => {
                let draw = usize::try_from(switches.draw() >> 1).unwrap();
                changed(reply, |body| flip(body, draw)).await
            }
            Fault::Swell(more) => changed(reply, |body| body.resize(body.len() + more, 0)).await,
            Fault::Truncate(bytes) => truncated(reply, *bytes).await,
            Fault::Drip(bytes, pause) => dripping(reply, *bytes, *pause).await,
            _ => reply,
        };
    }
    reply
}

fn hangup() -> Reply {
    let mut reply = Reply::new(Body::empty());
    reply.extensions_mut().insert(Hangup);
    reply
}

fn page(status: u16, retry_after: Option<u32>) -> Reply {
    let text = "<html>\r\n<head><title>Error</title></head>\r\n<body><center><h1>Error</h1></center></body>\r\n</html>\r\n";
    let mut reply = Reply::new(Body::from(text));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    reply
}

async fn changed(reply: Reply, change: impl FnOnce(&mut Vec<u8>)) -> Reply {
    let (mut parts, body) = reply.into_parts();
    let mut bytes = collected(body).await.to_vec();
    change(&mut bytes);
    parts.headers.remove(CONTENT_LENGTH);
    Reply::from_parts(parts, Body::from(bytes))
}

async fn collected(body: Body) -> Bytes {
    body.collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default()
}

fn wrong_reference(body: &mut [u8]) {
    let text = String::from_utf8_lossy(body).into_owned();
    if let Some(at) = text.find("\"reference\":\"") {
        let digit = &mut body[at + 13];
        *digit = if *digit == b'0' { b'1' } else { b'0' };
    }
}

fn flip(body: &mut [u8], draw: usize) {
    if !body.is_empty() {
        let bit = draw % (body.len() * 8);
        body[bit / 8] ^= 1 << (bit % 8);
    }
}

/// The error that ends a body early. What stands before it is sent first.
pub async fn broken(why: &str) -> io::Error {
    tokio::task::yield_now().await;
    io::Error::other(why)
}

async fn truncated(reply: Reply, bytes: usize) -> Reply {
    let (mut parts, body) = reply.into_parts();
    let body = collected(body).await;
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let start = body.slice(..bytes.min(body.len()));
    let pieces = stream::unfold(Some(start), async |piece| match piece {
        Some(piece) => Some((Ok(piece), None)),
        None => Some((Err(broken("the body ends here").await), None)),
    });
    Reply::from_parts(parts, Body::from_stream(pieces))
}

async fn dripping(reply: Reply, bytes: usize, pause: std::time::Duration) -> Reply {
    let (mut parts, body) = reply.into_parts();
    let body = collected(body).await;
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let drops = stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        let drop = rest.split_to(bytes.min(rest.len()));
        pin!(tokio::time::sleep(pause)).await;
        Some((Ok::<_, io::Error>(drop), rest))
    });
    Reply::from_parts(parts, Body::from_stream(drops))
}
