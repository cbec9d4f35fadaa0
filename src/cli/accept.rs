//! `podfs accept`

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::cli::shares::describe_received;
use crate::daemon::Fault;
use crate::daemon::Quoted;
use crate::daemon::sharing::SharingClient;

/// Take what somebody shares: it is seen in the folder from now on, under "Shared with me".
///
/// Nothing of it is copied into the pod. What is new of it comes by itself, and it goes when the grant ends.
#[derive(Args, Clone, Debug)]
pub(super) struct AcceptArgs {
    /// Id of the grant or of its message, as podfs inbox tells it, or its beginning
    id: String,
    /// The name under which it is seen, in place of its own
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A folder in the pod where a link to it is made; it leads nowhere once the grant is over
    #[arg(long, value_name = "DIR", conflicts_with = "pod")]
    into: Option<PathBuf>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Takes it.
pub(super) fn run(args: &AcceptArgs) -> Result<Exit, Fault> {
    let name = args.name.as_deref();
    let (grant, link) = match &args.into {
        None => {
            let mut client = SharingClient::of_pod(&args.pod.paths()?)?;
            (client.accept(&args.id, name)?, None)
        }
        Some(dir) => {
            let mut client = SharingClient::of_path(dir)?;
            let (grant, link) = client.accept_into(&args.id, name, dir)?;
            (grant, Some(link))
        }
    };
    if args.format.json {
        print::json(&grant);
        return Ok(Exit::Done);
    }
    print::line(describe_received(&grant));
    if let Some(link) = link {
        print::note(format!("a link to it is {}", Quoted(&link)));
    }
    if grant.version.is_none() && grant.ended.is_none() {
        print::note("nothing of it was published yet: it appears by itself");
    }
    if grant.rights == "append" && grant.ended.is_none() {
        print::note("files and folders can be added to it");
    }
    Ok(Exit::Done)
}
