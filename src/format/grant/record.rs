use zeroize::Zeroizing;

use crate::crypto::Secret;
use crate::crypto::publish::HEAD_LEN;
use crate::format::audit::{SIGNED_CHECKPOINT_LEN, SignedCheckpoint};
use crate::format::grant::Ended;
use crate::format::published::{Entry, put_time, take_time};
use crate::format::rows::FileKind;
use crate::format::wire::{Malformed, Reader};
use crate::types::Timespec;

use crate::crypto::merkle::Hash;
use crate::types::limits::LOG_PROOF_MAX;

const WHAT: &str = "record of a grant";
const VERSION: u16 = 1;
const UNTIL: u8 = 1;
const LOG: u8 = 2;
const LIVE: u8 = 0;

/// What the feed of a grant says at one index. The newest record counts.
#[derive(Clone, PartialEq, Eq)]
pub struct GrantRecord {
    /// The grant.
    pub grant: [u8; 16],
    /// Place in the feed.
    pub index: u64,
    /// BLAKE3 of the sealed payload of the record before; zeros in the first.
    pub previous: [u8; 32],
    /// When it was made.
    pub time: Timespec,
    /// Nothing new opens from then on, as it is agreed now; seconds since 1970.
    pub until: Option<i64>,
    /// What there is to read.
    pub state: RecordState,
    /// The audit log of whoever gives it, as it is published with what the record tells of.
    pub log: Option<ShownLog>,
}

/// How far an audit log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownLog {
    /// Its newest checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// What shows that it goes on where the recipient saw it end: how many records that is, and the consistency proof.
    pub since: Option<(u64, Vec<Hash>)>,
}

/// What a record gives.
#[derive(Clone, PartialEq, Eq)]
pub enum RecordState {
    /// The newest version: name, attributes, and in them the references that open it.
    Live(Box<Entry>),
    /// Nothing any more, and nothing follows.
    Ended(Ended),
}

impl GrantRecord {
    /// Version u16, grant 16, index u64, hash 32, time 12, what [`GrantRecord::said`] is the hash of; the audit log where the
    /// flags say so: signed checkpoint 213, size u64 (0: none is known), number of hashes u8, the hashes; zeros.
    ///
    /// # Errors
    /// When the first record has one before it, or what it shares cannot be shared.
    pub fn encode(&self) -> Result<Secret<HEAD_LEN>, Malformed> {
        if self.index == 0 && self.previous != [0; 32] {
            return Err(Malformed(WHAT));
        }
        let mut out = Zeroizing::new(Vec::with_capacity(HEAD_LEN));
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.grant);
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&self.previous);
        put_time(&mut out, Some(self.time));
        let flag = if self.log.is_some() { LOG } else { 0 };
        put_state(&mut out, flag, (self.until, &self.state))?;
        if let Some(log) = &self.log {
            log.put(&mut out)?;
        }
        Secret::try_fill_with(|record| {
            let filled = record.get_mut(..out.len()).ok_or(Malformed(WHAT))?;
            filled.copy_from_slice(&out);
            Ok(())
        })
    }

    /// Reads a record. That grant and index are those of the place where it stood, the caller compares.
    ///
    /// # Errors
    /// When it is none, or one of a later version.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        let version = reader.u16()?;
        if bytes.len() != HEAD_LEN || version != VERSION {
            return Err(reader.malformed());
        }
        let (grant, index, previous) = (reader.array()?, reader.u64()?, reader.array()?);
        let time = take_time(&mut reader)?;
        let (until, state, has_log) = take_state(&mut reader)?;
        let log = has_log.then(|| ShownLog::take(&mut reader)).transpose()?;
        let is_first = index == 0;
        if is_first && previous != [0; 32] || reader.rest().iter().any(|byte| *byte != 0) {
            return Err(reader.malformed());
        }
        Ok(Self {
            grant,
            index,
            previous,
            time,
            until,
            state,
            log,
        })
    }

    /// BLAKE3 of all that a record says but for its place in the feed, its time and the audit log: with the same hash,
    /// there is nothing new to tell.
    ///
    /// # Errors
    /// When what it shares cannot be shared.
    pub fn said(until: Option<i64>, state: &RecordState) -> Result<[u8; 32], Malformed> {
        let mut out = Zeroizing::new(Vec::with_capacity(HEAD_LEN));
        put_state(&mut out, 0, (until, state))?;
        Ok(*blake3::hash(&out).as_bytes())
    }
}

impl ShownLog {
    fn put(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        out.extend_from_slice(&self.checkpoint.encode());
        let (size, path) = match &self.since {
            Some((size, path)) if (1..=self.checkpoint.checkpoint.size).contains(size) => {
                (*size, path.as_slice())
            }
            Some(_) => return Err(Malformed(WHAT)),
            None => (0, [].as_slice()),
        };
        let count = u8::try_from(path.len()).ok();
        let count = count.filter(|count| usize::from(*count) <= LOG_PROOF_MAX);
        out.extend_from_slice(&size.to_le_bytes());
        out.push(count.ok_or(Malformed(WHAT))?);
        out.extend(path.iter().flatten());
        Ok(())
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let checkpoint = SignedCheckpoint::decode(reader.bytes(SIGNED_CHECKPOINT_LEN)?)?;
        let (size, count) = (reader.u64()?, usize::from(reader.u8()?));
        let is_none = size == 0 && count != 0;
        if is_none || size > checkpoint.checkpoint.size || count > LOG_PROOF_MAX {
            return Err(reader.malformed());
        }
        let path: Result<Vec<Hash>, _> = (0..count).map(|_| reader.array()).collect();
        let path = path?;
        Ok(Self {
            checkpoint,
            since: (size != 0).then_some((size, path)),
        })
    }
}

/// Flags u8, state u8, until i64 where the flag says so, of a live state the entry. `more` are flags of what follows.
fn put_state(
    out: &mut Vec<u8>,
    more: u8,
    (until, state): (Option<i64>, &RecordState),
) -> Result<(), Malformed> {
    let code = match state {
        RecordState::Live(entry) if can_be_shared(entry) => LIVE,
        RecordState::Live(_) => return Err(Malformed(WHAT)),
        RecordState::Ended(ended) => ended.code(),
    };
    out.extend_from_slice(&[more | if until.is_some() { UNTIL } else { 0 }, code]);
    out.extend(until.iter().flat_map(|until| until.to_le_bytes()));
    if let RecordState::Live(entry) = state {
        out.extend_from_slice(&Zeroizing::new(entry.encode()?));
    }
    Ok(())
}

/// The same, and whether the audit log follows.
fn take_state(reader: &mut Reader<'_>) -> Result<(Option<i64>, RecordState, bool), Malformed> {
    let [flags, code]: [u8; 2] = reader.array()?;
    if flags & !(UNTIL | LOG) != 0 {
        return Err(reader.malformed());
    }
    let until = (flags & UNTIL != 0).then(|| reader.i64()).transpose()?;
    if code != LIVE {
        let ended = Ended::of_code(code).ok_or(reader.malformed())?;
        return Ok((until, RecordState::Ended(ended), flags & LOG != 0));
    }
    let entry = Entry::take(reader)?;
    if !can_be_shared(&entry) {
        return Err(reader.malformed());
    }
    let state = RecordState::Live(Box::new(entry));
    Ok((until, state, flags & LOG != 0))
}

/// A file or a directory. Whether a box is attached to it is nothing to those it is shared with.
fn can_be_shared(entry: &Entry) -> bool {
    let kind = matches!(
        entry.attributes.kind(),
        FileKind::Regular | FileKind::Directory
    );
    kind && entry.attributes.attached.is_none()
}
