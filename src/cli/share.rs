//! `podfs share`

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::cli::shares::describe;
use crate::cli::when::Edge;
use crate::cli::when::typed;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::Quoted;
use crate::daemon::sharing::SharingClient;
use crate::daemon::sharing::Wish;

/// Share a file or folder with a contact, for reading, or to be added to or changed.
///
/// They see it in their own folder as soon as they accept, and every later version as it is published, until the grant
/// ends. What they were able to read they may keep: ending a grant takes nothing back. What they add to a folder becomes
/// the owner's a few seconds later; under a name that is taken it becomes a copy. What they change takes the place of
/// the owner's; where both changed it, theirs becomes a copy beside it, and nothing that anybody wrote is lost.
#[derive(Args, Clone, Debug)]
pub(super) struct ShareArgs {
    /// File or folder in a mounted pod
    #[arg(value_hint = ValueHint::AnyPath)]
    path: PathBuf,
    /// With whom: the name of a contact
    #[arg(long, value_name = "NAME")]
    with: String,
    /// What they may do: read; or also append, which is to add files and folders to a folder; or also write, which is to change, rename and remove what is there
    #[arg(long, value_name = "RIGHTS", default_value = "read", value_parser = ["read", "append", "write"])]
    rights: String,
    /// From when on: 2026-12-31, 2026-12-31T12:00Z, or 30d from now
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Until when: 2026-12-31, 2026-12-31T12:00Z, or 30d from now
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// What for; they see it, and it stands in the audit log
    #[arg(long = "for", value_name = "PURPOSE", default_value = "")]
    purpose: String,
    /// As it is now, and no later version
    #[arg(long)]
    snapshot: bool,
    /// List the names that would become readable, and share nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Shares it, or lists what that would open.
pub(super) fn run(args: &ShareArgs) -> Result<Exit, Fault> {
    let mut client = SharingClient::of_path(&args.path)?;
    let wish = Wish {
        with: args.with.clone(),
        rights: args.rights.clone(),
        from: typed(args.from.as_deref(), Edge::Start)?,
        until: typed(args.until.as_deref(), Edge::End)?,
        purpose: args.purpose.clone(),
        snapshot: args.snapshot,
    };
    if args.dry_run {
        client.would_share(wish)?;
        return list(&args.path, args.format);
    }
    let grant = client.share(wish)?;
    if args.format.json {
        print::json(&grant);
        return Ok(Exit::Done);
    }
    print::line(describe(&grant));
    if print::is_terminal() {
        let flag = client.flag();
        let id = grant.id.get(..8).unwrap_or(&grant.id);
        print::note(format!(
            "they get it with the next publication: podfs wait{flag}; it ends with podfs revoke {id}{flag}"
        ));
    }
    Ok(Exit::Done)
}

/// Every name that becomes readable, one a line, as they will see it.
pub(super) fn list(path: &Path, format: FormatArgs) -> Result<Exit, Fault> {
    let failed = |path: &Path, error: &std::io::Error| {
        Fault::io(
            FaultKind::Other,
            format!("cannot read {}", Quoted(path)),
            error,
        )
    };
    let top = path.canonicalize().map_err(|error| failed(path, &error))?;
    let above = top.parent().unwrap_or(Path::new("/")).to_owned();
    let (mut names, mut left) = (Vec::new(), vec![top]);
    while let Some(at) = left.pop() {
        names.push(at.strip_prefix(&above).unwrap_or(&at).to_owned());
        let kind = at.symlink_metadata().map_err(|error| failed(&at, &error))?;
        if !kind.is_dir() {
            continue;
        }
        let entries = std::fs::read_dir(&at).map_err(|error| failed(&at, &error))?;
        for entry in entries {
            left.push(entry.map_err(|error| failed(&at, &error))?.path());
        }
    }
    names.sort_unstable();
    let shown: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
    if format.json {
        print::json(&serde_json::json!({ "names": shown }));
    } else {
        for name in shown {
            print::line(Quoted(Path::new(&*name)));
        }
    }
    Ok(Exit::Done)
}
