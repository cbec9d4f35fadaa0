//! The nodes and gateways of a pod, in order: which is asked, for how long, and whom to believe.

mod endpoint;
mod read;
#[cfg(test)]
mod tests;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use crate::types::limits::{CHUNK_DEADLINE, HEDGE_AFTER, KNOWN_DOWN};

pub use endpoint::{Endpoint, Guarded, Role};
pub use verify::{Proof, Sought, Verdict};

/// How long a read may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// In all.
    pub read: Duration,
    /// Before the next endpoint is asked besides.
    pub hedge: Duration,
    /// For a sign of life when every endpoint is known to be down, since it was asked for one.
    pub known_down: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            read: CHUNK_DEADLINE,
            hedge: HEDGE_AFTER,
            known_down: KNOWN_DOWN,
        }
    }
}

/// An ordered list of endpoints: own node first, unless the pod is on its way there from another, then others, gateways
/// last.
///
/// As a [`Store`](crate::store::Store) it reads from all of them and takes nothing: a write goes to one node that has
/// a batch, through [`Endpoint::guarded`].
#[derive(Clone)]
pub struct Endpoints {
    list: Arc<[Arc<Endpoint>]>,
    patience: Patience,
}

impl Endpoints {
    /// Endpoints in the order given within each role; [`Role`] goes first.
    pub fn new(mut list: Vec<Arc<Endpoint>>, patience: Patience) -> Self {
        list.sort_by_key(|endpoint| endpoint.role());
        Self {
            list: list.into(),
            patience,
        }
    }

    /// All of them, in order.
    pub fn list(&self) -> &[Arc<Endpoint>] {
        &self.list
    }

    /// The node that is written to first. Gateways take no writes: what they keep, and for how long, is not ours to say.
    pub fn writer(&self) -> Option<&Arc<Endpoint>> {
        self.list
            .iter()
            .find(|endpoint| endpoint.role() == Role::Own)
    }
}
