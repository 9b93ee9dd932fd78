//! What a sender makes of an acknowledgement: what has arrived, how long it took, what is lost, and how far the window
//! goes (`tcp_ack` of Linux 6.18). What it then sends, and when it is called, stands above.

use std::time::Duration;

use hoplab_proxy::host::Instant;

use super::{Fin, Sender, buffer_for};
use crate::world::tcp::bbr::Heard;
use crate::world::tcp::phase::Phase;
use crate::world::tcp::scoreboard::{Delivered, News};
use crate::world::tcp::segment::{Segment, Timestamps};

impl Sender {
    /// Takes what a segment acknowledges.
    pub(in crate::world::tcp) fn hear(&mut self, now: Instant, segment: &Segment) {
        if segment.acknowledgement > self.next {
            return;
        }
        self.hear_window(now, segment);
        self.hear_of_twice(segment);
        let progressed = segment.acknowledgement > self.acknowledged;
        if self.board.is_empty() || !(progressed || segment.ranges.is_some()) {
            return self.hear_nothing_new(segment);
        }
        let in_flight_before = self.board.in_flight();
        let news = self.hear_news(now, segment);
        if progressed {
            self.acknowledged = segment.acknowledgement;
            self.alarms.heard();
            if self.fin == Fin::Sent && self.board.is_empty() {
                self.fin = Fin::Acknowledged;
            }
        }
        let round_trip = self.measure(now, segment, &news);
        self.hear_probe(segment);
        let (lost, is_waiting) = self.follow(now, progressed, segment);
        let heard = Heard {
            delivered: news.delivered,
            lost,
            in_flight_before,
            in_flight: self.board.in_flight(),
            round_trip,
            shortest: self.trips.shortest(),
            smoothed: self.trips.smoothed(),
            phase: self.recovery.phase,
        };
        if self.congestion.heard(now, heard) {
            self.buffer = self.buffer.max(buffer_for(self.congestion.window));
        } else if self.recovery.phase == Phase::Recovery {
            let is_good = progressed && lost == 0;
            let in_flight = self.board.in_flight();
            self.recovery.reduce(in_flight, news.delivered, is_good, &mut self.congestion);
        } else if progressed || (news.delivered > 0 && self.rack.is_reordered_far()) {
            self.congestion.grow(now, news.delivered);
            self.buffer = self.buffer.max(buffer_for(self.congestion.window));
        }
        if self.board.is_empty() {
            self.alarms.clear();
            self.arm_window_probe(now);
        } else if progressed && !is_waiting && !self.arm_probe(now) {
            self.arm_timeout(now);
        }
    }

    fn hear_window(&mut self, now: Instant, segment: &Segment) {
        let acknowledgement = segment.acknowledgement;
        let is_newer = acknowledgement > self.acknowledged
            || segment.sequence > self.window.told_by
            || (segment.sequence == self.window.told_by && segment.window > self.window.size);
        if is_newer && acknowledgement >= self.acknowledged {
            self.window.size = segment.window;
            self.window.told_by = segment.sequence;
            self.window.edge = self.window.edge.max(acknowledgement + u64::from(segment.window));
        }
        if self.board.is_empty() {
            if self.allowance() > 0 {
                self.alarms.restart();
            }
            // Who answers probes is there, however long he does not read (`icsk_probes_out`).
            self.alarms.heard();
            self.alarms.clear();
            self.arm_window_probe(now);
        }
    }

    /// All that was sent again may have come twice, or a probe have: nothing was lost.
    fn hear_nothing_new(&mut self, segment: &Segment) {
        if matches!(self.recovery.phase, Phase::Open | Phase::Disorder) && self.recovery.all_came_twice() {
            self.undo_as_it_came_twice();
        }
        if let Some((until, _)) = self.probe.until
            && segment.acknowledgement >= until
        {
            self.probe.until = None;
        }
    }

    fn hear_news(&mut self, now: Instant, segment: &Segment) -> News {
        let Self { board, rack, trips, congestion, .. } = self;
        let shortest = trips.shortest();
        let mut arrived = |sent: Delivered, is_earlier: bool| {
            if !is_earlier {
                rack.delivered(now, sent, shortest);
            }
            if let Some(bbr) = congestion.bbr() {
                bbr.rate.arrived(sent.stamp, sent.at, sent.end);
            }
        };
        let mut news = board.news();
        let (acknowledgement, echo) = (segment.acknowledgement, segment.timestamps.echo);
        for range in segment.ranges_in_order() {
            if range.end > acknowledgement {
                board.arrive(&range, &mut news, |sent| arrived(sent, false));
            }
        }
        if acknowledgement > self.acknowledged {
            // What is echoed may tell that an earlier copy arrived (`tcp_skb_spurious_retrans`).
            let is_before = |at| echo.is_some_and(|echo| Timestamps::is_before(echo, at));
            board.acknowledge(acknowledgement, &mut news, |sent| {
                arrived(sent, sent.is_repeated && is_before(sent.at));
            });
        }
        rack.reordered(news.reordering);
        if let Some(sent) = news.latest {
            rack.adapt(now, sent);
        }
        news
    }

    /// Hears of what came twice (RFC 2883; `tcp_check_dsack`).
    fn hear_of_twice(&mut self, segment: &Segment) {
        let Some(range) = segment.twice() else { return };
        self.recovery.came_twice(range.end);
        match self.probe.until {
            Some((until, true)) if until == range.end => self.probe.until = None,
            _ => self.rack.came_twice(),
        }
    }

    /// Measures what the news tell of the round trip; how long it took of what was sent last (`tcp_clean_rtx_queue`,
    /// `tcp_ack_update_rtt`): where something overtook, of that.
    fn measure(&mut self, now: Instant, segment: &Segment, news: &News) -> Option<Duration> {
        let in_order = news.in_order.filter(|_| !news.any_repeated);
        let echoed = segment.timestamps.echo.filter(|_| news.bytes > 0).map(|at| (at, at));
        let (first, _) = in_order.or(news.beyond).or(echoed)?;
        let (_, last) = news.beyond.or(in_order).or(echoed)?;
        self.trips.measured(now.saturating_since(first), self.acknowledged, self.next);
        self.alarms.restart();
        let sample = now.saturating_since(last);
        self.trips.at_least(sample);
        self.congestion.measured(now, sample, (self.acknowledged, self.next));
        Some(sample)
    }

    /// What a tail probe brought to light: when it filled a gap, a loss costs what any loss costs (RFC 8985, 7.4).
    /// That it came twice would be heard before anything newer is acknowledged.
    fn hear_probe(&mut self, segment: &Segment) {
        let Some((until, is_repeated)) = self.probe.until else { return };
        if segment.acknowledgement < until + u64::from(is_repeated) {
            return;
        }
        self.probe.until = None;
        if is_repeated && self.recovery.phase == Phase::Open {
            self.congestion.threshold = self.congestion.after_loss();
            self.congestion.recovered();
        }
    }

    /// Goes from phase to phase; how many segments are found lost, and whether more may be before long.
    fn follow(&mut self, now: Instant, progressed: bool, segment: &Segment) -> (u32, bool) {
        let Self { recovery, congestion, board, .. } = self;
        let came_twice = recovery.all_came_twice();
        let is_late = recovery.is_late(segment.timestamps.echo);
        let is_over = self.acknowledged >= recovery.high;
        match recovery.phase {
            Phase::Recovery | Phase::Loss if is_over => {
                recovery.complete(congestion);
                if came_twice || is_late {
                    self.undo();
                } else {
                    self.rack.recovered();
                }
            }
            Phase::Loss if progressed && (came_twice || is_late) => {
                board.find_all();
                self.undo();
            }
            // What was sent again is still on its way: until that is known, nothing more is.
            Phase::Recovery if progressed && is_late && board.repeats() > 0 => return (0, false),
            Phase::Recovery if progressed && is_late => {
                board.find_all();
                self.undo();
            }
            Phase::Open | Phase::Disorder | Phase::Recovery if came_twice => self.undo_as_it_came_twice(),
            _ => {}
        }
        if self.recovery.phase == Phase::Open && self.board.arrived() == 0 && self.board.lost() == 0 {
            return (0, false);
        }
        let looks = self.rack.take_advanced();
        self.find_lost(now, looks)
    }

    /// A recovery was needless.
    fn undo(&mut self) {
        self.recovery.undo(&mut self.congestion);
        self.rack.look_again();
    }

    /// The same, with all that is on the board as it is known (`tcp_try_undo_dsack`).
    fn undo_as_it_came_twice(&mut self) {
        self.rack.persist();
        self.undo();
    }

    /// Begins to recover if something is lost; what, it `looks` for where there may be news of it. How much it finds, and
    /// whether more may be lost before long.
    pub(super) fn find_lost(&mut self, now: Instant, looks: bool) -> (u32, bool) {
        let Self { recovery, congestion, board, rack, trips, .. } = self;
        let is_recovering = matches!(recovery.phase, Phase::Recovery | Phase::Loss);
        let (lost, wait) = if looks { rack.detect(now, board, trips, is_recovering) } else { (0, None) };
        if !is_recovering {
            if board.lost() > 0 {
                recovery.begin((self.acknowledged, self.next), board, congestion);
                self.probe.until = None;
            } else {
                recovery.phase = if board.arrived() > 0 { Phase::Disorder } else { Phase::Open };
            }
        }
        if let Some(wait) = wait {
            self.alarms.await_overtaken(now, wait, &self.trips);
        }
        (lost, wait.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::plan::network::CongestionControl;
    use crate::world::tcp::segment::SEGMENT_MAX;

    /// An acknowledgement of two segments by a range and of none in order.
    #[test]
    fn what_overtakes_tells_how_short_the_way_is() {
        let start = Instant::START;
        let heard = Segment { acknowledgement: 1, window: 1 << 20, ..Segment::torn(1) };
        let mut sender = Sender::new(CongestionControl::Cubic);
        sender.open(0, &heard, Some(Duration::from_millis(50)));
        sender.write(start, &[0; 3 * SEGMENT_MAX]);
        for at in [0, 10, 20] {
            assert!(sender.transmit(start + Duration::from_millis(at)).is_some());
        }
        let beyond = 1 + SEGMENT_MAX as u64..1 + 3 * SEGMENT_MAX as u64;
        sender.hear(start + Duration::from_millis(23), &Segment { ranges: Some([beyond].into()), ..heard });
        assert_eq!(sender.trips.shortest(), Some(Duration::from_millis(3)));
    }
}
