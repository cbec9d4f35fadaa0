use std::sync::Arc;

use crate::format::rows::{Bucket, Key, SlotRange, Tag};

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

    /// Deletes a row.
    pub fn delete(&mut self, key: Key) {
        self.rows.push((key, Change::Delete));
    }
}

/// Pages sealed under consecutive write numbers, ready to be appended with the record that names them.
pub struct Sealed {
    /// Ciphertext, a whole number of pages.
    pub bytes: Vec<u8>,
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
