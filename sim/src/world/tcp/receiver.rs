//! The receiving half of an end: what has arrived, when it is acknowledged, and how much room the peer is told of.
//!
//! Acknowledgements are late on purpose, so that they ride on answers, but for the first segments of a connection,
//! every second full segment, and whenever something is missing (RFC 1122, 4.2.3.2; RFC 5681, 4.2; Linux 6.18:
//! `tcp_input.c`, `tcp_timer.c`). The window grows as fast as the reader reads (Linux's dynamic right-sizing,
//! `tcp_rcv_space_adjust`). Each acknowledgement is a segment of its own, for one may get lost where several do not,
//! but what is sent at the same instant carries the last of those that are owed. A segment that others overtook by more
//! than a tick is dropped where its timestamp tells (PAWS, RFC 7323, 5). Owns no clock.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use hoplab_proxy::host::Instant;

use super::reassembly::{Brought, Reassembly};
use super::segment::{RANGES_MAX, SEGMENT_MAX, Segment};

/// The window that a connection begins with.
pub(super) const WINDOW_INITIAL: u32 = 65_535;
/// The largest window: the last of Linux's `tcp_rmem`.
pub(in crate::world) const WINDOW_MAX: u32 = 6 * 1024 * 1024;
/// How long an acknowledgement waits for something to ride on: Linux's `TCP_DELACK_MIN`.
const DELAY: Duration = Duration::from_millis(40);
/// The longest that it may: Linux's `TCP_DELACK_MAX`.
const DELAY_MAX: Duration = Duration::from_millis(200);
/// How many segments are acknowledged at once when a connection begins, or begins again: Linux's `TCP_MAX_QUICKACKS`.
const AT_ONCE: u32 = 16;
/// A segment out of place is answered at most so often: Linux's `tcp_invalid_ratelimit`.
const ANSWERS_APART: Duration = Duration::from_millis(500);

/// The receiving half.
#[derive(Debug)]
pub(super) struct Receiver {
    arrived: Reassembly,
    /// What was acknowledged last, and the window that the peer was told of.
    acknowledged: u64,
    window: Window,
    /// The acknowledgements that are owed at once: each is a segment of its own, since one may get lost.
    due: VecDeque<Due>,
    /// An acknowledgement of the rest, that may wait.
    late: Option<Late>,
    /// How many segments are still acknowledged at once.
    at_once: u32,
    /// Whether answers follow what arrives, so that acknowledgements can ride.
    is_interactive: bool,
    /// How long an acknowledgement waits; nothing before anything has arrived.
    delay: Option<Duration>,
    last_arrival: Instant,
    /// What came twice and has to be told (RFC 2883).
    again: Option<Range<u64>>,
    /// The timestamp that the next segment echoes.
    pub(super) echo: Option<Instant>,
    last_answer: Option<Instant>,
}

/// An acknowledgement that is owed at once: what had arrived.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    acknowledgement: u64,
    ranges: Option<Box<[Range<u64>]>>,
}

/// What a segment tells the peer of what has arrived.
pub(super) struct Told {
    pub(super) acknowledgement: u64,
    pub(super) window: u32,
    pub(super) ranges: Option<Box<[Range<u64>]>>,
}

/// An acknowledgement that waits for something to ride on.
#[derive(Debug, Clone, Copy)]
struct Late {
    by: Instant,
    /// How many segments that were not full have come since the last.
    small: u32,
}

/// The receive window and how fast it grows.
#[derive(Debug)]
struct Window {
    /// What the end may hold.
    space: u32,
    /// The first sequence number beyond what the peer was told of.
    edge: u64,
    round_trip: Option<Duration>,
    /// The present measurement: since when, what has been read in it, and what was in the one before.
    since: Instant,
    read: u64,
    read_before: u64,
}

impl Receiver {
    pub(super) fn new() -> Self {
        Self {
            arrived: Reassembly::default(),
            acknowledged: 0,
            window: Window {
                space: WINDOW_INITIAL,
                edge: 0,
                round_trip: None,
                since: Instant::START,
                read: 0,
                read_before: 10 * SEGMENT_MAX as u64,
            },
            due: VecDeque::new(),
            late: None,
            at_once: 0,
            is_interactive: false,
            delay: None,
            last_arrival: Instant::START,
            again: None,
            echo: None,
            last_answer: None,
        }
    }

    /// The peer begins with the SYN of `sequence`.
    pub(super) fn open(&mut self, now: Instant, sequence: u64) {
        self.arrived = Reassembly::starting_at(sequence + 1);
        (self.acknowledged, self.window.since) = (sequence + 1, now);
        self.window.edge = sequence + 1 + u64::from(self.window.space);
    }

    pub(super) fn next(&self) -> u64 {
        self.arrived.next()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.arrived.has_ended()
    }

    /// Bytes that wait for the reader.
    pub(super) fn ready(&self) -> usize {
        self.arrived.ready()
    }

    /// Takes what a segment brings; whether there is something new to read. `timeout` is that of the other half.
    pub(super) fn take(&mut self, now: Instant, segment: Segment, is_last: bool, timeout: Duration) -> bool {
        if segment.payload.is_empty() && !is_last {
            self.answer_if_stale(now, &segment);
            return false;
        }
        let end = segment.sequence + segment.payload.len() as u64;
        if end > self.window.edge && segment.sequence >= self.window.edge {
            // Beyond the window: whoever probes a closed one is told of it.
            self.due_now();
            return false;
        }
        let is_full = segment.payload.len() >= SEGMENT_MAX;
        let Segment { sequence, payload, .. } = segment;
        self.heard(now, timeout);
        match self.arrived.take(sequence, payload, is_last) {
            Brought::Next { filled } => {
                self.owe(now, is_full, filled || is_last || self.arrived.has_gap());
                true
            }
            Brought::Beyond => {
                self.due_now();
                false
            }
            Brought::Again(range) => {
                self.again = Some(range);
                self.owe_at_once();
                false
            }
        }
    }

    /// Whether a segment's timestamp says that it was sent before one that has arrived (PAWS; RFC 7323, 5.3).
    pub(super) fn is_outdated(&self, segment: &Segment) -> bool {
        self.echo.is_some_and(|recent| segment.timestamps.is_outdated(recent))
    }

    /// Takes nothing of a segment that was sent too long ago, and says so.
    pub(super) fn refuse(&mut self, now: Instant, segment: &Segment) {
        let end = (segment.sequence + segment.length()).min(self.arrived.next());
        if segment.length() == 0 {
            // One of before what has arrived is not even answered.
            if segment.sequence >= end {
                self.answer_sometimes(now);
            }
        } else if segment.sequence < end {
            self.again = Some(segment.sequence..end);
            self.owe_at_once();
        } else {
            self.due_now();
        }
    }

    /// An acknowledgement of long ago, or a probe of the window, is told how things stand.
    fn answer_if_stale(&mut self, now: Instant, segment: &Segment) {
        if segment.sequence < self.acknowledged {
            self.answer_sometimes(now);
        }
    }

    fn answer_sometimes(&mut self, now: Instant) {
        if self.last_answer.is_none_or(|last| now.saturating_since(last) >= ANSWERS_APART) {
            self.last_answer = Some(now);
            self.due_now();
        }
    }

    /// Something has arrived: how long acknowledgements wait depends on what comes how often.
    fn heard(&mut self, now: Instant, timeout: Duration) {
        let gap = now.saturating_since(self.last_arrival);
        self.last_arrival = now;
        match self.delay {
            None => {
                self.at_once = AT_ONCE;
                self.delay = Some(DELAY);
            }
            Some(delay) if gap <= DELAY / 2 => self.delay = Some(delay / 2 + DELAY / 2),
            Some(delay) if gap < delay => self.delay = Some((delay / 2 + gap).min(timeout)),
            Some(_) if gap > timeout => self.at_once = self.at_once.max(AT_ONCE),
            Some(_) => {}
        }
    }

    fn owe(&mut self, now: Instant, is_full: bool, is_urgent: bool) {
        let told = self.told();
        let is_second = self.arrived.next() - told > SEGMENT_MAX as u64;
        let is_early = self.at_once > 0 && !self.is_interactive;
        if is_urgent || is_second || is_early {
            self.at_once = self.at_once.saturating_sub(1);
            return self.due_now();
        }
        let by = now + self.delay.unwrap_or(DELAY).min(self.delay_max());
        let Late { by: before, small } = self.late.unwrap_or(Late { by, small: 0 });
        self.late = Some(Late { by: by.min(before), small: small + u32::from(!is_full) });
    }

    /// Up to where it is acknowledged, but for what has to leave yet.
    fn told(&self) -> u64 {
        self.due.back().map_or(self.acknowledged, |due| due.acknowledgement)
    }

    fn due_now(&mut self) {
        self.late = None;
        let due = Due { acknowledgement: self.arrived.next(), ranges: self.ranges() };
        if self.due.back() != Some(&due) {
            self.due.push_back(due);
        }
    }

    fn delay_max(&self) -> Duration {
        self.window.round_trip.map_or(DELAY_MAX, |round_trip| round_trip.clamp(DELAY, DELAY_MAX))
    }

    /// An acknowledgement is owed at once, and the next few, too.
    pub(super) fn owe_at_once(&mut self) {
        self.at_once = self.at_once.max(AT_ONCE);
        self.is_interactive = false;
        self.due_now();
    }

    /// Something was sent, at `now`: an answer, if something had just arrived.
    pub(super) fn answered(&mut self, now: Instant) {
        if self.delay.is_some_and(|delay| now.saturating_since(self.last_arrival) < delay) {
            self.is_interactive = true;
        }
    }

    /// Remembers the timestamp to echo: that of the first segment since the last acknowledgement (RFC 7323, 4.3), unless
    /// it brings nothing; and what the echo of its own tells of the round trip.
    pub(super) fn stamp(&mut self, now: Instant, segment: &Segment) {
        let (end, told) = (segment.sequence + segment.length(), self.told());
        if segment.sequence <= told && end >= told {
            self.echo = self.echo.max(Some(segment.timestamps.value));
        }
        if segment.payload.len() >= SEGMENT_MAX
            && let Some(echo) = segment.timestamps.echo
        {
            let sample = now.saturating_since(echo);
            let before = self.window.round_trip;
            self.window.round_trip = Some(before.map_or(sample, |before| (7 * before + sample) / 8));
        }
    }

    /// Gives bytes in order to `put`, which says how many it takes of each piece; how many in all.
    pub(super) fn read(&mut self, now: Instant, put: impl FnMut(&[u8]) -> usize) -> usize {
        let read = self.arrived.read(put);
        if read > 0 {
            self.window.read(now, read as u64);
            self.tell_of_reading();
        }
        read
    }

    /// What was read may be worth telling (Linux's `tcp_cleanup_rbuf`).
    fn tell_of_reading(&mut self) {
        let small = self.late.map_or(0, |late| late.small);
        if self.arrived.ready() == 0 && (small > 1 || (small == 1 && !self.is_interactive)) {
            self.due_now();
        }
        // The end of the flow lies beyond the window.
        let (told, room) = (self.window.edge.saturating_sub(self.arrived.next()), u64::from(self.room()));
        let is_small = 2 * told <= u64::from(self.window.space);
        if is_small && room >= 2 * told && room >= SEGMENT_MAX as u64 && !self.arrived.has_ended() {
            self.due_now();
        }
    }

    /// Forgets what was not read.
    pub(super) fn discard(&mut self) {
        self.arrived.discard();
    }

    /// Whether an acknowledgement is owed at once.
    pub(super) fn owes(&self) -> bool {
        !self.due.is_empty()
    }

    /// When it wants to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.late.map(|late| late.by)
    }

    /// Its time has come: nothing came along for the acknowledgement to ride on.
    pub(super) fn expire(&mut self, now: Instant, timeout: Duration) {
        if self.deadline().is_some_and(|by| by <= now) {
            if std::mem::take(&mut self.is_interactive) {
                self.delay = Some(DELAY);
            } else {
                self.delay = self.delay.map(|delay| (2 * delay).min(timeout));
            }
            self.due_now();
        }
    }

    /// What a bare acknowledgement says that leaves now: no more than is due, and the rest stays late.
    pub(super) fn tell_due(&mut self) -> Option<Told> {
        let due = self.due.pop_front()?;
        Some(self.tell_of(due))
    }

    /// What a segment says that leaves now: the acknowledgement, the window, and the ranges beyond it.
    pub(super) fn tell(&mut self) -> Told {
        self.at_once = self.at_once.saturating_sub(1);
        self.late = None;
        let last = self.due.pop_back();
        self.due.clear();
        let ranges = last.map_or_else(|| self.ranges(), |due| due.ranges);
        self.tell_of(Due { acknowledgement: self.arrived.next(), ranges })
    }

    fn tell_of(&mut self, Due { acknowledgement, ranges }: Due) -> Told {
        self.acknowledged = acknowledgement;
        self.window.edge = self.window.edge.max(self.arrived.next() + u64::from(self.room()));
        let window = (self.window.edge - acknowledgement) as u32;
        Told { acknowledgement, window, ranges }
    }

    /// What came twice, which is said once, and what is beyond a gap.
    fn ranges(&mut self) -> Option<Box<[Range<u64>]>> {
        let again = self.again.take();
        let is_plain = again.is_none() && !self.arrived.has_gap();
        let all = || again.into_iter().chain(self.arrived.ranges().iter().cloned());
        (!is_plain).then(|| all().take(RANGES_MAX).collect())
    }

    fn room(&self) -> u32 {
        self.window.space.saturating_sub(self.arrived.bytes() as u32)
    }
}

impl Window {
    /// The reader has read: a window of twice what it reads in a round trip does not hold the peer up.
    fn read(&mut self, now: Instant, bytes: u64) {
        self.read += bytes;
        let elapsed = now.saturating_since(self.since);
        if self.round_trip.is_none_or(|round_trip| elapsed < round_trip) {
            return;
        }
        if self.read > self.read_before {
            let twice = 2 * self.read + 16 * SEGMENT_MAX as u64;
            let growth = twice * (self.read - self.read_before) / self.read_before;
            self.space = self.space.max((twice + 2 * growth).min(u64::from(WINDOW_MAX)) as u32);
            self.read_before = self.read;
        }
        (self.read, self.since) = (0, now);
    }
}
