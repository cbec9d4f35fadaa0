//! `podfs doctor`

use std::path::PathBuf;

use clap::Args;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::doctor;
use crate::daemon::doctor::Level;

/// Find out why something does not work, and what to do.
///
/// Looks at this machine, and at the nodes and batches of the pod when it has some. Exit code 26 when something does not
/// work.
#[derive(Args, Clone, Debug)]
pub(super) struct DoctorArgs {
    /// Also look at this mountpoint
    #[arg(value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Looks and prints.
pub(super) fn run(args: &DoctorArgs) -> Result<Exit, Fault> {
    let findings = doctor::examine(&args.pod.paths()?, args.dir.as_deref());
    if args.format.json {
        print::json(&findings);
    } else {
        for finding in &findings {
            let mark = match finding.level {
                Level::Good => "ok  ",
                Level::Warning => "warn",
                Level::Bad => "BAD ",
            };
            print::line(format!("{mark}  {:<14} {}", finding.check, finding.what));
            if let Some(fix) = &finding.fix {
                print::line(format!("      {:<14} next: {fix}", ""));
            }
        }
    }
    let bad = findings.iter().any(|finding| finding.level == Level::Bad);
    Ok(if bad { Exit::Found } else { Exit::Done })
}
