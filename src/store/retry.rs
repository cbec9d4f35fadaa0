//! When the same bytes go out again, and what has to happen first. One place, so that nobody storms a node.

use std::time::Duration;

use crate::store::{Outage, Rejection, StoreError};
use crate::types::limits::{
    BACKOFF_FIRST, BACKOFF_MAX, BATCH_POLL, RETRIEVE_AGAIN, RETRIEVE_AGAIN_MAX,
};

/// What a caller whose request failed does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The same request after this time; reads ask other endpoints first.
    Again(Duration),
    /// The chunk under its next address: the next `t`.
    OtherAddress,
    /// A new tag, and again everything that the old one covered.
    NewTag,
    /// Nothing is sent but a look at the list of batches, every so often.
    LookAtBatch(Duration),
    /// Nothing until a person or a setting changed something.
    Stop,
}

/// The step after `error`, which is the `attempt`-th in a row, counted from 0. `chance` is any random number: it
/// spreads those who failed together.
pub fn next(error: &StoreError, attempt: u32, chance: u64) -> Next {
    match error {
        StoreError::NotFound => Next::Again(retrieve_again(attempt)),
        StoreError::Corrupt => Next::Again(backoff(attempt, chance)),
        StoreError::Unavailable { why, retry_after } => {
            if *why == Outage::Nobody {
                return Next::Stop;
            }
            if *why == Outage::Unsettled {
                return Next::LookAtBatch(BATCH_POLL);
            }
            let own = backoff(attempt, chance);
            Next::Again(retry_after.map_or(own, |asked| own.max(asked)))
        }
        StoreError::Rejected(rejection) => match rejection {
            Rejection::BucketFull(_) => Next::OtherAddress,
            Rejection::TagUnknown => Next::NewTag,
            Rejection::BatchUnusable | Rejection::BatchUnknown => Next::LookAtBatch(BATCH_POLL),
            Rejection::NoBatch
            | Rejection::OutOfFunds
            | Rejection::NoChain
            | Rejection::Unsupported
            | Rejection::Forbidden
            | Rejection::Redirected
            | Rejection::NoSpace
            | Rejection::Size
            | Rejection::Invalid(_) => Next::Stop,
        },
    }
}

/// Twice as long each time, from [`BACKOFF_FIRST`] to [`BACKOFF_MAX`], of which a random share of up to one half is
/// taken off.
pub fn backoff(attempt: u32, chance: u64) -> Duration {
    let whole = doubled(BACKOFF_FIRST, attempt, BACKOFF_MAX);
    let half = whole / 2;
    let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
    half + Duration::from_micros(chance.checked_rem(micros.saturating_add(1)).unwrap_or(0))
}

/// A node does not ask the same peer for the same chunk again within a minute.
fn retrieve_again(attempt: u32) -> Duration {
    doubled(RETRIEVE_AGAIN, attempt, RETRIEVE_AGAIN_MAX)
}

fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first
        .saturating_mul(1_u32.checked_shl(times.min(31)).unwrap_or(u32::MAX))
        .min(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Address;

    #[test]
    fn waiting_grows_to_its_cap_and_never_below_half() {
        let mut least = Duration::ZERO;
        for attempt in 0..40 {
            let (low, high) = (backoff(attempt, 0), backoff(attempt, u64::MAX));
            assert!(low >= least, "attempt {attempt}: {low:?} after {least:?}");
            assert!(low >= BACKOFF_FIRST / 2 && high <= BACKOFF_MAX);
            for chance in [1, 77, 1 << 40] {
                let some = backoff(attempt, chance);
                assert!(some >= low && some <= low * 2, "{some:?}");
            }
            least = low;
        }
        assert_eq!(backoff(39, 0), BACKOFF_MAX / 2);
    }

    #[test]
    fn what_the_node_asked_for_is_honoured() {
        let busy = |seconds| StoreError::Unavailable {
            why: Outage::Busy(429),
            retry_after: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(next(&busy(90), 0, 5), Next::Again(Duration::from_secs(90)));
        let Next::Again(wait) = next(&busy(0), 9, 5) else {
            panic!("busy nodes are asked again")
        };
        assert!(wait >= BACKOFF_MAX / 2, "{wait:?}");
    }

    #[test]
    fn a_refusal_is_never_simply_repeated() {
        let refused = |why| next(&StoreError::Rejected(why), 0, 0);
        assert_eq!(
            refused(Rejection::BucketFull(Address([7; 32]))),
            Next::OtherAddress
        );
        assert_eq!(refused(Rejection::TagUnknown), Next::NewTag);
        let unsettled = next(&StoreError::unavailable(Outage::Unsettled), 0, 0);
        for next in [
            refused(Rejection::BatchUnusable),
            refused(Rejection::BatchUnknown),
            unsettled,
        ] {
            let Next::LookAtBatch(wait) = next else {
                panic!("the list of batches decides")
            };
            assert!(wait >= Duration::from_secs(1));
        }
        for why in [Rejection::NoBatch, Rejection::Forbidden, Rejection::Size] {
            assert_eq!(refused(why), Next::Stop);
        }
        assert_eq!(
            next(&StoreError::unavailable(Outage::Nobody), 0, 0),
            Next::Stop
        );
    }

    #[test]
    fn a_chunk_that_was_not_found_is_asked_for_after_a_minute() {
        let waits: Vec<_> = (0..6)
            .map(|attempt| next(&StoreError::NotFound, attempt, 0))
            .collect();
        for wait in waits {
            let Next::Again(wait) = wait else {
                panic!("a chunk is asked for again")
            };
            assert!(wait > Duration::from_secs(60) && wait <= RETRIEVE_AGAIN_MAX);
        }
    }
}
