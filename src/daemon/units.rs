//! Sizes and durations as people write them.

use std::time::Duration;

/// `512`, `64K`, `64KiB`, `1.5G`, `10GB`: bytes. Letters count in 1024, those with `B` alone in 1000.
///
/// # Errors
/// A sentence that says what is expected.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size: write it like 500M, 10GiB or 1.5T");
    let (digits, unit) = split_number(text).ok_or_else(wrong)?;
    let unit = unit.to_ascii_lowercase();
    let (letter, base) = match unit.strip_suffix("ib") {
        Some(letter) => (letter, 1024_f64),
        None => match unit.strip_suffix('b') {
            Some(letter) => (letter, 1000_f64),
            None => (unit.as_str(), 1024_f64),
        },
    };
    let power = match letter {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(wrong()),
    };
    if power == 0 {
        return digits.parse().map_err(|_| wrong());
    }
    let bytes = digits.parse::<f64>().map_err(|_| wrong())? * base.powi(power);
    if !(0.0..9.0e18).contains(&bytes) {
        return Err(wrong());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "range checked above"
    )]
    let whole = bytes.round() as u64;
    Ok(whole)
}

/// `90`, `90s`, `30m`, `1h30m`, `2d`: a bare number is seconds.
///
/// # Errors
/// A sentence that says what is expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration: write it like 90s, 30m or 1h30m");
    let mut seconds = 0_u64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (digits, tail) = rest.split_at(end);
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        let end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let each = match unit.trim() {
            "" | "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        let part = number.checked_mul(each).ok_or_else(wrong)?;
        seconds = seconds.checked_add(part).ok_or_else(wrong)?;
        rest = tail;
    }
    Ok(Duration::from_secs(seconds))
}

/// Bytes with the unit a person reads: `1.4 GiB`.
pub fn show_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut value = bytes as f64;
    let mut shown = "bytes";
    for unit in UNITS {
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        shown = unit;
    }
    format!("{value:.1} {shown}")
}

/// Seconds in the two largest units that a person reads.
pub fn show_time(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A day, `2026-03-14`, from seconds since 1970, in UTC.
pub fn show_date(seconds: i64) -> String {
    // Howard Hinnant's civil_from_days; years begin in March.
    let days = seconds.div_euclid(86_400).saturating_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = year_of_era + era * 400 + next;
    format!("{year:04}-{month:02}-{day:02}")
}

/// The same with hours and minutes: `2026-03-14 15:09`.
pub fn show_moment(seconds: i64) -> String {
    let of_day = seconds.rem_euclid(86_400);
    let (hours, minutes) = (of_day / 3600, of_day / 60 % 60);
    format!("{} {hours:02}:{minutes:02}", show_date(seconds))
}

/// `2026-03-14`, which begins at midnight UTC, or `30d`: so long before `now`. Gives seconds since 1970.
///
/// # Errors
/// A sentence that says what is expected.
pub fn parse_since(text: &str, now: i64) -> Result<i64, String> {
    let wrong = || format!("{text:?} is neither a day like 2026-03-14 nor a time like 30d or 12h");
    if !text.contains('-') {
        let before = parse_duration(text).map_err(|_| wrong())?;
        return Ok(now.saturating_sub_unsigned(before.as_secs()));
    }
    let parts: Vec<&str> = text.trim().split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return Err(wrong());
    };
    let number = |part: &str| part.parse::<i64>().map_err(|_| wrong());
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    if !(1970..10_000).contains(&year) || !(1..13).contains(&month) || !(1..32).contains(&day) {
        return Err(wrong());
    }
    // Howard Hinnant's days_from_civil; years begin in March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = days * 86_400;
    // The 31st of a month that has none is a day of the next one.
    if show_date(seconds).ends_with(&format!("-{day:02}")) {
        Ok(seconds)
    } else {
        Err(wrong())
    }
}

fn split_number(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    (!digits.is_empty()).then_some((digits, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_before_now() {
        let good = [
            ("1970-01-01", 0),
            ("2026-03-14", 1_773_446_400),
            ("2024-02-29", 1_709_164_800),
            (" 2000-03-01", 951_868_800),
            ("30d", 1_000_000 - 30 * 86_400),
            ("1h30m", 1_000_000 - 5400),
        ];
        for (text, seconds) in good {
            assert_eq!(parse_since(text, 1_000_000), Ok(seconds), "{text}");
        }
        for wrong in [
            "",
            "yesterday",
            "2026-02-30",
            "2025-02-29",
            "2026-13-01",
            "2026-1",
            "-5",
        ] {
            assert!(parse_since(wrong, 0).is_err(), "{wrong}");
        }
        for day in (0..20_000).map(|day| day * 86_400) {
            assert_eq!(parse_since(&show_date(day), 0), Ok(day));
        }
        assert_eq!(show_moment(1_773_446_400 + 54_540), "2026-03-14 15:09");
    }

    #[test]
    fn sizes() {
        let good = [
            ("0", 0),
            ("512", 512),
            ("64K", 65_536),
            ("64KiB", 65_536),
            ("10kB", 10_000),
            ("1.5G", 1_610_612_736),
            (" 2 TiB", 2 << 40),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, bytes) in good {
            assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "G", "-1", "1X", "1..5G", "99999P", "1 2", "1.5"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("30m", 1800),
            ("1h30m", 5400),
            ("2d", 172_800),
        ] {
            assert_eq!(parse_duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in [
            "",
            "m",
            "1y",
            "-3s",
            "1.5h",
            "99999999999999999999d",
            "18446744073709551615d",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shown_times() {
        for (seconds, shown) in [
            (59, "59 s"),
            (3599, "59 min"),
            (3660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(show_time(seconds), shown);
        }
    }

    #[test]
    fn dates() {
        for (seconds, date) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_400, "2000-02-29"),
            (1_767_225_599, "2025-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(show_date(seconds), date);
        }
    }

    #[test]
    fn shown_sizes() {
        assert_eq!(show_size(1023), "1023 bytes");
        assert_eq!(show_size(1024), "1.0 KiB");
        assert_eq!(show_size(1 << 40), "1.0 TiB");
        assert_eq!(show_size(1_503_238_554), "1.4 GiB");
    }
}
