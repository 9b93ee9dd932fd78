//! The wires of a plan. Not here: how packets cross them ([`crate::world`]).

use std::time::Duration;

use crate::distribution::Distribution;

/// The wires between pods.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// What lies between two pods of no zone or of the same zone.
    pub line: Line,
    /// Bits per second of each direction of each pod-to-pod link; `None` when unlimited.
    pub bandwidth: Option<u64>,
    /// Zones; a [`ZoneId`] is an index into them.
    pub zones: Vec<Zone>,
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

/// For how long a latency stays alike when nobody says: four times its mean, so that an exponential one falls by a
/// quarter of what time passes, and a millisecond at least, which is what a queue in a data centre needs to drain.
pub(crate) fn steady_for(latency: &Distribution) -> Duration {
    const TIMES: u32 = 4;
    const LEAST: Duration = Duration::from_millis(1);
    latency.mean().saturating_mul(TIMES).max(LEAST)
}

/// A place whose wires to everywhere else are longer.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// What lies between a pod in the zone and any pod outside it.
    pub line: Line,
}

/// Index into [`Network::zones`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub usize);
