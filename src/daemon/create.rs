//! A new pod: its phrase, its keys, its empty state. The keyfile is written last: it makes the pod exist.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use crate::crypto::EntropyError;
use crate::crypto::keys::RootKey;
use crate::crypto::phrase::Phrase;
use crate::daemon::build;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::keyfile;
use crate::daemon::lock::PodLock;
use crate::daemon::passphrase::Passphrase;
use crate::daemon::paths;
use crate::daemon::paths::PodPaths;
use crate::daemon::quorum;
use crate::format::keyfile::Bundle;
use crate::format::keyfile::NewPassphrase;
use crate::format::keyfile::create;

/// Number of the first pod, epoch and device under a phrase.
const FIRST: u32 = 0;
const FIRST_DEVICE: u16 = 0;

/// A recovery phrase that nothing was done with yet.
pub struct FreshPhrase {
    phrase: Phrase,
}

impl FreshPhrase {
    /// Draws one.
    pub fn draw() -> Result<Self, Fault> {
        let phrase = Phrase::generate(&mut keyfile::system_entropy).map_err(no_entropy)?;
        Ok(Self { phrase })
    }

    /// The words in order. Show them once, keep no copy.
    pub fn words(&self) -> Vec<&'static str> {
        self.phrase.words().collect()
    }

    /// Three different positions, counted from 0, to ask back.
    pub fn positions_to_ask(&self) -> Result<[usize; 3], Fault> {
        let count = self.phrase.words().count();
        let mut random = [0; 3];
        keyfile::system_entropy(&mut random).map_err(no_entropy)?;
        // One from each third: different by construction, in order for the reader.
        let third = count / 3;
        let [a, b, c] = random.map(|byte| usize::from(byte) % third.max(1));
        Ok([a, third + b, 2 * third + c])
    }

    /// Writes the phrase to a new file of mode 0600.
    pub fn write(&self, file: &Path) -> Result<(), Fault> {
        let what = (FaultKind::Init, "the recovery phrase");
        quorum::write_secret(file, &self.phrase.text(), what)
    }

    /// The root of everything that the phrase gives.
    pub(super) fn root(&self) -> RootKey {
        RootKey::derive(&self.phrase.seed(), None)
    }
}

/// A pod that is not written yet.
pub struct FreshPod {
    phrase: FreshPhrase,
}

impl FreshPod {
    /// Draws a phrase, after making sure that there is no pod in the way.
    pub fn draw(paths: &PodPaths) -> Result<Self, Fault> {
        refuse_existing(paths)?;
        let phrase = FreshPhrase::draw()?;
        Ok(Self { phrase })
    }

    /// Its phrase.
    pub const fn phrase(&self) -> &FreshPhrase {
        &self.phrase
    }

    /// Writes the pod. A failure leaves nothing behind.
    pub fn write(self, paths: &PodPaths, passphrase: &Passphrase) -> Result<(), Fault> {
        let failed = |error: io::Error| {
            let what = format!("cannot make the folder {}", Quoted(&paths.state));
            Fault::io(FaultKind::Init, what, &error)
        };
        paths::make_private(&paths.state).map_err(failed)?;
        let _lock = PodLock::acquire(&paths.state, None)?;
        refuse_existing(paths)?;
        refuse_remains(&paths.state)?;
        let written = self.write_parts(paths, passphrase);
        if written.is_err()
            && let Err(error) = std::fs::remove_dir_all(&paths.state)
        {
            tracing::warn!(%error, "an unfinished pod stays behind");
        }
        written
    }

    fn write_parts(self, paths: &PodPaths, passphrase: &Passphrase) -> Result<(), Fault> {
        let root = self.phrase.root();
        let entropy = &mut keyfile::system_entropy;
        let bundle =
            Bundle::enrol(&root, FIRST, FIRST, FIRST_DEVICE, entropy).map_err(no_entropy)?;
        let new = NewPassphrase {
            passphrase: passphrase.expose(),
            cost: keyfile::calibrate(),
        };
        let file = paths.keyfile();
        let bytes = create(&bundle, &new, &root.recovery(&bundle.pod_id), entropy)
            .map_err(|error| keyfile::fault(&file, error))?;
        build::create(paths, &bundle)?;
        keyfile::store_new(&file, &bytes)
    }
}

/// A log without its keyfile may still be somebody's data, should the keyfile be found again.
pub(super) fn refuse_remains(state: &Path) -> Result<(), Fault> {
    let own = [OsStr::new("lock"), OsStr::new("run")];
    let entries = std::fs::read_dir(state).map_err(|error| {
        Fault::io(
            FaultKind::State,
            format!("cannot read {}", Quoted(state)),
            &error,
        )
    })?;
    let mut names = entries.flatten().map(|entry| entry.file_name());
    if names.all(|name| own.contains(&name.as_os_str())) {
        return Ok(());
    }
    let what = format!("{} is not empty, and has no keyfile", Quoted(state));
    Err(Fault::new(FaultKind::Init, what)
        .next("put its keyfile podfs.key back, or move the folder away"))
}

pub(super) fn refuse_existing(paths: &PodPaths) -> Result<(), Fault> {
    if !paths.exists() {
        return Ok(());
    }
    let what = format!(
        "there is a pod {:?} already, in {}",
        paths.name,
        Quoted(&paths.state)
    );
    let flag = paths.pod_flag();
    Err(Fault::new(FaultKind::Init, what).next(format!(
        "mount it: podfs mount DIR{flag}; or give the new one another name: --pod NAME"
    )))
}

pub(super) fn no_entropy(error: EntropyError) -> Fault {
    Fault::new(FaultKind::Init, error.to_string())
}
