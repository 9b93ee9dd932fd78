//! What a fault is aimed at. Not here: what it does there ([`crate::fault`]).

use super::application::ServiceId;

/// Pods of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The service.
    pub service: ServiceId,
    /// One of its pods; all when `None`.
    pub replica: Option<u32>,
}

/// Two sides of the network, between which a fault works.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Between {
    /// One side.
    pub a: Side,
    /// The other side; everything else when `None`.
    pub b: Option<Side>,
    /// Which way.
    pub ways: Ways,
    /// The share of the connections between them that it is about, drawn for each; above 0, at most 1.
    pub connections: f64,
}

/// In which directions a fault of the network works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ways {
    /// Both.
    Both,
    /// From the one side to the other; what comes back passes.
    Forth,
}

/// One side of a fault in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Pods of a service.
    Pods(Target),
    /// Whoever sends load.
    Clients,
    /// The gateway.
    Gateway,
}
