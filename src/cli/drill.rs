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

/// Rehearse the loss of this machine: bring the pod back from phrase and network alone, read some of it, and forget it.
///
/// Nothing on this machine is used or changed but a folder below TMPDIR, which is gone afterwards. Exit code 53 when
/// something does not come back.
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
        told(&report).iter().for_each(print::line);
    }
    let good = report.is_good();
    Ok(if good { Exit::Done } else { Exit::Missing })
}

fn told(report: &DrillReport) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{} names came back, {} files with {}, as they were on {}",
            report.names,
            report.files,
            show_size(report.bytes),
            show_date(report.time)
        ),
        format!(
            "{} pages of contents read, {} missing, in {} s",
            report.pages_read, report.pages_missing, report.seconds
        ),
    ];
    if report.attributes_missing > 0 {
        let count = report.attributes_missing;
        lines.push(format!(
            "extended attributes of {count} files or folders are missing"
        ));
    }
    lines.extend(report.trouble.clone());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_documented() {
        let report = DrillReport::default();
        assert_eq!(
            print::undocumented(&report, FIELDS_HELP),
            Vec::<String>::new()
        );
    }
}
