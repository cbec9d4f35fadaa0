//! `podfs scrub`

use clap::Args;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::bars;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::control::ScrubReport;
use crate::daemon::Fault;
use crate::daemon::follow::Follower;
use crate::types::limits::FOLLOW_MAX;

/// Look for the chunks of a pod in the network, and send again what is missing.
///
/// The pod must be mounted, and goes on with it when this command is interrupted. Exit code 53 when something is missing
/// that cannot be made again.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = FIELDS_HELP)]
pub(super) struct ScrubArgs {
    /// Look for all of them, not for a sample
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

const FIELDS_HELP: &str = "\
Fields of --json (more may come, none goes away):
  all              whether all chunks were looked for, or a sample
  total            chunks to be looked for
  checked          chunks looked for
  missing          chunks not found
  sent_again       of these, made and sent again
  done             whether it has ended";

/// Begins, and shows how far it is until it has ended.
pub(super) fn run(args: &ScrubArgs) -> Result<Exit, Fault> {
    let mut follower = Follower::of_pod(args.pod.paths()?)?;
    follower.scrub(args.all)?;
    let bar = bars::counting("looked for");
    let report = loop {
        let report = follower.progress()?.scrub.unwrap_or_default();
        bar.set_length(report.total);
        bar.set_position(report.checked);
        if report.done {
            break report;
        }
        follower.pause(FOLLOW_MAX)?;
    };
    bar.finish_and_clear();
    if args.format.json {
        print::json(&report);
    } else {
        print::line(told(&report));
    }
    let lost = report.missing > report.sent_again;
    Ok(if lost { Exit::Missing } else { Exit::Done })
}

fn told(report: &ScrubReport) -> String {
    let ScrubReport {
        checked,
        missing,
        sent_again,
        ..
    } = report;
    let kind = if report.all { "all" } else { "a sample" };
    match missing {
        0 => format!("{checked} chunks looked for ({kind}), none missing"),
        _ => format!(
            "{checked} chunks looked for ({kind}), {missing} missing, {sent_again} of them sent again"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found() {
        let mut report = ScrubReport {
            checked: 300,
            ..ScrubReport::default()
        };
        assert_eq!(
            print::undocumented(&report, FIELDS_HELP),
            Vec::<String>::new()
        );
        assert_eq!(
            told(&report),
            "300 chunks looked for (a sample), none missing"
        );
        (report.missing, report.sent_again) = (2, 1);
        assert!(told(&report).ends_with("2 missing, 1 of them sent again"));
    }
}
