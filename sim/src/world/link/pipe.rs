//! A pipe: what has a bandwidth and a queue, such as one direction of a pod's NIC, or of what lies between two zones.
//! Carries one packet at a time, and passes its bits on as they come, so that several pipes in a row of the same
//! bandwidth take no longer than one. What it carries is payload: headers take nothing of it, so that a bandwidth is
//! what applications get, and an acknowledgement never holds up what follows it.
//!
//! Packets are told to it when they leave their pods, but reach it when they do, which is another order: one from afar
//! keeps its place, and one from nearby that reaches the pipe earlier takes the time that is free before it. So the
//! pipe keeps when it will be busy.

use std::collections::VecDeque;
use std::time::Duration;

use hoplab_proxy::host::Instant;

use crate::scenario::plan::network::{Capacity, Queue};

/// One direction of something that has a bandwidth.
pub(super) struct Pipe {
    capacity: Capacity,
    /// When it is busy, from now on: stretches without a gap, in order.
    busy: VecDeque<Stretch>,
    /// When the packets that wait will begin to be carried, in order; kept only where a queue counts packets.
    begins_ns: VecDeque<u64>,
    /// Packets that found the queue full.
    dropped: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from_ns: u64,
    to_ns: u64,
}

/// A packet on its way: when its first bit and its last one are where it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passing {
    pub(super) first: Instant,
    pub(super) last: Instant,
}

impl Passing {
    /// A packet that is ready as a whole.
    pub(super) fn ready(at: Instant) -> Self {
        Self { first: at, last: at }
    }

    /// So much later.
    pub(super) fn after(self, delay: Duration) -> Self {
        Self { first: self.first + delay, last: self.last + delay }
    }
}

impl Pipe {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self { capacity, busy: VecDeque::new(), begins_ns: VecDeque::new(), dropped: 0 }
    }

    /// When a packet with a payload of `bytes` has passed that reaches the pipe as `packet` says; `None` when its
    /// queue is full. No packet that is told of later reaches any pipe before `now`.
    pub(super) fn pass(&mut self, now: Instant, packet: Passing, bytes: u32) -> Option<Passing> {
        self.forget(now.nanos());
        let Capacity { bits_per_second, queue } = self.capacity;
        let takes_ns = u64::from(bytes) * 8 * 1_000_000_000 / bits_per_second.max(1);
        // The last bit cannot leave before it has come.
        let ready_ns = packet.first.nanos().max(packet.last.nanos().saturating_sub(takes_ns));
        let (place, from_ns) = self.free(ready_ns, takes_ns);
        if let Some(queue) = queue
            && from_ns > ready_ns
            && self.is_full(queue, ready_ns, from_ns)
        {
            self.dropped += 1;
            return None;
        }
        if takes_ns > 0 {
            self.occupy(place, Stretch { from_ns, to_ns: from_ns + takes_ns });
        }
        if matches!(queue, Some(Queue::Packets(_))) {
            let place = self.begins_ns.partition_point(|begins_ns| *begins_ns <= from_ns);
            self.begins_ns.insert(place, from_ns);
        }
        let [first, last] = [from_ns, from_ns + takes_ns].map(Instant::from_nanos);
        Some(Passing { first, last })
    }

    /// How many packets found the queue full.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What is over by `now_ns`.
    fn forget(&mut self, now_ns: u64) {
        while self.busy.pop_front_if(|stretch| stretch.to_ns <= now_ns).is_some() {}
        while self.begins_ns.pop_front_if(|begins_ns| *begins_ns <= now_ns).is_some() {}
    }

    /// The first time from `ready_ns` on at which the pipe is free for so long, and before which stretch that is.
    fn free(&self, ready_ns: u64, takes_ns: u64) -> (usize, u64) {
        if self.busy.back().is_none_or(|last| last.to_ns <= ready_ns) {
            return (self.busy.len(), ready_ns);
        }
        let mut from_ns = ready_ns;
        let first = self.busy.partition_point(|stretch| stretch.to_ns <= ready_ns);
        for (place, stretch) in self.busy.iter().enumerate().skip(first) {
            if from_ns + takes_ns <= stretch.from_ns {
                return (place, from_ns);
            }
            from_ns = from_ns.max(stretch.to_ns);
        }
        (self.busy.len(), from_ns)
    }

    /// Adds a stretch before the one at `place`, and joins what touches.
    fn occupy(&mut self, place: usize, mut stretch: Stretch) {
        if place == self.busy.len() {
            match self.busy.back_mut() {
                Some(before) if before.to_ns == stretch.from_ns => before.to_ns = stretch.to_ns,
                _ => self.busy.push_back(stretch),
            }
            return;
        }
        let mut place = place;
        if let Some(after) = self.busy.get(place).copied()
            && after.from_ns == stretch.to_ns
        {
            stretch.to_ns = after.to_ns;
            self.busy.remove(place);
        }
        if let Some(before) = place.checked_sub(1).map(|before| self.busy[before])
            && before.to_ns == stretch.from_ns
        {
            stretch.from_ns = before.from_ns;
            place -= 1;
            self.busy.remove(place);
        }
        self.busy.insert(place, stretch);
    }

    /// Whether nothing more may wait behind the packet that is being carried, for one that comes at `ready_ns` and
    /// would wait until `from_ns`.
    fn is_full(&self, queue: Queue, ready_ns: u64, from_ns: u64) -> bool {
        match queue {
            Queue::Packets(most) => {
                let begun = self.begins_ns.partition_point(|begins_ns| *begins_ns <= ready_ns);
                self.begins_ns.len() - begun >= most as usize
            }
            Queue::Bytes(most) => {
                let waits_ns = u128::from(from_ns - ready_ns);
                waits_ns * u128::from(self.capacity.bits_per_second) / 8_000_000_000 > u128::from(most)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A byte takes a microsecond.
    const SLOW: Capacity = Capacity { bits_per_second: 8_000_000, queue: None };

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    fn pass(pipe: &mut Pipe, now: u64, reaches: u64, bytes: u32) -> Option<u64> {
        pipe.pass(at(now), Passing::ready(at(reaches)), bytes).map(|packet| packet.last.micros())
    }

    #[test]
    fn packets_wait_for_each_other() {
        let mut pipe = Pipe::new(SLOW);
        assert_eq!(pass(&mut pipe, 0, 0, 100), Some(100));
        assert_eq!(pass(&mut pipe, 0, 0, 50), Some(150));
        assert_eq!(pass(&mut pipe, 120, 120, 50), Some(200));
        assert_eq!(pass(&mut pipe, 1_000, 1_000, 50), Some(1_050));
    }

    #[test]
    fn pipes_in_a_row_pass_bits_on_as_they_come() {
        let fast = Capacity { bits_per_second: 80_000_000, queue: None };
        for (first, second, expected) in
            [(SLOW, SLOW, 100), (SLOW, fast, 100), (fast, SLOW, 100), (fast, fast, 10)]
        {
            let (mut first, mut second) = (Pipe::new(first), Pipe::new(second));
            let packet = first.pass(at(0), Passing::ready(at(0)), 100).unwrap();
            assert_eq!(second.pass(at(0), packet, 100).unwrap().last, at(expected));
        }
    }

    #[test]
    fn what_is_on_its_way_from_afar_keeps_nobody_waiting_before_it_comes() {
        let mut pipe = Pipe::new(SLOW);
        assert_eq!(pass(&mut pipe, 0, 20_000, 100), Some(20_100));
        assert_eq!(pass(&mut pipe, 1, 300, 100), Some(400));
        assert_eq!(pass(&mut pipe, 2, 350, 100), Some(500));
        assert_eq!(pass(&mut pipe, 3, 19_950, 100), Some(20_200), "there is no room before it");
    }

    #[test]
    fn a_queue_of_packets_is_full_when_so_many_wait() {
        let mut pipe = Pipe::new(Capacity { queue: Some(Queue::Packets(2)), ..SLOW });
        let passed = [0; 5].map(|now| pass(&mut pipe, now, now, 100));
        assert_eq!(passed, [Some(100), Some(200), Some(300), None, None], "one is sent, two wait");
        assert_eq!(pass(&mut pipe, 100, 100, 100), Some(400), "one of them is sent");
        assert_eq!(pipe.dropped(), 2);
    }

    #[test]
    fn a_queue_of_bytes_is_full_when_so_much_waits() {
        let mut pipe = Pipe::new(Capacity { queue: Some(Queue::Bytes(250)), ..SLOW });
        let passed = [0; 5].map(|now| pass(&mut pipe, now, now, 100));
        assert_eq!(passed, [Some(100), Some(200), Some(300), None, None]);
        assert_eq!(pass(&mut pipe, 60, 60, 10), Some(310));
    }

    proptest! {
        /// Nothing is carried twice at a time or before it comes, and the pipe is never idle while a packet that has
        /// come waits for longer than what is carried next takes.
        #[test]
        fn one_packet_at_a_time(packets in prop::collection::vec((0..200_u64, 0..2_000_u64, 1..200_u32), 1..60)) {
            let mut pipe = Pipe::new(SLOW);
            let (mut now, mut carried, mut bits) = (0, Vec::new(), 0);
            for (gap, delay, bytes) in packets {
                now += gap;
                let to = pass(&mut pipe, now, now + delay, bytes).unwrap();
                let from = to - u64::from(bytes);
                prop_assert!(from >= now + delay);
                carried.push((from, to));
                bits += u64::from(bytes);
            }
            carried.sort_unstable();
            prop_assert!(carried.is_sorted_by(|one, next| one.1 <= next.0), "{:?}", carried);
            prop_assert!(carried.last().unwrap().1 <= now + 2_000 + bits);
        }
    }
}
