//! Notices that virtual time stands still: a loop of requests that takes no time at all would go round for
//! ever at one instant. Counts what happens at one instant, and past a bound that no sensible run comes near
//! ends the simulation, naming who went round. Owns no clock and moves no packet.

use std::collections::BTreeSet;

use hoplab_proxy::host::Instant;

use super::PodId;

/// How often at one instant everything may come to rest before the next packets are taken. A chain of calls
/// that takes no time needs a few rounds a call, a large body some thousand.
const ROUNDS_MAX: u32 = 100_000;
/// How many packets may depart at one instant: those of more users than a run may have, each a thousand times.
const PACKETS_MAX: u32 = 30_000_000;
/// From here on it is noted who goes round.
const SUSPICIOUS: u32 = 1_000;

/// What has happened at the present instant.
#[derive(Debug, Default)]
pub(super) struct Standstill {
    at: Instant,
    rounds: u32,
    packets: u32,
    pods: BTreeSet<PodId>,
    loads: BTreeSet<String>,
}

impl Standstill {
    /// Everything has come to rest at `now`. Who goes round too often is told by the name of its pod.
    ///
    /// # Panics
    /// If time stands still: that ends the simulation.
    pub(super) fn round(&mut self, now: Instant, name: impl Fn(PodId) -> String) {
        if now != self.at {
            if self.rounds > SUSPICIOUS {
                *self = Self::default();
            }
            (self.at, self.rounds, self.packets) = (now, 0, 0);
        }
        self.rounds += 1;
        assert!(self.rounds <= ROUNDS_MAX && self.packets <= PACKETS_MAX, "{}", self.tell(name));
    }

    /// A packet leaves `pod`.
    pub(super) fn departs(&mut self, pod: PodId) {
        self.packets += 1;
        if self.rounds > SUSPICIOUS {
            self.pods.insert(pod);
        }
    }

    /// A client of `load` asks for something.
    pub(super) fn asks(&mut self, load: &str) {
        if self.rounds > SUSPICIOUS && !self.loads.contains(load) {
            self.loads.insert(load.to_owned());
        }
    }

    fn tell(&self, name: impl Fn(PodId) -> String) -> String {
        let loads: Vec<_> = self.loads.iter().map(|load| format!("\"{load}\"")).collect();
        let pods: Vec<_> = self.pods.iter().map(|pod| name(*pod)).collect();
        let whose =
            if loads.is_empty() { String::new() } else { format!(", asked for by {}", loads.join(", ")) };
        format!(
            "virtual time stands still at {} us: {} packets in {} rounds, and no end, between {}{whose}; give \
             the network a latency, the users a pause or the endpoints some work",
            self.at.micros(),
            self.packets,
            self.rounds,
            pods.join(", "),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(pod: PodId) -> String {
        format!("pod-{}", pod.0)
    }

    #[test]
    fn time_that_passes_is_no_standstill() {
        let mut still = Standstill::default();
        for micros in 0..3 {
            for _ in 0..ROUNDS_MAX {
                still.round(Instant::from_nanos(micros * 1_000), name);
            }
        }
    }

    #[test]
    #[should_panic(expected = "between pod-1, pod-2, asked for by \"a\"; give the network a latency")]
    fn who_goes_round_is_named() {
        let mut still = Standstill::default();
        loop {
            still.round(Instant::START, name);
            still.asks("a");
            still.departs(PodId(2));
            still.departs(PodId(1));
        }
    }
}
