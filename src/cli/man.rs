//! `podfs man`

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::CommandFactory;
use clap::ValueHint;
use clap_mangen::Man;

use crate::cli::args::Cli;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::Quoted;

/// Print the manual, or write all its pages.
///
/// To read it: podfs man | man -l -
#[derive(Args, Clone, Debug)]
pub(super) struct ManArgs {
    /// Write podfs.1 and a page for every command into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

/// Prints or writes.
pub(super) fn run(args: &ManArgs) -> Result<Exit, Fault> {
    let failed =
        |error: std::io::Error| Fault::io(FaultKind::Other, "cannot make the manual", &error);
    let program = Cli::command();
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        Man::new(program).render(&mut page).map_err(failed)?;
        print::raw(&page);
        return Ok(Exit::Done);
    };
    write_all(dir, "podfs".to_owned(), program)?;
    Ok(Exit::Done)
}

/// A page for the command, and one for each of its own.
fn write_all(dir: &Path, name: String, command: clap::Command) -> Result<(), Fault> {
    let inner: Vec<clap::Command> = command.get_subcommands().cloned().collect();
    for command in inner {
        let name = format!("{name}-{}", command.get_name());
        write_all(dir, name, command)?;
    }
    write(dir, name.clone(), command.display_name(name))
}

fn write(dir: &Path, name: String, command: clap::Command) -> Result<(), Fault> {
    let file = dir.join(format!("{name}.1"));
    let failed = |error: std::io::Error| {
        Fault::io(
            FaultKind::Other,
            format!("cannot write {}", Quoted(&file)),
            &error,
        )
    };
    let mut page = Vec::new();
    Man::new(command)
        .title(name)
        .render(&mut page)
        .map_err(failed)?;
    fs::write(&file, page).map_err(failed)
}
