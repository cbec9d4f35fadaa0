//! Moments as people write them: a day, a minute in UTC, or how long from now.

use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::clock::clock;
use crate::daemon::units::show_date;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR_FIRST: i64 = 1970;
const YEAR_LAST: i64 = 9999;

/// Which moment of a day is meant when only the day is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// Its first second.
    Start,
    /// Its last one.
    End,
}

/// `2026-12-31` (a whole day in UTC, of which `edge` counts), `2026-12-31T12:00Z`, `2026-12-31T12:00:30Z`, or `90m`, `12h`,
/// `30d`, `8w` from `now` on: seconds since 1970.
///
/// # Errors
/// A sentence that says what is expected.
pub(super) fn parse_when(text: &str, edge: Edge, now: i64) -> Result<i64, String> {
    let text = text.trim();
    let seconds = from_now(text, now)
        .or_else(|| moment(text))
        .or_else(|| whole_day(text, edge));
    seconds.ok_or_else(|| {
        format!(
            "{text:?} is no moment: write it like 2026-12-31, 2026-12-31T12:00Z, 30d, 12h or 8w"
        )
    })
}

/// A moment that was typed, if one was.
///
/// # Errors
/// [`FaultKind::Usage`] says what is expected.
pub(super) fn typed(text: Option<&str>, edge: Edge) -> Result<Option<i64>, Fault> {
    let now = (clock())().secs;
    let seconds = text.map(|text| parse_when(text, edge, now));
    seconds
        .transpose()
        .map_err(|what| Fault::new(FaultKind::Usage, what))
}

/// A minute, `2026-12-31 12:00`, in UTC.
pub(super) fn show_moment(seconds: i64) -> String {
    let of_day = seconds.rem_euclid(DAY);
    let (hour, minute) = (of_day / HOUR, of_day % HOUR / MINUTE);
    format!("{} {hour:02}:{minute:02}", show_date(seconds))
}

fn from_now(text: &str, now: i64) -> Option<i64> {
    let each = match text.chars().last()? {
        'm' => MINUTE,
        'h' => HOUR,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return None,
    };
    let count = number(text.get(..text.len().checked_sub(1)?)?, 1..=9)?;
    let then = now.checked_add(count.checked_mul(each)?)?;
    // What has no date cannot be shown.
    (then <= end_of_time()).then_some(then)
}

fn moment(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut fields = time.split(':');
    let hour = number(fields.next()?, 2..=2).filter(|hour| *hour < 24)?;
    let minute = number(fields.next()?, 2..=2).filter(|minute| *minute < 60)?;
    let second = match fields.next() {
        Some(second) => number(second, 2..=2).filter(|second| *second < 60)?,
        None => 0,
    };
    if fields.next().is_some() {
        return None;
    }
    Some(midnight(date)? + hour * HOUR + minute * MINUTE + second)
}

fn whole_day(text: &str, edge: Edge) -> Option<i64> {
    let start = midnight(text)?;
    Some(match edge {
        Edge::Start => start,
        Edge::End => start + DAY - 1,
    })
}

/// The first second of a day, `2026-12-31`.
fn midnight(text: &str) -> Option<i64> {
    let mut fields = text.split('-');
    let year = number(fields.next()?, 4..=4).filter(|it| (YEAR_FIRST..=YEAR_LAST).contains(it))?;
    let month = number(fields.next()?, 2..=2).filter(|month| (1..=12).contains(month))?;
    let day = number(fields.next()?, 2..=2).filter(|day| *day >= 1)?;
    if fields.next().is_some() || day > days_of(year, month) {
        return None;
    }
    Some(days_before(year, month, day) * DAY)
}

fn end_of_time() -> i64 {
    days_before(YEAR_LAST, 12, 31) * DAY + DAY - 1
}

/// Days since 1970: Howard Hinnant's `days_from_civil`; years begin in March.
const fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// As many digits and nothing else.
fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let is_number = digits.contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_800_000_000;

    fn parsed(text: &str) -> Option<i64> {
        parse_when(text, Edge::Start, NOW).ok()
    }

    #[test]
    fn moments_are_read() {
        assert_eq!(parsed("1970-01-01"), Some(0));
        assert_eq!(parsed("2000-02-29"), Some(951_782_400));
        assert_eq!(parsed("2026-12-31"), Some(1_798_675_200));
        assert_eq!(parsed("2026-12-31T12:34Z"), Some(1_798_720_440));
        assert_eq!(parsed("2026-12-31T12:34:56Z"), Some(1_798_720_496));
        let end = parse_when("2026-12-31", Edge::End, NOW);
        assert_eq!(end, Ok(1_798_675_200 + DAY - 1));
        for (text, seconds) in [
            ("90m", 5400),
            ("12h", 12 * HOUR),
            ("30d", 30 * DAY),
            (" 8w ", 56 * DAY),
        ] {
            assert_eq!(parsed(text), Some(NOW + seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "d",
            "30",
            "30y",
            "-3d",
            "+3d",
            "1.5d",
            "9999999999d",
            "999999999w",
            "2026-02-29",
            "1900-01-01",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "2026-1-1",
            "26-01-01",
            "2026-01-01T",
            "2026-01-01T24:00Z",
            "2026-01-01T12:60Z",
            "2026-01-01T12:00",
            "2026-01-01T12Z",
            "2026-01-01T12:00:00:00Z",
            "2026-01-01-01",
            "tomorrow",
            "２026-01-01",
            "2026-01-01T12:00:61Z",
            "10000-01-01",
            "ü",
        ] {
            let error = parse_when(text, Edge::End, NOW).unwrap_err();
            assert!(error.contains("write it like"), "{text}");
        }
        assert!(parse_when("1d", Edge::End, i64::MAX).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,24}", now: i64) {
            if let Ok(seconds) = parse_when(&text, Edge::End, now) {
                drop(show_moment(seconds));
            }
        }

        #[test]
        fn what_is_shown_is_read(minutes in 0..=end_of_time() / 60) {
            let shown = show_moment(minutes * 60).replace(' ', "T") + "Z";
            prop_assert_eq!(parse_when(&shown, Edge::Start, 0), Ok(minutes * 60));
        }
    }
}
