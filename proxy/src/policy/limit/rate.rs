//! A rate as a fraction of whole numbers, so that limits can be exact: 100 a second, 7 a minute.

use std::time::Duration;

/// Requests in a period. Neither is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many requests.
    pub requests: u64,
    /// In how many nanoseconds.
    pub nanos: u64,
}

impl Rate {
    /// The rate of `per_second` requests a second: as whole numbers a second, minute or hour if it is that, else
    /// to the millionth of a request. `None` for what is no rate above zero, or none that a clock could tell.
    pub fn per_second(per_second: f64) -> Option<Self> {
        const SECOND: u64 = 1_000_000_000;
        if !(per_second > 0.0 && per_second <= 1e9) {
            return None;
        }
        let whole = |seconds: u64| {
            let requests = per_second * seconds as f64;
            let near = (requests - requests.round()).abs() <= 1e-9 * requests;
            let rounded = requests.round() as u64;
            (near && rounded > 0).then_some(Self { requests: rounded, nanos: seconds * SECOND })
        };
        let millionths = (per_second * 1e6).round() as u64;
        let to_the_millionth =
            (millionths > 0).then_some(Self { requests: millionths, nanos: 1_000_000 * SECOND });
        whole(1).or_else(|| whole(60)).or_else(|| whole(3_600)).or(to_the_millionth)
    }

    /// How many whole requests pass in `time`.
    pub fn in_time(self, time: Duration) -> u64 {
        u64::try_from(time.as_nanos() * u128::from(self.requests) / u128::from(self.nanos))
            .unwrap_or(u64::MAX)
    }

    /// Whether so many pass in `time`, with nothing left over.
    pub fn is_whole_in(self, time: Duration) -> bool {
        (time.as_nanos() * u128::from(self.requests)).is_multiple_of(u128::from(self.nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_fractions_of_whole_numbers() {
        let rate =
            |per_second| Rate::per_second(per_second).map(|rate| (rate.requests, rate.nanos / 1_000_000_000));
        assert_eq!(rate(100.0), Some((100, 1)));
        assert_eq!(rate(7.0 / 60.0), Some((7, 60)));
        assert_eq!(rate(0.5), Some((30, 60)));
        assert_eq!(rate(7.0 / 3_600.0), Some((7, 3_600)));
        assert_eq!(rate(0.123_456), Some((123_456, 1_000_000)));
        assert_eq!(rate(0.0), None);
        assert_eq!(rate(-1.0), None);
        assert_eq!(rate(f64::NAN), None);
        assert_eq!(rate(1e-9), None);
        let rate = Rate::per_second(100.0).unwrap();
        assert_eq!(rate.in_time(Duration::from_millis(1_009)), 100);
        assert!(rate.is_whole_in(Duration::from_millis(10)));
        assert!(!rate.is_whole_in(Duration::from_millis(15)));
    }
}
