//! What is told of a postage batch: how long it lasts, how full it is, what fits into it.

use serde::Serialize;

use crate::store::bee::Batch;
use crate::store::bee::BatchId;
use crate::store::bee::Mode;
use crate::types::limits::PAGE_BYTES;

/// Buckets of a batch in the network, as a power of two.
const BUCKET_DEPTH: u8 = 16;
/// Depth of the first batch below, and of the smallest there is.
pub(super) const DEPTH_MIN: u8 = 17;
/// Chunks that fit into batches of depth 17, 18 … with a risk of one in a thousand that some bucket overflows.
const SAFE_CHUNKS: [u64; 10] = [
    295, 4_723, 39_044, 191_841, 676_199, 1_948_142, 4_956_910, 11_656_385, 26_036_266, 56_194_487,
];
const DAY: u64 = 86_400;

/// One batch. Nothing means: not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BatchReport {
    /// Its name on the chain, 64 hexadecimal digits.
    pub id: String,
    /// What it pays for: `everything`, `contents`, or `tree and heads`; nothing for a batch that the pod does not use.
    pub pays_for: Option<&'static str>,
    /// What its buyer called it.
    pub label: Option<String>,
    /// It has 2^depth slots.
    pub depth: Option<u8>,
    /// Whether no chunk of it is ever replaced by another.
    pub immutable: Option<bool>,
    /// Whether it takes chunks: not yet in its first minute.
    pub usable: Option<bool>,
    /// Chunks in its fullest bucket.
    pub fullest_bucket: Option<u64>,
    /// Slots of each bucket.
    pub bucket_slots: Option<u64>,
    /// The fullest bucket in percent, rounded up.
    pub fill_percent: Option<u64>,
    /// Bytes that fit before a bucket is full, but for one case in a thousand.
    pub usable_bytes: Option<u64>,
    /// Whole days that it lasts at today's price.
    pub days_left: Option<u64>,
    /// Why the node did not tell.
    pub trouble: Option<String>,
}

impl BatchReport {
    /// What a node of this mode says.
    pub(super) fn of(batch: &Batch, mode: Mode) -> Self {
        let slots = batch.bucket_slots();
        Self {
            id: batch.id.to_string(),
            pays_for: None,
            label: Some(batch.label.clone()),
            depth: Some(batch.depth),
            immutable: Some(batch.immutable),
            usable: Some(batch.usable),
            fullest_bucket: Some(batch.utilization),
            bucket_slots: Some(slots),
            fill_percent: Some(percent(batch.utilization, slots)),
            usable_bytes: Some(safe_chunks(batch).saturating_mul(PAGE_BYTES)),
            days_left: days_left(batch, mode),
            trouble: None,
        }
    }

    /// A batch of which the node says nothing.
    pub(super) fn unknown(id: BatchId, trouble: String) -> Self {
        Self {
            id: id.to_string(),
            trouble: Some(trouble),
            ..Self::default()
        }
    }
}

/// Whole days that a batch lasts. What a development node says of time is noise.
pub(super) fn days_left(batch: &Batch, mode: Mode) -> Option<u64> {
    let left = batch.time_left.filter(|_| mode != Mode::Dev)?;
    Some(left.as_secs() / DAY)
}

/// Chunks that fit before a bucket is full, but for one case in a thousand.
pub(super) fn safe_chunks(batch: &Batch) -> u64 {
    if batch.bucket_depth == BUCKET_DEPTH {
        safe_chunks_at(batch.depth)
    } else {
        1_u64.checked_shl(u32::from(batch.depth)).unwrap_or(0)
    }
}

/// The same by the depth alone.
pub(super) fn safe_chunks_at(depth: u8) -> u64 {
    let Some(at) = depth.checked_sub(DEPTH_MIN) else {
        return 0;
    };
    if let Some(chunks) = SAFE_CHUNKS.get(usize::from(at)) {
        return *chunks;
    }
    // The normal approximation: 5.54 standard deviations, rounded to the safe side.
    let slots = 1_u64
        .checked_shl(u32::from(depth.saturating_sub(BUCKET_DEPTH)))
        .unwrap_or(0);
    let mean = (slots + 10).saturating_sub((31 * (slots + 8)).isqrt() + 1);
    mean << BUCKET_DEPTH
}

/// The same in bytes.
pub(super) fn safe_bytes_at(depth: u8) -> u64 {
    safe_chunks_at(depth).saturating_mul(PAGE_BYTES)
}

fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).div_ceil(whole.max(1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::bee::Plur;
    use crate::types::limits::BATCH_DEPTH_MAX;

    fn batch() -> Batch {
        Batch {
            id: BatchId([7; 32]),
            depth: 20,
            bucket_depth: 16,
            amount: Plur(1),
            utilization: 1,
            usable: true,
            label: "pod".to_owned(),
            immutable: true,
            time_left: Some(Duration::from_secs(3 * DAY - 1)),
        }
    }

    #[test]
    fn what_is_told_of_a_batch() {
        let report = BatchReport::of(&batch(), Mode::Light);
        assert_eq!((report.days_left, report.fill_percent), (Some(2), Some(7)));
        assert_eq!(report.usable_bytes, Some(191_841 * 4096));
        assert_eq!(BatchReport::of(&batch(), Mode::Dev).days_left, None);
        let flat = Batch {
            bucket_depth: 0,
            ..batch()
        };
        assert_eq!(safe_chunks(&flat), 1 << 20);
    }

    #[test]
    fn a_deeper_batch_holds_more_and_a_larger_part_of_its_slots() {
        assert_eq!(safe_chunks_at(16), 0);
        for depth in DEPTH_MIN..BATCH_DEPTH_MAX {
            let (less, more) = (safe_chunks_at(depth), safe_chunks_at(depth + 1));
            assert!(
                more > 2 * less && more < 2 << depth,
                "{depth}: {less} {more}"
            );
        }
    }
}
