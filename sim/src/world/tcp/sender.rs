//! The sending half of an end: what is written, cut into segments, on its way, acknowledged, lost and sent again.
//!
//! Follows Linux 6.18 (`tcp_input.c`, `tcp_output.c`): selective acknowledgements and time find losses ([`super::rack`]),
//! a tail is probed (RFC 8985, 7), a timeout is the last resort (RFC 6298), a closed window is probed (RFC 9293,
//! 3.8.6.1). Nagle's algorithm is off, as servers and proxies have it. Owns no clock and no task: says when it wants
//! to be called again.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hoplab_proxy::host::Instant;

use super::bbr::Heard;
use super::congestion::{Congestion, INITIAL};
use super::delivery_rate::Stamp;
use super::pacing::{Pacer, is_paced};
use super::rack::Rack;
use super::recovery::{Phase, Recovery};
use super::round_trip::{RoundTrip, TIMEOUT_MAX, TIMEOUT_MIN};
use super::scoreboard::{Delivered, Fate, News, Scoreboard, Sent};
use super::segment::{SEGMENT_MAX, Segment};
use crate::scenario::plan::network::CongestionControl;

/// What Linux accounts of its memory for a segment in a send buffer; a buffer holds two windows.
const SEGMENT_MEMORY: usize = 4_352;
/// The largest send buffer: the last of Linux's `tcp_wmem`.
const BUFFER_MAX: usize = 4 * 1024 * 1024;
/// What a tail probe waits for longer than two round trips when several segments are on their way: `TCP_TIMEOUT_MIN`,
/// two ticks of 250 Hz.
const PROBE_GRACE: Duration = Duration::from_millis(8);
/// How long one segment is sent again before the connection is given up: Linux's `tcp_retries2` of 15; nine doublings
/// of the shortest timeout, then six of the longest.
const PATIENCE: Duration = Duration::from_millis(1_023 * 200 + 6 * 120_000);
/// The same when nobody holds the socket any more: `tcp_orphan_retries` of 8.
const PATIENCE_ORPHANED: Duration = Duration::from_millis(511 * 200);

/// The sending half.
#[derive(Debug)]
pub(super) struct Sender {
    board: Scoreboard,
    unsent: BytesMut,
    /// Where among it a write ended that would have left by now, but for those of the same instant.
    cuts: VecDeque<u64>,
    fin: Fin,
    /// The first sequence number that was not acknowledged, and the first that was not sent.
    acknowledged: u64,
    next: u64,
    window: PeerWindow,
    trips: RoundTrip,
    rack: Rack,
    recovery: Recovery,
    congestion: Congestion,
    pacer: Pacer,
    /// When the pacer lets something go that is held back.
    paced_until: Option<Instant>,
    alarm: Option<(Alarm, Instant)>,
    /// How often the timeout has been doubled.
    backoff: u32,
    /// Since when, without anything acknowledged, timeouts have followed each other.
    in_vain: Option<Instant>,
    probe: Probe,
    window_probe: bool,
    last_sent: Instant,
    buffer: usize,
}

/// What the peer has room for.
#[derive(Debug, Default)]
struct PeerWindow {
    size: u32,
    /// The first sequence number beyond it.
    edge: u64,
    /// The segment that told of it.
    told_by: u64,
}

/// A probe of the tail that is under way.
#[derive(Debug, Default)]
struct Probe {
    is_due: bool,
    /// What its acknowledgement covers, and whether it sent something again.
    until: Option<(u64, bool)>,
}

/// Why a sender wants to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alarm {
    /// Nothing was heard for the length of a timeout.
    Timeout,
    /// Nothing was heard for two round trips.
    Probe,
    /// What was overtaken should have arrived.
    Reordering,
    /// The peer's window is closed.
    Window,
}

/// How far the end of what is written is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fin {
    No,
    Wanted,
    Sent,
    Acknowledged,
}

/// What goes into a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) sequence: u64,
    pub(super) payload: Bytes,
    pub(super) fin: bool,
    pub(super) is_repeated: bool,
}

impl Sender {
    pub(super) fn new(control: CongestionControl) -> Self {
        Self {
            board: Scoreboard::default(),
            unsent: BytesMut::new(),
            cuts: VecDeque::new(),
            fin: Fin::No,
            acknowledged: 0,
            next: 0,
            window: PeerWindow::default(),
            trips: RoundTrip::default(),
            rack: Rack::default(),
            recovery: Recovery::default(),
            congestion: Congestion::new(control),
            pacer: Pacer::default(),
            paced_until: None,
            alarm: None,
            backoff: 0,
            in_vain: None,
            probe: Probe::default(),
            window_probe: false,
            last_sent: Instant::START,
            buffer: buffer_for(INITIAL),
        }
    }

    /// The handshake took `sequence`, and `round_trip` when nothing of it was sent twice.
    pub(super) fn open(&mut self, sequence: u64, syn: &Segment, round_trip: Option<Duration>) {
        (self.acknowledged, self.next) = (sequence + 1, sequence + 1);
        self.window =
            PeerWindow { size: syn.window, edge: self.next + u64::from(syn.window), told_by: syn.sequence };
        if let Some(sample) = round_trip {
            self.trips.measured(sample, self.acknowledged, self.next);
            self.trips.at_least(sample);
        }
    }

    /// What may be written.
    pub(super) fn room(&self) -> usize {
        self.buffer.saturating_sub(self.unsent.len() + self.board.bytes())
    }

    /// Whether enough may be written that it is worth to tell somebody who waits for it.
    pub(super) fn is_writable(&self) -> bool {
        3 * self.room() >= self.buffer
    }

    /// Takes bytes to send, as many as there is room for; `None` when the end has been written.
    pub(super) fn write(&mut self, now: Instant, bytes: &[u8]) -> Option<usize> {
        if self.fin != Fin::No {
            return None;
        }
        self.note_too_little();
        if !self.unsent.is_empty() && self.would_leave(now) {
            self.cuts.push_back(self.next + self.unsent.len() as u64);
        }
        let count = bytes.len().min(self.room());
        self.unsent.extend_from_slice(&bytes[..count]);
        Some(count)
    }

    /// Whether what is unsent would have been sent when it was written, each write by itself.
    fn would_leave(&self, now: Instant) -> bool {
        let segments = self.cuts.len() as u32 + self.unsent.len().div_ceil(SEGMENT_MAX) as u32;
        self.allowance() >= self.unsent.len() as u64
            && self.board.lost() == 0
            && self.board.in_flight() + segments <= self.congestion.window
            && self.pacer.waits(now, &self.congestion, &self.trips).is_none()
    }

    /// Notes, for whoever follows the rate, that there is too little to send.
    fn note_too_little(&mut self) {
        let in_flight = self.board.in_flight();
        let is_little = self.unsent.len() < SEGMENT_MAX && self.board.lost() == 0;
        if is_little
            && in_flight < self.congestion.window
            && let Some(bbr) = self.congestion.bbr()
        {
            bbr.rate.app_limited(in_flight);
        }
    }

    /// What had been delivered, for a segment that is sent now.
    fn stamp(&mut self, now: Instant) -> Stamp {
        let is_alone = self.board.is_empty();
        self.congestion.bbr().map_or_else(Stamp::default, |bbr| bbr.rate.sent(now, is_alone))
    }

    /// Nothing more is written.
    pub(super) fn finish(&mut self) {
        if self.fin == Fin::No {
            self.fin = Fin::Wanted;
        }
    }

    /// What is written is dropped, and nothing is sent any more.
    pub(super) fn discard(&mut self) {
        self.unsent.clear();
        self.cuts.clear();
        self.board = Scoreboard::default();
        self.alarm = None;
        self.fin = Fin::Acknowledged;
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn has_finished(&self) -> bool {
        self.fin == Fin::Acknowledged
    }

    /// Whether acknowledgements that are under way change nothing that anybody sees.
    pub(super) fn is_quiet(&self) -> bool {
        let is_well = self.recovery.phase == Phase::Open && self.board.lost() == 0;
        is_well && !self.wants_to_send() && self.fin != Fin::Sent
    }

    fn wants_to_send(&self) -> bool {
        !self.unsent.is_empty() || self.fin == Fin::Wanted
    }

    /// Whether [`Sender::transmit`] has something.
    pub(super) fn can_transmit(&self) -> bool {
        self.can_repeat() || self.can_send_new() || self.probe.is_due || self.window_probe
    }

    fn can_repeat(&self) -> bool {
        self.board.lost() > 0 && self.board.in_flight() < self.congestion.window
    }

    fn can_send_new(&self) -> bool {
        self.wants_to_send() && self.allowance() > 0 && self.board.in_flight() < self.congestion.window
    }

    /// What the peer has room for.
    fn allowance(&self) -> u64 {
        self.window.edge.saturating_sub(self.next)
    }

    /// The next segment that may be sent now.
    pub(super) fn transmit(&mut self, now: Instant) -> Option<Piece> {
        self.paced_until = None;
        let (can_repeat, can_send_new) = (self.can_repeat(), self.can_send_new());
        if can_repeat || (can_send_new && is_paced(self.next_length())) {
            self.paced_until = self.pacer.waits(now, &self.congestion, &self.trips);
        }
        let goes = self.paced_until.is_none();
        if can_repeat && goes {
            return self.repeat(now);
        }
        if std::mem::take(&mut self.probe.is_due) {
            return self.probe_tail(now);
        }
        if std::mem::take(&mut self.window_probe) {
            // What is acknowledged already, so that it is answered (Linux's `tcp_xmit_probe_skb`).
            let sequence = self.acknowledged - 1;
            return Some(Piece { sequence, payload: Bytes::new(), fin: false, is_repeated: true });
        }
        (can_send_new && goes).then(|| self.send_new(now))
    }

    fn repeat(&mut self, now: Instant) -> Option<Piece> {
        let first = self.board.first().map(|first| first.sequence);
        let stamp = self.stamp(now);
        let sent = self.board.repeat_first_lost(now, stamp)?;
        self.recovery.repeated(now);
        if first == Some(sent.sequence) && !matches!(self.alarm, Some((Alarm::Reordering, _))) {
            self.alarm = Some((Alarm::Timeout, now + self.timeout()));
        }
        Some(self.repeated(now, sent))
    }

    fn repeated(&mut self, now: Instant, sent: Sent) -> Piece {
        self.recovery.sent();
        self.pacer.sent(now, sent.payload.len(), &self.congestion, &self.trips);
        Piece { sequence: sent.sequence, payload: sent.payload, fin: sent.fin, is_repeated: true }
    }

    fn send_new(&mut self, now: Instant) -> Piece {
        if self.board.is_empty() {
            let idle = now.saturating_since(self.last_sent);
            self.congestion.idled(now, idle, self.timeout());
        }
        let length = self.next_length();
        self.cuts.pop_front_if(|cut| *cut == self.next + length as u64);
        let payload = self.unsent.split_to(length).freeze();
        let fin = self.fin == Fin::Wanted && self.unsent.is_empty();
        let (sequence, stamp) = (self.next, self.stamp(now));
        let sent = Sent { sequence, payload, fin, at: now, fate: Fate::Flying, is_repeated: false, stamp };
        if fin {
            self.fin = Fin::Sent;
        }
        self.next = sent.end();
        self.last_sent = now;
        self.pacer.sent(now, sent.payload.len(), &self.congestion, &self.trips);
        self.recovery.sent();
        let is_first = self.board.is_empty();
        let piece = Piece { sequence: sent.sequence, payload: sent.payload.clone(), fin, is_repeated: false };
        self.board.push(sent);
        if is_first || matches!(self.alarm, Some((Alarm::Probe, _))) {
            self.arm_timeout(now);
        }
        self.arm_probe(now);
        let sequences = (self.acknowledged, self.next);
        self.congestion.used(sequences, self.board.len(), self.board.in_flight());
        piece
    }

    /// How much a new segment carries.
    fn next_length(&self) -> usize {
        let cut = self.cuts.front().map_or(usize::MAX, |cut| (cut - self.next) as usize);
        self.unsent.len().min(SEGMENT_MAX).min(self.allowance() as usize).min(cut)
    }

    /// Sends something new, whatever the congestion window says, or the last segment again (RFC 8985, 7.3).
    fn probe_tail(&mut self, now: Instant) -> Option<Piece> {
        let is_new = self.wants_to_send() && self.allowance() > 0;
        let piece = if is_new {
            self.send_new(now)
        } else {
            let stamp = self.stamp(now);
            let sent = self.board.repeat_last(now, stamp)?;
            self.repeated(now, sent)
        };
        self.probe.until = Some((self.next, !is_new));
        self.alarm = Some((Alarm::Timeout, now + self.timeout()));
        Some(piece)
    }

    /// Takes what a segment acknowledges.
    pub(super) fn hear(&mut self, now: Instant, segment: &Segment) {
        if segment.acknowledgement > self.next {
            return;
        }
        self.hear_window(now, segment);
        let progressed = segment.acknowledgement > self.acknowledged;
        if self.board.is_empty() || !(progressed || segment.ranges.is_some()) {
            return self.hear_nothing_new(segment);
        }
        let in_flight_before = self.board.in_flight();
        let news = self.hear_news(now, segment);
        if progressed {
            self.acknowledged = segment.acknowledgement;
            self.in_vain = None;
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
        } else if progressed {
            self.congestion.grow(now, news.delivered);
            self.buffer = self.buffer.max(buffer_for(self.congestion.window));
        }
        if self.board.is_empty() {
            self.alarm = None;
            self.arm_window_probe(now);
        } else if progressed && !is_waiting {
            self.arm_timeout(now);
            self.arm_probe(now);
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
                self.backoff = 0;
            }
            self.alarm = None;
            self.arm_window_probe(now);
        }
    }

    /// A probe that came twice: nothing was lost.
    fn hear_nothing_new(&mut self, segment: &Segment) {
        if let Some((until, _)) = self.probe.until
            && segment.acknowledgement >= until
        {
            self.probe.until = None;
        }
    }

    fn hear_news(&mut self, now: Instant, segment: &Segment) -> News {
        let Self { board, rack, trips, congestion, .. } = self;
        let shortest = trips.shortest();
        let mut arrived = |sent: Delivered| {
            rack.delivered(now, sent, shortest);
            if let Some(bbr) = congestion.bbr() {
                bbr.rate.arrived(sent.stamp, sent.at, sent.end);
            }
        };
        let mut news = board.news();
        let mut came_twice = false;
        let acknowledgement = segment.acknowledgement;
        for range in segment.ranges.iter().flatten() {
            if range.end <= acknowledgement {
                self.recovery.came_twice();
                if let Some((_, true)) = self.probe.until {
                    self.probe.until = None;
                }
                came_twice = true;
            } else {
                board.arrive(range, &mut news, &mut arrived);
            }
        }
        if acknowledgement > self.acknowledged {
            board.acknowledge(acknowledgement, &mut news, &mut arrived);
        }
        if came_twice {
            rack.repeated_in_vain(self.acknowledged, self.next);
        }
        if news.is_reordered {
            rack.reordered();
        }
        news
    }

    /// Measures what the news tell of the round trip; how long it took of what was sent once and came in order.
    fn measure(&mut self, now: Instant, segment: &Segment, news: &News) -> Option<Duration> {
        let progressed = news.first_in_order.is_some() || news.any_repeated;
        let echoed = || segment.timestamps.echo.filter(|_| progressed && news.bytes > 0);
        let once = news.first_in_order.filter(|_| !news.any_repeated);
        let beyond = news.first_beyond.filter(|_| !news.any_repeated);
        let sent = once.or(beyond).or_else(echoed)?;
        self.trips.measured(now.saturating_since(sent), self.acknowledged, self.next);
        self.backoff = 0;
        let last = news.last_in_order.filter(|_| !news.any_repeated)?;
        let sample = now.saturating_since(last);
        self.trips.at_least(sample);
        self.congestion.measured(now, sample, self.acknowledged, self.next);
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
        let is_needless = recovery.is_needless(segment.timestamps.echo);
        let is_over = self.acknowledged >= recovery.high;
        match recovery.phase {
            Phase::Recovery | Phase::Loss if progressed && is_needless => {
                recovery.undo(congestion);
                board.find_all();
            }
            Phase::Recovery | Phase::Loss if is_over => {
                recovery.complete(congestion);
                self.rack.recovered();
            }
            _ => {}
        }
        if self.recovery.phase == Phase::Open && self.board.arrived() == 0 && self.board.lost() == 0 {
            return (0, false);
        }
        self.find_lost(now)
    }

    fn find_lost(&mut self, now: Instant) -> (u32, bool) {
        let Self { recovery, congestion, board, rack, trips, .. } = self;
        let is_recovering = matches!(recovery.phase, Phase::Recovery | Phase::Loss);
        let (lost, wait) = rack.detect(now, board, trips, is_recovering);
        if !is_recovering {
            if board.lost() > 0 {
                recovery.begin(self.next, congestion);
                self.probe.until = None;
            } else {
                recovery.phase = if board.arrived() > 0 { Phase::Disorder } else { Phase::Open };
            }
        }
        if let Some(wait) = wait {
            self.alarm = Some((Alarm::Reordering, now + wait));
        }
        (lost, wait.is_some())
    }

    /// When it wants to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.alarm.map(|(_, at)| at), self.paced_until].into_iter().flatten().min()
    }

    /// Its time has come; whether it gives up.
    pub(super) fn expire(&mut self, now: Instant, is_orphaned: bool) -> bool {
        self.paced_until.take_if(|at| *at <= now);
        let Some((alarm, _)) = self.alarm.take_if(|(_, at)| *at <= now) else { return false };
        match alarm {
            Alarm::Timeout => return self.time_out(now, is_orphaned),
            Alarm::Probe if self.probe.until.is_none() => self.probe.is_due = true,
            Alarm::Probe => self.alarm = Some((Alarm::Timeout, now + self.timeout())),
            Alarm::Reordering => self.find_overtaken(now),
            Alarm::Window => {
                self.window_probe = true;
                self.backoff += 1;
                self.arm_window_probe(now);
                return self.waits_in_vain(now, is_orphaned);
            }
        }
        false
    }

    fn find_overtaken(&mut self, now: Instant) {
        let in_flight = self.board.in_flight();
        let (_, is_waiting) = self.find_lost(now);
        let is_recovering = self.recovery.phase == Phase::Recovery && self.congestion.bbr().is_none();
        if is_recovering && self.board.in_flight() != in_flight {
            let in_flight = self.board.in_flight();
            self.recovery.reduce(in_flight, 1, false, &mut self.congestion);
        }
        if !is_waiting {
            let at = self.timeout_at(now);
            self.alarm = Some((Alarm::Timeout, at));
        }
    }

    fn time_out(&mut self, now: Instant, is_orphaned: bool) -> bool {
        let Some(first) = self.board.first().map(|first| first.sequence) else { return false };
        let is_first = self.in_vain.is_none();
        if self.waits_in_vain(now, is_orphaned) {
            return true;
        }
        self.recovery.time_out(self.acknowledged, self.next, is_first, &mut self.congestion);
        let Self { board, rack, .. } = self;
        board.lose(|sent| sent.sequence == first || rack.is_late(now, sent));
        self.congestion.window = self.board.in_flight() + 1;
        self.probe = Probe::default();
        self.backoff += 1;
        self.alarm = Some((Alarm::Timeout, now + self.timeout()));
        false
    }

    /// Notes that nothing was heard; whether that has lasted too long.
    fn waits_in_vain(&mut self, now: Instant, is_orphaned: bool) -> bool {
        let since = *self.in_vain.get_or_insert(now);
        let patience = if is_orphaned { PATIENCE_ORPHANED } else { PATIENCE };
        now.saturating_since(since) >= patience
    }

    /// How long it waits for an acknowledgement.
    pub(super) fn timeout(&self) -> Duration {
        self.trips.timeout().saturating_mul(1 << self.backoff.min(16)).min(TIMEOUT_MAX)
    }

    /// When the first segment's timeout is over.
    fn timeout_at(&self, now: Instant) -> Instant {
        let since = self.board.first().map_or(now, |first| first.at);
        (since + self.timeout()).max(now + Duration::from_micros(1))
    }

    fn arm_timeout(&mut self, now: Instant) {
        let at = match self.alarm {
            Some((Alarm::Probe | Alarm::Reordering, _)) => self.timeout_at(now),
            _ => now + self.timeout(),
        };
        self.alarm = Some((Alarm::Timeout, at));
    }

    /// The tail is probed, if that comes before the timeout (RFC 8985, 7.2).
    fn arm_probe(&mut self, now: Instant) {
        let Some(smoothed) = self.trips.smoothed() else { return };
        if self.board.is_empty() || self.recovery.phase != Phase::Open {
            return;
        }
        // A lone segment may be acknowledged late on purpose.
        let grace = if self.board.len() == 1 { TIMEOUT_MIN } else { PROBE_GRACE };
        let at = (now + (2 * smoothed + grace)).min(self.timeout_at(now));
        self.alarm = Some((Alarm::Probe, at));
    }

    fn arm_window_probe(&mut self, now: Instant) {
        if self.wants_to_send() && self.allowance() == 0 && self.board.is_empty() {
            self.alarm = Some((Alarm::Window, now + self.timeout()));
        }
    }
}

fn buffer_for(window: u32) -> usize {
    (2 * window.max(INITIAL) as usize * SEGMENT_MEMORY).min(BUFFER_MAX)
}
