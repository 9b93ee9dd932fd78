//! Ports that are listened on, and under which number the kernel knows them.
//!
//! A kernel will not bind a port again while connections of a listener that is gone are still being
//! closed, which takes as long as a partition when their peers stand behind one. A pod that restarts
//! then listens on another port of its kernel, and whoever connects is led there.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::PodId;

/// Where stand-ins are taken from: below the ephemeral ports, above what services listen on.
const FIRST_STAND_IN: u16 = 32_768;
const LAST_STAND_IN: u16 = 49_151;

/// The ports that pods listen on.
#[derive(Debug, Default)]
pub(super) struct Ports {
    /// By pod, port and address: the kernel's port.
    bound: BTreeMap<(PodId, u16, IpAddr), u16>,
    stand_ins: u16,
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

    /// `address` is listened on; the kernel knows it by `port`.
    pub(super) fn bind(&mut self, pod: PodId, address: SocketAddr, port: u16) {
        self.bound.insert((pod, address.port(), address.ip()), port);
    }

    /// `address` is no longer listened on.
    pub(super) fn unbind(&mut self, pod: PodId, address: SocketAddr) {
        self.bound.remove(&(pod, address.port(), address.ip()));
    }

    /// Where the kernel of `pod` expects connections to `address`.
    pub(super) fn lead(&self, pod: PodId, address: SocketAddr) -> SocketAddr {
        let any: IpAddr = match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let bound = |ip| self.bound.get(&(pod, address.port(), ip));
        let port = bound(address.ip()).or_else(|| bound(any)).copied().unwrap_or(address.port());
        SocketAddr::new(address.ip(), port)
    }
}
