//! `GET /feeds`, with its mistakes: a probe that takes a second counts as a miss, and an old update is given out.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use podfs::types::Address;
use std::time::Duration;

use crate::node::faults::Fault;
use crate::node::hash::{Chunk, SPAN, Soc, keccak, soc_address};
use crate::node::inner::Inner;
use crate::node::params::{Place, header_flag, hex, number, query};
use crate::node::reply::{Answer, refuse};
use crate::node::route::Route;
use crate::node::routes::bytes::serve_content;
use crate::node::routes::{Node, hexadecimal};

/// A probe that takes so long found nothing, says Bee.
const PROBE: Duration = Duration::from_secs(1);
/// Probes stand at the base plus 2^1 − 1 to 2^8 − 1.
const LEVELS: u32 = 8;

struct Feed<'a> {
    inner: &'a Inner,
    owner: &'a [u8],
    topic: &'a [u8],
}

impl Feed<'_> {
    fn update(&self, index: u64) -> Address {
        soc_address(&keccak(&[self.topic, &index.to_be_bytes()]), self.owner)
    }

    /// The update at an index, unless finding it would take too long. Nobody waits: delays only count.
    fn probe(&self, index: u64) -> Option<Vec<u8>> {
        let address = self.update(index);
        let faults = self.inner.faults.of(Route::GetChunk, Some(address));
        let mut takes = Duration::ZERO;
        for fault in faults {
            match fault {
                Fault::Delay(delay) => takes += delay,
                Fault::Hang | Fault::Close | Fault::Say(..) | Fault::Page(..) => return None,
                _ => {}
            }
        }
        let found = self.inner.find(&address, false)?;
        (takes < PROBE).then(|| found.read())
    }

    /// The highest update that Bee's search comes upon, starting from one it knows.
    fn search(&self, first: Vec<u8>) -> (u64, Vec<u8>) {
        let mut newest = (0, first);
        let mut top = LEVELS;
        loop {
            let base = newest.0;
            let probes = (1..=top).rev().find_map(|level| {
                let index = base + (1 << level) - 1;
                self.probe(index).map(|bytes| (level, index, bytes))
            });
            let Some((level, index, bytes)) = probes else {
                return newest;
            };
            newest = (index, bytes);
            if level == top && top < LEVELS {
                return newest;
            }
            top = level;
        }
    }
}

pub async fn look_up(
    State(inner): Node,
    Path((owner, topic)): Path<(String, String)>,
    RawQuery(text): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let owner = owner.strip_prefix("0x").unwrap_or(&owner);
    let owner = hex(Place::Path, "owner", owner)?;
    let topic = hex(Place::Path, "topic", &topic)?;
    let after = query(text.as_deref(), "after");
    let after = after.map_or(Ok(0), |after| number(Place::Query, "after", after))?;
    let only_root = header_flag(&headers, "Swarm-Only-Root-Chunk")?.unwrap_or(false);
    let feed = Feed {
        inner: &inner,
        owner: &owner,
        topic: &topic,
    };
    let none = || refuse(StatusCode::NOT_FOUND, "no update found");
    let first = inner.find(&feed.update(after), false).ok_or_else(none)?;
    let (index, bytes) = feed.search(first.read());
    let broken = || refuse(StatusCode::NOT_FOUND, "wrapped chunk cannot be retrieved");
    let soc = Soc::parse(&bytes).ok_or_else(broken)?;
    let wrapped = Chunk::content(soc.content.to_vec()).ok_or_else(broken)?;
    let (content, version) = resolved(&inner, wrapped);
    let mut reply = serve_content(&inner, &headers, &content, only_root).await?;
    let mut set = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).unwrap();
        reply
            .headers_mut()
            .append(HeaderName::from_static(name), value);
    };
    set("swarm-feed-index", &format!("{index:016x}"));
    set("swarm-feed-index-next", &format!("{:016x}", index + 1));
    set("swarm-feed-resolved-version", version);
    set("swarm-soc-signature", &hexadecimal(soc.signature));
    for name in [
        "Swarm-Feed-Index",
        "Swarm-Feed-Index-Next",
        "Swarm-Soc-Signature",
    ] {
        set("access-control-expose-headers", name);
    }
    Ok(reply)
}

/// What an update stands for: what it refers to when it has the length of an old reference and that is found, else itself.
fn resolved(inner: &Inner, wrapped: Chunk) -> (Chunk, &'static str) {
    let payload = &wrapped.bytes[SPAN..];
    if matches!(payload.len(), 40 | 72) {
        let reference = payload[8..].first_chunk().map(|bytes| Address(*bytes));
        let found = reference.and_then(|address| inner.find(&address, false));
        if let Some(chunk) = found.and_then(|held| Chunk::content(held.read())) {
            return (chunk, "v1");
        }
    }
    (wrapped, "v2")
}
