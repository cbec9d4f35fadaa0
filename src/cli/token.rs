//! `podfs keys token`

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::Subcommand;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask;
use crate::cli::ask::PassphraseArgs;
use crate::cli::exit::Exit;
use crate::cli::opening::ModuleArgs;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::PodPaths;
use crate::daemon::enrol;
use crate::daemon::enrol::KeyId;
use crate::daemon::enrol::KeyKind;
use crate::daemon::enrol::KeyWish;
use crate::daemon::enrol::TokenAccess;
use crate::daemon::enrol::WhichKey;
use crate::daemon::rekey;
use crate::daemon::rekey::GivenPhrase;
use crate::daemon::rekey::Right;

/// Tokens that open a pod, by PKCS #11.
///
/// A token is a device, or a program that acts as one, with a key that never leaves it. A pod that only a token opens
/// cannot be opened by who copies the state folder, whatever passphrase they know. The recovery phrase stays the way back.
#[derive(Args, Clone, Debug)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum TokenCommand {
    Add(AddArgs),
    List(ListArgs),
    Remove(RemoveArgs),
}

/// Let a token open the pod.
///
/// Takes the passphrase, and the PIN of the token. A key on the token opens the pod from then on: a new one, or one that is
/// there and cannot be read out. It is an AES-256 key; with --rsa one of RSA-2048 to RSA-4096 that decrypts. Adding the same
/// key once more changes what it is asked.
#[derive(Args, Clone, Debug)]
struct AddArgs {
    /// Label of the token, when there are several
    #[arg(long, value_name = "LABEL")]
    token: Option<String>,
    #[command(flatten)]
    module: ModuleArgs,
    /// Make a key on the token for it
    #[arg(long, required_unless_present = "id")]
    create: bool,
    /// An RSA key rather than one of AES, for what has no AES, such as a TPM
    #[arg(long)]
    rsa: bool,
    /// Id of the key on the token, in hexadecimal digits; with --create, of the new one
    #[arg(long, value_name = "HEX")]
    id: Option<TypedId>,
    #[command(flatten)]
    closing: ClosingArgs,
    #[command(flatten)]
    right: RightArgs,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Whether the passphrase goes.
#[derive(Args, Clone, Copy, Debug)]
struct ClosingArgs {
    /// Let no passphrase open the pod any more: the token alone does, and the recovery phrase brings a passphrase back
    #[arg(long)]
    only: bool,
    /// Agree to that without being asked
    #[arg(long, requires = "only")]
    yes: bool,
}

/// Show which tokens open the pod.
///
/// Takes no passphrase: it shows what the keyfile says to everybody who can read it.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = LIST_HELP)]
struct ListArgs {
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

const LIST_HELP: &str = "\
Fields of --json:
  passphrase      a passphrase opens the pod too
  tokens          those that do, each with label, serial and key, the id of the key on it";

/// Let a token open the pod no longer.
///
/// A copy of the keyfile from before still opens with it. The key stays on the token.
#[derive(Args, Clone, Debug)]
struct RemoveArgs {
    /// Label or serial number of the token
    #[arg(value_name = "TOKEN")]
    token: String,
    /// Id of the key on it, when several open the pod
    #[arg(long, value_name = "HEX")]
    id: Option<TypedId>,
    #[command(flatten)]
    right: RightArgs,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// What allows to change the keyfile.
#[derive(Args, Clone, Debug)]
struct RightArgs {
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Use the recovery phrase in FILE instead of the passphrase
    #[arg(long, value_name = "FILE", group = "passphrase", value_hint = ValueHint::FilePath)]
    phrase_file: Option<PathBuf>,
}

/// Id of a key as it is typed: with or without colons.
#[derive(Clone, Debug)]
struct TypedId(KeyId);

impl FromStr for TypedId {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let bytes = hex::decode(typed.replace(':', "")).ok();
        let id = bytes.as_deref().and_then(KeyId::new);
        id.map(Self)
            .ok_or_else(|| "an id is 1 to 32 bytes, in hexadecimal digits".to_owned())
    }
}

impl TokenArgs {
    pub(super) fn wants_json(&self) -> bool {
        match &self.command {
            TokenCommand::Add(args) => args.format.json,
            TokenCommand::List(args) => args.format.json,
            TokenCommand::Remove(args) => args.format.json,
        }
    }
}

impl RightArgs {
    /// Reads what allows it, and does it.
    fn with<T>(
        &self,
        paths: &PodPaths,
        run: impl FnOnce(&Right<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if let Some(file) = &self.phrase_file {
            return run(&Right::Phrase(&GivenPhrase::from_file(file)?));
        }
        let question = format!("Passphrase of the pod {:?}", paths.name);
        run(&Right::Passphrase(&self.passphrase.read(&question)?))
    }
}

/// Does it.
pub(super) fn run(args: &TokenArgs) -> Result<Exit, Fault> {
    match &args.command {
        TokenCommand::Add(args) => add(args),
        TokenCommand::List(args) => list(args),
        TokenCommand::Remove(args) => remove(args),
    }
}

fn add(args: &AddArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    paths.require()?;
    if args.closing.only {
        let question = "no passphrase will open the pod any more: without the token only the recovery phrase helps";
        ask::confirm(question, args.closing.yes, "--yes")?;
    }
    let wish = args.module.wish(args.token.clone(), &paths)?;
    let id = args.id.clone().map(|typed| typed.0);
    let key = KeyWish {
        kind: if args.rsa { KeyKind::Rsa } else { KeyKind::Aes },
        which: match id {
            Some(id) if !args.create => WhichKey::Of(id),
            id => WhichKey::New(id),
        },
    };
    let added = args.right.with(&paths, |right| {
        // A wrong passphrase is told before the PIN is asked for.
        rekey::verify(&paths, right)?;
        let pin = args.module.pin(&wish, &paths)?;
        let access = TokenAccess { wish, pin };
        enrol::add(&paths, right, &access, &key, args.closing.only)
    })?;
    if args.format.json {
        print::json(&added);
    } else if print::is_terminal() {
        let flag = paths.pod_flag();
        print::note(format!(
            "the token {:?} opens the pod: podfs mount --token DIR{flag}",
            added.label
        ));
    }
    Ok(Exit::Done)
}

fn list(args: &ListArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    paths.require()?;
    let report = enrol::report(&paths)?;
    if args.format.json {
        print::json(&report);
        return Ok(Exit::Done);
    }
    if !report.tokens.is_empty() {
        let shown = |text: &str| text.escape_debug().to_string();
        let rows = report
            .tokens
            .iter()
            .map(|token| [shown(&token.label), shown(&token.serial), token.key.clone()]);
        print::table(
            &["token", "serial number", "key"],
            &rows.collect::<Vec<_>>(),
        );
    }
    print::note(match (report.passphrase, report.tokens.is_empty()) {
        (true, true) => "a passphrase opens the pod, no token does",
        (true, false) => "a passphrase opens the pod, too",
        (false, false) => "no passphrase opens the pod",
        (false, true) => "nothing but the recovery phrase opens the pod",
    });
    Ok(Exit::Done)
}

fn remove(args: &RemoveArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    paths.require()?;
    let id = args.id.as_ref().map(|typed| &typed.0);
    let removed = args.right.with(&paths, |right| {
        enrol::remove(&paths, right, &args.token, id)
    })?;
    if args.format.json {
        print::json(&removed);
    } else if print::is_terminal() {
        print::note(format!(
            "the token {:?} opens the pod no longer",
            removed.label
        ));
    }
    Ok(Exit::Done)
}
