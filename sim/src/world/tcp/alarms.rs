//! What a sender waits for, one thing at a time, and for how long: a timeout that doubles (RFC 6298), the tail's probe
//! (RFC 8985, 7.2), reordering, a window that is closed; and how long it does so in vain before it gives up. Owns no
//! segment and no clock; what is done when a time has come is the sender's.

use std::time::Duration;

use hoplab_proxy::host::Instant;

use super::round_trip::{RoundTrip, TIMEOUT_MAX, TIMEOUT_MIN};

/// What Linux's clock of timers ticks in: 250 Hz.
const TICK: Duration = Duration::from_millis(4);
/// What a tail probe waits for longer than two round trips when several segments are on their way: two ticks, as the
/// lab's kernel did in the mean.
const PROBE_GRACE: Duration = TICK.saturating_mul(2);
/// What overtaken segments are waited for besides: `TCP_TIMEOUT_MIN_US`.
const OVERTAKEN_GRACE: Duration = Duration::from_millis(2);
/// How long one segment is sent again before the connection is given up: Linux's `tcp_retries2` of 15; nine doublings
/// of the shortest timeout, then six of the longest.
const PATIENCE: Duration = Duration::from_millis(1_023 * 200 + 6 * 120_000);
/// The same when nobody holds the socket any more: `tcp_orphan_retries` of 8.
const PATIENCE_ORPHANED: Duration = Duration::from_millis(511 * 200);

/// The earlier of two times, as far as there are any. Asked after each thing that is done to an end.
pub(super) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Why a sender wants to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    /// Nothing was heard for the length of a timeout.
    Timeout,
    /// Nothing was heard for two round trips.
    Probe,
    /// What was overtaken should have arrived.
    Reordering,
    /// The peer's window is closed.
    Window,
}

/// What a sender waits for.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    set: Option<(Alarm, Instant)>,
    /// How often the timeout has been doubled.
    backoff: u32,
    /// Since when, without anything acknowledged, timeouts have followed each other.
    in_vain: Option<Instant>,
}

impl Alarms {
    /// When the sender wants to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.set.map(|(_, at)| at)
    }

    /// What it has been waited for until now.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Alarm> {
        self.set.take_if(|(_, at)| *at <= now).map(|(alarm, _)| alarm)
    }

    /// Nothing is waited for.
    pub(super) fn clear(&mut self) {
        self.set = None;
    }

    pub(super) fn is_waiting_for(&self, alarm: Alarm) -> bool {
        self.set.is_some_and(|(set, _)| set == alarm)
    }

    /// A round trip was measured, or a window has opened: the timeout is its own length again.
    pub(super) fn restart(&mut self) {
        self.backoff = 0;
    }

    /// Something was acknowledged.
    pub(super) fn heard(&mut self) {
        self.in_vain = None;
    }

    /// How long an acknowledgement is waited for.
    pub(super) fn timeout(&self, trips: &RoundTrip) -> Duration {
        trips.timeout().saturating_mul(1 << self.backoff.min(16)).min(TIMEOUT_MAX)
    }

    /// Waits for a timeout from `now` on.
    pub(super) fn await_timeout(&mut self, now: Instant, trips: &RoundTrip) {
        self.set = Some((Alarm::Timeout, now + self.timeout(trips)));
    }

    /// Waits for what is left of a timeout since `first`, the first segment, was sent.
    pub(super) fn await_rest(&mut self, now: Instant, first: Option<Instant>, trips: &RoundTrip) {
        self.set = Some((Alarm::Timeout, self.rest(now, first, trips)));
    }

    fn rest(&self, now: Instant, first: Option<Instant>, trips: &RoundTrip) -> Instant {
        (first.unwrap_or(now) + self.timeout(trips)).max(now + Duration::from_micros(1))
    }

    /// Waits to probe the tail, if that comes before what is left of the timeout; `is_alone`: a lone segment may be
    /// acknowledged late on purpose. Whether a round trip has been measured, without which it does not.
    pub(super) fn await_probe(
        &mut self,
        now: Instant,
        first: Option<Instant>,
        is_alone: bool,
        trips: &RoundTrip,
    ) -> bool {
        let Some(smoothed) = trips.smoothed() else { return false };
        let grace = if is_alone { TIMEOUT_MIN } else { PROBE_GRACE };
        let at = (now + (2 * smoothed + grace)).min(self.rest(now, first, trips));
        self.set = Some((Alarm::Probe, at));
        true
    }

    /// Waits for what was overtaken, no longer than for a timeout: as many ticks as `wait` takes, counted from the next
    /// one, which is half a tick away in the mean.
    pub(super) fn await_overtaken(&mut self, now: Instant, wait: Duration, trips: &RoundTrip) {
        let wait = wait.min(self.timeout(trips));
        let ticks = (wait + OVERTAKEN_GRACE).as_nanos().div_ceil(TICK.as_nanos()) as u32;
        self.set = Some((Alarm::Reordering, now + (TICK * ticks + TICK / 2)));
    }

    /// Waits to probe a window that is closed.
    pub(super) fn await_window(&mut self, now: Instant, trips: &RoundTrip) {
        self.set = Some((Alarm::Window, now + self.timeout(trips)));
    }

    /// Nothing was heard in time: the next timeout is twice as long. Whether it is the first in a row, and whether
    /// they have followed each other for too long.
    pub(super) fn passes_in_vain(&mut self, now: Instant, is_orphaned: bool) -> (bool, bool) {
        let is_first = self.in_vain.is_none();
        let since = *self.in_vain.get_or_insert(now);
        self.backoff += 1;
        let patience = if is_orphaned { PATIENCE_ORPHANED } else { PATIENCE };
        (is_first, now.saturating_since(since) >= patience)
    }
}
