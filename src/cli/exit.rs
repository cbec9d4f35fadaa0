//! The exit codes. Scripts rest on them: a number never changes its meaning. Where gocryptfs has a code for
//! the same thing, it is the same number.

use crate::daemon::FaultKind;

/// What the process returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// An option or argument is unknown, missing or contradicts another.
    Usage = 2,
    /// There is no pod of that name.
    NoPod = 6,
    /// The pod exists already, or could not be made.
    Init = 7,
    /// The settings file cannot be read.
    Settings = 8,
    /// The passphrase cannot be read: no terminal, no such file, the program failed.
    PassphraseSource = 9,
    /// The mountpoint is missing, not empty, or in use by another file system.
    Mountpoint = 10,
    /// Anything not listed here.
    Other = 11,
    /// Wrong passphrase or damaged keyfile.
    PassphraseWrong = 12,
    /// The recovery phrase is none, or not this pod's.
    Phrase = 14,
    /// Interrupted.
    Interrupted = 15,
    /// FUSE is missing or refuses to mount.
    Fuse = 19,
    /// The daemon does not answer or ended early.
    Daemon = 20,
    /// The passphrase is empty.
    PassphraseEmpty = 22,
    /// The keyfile cannot be written.
    KeyfileWrite = 24,
    /// check or doctor found something wrong.
    Found = 26,
    /// Another process has the pod open.
    InUse = 40,
    /// The folder is busy: programs still use it.
    Busy = 41,
    /// The disk or the budget is full.
    NoSpace = 42,
    /// The log or the state is damaged.
    Damaged = 43,
    /// Nothing of podfs is mounted there.
    NotMounted = 44,
    /// The pod was written by a newer podfs.
    TooNew = 45,
    /// The state folder cannot be read or written.
    State = 46,
    /// No node of Swarm answers.
    Network = 47,
    /// A node refuses, or is not what it was taken for.
    NodeRefused = 48,
    /// The postage batch is unknown, over, full, young or mutable.
    Batch = 49,
    /// The pod has no such node, or none at all.
    NoNode = 50,
    /// The wallet, or the limit that was set, does not allow the price.
    Funds = 51,
    /// Not reached within the time that was given.
    Pending = 52,
    /// What is looked for is not in the network, or not all of it.
    Missing = 53,
    /// The state folder is older than what was published from it, or there are two of it.
    Overtaken = 54,
    /// There is no contact of that name.
    NoContact = 55,
    /// A contact shows a card that their pinned one does not vouch for.
    CardChanged = 56,
    /// What was given is no card, or none that can be used.
    NoCard = 57,
    /// There is no message of that id, or there are several.
    NoMessage = 58,
    /// There is no such grant, or several.
    NoGrant = 60,
    /// The grant has ended.
    GrantOver = 61,
    /// The audit log is not what was signed.
    Tampered = 62,
    /// The token refuses the PIN, or has locked it.
    PinWrong = 63,
    /// The token is not there, or cannot do what it is needed for.
    NoToken = 64,
    /// There is no box.
    NoBox = 70,
}

impl Exit {
    /// All of them with the sentence the man page prints.
    pub(super) const ALL: &[(Self, &str)] = &[
        (Self::Done, "done"),
        (
            Self::Usage,
            "an option or argument is unknown, missing or contradicts another",
        ),
        (Self::NoPod, "there is no pod of that name"),
        (Self::Init, "the pod exists already, or could not be made"),
        (Self::Settings, "the settings file cannot be read"),
        (
            Self::PassphraseSource,
            "the passphrase cannot be read: no terminal, no such file, the program failed",
        ),
        (
            Self::Mountpoint,
            "the mountpoint is missing, not empty, or in use by another file system",
        ),
        (Self::Other, "anything not listed here"),
        (Self::PassphraseWrong, "wrong passphrase or damaged keyfile"),
        (
            Self::Phrase,
            "the recovery phrase is none, or not this pod's",
        ),
        (Self::Interrupted, "interrupted"),
        (Self::Fuse, "FUSE is missing or refuses to mount"),
        (Self::Daemon, "the daemon does not answer or ended early"),
        (Self::PassphraseEmpty, "the passphrase is empty"),
        (Self::KeyfileWrite, "the keyfile cannot be written"),
        (Self::Found, "check or doctor found something wrong"),
        (Self::InUse, "another process has the pod open"),
        (Self::Busy, "the folder is busy: programs still use it"),
        (Self::NoSpace, "the disk or the budget is full"),
        (Self::Damaged, "the log or the state is damaged"),
        (Self::NotMounted, "nothing of podfs is mounted there"),
        (Self::TooNew, "the pod was written by a newer podfs"),
        (Self::State, "the state folder cannot be read or written"),
        (Self::Network, "no node of Swarm answers"),
        (
            Self::NodeRefused,
            "a node refuses, or is not what it was taken for",
        ),
        (
            Self::Batch,
            "the postage batch is unknown, over, full, young or mutable",
        ),
        (Self::NoNode, "the pod has no such node, or none at all"),
        (
            Self::Funds,
            "the wallet, or the limit that was set, does not allow the price",
        ),
        (Self::Pending, "not reached within the time that was given"),
        (
            Self::Missing,
            "what is looked for is not in the network, or not all of it",
        ),
        (
            Self::Overtaken,
            "the state folder is older than what was published from it, or there are two of it",
        ),
        (Self::NoContact, "there is no contact of that name"),
        (
            Self::CardChanged,
            "a contact shows a card that their pinned one does not vouch for",
        ),
        (
            Self::NoCard,
            "what was given is no card, or none that can be used",
        ),
        (
            Self::NoMessage,
            "there is no message of that id, or there are several",
        ),
        (
            Self::NoGrant,
            "there is no such grant, or there are several",
        ),
        (Self::GrantOver, "the grant has ended"),
        (Self::Tampered, "the audit log is not what was signed"),
        (
            Self::PinWrong,
            "the token refuses the PIN, or has locked it",
        ),
        (
            Self::NoToken,
            "the token is not there, or cannot do what it is needed for",
        ),
        (Self::NoBox, "there is no box"),
    ];

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The code of a failure.
    pub fn of(kind: FaultKind) -> Self {
        match kind {
            FaultKind::Usage => Self::Usage,
            FaultKind::Settings => Self::Settings,
            FaultKind::NoPod => Self::NoPod,
            FaultKind::Init => Self::Init,
            FaultKind::PassphraseSource => Self::PassphraseSource,
            FaultKind::PassphraseEmpty => Self::PassphraseEmpty,
            FaultKind::PassphraseWrong => Self::PassphraseWrong,
            FaultKind::Phrase => Self::Phrase,
            FaultKind::KeyfileWrite => Self::KeyfileWrite,
            FaultKind::Mountpoint => Self::Mountpoint,
            FaultKind::Interrupted => Self::Interrupted,
            FaultKind::Fuse => Self::Fuse,
            FaultKind::Daemon => Self::Daemon,
            FaultKind::Found => Self::Found,
            FaultKind::InUse => Self::InUse,
            FaultKind::Busy => Self::Busy,
            FaultKind::NoSpace => Self::NoSpace,
            FaultKind::Damaged => Self::Damaged,
            FaultKind::NotMounted => Self::NotMounted,
            FaultKind::TooNew => Self::TooNew,
            FaultKind::State => Self::State,
            FaultKind::Network => Self::Network,
            FaultKind::NodeRefused => Self::NodeRefused,
            FaultKind::Batch => Self::Batch,
            FaultKind::NoNode => Self::NoNode,
            FaultKind::Funds => Self::Funds,
            FaultKind::Pending => Self::Pending,
            FaultKind::Missing => Self::Missing,
            FaultKind::Overtaken => Self::Overtaken,
            FaultKind::NoContact => Self::NoContact,
            FaultKind::CardChanged => Self::CardChanged,
            FaultKind::NoCard => Self::NoCard,
            FaultKind::NoGrant => Self::NoGrant,
            FaultKind::GrantOver => Self::GrantOver,
            FaultKind::NoToken => Self::NoToken,
            FaultKind::PinWrong => Self::PinWrong,
            FaultKind::Tampered => Self::Tampered,
            FaultKind::NoMessage => Self::NoMessage,
            FaultKind::NoBox => Self::NoBox,
            FaultKind::Other => Self::Other,
        }
    }
}

/// The list for `--help` and the man page.
pub(super) fn table() -> String {
    let lines = Exit::ALL
        .iter()
        .map(|(exit, meaning)| format!("  {:>2}  {meaning}", exit.code()));
    let lines: Vec<String> = lines.collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_scripts_rest_on() {
        let numbers: Vec<u8> = Exit::ALL.iter().map(|(exit, _)| exit.code()).collect();
        let fixed = [
            0, 2, 6, 7, 8, 9, 10, 11, 12, 14, 15, 19, 20, 22, 24, 26, 40, 41, 42, 43, 44, 45, 46,
            47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62, 63, 64, 70,
        ];
        assert_eq!(numbers, fixed);
    }
}
