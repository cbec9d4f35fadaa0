use crate::crypto::Secret;
use crate::crypto::identity::sign_public_key;
use crate::crypto::merkle::{Edge, Hash, leaf_hash};
use crate::format::audit::{Checkpoint, Content, Record, SignedCheckpoint, records};
use crate::format::wire::Malformed;
use crate::share::audit::Happening;
use crate::types::Timespec;

/// What an event says besides what happened.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// The wall clock.
    pub time: Timespec,
    /// Which machine of the pod this is.
    pub device: u16,
    /// Random, for this event alone.
    pub salt: [u8; 16],
}

/// Where a log ends: all that it takes to append to it, and to show that it grew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    origin: [u8; 32],
    edge: Edge,
    /// Hashes of all leaves.
    leaves: Vec<Hash>,
    /// Hash of the newest checkpoint.
    previous: [u8; 32],
    /// The key that signed last.
    key: Option<[u8; 32]>,
    newest: Option<SignedCheckpoint>,
}

impl Tail {
    /// Of a log without records, of the pod with this origin.
    pub fn new(origin: [u8; 32]) -> Self {
        Self {
            origin,
            edge: Edge::default(),
            leaves: Vec::new(),
            previous: [0; 32],
            key: None,
            newest: None,
        }
    }

    /// Of this log, as it stands there. That takes nothing for granted and finds nothing out: whether it was changed,
    /// [`verify`](crate::share::audit::verify) tells.
    ///
    /// # Errors
    /// When a record cannot be read: then nobody knows where the next one would begin.
    pub fn of(origin: [u8; 32], log: &[u8]) -> Result<Self, Malformed> {
        let mut tail = Self::new(origin);
        for record in records(log) {
            tail.follow(&record?)?;
        }
        Ok(tail)
    }

    /// Goes on behind this record; gives the checkpoint that it is signed as.
    ///
    /// # Errors
    /// When there is no key that signs it: the first record names one.
    pub fn follow(&mut self, record: &Record) -> Result<SignedCheckpoint, Malformed> {
        let key = record.key.or(self.key).ok_or(Malformed("audit record"))?;
        let checkpoint = self.grown(&record.leaf(), record.time());
        let signed = SignedCheckpoint {
            checkpoint,
            key,
            signature: record.signature,
        };
        (self.key, self.newest) = (Some(key), Some(signed));
        Ok(signed)
    }

    /// The checkpoint behind one more leaf.
    fn grown(&mut self, leaf: &[u8; 32], time: Timespec) -> Checkpoint {
        let leaf = leaf_hash(leaf);
        self.leaves.push(leaf);
        self.edge.push_hash(leaf);
        let checkpoint = Checkpoint {
            origin: self.origin,
            size: self.edge.size(),
            root: self.edge.root(),
            time,
            previous: self.previous,
        };
        self.previous = checkpoint.hash();
        checkpoint
    }

    /// Gives the bytes that record an event at the end of the log, and goes on behind them. `seed` is that of the key of
    /// this machine.
    ///
    /// # Errors
    /// When the clock shows what is no time.
    pub fn append(
        &mut self,
        happening: &Happening,
        said: &Circumstances,
        seed: &Secret<32>,
    ) -> Result<Vec<u8>, Malformed> {
        let event = happening.event(self.edge.size(), said).encode()?;
        let key = sign_public_key(seed);
        let mut record = Record {
            key: (self.key != Some(key)).then_some(key),
            signature: [0; _],
            content: Content::Full {
                salt: said.salt,
                event,
            },
        };
        let signed = self.grown(&record.leaf(), said.time).sign(seed);
        record.signature = signed.signature;
        (self.key, self.newest) = (Some(key), Some(signed));
        Ok(record.encode())
    }

    /// Records so far.
    pub const fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Hashes of the leaves of its tree.
    pub fn leaves(&self) -> &[Hash] {
        &self.leaves
    }

    /// The newest checkpoint.
    pub const fn newest(&self) -> Option<&SignedCheckpoint> {
        self.newest.as_ref()
    }
}
