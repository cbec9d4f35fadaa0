//! `/pins`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;

use crate::node::params::address;
use crate::node::reply::{Answer, Reference, ok, refuse, standard};
use crate::node::routes::Node;
use crate::node::routes::tree::{Broken, walk};

#[derive(Serialize)]
struct References {
    references: Vec<String>,
}

pub async fn list(State(inner): Node) -> Answer {
    let state = inner.state();
    Ok(ok(&References {
        references: state.pins.iter().map(ToString::to_string).collect(),
    }))
}

pub async fn show(State(inner): Node, Path(text): Path<String>) -> Answer {
    let reference = address("reference", &text)?;
    let pinned = reference.filter(|reference| inner.state().pins.contains(reference));
    Ok(pinned.map_or_else(
        || standard(StatusCode::NOT_FOUND),
        |reference| {
            ok(&Reference {
                reference: reference.to_string(),
            })
        },
    ))
}

pub async fn pin(State(inner): Node, Path(text): Path<String>) -> Answer {
    let missing = || refuse(StatusCode::NOT_FOUND, "pin collection failed");
    let reference = address("reference", &text)?.ok_or_else(missing)?;
    if inner.state().pins.contains(&reference) {
        return Ok(standard(StatusCode::OK));
    }
    let mut kept = Vec::new();
    let walked = walk(
        &reference,
        &mut |address| inner.find(address, false),
        &mut |address, held| kept.push((*address, held.clone())),
    );
    match walked {
        Ok(()) => {}
        Err(Broken::Missing) => return Err(missing()),
        Err(Broken::Malformed) => {
            let text = "pin collection failed";
            return Err(refuse(StatusCode::INTERNAL_SERVER_ERROR, text));
        }
    }
    let mut state = inner.state();
    state.cache.extend(kept);
    state.pins.insert(reference);
    if let Some(log) = &mut state.log {
        log.pin(&reference, true);
    }
    Ok(standard(StatusCode::CREATED))
}

pub async fn unpin(State(inner): Node, Path(text): Path<String>) -> Answer {
    let reference = address("reference", &text)?;
    let mut state = inner.state();
    let Some(reference) = reference.filter(|reference| state.pins.remove(reference)) else {
        return Ok(standard(StatusCode::NOT_FOUND));
    };
    if let Some(log) = &mut state.log {
        log.pin(&reference, false);
    }
    Ok(standard(StatusCode::OK))
}
