//! What failed, said once: with which object, why, and what to type next.

use std::fmt;
use std::io;
use std::path::Path;

use serde::Deserialize;
use serde::Serialize;

/// The kinds a caller tells apart; `cli::exit` gives each its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// An option or argument that means nothing or contradicts another.
    Usage,
    /// The settings file cannot be read.
    Settings,
    /// There is no pod of this name.
    NoPod,
    /// There is one already, or it cannot be made.
    Init,
    /// No way to ask for the passphrase, or its source cannot be read.
    PassphraseSource,
    /// The passphrase is empty.
    PassphraseEmpty,
    /// The passphrase is wrong or the keyfile damaged; which of both is not known.
    PassphraseWrong,
    /// The recovery phrase is none, or not this pod's.
    Phrase,
    /// The keyfile cannot be written.
    KeyfileWrite,
    /// The mountpoint cannot be used.
    Mountpoint,
    /// The user stopped it.
    Interrupted,
    /// FUSE is missing or refuses.
    Fuse,
    /// The daemon does not answer or ended early.
    Daemon,
    /// `check` or `doctor` found something wrong.
    Found,
    /// Another process has the pod open.
    InUse,
    /// Programs hold the folder.
    Busy,
    /// The disk or the budget is full.
    NoSpace,
    /// The log or the state is damaged.
    Damaged,
    /// Nothing of ours is mounted there.
    NotMounted,
    /// Written by a newer podfs.
    TooNew,
    /// The state folder cannot be read or written.
    State,
    /// No node answers.
    Network,
    /// A node refuses, or is not what it was taken for.
    NodeRefused,
    /// The postage batch cannot be used.
    Batch,
    /// The pod has no such node, or none at all.
    NoNode,
    /// The money does not suffice: the wallet's, or what may be spent.
    Funds,
    /// It was not reached within the time that was given.
    Pending,
    /// What is looked for is not in the network, or not all of it.
    Missing,
    /// The state folder is older than what was published from it, or there are two of it.
    Overtaken,
    /// There is no such grant, or several.
    NoGrant,
    /// The grant has ended.
    GrantOver,
    /// There is no contact of that name.
    NoContact,
    /// A contact shows a card that their pinned one does not vouch for.
    CardChanged,
    /// What was given is no card, or none that can be used.
    NoCard,
    /// The token is not there, or cannot do what it is needed for.
    NoToken,
    /// The token refuses the PIN.
    PinWrong,
    /// The audit log is not what was signed.
    Tampered,
    /// There is no message of that id, or there are several.
    NoMessage,
    /// There is no box.
    NoBox,
    /// Anything else.
    Other,
}

/// One failure, for people and for the process that started us.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// For the exit code.
    pub kind: FaultKind,
    /// What failed, with which object, and why.
    pub what: String,
    /// The next command to type or thing to do.
    pub next: Option<String>,
}

impl Fault {
    /// A failure without advice yet.
    pub fn new(kind: FaultKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            next: None,
        }
    }

    /// Adds the advice.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// The same words under another kind.
    #[must_use]
    pub fn of_kind(self, kind: FaultKind) -> Self {
        Self { kind, ..self }
    }

    /// A system call failed: `kind`, unless the error itself says more (full or read-only disk).
    pub fn io(kind: FaultKind, what: impl fmt::Display, error: &io::Error) -> Self {
        let fault = Self::new(kind, format!("{what}: {error}"));
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        if full.contains(&error.kind()) {
            let next = "free some space on that disk, then try again";
            fault.of_kind(FaultKind::NoSpace).next(next)
        } else if error.kind() == io::ErrorKind::ReadOnlyFilesystem {
            let next = "make the disk writable, or mount the pod with -o ro";
            fault.of_kind(FaultKind::State).next(next)
        } else {
            fault
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Fault {}

/// A path for a terminal or a log: quoted, with every control and non-UTF-8 byte escaped.
#[derive(Clone, Copy)]
pub struct Quoted<'a>(pub &'a Path);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_path_cannot_steer_the_terminal() {
        let path = Path::new(OsStr::from_bytes(b"/a\x1b[2J\xff\n"));
        let shown = Quoted(path).to_string();
        assert!(
            shown.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{shown:?}"
        );
    }

    #[test]
    fn a_full_disk_is_told_whatever_was_tried() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(
            Fault::io(FaultKind::KeyfileWrite, "x", &full).kind,
            FaultKind::NoSpace
        );
    }
}
