//! Who takes part in the traffic, and how scenarios and reports name them.

use super::application::{Service, ServiceId};

/// How [`Party::Clients`] are named.
pub(crate) const CLIENT: &str = "client";

/// How [`Party::Gateway`] is named.
pub(crate) const GATEWAY: &str = "gateway";

/// Who opens connections, and to whom they are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// The clients in all zones.
    Clients,
    /// The gateway.
    Gateway,
    /// All pods of a service.
    Service(ServiceId),
}

impl Party {
    fn name(self, services: &[Service]) -> &str {
        match self {
            Self::Clients => CLIENT,
            Self::Gateway => GATEWAY,
            Self::Service(ServiceId(index)) => &services[index].name,
        }
    }
}

/// How records name the edge from one to the other, where these are the services: `order → payment`.
pub(crate) fn edge((from, to): (Party, Party), services: &[Service]) -> String {
    format!("{} → {}", from.name(services), to.name(services))
}
