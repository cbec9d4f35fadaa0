//! `podfs version`

use clap::Args;

use crate::cli::args::FormatArgs;
use crate::cli::exit::Exit;
use crate::cli::print;

/// Print the version.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct VersionArgs {
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Prints it.
pub(super) fn run(args: VersionArgs) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    if args.format.json {
        print::json(&serde_json::json!({ "name": "podfs", "version": version }));
    } else {
        print::line(format!("podfs {version}"));
    }
    Exit::Done
}
