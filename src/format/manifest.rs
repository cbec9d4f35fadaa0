//! The manifest: root of the newest checkpoint. The file is a random nonce of 12 bytes and one sealed box.

use crate::format::node::{self, Pointer};
use crate::format::rows::{Slot, SlotRange};
use crate::format::wire::{Malformed, Reader};

/// Bytes of the nonce at the head of the file.
pub const NONCE_LEN: usize = 12;

const MAGIC: &[u8; 8] = b"podfsMAN";
const VERSION: u32 = 1;

/// A place in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Number of the segment.
    pub segment: u32,
    /// Byte offset of a record in it.
    pub offset: u64,
    /// Number of the record that stands or will stand there.
    pub record: u64,
}

/// What the manifest knows of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentEntry {
    /// Its number.
    pub number: u32,
    /// Id of the session that wrote it: its keys derive from it.
    pub session: [u8; 16],
    /// Pages in it that are not yet dead.
    pub live: u32,
}

/// A checkpoint that stays readable behind the newest one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Its generation.
    pub generation: u64,
    /// The next free page at its floor: what died in a page before it is held.
    pub tail: Slot,
    /// Its branches, in key order.
    pub branches: Vec<Pointer>,
}

/// Root of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// One more than that of the checkpoint before.
    pub generation: u64,
    /// Replay starts here: everything before is in the nodes.
    pub floor: Position,
    /// The pages around the floor in which records stand.
    pub chunk: SlotRange,
    /// The next free page at the floor.
    pub tail: Slot,
    /// Last record when the manifest was written; node records up to it belong to this checkpoint.
    pub written: u64,
    /// Counter of the next inode.
    pub next_ino: u64,
    /// Preallocated pages in the pod.
    pub reserved: u64,
    /// Number of leaves.
    pub leaves: u64,
    /// Sum of the keyed hashes of all leaf pointers: what the index is compared with.
    pub digest: [u8; 16],
    /// The segments that hold anything.
    pub segments: Vec<SegmentEntry>,
    /// Pages that died before the floor: to be punched, again if need be.
    pub frees: Vec<SlotRange>,
    /// The branches, in key order.
    pub branches: Vec<Pointer>,
    /// The checkpoint that was published last.
    pub base: Option<Pin>,
    /// The checkpoint that is being published.
    pub cut: Option<Pin>,
    /// Pages of nodes that died, held for a pin and counted as live.
    pub held_nodes: Vec<SlotRange>,
    /// The same of data and records.
    pub held_data: Vec<SlotRange>,
}

impl Manifest {
    /// The manifest of a pod with no rows, no log yet.
    pub const fn empty() -> Self {
        let nowhere = Slot {
            segment: u32::MAX,
            page: 0,
        };
        Self {
            generation: 1,
            floor: Position {
                segment: u32::MAX,
                offset: 0,
                record: 1,
            },
            chunk: SlotRange {
                slot: nowhere,
                count: 0,
            },
            tail: nowhere,
            written: 0,
            next_ino: 1,
            reserved: 0,
            leaves: 0,
            digest: [0; 16],
            segments: Vec::new(),
            frees: Vec::new(),
            branches: Vec::new(),
            base: None,
            cut: None,
            held_nodes: Vec::new(),
            held_data: Vec::new(),
        }
    }

    /// Plaintext of the box.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4096);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        let chunk = [
            self.chunk.slot.segment,
            self.chunk.slot.page,
            self.chunk.count,
        ];
        for word in [self.floor.segment]
            .iter()
            .chain(&chunk)
            .chain(&[self.tail.segment, self.tail.page])
        {
            out.extend_from_slice(&word.to_le_bytes());
        }
        let words = [
            self.generation,
            self.floor.offset,
            self.floor.record,
            self.written,
            self.next_ino,
            self.reserved,
            self.leaves,
        ];
        for word in words {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.digest);
        put_count(&mut out, self.segments.len());
        for segment in &self.segments {
            out.extend_from_slice(&segment.number.to_le_bytes());
            out.extend_from_slice(&segment.session);
            out.extend_from_slice(&segment.live.to_le_bytes());
        }
        put_ranges(&mut out, &self.frees);
        put_pointers(&mut out, &self.branches);
        for pin in [&self.base, &self.cut] {
            out.push(u8::from(pin.is_some()));
            if let Some(pin) = pin {
                out.extend_from_slice(&pin.generation.to_le_bytes());
                out.extend_from_slice(&pin.tail.segment.to_le_bytes());
                out.extend_from_slice(&pin.tail.page.to_le_bytes());
                put_pointers(&mut out, &pin.branches);
            }
        }
        put_ranges(&mut out, &self.held_nodes);
        put_ranges(&mut out, &self.held_data);
        out
    }

    /// Reads the opened box.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "manifest");
        if reader.bytes(MAGIC.len())? != MAGIC || reader.u32()? != VERSION {
            return Err(reader.malformed());
        }
        let segment = reader.u32()?;
        let chunk = SlotRange {
            slot: slot(&mut reader)?,
            count: reader.u32()?,
        };
        let tail = slot(&mut reader)?;
        let generation = reader.u64()?;
        let floor = Position {
            segment,
            offset: reader.u64()?,
            record: reader.u64()?,
        };
        let (written, next_ino, reserved) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let (leaves, digest) = (reader.u64()?, reader.array()?);
        let mut manifest = Self {
            generation,
            floor,
            chunk,
            tail,
            written,
            next_ino,
            reserved,
            leaves,
            digest,
            ..Self::empty()
        };
        for _ in 0..reader.u32()? {
            let entry = SegmentEntry {
                number: reader.u32()?,
                session: reader.array()?,
                live: reader.u32()?,
            };
            manifest.segments.push(entry);
        }
        manifest.frees = ranges(&mut reader)?;
        manifest.branches = pointers(&mut reader)?;
        manifest.base = pin(&mut reader)?;
        manifest.cut = pin(&mut reader)?;
        manifest.held_nodes = ranges(&mut reader)?;
        manifest.held_data = ranges(&mut reader)?;
        reader.end()?;
        Ok(manifest)
    }
}

fn put_ranges(out: &mut Vec<u8>, ranges: &[SlotRange]) {
    put_count(out, ranges.len());
    for range in ranges {
        for word in [range.slot.segment, range.slot.page, range.count] {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }
}

fn ranges(reader: &mut Reader<'_>) -> Result<Vec<SlotRange>, Malformed> {
    let mut ranges = Vec::new();
    for _ in 0..reader.u32()? {
        ranges.push(SlotRange {
            slot: slot(reader)?,
            count: reader.u32()?,
        });
    }
    Ok(ranges)
}

fn slot(reader: &mut Reader<'_>) -> Result<Slot, Malformed> {
    Ok(Slot {
        segment: reader.u32()?,
        page: reader.u32()?,
    })
}

fn put_pointers(out: &mut Vec<u8>, pointers: &[Pointer]) {
    put_count(out, pointers.len());
    for pointer in pointers {
        node::put_pointer(out, pointer);
    }
}

fn pointers(reader: &mut Reader<'_>) -> Result<Vec<Pointer>, Malformed> {
    let mut pointers = Vec::new();
    for _ in 0..reader.u32()? {
        pointers.push(node::pointer(reader)?);
    }
    Ok(pointers)
}

fn pin(reader: &mut Reader<'_>) -> Result<Option<Pin>, Malformed> {
    match reader.u8()? {
        0 => Ok(None),
        1 => Ok(Some(Pin {
            generation: reader.u64()?,
            tail: slot(reader)?,
            branches: pointers(reader)?,
        })),
        _ => Err(reader.malformed()),
    }
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}
