//! Nodes of a checkpoint: leaves hold rows, branches hold pointers to leaves. A node is padded with zeros to whole
//! pages, which are sealed like data pages; who points to it knows its tags.

use crate::format::record;
use crate::format::rows::{Key, RunData, Slot};
use crate::format::wire::{Malformed, Reader, put_long};
use crate::types::limits::{PAGE, RECORD_PAGES_MAX};

/// Where a node is, and the first key in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The first key of the node.
    pub first: Key,
    /// Its pages.
    pub run: RunData,
}

const LEAF: u8 = 1;
const BRANCH: u8 = 2;
/// Bytes before the contents: kind u8, length u32.
const HEAD: usize = 5;

/// Bytes a row takes in a leaf.
pub fn row_len(key: &Key, value: &[u8]) -> usize {
    key.as_bytes()
        .len()
        .saturating_add(value.len())
        .saturating_add(6)
}

/// A leaf of these rows, padded to whole pages.
pub fn leaf<'a>(rows: impl Iterator<Item = (&'a Key, &'a [u8])>) -> Vec<u8> {
    let mut out = Vec::with_capacity(PAGE.saturating_mul(2));
    for (key, value) in rows {
        record::put_row(&mut out, key, Some(value));
    }
    finish(LEAF, &out)
}

/// A branch of these pointers, padded to whole pages.
pub fn branch(pointers: &[Pointer]) -> Vec<u8> {
    let mut out = Vec::with_capacity(PAGE.saturating_mul(2));
    for pointer in pointers {
        put_pointer(&mut out, pointer);
    }
    finish(BRANCH, &out)
}

/// The rows of an opened leaf, in order.
pub fn leaf_rows(bytes: &[u8]) -> Result<Vec<(Key, Vec<u8>)>, Malformed> {
    let mut reader = Reader::new(open(bytes, LEAF)?, "checkpoint leaf");
    let rows = record::rows(&mut reader)?;
    let rows: Option<Vec<_>> = rows
        .into_iter()
        .map(|(key, value)| Some((key, value?)))
        .collect();
    let rows = rows.ok_or(Malformed("checkpoint leaf"))?;
    if rows.is_sorted_by(|a, b| a.0 < b.0) {
        Ok(rows)
    } else {
        Err(Malformed("checkpoint leaf"))
    }
}

/// The pointers of an opened branch, in order.
pub fn branch_pointers(bytes: &[u8]) -> Result<Vec<Pointer>, Malformed> {
    let mut reader = Reader::new(open(bytes, BRANCH)?, "checkpoint branch");
    let mut pointers = Vec::new();
    while !reader.is_empty() {
        pointers.push(pointer(&mut reader)?);
    }
    if pointers.is_sorted_by(|a: &Pointer, b| a.first < b.first) {
        Ok(pointers)
    } else {
        Err(Malformed("checkpoint branch"))
    }
}

/// Adds a pointer: key length u8, key, segment u32, page u32, write number u64, tags as a long.
pub fn put_pointer(out: &mut Vec<u8>, pointer: &Pointer) {
    out.push(u8::try_from(pointer.first.as_bytes().len()).unwrap_or(u8::MAX));
    out.extend_from_slice(pointer.first.as_bytes());
    out.extend_from_slice(&pointer.run.slot.segment.to_le_bytes());
    out.extend_from_slice(&pointer.run.slot.page.to_le_bytes());
    out.extend_from_slice(&pointer.run.number.to_le_bytes());
    put_long(out, pointer.run.tags.as_flattened());
}

/// Reads a pointer.
pub fn pointer(reader: &mut Reader<'_>) -> Result<Pointer, Malformed> {
    let len = usize::from(reader.u8()?);
    let first = Key::parse(reader.bytes(len)?).ok_or(reader.malformed())?;
    let slot = Slot {
        segment: reader.u32()?,
        page: reader.u32()?,
    };
    let number = reader.u64()?;
    let (tags, odd) = reader.long()?.as_chunks::<16>();
    // Who follows the pointer takes memory for so many pages: a node is written by one record.
    if tags.is_empty() || !odd.is_empty() || tags.len() > RECORD_PAGES_MAX {
        return Err(reader.malformed());
    }
    Ok(Pointer {
        first,
        run: RunData {
            slot,
            number,
            shared: false,
            tags: tags.to_vec(),
        },
    })
}

fn finish(kind: u8, contents: &[u8]) -> Vec<u8> {
    let len = contents.len().saturating_add(HEAD);
    let mut out = Vec::with_capacity(len.next_multiple_of(PAGE));
    out.push(kind);
    put_long(&mut out, contents);
    out.resize(len.next_multiple_of(PAGE), 0);
    out
}

fn open(bytes: &[u8], kind: u8) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(bytes, "checkpoint node");
    if reader.u8()? != kind {
        return Err(reader.malformed());
    }
    let contents = reader.long()?;
    let padding = reader.rest();
    let whole = bytes.len().is_multiple_of(PAGE) && padding.len() < PAGE;
    if whole && padding.iter().all(|byte| *byte == 0) {
        Ok(contents)
    } else {
        Err(reader.malformed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Ino;

    #[test]
    fn a_pointer_to_more_pages_than_a_record_brings_is_refused() {
        let pointer_to = |pages: usize| Pointer {
            first: Key::inode(Ino(1)),
            run: RunData {
                slot: Slot {
                    segment: 0,
                    page: 1,
                },
                number: 0,
                shared: false,
                tags: vec![[0; 16]; pages],
            },
        };
        for (pages, good) in [
            (0, false),
            (1, true),
            (RECORD_PAGES_MAX, true),
            (RECORD_PAGES_MAX + 1, false),
        ] {
            let mut bytes = Vec::new();
            put_pointer(&mut bytes, &pointer_to(pages));
            assert_eq!(
                pointer(&mut Reader::new(&bytes, "pointer")).is_ok(),
                good,
                "{pages} pages"
            );
        }
    }

    #[test]
    fn padding_is_zeros_to_the_end_of_the_page() {
        let node = leaf([(&Key::inode(Ino(1)), &b"value"[..])].into_iter());
        assert_eq!(leaf_rows(&node).unwrap().len(), 1);
        assert!(branch_pointers(&node).is_err());
        let mut bad = node.clone();
        bad[PAGE - 1] = 1;
        assert!(leaf_rows(&bad).is_err());
        assert!(leaf_rows(&node[..PAGE - 1]).is_err());
        bad = node;
        bad.resize(2 * PAGE, 0);
        assert!(leaf_rows(&bad).is_err());
    }
}
