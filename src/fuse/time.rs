use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::types::Timespec;

/// A time of a `setattr` request. fuser 0.18.0 hands a time before 1970 over as `-(|secs| + nanos)` where the kernel
/// meant `-|secs| + nanos` (its `src/time.rs`); that is undone here. Whole seconds are not touched by it.
pub(super) fn from_request(time: SystemTime) -> Timespec {
    let (secs, nanos, before) = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (after.as_secs(), after.subsec_nanos(), false),
        Err(error) => {
            let before = error.duration();
            (before.as_secs(), before.subsec_nanos(), true)
        }
    };
    let secs = i64::try_from(secs).unwrap_or(i64::MAX);
    Timespec {
        secs: if before { -secs } else { secs },
        nanos,
    }
}

/// A time for a reply, which fuser encodes correctly. Times no clock has are shown as the nearest one that fits.
pub(super) fn for_reply(time: Timespec) -> SystemTime {
    let whole = Duration::from_secs(time.secs.unsigned_abs());
    let second = if time.secs < 0 {
        UNIX_EPOCH.checked_sub(whole)
    } else {
        UNIX_EPOCH.checked_add(whole)
    };
    second
        .and_then(|second| second.checked_add(Duration::from_nanos(u64::from(time.nanos))))
        .unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What fuser 0.18.0 makes of the two numbers in a request.
    fn as_fuser_decodes(secs: i64, nanos: u32) -> SystemTime {
        if secs >= 0 {
            UNIX_EPOCH + Duration::new(secs.unsigned_abs(), nanos)
        } else {
            UNIX_EPOCH - Duration::new(secs.unsigned_abs(), nanos)
        }
    }

    /// What it makes of a time in a reply.
    fn as_fuser_encodes(time: SystemTime) -> (i64, u32) {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => (after.as_secs().cast_signed(), after.subsec_nanos()),
            Err(error) => {
                let before = error.duration();
                let (secs, nanos) = (before.as_secs().cast_signed(), before.subsec_nanos());
                if nanos == 0 {
                    (-secs, 0)
                } else {
                    (-secs - 1, 1_000_000_000 - nanos)
                }
            }
        }
    }

    #[test]
    fn times_before_1970_come_back_as_they_were_set() {
        // -1.5 s is two seconds back and half a second forward.
        for (secs, nanos) in [
            (-2, 500_000_000),
            (-1, 0),
            (-1, 1),
            (-1, 999_999_999),
            (0, 0),
            (0, 1),
            (1, 999_999_999),
            (-2_208_988_800, 123_456_789),
            (17_179_869_183, 5),
            (i64::MIN / 4, 7),
        ] {
            let kept = from_request(as_fuser_decodes(secs, nanos));
            assert_eq!(kept, Timespec { secs, nanos });
            assert_eq!(as_fuser_encodes(for_reply(kept)), (secs, nanos));
        }
    }
}
