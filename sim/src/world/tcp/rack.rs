//! Which segments are lost: those that should have arrived before one that was sent later did (RACK, RFC 8985, as
//! Linux 6.18 has it: `tcp_recovery.c`). Owns no segment, no timer and no clock.

use std::time::Duration;

use hoplab_proxy::host::Instant;

use super::round_trip::RoundTrip;
use super::scoreboard::{Delivered, Scoreboard, Sent};

/// How many segments may overtake one before it is lost, as long as none was ever seen to do so.
const REORDERING: u32 = 3;
/// How long a wider tolerance lasts: so many recoveries (RFC 8985, 6.2).
const PERSISTENCE: u32 = 16;

/// What is known of the segment that was sent last of those that arrived.
#[derive(Debug, Clone, Default)]
pub(super) struct Rack {
    /// When it was sent and where it ended.
    latest: Option<(Instant, u64)>,
    round_trip: Duration,
    is_reordered: bool,
    /// How much reordering is tolerated, in quarters of the shortest round trip.
    steps: u32,
    /// Recoveries until that is forgotten.
    persistence: u32,
    /// Until this sequence number is acknowledged, the tolerance does not grow again.
    widened_until: u64,
}

impl Rack {
    /// A segment has arrived, heard of at `now`.
    pub(super) fn delivered(&mut self, now: Instant, sent: Delivered, shortest: Option<Duration>) {
        let round_trip = now.saturating_since(sent.at);
        // What arrives sooner than anything can is an earlier copy.
        if sent.is_repeated && shortest.is_some_and(|shortest| round_trip < shortest) {
            return;
        }
        if self.latest.is_none_or(|latest| (sent.at, sent.end) > latest) {
            self.latest = Some((sent.at, sent.end));
            self.round_trip = round_trip;
        }
    }

    /// Segments were seen to overtake others.
    pub(super) fn reordered(&mut self) {
        self.is_reordered = true;
    }

    /// Something came twice that was sent again: more reordering has to be tolerated (RFC 8985, 6.2, step 4).
    pub(super) fn repeated_in_vain(&mut self, acknowledged: u64, next: u64) {
        if acknowledged < self.widened_until {
            return;
        }
        self.widened_until = next;
        self.steps = (self.steps.max(1) + 1).min(255);
        self.persistence = PERSISTENCE;
    }

    /// A recovery has come to its end.
    pub(super) fn recovered(&mut self) {
        self.persistence = self.persistence.saturating_sub(1);
        if self.persistence == 0 {
            self.steps = 1;
        }
    }

    /// Finds what is lost; how much, and how long until more may be.
    pub(super) fn detect(
        &self,
        now: Instant,
        board: &mut Scoreboard,
        trips: &RoundTrip,
        is_recovering: bool,
    ) -> (u32, Option<Duration>) {
        let tolerance = self.tolerance(board, trips, is_recovering);
        let mut wait: Option<Duration> = None;
        let lost = board.lose(|sent| match self.left(now, sent, tolerance) {
            Some(Duration::ZERO) => true,
            left => {
                wait = wait.max(left);
                false
            }
        });
        (lost, wait)
    }

    /// Whether a segment has been on its way for longer than one that was sent later took.
    pub(super) fn is_late(&self, now: Instant, sent: &Sent) -> bool {
        now >= sent.at + self.round_trip
    }

    /// How long until a segment is lost; `None` when nothing that was sent later has arrived.
    fn left(&self, now: Instant, sent: &Sent, tolerance: Duration) -> Option<Duration> {
        let is_before = self.latest.is_some_and(|latest| (sent.at, sent.end()) < latest);
        is_before.then(|| (sent.at + self.round_trip + tolerance).saturating_since(now))
    }

    fn tolerance(&self, board: &Scoreboard, trips: &RoundTrip, is_recovering: bool) -> Duration {
        if !self.is_reordered && (is_recovering || board.arrived() >= REORDERING) {
            return Duration::ZERO;
        }
        let shortest = trips.shortest().unwrap_or_default();
        let smoothed = trips.smoothed().unwrap_or_default();
        (shortest / 4 * self.steps.max(1)).min(smoothed)
    }
}
