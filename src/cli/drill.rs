//! `podfs drill`

use clap::Args;

use crate::cli::args::FormatArgs;
use crate::cli::bars;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::cli::recover;
use crate::cli::recover::SourceArgs;
use crate::daemon::Fault;
use crate::daemon::drill;
use crate::daemon::drill::DrillParts;
use crate::daemon::drill::DrillReport;
use crate::daemon::units::show_date;
use crate::daemon::units::show_size;
use crate::daemon::units::show_time;
use crate::types::system_clock;

/// Rehearse the loss of this machine: bring the pod back from phrase and network alone, read some of it, and forget it.
///
/// Nothing on this machine is used or changed but a private folder below TMPDIR, else below /var/tmp or /tmp, which is
/// gone afterwards, also after Ctrl-C. Its contents are sealed. Exit code 53 when something does not come back.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = FIELDS_HELP)]
pub(super) struct DrillArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Read a page of so many files
    #[arg(long, value_name = "N", default_value_t = 256)]
    pages: u32,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

const FIELDS_HELP: &str = "\
Fields of --json (more may come, none goes away):
  time                when the newest state was published, in seconds since 1970
  names               names that came back
  files               of these, files
  bytes               bytes of their contents
  pages_read          pages of contents that were read and verified
  pages_missing       pages of contents that could not be had
  attributes_missing  files and folders whose extended attributes could not be had
  trouble             why the first page could not be had
  seconds             how long it took";

/// Rehearses and prints.
pub(super) fn run(args: &DrillArgs) -> Result<Exit, Fault> {
    let nodes = args.source.nodes()?;
    let phrase = args.source.phrase()?;
    let parts = DrillParts {
        phrase: &phrase,
        nodes: &nodes,
        pages: args.pages,
    };
    let bar = bars::waiting();
    let drilled = drill::drill(&parts, &|news| recover::show(&bar, news));
    bar.finish_and_clear();
    let report = drilled?;
    if args.format.json {
        print::json(&report);
    } else {
        let now = (system_clock())().secs;
        told(&report, now).iter().for_each(print::line);
    }
    let good = report.is_good();
    Ok(if good { Exit::Done } else { Exit::Missing })
}

fn told(report: &DrillReport, now: i64) -> Vec<String> {
    let age = u64::try_from(now.saturating_sub(report.time)).unwrap_or(0);
    let mut lines = vec![
        format!(
            "the newest state found is of {}, {} old",
            show_date(report.time),
            show_time(age)
        ),
        format!(
            "{} names came back, {} files with {}",
            report.names,
            report.files,
            show_size(report.bytes)
        ),
        format!(
            "{} pages of contents were read, {} are missing; it took {}",
            report.pages_read,
            report.pages_missing,
            show_time(report.seconds)
        ),
    ];
    if report.attributes_missing > 0 {
        let count = report.attributes_missing;
        lines.push(format!(
            "extended attributes of {count} files or folders are missing"
        ));
    }
    lines.extend(report.trouble.clone());
    let verdict = if report.is_good() {
        "nothing is missing of what was looked at"
    } else {
        "not all of it comes back; next, where the pod is mounted: podfs scrub --all"
    };
    lines.push(verdict.to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_ends_with_a_verdict() {
        let mut report = DrillReport {
            time: 1_767_225_600,
            names: 3,
            files: 2,
            bytes: 2048,
            pages_read: 2,
            ..DrillReport::default()
        };
        let lines = told(&report, 1_767_225_600 + 7200);
        assert_eq!(
            lines[0],
            "the newest state found is of 2026-01-01, 2 h 0 min old"
        );
        assert_eq!(lines[1], "3 names came back, 2 files with 2.0 KiB");
        assert!(lines.last().unwrap().starts_with("nothing is missing"));
        report.pages_missing = 1;
        let lines = told(&report, 0);
        assert!(lines.last().unwrap().contains("podfs scrub --all"));
    }

    #[test]
    fn every_field_is_documented() {
        let report = DrillReport::default();
        assert_eq!(
            print::undocumented(&report, FIELDS_HELP),
            Vec::<String>::new()
        );
    }
}
