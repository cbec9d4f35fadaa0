//! A node is asked before it enters the list: a mistake costs nothing now, and data later.

use std::path::PathBuf;

use crate::control::Client;
use crate::control::ClientError;
use crate::control::Request;
use crate::control::Response;
use crate::daemon::ask;
use crate::daemon::batches;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::inspect;
use crate::daemon::inspect::NodeReport;
use crate::daemon::nodes;
use crate::daemon::nodes::NodeEntry;
use crate::daemon::nodes::NodeRole;
use crate::daemon::nodes::Nodes;
use crate::daemon::paths::PodPaths;
use crate::store::bee::Batch;
use crate::store::bee::BatchId;
use crate::store::bee::Bee;
use crate::store::bee::Mode;
use crate::store::bee::NodeAddress;
use crate::types::limits::CONTROL_PATIENCE;
use crate::types::limits::POSTAGE_WARNING;

/// What somebody wants to add, as typed.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// Where it is.
    pub address: NodeAddress,
    /// What to call it; made of the address when it is missing.
    pub name: Option<String>,
    /// Pays for everything, or for contents.
    pub batch: Option<BatchId>,
    /// Pays for the published tree and heads.
    pub node_batch: Option<BatchId>,
    /// What to use it for; found out when it is missing.
    pub role: Option<NodeRole>,
    /// Take a batch that is not immutable.
    pub force: bool,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Added {
    /// The node, as it answers now.
    pub node: NodeReport,
    /// It was in the list before, at the same address.
    pub changed: bool,
    /// What is better known.
    pub warnings: Vec<String>,
}

/// The address somebody typed.
///
/// # Errors
/// [`FaultKind::Usage`] with the reason.
pub fn address(text: &str) -> Result<NodeAddress, Fault> {
    text.parse().map_err(|error| {
        Fault::new(
            FaultKind::Usage,
            format!("the address of the node: {error}"),
        )
    })
}

/// The batch somebody typed.
///
/// # Errors
/// [`FaultKind::Usage`] when it is none.
pub fn batch_id(text: &str) -> Result<BatchId, Fault> {
    text.parse().map_err(|_| {
        let what = format!("{text:?} is not a batch: it has 64 hexadecimal digits");
        Fault::new(FaultKind::Usage, what).next("podfs stamp list shows the batches of the node")
    })
}

/// Asks the node, puts it into the list, and tells the daemon.
///
/// # Errors
/// [`FaultKind::Network`] and [`FaultKind::NodeRefused`]: as it answers; [`FaultKind::Batch`]: what it says of the
/// batch; [`FaultKind::Usage`]: the wishes contradict each other or the list.
pub fn add(paths: &PodPaths, new: &NewNode) -> Result<Added, Fault> {
    paths.require()?;
    let bee = nodes::client(&new.address)?;
    let mut warnings = Vec::new();
    let (entry, report) = ask::wait_for(async {
        let mode = inspect::mode_of(&bee).await?;
        let role = role(new, mode)?;
        warnings.extend(what_it_is(mode));
        for id in new.batch.into_iter().chain(new.node_batch) {
            let batch = batch_at(&bee, id).await?;
            warnings.extend(fit(&batch, mode, new.force)?);
        }
        let entry = NodeEntry {
            name: new.name.clone().unwrap_or_else(|| name_of(&new.address)),
            address: new.address.clone(),
            role,
            batch: new.batch,
            node_batch: new.node_batch.filter(|id| Some(*id) != new.batch),
            migration: None,
        };
        let report = inspect::look_at(&entry).await?;
        Ok((entry, report))
    })?;
    if entry.role == NodeRole::Other {
        warnings.push("nothing is written there: that takes --batch ID".to_owned());
    }
    warnings.extend(report.trouble.clone());
    let (name, changed, role) = nodes::edit(paths, |nodes| settle(nodes, entry, new))?;
    warnings.extend(tell(paths));
    Ok(Added {
        node: NodeReport {
            name,
            role,
            ..report
        },
        changed,
        warnings,
    })
}

/// Enters a node as `new` asks for it. Gives its name, whether it was in the list, and what it is used for.
fn settle(
    nodes: &mut Nodes,
    mut entry: NodeEntry,
    new: &NewNode,
) -> Result<(String, bool, NodeRole), Fault> {
    let is_source = |node: &NodeEntry| {
        node.role == NodeRole::Source && node.address.to_string() == entry.address.to_string()
    };
    // Its word is believed again only when somebody says so.
    if entry.batch.is_none() && new.role.is_none() && nodes.list.iter().any(is_source) {
        entry.role = NodeRole::Source;
    }
    let role = entry.role;
    let writer = nodes.writer().map(|node| node.address.clone());
    let (name, changed) = enter(&mut nodes.list, entry, new.name.is_some())?;
    if nodes.writer().map(|node| node.address.clone()) != writer {
        // What is written elsewhere meanwhile is not where it was carried.
        for node in &mut nodes.list {
            node.migration = None;
        }
    }
    Ok((name, changed, role))
}

/// Takes a node out of the list and tells the daemon. What it holds, it keeps.
///
/// # Errors
/// [`FaultKind::NoNode`].
pub fn remove(paths: &PodPaths, name: &str) -> Result<Vec<String>, Fault> {
    paths.require()?;
    let is_needed = Nodes::read(paths)?.named(name)?.role == NodeRole::Source;
    let unknown = if is_needed {
        left_there(paths, name)?
    } else {
        None
    };
    let left = nodes::edit(paths, |nodes| {
        let node = nodes.named(name)?.name.clone();
        nodes.list.retain(|other| other.name != node);
        Ok(nodes.writer().is_some())
    })?;
    let nowhere = "no node with a batch is left: nothing is sent to the network";
    let nowhere = (!left).then(|| nowhere.to_owned());
    let mut warnings: Vec<String> = nowhere.into_iter().chain(unknown).collect();
    warnings.extend(tell(paths));
    Ok(warnings)
}

/// Refuses as long as a pod that is carried away from a node is not all where it goes; a warning when nobody knows.
fn left_there(paths: &PodPaths, name: &str) -> Result<Option<String>, Fault> {
    let answer = Client::connect(&paths.socket, CONTROL_PATIENCE).and_then(|mut client| {
        let path = PathBuf::new();
        client.ask(&Request::Progress { path })
    });
    let Ok(Response::Progress(report)) = answer else {
        return Ok(Some(format!(
            "the pod is not mounted: whether it still needs what is at {name} is not known"
        )));
    };
    let has_arrived = report.is_listed() && report.confirmed.is_some();
    if has_arrived || report.has_moved_what_it_can() || report.migration.is_none() {
        return Ok(None);
    }
    if report
        .nodes
        .iter()
        .any(|node| node.name == name && !node.up)
    {
        return Ok(Some(format!(
            "{name} does not answer: what of the pod is nowhere else is lost"
        )));
    }
    let what = format!("the pod is read from {name} until all of it is where it goes");
    let next = "podfs status --watch shows how far it is";
    Err(Fault::new(FaultKind::Pending, what).next(next))
}

/// Tells the daemon of the pod, if it has one, that the list is another; gives what it has against it.
pub(super) fn tell(paths: &PodPaths) -> Option<String> {
    let answer = Client::connect(&paths.socket, CONTROL_PATIENCE)
        .and_then(|mut client| client.ask(&Request::Nodes));
    let why = match answer {
        Ok(Response::Done) | Err(ClientError::Absent) => return None,
        Ok(Response::Failed { what }) => what,
        Ok(_) => "it answered something else".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(format!(
        "the mounted pod goes on with the nodes it had, until it is mounted again: {why}"
    ))
}

fn role(new: &NewNode, mode: Mode) -> Result<NodeRole, Fault> {
    let refused = |what: &str, next: &str| Err(Fault::new(FaultKind::Usage, what).next(next));
    let batch = new.batch.is_some();
    if new.node_batch.is_some() && !batch {
        let what = "--node-batch pays for a part only, and nothing pays for contents";
        return refused(what, "give --batch ID too");
    }
    match (mode, new.role) {
        (Mode::Gateway, Some(NodeRole::Own | NodeRole::Other)) => {
            refused("this is a gateway", "leave --role out")
        }
        (Mode::Gateway, _) if batch => refused(
            "this is a gateway: what is written there, and for how long, is not ours to say",
            "leave --batch out: a gateway is for reading and verifying",
        ),
        (Mode::Gateway, _) => Ok(NodeRole::Gateway),
        (Mode::UltraLight, _) if batch => refused(
            "this node works without the blockchain and cannot pay for writes",
            "leave --batch out, or give the node an RPC endpoint",
        ),
        (_, Some(NodeRole::Own)) if !batch => refused(
            "an own node needs a batch",
            "give --batch ID; podfs stamp list --node URL shows those of the node",
        ),
        (_, Some(NodeRole::Other | NodeRole::Gateway)) if batch => refused(
            "only an own node is written to",
            "leave --batch out, or --role",
        ),
        (_, Some(role)) => Ok(role),
        (_, None) if batch => Ok(NodeRole::Own),
        (_, None) => Ok(NodeRole::Other),
    }
}

pub(super) fn what_it_is(mode: Mode) -> Option<String> {
    let what = match mode {
        Mode::Dev => "this is a development node: it keeps a single copy, and nothing is behind it",
        Mode::Gateway => "this is a gateway: for reading and verifying only",
        Mode::Full | Mode::Light | Mode::UltraLight => return None,
    };
    Some(what.to_owned())
}

pub(super) async fn batch_at(bee: &Bee, id: BatchId) -> Result<Batch, Fault> {
    let name = bee.address().to_string();
    bee.batch(id).await.map_err(|error| {
        let fault = ask::fault(&name, &error);
        if fault.kind != FaultKind::Batch {
            return fault;
        }
        let what = format!("the batch {id} cannot be used: {error}");
        Fault::new(FaultKind::Batch, what).next(format!(
            "a new one needs a minute; podfs stamp list --node {name} shows those there are"
        ))
    })
}

/// What is to be said of a batch that is to pay for a pod; an error when it must not.
pub(super) fn fit(batch: &Batch, mode: Mode, force: bool) -> Result<Vec<String>, Fault> {
    let id = batch.id;
    let refused = |why: &str, next: &str| {
        let what = format!("the batch {id} {why}");
        Err(Fault::new(FaultKind::Batch, what).next(next))
    };
    if batch.is_expired() && mode != Mode::Dev {
        return refused(
            "has expired",
            "podfs stamp buy --depth 20 --days 60 buys one",
        );
    }
    let mut warnings = Vec::new();
    if !batch.immutable {
        if !force {
            return refused(
                "is not immutable: when it is full, new chunks silently replace the oldest",
                "use an immutable one: podfs stamp buy; or take the risk: --force",
            );
        }
        warnings.push(format!(
            "the batch {id} is not immutable: when it is full, data is lost without a word"
        ));
    }
    if batch.utilization >= batch.bucket_slots() {
        warnings.push(format!("the batch {id} has a full bucket"));
    }
    match batches::days_left(batch, mode) {
        Some(days) if days < POSTAGE_WARNING => warnings.push(format!(
            "the batch {id} lasts {days} days at today's price, and with it what it pays for; \
             podfs stamp topup makes that longer"
        )),
        None if mode != Mode::Dev => {
            warnings.push(format!(
                "the node does not say how long the batch {id} lasts"
            ));
        }
        Some(_) | None => {}
    }
    Ok(warnings)
}

/// Puts an entry into the list, in place of the one at the same address. Gives its name and whether there was one.
pub(super) fn enter(
    list: &mut Vec<NodeEntry>,
    mut entry: NodeEntry,
    named: bool,
) -> Result<(String, bool), Fault> {
    let shown = entry.address.to_string();
    let before = list
        .iter()
        .position(|node| node.address.to_string() == shown);
    let others: Vec<&NodeEntry> = list
        .iter()
        .filter(|node| node.address.to_string() != shown)
        .collect();
    let refused = |what: String, next: String| Err(Fault::new(FaultKind::Usage, what).next(next));
    for other in &others {
        let name = &other.name;
        let theirs = [other.batch, other.node_batch];
        let ours = [entry.batch, entry.node_batch];
        if ours.iter().flatten().any(|id| theirs.contains(&Some(*id))) {
            let what = format!("the batch pays for the node {name:?}, and a batch has one writer");
            return refused(
                what,
                format!("podfs node remove {name}, or give another batch"),
            );
        }
        if named && entry.name == *name {
            let what = format!("there is a node {name:?} already, at {}", other.address);
            return refused(
                what,
                format!("podfs node remove {name}, or give another --name"),
            );
        }
    }
    if !named {
        let kept = before
            .and_then(|at| list.get(at))
            .map(|node| node.name.clone());
        let free = |name: &String| others.iter().all(|other| other.name != *name);
        let numbered = (2..).map(|number| format!("{}-{number}", entry.name));
        let mut candidates = kept.into_iter().chain([entry.name.clone()]).chain(numbered);
        entry.name = candidates.find(free).unwrap_or_default();
    }
    let name = entry.name.clone();
    // With the same batches all of the pod is still to be carried there.
    let known = before.and_then(|at| list.get(at));
    let known = known.filter(|node| {
        (node.batch, node.node_batch) == (entry.batch, entry.node_batch) && node.role == entry.role
    });
    entry.migration = entry.migration.or(known.and_then(|node| node.migration));
    match before.and_then(|at| list.get_mut(at)) {
        Some(place) => *place = entry,
        None => list.push(entry),
    }
    Ok((name, before.is_some()))
}

/// A name made of the host.
pub(super) fn name_of(address: &NodeAddress) -> String {
    let shown = address.to_string();
    let host = shown.split_once("://").map_or("", |(_, rest)| rest);
    if ["localhost", "127.", "[::1]"]
        .iter()
        .any(|own| host.starts_with(own))
    {
        return "home".to_owned();
    }
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let kept = host
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || ".-".contains(*c));
    let name: String = kept.take(24).collect();
    let name = name.trim_start_matches(['.', '-']);
    if name.is_empty() {
        "node".to_owned()
    } else {
        name.to_owned()
    }
}
