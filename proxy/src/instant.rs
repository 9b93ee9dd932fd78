//! A point in a host's time: what hosts tell, policies take and reports carry.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Nanoseconds since the host started. Simulated time has a grain of one microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// When the host started.
    pub const START: Self = Self(0);

    /// The end of time, 584 years after the start: when what has no limit is over.
    pub const NEVER: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Whole microseconds since the start.
    pub const fn micros(self) -> u64 {
        self.0 / 1_000
    }

    /// The time from `earlier` until `self`; zero when `earlier` is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::NEVER`].
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        debug_assert!(self >= earlier, "time runs backwards");
        self.saturating_since(earlier)
    }
}
