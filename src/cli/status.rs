//! `podfs status`

use clap::Args;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::bars::NetworkBars;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::control::NetworkReport;
use crate::control::StatusReport;
use crate::daemon::Fault;
use crate::daemon::PodPaths;
use crate::daemon::Quoted;
use crate::daemon::follow::Follower;
use crate::daemon::report;
use crate::daemon::units::show_size;
use crate::daemon::units::show_time;
use crate::types::limits::FOLLOW_MAX;
use crate::types::limits::POSTAGE_WARNING;

/// Show how a pod is.
///
/// Exit code 0 whether it is mounted or not; --json says which. With --watch it goes on until Ctrl-C or the unmount;
/// --json then prints a line whenever something moved.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = FIELDS_HELP)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    pod: PodArgs,
    /// Show how the pod is carried to the network, for as long as it goes on
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

const FIELDS_HELP: &str = "\
Fields of --json (more may come, none goes away; null means not known now):
  pod              name of the pod, or the path of its state folder
  state            mounted, read-only, not mounted, or in use (by another command)
  reason           why it is read-only or cannot be asked
  pid              process that serves it
  mountpoint       where it is mounted
  state_dir        folder with its sealed state
  bytes_live       bytes of their contents
  bytes_on_disk    bytes the state folder takes
  budget           most bytes the state folder may take
  unsynced_bytes   accepted bytes not yet safe from a power cut
  disk_free        bytes free on the disk of the state folder
  replayed         records of the log that the start replayed, none after a clean stop
  mounted_seconds  time since it was mounted
  idle_seconds     time without use after which it is unmounted
  network          what of it is in the network, for people
  network_report   the same for programs, see podfs wait --help
  version          version of the program that serves it";

/// Asks and prints.
pub(super) fn run(args: &StatusArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    if args.watch {
        return watch(paths, args.format);
    }
    let report = report::status(&paths)?;
    if args.format.json {
        print::json(&report);
    } else {
        lines(&report).iter().for_each(print::line);
    }
    Ok(Exit::Done)
}

/// Goes on until the pod is unmounted.
fn watch(paths: PodPaths, format: FormatArgs) -> Result<Exit, Fault> {
    let mut follower = Follower::of_pod(paths)?;
    let mut bars = NetworkBars::new();
    let mut before = None;
    loop {
        let report = match follower.progress() {
            Err(fault) if before.is_none() => return Err(fault),
            Err(_) => break,
            Ok(report) => report,
        };
        if before.as_ref() != Some(&report) {
            if format.json {
                print::json_line(&report);
            } else if print::is_terminal() {
                bars.show(&report);
            } else {
                print::line(report::network_line(&report));
            }
            before = Some(report);
        }
        if follower.pause(FOLLOW_MAX).is_err() {
            break;
        }
    }
    bars.clear();
    Ok(Exit::Done)
}

fn lines(report: &StatusReport) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{name:<12} {value}")));
    };
    add("pod", Some(report.pod.clone()));
    let reason = report
        .reason
        .as_ref()
        .map(|why| format!(": {why}"))
        .unwrap_or_default();
    add("state", Some(format!("{}{reason}", report.state)));
    add(
        "folder",
        report
            .mountpoint
            .as_ref()
            .map(|point| Quoted(point).to_string()),
    );
    add("process", report.pid.map(|pid| pid.to_string()));
    add("since", report.mounted_seconds.map(show_time));
    add("idle limit", report.idle_seconds.map(show_time));
    add("contents", report.bytes_live.map(show_size));
    let of = report
        .budget
        .map(|budget| format!(" of at most {}", show_size(budget)));
    add(
        "on disk",
        Some(format!(
            "{}{}",
            show_size(report.bytes_on_disk),
            of.unwrap_or_default()
        )),
    );
    add("disk free", Some(show_size(report.disk_free)));
    add("not synced", report.unsynced_bytes.map(show_size));
    add("network", Some(report.network.clone()));
    add("postage", report.network_report.as_ref().and_then(postage));
    add("state in", Some(Quoted(&report.state_dir).to_string()));
    lines
}

/// How long and how far the batches in use reach.
fn postage(network: &NetworkReport) -> Option<String> {
    let days = network.batch_days_left?;
    let fill = network.batch_fill_percent;
    let fill = fill.map_or_else(String::new, |fill| format!(", fullest bucket {fill} %"));
    let soon = if days <= POSTAGE_WARNING {
        ": then it is gone; podfs rent tells more"
    } else {
        ""
    };
    Some(format!("for {days} days{fill}{soon}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postage_that_ends_soon_is_told_loudly() {
        let mut network = NetworkReport::default();
        assert_eq!(postage(&network), None);
        network.batch_days_left = Some(31);
        network.batch_fill_percent = Some(6);
        assert_eq!(
            postage(&network).unwrap(),
            "for 31 days, fullest bucket 6 %"
        );
        network.batch_days_left = Some(30);
        assert!(
            postage(&network)
                .unwrap()
                .ends_with("podfs rent tells more")
        );
    }

    #[test]
    fn every_field_is_documented() {
        let report = StatusReport::default();
        assert_eq!(
            print::undocumented(&report, FIELDS_HELP),
            Vec::<String>::new()
        );
    }
}
