//! Ports: who listens on which, and which a pod may connect from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use super::PodId;
use super::backlog::Backlog;
use super::process::Process;

/// The first of the ports that are given to whoever connects (RFC 6335, 6).
const FIRST_EPHEMERAL: u16 = 49_152;
/// How many there are.
const EPHEMERAL: u16 = u16::MAX - FIRST_EPHEMERAL + 1;

/// The ports that pods listen on.
#[derive(Default)]
pub(super) struct Ports {
    bound: BTreeMap<(PodId, u16, IpAddr), Arc<Mutex<Backlog>>>,
    /// Of connections within pods.
    within: u16,
}

impl Ports {
    /// Whether a listener holds `address`, or one that overlaps it.
    pub(super) fn is_taken(&self, pod: PodId, address: SocketAddr) -> bool {
        let overlaps =
            |ip: &IpAddr| *ip == address.ip() || ip.is_unspecified() || address.ip().is_unspecified();
        self.bound.keys().any(|(by, port, ip)| *by == pod && *port == address.port() && overlaps(ip))
    }

    /// Whether any listener of a pod has a port.
    pub(super) fn is_listened_on(&self, pod: PodId, port: u16) -> bool {
        let first = (pod, port, IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        self.bound.range(first..).next().is_some_and(|((by, bound, _), _)| (*by, *bound) == (pod, port))
    }

    /// A port for somebody who connects within a pod.
    pub(super) fn next_within(&mut self) -> u16 {
        self.within = (self.within + 1) % EPHEMERAL;
        FIRST_EPHEMERAL + self.within
    }

    /// `process` listens on `address` from now on; returns its backlog.
    pub(super) fn bind(
        &mut self,
        pod: PodId,
        address: SocketAddr,
        process: &Arc<Process>,
    ) -> Arc<Mutex<Backlog>> {
        let backlog = Arc::new(Mutex::new(Backlog::of(process)));
        self.bound.insert((pod, address.port(), address.ip()), Arc::clone(&backlog));
        backlog
    }

    /// `address` is no longer listened on; returns its backlog.
    pub(super) fn unbind(&mut self, pod: PodId, address: SocketAddr) -> Option<Arc<Mutex<Backlog>>> {
        self.bound.remove(&(pod, address.port(), address.ip()))
    }

    /// Who listens on `address` of `pod`.
    pub(super) fn backlog(&self, pod: PodId, address: SocketAddr) -> Option<Arc<Mutex<Backlog>>> {
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let bound = |ip| self.bound.get(&(pod, address.port(), ip));
        bound(address.ip()).or_else(|| bound(any)).map(Arc::clone)
    }
}

/// The ports that a pod connects from.
#[derive(Default)]
pub(super) struct Ephemeral {
    used: BTreeSet<u16>,
    /// Where the search goes on.
    next: u16,
}

impl Ephemeral {
    /// The next free port that is not `listened` on; `None` when all are used.
    pub(super) fn take(&mut self, listened: impl Fn(u16) -> bool) -> Option<u16> {
        if self.used.len() == usize::from(EPHEMERAL) {
            return None;
        }
        for _ in 0..EPHEMERAL {
            let port = FIRST_EPHEMERAL + self.next;
            self.next = (self.next + 1) % EPHEMERAL;
            if !listened(port) && self.used.insert(port) {
                return Some(port);
            }
        }
        None
    }

    /// A port is free again.
    pub(super) fn give_back(&mut self, port: u16) {
        self.used.remove(&port);
    }
}
