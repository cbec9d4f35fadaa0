//! A Bee node or a gateway over HTTP. The only place that knows the interface, and the only one that names `reqwest`.
//!
//! Every request has its own deadline, every body its cap, every header is sent explicitly because the defaults of
//! nodes differ between versions. What a node says is compared with what we know: the reference in the reply to a
//! write, the swarm hash of what was read. Nothing is repeated here but one attempt over a connection that the node
//! had closed meanwhile; the rest is decided in [`retry`](crate::store::retry).
//!
//! Deliberately absent: `/bzz`, `/feeds`, node-side encryption, access control, and `POST /soc`, which development
//! nodes and old versions answer differently: a single-owner chunk with a full payload travels through
//! `POST /chunks` like any other.

mod address;
mod batch;
mod chunks;
mod http;
mod node;
mod refusal;
mod tag;
mod through;
mod wallet;

use std::time::Duration;

use crate::store::bee::http::Http;
use crate::store::{Answer, Pulse};
use crate::types::limits;

pub use address::{NodeAddress, NodeAddressError};
pub use batch::{Batch, BatchId, Fill};
pub use chunks::{Cache, Postage};
pub use node::{Mode, NodeStatus};
pub use tag::{TagState, UploadTag};
pub use through::Through;
pub use wallet::{Chain, Plur, Wallet};

/// How long each kind of request may take, from the first byte sent to the last received.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// The connection alone.
    pub connect: Duration,
    /// Reading a chunk that somebody waits for.
    pub read: Duration,
    /// Reading a chunk, or asking for its existence in the network, in the background.
    pub verify: Duration,
    /// Writing a chunk.
    pub write: Duration,
    /// Asking the node something about itself.
    pub ask: Duration,
    /// Feeling the pulse.
    pub pulse: Duration,
    /// What has to be mined first.
    pub chain: Duration,
    /// Looking for a purchase whose answer was lost.
    pub settle: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: limits::BEE_CONNECT,
            read: limits::CHUNK_DEADLINE,
            verify: limits::BEE_VERIFY,
            write: limits::BEE_WRITE,
            ask: limits::BEE_ASK,
            pulse: limits::PULSE_DEADLINE,
            chain: limits::BEE_CHAIN,
            settle: limits::BEE_SETTLE,
        }
    }
}

/// One node or gateway. Cheap to ask from many tasks at once: connections are kept and shared.
#[derive(Debug)]
pub struct Bee {
    http: Http,
}

impl Bee {
    /// A client of the node at `address`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`NodeAddressError::NoTrust`] for `https` on a machine without root certificates.
    pub fn new(address: NodeAddress, deadlines: Deadlines) -> Result<Self, NodeAddressError> {
        Http::new(address, deadlines).map(|http| Self { http })
    }

    /// Where it is, without credentials.
    pub const fn address(&self) -> &NodeAddress {
        self.http.address()
    }

    /// Its deadlines.
    pub const fn deadlines(&self) -> &Deadlines {
        self.http.deadlines()
    }
}

impl Pulse for Bee {
    /// Asks `/health`, which nodes answer while they start, and gateways too.
    fn pulse(&self) -> Answer<'_, ()> {
        Box::pin(self.health())
    }
}
