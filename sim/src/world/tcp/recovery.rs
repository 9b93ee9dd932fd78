//! What a loss does to the congestion window: proportional rate reduction while it is made good (RFC 6937, as Linux
//! 6.18 has it), and the way back when nothing was lost (RFC 3522, RFC 3708). Owns no segment and no clock.

use hoplab_proxy::host::Instant;

use super::congestion::Congestion;
use super::phase::Phase;
use super::scoreboard::Scoreboard;
use super::segment::Timestamps;

/// How a sender recovers.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    pub(super) phase: Phase,
    /// Everything that had been sent when it began ends here.
    pub(super) high: u64,
    before: Before,
    /// Segments that arrived, and those that were sent, since it began.
    delivered: u32,
    sent: u32,
    /// What tells that it was needless, as long as it may have been.
    doubt: Option<Doubt>,
    /// When the first was sent again of those that followed each other without all being acknowledged.
    first_repeat: Option<Instant>,
}

/// The window before a recovery.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    window: u32,
    threshold: u32,
}

/// What was sent again since a recovery began.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    /// What ends before it was acknowledged when it began.
    from: u64,
    /// How many did not come twice yet, those included that were under way; nothing before there are any.
    repeats: Option<u32>,
}

impl Recovery {
    /// Something is lost of what is on the board; `sequences` are its ends.
    pub(super) fn begin(&mut self, sequences: (u64, u64), board: &Scoreboard, congestion: &mut Congestion) {
        self.remember(sequences, board, congestion);
        congestion.threshold = congestion.after_loss();
        congestion.restart_growth();
        (self.phase, self.delivered, self.sent) = (Phase::Recovery, 0, 0);
    }

    /// A timeout. Only the first of several that follow each other costs window.
    pub(super) fn time_out(
        &mut self,
        (acknowledged, next): (u64, u64),
        is_first: bool,
        board: &Scoreboard,
        congestion: &mut Congestion,
    ) {
        let is_new = matches!(self.phase, Phase::Open | Phase::Disorder)
            || acknowledged >= self.high
            || (self.phase == Phase::Loss && is_first);
        if is_new {
            self.remember((acknowledged, next), board, congestion);
            congestion.threshold = congestion.after_loss();
        }
        congestion.timed_out();
        self.high = next;
        self.phase = Phase::Loss;
    }

    fn remember(&mut self, (acknowledged, next): (u64, u64), board: &Scoreboard, congestion: &Congestion) {
        let Congestion { window, threshold, .. } = *congestion;
        // Up to where it was, or nearly, it may grow fast again (`tcp_current_ssthresh`).
        self.before = Before { window, threshold: threshold.max((window >> 1) + (window >> 2)) };
        self.high = next;
        let repeats = Some(board.repeats()).filter(|repeats| *repeats > 0);
        self.doubt = Some(Doubt { from: acknowledged, repeats });
        if repeats.is_none() && board.first().is_none_or(|first| !first.is_repeated) {
            self.first_repeat = None;
        }
    }

    /// A segment is sent.
    pub(super) fn sent(&mut self) {
        self.sent += u32::from(self.phase == Phase::Recovery);
    }

    /// A segment is sent again.
    pub(super) fn repeated(&mut self, now: Instant) {
        self.first_repeat.get_or_insert(now);
        if let Some(doubt) = &mut self.doubt {
            doubt.repeats = Some(doubt.repeats.unwrap_or_default() + 1);
        }
    }

    /// What ends at `end` came twice (RFC 3708).
    pub(super) fn came_twice(&mut self, end: u64) {
        if let Some(Doubt { from, repeats: Some(repeats) }) = &mut self.doubt
            && end > *from
        {
            *repeats = repeats.saturating_sub(1);
        }
    }

    /// Whether all that was sent again came twice.
    pub(super) fn all_came_twice(&self) -> bool {
        self.doubt.is_some_and(|doubt| doubt.repeats == Some(0))
    }

    /// Whether what is acknowledged was sent before anything was sent again: the acknowledgement echoes when (RFC 3522).
    pub(super) fn is_late(&self, echo: Option<Instant>) -> bool {
        let is_before = |first| echo.is_some_and(|echo| Timestamps::is_before(echo, first));
        self.doubt.is_some() && self.first_repeat.is_none_or(is_before)
    }

    /// It was needless: the window is what it was.
    pub(super) fn undo(&mut self, congestion: &mut Congestion) {
        congestion.undo(self.before.window, self.before.threshold);
        (self.phase, self.doubt) = (Phase::Open, None);
    }

    /// All that was under way has been acknowledged. What was sent again may still come twice.
    pub(super) fn complete(&mut self, congestion: &mut Congestion) {
        if self.phase == Phase::Recovery {
            congestion.recovered();
        }
        self.phase = Phase::Open;
    }

    /// Segments have arrived while the window falls: how many may be on their way now.
    pub(super) fn reduce(
        &mut self,
        in_flight: u32,
        delivered: u32,
        is_good: bool,
        congestion: &mut Congestion,
    ) {
        if delivered == 0 {
            return;
        }
        self.delivered += delivered;
        let threshold = congestion.threshold;
        let may_send = if in_flight > threshold {
            let share = u64::from(threshold) * u64::from(self.delivered);
            let due = share.div_ceil(u64::from(self.before.window.max(1))) as u32;
            due.saturating_sub(self.sent)
        } else {
            let behind = self.delivered.saturating_sub(self.sent).max(delivered);
            (behind + u32::from(is_good)).min(threshold - in_flight)
        };
        // The first segment is sent again at once.
        let at_least = u32::from(self.sent == 0);
        congestion.window = in_flight + may_send.max(at_least);
    }
}
