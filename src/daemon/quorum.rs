//! The recovery phrase among several people or places, and back.

use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::crypto::Phrase;
use crate::crypto::phrase_share;
use crate::crypto::phrase_share::PhraseShare;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::keyfile;
use crate::daemon::paths::PodPaths;
use crate::daemon::rekey;
use crate::daemon::rekey::GivenPhrase;
use crate::daemon::rekey::Right;
use crate::format::text;
use crate::types::limits::PHRASE_FILE_MAX;
use crate::types::limits::SHARES_MAX;

/// How many shares there are, and how many of them give the phrase: `2-of-3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    threshold: u8,
    count: u8,
}

impl FromStr for Quorum {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let parts = typed.split_once("-of-");
        let numbers = parts.and_then(|(needed, all)| {
            Some(Self {
                threshold: needed.parse().ok()?,
                count: all.parse().ok()?,
            })
        });
        let sound = |quorum: &Self| {
            (2..=quorum.count).contains(&quorum.threshold) && quorum.count <= SHARES_MAX
        };
        numbers.filter(sound).ok_or_else(|| {
            format!("how many of how many, such as 2-of-3: at least 2, of at most {SHARES_MAX}")
        })
    }
}

/// The text of a share. Wiped when dropped.
pub type ShareText = Zeroizing<String>;

/// Splits a phrase. When the pod is on this machine, the phrase has to be its own.
///
/// # Errors
/// [`FaultKind::Phrase`]: it is another pod's.
pub fn split(
    paths: &PodPaths,
    phrase: &GivenPhrase,
    quorum: Quorum,
) -> Result<Vec<ShareText>, Fault> {
    if paths.exists() {
        rekey::verify(paths, &Right::Phrase(phrase))?;
    }
    let Quorum { threshold, count } = quorum;
    let entropy = &mut keyfile::system_entropy;
    let shares = phrase_share::split(phrase.phrase(), threshold, count, entropy);
    let shares = shares.map_err(|error| Fault::new(FaultKind::Other, error.to_string()))?;
    // Before anybody relies on it.
    let back = phrase_share::combine(&shares);
    if !back.is_ok_and(|back| *back.text() == *phrase.phrase().text()) {
        let what = "the shares do not give the phrase back";
        return Err(Fault::new(FaultKind::Other, what));
    }
    Ok(shares.iter().map(text::share).collect())
}

/// Writes shares to new files of mode 0600 in a folder, `share-1-of-3` and so on; gives their paths.
///
/// # Errors
/// [`FaultKind::Usage`]: one of them is there already, or cannot be written. Those before it stay.
pub fn write_shares(folder: &Path, shares: &[ShareText]) -> Result<Vec<PathBuf>, Fault> {
    let names = (1..=shares.len()).map(|number| format!("share-{number}-of-{}", shares.len()));
    let files: Vec<PathBuf> = names.map(|name| folder.join(name)).collect();
    if let Some(file) = files.iter().find(|file| file.exists()) {
        let what = format!("{} exists already", Quoted(file));
        return Err(
            Fault::new(FaultKind::Usage, what).next("name a folder without shares: --out DIR")
        );
    }
    for (file, share) in files.iter().zip(shares) {
        write_secret(file, share, (FaultKind::Usage, "a share"))?;
    }
    Ok(files)
}

/// A share as it stands in a file.
///
/// # Errors
/// [`FaultKind::Phrase`]: it is none, or misspelt. [`FaultKind::PassphraseSource`]: the file cannot be read.
pub fn read_share(file: &Path) -> Result<PhraseShare, Fault> {
    let unread = |error: &io::Error| {
        let what = format!("cannot read a share from {}", Quoted(file));
        Fault::io(FaultKind::PassphraseSource, what, error)
    };
    let found = std::fs::metadata(file).map_err(|error| unread(&error))?;
    let text = if !found.is_file() || found.len() > PHRASE_FILE_MAX {
        Zeroizing::default()
    } else {
        let text = std::fs::read_to_string(file);
        Zeroizing::new(text.map_err(|error| unread(&error))?)
    };
    parse_share(&text, &Quoted(file))
}

/// A share as it was typed.
///
/// # Errors
/// [`FaultKind::Phrase`]: it is none, or misspelt.
pub fn parse_share(typed: &str, from: &dyn std::fmt::Display) -> Result<PhraseShare, Fault> {
    text::read_share(typed).map_err(|_| {
        let what = format!("{from} is no share of a phrase, or it is misspelt");
        Fault::new(FaultKind::Phrase, what)
            .next("compare it with the original: podfsshare1 and 69 letters and digits")
    })
}

/// How many more shares are needed beside these, if that can be told.
pub fn still_needed(shares: &[PhraseShare]) -> usize {
    let needed = shares
        .first()
        .map_or(2, |share| usize::from(share.threshold));
    let mut numbers: Vec<u8> = shares.iter().map(|share| share.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    needed.saturating_sub(numbers.len())
}

/// The phrase that shares give.
///
/// # Errors
/// [`FaultKind::Phrase`] says what is missing or wrong.
pub fn combine(shares: &[PhraseShare]) -> Result<Phrase, Fault> {
    phrase_share::combine(shares).map_err(|error| {
        Fault::new(FaultKind::Phrase, error.to_string())
            .next("take shares that were made at the same time")
    })
}

/// Writes what nobody else may read to a new file of mode 0600; `what` says what it is.
pub(super) fn write_secret(
    file: &Path,
    text: &str,
    (kind, what): (FaultKind, &str),
) -> Result<(), Fault> {
    let line = Zeroizing::new(format!("{text}\n"));
    let written = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut out| out.write_all(line.as_bytes()).and_then(|()| out.sync_all()));
    written.map_err(|error| {
        let fault = Fault::io(
            kind,
            format!("cannot write {what} to {}", Quoted(file)),
            &error,
        );
        let next = [
            (
                io::ErrorKind::AlreadyExists,
                "name a file that does not exist yet",
            ),
            (
                io::ErrorKind::NotFound,
                "name a file in a folder that exists",
            ),
        ];
        match next.iter().find(|(of, _)| *of == error.kind()) {
            Some((_, next)) => fault.next(*next),
            None => fault,
        }
    })
}

/// Writes a phrase to a new file of mode 0600.
///
/// # Errors
/// [`FaultKind::Usage`]: it is there already, or cannot be written.
pub fn write_phrase(file: &Path, phrase: &Phrase) -> Result<(), Fault> {
    write_secret(
        file,
        &phrase.text(),
        (FaultKind::Usage, "the recovery phrase"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_is_some_of_more() {
        let quorum = |threshold, count| Ok(Quorum { threshold, count });
        assert_eq!("2-of-3".parse::<Quorum>(), quorum(2, 3));
        assert_eq!("5-of-5".parse::<Quorum>(), quorum(5, 5));
        for wrong in [
            "", "2", "1-of-3", "0-of-0", "4-of-3", "2-of-300", "2 of 3", "-of-",
        ] {
            assert!(wrong.parse::<Quorum>().is_err(), "{wrong}");
        }
    }
}
