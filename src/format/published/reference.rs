//! Slots: places of references, some of which are holes.

use crate::crypto::publish::{HOLE, Reference};
use crate::format::wire::{Malformed, Reader};

/// Adds a reference.
pub(super) fn put(out: &mut Vec<u8>, reference: &Reference) {
    out.extend_from_slice(&*reference.to_bytes());
}

/// Adds a reference or a hole.
pub(super) fn put_slot(out: &mut Vec<u8>, slot: Option<&Reference>) {
    match slot {
        Some(reference) => put(out, reference),
        None => out.extend_from_slice(&HOLE),
    }
}

/// Reads a reference or a hole.
pub(super) fn take_slot(reader: &mut Reader<'_>) -> Result<Option<Reference>, Malformed> {
    Ok(Reference::from_bytes(&reader.array()?))
}

/// Reads a reference that is no hole.
pub(super) fn take(reader: &mut Reader<'_>) -> Result<Reference, Malformed> {
    take_slot(reader)?.ok_or(reader.malformed())
}

/// Reads `count` slots.
pub(super) fn take_slots(
    reader: &mut Reader<'_>,
    count: usize,
) -> Result<Vec<Option<Reference>>, Malformed> {
    (0..count).map(|_| take_slot(reader)).collect()
}

/// Reads `count` references.
pub(super) fn take_all(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Reference>, Malformed> {
    (0..count).map(|_| take(reader)).collect()
}
