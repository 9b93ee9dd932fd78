//! Which segments are lost: those that should have arrived before one that was sent later did (RACK, RFC 8985, as
//! Linux 6.18 has it: `tcp_recovery.c`). Owns no segment, no timer and no clock.

use std::time::Duration;

use hoplab_proxy::host::Instant;

use super::round_trip::RoundTrip;
use super::scoreboard::{Delivered, Scoreboard, Sent};

/// How many segments may overtake one before it is lost, as long as none was ever seen to be overtaken and arrive.
const REORDERING: u32 = 3;
/// How long a wider tolerance lasts: so many recoveries (RFC 8985, 6.2).
const PERSISTENCE: u32 = 16;

/// What is known of those that arrived.
#[derive(Debug, Clone, Default)]
pub(super) struct Rack {
    /// When the one that was sent last was sent, and where it ended.
    latest: Option<(Instant, u64)>,
    /// How long the one took that was heard of last: where much overtakes, it is one that was overtaken.
    round_trip: Duration,
    /// Whether there is something new since what is lost was looked for.
    advanced: bool,
    /// By how many segments one was overtaken at the most, that arrived.
    reordering: u32,
    /// How much reordering is tolerated, in quarters of the shortest round trip.
    steps: u32,
    /// Recoveries until that is forgotten.
    persistence: u32,
    /// Whether something came twice since the tolerance was looked at.
    came_twice: bool,
    /// When the tolerance grew last: what was sent before says nothing of the new one.
    widened: Option<Instant>,
}

impl Rack {
    /// A segment has arrived, heard of at `now`.
    pub(super) fn delivered(&mut self, now: Instant, sent: Delivered, shortest: Option<Duration>) {
        let round_trip = now.saturating_since(sent.at);
        // What arrives sooner than anything can is an earlier copy.
        if sent.is_repeated && shortest.is_some_and(|shortest| round_trip < shortest) {
            return;
        }
        self.advanced = true;
        self.round_trip = round_trip;
        self.latest = self.latest.max(Some((sent.at, sent.end)));
    }

    /// Segments were seen to overtake one, so many.
    pub(super) fn reordered(&mut self, by: u32) {
        self.reordering = self.reordering.max(by);
    }

    /// Whether segments overtake farther than what tells of a loss where they do not.
    pub(super) fn is_reordered_far(&self) -> bool {
        self.reordering > REORDERING
    }

    /// Something came twice that was sent again, and it was no probe.
    pub(super) fn came_twice(&mut self) {
        self.came_twice |= self.reordering > 0;
    }

    /// Looks at the tolerance, after the arrival of a segment that was sent at `sent`: what came twice in vain says that
    /// more has to be tolerated, once a round trip (RFC 8985, 6.2, step 4).
    pub(super) fn adapt(&mut self, now: Instant, sent: Instant) {
        let came_twice = std::mem::take(&mut self.came_twice);
        if came_twice && self.widened.is_none_or(|widened| sent >= widened) {
            self.widened = Some(now);
            self.steps = (self.steps.max(1) + 1).min(255);
            self.persistence = PERSISTENCE;
        } else if self.persistence == 0 {
            self.steps = 1;
        }
    }

    /// What was thought lost was not: what is lost has to be looked for again.
    pub(super) fn look_again(&mut self) {
        self.advanced = true;
    }

    /// Whether something has arrived that may tell of a loss; asked once.
    pub(super) fn take_advanced(&mut self) -> bool {
        std::mem::take(&mut self.advanced)
    }

    /// A recovery was needless, as what came twice told: the tolerance is kept for one more.
    pub(super) fn persist(&mut self) {
        self.persistence = (self.persistence + 1).min(PERSISTENCE);
    }

    /// A recovery has come to its end.
    pub(super) fn recovered(&mut self) {
        self.persistence = self.persistence.saturating_sub(1);
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
        let lost = board.lose(|sent| {
            let Some(left) = self.left(now, sent, tolerance) else { return false };
            if !left.is_zero() {
                wait = wait.max(Some(left));
                return false;
            }
            sent.is_watched = false;
            true
        });
        (lost, wait)
    }

    /// Whether a segment has been on its way for longer than one that was sent later took.
    pub(super) fn is_late(&self, now: Instant, sent: &Sent) -> bool {
        now >= sent.at + self.round_trip
    }

    /// How long until a segment is lost; `None` when it was found so before, or nothing that was sent later has arrived.
    fn left(&self, now: Instant, sent: &Sent, tolerance: Duration) -> Option<Duration> {
        let is_before = self.latest.is_some_and(|latest| (sent.at, sent.end()) < latest);
        (sent.is_watched && is_before).then(|| (sent.at + self.round_trip + tolerance).saturating_since(now))
    }

    fn tolerance(&self, board: &Scoreboard, trips: &RoundTrip, is_recovering: bool) -> Duration {
        if self.reordering == 0 && (is_recovering || board.arrived() >= REORDERING) {
            return Duration::ZERO;
        }
        let shortest = trips.shortest().unwrap_or_default();
        let smoothed = trips.smoothed().unwrap_or_default();
        (shortest / 4 * self.steps.max(1)).min(smoothed)
    }
}
