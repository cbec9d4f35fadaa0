//! A pod is kept through another node from now on, with all that was published before.
//!
//! The list of nodes says where; the daemon of the pod does it, and goes on with it at every mount.

use serde::Serialize;

use crate::control::Client;
use crate::control::Request;
use crate::control::Response;
use crate::daemon::admit;
use crate::daemon::ask;
use crate::daemon::batches;
use crate::daemon::create::no_entropy;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::inspect;
use crate::daemon::keyfile;
use crate::daemon::nodes;
use crate::daemon::nodes::NodeEntry;
use crate::daemon::nodes::NodeRole;
use crate::daemon::nodes::Nodes;
use crate::daemon::paths::PodPaths;
use crate::daemon::rent::Money;
use crate::daemon::rent::for_gib_and_year;
use crate::store::bee::Batch;
use crate::store::bee::BatchId;
use crate::store::bee::Bee;
use crate::store::bee::Mode;
use crate::store::bee::NodeAddress;
use crate::store::bee::Plur;
use crate::types::limits::CONTROL_PATIENCE;
use crate::types::limits::PAGE_BYTES;

/// Bytes of a GiB.
const GIB: u128 = 1 << 30;

/// Where a pod is to be, as typed.
#[derive(Clone, Debug)]
pub struct NewHome {
    /// The node: the name of one in the list, or an address.
    pub to: Target,
    /// Pays for everything, or for contents.
    pub batch: BatchId,
    /// Pays for the published tree and heads.
    pub node_batch: Option<BatchId>,
    /// Take a batch that is not immutable, or has too little room.
    pub force: bool,
}

/// A node as it is named.
#[derive(Clone, Debug)]
pub enum Target {
    /// One of the list.
    Named(String),
    /// Wherever it is.
    At(NodeAddress),
}

/// What was begun. Nothing in it means: not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Begun {
    /// The node that the pod is written to.
    pub node: String,
    /// It was on its way there already, or is there.
    pub again: bool,
    /// Chunks that the pod is, rather too many than too few.
    pub chunks: Option<u64>,
    /// Chunks that the batch has room for, but for one case in a thousand.
    pub room: Option<u64>,
    /// What so many chunks cost in a year at today's price.
    pub xbzz_per_year: Option<String>,
    /// Nodes that the pod is read from until it is there.
    pub sources: Vec<String>,
    /// What is better known.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// Asks the node, makes it the one that is written to, and has the daemon carry all of the pod there.
///
/// # Errors
/// [`FaultKind::NotMounted`]; [`FaultKind::Network`] and [`FaultKind::NodeRefused`]: as the node answers;
/// [`FaultKind::Batch`]: what it says of the batch, or that it has too little room; [`FaultKind::Usage`]: it is no node
/// that can be written to; [`FaultKind::Daemon`].
pub fn begin(paths: &PodPaths, home: &NewHome) -> Result<Begun, Fault> {
    let nodes = Nodes::read(paths)?;
    let entry = entry(&nodes, home)?;
    let before = nodes.writer();
    if let Some(before) = before
        && before.migration.is_some()
        && is_same(before, &entry)
    {
        return Ok(Begun {
            node: before.name.clone(),
            again: true,
            sources: sources(&nodes),
            ..Begun::default()
        });
    }
    let mut begun = Begun {
        chunks: weight(paths),
        ..Begun::default()
    };
    ask::wait_for(look(&entry, home, &mut begun))?;
    begun.node = nodes::edit(paths, |nodes| {
        free_of_batch(nodes, &entry)?;
        if !nodes
            .writer()
            .is_some_and(|before| is_there(before, &entry))
        {
            for other in &mut nodes.list {
                if !is_there(other, &entry) {
                    become_source(other);
                }
            }
        }
        let (name, _) = admit::enter(&mut nodes.list, entry, false)?;
        begun.sources = sources(nodes);
        Ok(name)
    })?;
    match admit::tell(paths) {
        Some(why) => Err(Fault::new(FaultKind::Daemon, why).next("podfs status")),
        None => Ok(begun),
    }
}

fn entry(nodes: &Nodes, home: &NewHome) -> Result<NodeEntry, Fault> {
    let address = match &home.to {
        Target::Named(name) => nodes.named(name)?.address.clone(),
        Target::At(address) => address.clone(),
    };
    Ok(NodeEntry {
        name: admit::name_of(&address),
        address,
        role: NodeRole::Own,
        batch: Some(home.batch),
        node_batch: home.node_batch.filter(|id| *id != home.batch),
        migration: Some(number()?),
    })
}

/// Asks the node whether it is one that can be written to, and about its batches.
async fn look(entry: &NodeEntry, home: &NewHome, begun: &mut Begun) -> Result<(), Fault> {
    let bee = entry.client()?;
    let mode = inspect::mode_of(&bee).await?;
    let name = bee.address().to_string();
    let refused = |why: &str, next: &str| {
        let what = format!("the pod cannot be kept through {name}: {why}");
        Err(Fault::new(FaultKind::Usage, what).next(next))
    };
    match mode {
        Mode::Gateway => {
            return refused(
                "it is a gateway, and what is written there, and for how long, is not ours to say",
                "name a Bee node of yours: podfs migrate --to URL --batch ID",
            );
        }
        Mode::UltraLight => {
            return refused(
                "it works without the blockchain and cannot pay for writes",
                "give the node an RPC endpoint, or name another one",
            );
        }
        Mode::Full | Mode::Light | Mode::Dev => {}
    }
    begun.warnings.extend(admit::what_it_is(mode));
    let mut room = 0_u64;
    for id in entry.batch.into_iter().chain(entry.node_batch) {
        let batch = admit::batch_at(&bee, id).await?;
        begun.warnings.extend(admit::fit(&batch, mode, home.force)?);
        room = room.saturating_add(room_of(&bee, &batch).await);
    }
    begun.room = Some(room);
    begun.xbzz_per_year = price(&bee, begun.chunks).await;
    let chunks = begun.chunks.unwrap_or_default();
    if room >= chunks {
        return Ok(());
    }
    let short = format!(
        "the batch {} has room for {room} chunks, and the pod has about {chunks}",
        home.batch
    );
    if home.force {
        begun.warnings.push(short);
        return Ok(());
    }
    let next = format!(
        "give a larger one: podfs stamp dilute {} --depth D, or podfs stamp buy; or take the risk: --force",
        home.batch
    );
    Err(Fault::new(FaultKind::Batch, short).next(next))
}

/// Chunks that still fit: as many as are safe in an empty batch, less what is in it, and none behind a full bucket.
async fn room_of(bee: &Bee, batch: &Batch) -> u64 {
    let safe = batches::safe_chunks(batch);
    match bee.fill(batch.id).await {
        Ok(fill) if fill.used.iter().any(|used| *used >= fill.slots) => 0,
        Ok(fill) => safe.saturating_sub(fill.used.iter().map(|used| u64::from(*used)).sum()),
        // A development node does not tell.
        Err(_) => safe,
    }
}

async fn price(bee: &Bee, chunks: Option<u64>) -> Option<String> {
    let a_year = for_gib_and_year(bee.chain().await.ok()?.current_price);
    let bytes = u128::from(chunks?.saturating_mul(PAGE_BYTES));
    let price = a_year.0.saturating_mul(bytes).checked_div(GIB)?;
    (price > 0).then(|| Money(Plur(price)).to_string())
}

/// Chunks of the pod, if its daemon tells.
fn weight(paths: &PodPaths) -> Option<u64> {
    let answer = Client::connect(&paths.socket, CONTROL_PATIENCE)
        .and_then(|mut client| client.ask(&Request::Weigh));
    match answer {
        Ok(Response::Weight { chunks }) => Some(chunks),
        Ok(_) | Err(_) => None,
    }
}

/// A batch has one writer, whichever node it is.
fn free_of_batch(nodes: &Nodes, entry: &NodeEntry) -> Result<(), Fault> {
    let ours = [entry.batch, entry.node_batch];
    let taken = nodes.list.iter().find(|other| {
        let theirs = [other.batch, other.node_batch];
        !is_there(other, entry) && ours.iter().flatten().any(|id| theirs.contains(&Some(*id)))
    });
    taken.map_or(Ok(()), |other| {
        let what = format!(
            "the batch pays for what is at {:?}, and a batch has one writer",
            other.name
        );
        Err(Fault::new(FaultKind::Usage, what)
            .next("give a batch of the new node: podfs stamp list --node URL"))
    })
}

/// The pod is read from there alone. Whether it is of the network that the pod goes to is not known, so its word would
/// prove nothing.
fn become_source(node: &mut NodeEntry) {
    node.role = NodeRole::Source;
    (node.batch, node.node_batch, node.migration) = (None, None, None);
}

/// Tells one migration from another.
fn number() -> Result<u64, Fault> {
    let mut bytes = [0; 8];
    keyfile::system_entropy(&mut bytes).map_err(no_entropy)?;
    // As much as a file of settings can say, and not 0.
    Ok(u64::from_le_bytes(bytes) >> 2 | 1)
}

fn is_there(one: &NodeEntry, other: &NodeEntry) -> bool {
    one.address.to_string() == other.address.to_string()
}

fn is_same(one: &NodeEntry, other: &NodeEntry) -> bool {
    is_there(one, other) && (one.batch, one.node_batch) == (other.batch, other.node_batch)
}

fn sources(nodes: &Nodes) -> Vec<String> {
    let sources = nodes.list.iter().filter(|it| it.role == NodeRole::Source);
    sources.map(|it| it.name.clone()).collect()
}
