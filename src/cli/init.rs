//! `podfs init`

use std::path::PathBuf;

use clap::Args;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask;
use crate::cli::ask::PassphraseArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::create::FreshPhrase;
use crate::daemon::create::FreshPod;

/// How often the three words may be given wrongly.
const TRIES: usize = 5;

/// Make a new pod and show its recovery phrase.
///
/// The phrase of 24 words gives back everything when the passphrase is forgotten or this machine is lost. It is
/// shown once; write it on paper. Whoever has it has the pod.
#[derive(Args, Clone, Debug)]
pub(super) struct InitArgs {
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Write the recovery phrase to this new file, readable by you alone, instead of showing it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    phrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Makes the pod.
pub(super) fn run(args: &InitArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    let fresh = FreshPod::draw(&paths)?;
    if args.phrase_file.is_none() && !print::is_terminal() {
        let what = "there is no terminal to show the recovery phrase on";
        return Err(Fault::new(FaultKind::PassphraseSource, what).next("give --phrase-file FILE"));
    }
    let question = "Passphrase for the new pod (six random words or more)";
    let passphrase = args.passphrase.choose(question)?;
    match &args.phrase_file {
        Some(file) => fresh.phrase().write(file)?,
        None => show(fresh.phrase(), not_given_back())?,
    }
    if let Err(fault) = fresh.write(&paths, &passphrase) {
        // The words belong to no pod: they would only mislead.
        if let Some(Err(error)) = args.phrase_file.as_ref().map(std::fs::remove_file) {
            print::note(format!("the phrase file stays behind: {error}"));
        }
        return Err(fault);
    }
    if args.format.json {
        print::json(&serde_json::json!({
            "pod": paths.name,
            "state_dir": paths.state,
            "phrase_file": args.phrase_file,
        }));
    } else if print::is_terminal() {
        print::note(format!(
            "made. Next: mkdir ~/Pod; podfs mount ~/Pod{}",
            paths.pod_flag()
        ));
    }
    Ok(Exit::Done)
}

fn not_given_back() -> Fault {
    let what = "the words were not given back; no pod was made";
    Fault::new(FaultKind::Interrupted, what).next("podfs init")
}

/// Shows the words and asks three back; who cannot give them gets nothing but this `fault`.
pub(super) fn show(fresh: &FreshPhrase, fault: Fault) -> Result<(), Fault> {
    let words = fresh.words();
    print::question("\nYour recovery phrase. Write it on paper; it is shown only now:\n\n");
    for (row, words) in words.chunks(4).enumerate() {
        let cells: Vec<String> = words
            .iter()
            .zip(1..)
            .map(|(word, at)| format!("{:>2} {word:<9}", row * 4 + at))
            .collect();
        print::question(&format!("   {}\n", cells.join("  ")));
    }
    print::question("\n");
    for _ in 0..TRIES {
        let mut right = true;
        for position in fresh.positions_to_ask()? {
            let answer = ask::line(&format!("Word {}: ", position + 1))?;
            right &= words
                .get(position)
                .is_some_and(|word| answer.eq_ignore_ascii_case(word));
        }
        if right {
            return Ok(());
        }
        print::note("that is not what is written above; look again");
    }
    Err(fault)
}
