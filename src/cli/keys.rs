//! `podfs keys`

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::cli::replace;
use crate::cli::replace::ListArgs;
use crate::cli::replace::ReplaceArgs;
use crate::cli::replace::RotateArgs;
use crate::cli::successor;
use crate::cli::successor::HandoverArgs;
use crate::cli::successor::SuccessorArgs;
use crate::cli::token;
use crate::cli::token::TokenArgs;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::Quoted;
use crate::daemon::quorum;
use crate::daemon::quorum::Quorum;

/// The keys of a pod.
#[derive(Args, Clone, Debug)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum KeysCommand {
    List(ListArgs),
    Rotate(RotateArgs),
    Replace(ReplaceArgs),
    Successor(SuccessorArgs),
    Handover(HandoverArgs),
    Split(SplitArgs),
    Combine(CombineArgs),
    Token(TokenArgs),
}

/// Split the recovery phrase into shares, some of which give it back.
///
/// With 2-of-3 any two of three shares are the phrase, and one alone says nothing. Give each to somebody else, or put it
/// somewhere else. The phrase itself stays what it was.
#[derive(Args, Clone, Debug)]
struct SplitArgs {
    /// How many of how many, such as 2-of-3
    #[arg(value_name = "M-of-N")]
    quorum: Quorum,
    /// Read the recovery phrase from FILE instead of asking for it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    phrase_file: Option<PathBuf>,
    /// Write each share to a new file in this folder, readable by you alone, instead of showing them
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Get the recovery phrase back from its shares.
#[derive(Args, Clone, Debug)]
struct CombineArgs {
    /// Files with a share each; asked for when none is given
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    shares: Vec<PathBuf>,
    /// Write the recovery phrase to this new file, readable by you alone, instead of showing it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    phrase_file: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
}

impl KeysArgs {
    pub(super) fn wants_json(&self) -> bool {
        match &self.command {
            KeysCommand::List(args) => args.wants_json(),
            KeysCommand::Rotate(args) => args.wants_json(),
            KeysCommand::Replace(args) => args.wants_json(),
            KeysCommand::Successor(args) => args.wants_json(),
            KeysCommand::Handover(args) => args.wants_json(),
            KeysCommand::Split(args) => args.format.json,
            KeysCommand::Combine(args) => args.format.json,
            KeysCommand::Token(args) => args.wants_json(),
        }
    }
}

/// Does it.
pub(super) fn run(args: &KeysArgs) -> Result<Exit, Fault> {
    match &args.command {
        KeysCommand::List(args) => replace::list(args),
        KeysCommand::Rotate(args) => replace::rotate(args),
        KeysCommand::Replace(args) => replace::replace(args),
        KeysCommand::Successor(args) => successor::fix(args),
        KeysCommand::Handover(args) => successor::hand_over(args),
        KeysCommand::Split(args) => split(args),
        KeysCommand::Combine(args) => combine(args),
        KeysCommand::Token(args) => token::run(args),
    }
}

fn split(args: &SplitArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    if args.out.is_none() && !print::is_terminal() {
        return Err(no_terminal("the shares", "--out DIR"));
    }
    let phrase = ask::phrase(args.phrase_file.as_deref())?;
    let shares = quorum::split(&paths, &phrase, args.quorum)?;
    let Some(folder) = &args.out else {
        for (share, number) in shares.iter().zip(1..) {
            print::question(&format!("\nShare {number} of {}:\n\n", shares.len()));
            print::question(&format!("   {}\n\n", share.as_str()));
            ask::line("Write it down, then press Enter. ")?;
        }
        return Ok(Exit::Done);
    };
    let files = quorum::write_shares(folder, &shares)?;
    if args.format.json {
        print::json(&serde_json::json!({ "files": files }));
    } else if print::is_terminal() {
        for file in &files {
            print::note(format!("{}", Quoted(file)));
        }
    }
    Ok(Exit::Done)
}

fn combine(args: &CombineArgs) -> Result<Exit, Fault> {
    if args.phrase_file.is_none() && !print::is_terminal() {
        return Err(no_terminal("the recovery phrase", "--phrase-file FILE"));
    }
    let given = args.shares.iter().map(|file| quorum::read_share(file));
    let mut shares = given.collect::<Result<Vec<_>, _>>()?;
    if args.shares.is_empty() {
        while quorum::still_needed(&shares) > 0 {
            let question = format!("Share {}", shares.len() + 1);
            let typed = ask::secret_line(&question, "name the files with the shares")?;
            match quorum::parse_share(&typed, &question) {
                Ok(share) => shares.push(share),
                Err(fault) => print::fault(&fault),
            }
        }
    }
    let phrase = quorum::combine(&shares)?;
    match &args.phrase_file {
        Some(file) => quorum::write_phrase(file, &phrase)?,
        None => print::question(&format!("\n   {}\n\n", phrase.text().as_str())),
    }
    if args.format.json {
        print::json(&serde_json::json!({ "phrase_file": args.phrase_file }));
    }
    Ok(Exit::Done)
}

fn no_terminal(what: &str, flag: &str) -> Fault {
    let what = format!("there is no terminal to show {what} on");
    Fault::new(FaultKind::PassphraseSource, what).next(format!("give {flag}"))
}
