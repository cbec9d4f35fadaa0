use std::fmt;

use crate::crypto::merkle::Hash;
use crate::format::audit::{Record, SignedCheckpoint, Witness, records};
use crate::format::wire::Malformed;
use crate::share::audit::Tail;
use crate::types::Timespec;

/// Who holds a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The newest published head of the pod.
    Head,
    /// Whoever wrote the log to a file.
    Export,
    /// Somebody else, called so.
    Person(String),
    /// Somebody who is called so by whoever wrote the log to a file; and the key that signed, which the card of that person
    /// would have.
    Claimed(String, [u8; 32]),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("the published head"),
            Self::Export => f.write_str("the export"),
            Self::Person(name) => write!(f, "{name:?}"),
            Self::Claimed(name, key) => {
                let key = hex::encode(key);
                write!(f, "{name:?}, if the key on their card is {key},")
            }
        }
    }
}

/// A checkpoint, and who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who.
    pub by: Holder,
    /// What.
    pub signed: SignedCheckpoint,
    /// Whether all its signatures are right.
    pub is_signed: bool,
}

impl Held {
    /// A checkpoint of the pod's own.
    pub fn own(by: Holder, signed: SignedCheckpoint) -> Self {
        Self {
            by,
            signed,
            is_signed: signed.is_signed(),
        }
    }

    /// A checkpoint that somebody countersigned.
    pub fn witnessed(by: Holder, witness: &Witness) -> Self {
        Self {
            by,
            signed: witness.seen,
            is_signed: witness.is_signed(),
        }
    }
}

/// What a log is compared with.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Which log it has to be.
    pub origin: [u8; 32],
    /// The key that has to have signed its end, when that is known.
    pub key: Option<[u8; 32]>,
    /// Checkpoints.
    pub held: Vec<Held>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// This is no record, or only the beginning of one.
    Unreadable,
    /// The record that was made with this number stands in its place: it was moved, or others were dropped.
    Moved(u64),
    /// It is not what was signed: it was changed, or something before it was added or dropped.
    Changed,
    /// From here on another key signs than the one that has to.
    Stranger,
    /// From here on records are missing that were there at a checkpoint.
    Missing {
        /// Records at the checkpoint.
        size: u64,
        /// Who holds it.
        holder: Holder,
    },
    /// At least one record from here to the checkpoint is not what it was then: the log was written anew.
    Rewritten {
        /// Records at the checkpoint.
        size: u64,
        /// Who holds it.
        holder: Holder,
    },
    /// A checkpoint is not signed as it has to be, or is of another log.
    Unsigned(Holder),
}

impl Wrong {
    /// What it is called where programs read it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Moved(_) => "moved",
            Self::Changed => "changed",
            Self::Stranger => "stranger",
            Self::Missing { .. } => "missing",
            Self::Rewritten { .. } => "rewritten",
            Self::Unsigned(_) => "unsigned",
        }
    }
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Number of the first record that it touches; nothing when it is a checkpoint.
    pub record: Option<u64>,
    /// What it is.
    pub wrong: Wrong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.record.unwrap_or_default();
        let last = |size: &u64| size.saturating_sub(1);
        match &self.wrong {
            Wrong::Unreadable => write!(f, "record {record} is no record, or was cut off"),
            Wrong::Moved(number) => write!(
                f,
                "record {number} stands in the place of record {record}: records were dropped or moved"
            ),
            Wrong::Changed => write!(f, "record {record} is not what was signed"),
            Wrong::Stranger => write!(f, "from record {record} on another key has signed"),
            Wrong::Missing { size, holder } => write!(
                f,
                "records {record} to {} are missing: the log was cut before the checkpoint that {holder} holds",
                last(size)
            ),
            Wrong::Rewritten { size, holder } => write!(
                f,
                "records {record} to {} were written anew: they are not those of the checkpoint that {holder} holds",
                last(size)
            ),
            Wrong::Unsigned(holder) => {
                write!(
                    f,
                    "the checkpoint that {holder} holds is not one of this log"
                )
            }
        }
    }
}

/// A checkpoint that the log has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Who holds it.
    pub by: Holder,
    /// Records at it.
    pub size: u64,
    /// When it was made.
    pub time: Timespec,
}

/// What became of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Records that were found good, from the first on.
    pub records: u64,
    /// The tree of these.
    pub root: Hash,
    /// The keys that signed, and the first record of each.
    pub keys: Vec<(u64, [u8; 32])>,
    /// The checkpoints that it agrees with.
    pub agreed: Vec<Agreed>,
    /// What is wrong, if anything.
    pub fault: Option<Fault>,
}

/// The records of a log in a file of the pod.
pub fn read(log: &[u8]) -> impl Iterator<Item = Result<Record, Malformed>> {
    records(log)
}

/// Looks at every record, then at every checkpoint; stops at the first thing that is wrong.
pub fn verify(
    log: impl IntoIterator<Item = Result<Record, Malformed>>,
    evidence: &Evidence,
) -> Verdict {
    let mut walk = Walk::new(evidence.origin);
    let mut fault = log.into_iter().find_map(|record| walk.step(record).err());
    let mut agreed = Vec::new();
    if fault.is_none() {
        fault = walk.compare(evidence, &mut agreed).err();
    }
    fault = fault.or_else(|| walk.stranger(evidence.key));
    Verdict {
        records: walk.size(),
        root: walk.root,
        keys: walk.keys,
        agreed,
        fault,
    }
}

struct Walk {
    tail: Tail,
    root: Hash,
    keys: Vec<(u64, [u8; 32])>,
    /// Hashes of the checkpoints behind the records.
    passed: Vec<[u8; 32]>,
}

impl Walk {
    fn new(origin: [u8; 32]) -> Self {
        Self {
            tail: Tail::new(origin),
            root: crate::crypto::merkle::root(&[]),
            keys: Vec::new(),
            passed: Vec::new(),
        }
    }

    fn size(&self) -> u64 {
        u64::try_from(self.passed.len()).unwrap_or(u64::MAX)
    }

    fn step(&mut self, record: Result<Record, Malformed>) -> Result<(), Fault> {
        let number = self.size();
        let is = |wrong| Fault {
            record: Some(number),
            wrong,
        };
        let record = record.map_err(|_| is(Wrong::Unreadable))?;
        if let Some(other) = record.number().filter(|other| *other != number) {
            return Err(is(Wrong::Moved(other)));
        }
        let signed = self.tail.follow(&record);
        let signed = signed.map_err(|_| is(Wrong::Unreadable))?;
        if !signed.is_signed() {
            return Err(is(Wrong::Changed));
        }
        if self.keys.last().is_none_or(|(_, key)| *key != signed.key) {
            self.keys.push((number, signed.key));
        }
        self.root = signed.checkpoint.root;
        self.passed.push(signed.checkpoint.hash());
        Ok(())
    }

    fn stranger(&self, expected: Option<[u8; 32]>) -> Option<Fault> {
        let (record, key) = self.keys.last()?;
        expected.filter(|expected| expected != key)?;
        Some(Fault {
            record: Some(*record),
            wrong: Wrong::Stranger,
        })
    }

    fn compare(&self, evidence: &Evidence, agreed: &mut Vec<Agreed>) -> Result<(), Fault> {
        let mut held: Vec<&Held> = evidence.held.iter().collect();
        held.sort_by_key(|held| held.signed.checkpoint.size);
        let mut good = 0;
        for held in held {
            let (by, checkpoint) = (held.by.clone(), &held.signed.checkpoint);
            if !held.is_signed || checkpoint.origin != evidence.origin {
                return Err(Fault {
                    record: None,
                    wrong: Wrong::Unsigned(by),
                });
            }
            let size = checkpoint.size;
            let at = size.checked_sub(1).and_then(|at| usize::try_from(at).ok());
            let Some(passed) = at.and_then(|at| self.passed.get(at)) else {
                return Err(Fault {
                    record: Some(self.size()),
                    wrong: Wrong::Missing { size, holder: by },
                });
            };
            if *passed != checkpoint.hash() {
                return Err(Fault {
                    record: Some(good),
                    wrong: Wrong::Rewritten { size, holder: by },
                });
            }
            good = size;
            let time = checkpoint.time;
            agreed.push(Agreed { by, size, time });
        }
        Ok(())
    }
}
