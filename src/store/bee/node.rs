use serde::Deserialize;

use crate::store::bee::Bee;
use crate::store::bee::http::{Ask, garbled};
use crate::store::bee::refusal::refusal;
use crate::store::{Rejection, StoreError};
use crate::types::limits::BEE_JSON_MAX;

/// What kind of endpoint answers, which decides what its word is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A node that stores for others.
    Full,
    /// A node that only uses the network; any kind not known here counts as one.
    Light,
    /// A node without the blockchain: it reads, and cannot pay for writes.
    UltraLight,
    /// A development node, or a private one: there is no network behind it. It keeps the only copy, and its word on
    /// what the network holds means nothing.
    Dev,
    /// Somebody's gateway: for reading and verifying only.
    Gateway,
}

/// `GET /status`, as far as it says whether uploads and retrievals can work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeStatus {
    /// Other nodes it talks to. Without any, uploads hang.
    pub connected_peers: u64,
    /// Just started: uploads and retrievals are slow or hang, for up to five minutes.
    pub is_warming_up: bool,
    /// Whether others can connect to it.
    pub is_reachable: bool,
    /// The block up to which it knows the chain.
    pub last_synced_block: u64,
}

#[derive(Deserialize)]
struct Node {
    #[serde(rename = "beeMode")]
    mode: String,
}

#[derive(Deserialize)]
struct Gateway {
    gateway: bool,
}

#[derive(Deserialize)]
struct Addresses {
    overlay: String,
}

impl Bee {
    /// `GET /health`. Any complete answer that is no error counts: a gateway answers with plain text, and a node that
    /// is not well is still there.
    pub(super) async fn health(&self) -> Result<(), StoreError> {
        let ask = Ask::get(&["health"], self.deadlines().pulse, BEE_JSON_MAX);
        let reply = self.http.send(ask).await?;
        match reply.status {
            200..=299 => Ok(()),
            _ => Err(refusal(&reply)),
        }
    }

    /// Finds out what answers: `GET /node`, and `GET /gateway` where that is not offered.
    ///
    /// # Errors
    /// [`Rejection::Unsupported`] when it is neither: some other service.
    pub async fn mode(&self) -> Result<Mode, StoreError> {
        let ask = Ask::get(&["node"], self.deadlines().ask, BEE_JSON_MAX);
        let reply = self.http.send(ask).await?;
        match reply.status {
            200 => {
                if let Ok(Node { mode }) = reply.json() {
                    return Ok(match mode.as_str() {
                        "full" => Mode::Full,
                        "ultra-light" => Mode::UltraLight,
                        "dev" => Mode::Dev,
                        _ => Mode::Light,
                    });
                }
            }
            403..=405 => {}
            _ => return Err(refusal(&reply)),
        }
        let ask = Ask::get(&["gateway"], self.deadlines().ask, BEE_JSON_MAX);
        let reply = self.http.send(ask).await?;
        match (reply.status, reply.json()) {
            (200, Ok(Gateway { gateway: true })) => Ok(Mode::Gateway),
            (200..=499, _) => Err(StoreError::Rejected(Rejection::Unsupported)),
            _ => Err(refusal(&reply)),
        }
    }

    /// `GET /status`; a node answers one at a time.
    ///
    /// # Errors
    /// [`Outage::Busy`](crate::store::Outage::Busy) when somebody else asks just now. Development nodes refuse.
    pub async fn status(&self) -> Result<NodeStatus, StoreError> {
        let ask = Ask::get(&["status"], self.deadlines().ask, BEE_JSON_MAX);
        let reply = self.http.send(ask).await?;
        match reply.status {
            200 => reply.json(),
            _ => Err(refusal(&reply)),
        }
    }

    /// The node's place in the network, from `GET /addresses`: two endpoints with the same are one node, and one of
    /// them cannot vouch for the other.
    ///
    /// # Errors
    /// [`Rejection::Unsupported`] from a gateway.
    pub async fn overlay(&self) -> Result<[u8; 32], StoreError> {
        let ask = Ask::get(&["addresses"], self.deadlines().ask, BEE_JSON_MAX);
        let reply = self.http.send(ask).await?;
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        let Addresses { overlay } = reply.json()?;
        let overlay: crate::types::Address = overlay
            .parse()
            .map_err(|_| garbled("an overlay that is none"))?;
        Ok(overlay.0)
    }
}
