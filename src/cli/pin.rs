//! `podfs pin`

use std::path::PathBuf;

use clap::Args;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::Quoted;
use crate::daemon::follow::Follower;

/// Keep a file or folder on this machine.
///
/// What is not here yet is fetched, in the background; nothing of it is given up for want of space.
#[derive(Args, Clone, Debug)]
pub(super) struct PinArgs {
    /// File or folder in a mounted pod
    #[arg(value_hint = ValueHint::AnyPath)]
    path: PathBuf,
    /// It need not stay any longer
    #[arg(long)]
    off: bool,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Tells the daemon.
pub(super) fn run(args: &PinArgs) -> Result<Exit, Fault> {
    Follower::of_path(&args.path)?.pin(!args.off)?;
    if args.format.json {
        print::json(
            &serde_json::json!({ "path": args.path.to_string_lossy(), "pinned": !args.off }),
        );
    } else if print::is_terminal() {
        let stays = if args.off { "need not stay" } else { "stays" };
        print::note(format!("{} {stays} on this machine", Quoted(&args.path)));
    }
    Ok(Exit::Done)
}
