//! CUBIC: the window grows with the cube of the time since the last loss, flat where that was (RFC 9438), with Linux
//! 6.18's constants (`tcp_cubic.c`). Slow start ends where round trips grow ([`super::slow_start`]). Arithmetic
//! on integers, so that every machine comes to the same window.

use std::time::Duration;

use hoplab_proxy::host::Instant;

/// What is left of the window after a loss, in 1,024ths: 0.7.
const BETA: u64 = 717;
/// `C` of RFC 9438, 4.1: 0.4 segments a second cubed, as 410 of 1,024.
const C: u64 = 410;
/// How long a pace holds, while the window stays: Linux's `HZ / 32`.
const PACE_LASTS: Duration = Duration::from_micros(31_250);
/// The state of a connection's end.
#[derive(Debug, Default)]
pub(super) struct Cubic {
    /// The window before the last loss.
    last: u32,
    /// Since when the window has been growing, if it is.
    epoch: Option<Epoch>,
    shortest: Option<Duration>,
}

/// A time of growth.
#[derive(Debug)]
struct Epoch {
    since: Instant,
    /// The window at which the curve is flat.
    origin: u32,
    /// How long after `since` that is, in 1,024ths of a second.
    k: u64,
    /// The window that Reno would have (RFC 9438, 4.3), and what has arrived towards its next growth.
    reno: u32,
    reno_credit: u32,
    /// What was last computed.
    pace: Option<Pace>,
}

/// How fast a window grows, for a while.
#[derive(Debug, Clone, Copy)]
struct Pace {
    at: Instant,
    window: u32,
    per_growth: u32,
}

impl Cubic {
    /// How many segments have to arrive for the window to grow by one, now that `segments` have.
    pub(super) fn per_growth(&mut self, now: Instant, window: u32, segments: u32) -> u32 {
        let last = self.last;
        let epoch = self.epoch.get_or_insert_with(|| Epoch::new(now, window, last));
        epoch.reno_credit += segments;
        if let Some(pace) = epoch.pace.filter(|pace| pace.window == window && now < pace.at + PACE_LASTS) {
            return pace.per_growth;
        }
        let ahead = self.shortest.unwrap_or_default();
        let target = epoch.target(now.saturating_since(epoch.since) + ahead);
        let mut per_growth = if target > window { window / (target - window) } else { 100 * window };
        // Before any loss the curve knows nothing: not slower than a twentieth a round trip.
        if last == 0 {
            per_growth = per_growth.min(20);
        }
        per_growth = per_growth.min(epoch.reno_pace(window)).max(2);
        epoch.pace = Some(Pace { at: now, window, per_growth });
        per_growth
    }

    /// What is left of the window after a loss.
    pub(super) fn after_loss(&mut self, window: u32) -> u32 {
        self.epoch = None;
        // Who loses below where the last loss was makes room for others (RFC 9438, 4.7).
        let is_below = window < self.last;
        self.last = if is_below { scaled(window, u64::midpoint(1_024, BETA)) } else { window };
        scaled(window, BETA)
    }

    /// Nothing was sent for a time: the curve stands still.
    pub(super) fn idled(&mut self, now: Instant, idle: Duration) {
        if let Some(epoch) = &mut self.epoch {
            epoch.since = (epoch.since + idle).min(now);
        }
    }

    /// A round trip was measured; the shortest ever, unless this one says nothing of it.
    pub(super) fn measured(&mut self, now: Instant, round_trip: Duration) -> Option<Duration> {
        // What was measured just after a loss is of a full queue.
        let is_settling = self
            .epoch
            .as_ref()
            .is_some_and(|epoch| now.saturating_since(epoch.since) < Duration::from_secs(1));
        if is_settling {
            return None;
        }
        self.shortest = Some(self.shortest.map_or(round_trip, |shortest| shortest.min(round_trip)));
        self.shortest
    }
}

impl Epoch {
    fn new(since: Instant, window: u32, last: u32) -> Self {
        let (origin, k) = if last > window {
            // K = cbrt((W_max - cwnd) / C), in 1,024ths of a second.
            let cube = (u64::from(last - window) << 40) / C;
            (last, cube_root(cube))
        } else {
            (window, 0)
        };
        Self { since, origin, k, reno: window, reno_credit: 0, pace: None }
    }

    /// The window on the curve, so long after the beginning.
    fn target(&self, elapsed: Duration) -> u32 {
        let at = (elapsed.as_micros() as u64 * 1_024) / 1_000_000;
        let off = at.abs_diff(self.k).min(1 << 17);
        let delta = ((C * off * off * off) >> 40) as u32;
        if at < self.k { self.origin.saturating_sub(delta) } else { self.origin + delta }
    }

    /// How many segments have to arrive for the window to keep up with Reno's.
    fn reno_pace(&mut self, window: u32) -> u32 {
        // Reno with CUBIC's loss grows by 3 (1 - beta) / (1 + beta) a round trip: one for each 15/8 windows.
        let per_growth = ((u64::from(window) * 15) >> 3).max(1) as u32;
        while self.reno_credit > per_growth {
            self.reno_credit -= per_growth;
            self.reno += 1;
        }
        if self.reno > window { window / (self.reno - window) } else { u32::MAX }
    }
}

fn scaled(window: u32, share: u64) -> u32 {
    ((u64::from(window) * share) >> 10) as u32
}

/// The largest number whose cube is not above `cube`.
fn cube_root(cube: u64) -> u64 {
    let mut root = 0;
    for bit in (0..22).rev() {
        let larger: u64 = root | 1 << bit;
        if larger * larger * larger <= cube {
            root = larger;
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_is_that_of_the_rfc() {
        // From 70 to 100: K = cbrt(30 / 0.4) = 4.217 s; after 8 s the window is 100 + 0.4 (8 - K)^3 = 121.6.
        let epoch = Epoch::new(Instant::START, 70, 100);
        assert!(epoch.k.abs_diff(4_318) < 5, "{}", epoch.k);
        assert!(epoch.target(Duration::ZERO).abs_diff(70) <= 1);
        assert_eq!(epoch.target(Duration::from_millis(4_217)), 100);
        assert_eq!(epoch.target(Duration::from_secs(8)), 121);
    }

    #[test]
    fn a_loss_leaves_seven_tenths() {
        let mut cubic = Cubic::default();
        assert_eq!(cubic.after_loss(100), 70);
        assert_eq!(cubic.last, 100);
        assert_eq!(cubic.after_loss(70), 49);
        assert_eq!(cubic.last, 59, "fast convergence");
    }

    #[test]
    fn cube_roots() {
        for root in [0, 1, 2, 9, 100, 4_317, 100_000] {
            assert_eq!(cube_root(root * root * root), root);
            assert_eq!(cube_root(root * root * root + root), root);
        }
    }
}
