//! `podfs revoke`

use clap::Args;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::cli::shares::describe;
use crate::daemon::Fault;
use crate::daemon::sharing::SharingClient;

/// End a grant: no version that is published from now on can be read with it.
///
/// What was readable until now they may have kept, and the keys to it: that cannot be taken back.
#[derive(Args, Clone, Debug)]
pub(super) struct RevokeArgs {
    /// Id of the grant, as podfs shares tells it, or its beginning
    id: String,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Ends it.
pub(super) fn run(args: &RevokeArgs) -> Result<Exit, Fault> {
    let grant = SharingClient::of_pod(&args.pod.paths()?)?.revoke(&args.id)?;
    if args.format.json {
        print::json(&grant);
        return Ok(Exit::Done);
    }
    print::line(describe(&grant));
    if print::is_terminal() {
        print::note(format!(
            "{} gets no later version. What could be read until now may have been kept.",
            grant.with
        ));
    }
    Ok(Exit::Done)
}
