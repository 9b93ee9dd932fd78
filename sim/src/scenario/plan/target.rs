//! What a fault is aimed at. Not here: what it does there ([`crate::fault`]).

use super::application::ServiceId;

/// Pods of a service, or of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Whose.
    pub workload: Workload,
    /// One of its pods; all when `None`.
    pub replica: Option<u32>,
}

/// What has pods that faults may be aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// The gateway.
    Gateway,
    /// A service.
    Service(ServiceId),
}

impl Target {
    /// All pods of the gateway.
    pub(crate) const GATEWAY: Self = Self { workload: Workload::Gateway, replica: None };

    /// Pods of a service.
    pub(crate) fn of_service(service: ServiceId, replica: Option<u32>) -> Self {
        Self { workload: Workload::Service(service), replica }
    }

    /// The service, where they are a service's.
    pub(crate) fn service(self) -> Option<ServiceId> {
        match self.workload {
            Workload::Gateway => None,
            Workload::Service(service) => Some(service),
        }
    }
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
    /// Pods of a service, or of the gateway.
    Pods(Target),
    /// Whoever sends load.
    Clients,
}
