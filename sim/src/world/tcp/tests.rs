//! Two ends and what is on its way between them: whatever is done in whatever order, bytes arrive once and in order,
//! no end is sent more than it has room for, and a connection that both close is over.

use std::collections::VecDeque;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

/// What happens to one of two ends.
#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    Read(usize),
    /// So many segments reach it.
    Receive(usize),
    Transmit,
    Shutdown,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let step = prop_oneof![
        8 => (1..200_000_usize).prop_map(Step::Write),
        8 => (1..200_000_usize).prop_map(Step::Read),
        8 => (1..60_usize).prop_map(Step::Receive),
        8 => Just(Step::Transmit),
        1 => Just(Step::Shutdown),
    ];
    (0..2_usize, step)
}

/// Two ends of a connection, the opener's first.
struct Pair {
    ends: [Endpoint; 2],
    /// What is on its way *to* each.
    under_way: [VecDeque<Segment>; 2],
    written: [usize; 2],
    read: [Vec<u8>; 2],
}

/// Byte `offset` of what an end writes.
fn byte(side: usize, offset: usize) -> u8 {
    (offset / 251 + offset * 3 + side * 101) as u8
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl Pair {
    /// After the handshake.
    fn connected() -> Self {
        let (opener, syn) = Endpoint::connecting(1);
        let mut acceptor = Endpoint::unopened();
        acceptor.hold();
        let answer = acceptor.accept(7, &syn);
        let none = || [VecDeque::new(), VecDeque::new()];
        let mut pair = Self {
            ends: [opener, acceptor],
            under_way: none(),
            written: [0, 0],
            read: [Vec::new(), Vec::new()],
        };
        pair.under_way[0].push_back(answer);
        pair.receive(0, 1);
        pair.receive(1, 1);
        assert!(pair.ends.iter().all(Endpoint::is_established));
        pair
    }

    fn apply(&mut self, side: usize, step: &Step) {
        match *step {
            Step::Write(count) => self.write(side, count),
            Step::Read(count) => self.read(side, count),
            Step::Receive(count) => self.receive(side, count),
            Step::Transmit => self.transmit(side),
            Step::Shutdown => self.ends[side].shutdown().expect("nobody resets it"),
        }
    }

    fn write(&mut self, side: usize, count: usize) {
        let from = self.written[side];
        let bytes: Vec<u8> = (from..from + count).map(|at| byte(side, at)).collect();
        if let Poll::Ready(Ok(count)) = self.ends[side].poll_write(&mut context(), &bytes) {
            self.written[side] += count;
        }
    }

    fn read(&mut self, side: usize, count: usize) {
        let mut bytes = vec![0; count];
        let mut buf = ReadBuf::new(&mut bytes);
        if let Poll::Ready(done) = self.ends[side].poll_read(&mut context(), &mut buf) {
            done.expect("nobody resets it");
            self.read[side].extend_from_slice(buf.filled());
        }
        let update = self.ends[side].update();
        self.under_way[1 - side].extend(update);
    }

    fn receive(&mut self, side: usize, count: usize) {
        for _ in 0..count {
            let Some(segment) = self.under_way[side].pop_front() else { return };
            let answer = self.ends[side].receive(segment, &mut Vec::new());
            self.under_way[1 - side].extend(answer);
        }
    }

    fn transmit(&mut self, side: usize) {
        while let Some(segment) = self.ends[side].transmit() {
            self.under_way[1 - side].push_back(segment);
        }
        let in_flight: usize = self.under_way[1 - side].iter().map(|segment| segment.payload.len()).sum();
        let room = RECEIVE_BUFFER - self.ends[1 - side].received_bytes;
        assert!(in_flight <= room, "{in_flight} bytes are on their way to a room of {room}");
    }

    /// Everything goes on until nothing more happens.
    fn settle(&mut self) {
        let mut before = None;
        while before != Some(self.read.each_ref().map(Vec::len))
            || self.under_way.iter().any(|way| !way.is_empty())
        {
            before = Some(self.read.each_ref().map(Vec::len));
            for side in [0, 1] {
                self.transmit(side);
                self.receive(1 - side, usize::MAX);
                self.read(1 - side, 2 * RECEIVE_BUFFER);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(2_026),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn bytes_arrive_once_and_in_order_within_the_window(steps in prop::collection::vec(step(), 0..60)) {
        let mut pair = Pair::connected();
        for (side, step) in &steps {
            pair.apply(*side, step);
        }
        pair.settle();
        for side in [0, 1] {
            let expected: Vec<u8> = (0..pair.written[side]).map(|at| byte(side, at)).collect();
            prop_assert!(pair.read[1 - side] == expected, "what end {side} wrote arrived otherwise");
            prop_assert_eq!(pair.ends[side].in_flight(), 0);
        }
        for end in &mut pair.ends {
            prop_assert_eq!(end.close(), None);
        }
        pair.settle();
        prop_assert!(pair.ends.iter().all(Endpoint::is_gone));
    }
}

#[test]
fn who_leaves_bytes_unread_resets_the_connection() {
    let mut pair = Pair::connected();
    pair.write(0, 10);
    pair.transmit(0);
    pair.receive(1, 1);
    let reset = pair.ends[1].close().expect("bytes are left unread");
    assert!(reset.is_reset());
    assert_eq!(pair.ends[0].receive(reset, &mut Vec::new()), None);
    let written = pair.ends[0].poll_write(&mut context(), b"more");
    assert!(matches!(written, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset));
}

#[test]
fn a_syn_that_nobody_listens_for_is_refused() {
    let (mut opener, syn) = Endpoint::connecting(3);
    let refusal = syn.refusal();
    assert_eq!((refusal.acknowledgement, refusal.flags), ((3 << 16) + 1, Flags::RST.and(Flags::ACK)));
    opener.receive(refusal, &mut Vec::new());
    let connected = opener.poll_connected(&mut context());
    assert!(matches!(connected, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused));
}

#[test]
fn a_window_that_was_closed_opens_once_there_is_half_of_it() {
    let mut pair = Pair::connected();
    // Two windows fill the buffer of who does not read.
    for _ in 0..3 {
        pair.write(0, SEND_BUFFER);
        pair.transmit(0);
        pair.receive(1, usize::MAX);
        pair.receive(0, usize::MAX);
    }
    assert_eq!((pair.ends[1].received_bytes, pair.ends[0].window), (RECEIVE_BUFFER, 0));
    pair.read(1, usize::from(UPDATE) - 1);
    assert!(pair.under_way[0].is_empty(), "too little to tell of");
    pair.read(1, 1);
    assert_eq!(pair.under_way[0].pop_front().map(|update| update.window), Some(UPDATE));
}
