//! `podfs passwd`

use std::path::PathBuf;

use clap::Args;
use clap::ValueHint;

use crate::cli::args::PodArgs;
use crate::cli::ask;
use crate::cli::ask::PassphraseArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::Passphrase;
use crate::daemon::rekey;
use crate::daemon::rekey::GivenPhrase;
use crate::daemon::rekey::Right;

/// Change the passphrase.
///
/// Asks for the old one, or takes the recovery phrase instead of it. A mounted pod stays mounted. An old copy of
/// the keyfile still opens with the old passphrase.
#[derive(Args, Clone, Debug)]
pub(super) struct PasswdArgs {
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    old: PassphraseArgs,
    /// Use the recovery phrase in FILE instead of the old passphrase
    #[arg(long, value_name = "FILE", group = "passphrase", value_hint = ValueHint::FilePath)]
    phrase_file: Option<PathBuf>,
    /// Read the new passphrase from the first line of FILE (- for standard input)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    new_passphrase_file: Option<PathBuf>,
}

/// Changes it.
pub(super) fn run(args: &PasswdArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    paths.require()?;
    let phrase;
    let passphrase;
    let right = if let Some(file) = &args.phrase_file {
        phrase = GivenPhrase::from_file(file)?;
        Right::Phrase(&phrase)
    } else {
        passphrase = args.old.read("Old passphrase")?;
        Right::Passphrase(&passphrase)
    };
    rekey::verify(&paths, &right)?;
    let new = match &args.new_passphrase_file {
        Some(file) => Passphrase::from_file(file)?,
        None => ask::typed_twice("New passphrase", "--new-passphrase-file")?,
    };
    rekey::change(&paths, &right, &new)?;
    if print::is_terminal() {
        print::note("the new passphrase holds from now on");
    }
    Ok(Exit::Done)
}
