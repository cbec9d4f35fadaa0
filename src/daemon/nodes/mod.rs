//! `nodes.toml` in the state folder: where in Swarm the pod is kept and read, in the order in which nodes are asked.
//!
//! ```toml
//! [[node]]
//! name = "home"
//! url = "http://localhost:1633/"      # may hold credentials: the file is readable by its owner alone
//! role = "own"                        # own: written to with its batch; other, gateway: read and verified with;
//!                                     # source: read from alone, the pod moves or moved away from there
//! batch = "0f…"                       # pays for everything, or, with the next line, for contents alone
//! node_batch = "1a…"                  # pays for the published tree and heads
//! migration = 7                       # all of the pod is carried there, whatever was published before; another number
//!                                     # is another time
//!
//! [rent]                              # batches are topped up by themselves
//! topup_below_days = 30
//! topup_to_days = 60
//! cap_xbzz_per_month = "2"
//! ```

mod file;
#[cfg(test)]
mod tests;
mod text;

pub use file::edit;

use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::paths::PodPaths;
use crate::daemon::rent::Rent;
use crate::store::bee::BatchId;
use crate::store::bee::Bee;
use crate::store::bee::Deadlines;
use crate::store::bee::NodeAddress;
use crate::store::endpoints::Endpoint;
use crate::store::endpoints::Endpoints;
use crate::store::endpoints::Patience;
use crate::store::endpoints::Role;
use crate::types::limits::BEE_VERIFY;
use crate::types::limits::NODE_NAME_MAX;
use crate::types::limits::NODES_MAX;

/// What a node is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// Ours, with a batch: the pod is written there.
    Own,
    /// Another node, for reading and verifying.
    Other,
    /// Somebody's gateway, for reading and verifying.
    Gateway,
    /// Where the pod was before it was carried to the own node: for reading alone.
    Source,
}

impl NodeRole {
    /// As it is typed and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Other => "other",
            Self::Gateway => "gateway",
            Self::Source => "source",
        }
    }
}

impl From<NodeRole> for Role {
    fn from(role: NodeRole) -> Self {
        match role {
            NodeRole::Own => Self::Own,
            NodeRole::Other => Self::Other,
            NodeRole::Gateway => Self::Gateway,
            NodeRole::Source => Self::Source,
        }
    }
}

/// One node or gateway. Its address is never shown with its credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeEntry {
    /// What people call it; no other node of the pod has this name.
    pub name: String,
    /// Where it is.
    #[serde(
        rename = "url",
        serialize_with = "text::with_credentials",
        deserialize_with = "text::address"
    )]
    pub address: NodeAddress,
    /// What it is used for.
    pub role: NodeRole,
    /// Pays for everything, or for all that `node_batch` does not pay for. An own node has one, and nobody else.
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// Pays for the published tree and for heads, when that is another batch.
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub node_batch: Option<BatchId>,
    /// Of an own node: what was published before it was one is carried there too, paid with its batches.
    /// The number tells one time from another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<u64>,
}

impl NodeEntry {
    /// A client of it. Nothing is sent yet.
    ///
    /// # Errors
    /// `https` on a machine without root certificates.
    pub fn client(&self) -> Result<Arc<Bee>, Fault> {
        client(&self.address)
    }
}

/// A client of the node at `address`. Nothing is sent yet.
pub(super) fn client(address: &NodeAddress) -> Result<Arc<Bee>, Fault> {
    client_with(address, Deadlines::default())
}

fn client_with(address: &NodeAddress, deadlines: Deadlines) -> Result<Arc<Bee>, Fault> {
    Bee::new(address.clone(), deadlines)
        .map(Arc::new)
        .map_err(|error| Fault::new(FaultKind::Network, format!("cannot ask {address}: {error}")))
}

/// The nodes of a pod, in order, and the whole file besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nodes {
    /// All of them.
    #[serde(rename = "node", skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<NodeEntry>,
    /// What may be paid without asking.
    #[serde(skip_serializing_if = "is_default")]
    pub rent: Rent,
}

impl Nodes {
    /// Reads the list; a missing file is an empty one.
    ///
    /// # Errors
    /// [`FaultKind::Settings`] when it is not one, with the reason.
    pub fn read(paths: &PodPaths) -> Result<Self, Fault> {
        file::read(&paths.nodes())
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let nodes: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        nodes.check()?;
        Ok(nodes)
    }

    /// What no list may be: the first thing that is wrong with it.
    ///
    /// # Errors
    /// A sentence that says it.
    pub fn check(&self) -> Result<(), String> {
        self.rent.check()?;
        if self.list.len() > NODES_MAX {
            return Err(format!("there are more than {NODES_MAX} nodes"));
        }
        for (at, node) in self.list.iter().enumerate() {
            let name = &node.name;
            let before = self.list.get(..at).unwrap_or_default();
            if !is_node_name(name) {
                return Err(format!(
                    "{name:?} cannot be the name of a node: use up to {NODE_NAME_MAX} letters, digits, dots, dashes and underscores"
                ));
            }
            if before.iter().any(|other| other.name == *name) {
                return Err(format!("there are two nodes {name:?}"));
            }
            match node.role {
                NodeRole::Own if node.batch.is_none() => {
                    return Err(format!(
                        "the node {name:?} is an own one and has no batch: nothing can be written there"
                    ));
                }
                NodeRole::Other | NodeRole::Gateway | NodeRole::Source
                    if node.batch.is_some() || node.node_batch.is_some() =>
                {
                    return Err(format!(
                        "the node {name:?} has a batch and is not an own one: nothing would be written there"
                    ));
                }
                NodeRole::Own | NodeRole::Other | NodeRole::Gateway | NodeRole::Source => {}
            }
        }
        Ok(())
    }

    /// The node of this name.
    ///
    /// # Errors
    /// [`FaultKind::NoNode`], with the names there are.
    pub fn named(&self, name: &str) -> Result<&NodeEntry, Fault> {
        let found = self.list.iter().find(|node| node.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.list.iter().map(|node| node.name.as_str()).collect();
            let what = format!("the pod has no node {name:?}");
            let next = match names.as_slice() {
                [] => "podfs node add URL".to_owned(),
                names => format!("name one of: {}", names.join(", ")),
            };
            Fault::new(FaultKind::NoNode, what).next(next)
        })
    }

    /// The node that is written to.
    pub fn writer(&self) -> Option<&NodeEntry> {
        self.list.iter().find(|node| node.role == NodeRole::Own)
    }
}

/// All nodes, ready to be read from and verified with.
///
/// # Errors
/// See [`NodeEntry::client`].
pub fn endpoints(nodes: &Nodes) -> Result<Endpoints, Fault> {
    with_patience(nodes, Deadlines::default(), Patience::default())
}

/// The same for work that nobody waits for with a program: a node may take its time to find out that it finds nothing.
///
/// # Errors
/// See [`NodeEntry::client`].
pub fn patient_endpoints(nodes: &Nodes) -> Result<Endpoints, Fault> {
    let deadlines = Deadlines {
        read: BEE_VERIFY,
        ..Deadlines::default()
    };
    let patience = Patience {
        read: BEE_VERIFY,
        ..Patience::default()
    };
    with_patience(nodes, deadlines, patience)
}

fn with_patience(
    nodes: &Nodes,
    deadlines: Deadlines,
    patience: Patience,
) -> Result<Endpoints, Fault> {
    let endpoint = |node: &NodeEntry| {
        let bee = client_with(&node.address, deadlines)?;
        Ok(Endpoint::bee(&node.name, node.role.into(), bee))
    };
    let list: Result<Vec<_>, Fault> = nodes.list.iter().map(endpoint).collect();
    Ok(Endpoints::new(list?, patience))
}

fn is_default(rent: &Rent) -> bool {
    *rent == Rent::default()
}

fn is_node_name(name: &str) -> bool {
    let keep = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let first = name.chars().next();
    name.len() <= NODE_NAME_MAX
        && first.is_some_and(|c| c.is_ascii_alphanumeric())
        && name.chars().all(keep)
}
