//! What nodes say of themselves, for those who look at the list.

use std::sync::Arc;

use serde::Serialize;
use tokio::task::JoinSet;

use crate::daemon::ask;
use crate::daemon::batches::BatchReport;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::nodes::NodeEntry;
use crate::daemon::nodes::NodeRole;
use crate::daemon::nodes::Nodes;
use crate::daemon::paths::PodPaths;
use crate::store::Rejection;
use crate::store::StoreError;
use crate::store::bee::BatchId;
use crate::store::bee::Bee;
use crate::store::bee::Mode;

/// One node as `podfs node list --json` prints it. Fields are added, never renamed or removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeReport {
    /// What people call it.
    pub name: String,
    /// Where it is, without credentials.
    pub url: String,
    /// `own`, `other`, `gateway` or `source`.
    pub role: NodeRole,
    /// Whether it answers.
    pub up: bool,
    /// `full`, `light`, `ultra-light`, `dev` or `gateway`; nothing when it is not known.
    pub mode: Option<&'static str>,
    /// Other nodes it talks to; without any, uploads hang.
    pub peers: Option<u64>,
    /// Just started: slow for up to five minutes.
    pub warming_up: Option<bool>,
    /// The batches of the pod there.
    pub batches: Vec<BatchReport>,
    /// What is wrong with it.
    pub trouble: Option<String>,
}

/// As it is shown and printed.
pub(super) const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Full => "full",
        Mode::Light => "light",
        Mode::UltraLight => "ultra-light",
        Mode::Dev => "dev",
        Mode::Gateway => "gateway",
    }
}

/// All nodes of the pod, asked at once, in the order of the list.
///
/// # Errors
/// No pod, or a list that cannot be read. A node that does not answer is no error.
pub fn list(paths: &PodPaths) -> Result<Vec<NodeReport>, Fault> {
    paths.require()?;
    let nodes = Nodes::read(paths)?;
    ask::wait_for(async {
        let mut asked = JoinSet::new();
        for (at, node) in nodes.list.iter().cloned().enumerate() {
            asked.spawn(async move { (at, look_at(&node).await) });
        }
        let mut reports = asked.join_all().await;
        reports.sort_by_key(|(at, _)| *at);
        reports.into_iter().map(|(_, report)| report).collect()
    })
}

/// One node of the list.
pub(super) async fn look_at(node: &NodeEntry) -> Result<NodeReport, Fault> {
    let bee = node.client()?;
    let mut report = NodeReport {
        name: node.name.clone(),
        url: node.address.to_string(),
        role: node.role,
        up: false,
        mode: None,
        peers: None,
        warming_up: None,
        batches: Vec::new(),
        trouble: None,
    };
    match bee.mode().await {
        Ok(mode) => {
            report.up = true;
            report.mode = Some(mode_name(mode));
            look_inside(&bee, mode, &mut report).await;
            report.batches = batches_of(&bee, mode, node).await;
        }
        Err(error) => {
            report.up = !ask::is_silence(&error);
            report.trouble = Some(error.to_string());
        }
    }
    Ok(report)
}

async fn look_inside(bee: &Bee, mode: Mode, report: &mut NodeReport) {
    // A development node has nobody to talk to, a gateway does not say.
    if matches!(mode, Mode::Dev | Mode::Gateway) {
        return;
    }
    match bee.status().await {
        Ok(status) => {
            report.peers = Some(status.connected_peers);
            report.warming_up = Some(status.is_warming_up);
            if status.connected_peers == 0 {
                report.trouble = Some("it talks to no other node: uploads hang".to_owned());
            }
        }
        Err(error) => report.trouble = Some(error.to_string()),
    }
}

/// The batches of the pod at a node, with what each pays for.
pub(super) async fn batches_of(bee: &Bee, mode: Mode, node: &NodeEntry) -> Vec<BatchReport> {
    let mut reports = Vec::new();
    for (id, pays_for) in uses(node) {
        let report = match bee.batch(id).await {
            Ok(batch) => BatchReport::of(&batch, mode),
            Err(error) => BatchReport::unknown(id, error.to_string()),
        };
        reports.push(BatchReport {
            pays_for: Some(pays_for),
            ..report
        });
    }
    reports
}

/// The batches of a node and what each pays for.
pub(super) fn uses(node: &NodeEntry) -> Vec<(BatchId, &'static str)> {
    match (node.batch, node.node_batch) {
        (Some(one), None) => vec![(one, "everything")],
        (first, second) => {
            let first = first.map(|id| (id, "contents"));
            let second = second.map(|id| (id, "tree and heads"));
            first.into_iter().chain(second).collect()
        }
    }
}

/// The mode of a node that is asked for the first time.
///
/// # Errors
/// [`FaultKind::Network`]: it does not answer; [`FaultKind::NodeRefused`]: something else answers.
pub(super) async fn mode_of(bee: &Arc<Bee>) -> Result<Mode, Fault> {
    let name = bee.address().to_string();
    bee.mode().await.map_err(|error| {
        if error != StoreError::Rejected(Rejection::Unsupported) {
            return ask::fault(&name, &error);
        }
        let what = format!("what answers at {name} is neither a Bee node nor a gateway");
        Fault::new(FaultKind::NodeRefused, what)
            .next("give the address of the node's API, usually http://localhost:1633")
    })
}
