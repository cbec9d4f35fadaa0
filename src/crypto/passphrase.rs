//! Passphrases are stretched with Argon2id (RFC 9106, version 0x13).

use crate::crypto::secret::Secret;
use argon2::{Algorithm, Argon2, Params, Version};
use std::time::Duration;

/// Work that one guess costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes that may be filled in parallel.
    pub lanes: u32,
}

/// What cost is accepted from a file. The ceiling keeps a hostile header from exhausting the machine, the floor
/// keeps it from making guesses cheap.
#[derive(Clone, Copy, Debug)]
pub struct CostBounds {
    /// The least: memory and passes.
    pub floor: Cost,
    /// The most: memory, passes and lanes.
    pub ceiling: Cost,
}

/// Why no key came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StretchError {
    /// The memory that the cost asks for cannot be had.
    #[error("not enough free memory to stretch the passphrase")]
    OutOfMemory,
    /// Argon2 does not take these parameters.
    #[error("impossible parameters for stretching a passphrase")]
    Parameters,
}

/// A guess should take at least this long on the owner's machine.
const TIME_MIN: Duration = Duration::from_millis(800);
/// The owner should not wait longer than this.
const TIME_MAX: Duration = Duration::from_millis(1500);

impl Cost {
    /// Where calibration begins: 256 MiB, 3 passes, 4 lanes.
    pub const DEFAULT: Self = Self {
        memory_kib: 256 << 10,
        passes: 3,
        lanes: 4,
    };

    /// Whether the cost lies within `bounds`. Nothing is allocated before this was asked.
    pub fn is_within(&self, bounds: &CostBounds) -> bool {
        (bounds.floor.memory_kib..=bounds.ceiling.memory_kib).contains(&self.memory_kib)
            && (bounds.floor.passes..=bounds.ceiling.passes).contains(&self.passes)
            && (bounds.floor.lanes..=bounds.ceiling.lanes).contains(&self.lanes)
    }

    /// Finds the cost whose guess takes 0.8 to 1.5 s here, never below the floor. `measure` tries one.
    ///
    /// Too slow: less memory. Too fast: more passes. A machine that cannot give the memory counts as too slow.
    pub fn calibrate(measure: &mut dyn FnMut(&Self) -> Option<Duration>) -> Self {
        let floor = CostBounds::RELEASED.floor.memory_kib;
        let mut cost = Self::DEFAULT;
        let mut took = measure(&cost);
        while took.is_none_or(|took| took > TIME_MAX) && cost.memory_kib > floor {
            cost.memory_kib = (cost.memory_kib >> 1).max(floor);
            took = measure(&cost);
        }
        if let Some(took) = took.filter(|took| *took < TIME_MIN) {
            let passes = TIME_MIN
                .as_nanos()
                .saturating_mul(cost.passes.into())
                .div_ceil(took.as_nanos().max(1));
            cost.passes = u32::try_from(passes)
                .unwrap_or(u32::MAX)
                .clamp(cost.passes, CostBounds::RELEASED.ceiling.passes);
        }
        cost
    }
}

impl CostBounds {
    /// What released versions read: 64 MiB and 3 passes (RFC 9106 §4, second choice) to 4 GiB, 16 passes, 16 lanes.
    pub const RELEASED: Self = Self {
        floor: Cost {
            memory_kib: 64 << 10,
            passes: 3,
            lanes: 1,
        },
        ceiling: Cost {
            memory_kib: 4 << 20,
            passes: 16,
            lanes: 16,
        },
    };
}

/// `Argon2id(passphrase, salt)` with 32 bytes of output.
///
/// # Errors
/// [`StretchError`]; the caller has checked the cost with [`Cost::is_within`].
pub fn stretch(
    passphrase: &[u8],
    salt: &[u8; 32],
    cost: &Cost,
) -> Result<Secret<32>, StretchError> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
        .map_err(|_| StretchError::Parameters)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Secret::try_fill_with(|key| argon2.hash_password_into(passphrase, salt, key)).map_err(|error| {
        if error == argon2::Error::OutOfMemory {
            StretchError::OutOfMemory
        } else {
            StretchError::Parameters
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost {
        memory_kib: 32,
        passes: 1,
        lanes: 4,
    };

    #[test]
    fn every_input_counts() {
        let key = |word: &[u8], salt: u8, cost| stretch(word, &[salt; 32], &cost).ok().unwrap();
        let one = key(b"word", 1, CHEAP);
        assert!(one.eq_ct(&key(b"word", 1, CHEAP)));
        assert!(!one.eq_ct(&key(b"Word", 1, CHEAP)));
        assert!(!one.eq_ct(&key(b"word", 2, CHEAP)));
        assert!(!one.eq_ct(&key(b"word", 1, Cost { passes: 2, ..CHEAP })));
        assert!(!one.eq_ct(&key(b"word", 1, Cost { lanes: 2, ..CHEAP })));
    }

    #[test]
    fn impossible_parameters_are_an_error() {
        for cost in [
            Cost {
                memory_kib: 7,
                ..CHEAP
            },
            Cost { passes: 0, ..CHEAP },
            Cost { lanes: 0, ..CHEAP },
        ] {
            assert_eq!(
                stretch(b"word", &[0; 32], &cost).err(),
                Some(StretchError::Parameters),
                "{cost:?}"
            );
        }
    }

    #[test]
    fn the_bounds_are_the_documented_ones() {
        let within = |memory_kib, passes, lanes| {
            Cost {
                memory_kib,
                passes,
                lanes,
            }
            .is_within(&CostBounds::RELEASED)
        };
        assert!(Cost::DEFAULT.is_within(&CostBounds::RELEASED));
        assert!(within(65_536, 3, 1) && within(4_194_304, 16, 16));
        assert!(!within(65_535, 3, 4) && !within(65_536, 2, 4) && !within(65_536, 3, 0));
        assert!(!within(4_194_305, 3, 4) && !within(65_536, 17, 4) && !within(65_536, 3, 17));
    }

    /// A machine of `ns` nanoseconds per KiB and pass.
    fn calibrated(ns: u64) -> (Cost, Duration) {
        let mut time = |cost: &Cost| {
            Some(Duration::from_nanos(
                ns * u64::from(cost.memory_kib) * u64::from(cost.passes),
            ))
        };
        let cost = Cost::calibrate(&mut time);
        (cost, time(&cost).unwrap())
    }

    #[test]
    fn calibration_hits_the_window_or_the_floor() {
        for ns in [700, 1_000, 1_500, 2_000, 4_000, 7_000] {
            let (cost, took) = calibrated(ns);
            assert!(cost.is_within(&CostBounds::RELEASED));
            assert!(
                (TIME_MIN..=TIME_MAX).contains(&took),
                "{ns} ns: {cost:?} takes {took:?}"
            );
        }
        assert_eq!(
            calibrated(100_000).0,
            Cost {
                memory_kib: 64 << 10,
                ..Cost::DEFAULT
            }
        );
        assert_eq!(
            calibrated(1).0,
            Cost {
                passes: 16,
                ..Cost::DEFAULT
            }
        );
        assert_eq!(
            Cost::calibrate(&mut |_| None),
            Cost {
                memory_kib: 64 << 10,
                ..Cost::DEFAULT
            }
        );
    }
}
