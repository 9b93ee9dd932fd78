//! Two ends and a wire that loses, delays and reorders: whatever it does, bytes arrive once and in order, no end is
//! sent more than it has room for, none is waited for without a cause, and it comes to an end.

use std::collections::BTreeMap;
use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hoplab_proxy::host::Instant;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tokio::io::ReadBuf;

use super::*;
use crate::scenario::plan::network::CongestionControl;

/// What happens to one of two ends.
#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    Read(usize),
    /// Time passes, in microseconds.
    Wait(u64),
    Shutdown,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let step = prop_oneof![
        8 => (1..200_000_usize).prop_map(Step::Write),
        8 => (1..200_000_usize).prop_map(Step::Read),
        8 => (1..300_000_u64).prop_map(Step::Wait),
        1 => Just(Step::Shutdown),
    ];
    (0..2_usize, step)
}

/// What the wire does to segments, one after the other, again and again.
fn fates() -> impl Strategy<Value = Vec<Option<u64>>> {
    let fate = prop_oneof![
        1 => Just(None),
        6 => Just(Some(5_000)),
        1 => (1_000..40_000_u64).prop_map(Some),
    ];
    prop::collection::vec(fate, 1..40)
}

/// Two ends of a connection, the opener's first, and what is between them.
struct Pair {
    ends: [Endpoint; 2],
    now: Instant,
    /// By arrival: to whom, and what.
    wire: BTreeMap<(Instant, u64), (usize, Segment)>,
    fates: Vec<Option<u64>>,
    sent: u64,
    written: [usize; 2],
    read: [Vec<u8>; 2],
    /// The last that each was told to have room for.
    edges: [u64; 2],
}

/// Byte `offset` of what an end writes.
fn byte(side: usize, offset: usize) -> u8 {
    (offset / 251 + offset * 3 + side * 101) as u8
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl Pair {
    fn new(control: CongestionControl, fates: Vec<Option<u64>>) -> Self {
        let mut acceptor = Endpoint::unopened(control);
        acceptor.hold();
        Self {
            ends: [Endpoint::connecting(1, control), acceptor],
            now: Instant::START,
            wire: BTreeMap::new(),
            fates,
            sent: 0,
            written: [0, 0],
            read: [Vec::new(), Vec::new()],
            edges: [0, 0],
        }
    }

    /// After the handshake, over a wire that does nothing but take 5 ms.
    fn connected() -> Self {
        let mut pair = Self::new(CongestionControl::Cubic, vec![Some(5_000)]);
        pair.wait(100_000);
        assert!(pair.ends.iter().all(Endpoint::is_established));
        pair
    }

    fn apply(&mut self, side: usize, step: &Step) {
        match *step {
            Step::Write(count) => self.write(side, count),
            Step::Read(count) => self.read(side, count),
            Step::Wait(micros) => self.wait(micros),
            Step::Shutdown if self.ends[side].is_established() => {
                self.ends[side].shutdown().expect("nobody resets it");
            }
            Step::Shutdown => {}
        }
        self.transmit();
    }

    fn write(&mut self, side: usize, count: usize) {
        if !self.ends[side].is_established() {
            return;
        }
        let from = self.written[side];
        let bytes: Vec<u8> = (from..from + count).map(|at| byte(side, at)).collect();
        if let Poll::Ready(Ok(count)) = self.ends[side].poll_write(self.now, &mut context(), &bytes) {
            self.written[side] += count;
        }
    }

    fn read(&mut self, side: usize, count: usize) {
        let mut bytes = vec![0; count];
        let mut buf = ReadBuf::new(&mut bytes);
        if let Poll::Ready(done) = self.ends[side].poll_read(self.now, &mut context(), &mut buf) {
            done.expect("nobody resets it");
            self.read[side].extend_from_slice(buf.filled());
        }
    }

    fn transmit(&mut self) {
        for side in [0, 1] {
            while let Some(segment) = self.ends[side].transmit(self.now) {
                let end = segment.sequence + segment.payload.len() as u64;
                assert!(segment.payload.is_empty() || end <= self.edges[side], "more than there is room for");
                let headers = segment.size() as usize - segment.payload.len();
                assert!(headers <= 20 + 60, "more options than a header has room for");
                self.put(1 - side, segment);
            }
        }
    }

    fn put(&mut self, to: usize, segment: Segment) {
        self.sent += 1;
        let fate = self.fates[self.sent as usize % self.fates.len()];
        if let Some(micros) = fate {
            let arrival = self.now + Duration::from_micros(micros);
            self.wire.insert((arrival, self.sent), (to, segment));
        }
    }

    /// When something happens next.
    fn next(&self) -> Option<Instant> {
        let arrival = self.wire.keys().next().map(|(at, _)| *at);
        let timers = self.ends.each_ref().map(Endpoint::deadline);
        timers.into_iter().chain([arrival]).flatten().min()
    }

    fn wait(&mut self, micros: u64) {
        let until = self.now + Duration::from_micros(micros);
        self.transmit();
        while let Some(next) = self.next().filter(|next| *next <= until) {
            self.go_on(next);
        }
        self.now = until;
    }

    fn go_on(&mut self, next: Instant) {
        self.now = self.now.max(next);
        while let Some(first) = self.wire.first_entry().filter(|first| first.key().0 <= self.now) {
            let (to, segment) = first.remove();
            let edge = segment.acknowledgement + u64::from(segment.window);
            self.edges[to] = self.edges[to].max(edge);
            if self.ends[to].is_unopened() {
                self.ends[to].accept(self.now, 7, &segment);
            } else {
                self.ends[to].receive(self.now, segment, &mut Vec::new());
            }
        }
        for end in &mut self.ends {
            if end.deadline().is_some_and(|deadline| deadline <= self.now) {
                end.expire(self.now, &mut Vec::new());
            }
        }
        self.transmit();
    }

    /// Everything goes on, and is read, until nothing more happens.
    fn settle(&mut self) {
        for _ in 0..200_000 {
            for side in [0, 1] {
                self.read(side, 1 << 20);
                while self.ends[side].has_unread() {
                    self.read(side, 1 << 20);
                }
            }
            self.transmit();
            let Some(next) = self.next() else { return };
            self.go_on(next);
        }
        panic!("it does not come to an end");
    }

    fn write_all(&mut self, side: usize, count: usize) -> Duration {
        let (start, until) = (self.now, self.read[1 - side].len() + count);
        let mut left = count;
        while self.read[1 - side].len() < until {
            let before = self.written[side];
            self.write(side, left);
            left -= self.written[side] - before;
            self.read(1 - side, 1 << 20);
            self.transmit();
            let next = self.next().expect("something is under way");
            self.go_on(next);
            self.read(1 - side, 1 << 20);
        }
        self.now - start
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(2_026),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn bytes_arrive_once_and_in_order_within_the_window(
        control in prop::sample::select(vec![
            CongestionControl::Cubic,
            CongestionControl::Reno,
            CongestionControl::Bbr,
        ]),
        fates in fates(),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut pair = Pair::new(control, fates);
        pair.wait(10_000);
        for (side, step) in &steps {
            pair.apply(*side, step);
        }
        // The wire is mended, so that it is known what has to happen.
        pair.fates = vec![Some(5_000)];
        pair.settle();
        for side in [0, 1] {
            let expected: Vec<u8> = (0..pair.written[side]).map(|at| byte(side, at)).collect();
            prop_assert!(pair.read[1 - side] == expected, "what end {side} wrote arrived otherwise");
            // Nothing is on its way, so nothing is waited for.
            prop_assert_eq!(pair.ends[side].deadline(), None);
        }
        for end in &mut pair.ends {
            end.close();
        }
        pair.settle();
        prop_assert!(pair.ends.iter().all(Endpoint::is_gone));
    }
}

#[test]
fn a_window_is_doubled_each_round_trip() {
    // 15,000 bytes are 11 segments: ten, and one a round trip later. 60,000: ten, twenty and twelve. One way at last.
    let mut pair = Pair::connected();
    assert_eq!(pair.write_all(0, 15_000), Duration::from_millis(15));
    let mut pair = Pair::connected();
    let took = pair.write_all(0, 60_000);
    assert!(took >= Duration::from_millis(25) && took < Duration::from_millis(31), "{took:?}");
}

#[test]
fn a_segment_with_others_behind_it_is_made_good_within_a_round_trip() {
    let mut pair = Pair::connected();
    pair.write(0, 10 * 1_448);
    pair.fates = vec![Some(5_000); 10];
    pair.fates[(pair.sent as usize + 1) % 10] = None;
    pair.transmit();
    pair.fates = vec![Some(5_000)];
    let start = pair.now;
    while pair.read[1].len() < 10 * 1_448 {
        let next = pair.next().expect("something is under way");
        pair.go_on(next);
        pair.read(1, 1 << 20);
    }
    assert_eq!(pair.now - start, Duration::from_millis(15));
}

#[test]
fn a_lone_segment_is_made_good_by_a_timeout() {
    let mut pair = Pair::connected();
    pair.write(0, 100);
    pair.fates = vec![None];
    pair.transmit();
    pair.fates = vec![Some(5_000)];
    let start = pair.now;
    while pair.read[1].is_empty() {
        let next = pair.next().expect("something is under way");
        pair.go_on(next);
        pair.read(1, 1 << 20);
    }
    // A round trip of 10 ms and 200 ms, then one way.
    assert_eq!(pair.now - start, Duration::from_millis(215));
}

#[test]
fn who_leaves_bytes_unread_resets_the_connection() {
    let mut pair = Pair::connected();
    pair.write(0, 10);
    pair.wait(10_000);
    pair.ends[1].close();
    pair.wait(10_000);
    let written = pair.ends[0].poll_write(pair.now, &mut context(), b"more");
    assert!(matches!(written, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset));
}

#[test]
fn what_came_before_a_reset_is_read_first() {
    let mut pair = Pair::connected();
    pair.write(0, 10);
    pair.wait(10_000);
    pair.ends[1].abort(&mut Vec::new());
    pair.read(1, 100);
    assert_eq!(pair.read[1].len(), 10);
    let mut bytes = [0; 10];
    let read = pair.ends[1].poll_read(pair.now, &mut context(), &mut ReadBuf::new(&mut bytes));
    assert!(matches!(read, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset));
}

#[test]
fn a_syn_that_nobody_listens_for_is_refused() {
    let mut opener = Endpoint::connecting(3, CongestionControl::Cubic);
    let syn = opener.transmit(Instant::START).expect("a SYN is due");
    let refusal = syn.refusal();
    assert_eq!((refusal.acknowledgement, refusal.flags), ((3 << 16) + 1, Flags::RST.and(Flags::ACK)));
    opener.receive(Instant::START, refusal, &mut Vec::new());
    let connected = opener.poll_connected(&mut context());
    assert!(matches!(connected, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused));
}

#[test]
fn a_syn_is_sent_seven_times_and_then_given_up() {
    let mut pair = Pair::new(CongestionControl::Cubic, vec![None]);
    pair.wait(126_999_999);
    assert_eq!(pair.sent, 7);
    assert!(pair.ends[0].poll_connected(&mut context()).is_pending());
    pair.wait(1);
    let connected = pair.ends[0].poll_connected(&mut context());
    assert!(matches!(connected, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::TimedOut));
}

#[test]
fn a_window_that_nobody_opens_is_probed_and_one_that_opens_is_told_of() {
    let mut pair = Pair::connected();
    for _ in 0..10 {
        pair.write(0, 1 << 20);
        pair.wait(100_000);
    }
    let (sent, window) = (pair.sent, 65_535);
    assert!(pair.ends[0].deadline().is_some(), "somebody asks whether there is room");
    pair.wait(10_000_000);
    assert!((4..30).contains(&(pair.sent - sent)), "{} probes and answers in 10 s", pair.sent - sent);
    pair.read(1, window);
    pair.settle();
    assert_eq!(pair.read[1].len(), pair.written[0]);
}

/// The window was used up to the last byte before anything else was written: whoever would have told that there is room
/// again may have been lost.
#[test]
fn a_window_that_was_closed_when_something_is_written_is_probed() {
    for ends in [false, true] {
        let mut pair = Pair::connected();
        while pair.written[0] < 65_535 {
            pair.write(0, 65_535 - pair.written[0]);
            pair.wait(100_000);
        }
        assert_eq!(pair.ends[0].deadline(), None, "all is acknowledged");
        if ends {
            pair.ends[0].shutdown().expect("nobody resets it");
        } else {
            pair.write(0, 1);
        }
        pair.fates = vec![None];
        pair.read(1, 65_535);
        pair.wait(10_000);
        pair.fates = vec![Some(5_000)];
        pair.settle();
        assert_eq!(pair.read[1].len(), pair.written[0]);
        assert!(!ends || pair.ends[0].deadline().is_none(), "its end has arrived");
    }
}

/// It has finished itself, and every acknowledgement of its peer's last bytes got lost: what comes again is bytes first,
/// and the end of them last.
#[test]
fn who_has_finished_acknowledges_bytes_that_come_again() {
    let mut pair = Pair::connected();
    pair.ends[1].shutdown().expect("nobody resets it");
    pair.wait(100_000);
    pair.write(0, 3 * 1_448);
    pair.ends[0].shutdown().expect("nobody resets it");
    pair.transmit();
    pair.fates = vec![None];
    pair.wait(50_000);
    pair.fates = vec![Some(5_000)];
    let start = pair.now;
    pair.settle();
    assert!(pair.now - start < Duration::from_secs(1), "{:?}", pair.now - start);
}

/// One of several acknowledgements may get lost, and none hides behind another.
#[test]
fn what_arrives_at_one_instant_is_acknowledged_piece_by_piece() {
    let mut pair = Pair::connected();
    pair.write(0, 10 * 1_448);
    pair.transmit();
    let next = pair.next().expect("ten segments are under way");
    pair.go_on(next);
    let told: Vec<u64> = pair.wire.values().map(|(_, segment)| segment.acknowledgement).collect();
    assert_eq!(told.len(), 10, "the first of a connection are acknowledged at once");
    assert!(told.is_sorted_by(|a, b| b - a == 1_448), "{told:?}");
}

/// A segment that comes late, behind another that was sent again meanwhile, is taken for one of an earlier time; half
/// a tick is not told.
#[test]
fn a_segment_is_dropped_whose_timestamp_is_older_than_the_last_in_order() {
    for (millis, arrives) in [(20, false), (1, true)] {
        let mut pair = Pair::connected();
        pair.write(0, 2 * 1_448);
        let mut sent = || pair.ends[0].transmit(pair.now).expect("two segments are written");
        let (mut first, second) = (sent(), sent());
        let now = pair.now + Duration::from_millis(millis);
        first.timestamps.value = now;
        pair.ends[1].receive(now, first, &mut Vec::new());
        let acknowledgement = pair.ends[1].transmit(now).expect("it is acknowledged").acknowledgement;
        pair.ends[1].receive(now, second, &mut Vec::new());
        pair.read(1, 1 << 20);
        assert_eq!(pair.read[1].len(), if arrives { 2 } else { 1 } * 1_448);
        let answer = pair.ends[1].transmit(now).expect("whatever comes is answered");
        assert_eq!(answer.acknowledgement - acknowledgement, if arrives { 1_448 } else { 0 });
    }
}
