//! `podfs migrate`

use clap::Args;
use serde::Serialize;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask;
use crate::cli::bars;
use crate::cli::bars::NetworkBars;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::cli::wait;
use crate::control::Level;
use crate::control::MigrationReport;
use crate::control::NetworkReport;
use crate::daemon::Fault;
use crate::daemon::admit;
use crate::daemon::follow::Follower;
use crate::daemon::migrate;
use crate::daemon::migrate::Begun;
use crate::daemon::migrate::NewHome;
use crate::daemon::migrate::Target;
use crate::daemon::units::show_size;
use crate::types::limits::PAGE_BYTES;

/// Carry all of a pod to another node, and keep it there from now on.
///
/// What is on this machine is made again; the rest is fetched through the nodes that the pod had, and handed on as it
/// is. They are read from until they are removed, and never written to again; nothing that they say counts as a proof
/// that the new node's network holds something. It goes on in the background, at every mount, whether or not somebody
/// waits: the same command again shows how far it is. Afterwards the old node and its batch may be let go. The pod must
/// be mounted. Exit code 52 when it takes longer than --timeout, 53 when something of the pod is neither on this machine
/// nor in the network.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = FIELDS_HELP)]
pub(super) struct MigrateArgs {
    /// The node: address of its API, or the name of one in podfs node list
    #[arg(long, value_name = "NODE")]
    to: String,
    /// Postage batch that pays for what is written: immutable, and of that node
    #[arg(long, value_name = "ID")]
    batch: String,
    /// Smaller batch that pays for the published tree and heads alone
    #[arg(long, value_name = "ID")]
    node_batch: Option<String>,
    /// Take a batch that is not immutable, or has too little room
    #[arg(long)]
    force: bool,
    /// Wait at most this long, such as 30s or 2h; it goes on all the same
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

const FIELDS_HELP: &str = "\
Fields of --json (more may come, none goes away; null means not known):
  node             name of the node that the pod is written to
  again            it was on its way there already, or is there
  chunks           chunks that the pod is, rather too many than too few
  room             chunks that the batch has room for, but for one case in a thousand
  xbzz_per_year    what so many chunks cost in a year at today's price
  sources          nodes that the pod is read from; with missing 0 they may be removed
  missing          chunks that are neither on this machine nor in the network
  missing_of       files and folders that these belong to; not all when there are many";

/// What became of it.
#[derive(Default, Serialize)]
struct Migrated {
    #[serde(flatten)]
    begun: Begun,
    missing: u64,
    missing_of: Vec<String>,
}

/// Begins, and waits until all of the pod is there.
pub(super) fn run(args: &MigrateArgs) -> Result<Exit, Fault> {
    let until = wait::until(args.timeout.as_deref())?;
    let mut follower = Follower::of_pod(args.pod.paths()?)?;
    let begun = migrate::begin(&args.pod.paths()?, &home(args)?)?;
    begun.warnings.iter().for_each(print::note);
    if !args.format.json {
        print::line(told(&begun));
    }
    let number = follower.publish()?;
    let mut shown = Shown::new();
    let waited = wait::wait(&mut follower, until, |report| {
        shown.show(report);
        let arrived = report.is_listed() && report.has_reached(Level::Confirmed, number);
        let is_sent = report.has_reached(Level::OnNode, number);
        arrived || is_sent && report.has_moved_what_it_can()
    });
    shown.clear();
    let migration = waited?.migration.unwrap_or_default();
    Ok(ended(args, begun, migration))
}

fn home(args: &MigrateArgs) -> Result<NewHome, Fault> {
    let next = "podfs node add --url-file FILE --name NAME, then podfs migrate --to NAME";
    ask::refuse_credentials(&args.to, next)?;
    let to = if args.to.contains("://") {
        Target::At(admit::address(&args.to)?)
    } else {
        Target::Named(args.to.clone())
    };
    Ok(NewHome {
        to,
        batch: admit::batch_id(&args.batch)?,
        node_batch: args
            .node_batch
            .as_deref()
            .map(admit::batch_id)
            .transpose()?,
        force: args.force,
    })
}

fn told(begun: &Begun) -> String {
    let node = &begun.node;
    if begun.again {
        return format!("the pod is on its way to {node} already");
    }
    let bytes = |chunks: u64| show_size(chunks.saturating_mul(PAGE_BYTES));
    let size = begun.chunks.map_or(String::new(), |chunks| {
        format!(": about {chunks} chunks, {}", bytes(chunks))
    });
    let room = begun.room.map_or(String::new(), |room| {
        format!(", of {} that the batch has room for", bytes(room))
    });
    let price = begun.xbzz_per_year.as_ref();
    let price = price.map_or(String::new(), |price| format!(", {price} xBZZ a year"));
    format!("the pod goes to {node}{size}{room}{price}")
}

fn ended(args: &MigrateArgs, begun: Begun, migration: MigrationReport) -> Exit {
    let MigrationReport {
        missing,
        missing_of,
        ..
    } = migration;
    if args.format.json {
        print::json(&Migrated {
            begun,
            missing,
            missing_of,
        });
    } else if missing == 0 {
        print::line(format!("all of the pod is kept through {}", begun.node));
        for source in &begun.sources {
            print::line(format!(
                "{source} is not needed any more: podfs node remove {source}"
            ));
        }
    } else {
        print::line(format!(
            "the pod is kept through {}, but for {missing} chunks that are neither on this machine nor in the network",
            begun.node
        ));
        missing_of.iter().for_each(print::line);
        print::note("put these back from elsewhere, or delete them: the rest is then complete");
    }
    if missing > 0 {
        Exit::Missing
    } else {
        Exit::Done
    }
}

/// What a person sees meanwhile; without a terminal, a line for each new trouble.
struct Shown {
    listing: indicatif::ProgressBar,
    bars: Option<NetworkBars>,
    trouble: Option<String>,
}

impl Shown {
    fn new() -> Self {
        Self {
            listing: bars::waiting(),
            bars: None,
            trouble: None,
        }
    }

    fn show(&mut self, report: &NetworkReport) {
        if !print::is_terminal() && report.trouble.is_some() && report.trouble != self.trouble {
            self.trouble.clone_from(&report.trouble);
            self.trouble.iter().for_each(print::note);
        }
        if report.is_listed() {
            self.listing.finish_and_clear();
            let bars = self.bars.get_or_insert_with(NetworkBars::new);
            bars.show(report);
        } else {
            let looked = report.migration.as_ref().map_or(0, |it| it.looked);
            let trouble = report.trouble.as_deref().unwrap_or_default();
            self.listing
                .set_message(format!("{looked} chunks queued {trouble}"));
        }
    }

    fn clear(&self) {
        self.listing.finish_and_clear();
        self.bars.iter().for_each(NetworkBars::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_documented() {
        let migrated = Migrated::default();
        assert_eq!(
            print::undocumented(&migrated, FIELDS_HELP),
            Vec::<String>::new()
        );
    }

    #[test]
    fn what_is_begun() {
        let mut begun = Begun {
            node: "attic".to_owned(),
            chunks: Some(512),
            room: Some(1024),
            xbzz_per_year: Some("0.01".to_owned()),
            ..Begun::default()
        };
        let said = "the pod goes to attic: about 512 chunks, 2.0 MiB, of 4.0 MiB that the batch has room for, 0.01 xBZZ a year";
        assert_eq!(told(&begun), said);
        begun.again = true;
        assert!(told(&begun).ends_with("already"));
    }
}
