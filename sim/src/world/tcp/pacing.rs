//! Pacing: a window is spread over a round trip instead of sent at once, in bursts of what an offloading card takes
//! (Linux 6.18: `tcp_update_pacing_rate`, `tcp_update_skb_after_send`, `tcp_tso_autosize`; as with the `fq` queueing
//! discipline, or wherever a kernel's default is BBR). Between pods that are near a burst is 64 KiB, and nothing
//! is seen of it. Owns no timer and no clock.

use std::time::Duration;

use hoplab_proxy::host::Instant;

use super::congestion::Congestion;
use super::round_trip::RoundTrip;
use super::segment::SEGMENT_MAX;

/// How many segments of a connection are sent before any is held back.
const UNPACED: u32 = 10;
/// The window a round trip, in per cent: as long as it doubles, and afterwards (`tcp_pacing_ss_ratio`, `_ca_ratio`).
const DOUBLING: u64 = 200;
const STEADY: u64 = 120;
/// The largest burst that a card takes.
const BURST_MAX: u64 = 64 * 1024;

/// When the next burst may be sent.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    sent: u32,
    next: Instant,
    burst: Burst,
}

/// The segments that were sent together last.
#[derive(Debug, Default)]
struct Burst {
    at: Instant,
    segments: u64,
    length: Duration,
    /// How late it was: it is made up for.
    credit: Duration,
}

impl Pacer {
    /// When another segment may be sent; `None` when now.
    pub(super) fn waits(&self, now: Instant, congestion: &Congestion, trips: &RoundTrip) -> Option<Instant> {
        let goes_on = self.burst.at == now && self.burst.segments < burst(congestion, trips);
        (self.next > now && !goes_on).then_some(self.next)
    }

    /// A segment is sent.
    pub(super) fn sent(&mut self, now: Instant, bytes: usize, congestion: &Congestion, trips: &RoundTrip) {
        self.sent = self.sent.saturating_add(1);
        let is_held_back = self.sent >= UNPACED && is_paced(bytes);
        let Some(rate) = rate(congestion, trips).filter(|_| is_held_back) else { return };
        if self.burst.at != now || self.next <= now {
            let credit = now.saturating_since(self.next);
            self.burst = Burst { at: now, segments: 0, length: Duration::ZERO, credit };
        }
        self.burst.segments += 1;
        self.burst.length += Duration::from_nanos(bytes as u64 * 1_000_000_000 / rate.max(1));
        let Burst { at, length, credit, .. } = self.burst;
        self.next = at + length.saturating_sub(credit.min(length / 2));
    }
}

/// Whether a segment of so many bytes is held back. Linux holds all back; what is small would wait for microseconds
/// that come from late acknowledgements in the measured round trip, and a world is exact.
pub(super) fn is_paced(bytes: usize) -> bool {
    bytes >= SEGMENT_MAX / 2
}

/// In bytes a second, once a round trip was measured.
fn rate(congestion: &Congestion, trips: &RoundTrip) -> Option<u64> {
    if let Some(rate) = congestion.pacing() {
        return Some(rate);
    }
    let smoothed = trips.smoothed()?;
    let doubles = congestion.window < congestion.threshold / 2;
    let share = if doubles { DOUBLING } else { STEADY };
    let window = u64::from(congestion.window) * SEGMENT_MAX as u64;
    Some((window * share * 10_000_000).checked_div(smoothed.as_nanos() as u64).unwrap_or(u64::MAX).max(1))
}

/// How many segments are sent together: a millisecond's, or more the shorter the round trip.
fn burst(congestion: &Congestion, trips: &RoundTrip) -> u64 {
    let milliseconds = rate(congestion, trips).unwrap_or_default() >> 10;
    let halvings = trips.shortest().unwrap_or_default().as_micros() as u64 >> 9;
    let near = if halvings < 16 { BURST_MAX >> halvings } else { 0 };
    ((milliseconds + near).min(BURST_MAX) / SEGMENT_MAX as u64).max(2)
}
