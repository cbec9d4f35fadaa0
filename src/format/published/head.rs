use crate::crypto::Secret;
use crate::crypto::publish::HEAD_LEN;
use crate::format::published::attributes::{put_time, take_time};
use crate::format::published::journal::Journal;
use crate::format::published::sections::{
    Adopted, Batch, Root, Skippable, decode_batches, encode_batches,
};
use crate::format::wire::{Malformed, Reader};
use crate::types::Timespec;
use crate::types::limits::HEAD_BATCHES_MAX;
use zeroize::Zeroizing;

const WHAT: &str = "head";
const VERSION: u8 = 1;
/// The box has one key for all its files.
const ONE_SCOPE: u8 = 1;
/// In place of the index of a head before the first.
const NONE: u64 = u64::MAX;

/// Types of parts. Lower than 128: a reader that does not know one cannot read the head.
mod part {
    pub(super) const ROOT: u8 = 1;
    pub(super) const ADOPTED: u8 = 2;
    pub(super) const JOURNAL: u8 = 3;
    pub(super) const BATCHES: u8 = 4;
}

/// The newest published state of a box, as one device knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    /// Whether the box has one scope for all its files.
    pub one_scope: bool,
    /// Device whose feed this is.
    pub device: u16,
    /// Epoch of the pod.
    pub epoch: u32,
    /// Number of the box.
    pub box_number: u32,
    /// Epoch of the box.
    pub box_epoch: u32,
    /// Place in the feed: the sequence number.
    pub index: u64,
    /// Index of the head before and BLAKE3 of its sealed payload. Indices between the two were given up.
    pub previous: Option<(u64, [u8; 32])>,
    /// Random, chosen with the first head of the feed and the same in all.
    pub nonce: [u8; 16],
    /// When it was made.
    pub time: Timespec,
    /// Counter of the next inode that this device makes.
    pub next_ino: u64,
    /// The top directory.
    pub root: Root,
    /// What the first head of the feed went on from; the same in all.
    pub adopted: Option<Adopted>,
    /// What differs from the published directories.
    pub journal: Journal,
    /// The batches, in ascending order of their ids.
    pub batches: Vec<Batch>,
    /// Audit checkpoint, ring, and what later programs add; in ascending order of types.
    pub skippable: Vec<Skippable>,
}

impl Head {
    /// Type of the part that holds the checkpoint of the audit log.
    pub const AUDIT: u8 = 128;
    /// Type of the part that holds the keys of the epoch before: a [`Ring`](crate::format::published::Ring).
    pub const RING: u8 = 129;

    /// Fixed fields, parts, zeros.
    ///
    /// # Errors
    /// When the fields contradict each other, or the parts do not fit: then the directories must be written, so that
    /// the journal is empty again.
    pub fn encode(&self) -> Result<Secret<HEAD_LEN>, Malformed> {
        self.check()?;
        let parts = Zeroizing::new(self.parts()?);
        let length = u16::try_from(parts.len()).map_err(|_| Malformed(WHAT))?;
        let (previous, hash) = self.previous.unwrap_or((NONE, [0; 32]));
        let mut out = Zeroizing::new(Vec::with_capacity(HEAD_LEN));
        out.extend_from_slice(&[VERSION, u8::from(self.one_scope)]);
        out.extend_from_slice(&self.device.to_le_bytes());
        for field in [self.epoch, self.box_number, self.box_epoch] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&previous.to_le_bytes());
        out.extend_from_slice(&hash);
        out.extend_from_slice(&self.nonce);
        put_time(&mut out, Some(self.time));
        out.extend_from_slice(&self.next_ino.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&parts);
        Secret::try_fill_with(|head| {
            let filled = head.get_mut(..out.len()).ok_or(Malformed(WHAT))?;
            filled.copy_from_slice(&out);
            Ok(())
        })
    }

    /// Reads a head. That epoch, box, device and index are those of the place where it stood, the caller compares.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        let [version, flags]: [u8; 2] = reader.array()?;
        if bytes.len() != HEAD_LEN || version != VERSION || flags & !ONE_SCOPE != 0 {
            return Err(reader.malformed());
        }
        let device = reader.u16()?;
        let (epoch, box_number, box_epoch) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let (index, previous, hash) = (reader.u64()?, reader.u64()?, reader.array()?);
        if previous == NONE && hash != [0; 32] {
            return Err(reader.malformed());
        }
        let (nonce, time, next_ino) = (reader.array()?, take_time(&mut reader)?, reader.u64()?);
        let length = usize::from(reader.u16()?);
        let parts = Parts::decode(reader.bytes(length)?)?;
        if reader.rest().iter().any(|byte| *byte != 0) {
            return Err(reader.malformed());
        }
        let head = Self {
            one_scope: flags == ONE_SCOPE,
            device,
            epoch,
            box_number,
            box_epoch,
            index,
            previous: (previous != NONE).then_some((previous, hash)),
            nonce,
            time,
            next_ino,
            root: parts.root.ok_or(Malformed(WHAT))?,
            adopted: parts.adopted,
            journal: parts.journal.unwrap_or_default(),
            batches: parts.batches,
            skippable: parts.skippable,
        };
        head.check()?;
        Ok(head)
    }

    /// Per part: type u8, length u16, bytes; in strictly ascending order of types, none empty.
    fn parts(&self) -> Result<Vec<u8>, Malformed> {
        let mut out = Vec::with_capacity(HEAD_LEN);
        put_part(&mut out, part::ROOT, &self.root.encode()?)?;
        if let Some(adopted) = &self.adopted {
            put_part(&mut out, part::ADOPTED, &adopted.encode())?;
        }
        if !self.journal.changes.is_empty() {
            put_part(&mut out, part::JOURNAL, &self.journal.encode()?)?;
        }
        if !self.batches.is_empty() {
            put_part(&mut out, part::BATCHES, &encode_batches(&self.batches))?;
        }
        for skippable in &self.skippable {
            put_part(&mut out, skippable.kind, &skippable.bytes)?;
        }
        Ok(out)
    }

    fn check(&self) -> Result<(), Malformed> {
        let journal = &self.journal;
        let good = self.index != NONE
            && self.previous.is_none_or(|(before, _)| before < self.index)
            && self.time.nanos < 1_000_000_000
            && (!journal.changes.is_empty() || journal.group == 0 && journal.parity.is_empty())
            && self.batches.len() <= HEAD_BATCHES_MAX
            && self.batches.is_sorted_by(|one, other| one.id < other.id)
            && self.skippable.iter().all(Skippable::check)
            && self
                .skippable
                .is_sorted_by(|one, other| one.kind < other.kind);
        if good { Ok(()) } else { Err(Malformed(WHAT)) }
    }
}

/// The parts as they are found.
#[derive(Default)]
struct Parts {
    root: Option<Root>,
    adopted: Option<Adopted>,
    journal: Option<Journal>,
    batches: Vec<Batch>,
    skippable: Vec<Skippable>,
}

impl Parts {
    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        let (mut parts, mut before) = (Self::default(), 0);
        while !reader.is_empty() {
            let kind = reader.u8()?;
            let length = usize::from(reader.u16()?);
            let bytes = reader.bytes(length)?;
            if kind <= before || bytes.is_empty() {
                return Err(reader.malformed());
            }
            match kind {
                part::ROOT => parts.root = Some(Root::decode(bytes)?),
                part::ADOPTED => parts.adopted = Some(Adopted::decode(bytes)?),
                part::JOURNAL => parts.journal = Some(Journal::decode(bytes)?),
                part::BATCHES => parts.batches = decode_batches(bytes)?,
                _ if Skippable::may(kind) => parts.skippable.push(Skippable {
                    kind,
                    bytes: bytes.into(),
                }),
                _ => return Err(reader.malformed()),
            }
            before = kind;
        }
        Ok(parts)
    }
}

fn put_part(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) -> Result<(), Malformed> {
    let length = u16::try_from(bytes.len()).map_err(|_| Malformed(WHAT))?;
    if bytes.is_empty() {
        return Err(Malformed(WHAT));
    }
    out.push(kind);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}
