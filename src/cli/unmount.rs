//! `podfs unmount DIR`

use std::path::PathBuf;

use clap::Args;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::PodPaths;
use crate::daemon::Quoted;
use crate::daemon::mountpoint;
use crate::daemon::unmount;

/// Unmount a pod and wipe its keys from memory.
///
/// Returns when everything is safe on disk and the daemon has ended. The bare folder stays closed for writing;
/// --release opens it again.
#[derive(Args, Clone, Debug)]
pub(super) struct UnmountArgs {
    /// The folder; without it the pod is unmounted wherever it is
    #[arg(value_hint = ValueHint::DirPath, required_if_eq("release", "true"))]
    dir: Option<PathBuf>,
    /// Name of the pod, or the path of its state folder
    #[arg(long, value_name = "NAME", conflicts_with = "dir")]
    pod: Option<String>,
    /// Cut off the programs that still use the folder
    #[arg(short = 'z', long, visible_alias = "force")]
    lazy: bool,
    /// Make the bare folder an ordinary one again, also when nothing is mounted
    #[arg(long)]
    release: bool,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Unmounts.
pub(super) fn run(args: &UnmountArgs) -> Result<Exit, Fault> {
    let done = match &args.dir {
        Some(dir) => unmount::folder(dir, args.lazy),
        None => unmount::pod(
            &PodPaths::of(args.pod.as_deref().unwrap_or("main"))?,
            args.lazy,
        ),
    };
    let point = match (done, &args.dir) {
        (Ok((point, _)), _) => point,
        (Err(fault), Some(dir)) if args.release && fault.kind == FaultKind::NotMounted => {
            dir.clone()
        }
        (Err(fault), _) => return Err(fault),
    };
    if args.release {
        mountpoint::release(&point)?;
    }
    if args.format.json {
        print::json(&serde_json::json!({ "mountpoint": point, "state": "not mounted" }));
    } else if print::is_terminal() {
        print::note(format!("unmounted {}", Quoted(&point)));
    }
    Ok(Exit::Done)
}
