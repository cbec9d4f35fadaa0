//! The time of a network. It stands still until a test moves it, or follows the machine's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where a standing clock stands at first: 2026-01-01, in nanoseconds of Unix time.
const START: u64 = 1_767_225_600_000_000_000;

#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    /// Nanoseconds of Unix time, without what a running clock has run.
    set: AtomicU64,
    running: Option<Instant>,
}

impl Clock {
    pub fn standing() -> Self {
        Self(Arc::new(Inner {
            set: AtomicU64::new(START),
            running: None,
        }))
    }

    pub fn running() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self(Arc::new(Inner {
            set: AtomicU64::new(nanos(now)),
            running: Some(Instant::now()),
        }))
    }

    /// Nanoseconds of Unix time.
    pub fn now(&self) -> u64 {
        let run = self.0.running.map_or(0, |start| nanos(start.elapsed()));
        self.0.set.load(Ordering::SeqCst) + run
    }

    pub fn advance(&self, by: Duration) {
        self.0.set.fetch_add(nanos(by), Ordering::SeqCst);
    }
}

pub fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap()
}

/// As Go writes a time: RFC 3339 in UTC, nanoseconds without trailing zeros.
pub fn rfc3339(unix_nanos: u64) -> String {
    let (year, month, day) = date(unix_nanos / 86_400_000_000_000);
    let second = unix_nanos / 1_000_000_000 % 86_400;
    let fraction = format!("{:09}", unix_nanos % 1_000_000_000);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}{dot}{fraction}Z",
        second % 60
    )
}

/// As HTTP writes a time.
pub fn http_date(unix_nanos: u64) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const DAYS: &str = "ThuFriSatSunMonTueWed";
    let days = unix_nanos / 86_400_000_000_000;
    let (year, month, day) = date(days);
    let second = unix_nanos / 1_000_000_000 % 86_400;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let month = &MONTHS[(month as usize - 1) * 3..][..3];
    let weekday = &DAYS[(days % 7) as usize * 3..][..3];
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Year, month and day of a day of Unix time, by Howard Hinnant's `civil_from_days`.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}
