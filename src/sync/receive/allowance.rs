use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::receive::ReceiveError;
use crate::sync::receive::names::Found;
use crate::types::limits::{
    PAGE_BYTES, RECEIVED_BYTES_MAX, RECEIVED_NAMES_MAX, RECEIVED_XATTRS_MAX,
};

/// How much one bringing may still take in: a few chunks can say that something is endless.
pub(super) struct Allowance {
    names: AtomicU64,
    bytes: AtomicU64,
    xattrs: AtomicU64,
}

impl Allowance {
    pub(super) const fn new() -> Self {
        Self {
            names: AtomicU64::new(RECEIVED_NAMES_MAX),
            bytes: AtomicU64::new(RECEIVED_BYTES_MAX),
            xattrs: AtomicU64::new(RECEIVED_XATTRS_MAX),
        }
    }

    /// Before the names of a directory are read.
    pub(super) fn admit_names(&self, names: u64) -> Result<(), ReceiveError> {
        take(&self.names, names)
    }

    /// Before what was found is kept.
    pub(super) fn admit(&self, found: &Found) -> Result<(), ReceiveError> {
        let pages = found.pages.iter().map(|range| range.end - range.start);
        take(&self.bytes, pages.sum::<u64>().saturating_mul(PAGE_BYTES))?;
        let xattrs = found.xattrs.iter();
        let xattrs = xattrs.map(|it| it.name.len() + it.value.len());
        take(&self.xattrs, xattrs.sum::<usize>() as u64)
    }
}

fn take(left: &AtomicU64, count: u64) -> Result<(), ReceiveError> {
    let less = |left: u64| left.checked_sub(count);
    let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    taken.map(drop).map_err(|_| ReceiveError::TooMuch)
}
