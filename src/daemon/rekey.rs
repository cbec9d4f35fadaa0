//! A new passphrase for an existing pod, by the old one or by the recovery phrase.

use std::path::Path;

use zeroize::Zeroizing;

use crate::crypto::keys::RootKey;
use crate::crypto::phrase::Phrase;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::keyfile;
use crate::daemon::passphrase::Passphrase;
use crate::daemon::paths::PodPaths;
use crate::format::keyfile::KeyfileError;
use crate::format::keyfile::NewPassphrase;
use crate::format::keyfile::Opener;
use crate::format::keyfile::change_passphrase;
use crate::format::keyfile::pod_id;
use crate::format::keyfile::unlock;
use crate::format::keyfile::unlock_with_phrase;

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

/// What allows the change.
pub enum Right<'a> {
    /// The passphrase so far.
    Passphrase(&'a Passphrase),
    /// The phrase; every passphrase so far ends.
    Phrase(&'a GivenPhrase),
}

/// Refuses what will not open the keyfile, before a new passphrase is asked for.
pub fn verify(paths: &PodPaths, right: &Right<'_>) -> Result<(), Fault> {
    let file = paths.keyfile();
    let bytes = keyfile::load(&file)?;
    match right {
        Right::Passphrase(passphrase) => unlock(&bytes, passphrase.expose()).map(drop),
        Right::Phrase(given) => {
            let id = pod_id(&bytes).map_err(|error| keyfile::fault(&file, error))?;
            let root = RootKey::derive(&given.phrase.seed(), None);
            unlock_with_phrase(&bytes, &root.recovery(&id)).map(drop)
        }
    }
    .map_err(|error| refused(&file, right, error))
}

/// Puts a keyfile with the new passphrase in place of the old one.
pub fn change(paths: &PodPaths, right: &Right<'_>, new: &Passphrase) -> Result<(), Fault> {
    let file = paths.keyfile();
    let bytes = keyfile::load(&file)?;
    let cost = keyfile::calibrate();
    let new = NewPassphrase {
        passphrase: new.expose(),
        cost,
    };
    let entropy = &mut keyfile::system_entropy;
    let changed = match right {
        Right::Passphrase(old) => {
            change_passphrase(&bytes, Opener::Passphrase(old.expose()), &new, entropy)
        }
        Right::Phrase(given) => {
            let id = pod_id(&bytes).map_err(|error| keyfile::fault(&file, error))?;
            let recovery = RootKey::derive(&given.phrase.seed(), None).recovery(&id);
            change_passphrase(&bytes, Opener::Recovery(&recovery), &new, entropy)
        }
    };
    let changed = changed.map_err(|error| refused(&file, right, error))?;
    keyfile::store(&file, &changed)
}

fn refused(file: &Path, right: &Right<'_>, error: KeyfileError) -> Fault {
    match (right, error) {
        (Right::Phrase(_), KeyfileError::NotOpened) => {
            let what = "this is not the recovery phrase of this pod, or the keyfile is damaged";
            Fault::new(FaultKind::Phrase, what).next("name the pod it belongs to: --pod NAME")
        }
        (_, error) => keyfile::fault(file, error),
    }
}
