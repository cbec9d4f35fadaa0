//! `podfs status`

use std::time::Duration;

use clap::Args;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::control::StatusReport;
use crate::daemon::Fault;
use crate::daemon::Quoted;
use crate::daemon::report;
use crate::daemon::units::show_size;

/// Show how a pod is.
///
/// Exit code 0 whether it is mounted or not; --json says which.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = FIELDS_HELP)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    pod: PodArgs,
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
  network          what of it is in the network
  version          version of the program that serves it";

/// Asks and prints.
pub(super) fn run(args: &StatusArgs) -> Result<Exit, Fault> {
    let report = report::status(&args.pod.paths()?)?;
    if args.format.json {
        print::json(&report);
    } else {
        lines(&report).iter().for_each(print::line);
    }
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
    add("state in", Some(Quoted(&report.state_dir).to_string()));
    lines
}

fn show_time(seconds: u64) -> String {
    let time = Duration::from_secs(seconds).as_secs();
    match time {
        0..60 => format!("{time} s"),
        60..3600 => format!("{} min", time / 60),
        3600..86_400 => format!("{} h {} min", time / 3600, time / 60 % 60),
        _ => format!("{} d {} h", time / 86_400, time / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_documented() {
        let report = serde_json::to_value(StatusReport::default()).unwrap();
        for field in report.as_object().unwrap().keys() {
            assert!(FIELDS_HELP.contains(&format!("\n  {field} ")), "{field}");
        }
    }

    #[test]
    fn times() {
        for (seconds, shown) in [
            (59, "59 s"),
            (3599, "59 min"),
            (3660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(show_time(seconds), shown);
        }
    }
}
