//! `podfs node`

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::admit;
use crate::daemon::admit::NewNode;
use crate::daemon::batches::BatchReport;
use crate::daemon::inspect;
use crate::daemon::inspect::NodeReport;
use crate::daemon::nodes::NodeRole;
use crate::daemon::trial;

/// The nodes of Swarm that keep a pod.
#[derive(Args, Clone, Debug)]
pub(super) struct NodeArgs {
    #[command(subcommand)]
    command: NodeCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum NodeCommand {
    Add(AddArgs),
    List(ListArgs),
    Test(TestArgs),
    Remove(RemoveArgs),
}

/// Add a node, or change how it is used.
///
/// The node is asked first. With --batch the pod is written there; without, it is for reading and verifying. A gateway
/// is told by its answer.
#[derive(Args, Clone, Debug)]
struct AddArgs {
    #[command(flatten)]
    address: AddressArgs,
    /// What to call it
    #[arg(long)]
    name: Option<String>,
    /// Postage batch that pays for what is written: immutable, and of this node
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    /// Smaller batch that pays for the published tree and heads alone
    #[arg(long, value_name = "ID")]
    node_batch: Option<String>,
    /// What to use it for, when that is not plain from the rest
    #[arg(long, value_parser = ["own", "other", "gateway"])]
    role: Option<String>,
    /// Take a batch that is not immutable
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Where a node is.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct AddressArgs {
    #[arg(help = "Address of the node's API, such as http://localhost:1633")]
    url: Option<String>,
    /// Read the address from the first line of FILE (- for standard input): for one with credentials
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    url_file: Option<PathBuf>,
}

/// Show the nodes and how they are.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = LIST_HELP)]
struct ListArgs {
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Find out whether nodes answer, and with --write whether they store.
///
/// The exit code tells what the first node in trouble does.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = TEST_HELP)]
struct TestArgs {
    /// The node; all of them when it is missing
    name: Option<String>,
    /// Store a random chunk at own nodes and read it back; it takes a slot of the batch
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Forget a node; what it holds, it keeps.
#[derive(Args, Clone, Debug)]
struct RemoveArgs {
    /// The node
    name: String,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

const LIST_HELP: &str = "\
Fields of --json, for each node (more may come, none goes away; null means not known):
  name             what people call it
  url              where it is, without credentials
  role             own (written to), other or gateway (read and verified with), source (the pod
                   moves or moved away from there: read from)
  up               whether it answers
  mode             full, light, ultra-light, dev (keeps a single copy) or gateway
  peers            other nodes it talks to
  warming_up       just started, slow for some minutes
  batches          the batches of the pod there, see below
  trouble          what is wrong with it
Fields of a batch:
  id               its name on the chain
  pays_for         everything, contents, or tree and heads; null for one the pod does not use
  label            what its buyer called it
  depth            it has 2^depth slots of 4096 bytes
  immutable        whether no chunk of it is ever replaced
  usable           whether it takes chunks; not in its first minute
  fullest_bucket   chunks in its fullest bucket
  bucket_slots     slots of each bucket
  fill_percent     how full the fullest bucket is
  usable_bytes     bytes that fit before a bucket is full, but for one case in a thousand
  days_left        whole days it lasts at today's price
  trouble          why the node did not tell";

const TEST_HELP: &str = "\
Fields of --json, for each node (more may come, none goes away; null means not tried or not known):
  name             what people call it
  url              where it is, without credentials
  good             whether all that was tried went well
  mode             full, light, ultra-light, dev (keeps a single copy) or gateway
  answer_ms        milliseconds until it said what it is
  stored           address of the random chunk
  write_ms         milliseconds that storing it took
  read_ms          milliseconds that fetching it back took
  trouble          what went wrong";

impl NodeArgs {
    pub(super) fn wants_json(&self) -> bool {
        match &self.command {
            NodeCommand::Add(args) => args.format.json,
            NodeCommand::List(args) => args.format.json,
            NodeCommand::Test(args) => args.format.json,
            NodeCommand::Remove(args) => args.format.json,
        }
    }
}

/// Does what the second word says.
pub(super) fn run(args: &NodeArgs) -> Result<Exit, Fault> {
    match &args.command {
        NodeCommand::Add(args) => add(args),
        NodeCommand::List(args) => list(args),
        NodeCommand::Test(args) => test(args),
        NodeCommand::Remove(args) => remove(args),
    }
}

fn add(args: &AddArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    paths.require()?;
    let text = ask::address(
        args.address.url.as_deref(),
        args.address.url_file.as_deref(),
    )?;
    let batch = |id: &Option<String>| id.as_deref().map(admit::batch_id).transpose();
    let role = args.role.as_deref().map(|role| match role {
        "own" => NodeRole::Own,
        "gateway" => NodeRole::Gateway,
        _ => NodeRole::Other,
    });
    let new = NewNode {
        address: admit::address(&text)?,
        name: args.name.clone(),
        batch: batch(&args.batch)?,
        node_batch: batch(&args.node_batch)?,
        role,
        force: args.force,
    };
    let added = admit::add(&paths, &new)?;
    added.warnings.iter().for_each(print::note);
    if args.format.json {
        print::json(&added.node);
    } else {
        let node = &added.node;
        let done = if added.changed { "changed" } else { "added" };
        print::line(format!(
            "{done} {}: {} node at {}",
            node.name,
            node.role.name(),
            node.url
        ));
    }
    Ok(Exit::Done)
}

fn list(args: &ListArgs) -> Result<Exit, Fault> {
    let nodes = inspect::list(&args.pod.paths()?)?;
    if args.format.json {
        print::json(&nodes);
        return Ok(Exit::Done);
    }
    if nodes.is_empty() {
        print::note("no nodes: the pod is on this machine only. Next: podfs node add URL");
        return Ok(Exit::Done);
    }
    let header = [
        "name", "role", "state", "peers", "batch", "fill", "days", "address",
    ];
    print::table(&header, &nodes.iter().flat_map(rows).collect::<Vec<_>>());
    for node in &nodes {
        let said = node
            .batches
            .iter()
            .filter_map(|batch| batch.trouble.as_ref());
        for trouble in node.trouble.iter().chain(said) {
            print::note(format!("{}: {trouble}", node.name));
        }
    }
    Ok(Exit::Done)
}

/// A line for the node, and one for each further batch.
fn rows(node: &NodeReport) -> Vec<[String; 8]> {
    let state = match (node.up, node.mode) {
        (false, _) => "down".to_owned(),
        (true, None) => "refuses".to_owned(),
        (true, Some(mode)) if node.warming_up == Some(true) => format!("{mode}, starting"),
        (true, Some(mode)) => mode.to_owned(),
    };
    let unknown = BatchReport::default();
    let first = node.batches.first().unwrap_or(&unknown);
    let [batch, fill, days] = cells(first);
    let peers = print::or_dash(node.peers);
    let (name, url) = (node.name.clone(), node.url.clone());
    let role = node.role.name().to_owned();
    let mut rows = vec![[name, role, state, peers, batch, fill, days, url]];
    for batch in node.batches.iter().skip(1) {
        let [batch, fill, days] = cells(batch);
        let empty = String::new;
        rows.push([
            empty(),
            empty(),
            empty(),
            empty(),
            batch,
            fill,
            days,
            empty(),
        ]);
    }
    rows
}

fn cells(batch: &BatchReport) -> [String; 3] {
    let id = batch
        .id
        .get(..8)
        .map_or("-".to_owned(), |id| format!("{id}…"));
    let fill = batch.fill_percent.map(|percent| format!("{percent} %"));
    [id, print::or_dash(fill), print::or_dash(batch.days_left)]
}

fn test(args: &TestArgs) -> Result<Exit, Fault> {
    let reports = trial::run(&args.pod.paths()?, args.name.as_deref(), args.write)?;
    if args.format.json {
        print::json(&reports);
    } else {
        for report in &reports {
            let times = [
                ("answered", report.answer_ms),
                ("stored a chunk", report.write_ms),
                ("read it back", report.read_ms),
            ];
            let mut parts: Vec<String> = times
                .iter()
                .filter_map(|(what, took)| took.map(|took| format!("{what} in {took} ms")))
                .collect();
            parts.extend(report.trouble.iter().cloned());
            let mark = if report.good { "ok  " } else { "BAD " };
            let mode = report.mode.unwrap_or("-");
            print::line(format!(
                "{mark} {} ({mode}): {}",
                report.name,
                parts.join(", ")
            ));
        }
    }
    let kind = reports.iter().find_map(|report| report.kind);
    Ok(kind.map_or(Exit::Done, Exit::of))
}

fn remove(args: &RemoveArgs) -> Result<Exit, Fault> {
    let warnings = admit::remove(&args.pod.paths()?, &args.name)?;
    warnings.iter().for_each(print::note);
    if args.format.json {
        print::json(&serde_json::json!({ "removed": args.name }));
    } else {
        print::line(format!("removed {}", args.name));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::print::undocumented;
    use crate::daemon::trial::TrialReport;

    #[test]
    fn every_field_is_documented() {
        let batch = BatchReport::default();
        assert_eq!(undocumented(&batch, LIST_HELP), Vec::<String>::new());
        let node = NodeReport {
            name: String::new(),
            url: String::new(),
            role: NodeRole::Own,
            up: true,
            mode: None,
            peers: None,
            warming_up: None,
            batches: vec![batch],
            trouble: None,
        };
        assert_eq!(undocumented(&node, LIST_HELP), Vec::<String>::new());
        let trial = TrialReport::default();
        assert_eq!(undocumented(&trial, TEST_HELP), Vec::<String>::new());
    }
}
