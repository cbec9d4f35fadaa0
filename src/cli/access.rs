//! `podfs access`

use std::path::PathBuf;

use clap::Args;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::cli::shares::describe;
use crate::daemon::Fault;
use crate::daemon::sharing::SharingClient;

/// Show who can open a file or folder, and who could.
///
/// That is who was given it, or a folder that it stands in now. Whoever could read it once may have kept it. Nobody notes
/// where things stood before: who was given a folder that it was moved out of is not shown, and who was given the one that
/// it was moved into is, also if that was over by then. A grant of one version opens what was there then, which may be
/// without this, or with another version of it. The fields of --json are those of podfs shares.
#[derive(Args, Clone, Debug)]
pub(super) struct AccessArgs {
    /// File or folder in a mounted pod
    #[arg(value_hint = ValueHint::AnyPath)]
    path: PathBuf,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Prints it.
pub(super) fn run(args: &AccessArgs) -> Result<Exit, Fault> {
    let grants = SharingClient::of_path(&args.path)?.given()?;
    let (can, could): (Vec<_>, Vec<_>) =
        grants.into_iter().partition(|grant| grant.ended.is_none());
    if args.format.json {
        print::json(&serde_json::json!({ "can": can, "could": could }));
        return Ok(Exit::Done);
    }
    if can.is_empty() {
        print::line("nobody but you can open it");
    }
    for grant in &can {
        let then = if grant.snapshot {
            " (if it was there then, as it was then)"
        } else {
            ""
        };
        print::line(format!("{}{then}", describe(grant)));
    }
    for grant in &could {
        print::line(format!("{} (could, until then)", describe(grant)));
    }
    Ok(Exit::Done)
}
