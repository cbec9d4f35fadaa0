use std::sync::Arc;

use crate::format::rows::{Bucket, KeptNodes, Key, SlotRange, Tag};
use crate::types::limits::{DIRECT_WRITE, PAGE};

/// Bytes of a row, shared between the overlay and its readers.
pub type Value = Arc<[u8]>;

/// What becomes of a row.
#[derive(Clone, Debug)]
pub enum Change {
    /// The row is gone.
    Delete,
    /// The row has this value.
    Put(Value),
    /// The row is this bucket, whose pending slots name pages of the same record.
    Extent(Bucket),
    /// The row is these kept pages and nodes, whose pending slots name pages of the same record.
    Kept(KeptNodes),
}

/// Who may take the last of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// New data and new names: `ENOSPC` first.
    Data,
    /// Renames, attributes, deletions: may use the headroom that data may not.
    Meta,
    /// Checkpoints: may use all.
    Checkpoint,
}

/// One operation: the rows it leaves behind, all or nothing.
#[derive(Debug)]
pub struct Batch {
    /// After-images; a key at most once.
    pub rows: Vec<(Key, Change)>,
    /// Pages that no row names any more.
    pub frees: Vec<SlotRange>,
    /// Change of the number of preallocated pages in the pod: positive for `fallocate`, negative when such a page
    /// is written or given back. Room for them is kept on the disk.
    pub reserve: i64,
    /// Who asks for the room.
    pub class: Class,
}

impl Batch {
    /// An empty batch.
    pub const fn new(class: Class) -> Self {
        Self {
            rows: Vec::new(),
            frees: Vec::new(),
            reserve: 0,
            class,
        }
    }

    /// Sets a row. A key is named at most once in a batch.
    pub fn put(&mut self, key: Key, value: Vec<u8>) {
        self.rows.push((key, Change::Put(value.into())));
    }

    /// Sets an extent row; an empty bucket deletes it.
    pub fn extent(&mut self, key: Key, bucket: Bucket) {
        let change = if bucket.runs.is_empty() {
            Change::Delete
        } else {
            Change::Extent(bucket)
        };
        self.rows.push((key, change));
    }

    /// Sets a row of kept pages and nodes; without any it is deleted.
    pub fn kept(&mut self, key: Key, nodes: KeptNodes) {
        let change = if nodes.0.is_empty() {
            Change::Delete
        } else {
            Change::Kept(nodes)
        };
        self.rows.push((key, change));
    }

    /// Deletes a row.
    pub fn delete(&mut self, key: Key) {
        self.rows.push((key, Change::Delete));
    }
}

/// Whole pages in memory. Made by [`Pages::copy`] they are aligned, so that they can go to the disk past the kernel's
/// cache, which holds them as plaintext already.
pub struct Pages {
    bytes: Vec<u8>,
    start: usize,
}

impl Pages {
    /// A copy of `bytes`, aligned to a page.
    pub fn copy(bytes: &[u8]) -> Self {
        let mut own: Vec<u8> = Vec::with_capacity(bytes.len() + PAGE);
        let start = own.as_ptr().align_offset(PAGE).min(PAGE);
        own.resize(start, 0);
        own.extend_from_slice(bytes);
        Self { bytes: own, start }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// The bytes, to be sealed in place.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..).unwrap_or_default()
    }

    /// Whether they are so many, and lie so, that the disk takes them straight from here.
    pub fn is_direct(&self) -> bool {
        let bytes = self.as_slice();
        bytes.len() >= DIRECT_WRITE && bytes.as_ptr().align_offset(PAGE) == 0
    }
}

impl From<Vec<u8>> for Pages {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, start: 0 }
    }
}

/// Pages sealed under consecutive write numbers, ready to be appended with the record that names them.
pub struct Sealed {
    /// Ciphertext, a whole number of pages.
    pub bytes: Pages,
    /// Write number of the first page.
    pub number: u64,
    /// One tag a page.
    pub tags: Vec<Tag>,
}

impl Sealed {
    /// Number of pages.
    pub fn pages(&self) -> u32 {
        u32::try_from(self.tags.len()).unwrap_or(u32::MAX)
    }
}
