//! What opens the keyfile of a pod, and a new passphrase for it: by the old one, by a token, or by the recovery phrase.

use std::path::Path;

use zeroize::Zeroizing;

use crate::crypto::keys::RootKey;
use crate::crypto::phrase::Phrase;
use crate::daemon::enrol;
use crate::daemon::enrol::TokenAccess;
use crate::daemon::enrol::TokenWish;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::keyfile;
use crate::daemon::passphrase::Passphrase;
use crate::daemon::paths::PodPaths;
use crate::format::keyfile::Bundle;
use crate::format::keyfile::KeyfileError;
use crate::format::keyfile::NewPassphrase;
use crate::format::keyfile::Opener;
use crate::format::keyfile::change_passphrase;
use crate::format::keyfile::pod_id;
use crate::format::keyfile::unlock_with;
use crate::format::keyfile::ways;

/// A recovery phrase somebody gave.
pub struct GivenPhrase {
    phrase: Phrase,
}

impl GivenPhrase {
    /// Reads one from a file, in any number of lines.
    pub fn from_file(file: &Path) -> Result<Self, Fault> {
        let text = std::fs::read_to_string(file)
            .map(Zeroizing::new)
            .map_err(|error| {
                let what = format!("cannot read the recovery phrase from {}", Quoted(file));
                Fault::io(FaultKind::PassphraseSource, what, &error)
            })?;
        let phrase = Phrase::parse(&text).map_err(|error| {
            Fault::new(FaultKind::Phrase, format!("{}: {error}", Quoted(file)))
                .next("compare it with your copy, word by word")
        })?;
        Ok(Self { phrase })
    }

    /// Reads one that was typed.
    pub fn typed(text: &str) -> Result<Self, Fault> {
        let phrase = Phrase::parse(text).map_err(|error| {
            Fault::new(FaultKind::Phrase, error.to_string())
                .next("compare it with your copy, word by word")
        })?;
        Ok(Self { phrase })
    }

    /// The phrase.
    pub(super) const fn phrase(&self) -> &Phrase {
        &self.phrase
    }

    /// The root of everything that the phrase gives.
    pub(super) fn root(&self) -> RootKey {
        RootKey::derive(&self.phrase.seed(), None)
    }
}

/// What opens a keyfile, and so allows to change it.
pub enum Right<'a> {
    /// The passphrase so far.
    Passphrase(&'a Passphrase),
    /// The phrase; every passphrase so far ends when there is a new one.
    Phrase(&'a GivenPhrase),
    /// A token, likewise.
    Token(&'a TokenAccess),
}

/// Refuses what will not open the keyfile, before a new passphrase is asked for.
pub fn verify(paths: &PodPaths, right: &Right<'_>) -> Result<(), Fault> {
    open(paths, right).map(drop)
}

/// What the keyfile of the pod keeps.
pub(super) fn open(paths: &PodPaths, right: &Right<'_>) -> Result<Bundle, Fault> {
    let bytes = keyfile::load(&paths.keyfile())?;
    with_right(paths, &bytes, right, |opener| unlock_with(&bytes, opener))
}

/// The same with a passphrase, or the PIN of a token; it is wiped when this returns.
pub(super) fn open_with(
    paths: &PodPaths,
    token: Option<&TokenWish>,
    secret: Passphrase,
) -> Result<Bundle, Fault> {
    let Some(wish) = token else {
        return open(paths, &Right::Passphrase(&secret));
    };
    let access = TokenAccess {
        wish: wish.clone(),
        pin: secret,
    };
    open(paths, &Right::Token(&access))
}

/// Puts a keyfile with the new passphrase in place of the old one.
pub fn change(paths: &PodPaths, right: &Right<'_>, new: &Passphrase) -> Result<(), Fault> {
    let file = paths.keyfile();
    let bytes = keyfile::load(&file)?;
    let new = NewPassphrase {
        passphrase: new.expose(),
        cost: keyfile::calibrate(),
    };
    let entropy = &mut keyfile::system_entropy;
    let changed = with_right(paths, &bytes, right, |opener| {
        change_passphrase(&bytes, opener, &new, entropy)
    })?;
    keyfile::store(&file, &changed)
}

/// Does something with the keyfile `bytes` that takes something to open it.
pub(super) fn with_right<T>(
    paths: &PodPaths,
    bytes: &[u8],
    right: &Right<'_>,
    run: impl FnOnce(Opener<'_>) -> Result<T, KeyfileError>,
) -> Result<T, Fault> {
    let file = paths.keyfile();
    let done = match right {
        Right::Passphrase(passphrase) => {
            require_passphrase(paths, bytes)?;
            run(Opener::Passphrase(passphrase.expose()))
        }
        Right::Phrase(given) => {
            let id = pod_id(bytes).map_err(|error| keyfile::fault(&file, error))?;
            run(Opener::Recovery(&given.root().recovery(&id)))
        }
        Right::Token(access) => {
            let (key, answer) = enrol::answer(paths, bytes, access)?;
            run(Opener::Token {
                key: &key,
                answer: &answer,
            })
        }
    };
    done.map_err(|error| refused(&file, right, error))
}

/// Says so when no passphrase can be right, for only tokens open the pod.
fn require_passphrase(paths: &PodPaths, bytes: &[u8]) -> Result<(), Fault> {
    let is_closed = ways(bytes).is_ok_and(|ways| !ways.passphrase && !ways.tokens.is_empty());
    if !is_closed {
        return Ok(());
    }
    let what = format!(
        "no passphrase opens the pod {:?}, its token does",
        paths.name
    );
    let flag = paths.pod_flag();
    Err(Fault::new(FaultKind::PassphraseWrong, what).next(format!(
        "podfs mount --token DIR{flag}; for a passphrase again: podfs passwd --phrase-file FILE{flag}"
    )))
}

fn refused(file: &Path, right: &Right<'_>, error: KeyfileError) -> Fault {
    match (right, error) {
        (Right::Phrase(_), KeyfileError::NotOpened) => {
            let what = "this is not the recovery phrase of this pod, or the keyfile is damaged";
            Fault::new(FaultKind::Phrase, what).next("name the pod it belongs to: --pod NAME")
        }
        (Right::Token(_), KeyfileError::NotOpened) => {
            let what =
                "the token has another key than the pod was closed with, or the keyfile is damaged";
            Fault::new(FaultKind::PassphraseWrong, what)
                .next("the recovery phrase helps: podfs passwd --phrase-file FILE")
        }
        (_, error) => keyfile::fault(file, error),
    }
}
