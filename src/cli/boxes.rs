//! `podfs box`

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::control::BoxReport;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::Quoted;
use crate::daemon::boxes::BoxClient;
use crate::daemon::units::show_size;

/// Folders with keys of their own.
///
/// What is in a box is sealed in the network under keys that open nothing else, and equal files in two boxes have no
/// chunk in common. A box can be mounted alone, for one app: podfs mount --box PATH DIR. Nothing is moved or linked
/// across its border: mv copies.
#[derive(Args, Clone, Debug)]
pub(super) struct BoxArgs {
    #[command(subcommand)]
    command: BoxCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum BoxCommand {
    Create(CreateArgs),
    List(ListArgs),
    Remove(RemoveArgs),
}

/// Make a box of a folder; one that is not there is made.
///
/// What is in it already is sealed anew and sent with the next publication, which costs as much as when it was sent for
/// the first time; podfs wait shows how far that is. What was sent under the old keys stays in the network as long as its
/// batch is paid.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = HELP)]
struct CreateArgs {
    /// Folder in a mounted pod, in no box and with none in it
    #[arg(value_hint = ValueHint::DirPath)]
    path: PathBuf,
    /// What equal pages are sent only once within. Whoever can watch the batch, or has a file of the scope, can test
    /// guesses at the contents of all files of it
    #[arg(long, value_name = "SCOPE", default_value = "file")]
    dedup: Dedup,
    /// Only show what would be sealed anew
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: FormatArgs,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Dedup {
    /// Versions of one file
    File,
    /// All files of the box: for backups and collections of photos
    Box,
}

/// Show all boxes.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = HELP)]
struct ListArgs {
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Make an ordinary folder of a box. What is in it stays, and is sealed anew under the keys of the pod.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = HELP)]
struct RemoveArgs {
    /// Folder in a mounted pod
    #[arg(value_hint = ValueHint::DirPath)]
    path: PathBuf,
    /// Only show what would be sealed anew
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: FormatArgs,
}

const HELP: &str = "\
Fields of --json, of list one object for each box:
  number      of the box, from 1; no other box of the pod ever has it
  path        of its folder, as seen from the top of the pod
  dedup       file or box
  mountpoint  where it is mounted alone; null when it is not
  names       what is sealed anew, of create and remove: files and folders
  bytes       the same in bytes of files";

impl BoxArgs {
    pub(super) fn wants_json(&self) -> bool {
        match &self.command {
            BoxCommand::Create(args) => args.format.json,
            BoxCommand::List(args) => args.format.json,
            BoxCommand::Remove(args) => args.format.json,
        }
    }
}

/// Does it.
pub(super) fn run(args: &BoxArgs) -> Result<Exit, Fault> {
    match &args.command {
        BoxCommand::Create(args) => create(args),
        BoxCommand::List(args) => list(args),
        BoxCommand::Remove(args) => remove(args),
    }
}

fn create(args: &CreateArgs) -> Result<Exit, Fault> {
    let is_new = !args.path.exists();
    if is_new {
        std::fs::create_dir(&args.path).map_err(|error| {
            let what = format!("cannot make the folder {}", Quoted(&args.path));
            Fault::io(FaultKind::Usage, what, &error)
        })?;
    }
    let client = BoxClient::of_path(&args.path);
    let made = client.and_then(|mut client| client.create(args.dedup == Dedup::Box, args.dry_run));
    if is_new && (made.is_err() || args.dry_run) {
        // What was made here goes again; somebody may have put something there meanwhile.
        drop(std::fs::remove_dir(&args.path));
    }
    let how = (args.dry_run, args.format.json);
    Ok(tell(&made?, how, "is a box now"))
}

fn remove(args: &RemoveArgs) -> Result<Exit, Fault> {
    let removed = BoxClient::of_path(&args.path)?.remove(args.dry_run)?;
    let how = (args.dry_run, args.format.json);
    Ok(tell(&removed, how, "is an ordinary folder now"))
}

fn tell(of: &BoxReport, (dry_run, json): (bool, bool), is_now: &str) -> Exit {
    if json {
        print::json(of);
        return Exit::Done;
    }
    let (names, bytes) = (of.names.unwrap_or(0), of.bytes.unwrap_or(0));
    let anew = format!("{names} files and folders, {}", show_size(bytes));
    if dry_run {
        print::line(format!("would be sealed anew: {anew}"));
    } else if print::is_terminal() {
        print::note(format!("{} {is_now}", Quoted(Path::new(&of.path))));
        if names > 0 {
            print::note(format!(
                "sealed anew with the next publication: {anew}. What was sent under the old keys stays as long as its batch is paid"
            ));
        }
    }
    Exit::Done
}

fn list(args: &ListArgs) -> Result<Exit, Fault> {
    let boxes = BoxClient::of_pod(&args.pod.paths()?)?.list()?;
    if args.format.json {
        print::json(&boxes);
        return Ok(Exit::Done);
    }
    for of in &boxes {
        let place = Quoted(Path::new(&of.path));
        let point = of.mountpoint.as_ref();
        let point = point.map_or_else(String::new, |point| {
            format!(", mounted at {}", Quoted(Path::new(point)))
        });
        print::line(format!("{}  {place}  dedup {}{point}", of.number, of.dedup));
    }
    if boxes.is_empty() && print::is_terminal() {
        print::note("there is no box");
    }
    Ok(Exit::Done)
}
