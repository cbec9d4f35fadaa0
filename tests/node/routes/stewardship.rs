//! `/stewardship`: what the network, and not the node, has.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use podfs::types::Address;
use serde::Serialize;

use crate::node::Mode;
use crate::node::hash::Chunk;
use crate::node::params::{BATCH, Place, address, header_hex, missing};
use crate::node::reply::{Answer, ok, refuse, standard};
use crate::node::routes::Node;
use crate::node::routes::tree::{Broken, walk};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Retrievable {
    is_retrievable: bool,
}

pub async fn retrievable(State(inner): Node, Path(text): Path<String>) -> Answer {
    let wanted = address("address", &text)?;
    if inner.options.mode == Mode::Dev {
        // It answers from memory: what it was last told to upload again, whether it has that or not.
        let is_retrievable = wanted.is_some() && inner.state().steward == wanted;
        return Ok(ok(&Retrievable { is_retrievable }));
    }
    let walked = wanted.map_or(Err(Broken::Missing), |root| {
        walk(&root, &mut |address| inner.remote(address), &mut |_, _| {})
    });
    if walked == Err(Broken::Malformed) {
        let text = "is retrievable check failed";
        return Err(refuse(StatusCode::INTERNAL_SERVER_ERROR, text));
    }
    Ok(ok(&Retrievable {
        is_retrievable: walked.is_ok(),
    }))
}

pub async fn reupload(State(inner): Node, Path(text): Path<String>, headers: HeaderMap) -> Answer {
    let wanted = address("address", &text)?;
    let batch = header_hex(&headers, BATCH)?;
    if batch.is_empty() {
        return Err(missing(Place::Header, BATCH));
    }
    inner.stamping_batch(&batch)?;
    if inner.options.mode == Mode::Dev {
        inner.state().steward = wanted;
        return Ok(standard(StatusCode::OK));
    }
    let failed = || refuse(StatusCode::INTERNAL_SERVER_ERROR, "re-upload failed");
    let root = wanted.ok_or_else(failed)?;
    let session = inner.own_session(&batch, None, None)?;
    let mut chunks = Vec::new();
    let walked = walk(
        &root,
        &mut |address| inner.find(address, false),
        &mut |address, held| chunks.push((*address, held.read())),
    );
    walked.map_err(|_| failed())?;
    for (address, bytes) in chunks {
        let chunk = chunk_at(&address, bytes).ok_or_else(failed)?;
        inner.put(&session, &chunk, false).map_err(|_| failed())?;
    }
    inner.durable().wait().await;
    Ok(standard(StatusCode::OK))
}

/// The chunk of these bytes, of whichever form stands at this address.
fn chunk_at(address: &Address, bytes: Vec<u8>) -> Option<Chunk> {
    let content = Chunk::content(bytes.clone()).filter(|chunk| chunk.address == *address);
    content.or_else(|| Chunk::single_owner(bytes).filter(|chunk| chunk.address == *address))
}
