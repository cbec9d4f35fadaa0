//! `podfs keys successor`, `podfs keys handover`

use std::path::PathBuf;

use clap::Args;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask;
use crate::cli::ask::PassphraseArgs;
use crate::cli::exit::Exit;
use crate::cli::init;
use crate::cli::opening::ModuleArgs;
use crate::cli::print;
use crate::cli::replace;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::Passphrase;
use crate::daemon::contacts::PeopleClient;
use crate::daemon::create::FreshPhrase;
use crate::daemon::enrol;
use crate::daemon::enrol::TokenAccess;
use crate::daemon::identity;
use crate::daemon::rekey;
use crate::daemon::rekey::GivenPhrase;
use crate::daemon::rekey::Right;
use crate::daemon::successor;

/// Fix a second phrase, once and for all, that may take the place of the recovery phrase.
///
/// For the day on which somebody else has the recovery phrase: until then whoever has it is you, and so is the thief. The
/// second phrase is shown once; keep it elsewhere. The card of the pod names its identity from now on, and never another
/// one, so contacts who have that card follow `podfs keys handover`, and nobody who has the first phrase alone.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = SUCCESSOR_HELP)]
pub(super) struct SuccessorArgs {
    /// Read the recovery phrase from FILE instead of asking for it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    phrase_file: Option<PathBuf>,
    /// Write the second phrase to this new file, readable by you alone, instead of showing it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    successor_file: Option<PathBuf>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

const SUCCESSOR_HELP: &str = "\
Fields of --json:
  successor       the identity of the second phrase, as others would add it: podfs1…
  successor_file  where the phrase was written";

/// Hand a mounted pod over to its successor, since somebody else has the recovery phrase.
///
/// Takes the second phrase, that of `podfs keys successor`, and what opens the pod. The folder stays mounted, nothing is
/// sent again, what is shared goes on, and contacts follow by themselves. From then on the second phrase is the recovery
/// phrase. The first one opens nothing newer, recovers nothing, and nobody believes what is published with it. What was
/// readable with it may have been kept. A new passphrase and the second phrase open the pod then; tokens have to be added
/// again.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = HANDOVER_HELP)]
pub(super) struct HandoverArgs {
    /// Read the second phrase from FILE instead of asking for it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    phrase_file: Option<PathBuf>,
    #[command(flatten)]
    opening: PassphraseArgs,
    #[command(flatten)]
    module: ModuleArgs,
    /// Read the new passphrase from the first line of FILE (- for standard input)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    new_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

const HANDOVER_HELP: &str = "\
Fields of --json:
  epoch           of the keys from now on
  resumed         whether it was begun before, and was gone on with
  tokens_dropped  tokens that opened the pod, and do no more";

impl SuccessorArgs {
    pub(super) const fn wants_json(&self) -> bool {
        self.format.json
    }
}

impl HandoverArgs {
    pub(super) const fn wants_json(&self) -> bool {
        self.format.json
    }
}

/// Fixes a successor.
pub(super) fn fix(args: &SuccessorArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    successor::require_unfixed(&paths)?;
    if args.successor_file.is_none() && !print::is_terminal() {
        let what = "there is no terminal to show the second phrase on";
        return Err(
            Fault::new(FaultKind::PassphraseSource, what).next("give --successor-file FILE")
        );
    }
    let phrase = ask::phrase(args.phrase_file.as_deref())?;
    let fresh = FreshPhrase::draw()?;
    match &args.successor_file {
        Some(file) => fresh.write(file)?,
        None => init::show(&fresh, not_given_back())?,
    }
    let fixed = successor::fix(&paths, &phrase, &fresh);
    let successor = fixed.inspect_err(|fault| follows_nobody(args, fault))?;
    let published = identity::publish(&mut PeopleClient::of_pod(&paths)?);
    if published.is_err() && !args.format.json {
        print::note(
            "the successor is fixed; nobody follows it who has not seen the card that says so",
        );
    }
    published?;
    if args.format.json {
        let file = &args.successor_file;
        print::json(&serde_json::json!({ "successor": successor, "successor_file": file }));
    } else {
        print::line(format!("successor    {successor}"));
    }
    Ok(Exit::Done)
}

/// No successor is known to be fixed.
fn follows_nobody(args: &SuccessorArgs, why: &Fault) {
    let is_refused = matches!(why.kind, FaultKind::Usage | FaultKind::Phrase);
    match &args.successor_file {
        // The words would only mislead.
        Some(file) if is_refused => {
            if let Err(error) = std::fs::remove_file(file) {
                print::note(format!("the phrase file stays behind: {error}"));
            }
        }
        // The answer alone may be lost, and the words are nowhere else.
        _ if !is_refused => print::note(
            "keep the second phrase until podfs keys list says that no successor is fixed",
        ),
        _ => {}
    }
}

fn not_given_back() -> Fault {
    let what = "the words were not given back; no successor is fixed";
    Fault::new(FaultKind::Interrupted, what).next("podfs keys successor")
}

/// Hands the pod over.
pub(super) fn hand_over(args: &HandoverArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    let question = "Second phrase, of podfs keys successor, 24 words";
    let phrase = match &args.phrase_file {
        Some(file) => GivenPhrase::from_file(file)?,
        None => GivenPhrase::typed(&ask::secret_line(question, "give --phrase-file FILE")?)?,
    };
    if let Some(done) = successor::go_on(&paths, &phrase)? {
        replace::told(args.format, &done);
        return Ok(Exit::Done);
    }
    let ways = enrol::report(&paths)?;
    let (access, passphrase);
    let right = if !args.opening.is_given() && !ways.passphrase && !ways.tokens.is_empty() {
        let wish = args.module.wish(None, &paths)?;
        let pin = args.module.pin(&wish, &paths)?;
        access = TokenAccess { wish, pin };
        Right::Token(&access)
    } else {
        passphrase = args.opening.read("Passphrase so far")?;
        Right::Passphrase(&passphrase)
    };
    rekey::verify(&paths, &right)?;
    let new = match &args.new_passphrase_file {
        Some(file) => Passphrase::from_file(file)?,
        None => ask::typed_twice("New passphrase", "--new-passphrase-file")?,
    };
    if let Err(fault) = successor::publish_fixed(&paths) {
        print::note(format!(
            "contacts who never had the card that fixes the successor have to be given the new one: {}",
            fault.what
        ));
    }
    let done = successor::hand_over(&paths, (&phrase, &right), &new)?;
    replace::told(args.format, &done);
    Ok(Exit::Done)
}
