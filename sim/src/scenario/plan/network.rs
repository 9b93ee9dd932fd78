//! The wires of a plan. Not here: how packets cross them ([`crate::world`]).

use std::time::Duration;

use crate::distribution::Distribution;

/// The wires between pods.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// What lies between two pods of no zone or of the same zone.
    pub line: Line,
    /// What each direction of a pod's NIC carries, unless the pod has its own; without limit when `None`.
    pub nic: Option<Capacity>,
    /// How the ends of connections deal with congestion.
    pub congestion: CongestionControl,
    /// Zones; a [`ZoneId`] is an index into them.
    pub zones: Vec<Zone>,
    /// Pairs of zones with a line of their own; each pair once.
    pub between: Vec<BetweenZones>,
}

impl Network {
    /// What the NIC of a pod carries that says this of its own bandwidth, or nothing.
    pub(crate) fn nic_of(&self, bits_per_second: Option<u64>) -> Option<Capacity> {
        let queue = self.nic.and_then(|nic| nic.queue);
        bits_per_second.map(|bits_per_second| Capacity { bits_per_second, queue }).or(self.nic)
    }

    /// What lies between two places. Between two zones without a line of their own, that of the two whose latency has
    /// the larger mean: the wire out of a far zone is long, whoever is at its other end, and a sum would count the
    /// stretch between twice.
    pub(crate) fn line_between(&self, from: Option<ZoneId>, to: Option<ZoneId>) -> &Line {
        if let (Some(from), Some(to)) = (from, to)
            && let Some(between) = self.between.iter().find(|between| between.joins(from, to))
        {
            return &between.line;
        }
        let zones = [from, to].into_iter().flatten().filter(|_| from != to);
        let lines = zones.map(|ZoneId(zone)| &self.zones[zone].line);
        lines.max_by_key(|line| line.latency.mean()).unwrap_or(&self.line)
    }
}

/// How much something carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Bits per second.
    pub bits_per_second: u64,
    /// How much may wait for that; without limit when `None`.
    pub queue: Option<Queue>,
}

/// How much may wait behind the packet that is being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// So many packets.
    Packets(u32),
    /// So many bytes, headers included.
    Bytes(u64),
}

/// What lies between two pods, one way.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// How long packets take, as a distribution over time.
    pub latency: Distribution,
    /// For how long the latency stays alike.
    pub steady_for: Duration,
    /// What each packet takes besides, drawn for itself.
    pub jitter: Option<Distribution>,
}

impl Line {
    /// A line of this latency and nothing else, which stays alike for as long as it does by default.
    pub fn new(latency: Distribution) -> Self {
        Self { steady_for: steady_for(&latency), latency, jitter: None }
    }
}

/// For how long a latency stays alike when nobody says: twice its mean, so that an exponential one falls by half of what
/// time passes, and a millisecond at least, which is what a queue in a data centre needs to drain. The longer, the
/// longer it takes until what is measured has the distribution's mean.
pub(crate) fn steady_for(latency: &Distribution) -> Duration {
    const TIMES: u32 = 2;
    const LEAST: Duration = Duration::from_millis(1);
    latency.mean().saturating_mul(TIMES).max(LEAST)
}

/// How TCP deals with congestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CongestionControl {
    /// RFC 9438, Linux's default.
    #[default]
    Cubic,
    /// RFC 5681.
    Reno,
    /// Version 1, as Linux has it: by rate and round trip, not by losses.
    Bbr,
}

/// A place whose wires to everywhere else are longer.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// What lies between a pod in the zone and any pod outside it.
    pub line: Line,
    /// What all that leaves the zone shares, and likewise all that enters it.
    pub access: Option<Capacity>,
}

/// What lies between two zones instead of the longer of their lines.
#[derive(Debug, Clone, PartialEq)]
pub struct BetweenZones {
    /// The two; not the same.
    pub zones: [ZoneId; 2],
    /// What lies between a pod in the one and a pod in the other.
    pub line: Line,
    /// What all that passes between them shares, each way.
    pub trunk: Option<Capacity>,
}

impl BetweenZones {
    /// Whether it lies between these two, in whichever order.
    pub(crate) fn joins(&self, one: ZoneId, other: ZoneId) -> bool {
        self.zones == [one, other] || self.zones == [other, one]
    }
}

/// Index into [`Network::zones`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub usize);
