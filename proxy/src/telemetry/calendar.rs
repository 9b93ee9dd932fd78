//! Times as logs write them: RFC 3339 in UTC with microseconds, and nanoseconds since 1970.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECONDS_PER_DAY: u64 = 86_400;

/// The time since 1970; zero before it.
pub(super) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A time in the notation of RFC 3339: `2026-01-01T00:00:00.000000Z`.
pub(super) struct Rfc3339(pub(super) SystemTime);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = since_epoch(self.0);
        let (year, month, day) = date(since.as_secs() / SECONDS_PER_DAY);
        let second = since.as_secs() % SECONDS_PER_DAY;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let micros = since.subsec_micros();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

/// Year, month and day so many days after 1970-01-01, in the Gregorian calendar. Counts years from March, so that
/// the day of a leap year is the last one.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097; // 400 years
    const TO_MARCH_OF_YEAR_0: u64 = 719_468;
    let days = days + TO_MARCH_OF_YEAR_0;
    let (era, day) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / (DAYS_PER_ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(seconds: u64, nanos: u32) -> String {
        Rfc3339(UNIX_EPOCH + Duration::new(seconds, nanos)).to_string()
    }

    #[test]
    fn times_are_written_as_others_write_them() {
        // As `date --utc --date=@SECONDS` says.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_800, "2000-03-01T00:00:00"),
            (1_767_225_599, "2025-12-31T23:59:59"),
            (1_767_225_600, "2026-01-01T00:00:00"),
            (4_107_542_400, "2100-03-01T00:00:00"),
        ] {
            assert_eq!(written(seconds, 0), format!("{text}.000000Z"));
        }
        assert_eq!(written(1, 1_999), "1970-01-01T00:00:01.000001Z", "microseconds are cut, not rounded");
    }

    /// Against the HTTP date of another implementation.
    #[test]
    fn every_day_of_four_centuries_is_right() {
        for day in 0..146_097 {
            let time = UNIX_EPOCH + Duration::from_secs(day * SECONDS_PER_DAY);
            let text = Rfc3339(time).to_string();
            let other = httpdate::fmt_http_date(time);
            let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            let month = months.iter().position(|name| other.contains(name)).unwrap() + 1;
            let (day, year) = (&other[5..7], &other[12..16]);
            assert_eq!(text, format!("{year}-{month:02}-{day}T00:00:00.000000Z"));
        }
    }
}
