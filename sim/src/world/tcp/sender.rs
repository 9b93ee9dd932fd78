//! The sending half of an end: what is written, cut into segments, on its way, acknowledged, lost and sent again.
//!
//! Follows Linux 6.18 (`tcp_input.c`, `tcp_output.c`): selective acknowledgements and time find losses
//! ([`super::rack`]), a tail is probed (RFC 8985, 7), a timeout is the last resort (RFC 6298), a closed window is
//! probed (RFC 9293, 3.8.6.1). Nagle's algorithm is off, as servers and proxies have it. Owns no clock and no task:
//! says when it wants to be called again.

mod hearing;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hoplab_proxy::host::Instant;

use super::alarms::{Alarm, Alarms, earlier};
use super::congestion::Congestion;
use super::delivery_rate::Stamp;
use super::pacing::{Pacer, is_paced};
use super::phase::Phase;
use super::rack::Rack;
use super::recovery::Recovery;
use super::round_trip::RoundTrip;
use super::scoreboard::{Fate, Scoreboard, Sent};
use super::segment::{SEGMENT_MAX, Segment};
use super::slow_start::INITIAL;
use crate::scenario::plan::network::CongestionControl;

/// What Linux accounts of its memory for a segment in a send buffer; a buffer holds two windows.
const SEGMENT_MEMORY: usize = 4_352;
/// The largest send buffer: the last of Linux's `tcp_wmem`.
const BUFFER_MAX: usize = 4 * 1024 * 1024;
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
    alarms: Alarms,
    probe: Probe,
    window_probe: bool,
    last_sent: Instant,
    buffer: usize,
    /// How often timers have run out so far.
    pub(super) timeouts: Timeouts,
}

/// How often timers have run out.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::world) struct Timeouts {
    /// Retransmission timeouts, those of a handshake included.
    pub(in crate::world) retransmission: u64,
    /// Those after which a tail is probed.
    pub(in crate::world) probe: u64,
}

impl Timeouts {
    /// How often they have since they were `before`.
    pub(in crate::world) fn since(self, before: Self) -> Self {
        Self { retransmission: self.retransmission - before.retransmission, probe: self.probe - before.probe }
    }
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
            alarms: Alarms::default(),
            probe: Probe::default(),
            window_probe: false,
            last_sent: Instant::START,
            buffer: buffer_for(INITIAL),
            timeouts: Timeouts::default(),
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
        self.watch_window(now);
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
        let (in_flight, window) = (self.board.in_flight(), self.congestion.window);
        let Some(bbr) = self.congestion.bbr() else { return };
        if self.unsent.len() < SEGMENT_MAX && self.board.lost() == 0 && in_flight < window {
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
            self.watch_window(self.last_sent);
        }
    }

    /// Something is written: a window that is closed has to be probed from now on, if nothing else is waited for.
    fn watch_window(&mut self, now: Instant) {
        if self.alarms.deadline().is_none() {
            self.arm_window_probe(now);
        }
    }

    /// What is written is dropped, and nothing is sent any more.
    pub(super) fn discard(&mut self) {
        self.unsent.clear();
        self.cuts.clear();
        self.board = Scoreboard::default();
        self.alarms.clear();
        self.fin = Fin::Acknowledged;
    }

    /// Whether a segment acknowledges what is acknowledged and tells of no larger window, nor of none: at most of ranges
    /// (Linux's `tcp_disordered_ack`). `expected` is the sequence number that the peer's next has.
    pub(super) fn has_heard(&self, segment: &Segment, expected: u64) -> bool {
        let is_duplicate = segment.length() == 0 && segment.acknowledgement == self.acknowledged;
        let is_other = segment.window > self.window.size || segment.window == 0;
        let told_by = self.window.told_by;
        let tells_of_window = segment.sequence > told_by || (segment.sequence == told_by && is_other);
        is_duplicate && segment.sequence == expected && !tells_of_window
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

    /// Whether something is written that was not sent.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
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
            return Some(Piece { sequence, payload: Bytes::new(), fin: false, is_repeated: false });
        }
        (can_send_new && goes).then(|| self.send_new(now))
    }

    fn repeat(&mut self, now: Instant) -> Option<Piece> {
        let first = self.board.first().map(|first| first.sequence);
        let stamp = self.stamp(now);
        let sent = self.board.repeat_first_lost(now, stamp)?;
        self.recovery.repeated(now);
        if first == Some(sent.sequence) && !self.alarms.is_waiting_for(Alarm::Reordering) {
            self.alarms.await_timeout(now, &self.trips);
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
        let (is_repeated, is_watched) = (false, true);
        let sent =
            Sent { sequence, payload, fin, at: now, fate: Fate::Flying, is_repeated, is_watched, stamp };
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
        if !self.arm_probe(now) && (is_first || self.alarms.is_waiting_for(Alarm::Probe)) {
            self.arm_timeout(now);
        }
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
        self.alarms.await_timeout(now, &self.trips);
        Some(piece)
    }

    /// When it wants to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        earlier(self.alarms.deadline(), self.paced_until)
    }

    /// Its time has come; whether it gives up.
    pub(super) fn expire(&mut self, now: Instant, is_orphaned: bool) -> bool {
        self.paced_until.take_if(|at| *at <= now);
        match self.alarms.take_due(now) {
            Some(Alarm::Timeout) => return self.time_out(now, is_orphaned),
            Some(Alarm::Probe) if self.probe.until.is_none() => {
                self.probe.is_due = true;
                self.timeouts.probe += 1;
            }
            Some(Alarm::Probe) => self.alarms.await_timeout(now, &self.trips),
            Some(Alarm::Reordering) => self.find_overtaken(now),
            Some(Alarm::Window) => {
                self.window_probe = true;
                let (_, is_too_long) = self.alarms.passes_in_vain(now, is_orphaned);
                self.arm_window_probe(now);
                return is_too_long;
            }
            None => {}
        }
        false
    }

    fn find_overtaken(&mut self, now: Instant) {
        let was = self.recovery.phase;
        let (_, is_waiting) = self.find_lost(now, true);
        let has_begun = was != Phase::Recovery && self.recovery.phase == Phase::Recovery;
        if has_begun && self.congestion.bbr().is_none() {
            let in_flight = self.board.in_flight();
            self.recovery.reduce(in_flight, 1, false, &mut self.congestion);
        }
        if !is_waiting {
            self.alarms.await_rest(now, self.first_sent(), &self.trips);
        }
    }

    fn time_out(&mut self, now: Instant, is_orphaned: bool) -> bool {
        let Some(first) = self.board.first().map(|first| first.sequence) else { return false };
        self.timeouts.retransmission += 1;
        let (is_first, is_too_long) = self.alarms.passes_in_vain(now, is_orphaned);
        if is_too_long {
            return true;
        }
        let Self { board, rack, recovery, congestion, .. } = self;
        recovery.time_out((self.acknowledged, self.next), is_first, board, congestion);
        board.lose(|sent| sent.sequence == first || rack.is_late(now, sent));
        self.congestion.window = self.board.in_flight() + 1;
        self.probe = Probe::default();
        self.alarms.await_timeout(now, &self.trips);
        false
    }

    /// How long it waits for an acknowledgement.
    pub(super) fn timeout(&self) -> Duration {
        self.alarms.timeout(&self.trips)
    }

    /// When the first segment was sent last.
    fn first_sent(&self) -> Option<Instant> {
        self.board.first().map(|first| first.at)
    }

    fn arm_timeout(&mut self, now: Instant) {
        let first = self.first_sent();
        let Self { alarms, trips, .. } = self;
        if alarms.is_waiting_for(Alarm::Probe) || alarms.is_waiting_for(Alarm::Reordering) {
            alarms.await_rest(now, first, trips);
        } else {
            alarms.await_timeout(now, trips);
        }
    }

    /// The tail is probed as long as all is well; whether that is waited for now.
    fn arm_probe(&mut self, now: Instant) -> bool {
        if self.board.is_empty() || self.recovery.phase != Phase::Open {
            return false;
        }
        let is_alone = self.board.len() == 1;
        self.alarms.await_probe(now, self.first_sent(), is_alone, &self.trips)
    }

    fn arm_window_probe(&mut self, now: Instant) {
        if self.wants_to_send() && self.allowance() == 0 && self.board.is_empty() {
            self.alarms.await_window(now, &self.trips);
        }
    }
}

fn buffer_for(window: u32) -> usize {
    (2 * window.max(INITIAL) as usize * SEGMENT_MEMORY).min(BUFFER_MAX)
}
