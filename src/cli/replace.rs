//! `podfs keys list`, `podfs keys rotate`, `podfs keys replace`

use std::path::PathBuf;

use clap::Args;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask;
use crate::cli::exit::Exit;
use crate::cli::id::grouped;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::Passphrase;
use crate::daemon::enrol::TokenReport;
use crate::daemon::replace;
use crate::daemon::replace::Replacement;
use crate::daemon::replace::ReplacementPreview;
use crate::daemon::units::show_date;

/// Show the keys of the pod: what opens it, their epoch, and the card that names them.
///
/// Takes no passphrase. What opens it is what the keyfile says; the epoch and the card are told by the mounted pod.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = LIST_HELP)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

const LIST_HELP: &str = "\
Fields of --json:
  opens        passphrase: whether one opens the pod; tokens: those that do, each with label, serial and key
  epoch        of the keys, from 0; null when the pod is not mounted
  since        when the card that names them was made, in seconds since 1970
  card         its number
  fingerprint  of the identity that signed it, 64 hexadecimal digits
  sign         the Ed25519 key that signs messages and the audit log, 64 hexadecimal digits
  published    whether a node took the card
  successor    the identity that may follow it (podfs1…); null when none is fixed";

/// Put new keys in the place of those of a mounted pod, when nobody else has them.
///
/// What opens the pod stays: passphrase and tokens. Everything else is as with `podfs keys replace`, which is for keys
/// that somebody else may have.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = DONE_HELP)]
pub(super) struct RotateArgs {
    #[command(flatten)]
    asked: AskedArgs,
}

/// Put new keys in the place of those of a mounted pod, since somebody else may have them.
///
/// For a machine that was lost or copied. The folder stays mounted, nothing is sent again, and what is shared goes on:
/// others find the new card by themselves. From then on whoever has the old keys opens nothing newer, and nobody believes
/// what they publish. What was readable with them may have been kept. A new passphrase and the recovery phrase open the
/// pod then; tokens have to be added again. What this machine keeps is still sealed with its own secret: when its state
/// folder can be copied again, recover the pod on another machine.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = DONE_HELP)]
pub(super) struct ReplaceArgs {
    #[command(flatten)]
    asked: AskedArgs,
    /// Read the new passphrase from the first line of FILE (- for standard input)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    new_passphrase_file: Option<PathBuf>,
}

const DONE_HELP: &str = "\
Fields of --json:
  epoch           of the keys from now on
  resumed         whether it was begun before, and was gone on with
  tokens_dropped  tokens that opened the pod, and do no more

Fields of --json with --dry-run:
  epoch           of the keys now
  tokens_dropped  tokens that would open the pod no more
  grants          how many grants would go on with the new keys
  contacts        how many contacts would find the new card
  card            whether the pod has a card, which a new one would follow";

#[derive(Args, Clone, Debug)]
struct AskedArgs {
    /// Read the recovery phrase from FILE instead of asking for it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    phrase_file: Option<PathBuf>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

impl ListArgs {
    pub(super) const fn wants_json(&self) -> bool {
        self.format.json
    }
}

impl RotateArgs {
    pub(super) const fn wants_json(&self) -> bool {
        self.asked.format.json
    }
}

impl ReplaceArgs {
    pub(super) const fn wants_json(&self) -> bool {
        self.asked.format.json
    }
}

/// Shows the keys.
pub(super) fn list(args: &ListArgs) -> Result<Exit, Fault> {
    let report = replace::report(&args.pod.paths()?)?;
    if args.format.json {
        print::json(&report);
        return Ok(Exit::Done);
    }
    let passphrase = report.opens.passphrase.then(|| "passphrase".to_owned());
    let tokens = report.opens.tokens.iter().map(shown);
    let opens: Vec<String> = passphrase.into_iter().chain(tokens).collect();
    print::line(format!(
        "opened by    {}, recovery phrase",
        opens.join(", ")
    ));
    let Some(epoch) = report.epoch else {
        print::note("more is known when the pod is mounted");
        return Ok(Exit::Done);
    };
    print::line(format!("epoch        {epoch}"));
    match (report.card, report.since, &report.fingerprint) {
        (Some(card), Some(since), Some(fingerprint)) => {
            let since = show_date(since);
            let place = if report.published {
                "in the network"
            } else {
                "on this machine only"
            };
            print::line(format!(
                "card         number {card}, since {since}, {place}"
            ));
            print::line(format!("fingerprint  {}", grouped(fingerprint)));
            let successor = report.successor.as_deref();
            let successor = successor.unwrap_or("none: podfs keys successor");
            print::line(format!("successor    {successor}"));
        }
        _ => print::line("card         none: podfs id publish"),
    }
    Ok(Exit::Done)
}

/// Replaces keys that nobody else has.
pub(super) fn rotate(args: &RotateArgs) -> Result<Exit, Fault> {
    if args.asked.dry_run {
        return preview(&args.asked, false);
    }
    let paths = args.asked.pod.paths()?;
    let phrase = ask::phrase(args.asked.phrase_file.as_deref())?;
    let done = replace::replace(&paths, &phrase, None)?;
    told(args.asked.format, &done);
    Ok(Exit::Done)
}

/// Replaces keys that somebody else may have.
pub(super) fn replace(args: &ReplaceArgs) -> Result<Exit, Fault> {
    if args.asked.dry_run {
        return preview(&args.asked, true);
    }
    let paths = args.asked.pod.paths()?;
    // Before anything is asked for.
    replace::preview(&paths, true)?;
    let phrase = ask::phrase(args.asked.phrase_file.as_deref())?;
    let new = match &args.new_passphrase_file {
        Some(file) => Passphrase::from_file(file)?,
        None => ask::typed_twice("New passphrase", "--new-passphrase-file")?,
    };
    let done = replace::replace(&paths, &phrase, Some(&new))?;
    told(args.asked.format, &done);
    Ok(Exit::Done)
}

/// Tells what became of a replacement.
pub(super) fn told(format: FormatArgs, done: &Replacement) {
    if format.json {
        print::json(done);
        return;
    }
    let how = if done.resumed {
        "what was begun before is done"
    } else {
        "the keys are replaced"
    };
    print::line(format!("{how}: they are of epoch {} now", done.epoch));
    dropped(&done.tokens_dropped, "opens the pod no more");
}

fn preview(args: &AskedArgs, is_leaked: bool) -> Result<Exit, Fault> {
    let preview = replace::preview(&args.pod.paths()?, is_leaked)?;
    if args.format.json {
        print::json(&preview);
        return Ok(Exit::Done);
    }
    let ReplacementPreview {
        epoch,
        grants,
        contacts,
        card,
        tokens_dropped,
    } = preview;
    print::line(format!(
        "epoch      {epoch} now, {} then",
        epoch.saturating_add(1)
    ));
    print::line(format!("grants     {grants} go on with the new keys"));
    if card {
        print::line(format!(
            "contacts   {contacts} find the new card by themselves"
        ));
    }
    dropped(&tokens_dropped, "would open the pod no more");
    Ok(Exit::Done)
}

fn dropped(tokens: &[TokenReport], what: &str) {
    for token in tokens {
        print::note(format!("{} {what}: podfs keys token add", shown(token)));
    }
}

fn shown(token: &TokenReport) -> String {
    format!("token {:?}", token.label)
}
