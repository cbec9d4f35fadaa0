//! One file per command. The only room that prints.
//!
//! A command turns what was typed into plain values, asks the daemon room, prints, and returns an [`Exit`];
//! nothing below this room sees the parser. A failure is printed once, here: what, why, what to type next.

mod accept;
mod access;
mod approve;
mod args;
mod ask;
mod audit;
mod bars;
mod bench;
mod boxes;
mod check;
mod completions;
mod contact;
mod csv;
mod doctor;
mod drill;
mod exit;
mod hidden;
mod id;
mod inbox;
mod init;
mod keys;
mod man;
mod migrate;
mod mount;
mod mount_helper;
mod node;
mod opening;
mod passwd;
mod pin;
mod print;
mod recover;
mod rent;
mod replace;
mod request;
mod revoke;
mod scrub;
mod share;
mod shares;
mod stamp;
mod status;
mod successor;
mod token;
mod unmount;
mod version;
mod wait;
mod when;

pub use exit::Exit;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use crate::cli::args::Cli;
use crate::cli::args::Command;
use crate::daemon::Fault;
use crate::daemon::handoff;
use crate::daemon::harden;
use crate::daemon::log;
use crate::daemon::log::LogTarget;
use crate::daemon::serve;

/// Does what the arguments (the program first) say.
pub fn run(arguments: Vec<OsString>) -> Exit {
    harden::process();
    let first = arguments.get(1).and_then(|argument| argument.to_str());
    if first == Some(handoff::DAEMON_ARGUMENT) {
        return finish(hidden::daemon(), false);
    }
    if first == Some(serve::PROBE_ARGUMENT) {
        return hidden::probe(arguments.get(2).map(PathBuf::from).unwrap_or_default());
    }
    if mount_helper::is_meant(&arguments) {
        start_log(false);
        return finish(mount_helper::run(&arguments), false);
    }
    match Cli::try_parse_from(arguments) {
        Ok(cli) => {
            start_log(matches!(&cli.command, Command::Mount(args) if args.run.debug));
            finish(dispatch(&cli.command), cli.command.wants_json())
        }
        Err(error) => {
            // Help and version arrive here as well.
            let code = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            if error.print().is_err() {
                tracing::debug!("nobody reads the help");
            }
            code
        }
    }
}

fn dispatch(command: &Command) -> Result<Exit, Fault> {
    match command {
        Command::Init(args) => init::run(args),
        Command::Mount(args) => mount::run(args),
        Command::Unmount(args) => unmount::run(args),
        Command::Status(args) => status::run(args),
        Command::Node(args) => node::run(args),
        Command::Stamp(args) => stamp::run(args),
        Command::Recover(args) => recover::run(args),
        Command::Drill(args) => drill::run(args),
        Command::Wait(args) => wait::run(args),
        Command::Scrub(args) => scrub::run(args),
        Command::Migrate(args) => migrate::run(args),
        Command::Pin(args) => pin::run(args),
        Command::Rent(args) => rent::run(args),
        Command::Id(args) => id::run(args),
        Command::Contact(args) => contact::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Share(args) => share::run(args),
        Command::Shares(args) => shares::run(args),
        Command::Access(args) => access::run(args),
        Command::Revoke(args) => revoke::run(args),
        Command::Approve(args) => approve::run(args),
        Command::Accept(args) => accept::run(args),
        Command::Inbox(args) => inbox::run(args),
        Command::Request(args) => request::run(args),
        Command::Requests(args) => request::list(args),
        Command::Deny(args) => request::deny(args),
        Command::Box(args) => boxes::run(args),
        Command::Keys(args) => keys::run(args),
        Command::Passwd(args) => passwd::run(args),
        Command::Check(args) => check::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Completions(args) => Ok(completions::run(*args)),
        Command::Man(args) => man::run(args),
        Command::Version(args) => Ok(version::run(*args)),
    }
}

fn finish(outcome: Result<Exit, Fault>, json: bool) -> Exit {
    outcome.unwrap_or_else(|fault| {
        if json {
            print::fault_json(&fault);
        }
        print::fault(&fault);
        Exit::of(fault.kind)
    })
}

fn start_log(debug: bool) {
    if let Err(error) = log::start(LogTarget::Stderr, debug) {
        print::note(format!("there is no log: {error}"));
    }
}
