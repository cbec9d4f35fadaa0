//! Records of the node's log: `magic 4 ‖ kind 1 ‖ 0 3 ‖ length 4 ‖ check 8 ‖ body`, little-endian.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use podfs::types::Address;

use crate::node::chain::Batch;
use crate::node::hash::{CHUNK_MAX, Chunk};
use crate::node::network::Slot;

const MAGIC: [u8; 4] = *b"bee\n";
pub const HEADER: usize = 20;
/// Address, slot, identity, tag.
pub const STAMP_LEN: usize = 32 + 48 + 32 + 8;
const BODY_MAX: usize = STAMP_LEN + CHUNK_MAX;
/// How much of the log is read at a time.
const BLOCK: usize = 1 << 20;

/// One thing that happened.
pub enum Record {
    /// A stamp for a chunk, whose bytes stand at this place of the log, or earlier.
    Chunk {
        address: Address,
        slot: Slot,
        identity: Address,
        tag: u64,
        bytes: Option<(u64, usize)>,
    },
    Seen(u64),
    Forgotten(Address),
    Batch {
        batch: Batch,
        funds: u128,
        label: String,
    },
    Tag {
        uid: u64,
        started: u64,
        address: Option<Address>,
    },
    TagGone(u64),
    Pin(Address, bool),
}

impl Record {
    pub const CHUNK: u8 = 1;
    pub const STAMP: u8 = 2;
    pub const SEEN: u8 = 3;
    pub const FORGOTTEN: u8 = 4;
    pub const BATCH: u8 = 5;
    pub const TAG: u8 = 6;
    pub const TAG_GONE: u8 = 7;
    pub const PIN: u8 = 8;

    /// A record from its body, which begins at `at` in the log.
    fn decode(kind: u8, body: &[u8], at: u64) -> Option<Self> {
        let mut reader = Reader(body);
        let record = match kind {
            Self::CHUNK | Self::STAMP => {
                let stamp = reader.stamp(at)?;
                return Some(stamp.without_bytes_if(kind == Self::STAMP));
            }
            Self::SEEN => Self::Seen(reader.u64()?),
            Self::FORGOTTEN => Self::Forgotten(Address(reader.array()?)),
            Self::BATCH => reader.batch()?,
            Self::TAG => Self::Tag {
                uid: reader.u64()?,
                started: reader.u64()?,
                address: Some(Address(reader.array()?)).filter(|address| address.0 != [0; 32]),
            },
            Self::TAG_GONE => Self::TagGone(reader.u64()?),
            Self::PIN => Self::Pin(Address(reader.array()?), reader.array()? != [0_u8]),
            _ => return None,
        };
        reader.0.is_empty().then_some(record)
    }

    fn without_bytes_if(mut self, known: bool) -> Self {
        if let Self::Chunk { bytes, .. } = &mut self
            && known
        {
            *bytes = None;
        }
        self
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn stamp(&mut self, at: u64) -> Option<Record> {
        Some(Record::Chunk {
            address: Address(self.array()?),
            slot: Slot {
                batch: self.array()?,
                bucket: u32::from_le_bytes(self.array()?),
                index: u32::from_le_bytes(self.array()?),
                timestamp: self.u64()?,
            },
            identity: Address(self.array()?),
            tag: self.u64()?,
            bytes: Some((at + STAMP_LEN as u64, self.0.len())),
        })
    }

    fn batch(&mut self) -> Option<Record> {
        let batch = Batch {
            id: self.array()?,
            owner: self.array()?,
            value: u128::from_le_bytes(self.array()?),
            amount: u128::from_le_bytes(self.array()?),
            depth: self.array::<1>()?[0],
            bucket_depth: self.array::<1>()?[0],
            immutable: self.array()? != [0_u8],
            start: self.u64()?,
        };
        let funds = u128::from_le_bytes(self.array()?);
        let label = String::from_utf8(std::mem::take(&mut self.0).to_vec()).ok()?;
        Some(Record::Batch {
            batch,
            funds,
            label,
        })
    }
}

pub fn stamp_body(chunk: &Chunk, slot: &Slot, tag: u64) -> Vec<u8> {
    [
        &chunk.address.0[..],
        &slot.batch,
        &slot.bucket.to_le_bytes(),
        &slot.index.to_le_bytes(),
        &slot.timestamp.to_le_bytes(),
        &chunk.identity.0,
        &tag.to_le_bytes(),
    ]
    .concat()
}

pub fn batch_body(batch: &Batch, funds: u128) -> Vec<u8> {
    [
        &batch.id[..],
        &batch.owner,
        &batch.value.to_le_bytes(),
        &batch.amount.to_le_bytes(),
        &[batch.depth, batch.bucket_depth, u8::from(batch.immutable)],
        &batch.start.to_le_bytes(),
        &funds.to_le_bytes(),
    ]
    .concat()
}

pub fn encode(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let mut record = Vec::with_capacity(HEADER + len);
    record.extend(MAGIC);
    record.extend([kind, 0, 0, 0]);
    record.extend(u32::try_from(len).unwrap().to_le_bytes());
    record.extend([0; 8]);
    for part in parts {
        record.extend_from_slice(part);
    }
    let check = check(&record[..12], &record[HEADER..]);
    record[12..HEADER].copy_from_slice(&check);
    record
}

fn check(head: &[u8], body: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(head).update(body);
    *hasher.finalize().as_bytes().first_chunk().unwrap()
}

/// Length and body of the record that `bytes` begin with.
fn record_in(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let head = bytes.first_chunk::<HEADER>()?;
    let len = u32::from_le_bytes(*head[8..].first_chunk()?) as usize;
    if head[..4] != MAGIC || len > BODY_MAX {
        return None;
    }
    let body = bytes.get(HEADER..HEADER + len)?;
    (check(&head[..12], body) == head[12..]).then_some((head[4], body))
}

/// Shows all records of a log and gives its end. Damage in the middle loses only the records it hits.
pub fn scan(file: &File, mut show: impl FnMut(Record)) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let (mut at, mut end, mut window) = (0_u64, 0_u64, Vec::new());
    let mut start = 0_u64;
    while at < len {
        let offset = usize::try_from(at - start).unwrap();
        let wanted = HEADER + BODY_MAX;
        if window.len() < offset + wanted && start + (window.len() as u64) < len {
            start = at;
            let size = (len - at).min((BLOCK + wanted) as u64);
            window.resize(usize::try_from(size).unwrap(), 0);
            file.read_exact_at(&mut window, start)?;
            continue;
        }
        let Some((kind, body)) = record_in(&window[offset..]) else {
            at += 1;
            continue;
        };
        if let Some(record) = Record::decode(kind, body, at + HEADER as u64) {
            show(record);
        }
        at += (HEADER + body.len()) as u64;
        end = at;
    }
    Ok(end)
}
