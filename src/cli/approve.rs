//! `podfs approve`

use std::path::PathBuf;

use clap::Args;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::cli::share::list;
use crate::cli::shares::describe;
use crate::cli::when::Edge;
use crate::cli::when::typed;
use crate::daemon::Fault;
use crate::daemon::sharing::Instead;
use crate::daemon::sharing::SharingClient;

/// Share what a contact asked for.
///
/// They get what the request names, with the rights, for the purpose and until the day that it names, or what you give
/// them for it.
#[derive(Args, Clone, Debug)]
pub(super) struct ApproveArgs {
    /// Id of the request, as podfs requests tells it, or its beginning
    id: String,
    /// File or folder in a mounted pod, in place of the path that the request names
    #[arg(value_hint = ValueHint::AnyPath)]
    path: Option<PathBuf>,
    /// Until when, in place of what was asked for: 2026-12-31, 2026-12-31T12:00Z, or 30d from now
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// What they may do, in place of what was asked for: read; or also append; or also write
    #[arg(long, value_name = "RIGHTS", value_parser = ["read", "append", "write"])]
    rights: Option<String>,
    /// List the names that would become readable, and share nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Shares it.
pub(super) fn run(args: &ApproveArgs) -> Result<Exit, Fault> {
    let instead = Instead {
        rights: args.rights.clone(),
        until: typed(args.until.as_deref(), Edge::End)?,
    };
    let mut client = match &args.path {
        Some(path) => SharingClient::of_path(path)?,
        None => SharingClient::of_pod(&args.pod.paths()?)?,
    };
    if args.dry_run {
        let grant = client.would_approve(&args.id, instead)?;
        let path = match &args.path {
            Some(path) => path.clone(),
            None => client.mountpoint()?.join(grant.path.unwrap_or_default()),
        };
        return list(&path, args.format);
    }
    let grant = client.approve(&args.id, instead)?;
    if args.format.json {
        print::json(&grant);
    } else {
        print::line(describe(&grant));
    }
    Ok(Exit::Done)
}
