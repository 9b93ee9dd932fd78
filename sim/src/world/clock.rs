//! The model's clock: one tokio millisecond is one model microsecond. Nobody else knows.
//!
//! tokio's paused clock moves only while the runtime is parked, so the time is read once after each
//! park and kept. Timers reach 18 model hours.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hoplab_proxy::host::Instant;

/// As far as timers reach: tokio's wheel holds 2^36 ms, a little over 19 model hours.
const FAR: Duration = Duration::from_millis(18 * 3_600 * 1_000_000);

/// The time since the world began.
#[derive(Debug, Default)]
pub(super) struct Clock {
    start: OnceLock<tokio::time::Instant>,
    now_us: AtomicU64,
}

#[expect(clippy::disallowed_methods, reason = "this is the door to the simulation's clock")]
impl Clock {
    /// The model's time starts now.
    pub(super) fn start(&self) {
        self.start.get_or_init(tokio::time::Instant::now);
    }

    /// Reads tokio's clock; called when it may have moved.
    pub(super) fn update(&self) {
        if let Some(start) = self.start.get() {
            let elapsed = tokio::time::Instant::now().saturating_duration_since(*start);
            self.now_us.store(elapsed.as_millis() as u64, Ordering::Relaxed);
        }
    }

    /// The model's time.
    pub(super) fn now(&self) -> Instant {
        Instant::from_nanos(self.now_us.load(Ordering::Relaxed) * 1_000)
    }

    /// When tokio's clock reaches `at`, rounded up to a microsecond.
    pub(super) fn tokio(&self, at: Instant) -> tokio::time::Instant {
        let start = self.start.get().expect("the world has begun");
        *start + Duration::from_millis(at.nanos().div_ceil(1_000)).min(FAR)
    }

    /// Completes when the model's time reaches `at`.
    pub(super) fn sleep_until(&self, at: Instant) -> tokio::time::Sleep {
        tokio::time::sleep_until(self.tokio(at))
    }

    /// A timer that has not been set.
    pub(super) fn far(&self) -> tokio::time::Sleep {
        self.sleep_until(Instant::from_nanos(u64::MAX))
    }
}
