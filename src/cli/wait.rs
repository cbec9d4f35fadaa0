//! `podfs wait`

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::bars::NetworkBars;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::control::Level;
use crate::control::NetworkReport;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::follow::Follower;
use crate::daemon::report;
use crate::daemon::units::parse_duration;
use crate::types::limits::FOLLOW_FIRST;
use crate::types::limits::FOLLOW_MAX;

/// Wait until what is in a pod now is safe in the network.
///
/// Exit code 52 when that takes longer than --timeout. The pod goes on by itself whether or not somebody waits. A node
/// that is down is waited for; what needs you ends the wait at once, with what to do: 43, 46, 48, 49, 50, 51, or 54 when
/// this folder was overtaken.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = FIELDS_HELP)]
pub(super) struct WaitArgs {
    /// Wait for this file or folder alone; it names the pod
    #[arg(value_hint = ValueHint::AnyPath, conflicts_with = "pod")]
    path: Option<PathBuf>,
    /// How safe: queued, on-node (a node took it), confirmed (the network was seen to hold it)
    #[arg(long, default_value = "confirmed", value_parser = ["queued", "on-node", "confirmed"])]
    level: String,
    /// Wait at most this long, such as 30s or 2h
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

pub(super) const FIELDS_HELP: &str = "\
Fields of --json (more may come, none goes away; null means not known now):
  level               local, queued, on-node or confirmed; when a wait is over, of what it was for
  chunks_unsent       chunks that no node has yet
  chunks_sent         chunks a node took that were not seen in the network yet
  chunks_confirmed    chunks seen in the network since the mount
  chunks_paid         chunks that took a slot of a batch since the mount
  bytes_per_second    bytes sent in a second
  publication         number of the newest publication begun
  on_node             newest publication that a node has all of
  confirmed           newest publication that the network was seen to hold
  head_index          place of the newest head in this machine's feed
  head_time           when it was made, in seconds since 1970
  single_copy         the network is one development node
  trouble             what is in the way
  next                what to do about it, null when it goes by itself
  blocked             waits for you: overtaken, no-node, batch, funds, node, damaged, read-only
  nodes               for each node its name, up, mode and trouble
  batch_days_left     days until the first batch in use ends
  batch_fill_percent  how full the fullest bucket of a batch in use is
  scrub               newest scrub: all, total, checked, missing, sent_again, done
  migration           on the way to another node, or arrived: listed (all is queued), looked
                      (chunks queued since), missing (nowhere), missing_of (files these are of)";

/// Waits.
pub(super) fn run(args: &WaitArgs) -> Result<Exit, Fault> {
    let until = until(args.timeout.as_deref())?;
    let level = match args.level.as_str() {
        "queued" => Level::Queued,
        "on-node" => Level::OnNode,
        _ => Level::Confirmed,
    };
    let mut follower = match &args.path {
        Some(path) => Follower::of_path(path)?,
        None => Follower::of_pod(args.pod.paths()?)?,
    };
    // A publication is of the whole pod: for a path, only its own state counts.
    let number = follower.publish()?.filter(|_| args.path.is_none());
    let mut bars = NetworkBars::new();
    let waited = wait(&mut follower, until, |report| {
        bars.show(report);
        report.has_reached(level, number)
    });
    bars.clear();
    let mut report = waited?;
    // What was there at the beginning is as safe as was asked, whatever came since.
    report.level = report.level.max(level);
    if args.format.json {
        print::json(&report);
    } else if print::is_terminal() {
        print::note(report::network_line(&report));
    }
    Ok(Exit::Done)
}

/// When a wait that may take so long is over.
pub(super) fn until(timeout: Option<&str>) -> Result<Option<Instant>, Fault> {
    let usage = |why: String| Fault::new(FaultKind::Usage, why);
    let timeout = timeout.map(parse_duration).transpose().map_err(usage)?;
    Ok(timeout.and_then(|time| Instant::now().checked_add(time)))
}

/// Asks until `done`, or until it never will be without a person.
pub(super) fn wait(
    follower: &mut Follower,
    until: Option<Instant>,
    mut done: impl FnMut(&NetworkReport) -> bool,
) -> Result<NetworkReport, Fault> {
    let mut pause = FOLLOW_FIRST;
    loop {
        let report = follower.progress()?;
        if done(&report) {
            return Ok(report);
        }
        if let Some(fault) = follower.hopeless(&report) {
            return Err(fault);
        }
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            let what = format!("not there in time: {}", report::network_line(&report));
            return Err(Fault::new(FaultKind::Pending, what)
                .next("it goes on by itself: podfs status --watch"));
        }
        follower.pause(left.map_or(pause, |left| left.min(pause)))?;
        pause = pause.saturating_mul(2).min(FOLLOW_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_documented() {
        let report = NetworkReport::default();
        assert_eq!(
            print::undocumented(&report, FIELDS_HELP),
            Vec::<String>::new()
        );
    }
}
