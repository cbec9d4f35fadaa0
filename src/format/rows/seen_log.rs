//! Rows of what was seen of the audit logs of others.

use crate::crypto::identity::Fingerprint;
use crate::crypto::merkle::Hash;
use crate::format::audit::{SIGNED_CHECKPOINT_LEN, SignedCheckpoint};
use crate::format::published::{put_time, take_time};
use crate::format::rows::Key;
use crate::format::wire::{Malformed, Reader};
use crate::types::Timespec;

const WHAT: &str = "row of an audit log that was seen";
const TOLD: u8 = 1;
const ALARM: u8 = 2;
const SHOWN: u8 = 4;

/// Value of a `Z` row: the highest checkpoint that was seen of the audit log of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenLog {
    /// Whose log it is.
    pub contact: Fingerprint,
    /// The checkpoint.
    pub newest: SignedCheckpoint,
    /// Where it was seen.
    pub at: RecordAt,
    /// Whether the log was shown to go on, up to here, where it was countersigned last.
    pub is_shown: bool,
    /// What was countersigned last.
    pub told: Option<ToldLog>,
    /// Hash of a checkpoint that is not of the same log as this one, if one was met: nothing is countersigned any more.
    pub alarm: Option<[u8; 32]>,
}

/// What was countersigned of an audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldLog {
    /// Records in it.
    pub size: u64,
    /// The tree of these.
    pub root: Hash,
    /// When it was countersigned.
    pub when: Timespec,
}

/// A record in the feed of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordAt {
    /// The grant.
    pub grant: [u8; 16],
    /// Its index in the feed.
    pub index: u64,
    /// When it was made, as it says.
    pub time: Timespec,
}

impl SeenLog {
    /// Bytes of the row: fingerprint 32, signed checkpoint 213, grant 16, index u64, time 12, flags u8 (1 countersigned, 2
    /// alarm, 4 shown), with the first size u64, root 32 and time 12, with the second hash 32.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.contact.0.to_vec();
        out.extend_from_slice(&self.newest.encode());
        out.extend_from_slice(&self.at.grant);
        out.extend_from_slice(&self.at.index.to_le_bytes());
        put_time(&mut out, Some(self.at.time));
        let told = if self.told.is_some() { TOLD } else { 0 };
        let alarm = if self.alarm.is_some() { ALARM } else { 0 };
        let shown = if self.is_shown { SHOWN } else { 0 };
        out.push(told | alarm | shown);
        if let Some(told) = &self.told {
            out.extend_from_slice(&told.size.to_le_bytes());
            out.extend_from_slice(&told.root);
            put_time(&mut out, Some(told.when));
        }
        out.extend(self.alarm.iter().flatten());
        out
    }

    /// Reads a row.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        let contact = Fingerprint(reader.array()?);
        let newest = SignedCheckpoint::decode(reader.bytes(SIGNED_CHECKPOINT_LEN)?)?;
        let at = RecordAt {
            grant: reader.array()?,
            index: reader.u64()?,
            time: take_time(&mut reader)?,
        };
        let flags = reader.u8()?;
        if flags & !(TOLD | ALARM | SHOWN) != 0 {
            return Err(reader.malformed());
        }
        let told = if flags & TOLD != 0 {
            Some(ToldLog {
                size: reader.u64()?,
                root: reader.array()?,
                when: take_time(&mut reader)?,
            })
        } else {
            None
        };
        let alarm = (flags & ALARM != 0).then(|| reader.array()).transpose()?;
        reader.end()?;
        Ok(Self {
            contact,
            newest,
            at,
            is_shown: flags & SHOWN != 0,
            told,
            alarm,
        })
    }
}

/// Whether these are key and value of such a row.
///
/// # Errors
/// When they are not.
pub fn check_seen_log_row(key: &Key, value: &[u8]) -> Result<(), Malformed> {
    let row = SeenLog::decode(value)?;
    if *key == Key::seen_log(&row.contact) {
        Ok(())
    } else {
        Err(Malformed(WHAT))
    }
}
