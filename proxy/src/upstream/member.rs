//! A member of an upstream, as whoever has to do with it holds it: where it is, and its connections. It outlives its
//! membership as long as a request is under way there. What policies know of it is theirs, by its seat.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::fleet::{MemberId, MemberSpec};
use super::pool::{Connector, Pool, Together};
use super::settings::Limits;
use super::{ClientTls, Protocol, secured};
use crate::host::{Endpoint, Host};
use crate::tasks::Spawner;

/// A member.
pub(super) struct Member<H: Host> {
    pub(super) seat: Seat,
    pub(super) id: MemberId,
    pub(super) endpoint: Endpoint,
    /// Its endpoint, as telemetry calls it.
    pub(super) label: Arc<str>,
    pub(super) pool: Arc<Pool<H>>,
    /// Tells its health check that it has left.
    pub(super) left: Arc<Notify>,
}

/// Which member: where policies keep what they know of it, and a number that no other member has or had. Who comes late
/// with news of one that has left is told from the one that has its slot now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) slot: usize,
    pub(super) serial: u64,
}

/// What all members of an upstream have in common: how they are connected to.
pub(super) struct Template<H: Host> {
    pub(super) host: H,
    pub(super) spawner: Spawner<H>,
    pub(super) protocol: Protocol,
    pub(super) tls: Option<ClientTls>,
    pub(super) connect_timeout: Duration,
    pub(super) limits: Limits,
    /// What counts for the upstream as a whole, whoever its members are.
    pub(super) together: Option<Arc<Together>>,
}

impl<H: Host> Template<H> {
    /// The member that `spec` describes; it has no connection yet.
    pub(super) fn member(&self, seat: Seat, spec: &MemberSpec) -> Arc<Member<H>> {
        let connector = Connector {
            host: self.host.clone(),
            endpoint: spec.endpoint.clone(),
            protocol: self.protocol,
            tls: secured(self.tls.as_ref(), self.protocol),
            timeout: self.connect_timeout,
            keep_alive: self.limits.keep_alive,
        };
        Arc::new(Member {
            seat,
            id: spec.id.clone(),
            endpoint: spec.endpoint.clone(),
            label: spec.endpoint.to_string().into(),
            pool: Pool::new(connector, self.spawner.clone(), self.limits, self.together.clone()),
            left: Arc::default(),
        })
    }
}
