//! Asking a person, and only one: without a terminal a question is an error that names the flag instead.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use zeroize::Zeroizing;

use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::Passphrase;
use crate::daemon::Quoted;
use crate::daemon::rekey::GivenPhrase;
use crate::types::limits::PASSPHRASE_MAX;

/// How often a new passphrase may be mistyped.
const TRIES: usize = 3;

/// Where the passphrase comes from; asked on the terminal when nothing is given.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct PassphraseArgs {
    /// Read the passphrase from the first line of FILE (- for standard input)
    #[arg(long, value_name = "FILE", group = "passphrase")]
    pub(super) passphrase_file: Option<PathBuf>,
    /// Read the passphrase from the inherited file descriptor N
    #[arg(long, value_name = "N", group = "passphrase")]
    pub(super) passphrase_fd: Option<i32>,
    /// Read the passphrase from what PROGRAM prints; repeat for its arguments
    #[arg(long, value_name = "PROGRAM", group = "passphrase")]
    pub(super) extpass: Vec<String>,
}

impl PassphraseArgs {
    /// Whether the user said where from.
    pub(super) fn is_given(&self) -> bool {
        self.passphrase_file.is_some() || self.passphrase_fd.is_some() || !self.extpass.is_empty()
    }

    /// The passphrase of an existing pod.
    pub(super) fn read(&self, question: &str) -> Result<Passphrase, Fault> {
        match self.given()? {
            Some(passphrase) => Ok(passphrase),
            None => typed(question, "--passphrase-file")?.not_empty(),
        }
    }

    /// A passphrase for a new keyfile: typed twice.
    pub(super) fn choose(&self, question: &str) -> Result<Passphrase, Fault> {
        match self.given()? {
            Some(passphrase) => Ok(passphrase),
            None => typed_twice(question, "--passphrase-file"),
        }
    }

    fn given(&self) -> Result<Option<Passphrase>, Fault> {
        if let Some(file) = &self.passphrase_file {
            return Passphrase::from_file(file).map(Some);
        }
        if let Some(number) = self.passphrase_fd {
            return Passphrase::from_descriptor(number).map(Some);
        }
        if !self.extpass.is_empty() {
            return Passphrase::from_program(&self.extpass).map(Some);
        }
        Ok(None)
    }
}

/// The address of a node, as it was typed or from a file. One with credentials must not stand in the list of
/// arguments, which everybody on this machine can read.
pub(super) fn address(
    typed: Option<&str>,
    file: Option<&Path>,
) -> Result<Zeroizing<String>, Fault> {
    if let Some(file) = file {
        let mut line = Zeroizing::new(String::new());
        let mut source: Box<dyn BufRead> = if file == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            Box::new(io::BufReader::new(
                File::open(file).map_err(|error| no_address(file, &error))?,
            ))
        };
        source
            .read_line(&mut line)
            .map_err(|error| no_address(file, &error))?;
        return Ok(Zeroizing::new(line.trim().to_owned()));
    }
    let text = typed.unwrap_or_default();
    refuse_credentials(
        text,
        "put it into a file: --url-file FILE (- for standard input)",
    )?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Refuses an argument that is an address with credentials in it.
pub(super) fn refuse_credentials(text: &str, next: &str) -> Result<(), Fault> {
    let host = text.split_once("://").map_or("", |(_, rest)| rest);
    if host.split('/').next().unwrap_or_default().contains('@') {
        let what = "an address with credentials is read by others when it is typed as an argument";
        return Err(Fault::new(FaultKind::Usage, what).next(next));
    }
    Ok(())
}

/// Goes on when a person says yes, or has said so before with a flag.
pub(super) fn confirm(question: &str, said_before: bool, flag: &str) -> Result<(), Fault> {
    if said_before {
        return Ok(());
    }
    if !print::is_terminal() {
        return Err(Fault::new(FaultKind::Usage, question).next(format!("to agree: {flag}")));
    }
    let answer = line(&format!("{question} [y/N] "))?;
    if matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Fault::new(FaultKind::Interrupted, "nothing was done"))
}

fn no_address(file: &Path, error: &io::Error) -> Fault {
    let what = format!("cannot read the address of the node from {}", Quoted(file));
    Fault::io(FaultKind::Usage, what, error)
}

/// Asks without echo.
pub(super) fn typed(question: &str, flag: &str) -> Result<Passphrase, Fault> {
    if !print::is_terminal() {
        let what = "there is no terminal to ask for the passphrase";
        return Err(Fault::new(FaultKind::PassphraseSource, what)
            .next(format!("give {flag} FILE (- for standard input)")));
    }
    print::question(&format!("{question}: "));
    let line = rpassword::read_password()
        .map(Zeroizing::new)
        .map_err(|error| {
            Fault::io(
                FaultKind::PassphraseSource,
                "cannot read the passphrase",
                &error,
            )
        })?;
    if line.len() > PASSPHRASE_MAX {
        let what = format!("the passphrase is longer than {PASSPHRASE_MAX} bytes");
        return Err(Fault::new(FaultKind::PassphraseSource, what));
    }
    Ok(Passphrase::from_bytes(Zeroizing::new(
        line.as_bytes().to_vec(),
    )))
}

/// Asks for something secret that is not a passphrase, without echo. Without a terminal `next` is what to do instead.
pub(super) fn secret_line(question: &str, next: &str) -> Result<Zeroizing<String>, Fault> {
    if !print::is_terminal() {
        let what = format!("there is no terminal to ask for it: {question}");
        return Err(Fault::new(FaultKind::PassphraseSource, what).next(next));
    }
    let typed = typed(question, "")?;
    let text = std::str::from_utf8(typed.expose());
    let text = text.map_err(|error| Fault::new(FaultKind::Phrase, error.to_string()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The recovery phrase, from its file or from a person.
pub(super) fn phrase(file: Option<&Path>) -> Result<GivenPhrase, Fault> {
    if let Some(file) = file {
        return GivenPhrase::from_file(file);
    }
    let question = "Recovery phrase, 24 words";
    GivenPhrase::typed(&secret_line(question, "give --phrase-file FILE")?)
}

/// Asks until it was typed twice the same.
pub(super) fn typed_twice(question: &str, flag: &str) -> Result<Passphrase, Fault> {
    for _ in 0..TRIES {
        let first = typed(question, flag)?.not_empty()?;
        let again = typed("Again", flag)?;
        if first.same(&again) {
            return Ok(first);
        }
        print::note("that was not the same, once more");
    }
    Err(Fault::new(
        FaultKind::PassphraseSource,
        "the passphrase was not typed twice the same",
    ))
}

/// Asks for a line that may be seen.
pub(super) fn line(question: &str) -> Result<Zeroizing<String>, Fault> {
    print::question(question);
    let mut line = Zeroizing::new(String::new());
    let count = io::stdin().lock().read_line(&mut line).map_err(|error| {
        Fault::io(
            FaultKind::PassphraseSource,
            "cannot read the answer",
            &error,
        )
    })?;
    if count == 0 {
        return Err(Fault::new(FaultKind::Interrupted, "the input ended"));
    }
    Ok(Zeroizing::new(line.trim().to_owned()))
}
