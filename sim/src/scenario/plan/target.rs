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

/// Two sides of the network; a fault between them works in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// One side.
    pub a: Side,
    /// The other side; everything else when `None`.
    pub b: Option<Side>,
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
