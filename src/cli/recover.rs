//! `podfs recover`

use std::path::PathBuf;

use clap::Args;
use clap::ValueHint;
use indicatif::ProgressBar;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask;
use crate::cli::ask::PassphraseArgs;
use crate::cli::bars;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::admit;
use crate::daemon::nodes::NodeEntry;
use crate::daemon::nodes::NodeRole;
use crate::daemon::nodes::Nodes;
use crate::daemon::recover;
use crate::daemon::recover::News;
use crate::daemon::recover::RecoverParts;
use crate::daemon::recover::Recovered;
use crate::daemon::rekey::GivenPhrase;
use crate::daemon::units::show_size;
use crate::daemon::units::show_time;
use crate::types::system_clock;

/// Bring a pod back on this machine, from its recovery phrase and any node.
///
/// Names and attributes come at once, contents when they are asked for. The machine gets a number of its own in the
/// pod: it never goes on with what another one writes. To publish from here: podfs node add URL --batch ID
#[derive(Args, Clone, Debug)]
pub(super) struct RecoverArgs {
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// When parts of the newest state are missing, take one of the N before
    #[arg(long, value_name = "N", default_value_t = 0)]
    at: u32,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// What a pod comes back from.
#[derive(Args, Clone, Debug)]
pub(super) struct SourceArgs {
    #[arg(
        long,
        value_name = "URL",
        required_unless_present = "url_file",
        help = "Address of a Bee node or gateway, such as http://localhost:1633"
    )]
    node: Option<String>,
    /// Read the address from the first line of FILE (- for standard input): for one with credentials
    #[arg(long, value_name = "FILE", conflicts_with = "node", value_hint = ValueHint::FilePath)]
    url_file: Option<PathBuf>,
    /// Read the recovery phrase from FILE instead of asking for it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    phrase_file: Option<PathBuf>,
}

impl SourceArgs {
    /// The list with the node that was named.
    pub(super) fn nodes(&self) -> Result<Nodes, Fault> {
        let address = ask::address(self.node.as_deref(), self.url_file.as_deref())?;
        let entry = NodeEntry {
            name: "recovery".to_owned(),
            address: admit::address(&address)?,
            role: NodeRole::Other,
            batch: None,
            node_batch: None,
            migration: None,
        };
        Ok(Nodes {
            list: vec![entry],
            ..Nodes::default()
        })
    }

    /// The phrase, from its file or from a person.
    pub(super) fn phrase(&self) -> Result<GivenPhrase, Fault> {
        ask::phrase(self.phrase_file.as_deref())
    }
}

/// Recovers.
pub(super) fn run(args: &RecoverArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    let nodes = args.source.nodes()?;
    let phrase = args.source.phrase()?;
    let question = "Passphrase for this machine (six random words or more)";
    let passphrase = args.passphrase.choose(question)?;
    let parts = RecoverParts {
        paths: &paths,
        phrase: &phrase,
        nodes: &nodes,
        passphrase: &passphrase,
        pass_over: args.at,
    };
    let bar = bars::waiting();
    let recovered = recover::recover(&parts, &|news| show(&bar, news));
    bar.finish_and_clear();
    let recovered = recovered?;
    if args.format.json {
        print::json(&serde_json::json!({
            "pod": paths.name,
            "state_dir": paths.state,
            "time": recovered.time.secs,
            "device": recovered.device,
            "names": recovered.restored.names,
            "bytes": recovered.restored.bytes,
            "passed_over": recovered.passed_over,
        }));
    } else {
        tell(&recovered, &paths.pod_flag());
    }
    Ok(Exit::Done)
}

/// Shows how far it is.
pub(super) fn show(bar: &ProgressBar, news: News) {
    let text = match news {
        News::Searching { asked, wanted } => {
            format!("looking for the newest state: {asked} of {wanted} places")
        }
        News::Names(restored) => format!("{} names", restored.names),
        News::Pages { read, wanted } => format!("{read} of {wanted} pages of contents"),
    };
    bar.set_message(text);
}

/// Seconds since then.
fn age(then: i64) -> u64 {
    let now = (system_clock())().secs;
    u64::try_from(now.saturating_sub(then)).unwrap_or(0)
}

fn tell(recovered: &Recovered, flag: &str) {
    let restored = &recovered.restored;
    print::line(format!(
        "{} names, {} of contents to be had on demand; the newest state found is {} old",
        restored.names,
        show_size(restored.bytes),
        show_time(age(recovered.time.secs))
    ));
    if recovered.passed_over > 0 {
        print::note(format!(
            "{} newer states were passed over, parts of them are missing",
            recovered.passed_over
        ));
    }
    if recovered.unknown_to_it > 0 {
        print::note(format!(
            "{} other machines published states that this one does not contain",
            recovered.unknown_to_it
        ));
    }
    if recovered.refused > 0 {
        print::note(format!(
            "{} feeds go on with keys that were replaced: nothing of it is believed",
            recovered.refused
        ));
    }
    if restored.lost > 0 {
        print::note(format!(
            "of {} files the extended attributes are missing in the network",
            restored.lost
        ));
    }
    print::note(format!("next: podfs mount DIR{flag}"));
}
