//! The wires of a plan. Not here: how packets cross them ([`crate::world`]).

use crate::distribution::Distribution;

/// The wires between pods.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// One-way latency between two pods of no zone or of the same zone.
    pub latency: Distribution,
    /// Bits per second of each direction of each pod-to-pod link; `None` when unlimited.
    pub bandwidth: Option<u64>,
    /// How the ends of connections deal with congestion.
    pub congestion: CongestionControl,
    /// Zones; a [`ZoneId`] is an index into them.
    pub zones: Vec<Zone>,
}

/// How TCP deals with congestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CongestionControl {
    /// RFC 9438, Linux's default.
    #[default]
    Cubic,
    /// RFC 5681.
    Reno,
}

/// A place whose wires to everywhere else are longer.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// One-way latency between a pod in the zone and any pod outside it.
    pub latency: Distribution,
}

/// Index into [`Network::zones`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub usize);
