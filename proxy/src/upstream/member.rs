//! A member of an upstream, as whoever has to do with it holds it: where it is, and its connections. It outlives its
//! membership as long as a request is under way there. What policies know of it is theirs, by its seat.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::fleet::{MemberId, MemberSpec};
use super::pool::{Connector, Pool, Site, Together};
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
    /// Its connections, by the worker who has them.
    pools: Vec<Arc<Pool<H>>>,
    /// What its pools have in common.
    pub(super) site: Arc<Site>,
    /// Tells its health check that it has left.
    pub(super) left: Arc<Notify>,
}

impl<H: Host> Member<H> {
    /// The connections of the worker that has the caller's connection, which is the one of this number.
    pub(super) fn pool(&self, caller: u64) -> &Arc<Pool<H>> {
        match &*self.pools {
            [only] => only,
            pools => &pools[usize::try_from(caller % pools.len() as u64).unwrap_or_default()],
        }
    }

    /// See [`Pool::close`].
    pub(super) fn close(&self) {
        self.pools.iter().for_each(|pool| pool.close());
    }
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
        let connector = || Connector {
            host: self.host.clone(),
            endpoint: spec.endpoint.clone(),
            protocol: self.protocol,
            tls: secured(self.tls.as_ref(), self.protocol),
            timeout: self.connect_timeout,
            keep_alive: self.limits.keep_alive,
        };
        let site = Site::new(&self.limits, self.protocol);
        let pool = || {
            let (site, together) = (Arc::clone(&site), self.together.clone());
            Pool::new(connector(), self.spawner.clone(), self.limits, site, together)
        };
        Arc::new(Member {
            seat,
            id: spec.id.clone(),
            endpoint: spec.endpoint.clone(),
            label: spec.endpoint.to_string().into(),
            pools: (0..self.limits.workers.max(1)).map(|_| pool()).collect(),
            site,
            left: Arc::default(),
        })
    }
}
