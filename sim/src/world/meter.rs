//! What an architecture takes of its machines, by kind of container: cores and connections over time, and
//! bytes on the wire. Counts within the reported part of a run alone. Owns no clock, and does not know what
//! the work was for.

use std::ops::Range;
use std::time::Duration;

use hoplab_proxy::host::Instant;

/// A kind of container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContainerKind {
    /// Whoever sends load: no part of what is compared.
    Client,
    /// A service.
    Application,
    /// The proxy beside a service.
    Sidecar,
    /// The gateway.
    Gateway,
}

impl ContainerKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Client, Self::Application, Self::Sidecar, Self::Gateway];

    /// Its name in a record: `application`, `sidecar`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Application => "application",
            Self::Sidecar => "sidecar",
            Self::Gateway => "gateway",
        }
    }
}

/// What containers of one kind took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Cores times time.
    pub processor: Duration,
    /// The most cores that were busy at a time.
    pub cores_peak: u64,
    /// The most connections that were open at a time; one within a pod counts for both its containers.
    pub connections_peak: u64,
    /// What pods with such a container outermost have sent to others, headers and repetitions included.
    pub bytes: u64,
}

/// The meters of a world.
#[derive(Debug)]
pub(super) struct Meters {
    counted: Range<Instant>,
    kinds: [Meter; ContainerKind::ALL.len()],
}

#[derive(Debug, Clone, Copy, Default)]
struct Meter {
    cores: Gauge,
    connections: Gauge,
    bytes: u64,
}

/// Something that goes up and down.
#[derive(Debug, Clone, Copy, Default)]
struct Gauge {
    level: u64,
    since: Instant,
    peak: u64,
    /// Level times time.
    area_nanos: u64,
}

impl Meters {
    /// Meters that count what happens within a part of the run.
    pub(super) fn new(counted: Range<Instant>) -> Self {
        Self { counted, kinds: Default::default() }
    }

    /// A core is occupied.
    pub(super) fn occupied(&mut self, kind: ContainerKind, now: Instant) {
        self.kinds[kind as usize].cores.change(&self.counted, now, 1);
    }

    /// A core is given back.
    pub(super) fn released(&mut self, kind: ContainerKind, now: Instant) {
        self.kinds[kind as usize].cores.change(&self.counted, now, -1);
    }

    /// A connection is open.
    pub(super) fn opened(&mut self, kind: ContainerKind, now: Instant) {
        self.kinds[kind as usize].connections.change(&self.counted, now, 1);
    }

    /// A connection is closed.
    pub(super) fn closed(&mut self, kind: ContainerKind, now: Instant) {
        self.kinds[kind as usize].connections.change(&self.counted, now, -1);
    }

    /// A packet leaves a pod.
    pub(super) fn sent(&mut self, kind: ContainerKind, now: Instant, bytes: u32) {
        if self.counted.contains(&now) {
            self.kinds[kind as usize].bytes += u64::from(bytes);
        }
    }

    /// What was taken until `now`.
    pub(super) fn usage(&self, kind: ContainerKind, now: Instant) -> Usage {
        let Meter { mut cores, mut connections, bytes } = self.kinds[kind as usize];
        cores.change(&self.counted, now, 0);
        connections.change(&self.counted, now, 0);
        Usage {
            processor: Duration::from_nanos(cores.area_nanos),
            cores_peak: cores.peak,
            connections_peak: connections.peak,
            bytes,
        }
    }
}

impl Gauge {
    fn change(&mut self, counted: &Range<Instant>, now: Instant, by: i64) {
        let (from, until) = (self.since.max(counted.start), now.min(counted.end));
        if from < until {
            self.area_nanos += self.level * until.saturating_since(from).as_nanos() as u64;
            self.peak = self.peak.max(self.level);
        }
        self.level = self.level.saturating_add_signed(by);
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn only_what_lies_within_the_reported_part_counts() {
        let mut meters = Meters::new(at(10)..at(20));
        let kind = ContainerKind::Sidecar;
        meters.occupied(kind, at(0));
        meters.occupied(kind, at(5));
        meters.released(kind, at(8));
        meters.opened(kind, at(9));
        meters.sent(kind, at(9), 100);
        meters.sent(kind, at(10), 60);
        meters.occupied(kind, at(15));
        meters.closed(kind, at(16));
        meters.released(kind, at(18));
        meters.occupied(kind, at(30));
        let seen = meters.usage(kind, at(40));
        assert_eq!(seen.processor, Duration::from_millis(5 + 2 * 3 + 2));
        assert_eq!((seen.cores_peak, seen.connections_peak, seen.bytes), (2, 1, 60));
        assert_eq!(meters.usage(ContainerKind::Gateway, at(40)), Usage::default());
    }
}
