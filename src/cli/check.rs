//! `podfs check`

use clap::Args;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask::PassphraseArgs;
use crate::cli::exit::Exit;
use crate::cli::opening;
use crate::cli::opening::Opening;
use crate::cli::opening::TokenArgs;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::MountOptions;
use crate::daemon::check;
use crate::daemon::check::CheckConfig;
use crate::daemon::lock;

/// Verify everything a pod has on this machine.
///
/// The pod must not be mounted. Nothing is changed but, with --rebuild, the index, which is made anew from the log.
/// Exit code 26 when something is wrong.
#[derive(Args, Clone, Debug)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    token: TokenArgs,
    /// Make the index anew from the log first
    #[arg(long)]
    rebuild: bool,
    /// Do not read the contents of files
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Checks and prints.
pub(super) fn run(args: &CheckArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    paths.require()?;
    lock::refuse_if_held(&paths.state)?;
    let opening = Opening::find(
        &paths,
        &args.passphrase,
        &args.token,
        &MountOptions::default(),
        &opening::settings()?,
    )?;
    let secret = opening.secret(&paths)?;
    let progress = |what: &str| {
        if print::is_terminal() {
            print::note(what);
        }
    };
    let config = CheckConfig {
        rebuild: args.rebuild,
        quick: args.quick,
    };
    let report = check::check(&paths, opening.token.as_ref(), secret, config, &progress)?;
    if args.format.json {
        print::json(&report);
    } else {
        let how = if args.quick { "" } else { ", all opened" };
        print::line(format!(
            "{} files, folders and links, {} names, {} pages of contents{how}",
            report.inodes, report.names, report.pages
        ));
        report
            .log
            .iter()
            .for_each(|damage| print::line(format!("BAD  {damage}")));
        report
            .findings
            .iter()
            .for_each(|finding| print::line(format!("BAD  {finding}")));
        if report.good {
            print::line("everything is in order");
        } else {
            print::line(format!("{} things are wrong", report.found));
            let flag = paths.pod_flag();
            print::note(format!(
                "next: save what is there: podfs mount -o ro DIR{flag}"
            ));
        }
    }
    Ok(if report.good { Exit::Done } else { Exit::Found })
}
