//! BBR: what is on its way follows the measured rate and the shortest round trip, not losses (Cardwell et al.,
//! *BBR: Congestion-Based Congestion Control*, ACM Queue 14, 2016; version 1 as Linux 6.18 has it, `tcp_bbr.c`).
//!
//! Not modelled: the search for a policer's rate, which begins where a fifth of all segments is lost. Owns no
//! segment and no clock; arithmetic on integers, so that every machine comes to the same window.

use std::cmp::Ordering;
use std::time::Duration;

use hoplab_proxy::host::Instant;

use super::delivery_rate::{DeliveryRate, Sample};
use super::max_filter::MaxFilter;
use super::phase::Phase;
use super::segment::SEGMENT_MAX;
use super::slow_start::INITIAL;

/// Gains are in 256ths.
const UNIT: u64 = 256;
/// Doubles what is delivered each round trip: 2 / ln 2.
const HIGH_GAIN: u64 = UNIT * 2_885 / 1_000 + 1;
const DRAIN_GAIN: u64 = UNIT * 1_000 / 2_885;
const WINDOW_GAIN: u64 = 2 * UNIT;
/// What is tried round trip by round trip: more, as much less, and then steadily.
const CYCLE: [u64; 8] = [UNIT * 5 / 4, UNIT * 3 / 4, UNIT, UNIT, UNIT, UNIT, UNIT, UNIT];
/// For how many round trips the largest rate counts.
const RATE_ROUNDS: u64 = CYCLE.len() as u64 + 2;
/// A rate that has not grown by a quarter in three round trips is the path's.
const FULL: (u64, u32) = (UNIT * 5 / 4, 3);
/// For how long the shortest round trip counts, and how long the path is then kept empty to measure it again.
const SHORTEST_COUNTS: Duration = Duration::from_secs(10);
const PROBE_LASTS: Duration = Duration::from_millis(200);
/// The window meanwhile, and the smallest at all, in segments.
const WINDOW_MIN: u32 = 4;
/// Rates are in segments a microsecond, in so many parts.
const RATE_UNIT: u128 = 1 << 24;
/// Acknowledgements that come together allow for so many round trips' largest excess, of so long at most.
const EXCESS_ROUNDS: u64 = 5;
const EXCESS_MAX: Duration = Duration::from_millis(100);
/// What is paced below the rate, so that no queue grows: in hundredths.
const MARGIN: u128 = 99;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    /// Faster and faster, until the rate grows no more.
    #[default]
    Startup,
    /// What was too much flows off.
    Drain,
    /// Around the rate, trying for more now and then.
    ProbeBandwidth,
    /// Next to nothing, so that the shortest round trip shows.
    ProbeRoundTrip,
}

/// The state of a connection's end.
#[derive(Debug, Default)]
pub(super) struct Bbr {
    pub(super) rate: DeliveryRate,
    mode: Mode,
    largest: MaxFilter,
    rounds: u64,
    /// What ends the present round, once it is delivered.
    round_ends: u64,
    is_new_round: bool,
    shortest: Option<(Duration, Instant)>,
    /// When the path has been empty for long enough, and whether a round trip has passed meanwhile.
    probed: Option<(Instant, bool)>,
    full: Full,
    /// Where in the cycle it is, and since when.
    phase: (usize, Instant),
    recovery: Recovering,
    restarts: bool,
    excess: Excess,
    pacing: Option<u64>,
}

/// Whether the rate has stopped to grow.
#[derive(Debug, Default)]
struct Full {
    rate: u64,
    rounds: u32,
    is_reached: bool,
}

/// What a loss does to the window, for a round trip.
#[derive(Debug, Default)]
struct Recovering {
    was: Phase,
    conserves: bool,
    window_before: u32,
}

/// How much more arrives at a time than the rate accounts for.
#[derive(Debug, Default)]
struct Excess {
    since: Instant,
    segments: u64,
    most: MaxFilter,
}

/// What an acknowledgement told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// Segments that have arrived, and such that were found lost.
    pub(super) delivered: u32,
    pub(super) lost: u32,
    pub(super) in_flight_before: u32,
    pub(super) in_flight: u32,
    pub(super) round_trip: Option<Duration>,
    pub(super) shortest: Option<Duration>,
    pub(super) smoothed: Option<Duration>,
    pub(super) phase: Phase,
}

impl Bbr {
    /// An acknowledgement has come; the window after it.
    pub(super) fn heard(&mut self, now: Instant, window: u32, heard: Heard) -> u32 {
        let Some(sample) = self.rate.sample(now, heard.shortest) else { return window };
        self.update_rate(&sample);
        self.update_excess(now, window, &heard);
        self.update_cycle(now, &heard);
        self.update_full(&sample);
        self.drain(now, &heard);
        let window = self.update_shortest(now, window, &heard);
        self.pace(window, heard.smoothed);
        self.window(window, &heard)
    }

    /// The rate at which it sends, in bytes a second, once it is known.
    pub(super) fn pacing(&self) -> Option<u64> {
        self.pacing
    }

    /// Something is sent after nothing was on its way.
    pub(super) fn starts(&mut self, now: Instant, window: u32) -> u32 {
        if !self.rate.is_app_limited() {
            return window;
        }
        self.restarts = true;
        self.excess.since = now;
        self.excess.segments = 0;
        match self.mode {
            Mode::ProbeBandwidth => self.pace_at(UNIT),
            Mode::ProbeRoundTrip => return self.end_probe(now, window),
            Mode::Startup | Mode::Drain => {}
        }
        window
    }

    /// A loss: the window is remembered.
    pub(super) fn lost(&mut self, window: u32) {
        self.remember(window);
    }

    /// A timeout: what the path carries is looked for anew.
    pub(super) fn timed_out(&mut self) {
        self.recovery.was = Phase::Loss;
        self.full.rate = 0;
        self.is_new_round = true;
    }

    /// A loss was none.
    pub(super) fn undone(&mut self) {
        (self.full.rate, self.full.rounds) = (0, 0);
    }

    fn remember(&mut self, window: u32) {
        let is_whole = !is_recovering(self.recovery.was) && self.mode != Mode::ProbeRoundTrip;
        let before = &mut self.recovery.window_before;
        *before = if is_whole { window } else { window.max(*before) };
    }

    fn update_rate(&mut self, sample: &Sample) {
        self.is_new_round = false;
        let Some((delivered, interval)) = sample.delivered else { return };
        if sample.delivered_before >= self.round_ends {
            self.round_ends = self.rate.delivered();
            self.rounds += 1;
            self.is_new_round = true;
            self.recovery.conserves = false;
        }
        let rate = u128::from(delivered) * RATE_UNIT * 1_000 / interval.as_nanos().max(1);
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        if !sample.is_app_limited || rate >= self.largest.get() {
            self.largest.add(RATE_ROUNDS, self.rounds, rate);
        }
    }

    /// How much more than expected has arrived since the expectation was last met.
    fn update_excess(&mut self, now: Instant, window: u32, heard: &Heard) {
        if heard.delivered == 0 {
            return;
        }
        let elapsed = now.saturating_since(self.excess.since);
        let mut expected = segments(self.largest.get(), elapsed);
        if self.excess.segments <= expected || self.excess.segments >= 1 << 20 {
            (self.excess.since, self.excess.segments, expected) = (now, 0, 0);
        }
        self.excess.segments += u64::from(heard.delivered);
        let excess = (self.excess.segments - expected).min(u64::from(window));
        self.excess.most.add(EXCESS_ROUNDS, self.rounds, excess);
    }

    fn update_cycle(&mut self, now: Instant, heard: &Heard) {
        if self.mode != Mode::ProbeBandwidth {
            return;
        }
        let lasted = now.saturating_since(self.phase.1);
        let is_long = self.shortest.is_some_and(|(shortest, _)| lasted > shortest);
        let gain = CYCLE[self.phase.0];
        let in_flight = heard.in_flight_before;
        let is_over = match gain.cmp(&UNIT) {
            Ordering::Greater => is_long && (heard.lost > 0 || in_flight >= self.target(gain)),
            Ordering::Less => is_long || in_flight <= self.target(UNIT),
            Ordering::Equal => is_long,
        };
        if is_over {
            self.phase = ((self.phase.0 + 1) % CYCLE.len(), now);
        }
    }

    fn update_full(&mut self, sample: &Sample) {
        if self.full.is_reached || !self.is_new_round || sample.is_app_limited {
            return;
        }
        let largest = self.largest.get();
        if u128::from(largest) * u128::from(UNIT) >= u128::from(self.full.rate) * u128::from(FULL.0) {
            (self.full.rate, self.full.rounds) = (largest, 0);
            return;
        }
        self.full.rounds += 1;
        self.full.is_reached = self.full.rounds >= FULL.1;
    }

    fn drain(&mut self, now: Instant, heard: &Heard) {
        if self.mode == Mode::Startup && self.full.is_reached {
            self.mode = Mode::Drain;
        }
        if self.mode == Mode::Drain && heard.in_flight <= self.target(UNIT) {
            self.probe_bandwidth(now);
        }
    }

    /// Begins somewhere in the cycle but where it drains, so that flows do not try at the same time. Linux draws the
    /// place; here it follows from what was delivered, so that a run repeats.
    fn probe_bandwidth(&mut self, now: Instant) {
        self.mode = Mode::ProbeBandwidth;
        let drawn = (self.rate.delivered().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 7;
        self.phase = ((CYCLE.len() - drawn as usize) % CYCLE.len(), now);
    }

    /// Measures the shortest round trip again when it is old; the window.
    fn update_shortest(&mut self, now: Instant, mut window: u32, heard: &Heard) -> u32 {
        let is_old = self.shortest.is_some_and(|(_, since)| now > since + SHORTEST_COUNTS);
        if let Some(round_trip) = heard.round_trip
            && self.shortest.is_none_or(|(shortest, _)| round_trip < shortest || is_old)
        {
            self.shortest = Some((round_trip, now));
        }
        if is_old && !self.restarts && self.mode != Mode::ProbeRoundTrip {
            self.mode = Mode::ProbeRoundTrip;
            self.remember(window);
            self.probed = None;
        }
        if self.mode == Mode::ProbeRoundTrip {
            self.rate.app_limited(heard.in_flight);
            match &mut self.probed {
                None if heard.in_flight <= WINDOW_MIN => {
                    self.probed = Some((now + PROBE_LASTS, false));
                    self.round_ends = self.rate.delivered();
                }
                None => {}
                Some((_, has_passed)) => {
                    *has_passed |= self.is_new_round;
                    if *has_passed {
                        window = self.end_probe(now, window);
                    }
                }
            }
        }
        self.restarts = false;
        window
    }

    fn end_probe(&mut self, now: Instant, window: u32) -> u32 {
        if self.probed.is_none_or(|(until, _)| now < until) {
            return window;
        }
        self.shortest = self.shortest.map(|(shortest, _)| (shortest, now));
        if self.full.is_reached {
            self.probe_bandwidth(now);
        } else {
            self.mode = Mode::Startup;
        }
        window.max(self.recovery.window_before)
    }

    fn pacing_gain(&self) -> u64 {
        match self.mode {
            Mode::Startup => HIGH_GAIN,
            Mode::Drain => DRAIN_GAIN,
            Mode::ProbeBandwidth => CYCLE[self.phase.0],
            Mode::ProbeRoundTrip => UNIT,
        }
    }

    fn window_gain(&self) -> u64 {
        match self.mode {
            Mode::Startup | Mode::Drain => HIGH_GAIN,
            Mode::ProbeBandwidth => WINDOW_GAIN,
            Mode::ProbeRoundTrip => UNIT,
        }
    }

    fn pace(&mut self, window: u32, smoothed: Option<Duration>) {
        if self.pacing.is_none()
            && let Some(smoothed) = smoothed
        {
            let rate = u128::from(window) * RATE_UNIT * 1_000 / smoothed.as_nanos().max(1);
            self.pacing = Some(bytes_a_second(u64::try_from(rate).unwrap_or(u64::MAX), HIGH_GAIN));
        }
        self.pace_at(self.pacing_gain());
    }

    /// As long as the rate grows, it is never sent slower than before.
    fn pace_at(&mut self, gain: u64) {
        let rate = bytes_a_second(self.largest.get(), gain);
        if self.full.is_reached || self.pacing.is_some_and(|before| rate > before) {
            self.pacing = Some(rate);
        }
    }

    fn window(&mut self, before: u32, heard: &Heard) -> u32 {
        let mut window = before;
        if heard.delivered > 0 {
            let (held, is_held) = self.recover(before, heard);
            window = held;
            if !is_held {
                let target =
                    self.allowing_for_bursts(self.product(self.window_gain()) + self.excess_allowed());
                if self.full.is_reached {
                    window = (window + heard.delivered).min(target);
                } else if window < target || self.rate.delivered() < u64::from(INITIAL) {
                    window += heard.delivered;
                }
                window = window.max(WINDOW_MIN);
            }
        }
        if self.mode == Mode::ProbeRoundTrip { window.min(WINDOW_MIN) } else { window }
    }

    /// In the first round trip of a recovery as much is sent as arrives; after it, the window is what it was.
    fn recover(&mut self, mut window: u32, heard: &Heard) -> (u32, bool) {
        if heard.lost > 0 {
            window = window.saturating_sub(heard.lost).max(1);
        }
        let was = std::mem::replace(&mut self.recovery.was, heard.phase);
        if heard.phase == Phase::Recovery && was != Phase::Recovery {
            self.recovery.conserves = true;
            self.round_ends = self.rate.delivered();
            window = heard.in_flight + heard.delivered;
        } else if is_recovering(was) && !is_recovering(heard.phase) {
            window = window.max(self.recovery.window_before);
            self.recovery.conserves = false;
        }
        if self.recovery.conserves {
            return (window.max(heard.in_flight + heard.delivered), true);
        }
        (window, false)
    }

    /// How many segments fill the path, times a gain.
    fn product(&self, gain: u64) -> u32 {
        let Some((shortest, _)) = self.shortest else { return INITIAL };
        let scaled = u128::from(self.largest.get()) * shortest.as_nanos() * u128::from(gain);
        let segments = scaled.div_ceil(RATE_UNIT * 1_000 * u128::from(UNIT));
        u32::try_from(segments).unwrap_or(u32::MAX / 4)
    }

    /// How many segments are on their way at a gain, bursts included.
    fn target(&self, gain: u64) -> u32 {
        self.allowing_for_bursts(self.product(gain))
    }

    /// Cards send in bursts, and receivers acknowledge every second segment.
    fn allowing_for_bursts(&self, segments: u32) -> u32 {
        let burst = (self.pacing.unwrap_or_default() >> 10).min(64 * 1_024) / SEGMENT_MAX as u64;
        let even = segments.saturating_add(3 * burst.max(2) as u32).saturating_add(1) & !1;
        let tries = self.mode == Mode::ProbeBandwidth && self.phase.0 == 0;
        even + if tries { 2 } else { 0 }
    }

    fn excess_allowed(&self) -> u32 {
        if !self.full.is_reached {
            return 0;
        }
        let most = segments(self.largest.get(), EXCESS_MAX);
        u32::try_from(self.excess.most.get().min(most)).unwrap_or(u32::MAX / 4)
    }
}

fn is_recovering(phase: Phase) -> bool {
    matches!(phase, Phase::Recovery | Phase::Loss)
}

/// Segments in a time, at a rate.
fn segments(rate: u64, time: Duration) -> u64 {
    u64::try_from(u128::from(rate) * time.as_nanos() / (RATE_UNIT * 1_000)).unwrap_or(u64::MAX)
}

fn bytes_a_second(rate: u64, gain: u64) -> u64 {
    let scaled = u128::from(rate) * SEGMENT_MAX as u128 * u128::from(gain) * MARGIN * 10_000;
    u64::try_from(scaled / (u128::from(UNIT) * RATE_UNIT)).unwrap_or(u64::MAX).max(1)
}
