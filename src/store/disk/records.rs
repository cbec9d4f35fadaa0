//! Records of the file, and where they are.

use std::collections::HashMap;
use std::io;

use crate::crypto::swarm::{CHUNK_LEN_MAX, SealedChunk};
use crate::store::disk::medium::Medium;
use crate::store::{Rejection, StoreError};
use crate::types::Address;
use crate::types::limits::DISK_STORE_TAIL;

/// Address 32 ‖ length 2, little-endian ‖ zero 2 ‖ the first 12 bytes of the BLAKE3 hash of these 36.
pub(super) const HEADER: usize = 48;
const CHECKED: usize = 36;
/// Records begin at multiples of this, so that the next one is found behind a damaged one.
const ALIGN: u64 = 64;

#[derive(Default)]
pub(super) struct Places {
    pub(super) of: HashMap<Address, Place>,
    pub(super) end: u64,
    /// A sync failed: the kernel forgets what it could not write, so nothing after that can be promised.
    pub(super) failed: Option<String>,
}

#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) at: u64,
    pub(super) len: usize,
}

/// Header, bytes, and zeros up to the next multiple of [`ALIGN`].
pub(super) fn record(address: &Address, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let len = u16::try_from(bytes.len()).map_err(|_| StoreError::Rejected(Rejection::Size))?;
    let whole = record_len(bytes.len());
    let mut record = Vec::with_capacity(usize::try_from(whole).unwrap_or(0));
    record.extend_from_slice(&address.0);
    record.extend_from_slice(&len.to_le_bytes());
    record.extend_from_slice(&[0; 2]);
    let check = blake3::hash(&record);
    record.extend(check.as_bytes().iter().take(HEADER - CHECKED));
    record.extend_from_slice(bytes);
    record.resize(usize::try_from(whole).unwrap_or(record.len()), 0);
    Ok(record)
}

pub(super) fn record_len(bytes: usize) -> u64 {
    (HEADER as u64)
        .saturating_add(bytes as u64)
        .next_multiple_of(ALIGN)
}

/// The chunk that a header names and its length, if it is a header.
fn header(bytes: &[u8; HEADER]) -> Option<(Address, usize)> {
    let (checked, check) = bytes.split_at(CHECKED);
    if !blake3::hash(checked).as_bytes().starts_with(check) {
        return None;
    }
    let address: [u8; 32] = checked.get(..32)?.try_into().ok()?;
    let len: [u8; 2] = checked.get(32..34)?.try_into().ok()?;
    let len = usize::from(u16::from_le_bytes(len));
    (len <= CHUNK_LEN_MAX).then_some((Address(address), len))
}

/// Finds every record by its header. Of two with one address the later counts: it was written because the earlier
/// did not read back.
pub(super) fn scan(file: &dyn Medium) -> io::Result<Places> {
    let size = file.size()?;
    let mut places = Places::default();
    let (mut at, mut damaged) = (0, 0_u64);
    while at < size {
        let Some((address, place)) = record_at(file, at, size)? else {
            at = at.saturating_add(ALIGN);
            damaged = damaged.saturating_add(ALIGN);
            continue;
        };
        at = at.saturating_add(record_len(place.len));
        places.of.insert(address, place);
        places.end = at;
    }
    let inside = damaged.saturating_sub(size.saturating_sub(places.end).next_multiple_of(ALIGN));
    if inside > 0 {
        tracing::warn!(
            bytes = inside,
            "the chunk store has damaged places, stepped over"
        );
    }
    Ok(places)
}

fn record_at(file: &dyn Medium, at: u64, size: u64) -> io::Result<Option<(Address, Place)>> {
    let mut bytes = [0; HEADER];
    let body = at.saturating_add(HEADER as u64);
    if body > size {
        return Ok(None);
    }
    file.read(&mut bytes, at)?;
    let Some((address, len)) = header(&bytes) else {
        return Ok(None);
    };
    if body.saturating_add(len as u64) > size {
        return Ok(None);
    }
    if at.saturating_add(DISK_STORE_TAIL) >= size {
        let mut chunk = vec![0; len];
        file.read(&mut chunk, body)?;
        if SealedChunk::verified(&address, &chunk).is_err() {
            return Ok(None);
        }
    }
    Ok(Some((address, Place { at, len })))
}
