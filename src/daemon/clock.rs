//! The wall clock of commands and of the daemon.

#[cfg(debug_assertions)]
use std::path::PathBuf;
#[cfg(debug_assertions)]
use std::sync::Arc;

use crate::types::Clock;
#[cfg(debug_assertions)]
use crate::types::Timespec;
use crate::types::system_clock;

/// Names a file with seconds, perhaps negative, that are added to the clock. Heard in builds for tests alone.
#[cfg(debug_assertions)]
const TEST_CLOCK: &str = "PODFS_TEST_CLOCK";

/// The machine's clock. In builds for tests it can be moved.
pub fn clock() -> Clock {
    #[cfg(debug_assertions)]
    if let Some(file) = std::env::var_os(TEST_CLOCK) {
        return moved(system_clock(), file.into());
    }
    system_clock()
}

/// `clock`, moved by the seconds that are in `file` at each look; a file that says nothing moves nothing.
#[cfg(debug_assertions)]
fn moved(clock: Clock, file: PathBuf) -> Clock {
    Arc::new(move || {
        let now = clock();
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let moved: i64 = text.trim().parse().unwrap_or_default();
        Timespec {
            secs: now.secs.saturating_add(moved),
            ..now
        }
    })
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn a_file_moves_the_clock_at_each_look() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        let still: Clock = Arc::new(|| Timespec { secs: 7, nanos: 5 });
        let clock = moved(still, file.clone());
        let at = |secs| Timespec { secs, nanos: 5 };
        assert_eq!(clock(), at(7));
        for (text, secs) in [("100\n", 107), ("-10", -3), ("x", 7), ("", 7)] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(clock(), at(secs), "{text:?}");
        }
    }
}
