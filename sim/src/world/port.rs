//! Ports that are listened on, and under which number the kernel knows them.
//!
//! A kernel will not bind a port again while connections of a listener that is gone are still being
//! closed, which takes as long as a partition when their peers stand behind one. A pod that restarts
//! then listens on another port of its kernel, and whoever connects is led there. Whoever connects
//! within the pod finds the listener here.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use super::PodId;
use super::loopback::Backlog;

/// Where stand-ins are taken from: below the ephemeral ports, above what services listen on.
const FIRST_STAND_IN: u16 = 32_768;
const LAST_STAND_IN: u16 = 49_151;

/// The ports that pods listen on.
#[derive(Default)]
pub(super) struct Ports {
    bound: BTreeMap<(PodId, u16, IpAddr), Bound>,
    stand_ins: u16,
    ephemeral: u16,
}

/// A port that is listened on.
struct Bound {
    /// What the kernel calls it.
    port: u16,
    /// Who connects within the pod.
    backlog: Arc<Mutex<Backlog>>,
}

impl Ports {
    /// Whether a listener holds `address`, or one that overlaps it.
    pub(super) fn is_taken(&self, pod: PodId, address: SocketAddr) -> bool {
        let overlaps =
            |ip: &IpAddr| *ip == address.ip() || ip.is_unspecified() || address.ip().is_unspecified();
        self.bound.keys().any(|(by, port, ip)| *by == pod && *port == address.port() && overlaps(ip))
    }

    /// The next port that may stand in for one that the kernel refuses.
    pub(super) fn next_stand_in(&mut self) -> u16 {
        let count = LAST_STAND_IN - FIRST_STAND_IN + 1;
        self.stand_ins = (self.stand_ins + 1) % count;
        FIRST_STAND_IN + self.stand_ins
    }

    /// A port for somebody who connects within a pod.
    pub(super) fn next_ephemeral(&mut self) -> u16 {
        self.ephemeral = (self.ephemeral + 1) % (u16::MAX - LAST_STAND_IN);
        LAST_STAND_IN + 1 + self.ephemeral
    }

    /// `address` is listened on; the kernel knows it by `port`. Who connects within the pod is in what
    /// this returns.
    pub(super) fn bind(&mut self, pod: PodId, address: SocketAddr, port: u16) -> Arc<Mutex<Backlog>> {
        let backlog = Arc::<Mutex<Backlog>>::default();
        let bound = Bound { port, backlog: Arc::clone(&backlog) };
        self.bound.insert((pod, address.port(), address.ip()), bound);
        backlog
    }

    /// `address` is no longer listened on.
    pub(super) fn unbind(&mut self, pod: PodId, address: SocketAddr) {
        self.bound.remove(&(pod, address.port(), address.ip()));
    }

    /// Where the kernel of `pod` expects connections to `address`.
    pub(super) fn lead(&self, pod: PodId, address: SocketAddr) -> SocketAddr {
        let port = self.find(pod, address).map_or(address.port(), |bound| bound.port);
        SocketAddr::new(address.ip(), port)
    }

    /// Who listens on `address` of `pod`.
    pub(super) fn backlog(&self, pod: PodId, address: SocketAddr) -> Option<Arc<Mutex<Backlog>>> {
        self.find(pod, address).map(|bound| Arc::clone(&bound.backlog))
    }

    fn find(&self, pod: PodId, address: SocketAddr) -> Option<&Bound> {
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let bound = |ip| self.bound.get(&(pod, address.port(), ip));
        bound(address.ip()).or_else(|| bound(any))
    }
}
