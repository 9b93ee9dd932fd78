//! How many segments may be on their way: the congestion window, and the algorithms that open and halve it, by name.
//!
//! Slow start, the window's use and its decay when idle are the same for those that follow losses (RFC 5681, 6928,
//! 2861, as Linux 6.18 has them): they say how fast the window grows afterwards and what is left of it after a loss.
//! BBR says all of it itself. Owns no segment and no clock; what a recovery does to the window is
//! [`super::recovery`]'s.

use std::time::Duration;

use hoplab_proxy::host::Instant;

use super::bbr::{Bbr, Heard};
use super::cubic::Cubic;
use super::slow_start::{INITIAL, SlowStart};
use crate::scenario::plan::network::CongestionControl;

/// Of a window that is not used, this much is left at the least when a loss halves it.
pub(super) const WINDOW_MIN: u32 = 2;

/// The congestion window of a connection's end, in segments.
#[derive(Debug)]
pub(super) struct Congestion {
    pub(super) window: u32,
    /// Below this, the window grows by as much as arrives.
    pub(super) threshold: u32,
    /// What has arrived towards the next growth.
    credit: u32,
    algorithm: Algorithm,
    slow_start: SlowStart,
    usage: Usage,
}

#[derive(Debug)]
enum Algorithm {
    Cubic(Cubic),
    Reno,
    Bbr(Box<Bbr>),
}

/// How far the window is used: one that is not does not grow.
#[derive(Debug, Default)]
struct Usage {
    is_limit: bool,
    most: u32,
    /// Until this is acknowledged, what was seen counts.
    until: u64,
}

impl Congestion {
    pub(super) fn new(control: CongestionControl) -> Self {
        let algorithm = match control {
            CongestionControl::Cubic => Algorithm::Cubic(Cubic::default()),
            CongestionControl::Reno => Algorithm::Reno,
            CongestionControl::Bbr => Algorithm::Bbr(Box::default()),
        };
        Self {
            window: INITIAL,
            threshold: u32::MAX,
            credit: 0,
            algorithm,
            slow_start: SlowStart::default(),
            usage: Usage::default(),
        }
    }

    pub(super) fn is_slow_start(&self) -> bool {
        self.window < self.threshold
    }

    /// So many segments have arrived, and nothing is being recovered.
    pub(super) fn grow(&mut self, now: Instant, mut segments: u32) {
        if !self.is_limited() {
            return;
        }
        if self.is_slow_start() {
            let room = self.threshold - self.window;
            let taken = segments.min(room);
            self.window += taken;
            if taken < room {
                return;
            }
            segments -= taken;
        }
        let per_growth = match &mut self.algorithm {
            Algorithm::Cubic(cubic) => cubic.per_growth(now, self.window, segments),
            Algorithm::Reno => self.window,
            Algorithm::Bbr(_) => return,
        };
        self.increase(per_growth, segments);
    }

    /// One more segment for each `per_growth` that arrive.
    fn increase(&mut self, per_growth: u32, segments: u32) {
        if self.credit >= per_growth {
            self.credit = 0;
            self.window += 1;
        }
        self.credit += segments;
        if self.credit >= per_growth {
            self.window += self.credit / per_growth;
            self.credit %= per_growth;
        }
    }

    /// A round trip was measured; `sequences` are the first that was not acknowledged
    /// and the first that was not sent.
    pub(super) fn measured(&mut self, now: Instant, round_trip: Duration, sequences: (u64, u64)) {
        let Algorithm::Cubic(cubic) = &mut self.algorithm else { return };
        let Some(least) = cubic.measured(now, round_trip) else { return };
        if self.is_slow_start() && self.slow_start.measured(now, round_trip, least, self.window, sequences) {
            self.threshold = self.window;
        }
    }

    /// What is left of the window after a loss.
    pub(super) fn after_loss(&mut self) -> u32 {
        match &mut self.algorithm {
            Algorithm::Cubic(cubic) => cubic.after_loss(self.window),
            Algorithm::Reno => self.window / 2,
            Algorithm::Bbr(bbr) => {
                bbr.lost(self.window);
                return self.threshold;
            }
        }
        .max(WINDOW_MIN)
    }

    /// A timeout: what was learnt of the path is forgotten.
    pub(super) fn timed_out(&mut self) {
        self.credit = 0;
        self.slow_start = SlowStart::default();
        match &mut self.algorithm {
            Algorithm::Cubic(cubic) => *cubic = Cubic::default(),
            Algorithm::Reno => {}
            Algorithm::Bbr(bbr) => bbr.timed_out(),
        }
    }

    /// A loss was none: the window and the threshold are what they were.
    pub(super) fn undo(&mut self, window: u32, threshold: u32) {
        self.threshold = self.threshold.max(threshold);
        match &mut self.algorithm {
            Algorithm::Cubic(_) | Algorithm::Reno => self.window = self.window.max(window),
            Algorithm::Bbr(bbr) => bbr.undone(),
        }
    }

    /// What was lost has been made good: the window falls to what is left of it.
    pub(super) fn recovered(&mut self) {
        if self.bbr().is_none() {
            self.window = self.threshold;
        }
    }

    /// The algorithm that follows the rate instead of losses, if it is that one.
    pub(super) fn bbr(&mut self) -> Option<&mut Bbr> {
        match &mut self.algorithm {
            Algorithm::Bbr(bbr) => Some(bbr),
            Algorithm::Cubic(_) | Algorithm::Reno => None,
        }
    }

    /// An acknowledgement has come, for the algorithm that follows the rate; whether it is that one.
    pub(super) fn heard(&mut self, now: Instant, heard: Heard) -> bool {
        let Algorithm::Bbr(bbr) = &mut self.algorithm else { return false };
        self.window = bbr.heard(now, self.window, heard);
        true
    }

    /// The rate at which segments are sent, in bytes a second, where the algorithm says it.
    pub(super) fn pacing(&self) -> Option<u64> {
        let Algorithm::Bbr(bbr) = &self.algorithm else { return None };
        bbr.pacing()
    }

    /// A recovery begins or ends.
    pub(super) fn restart_growth(&mut self) {
        self.credit = 0;
    }

    /// A new segment was sent: so many have not been acknowledged, and so many are on their way.
    ///
    /// A window that is not used does not grow, but does not fall either: Linux lets it fall by half of what is not
    /// used after each timeout (RFC 2861), which RFC 7661 has given up; under weather a shared connection would be
    /// slower the busier it is.
    pub(super) fn used(&mut self, (acknowledged, next): (u64, u64), outstanding: u32, in_flight: u32) {
        let is_limit = in_flight >= self.window;
        let is_new = acknowledged >= self.usage.until;
        if is_new || is_limit || (!self.usage.is_limit && outstanding > self.usage.most) {
            self.usage = Usage { is_limit, most: outstanding, until: next };
        }
    }

    /// Sending begins after `idle` in which nothing was on its way (RFC 2861): the window is halved for each
    /// `timeout` of it, down to the initial one.
    pub(super) fn idled(&mut self, now: Instant, idle: Duration, timeout: Duration) {
        match &mut self.algorithm {
            Algorithm::Cubic(cubic) => cubic.idled(now, idle),
            Algorithm::Reno => {}
            Algorithm::Bbr(bbr) => {
                self.window = bbr.starts(now, self.window);
                return;
            }
        }
        if idle <= timeout {
            return;
        }
        // Up to where it was, or nearly, it may grow fast again.
        self.threshold = self.threshold.max((self.window >> 1) + (self.window >> 2));
        let least = INITIAL.min(self.window);
        let halvings = idle.saturating_sub(timeout).as_nanos().div_ceil(timeout.as_nanos().max(1)).min(31);
        self.window = (self.window >> halvings as u32).max(least);
    }

    fn is_limited(&self) -> bool {
        let is_used = self.is_slow_start() && self.window < 2 * self.usage.most;
        self.usage.is_limit || is_used
    }
}
