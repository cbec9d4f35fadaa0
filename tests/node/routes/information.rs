//! What a node says about itself.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use serde::Serialize;
use std::sync::atomic::Ordering;

use crate::node::Mode;
use crate::node::Version;
use crate::node::hash::keccak;
use crate::node::inner::Inner;
use crate::node::reply::{Answer, Reply, json, ok, refuse};
use crate::node::routes::{Node, hexadecimal};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    status: &'static str,
    version: &'static str,
    api_version: &'static str,
}

fn state_of(inner: &Inner, status: &'static str) -> Health {
    let old = inner.options.version == Version::V2_8_0 || inner.options.mode == Mode::Dev;
    Health {
        status,
        version: if old { "2.8.0" } else { "2.8.1" },
        api_version: if old { "7.4.1" } else { "8.1.0" },
    }
}

pub async fn health(State(inner): Node) -> Answer {
    Ok(ok(&state_of(&inner, "ok")))
}

pub async fn readiness(State(inner): Node) -> Answer {
    if inner.options.mode == Mode::Gateway {
        return Ok(Reply::new(Body::from("OK")));
    }
    if inner.synced() && inner.ready.load(Ordering::SeqCst) {
        return Ok(ok(&state_of(&inner, "ready")));
    }
    Ok(json(StatusCode::BAD_REQUEST, &state_of(&inner, "notReady")))
}

pub async fn gateway() -> Answer {
    #[derive(Serialize)]
    struct Gateway {
        gateway: bool,
    }
    Ok(ok(&Gateway { gateway: true }))
}

/// A proxy's own page, which is no JSON.
pub async fn gateway_not_found() -> Reply {
    let text = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n<body>\n<pre>Not Found</pre>\n</body>\n</html>\n";
    let mut reply = Reply::new(Body::from(text));
    *reply.status_mut() = StatusCode::NOT_FOUND;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    reply.headers_mut().insert(CONTENT_TYPE, html);
    reply
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeMode {
    bee_mode: &'static str,
    chequebook_enabled: bool,
    swap_enabled: bool,
}

fn mode(inner: &Inner) -> &'static str {
    match inner.options.mode {
        Mode::Full | Mode::Gateway => "full",
        Mode::Light => "light",
        Mode::Dev => "dev",
    }
}

pub async fn node(State(inner): Node) -> Answer {
    Ok(ok(&NodeMode {
        bee_mode: mode(&inner),
        chequebook_enabled: true,
        swap_enabled: true,
    }))
}

fn overlay(inner: &Inner) -> String {
    hexadecimal(&keccak(&[&inner.owner(), &1_u64.to_le_bytes(), &[0; 32]]))
}

fn wallet_address(inner: &Inner) -> String {
    format!("0x{}", hexadecimal(&inner.owner()))
}

#[derive(Serialize)]
struct Addresses {
    overlay: String,
    underlay: Vec<String>,
    ethereum: String,
    chain_address: String,
    #[serde(rename = "publicKey")]
    public_key: String,
    #[serde(rename = "pssPublicKey")]
    pss_public_key: String,
}

pub async fn addresses(State(inner): Node) -> Answer {
    let key = hexadecimal(inner.key.verifying_key().to_sec1_point(true).as_bytes());
    Ok(ok(&Addresses {
        overlay: overlay(&inner),
        underlay: vec![if inner.options.mode == Mode::Dev {
            String::new()
        } else {
            "/ip4/127.0.0.1/tcp/1634".to_owned()
        }],
        ethereum: wallet_address(&inner),
        chain_address: wallet_address(&inner),
        public_key: key.clone(),
        pss_public_key: key,
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    overlay: String,
    proximity: u32,
    bee_mode: &'static str,
    reserve_size: u64,
    reserve_size_within_radius: u64,
    pullsync_rate: f64,
    storage_radius: u8,
    connected_peers: u64,
    neighborhood_size: u64,
    batch_commitment: u64,
    is_reachable: bool,
    last_synced_block: u64,
    committed_depth: u8,
    is_warming_up: bool,
}

pub async fn status(State(inner): Node) -> Answer {
    if inner.options.mode == Mode::Dev {
        let text = "operation not supported in dev mode";
        return Err(refuse(StatusCode::BAD_REQUEST, text));
    }
    let peers = if inner.faults.switches().blind {
        0
    } else {
        120
    };
    Ok(ok(&Status {
        overlay: overlay(&inner),
        proximity: 256,
        bee_mode: mode(&inner),
        reserve_size: 0,
        reserve_size_within_radius: 0,
        pullsync_rate: 0.0,
        storage_radius: 0,
        connected_peers: peers,
        neighborhood_size: 0,
        batch_commitment: 0,
        is_reachable: true,
        last_synced_block: inner.network.world().chain.block(),
        committed_depth: 0,
        is_warming_up: false,
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wallet {
    bzz_balance: String,
    native_token_balance: String,
    #[serde(rename = "chainID")]
    chain_id: u32,
    chequebook_contract_address: String,
    wallet_address: String,
}

pub async fn wallet(State(inner): Node) -> Answer {
    let dev = inner.options.mode == Mode::Dev;
    let funds = if dev { 0 } else { inner.state().funds };
    let native = if dev { 0 } else { 10_u128.pow(18) };
    Ok(ok(&Wallet {
        bzz_balance: funds.to_string(),
        native_token_balance: native.to_string(),
        chain_id: if dev { 1 } else { 100 },
        chequebook_contract_address: format!("0x{}", "0".repeat(40)),
        wallet_address: wallet_address(&inner),
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChainState {
    chain_tip: u64,
    block: u64,
    total_amount: String,
    current_price: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_validity_blocks: Option<u64>,
}

pub async fn chain_state(State(inner): Node) -> Answer {
    if inner.options.mode == Mode::Dev {
        return Ok(ok(&ChainState {
            chain_tip: 1,
            block: 0,
            total_amount: "1".to_owned(),
            current_price: "1".to_owned(),
            minimum_validity_blocks: None,
        }));
    }
    let newer = inner.options.version == Version::V2_8_1;
    let world = inner.network.world();
    Ok(ok(&ChainState {
        chain_tip: world.chain.block(),
        block: world.chain.block(),
        total_amount: world.chain.total().to_string(),
        current_price: world.chain.price().to_string(),
        minimum_validity_blocks: newer.then_some(17_280),
    }))
}
