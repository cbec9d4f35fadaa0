//! The nodes of a pod and their batches, as the doctor sees them: whether they answer, what they are, whether the
//! blockchain is behind them, how long a batch lasts and how much room it has.

use crate::daemon::ask;
use crate::daemon::batches::BatchReport;
use crate::daemon::doctor::Finding;
use crate::daemon::fault::Fault;
use crate::daemon::inspect;
use crate::daemon::inspect::NodeReport;
use crate::daemon::nodes::NodeEntry;
use crate::daemon::nodes::NodeRole;
use crate::daemon::nodes::Nodes;
use crate::daemon::paths::PodPaths;
use crate::daemon::units::show_size;
use crate::store::StoreError;
use crate::store::bee::Chain;
use crate::types::limits::POSTAGE_WARNING;

const NODES: &str = "nodes";
const NODE: &str = "node";
const BATCH: &str = "batch";

/// A node that is so many blocks behind its chain does not know yet what was bought and what has ended.
const BLOCKS_BEHIND: u64 = 50;
/// A fullest bucket of so many percent deserves a word.
const FILL_HIGH: u64 = 90;

/// A line for each node and batch; nothing of a pod without nodes.
pub(super) fn examine(paths: &PodPaths) -> Vec<Finding> {
    let nodes = match Nodes::read(paths) {
        Ok(nodes) if nodes.list.is_empty() => return Vec::new(),
        Ok(nodes) => nodes,
        Err(fault) => return vec![of_fault(&fault)],
    };
    let flag = &paths.pod_flag();
    let mut findings = Vec::new();
    if nodes.writer().is_none() {
        findings.push(Finding::warning(
            NODES,
            "none has a batch: the pod is read with them, and published nowhere",
            format!("podfs node add URL --batch ID{flag}"),
        ));
    }
    match inspect::list(paths) {
        Err(fault) => findings.push(of_fault(&fault)),
        Ok(reports) => {
            for (node, report) in nodes.list.iter().zip(&reports) {
                findings.push(of_node(report, chain_behind(node, report), flag));
                let batches = report.batches.iter();
                findings.extend(batches.map(|batch| of_batch(report, batch, flag)));
            }
        }
    }
    findings
}

fn of_fault(fault: &Fault) -> Finding {
    let next = fault.next.clone();
    Finding::bad(
        NODES,
        &*fault.what,
        next.unwrap_or_else(|| "podfs node list".to_owned()),
    )
}

/// How far the blockchain is known behind a node that is written to; nothing where there is none.
fn chain_behind(node: &NodeEntry, report: &NodeReport) -> Option<Result<Chain, StoreError>> {
    let has_chain = matches!(report.mode, Some("full" | "light"));
    if node.role != NodeRole::Own || !has_chain {
        return None;
    }
    let bee = node.client().ok()?;
    let asked = ask::wait_for(async { Ok(bee.chain().await) });
    asked.ok()
}

fn of_node(node: &NodeReport, chain: Option<Result<Chain, StoreError>>, flag: &str) -> Finding {
    let name = &node.name;
    let test = format!("podfs node test {name}{flag}");
    let is_own = node.role == NodeRole::Own;
    if !node.up || node.mode.is_none() {
        let why = node.trouble.as_deref().unwrap_or("it does not answer");
        let what = format!("{name}: {why}");
        let next = format!("see that it runs and that its address is right, then {test}");
        // The others are there for the case that one is not.
        return if is_own {
            Finding::bad(NODE, what, next)
        } else {
            Finding::warning(NODE, what, next)
        };
    }
    let mode = node.mode.unwrap_or_default();
    if is_own && matches!(mode, "gateway" | "ultra-light") {
        return Finding::bad(
            NODE,
            format!("{name}: {mode}: takes nothing for a batch"),
            format!("podfs node add URL --batch ID{flag}, with a full or light node"),
        );
    }
    if let Some(trouble) = &node.trouble {
        let next = format!("see to its connection to the network, then {test}");
        return Finding::bad(NODE, format!("{name}: {mode}: {trouble}"), next);
    }
    let chain = match chain {
        None => String::new(),
        Some(Err(error)) => {
            let what = format!("{name}: {mode}: it does not tell of the blockchain: {error}");
            let next =
                format!("see to the endpoint of the blockchain in its settings, then {test}");
            return Finding::bad(NODE, what, next);
        }
        Some(Ok(chain)) => {
            let behind = chain.chain_tip.saturating_sub(chain.block);
            if behind > BLOCKS_BEHIND {
                let what = format!("{name}: {mode}: {behind} blocks behind its blockchain");
                let next = "wait until it has caught up; if it does not, see to its endpoint of the blockchain";
                return Finding::warning(NODE, what, next);
            }
            format!(", blockchain at block {}", chain.block)
        }
    };
    if mode == "dev" {
        let what = format!("{name}: dev: keeps a single copy, in memory");
        return Finding::warning(
            NODE,
            what,
            "podfs node add a full or light node for what you need",
        );
    }
    if node.warming_up == Some(true) {
        let what = format!("{name}: {mode}: just started, slow for some minutes");
        return Finding::warning(NODE, what, format!("wait, then {test}"));
    }
    let peers = node.peers.map(|peers| format!(", {peers} peers"));
    let what = format!("{name}: {mode}{}{chain}", peers.unwrap_or_default());
    Finding::good(NODE, what)
}

fn of_batch(node: &NodeReport, batch: &BatchReport, flag: &str) -> Finding {
    let (id, name) = (&batch.id, &node.name);
    let another =
        format!("podfs stamp buy --depth D --days N{flag}; podfs node add URL --batch ID{flag}");
    if let Some(trouble) = &batch.trouble {
        return Finding::bad(BATCH, format!("{id} at {name}: {trouble}"), another);
    }
    let is_dev = node.mode == Some("dev");
    let days = batch.days_left;
    if batch.usable == Some(false) {
        return match days {
            Some(1..) => Finding::warning(
                BATCH,
                format!("{id} at {name}: new, takes nothing yet"),
                "wait a minute",
            ),
            Some(0) | None => Finding::bad(BATCH, format!("{id} at {name}: has ended"), another),
        };
    }
    let fill = batch.fill_percent.unwrap_or(0);
    let lasts = match days {
        Some(days) => format!("ends in {days} days"),
        None if is_dev => "never ends".to_owned(),
        None => "nobody tells when it ends".to_owned(),
    };
    let room = batch.usable_bytes.map(show_size).unwrap_or_default();
    let what = format!("{id} at {name}: {lasts}, fullest bucket {fill} %, good for {room} in all");
    let deeper = batch
        .depth
        .map_or("D".to_owned(), |depth| (depth + 1).to_string());
    let dilute = format!("podfs stamp dilute {id} --depth {deeper}{flag}");
    if batch.immutable == Some(false) {
        let what = format!("{what}; not immutable: new chunks replace old ones without a word");
        return Finding::bad(BATCH, what, another);
    }
    if fill >= 100 {
        return Finding::bad(BATCH, what, dilute);
    }
    if let Some(days) = days.filter(|days| *days < POSTAGE_WARNING) {
        let next = format!("podfs stamp topup {id} --days 60{flag}");
        return if days == 0 {
            Finding::bad(BATCH, what, next)
        } else {
            Finding::warning(BATCH, what, next)
        };
    }
    if fill >= FILL_HIGH {
        return Finding::warning(BATCH, what, dilute);
    }
    Finding::good(BATCH, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::doctor::Level;
    use crate::store::bee::Plur;

    fn node(role: NodeRole, mode: &'static str) -> NodeReport {
        NodeReport {
            name: "home".to_owned(),
            url: String::new(),
            role,
            up: true,
            mode: Some(mode),
            peers: Some(120),
            warming_up: Some(false),
            batches: Vec::new(),
            trouble: None,
        }
    }

    fn batch() -> BatchReport {
        BatchReport {
            id: "ab".repeat(32),
            depth: Some(20),
            immutable: Some(true),
            usable: Some(true),
            fill_percent: Some(3),
            usable_bytes: Some(1 << 30),
            days_left: Some(60),
            ..BatchReport::default()
        }
    }

    #[test]
    fn nodes_of_every_kind() {
        let chain = |behind: u64| {
            Some(Ok(Chain {
                chain_tip: 1000 + behind,
                block: 1000,
                current_price: Plur(1),
            }))
        };
        let own = NodeRole::Own;
        let down = |role| NodeReport {
            up: false,
            mode: None,
            ..node(role, "light")
        };
        let lonely = NodeReport {
            trouble: Some("it talks to no other node".to_owned()),
            ..node(own, "light")
        };
        for (report, chain, level) in [
            (node(own, "light"), chain(3), Level::Good),
            (node(own, "full"), chain(99), Level::Warning),
            (
                node(own, "full"),
                Some(Err(StoreError::NotFound)),
                Level::Bad,
            ),
            (node(own, "ultra-light"), None, Level::Bad),
            (node(own, "dev"), None, Level::Warning),
            (node(NodeRole::Gateway, "gateway"), None, Level::Good),
            (down(own), None, Level::Bad),
            (down(NodeRole::Other), None, Level::Warning),
            (lonely, chain(3), Level::Bad),
        ] {
            let finding = of_node(&report, chain, "");
            assert_eq!(finding.level, level, "{finding:?}");
            assert_eq!(finding.fix.is_none(), level == Level::Good, "{finding:?}");
        }
    }

    #[test]
    fn batches_in_every_state() {
        let home = node(NodeRole::Own, "light");
        for (change, level, next) in [
            ((Some(true), Some(60), 3), Level::Good, ""),
            (
                (Some(true), Some(29), 3),
                Level::Warning,
                "podfs stamp topup abab",
            ),
            (
                (Some(true), Some(0), 3),
                Level::Bad,
                "podfs stamp topup abab",
            ),
            ((Some(true), Some(60), 95), Level::Warning, "--depth 21"),
            (
                (Some(true), Some(60), 100),
                Level::Bad,
                "podfs stamp dilute abab",
            ),
            ((Some(false), Some(60), 0), Level::Warning, "wait"),
            ((Some(false), None, 0), Level::Bad, "podfs stamp buy"),
        ] {
            let (usable, days_left, fill) = change;
            let batch = BatchReport {
                usable,
                days_left,
                fill_percent: Some(fill),
                ..batch()
            };
            let finding = of_batch(&home, &batch, "");
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(finding.fix.unwrap_or_default().contains(next), "{next}");
            assert!(finding.what.contains(&batch.id));
        }
    }
}
