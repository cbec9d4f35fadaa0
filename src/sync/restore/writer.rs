use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::crypto::Secret;
use crate::crypto::publish::Reference;
use crate::format::published::Place;
use crate::format::rows::Key;
use crate::index::Rows;
use crate::journal::{Change, Class, JournalError};
use crate::sync::edit::KeptEdit;
use crate::sync::kept::Kept;
use crate::sync::restore::entry::remote_bucket;
use crate::types::Ino;
use crate::types::limits::{BUCKET_PAGES, FETCHED_RESERVE, PAGE, RECORD_PAGES_MAX};

/// Rows of one record. A directory of half a million names takes a second to write, whatever the number is.
const ROWS: usize = 4096;
/// Nodes of one record.
const NODES: usize = RECORD_PAGES_MAX / 4;

/// Rows on their way into the log, a batch at a time.
pub(super) struct Writer {
    kept: Arc<Kept>,
    rows: BTreeMap<Key, Vec<u8>>,
    nodes: KeptEdit,
    /// Files whose extent rows are not written yet, and their pages.
    files: Vec<(Ino, Range<u64>)>,
    /// Whether there is room for more than the rows.
    roomy: bool,
}

impl Writer {
    pub(super) fn new(kept: Arc<Kept>) -> Self {
        let roomy = has_room(&kept);
        Self {
            kept,
            rows: BTreeMap::new(),
            nodes: KeptEdit::new(Class::Meta),
            files: Vec::new(),
            roomy,
        }
    }

    pub(super) fn rows(&self) -> &Rows {
        self.kept.rows()
    }

    /// The row of that key, written or to be written.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, JournalError> {
        if let Some(row) = self.rows.get(key) {
            return Ok(Some(row.clone()));
        }
        Ok(self.rows().get(key)?.map(|row| row.to_vec()))
    }

    pub(super) fn put(&mut self, key: Key, value: Vec<u8>) {
        self.rows.insert(key, value);
    }

    /// These pages of a file are elsewhere; each range begins where an extent row does.
    pub(super) fn remote(&mut self, ino: Ino, pages: Vec<Range<u64>>) {
        self.files
            .extend(pages.into_iter().map(|pages| (ino, pages)));
    }

    /// Keeps a node, as long as there is room.
    pub(super) fn keep(
        &mut self,
        ino: Ino,
        place: Place,
        reference: Reference,
        page: Secret<PAGE>,
    ) {
        if self.roomy {
            self.nodes.put(ino, place, reference, page);
        }
    }

    /// Keeps an inode, as long as there is room.
    pub(super) fn keep_inode(&mut self, ino: Ino, reference: Reference, page: Secret<PAGE>) {
        self.keep(ino, Place::INODE, reference, page);
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= ROWS || self.nodes.pages() >= NODES || self.files.len() >= ROWS
    }

    /// Appends what has come together.
    pub(super) async fn flush(&mut self) -> Result<(), JournalError> {
        let rows = std::mem::take(&mut self.rows);
        let files = std::mem::take(&mut self.files);
        let nodes = std::mem::replace(&mut self.nodes, KeptEdit::new(Class::Meta));
        let kept = Arc::clone(&self.kept);
        let written = tokio::task::spawn_blocking(move || write(&kept, rows, files, nodes));
        self.roomy = written.await.unwrap_or(Err(JournalError::Busy))?;
        Ok(())
    }
}

/// One record, and more for extent rows: a large file has many.
fn write(
    kept: &Kept,
    rows: BTreeMap<Key, Vec<u8>>,
    files: Vec<(Ino, Range<u64>)>,
    mut edit: KeptEdit,
) -> Result<bool, JournalError> {
    let mut count = rows.len();
    for (key, value) in rows {
        edit.row(key, Change::Put(value.into()));
    }
    let whole = u64::try_from(BUCKET_PAGES).unwrap_or(u64::MAX);
    for (ino, pages) in files {
        for bucket in pages.start / whole..pages.end.div_ceil(whole) {
            let left = pages.end.saturating_sub(bucket.saturating_mul(whole));
            let row = remote_bucket(left);
            edit.row(Key::extent(ino, bucket), Change::Extent(row));
            count += 1;
            if count >= 2 * ROWS {
                append(
                    kept,
                    std::mem::replace(&mut edit, KeptEdit::new(Class::Meta)),
                )?;
                count = 0;
            }
        }
    }
    append(kept, edit)?;
    Ok(has_room(kept))
}

fn append(kept: &Kept, edit: KeptEdit) -> Result<(), JournalError> {
    let bytes = edit.pages().saturating_mul(PAGE);
    kept.rows()
        .admit(u64::try_from(bytes).unwrap_or(u64::MAX))?;
    kept.write(edit)
}

fn has_room(kept: &Kept) -> bool {
    kept.rows().space().free > FETCHED_RESERVE
}
