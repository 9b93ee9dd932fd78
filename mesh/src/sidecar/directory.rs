//! Which service a request is meant for, told from its authority, as an app writes it; else from where
//! its connection was going before it was redirected to the sidecar. Sync, and knows no connection.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use hoplab_proxy::host::Endpoint;
use http::HeaderMap;
use http::header::HOST;
use http::uri::Authority;
use indexmap::IndexMap;

/// What may follow a service's name: Kubernetes' search domains.
const SUFFIXES: [&str; 4] = ["", ".default", ".default.svc", ".default.svc.cluster.local"];

/// Services by what apps call them.
#[derive(Debug)]
pub(super) struct Directory {
    names: IndexMap<String, usize>,
    /// As of when they were last looked up.
    addresses: Mutex<Addresses>,
    port: u16,
}

/// Services by the addresses of their pods.
#[derive(Debug, Default)]
struct Addresses {
    services: BTreeMap<IpAddr, Vec<usize>>,
    /// How often each service's pods had changed; `None` when nobody has looked yet.
    as_of: Option<Vec<u64>>,
}

/// The services' pods as they are now; a service's number is its place among the names.
pub(super) trait Pods {
    /// How often those of this service have changed.
    fn changes(&self, service: usize) -> u64;
    /// Where they listen.
    fn endpoints(&self, service: usize) -> Vec<Endpoint>;
}

impl Directory {
    /// A directory for a sidecar that listens on `port`. Services are numbered in their order.
    pub(super) fn new<'a>(port: u16, services: impl Iterator<Item = &'a str>) -> Self {
        let mut names = IndexMap::new();
        for (number, name) in services.enumerate() {
            for suffix in SUFFIXES {
                names.insert(format!("{name}{suffix}"), number);
            }
        }
        Self { names, addresses: Mutex::default(), port }
    }

    /// Where the sidecar listens.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The service that a request with `headers` is meant for, which came over a connection to
    /// `destination`.
    ///
    /// The name wins. An app that calls pods by their addresses is understood when its connection
    /// was redirected here, and the address is that of one service alone; the balance still decides
    /// which of the service's pods is asked.
    pub(super) fn find(
        &self,
        headers: &HeaderMap,
        destination: SocketAddr,
        pods: &impl Pods,
    ) -> Option<usize> {
        self.by_name(headers).or_else(|| self.by_address(destination, pods))
    }

    fn by_name(&self, headers: &HeaderMap) -> Option<usize> {
        let authority = Authority::try_from(headers.get(HOST)?.as_bytes()).ok()?;
        let host = authority.host();
        let host = host.strip_suffix('.').unwrap_or(host);
        match self.names.get(host) {
            Some(number) => Some(*number),
            None => self.names.get(&host.to_ascii_lowercase()).copied(),
        }
    }

    fn by_address(&self, destination: SocketAddr, pods: &impl Pods) -> Option<usize> {
        if destination.port() == self.port {
            // It was not redirected.
            return None;
        }
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.follow(self.names.len() / SUFFIXES.len(), pods);
        match addresses.services.get(&destination.ip())?.as_slice() {
            [service] => Some(*service),
            _ => None,
        }
    }
}

impl Addresses {
    /// Learns which pods the services have now, if that has changed.
    fn follow(&mut self, count: usize, pods: &impl Pods) {
        let is_new = |(service, as_of): (usize, &u64)| pods.changes(service) != *as_of;
        if self.as_of.as_ref().is_some_and(|as_of| !as_of.iter().enumerate().any(is_new)) {
            return;
        }
        // Counted first: who changes meanwhile is asked again.
        self.as_of = Some((0..count).map(|service| pods.changes(service)).collect());
        self.services.clear();
        for service in 0..count {
            let endpoints = pods.endpoints(service);
            for address in endpoints.iter().filter_map(|endpoint| endpoint.host.parse().ok()) {
                let users: &mut Vec<usize> = self.services.entry(address).or_default();
                if users.last() != Some(&service) {
                    users.push(service);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pods of two services, and how often they have changed.
    struct Fixed(u64, [Vec<&'static str>; 2]);

    impl Pods for Fixed {
        fn changes(&self, _: usize) -> u64 {
            self.0
        }

        fn endpoints(&self, service: usize) -> Vec<Endpoint> {
            self.1[service].iter().map(|host| Endpoint::new(*host, 15006)).collect()
        }
    }

    fn pods() -> Fixed {
        Fixed(
            0,
            [vec!["10.0.0.1", "10.0.0.2", "10.0.0.9"], vec!["cart-0", "10.0.0.9", "10.0.0.3", "10.0.0.3"]],
        )
    }

    fn directory() -> Directory {
        Directory::new(15001, ["payment", "cart"].into_iter())
    }

    fn find(host: &str, destination: &str) -> Option<usize> {
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(HOST, host.parse().unwrap());
        }
        directory().find(&headers, destination.parse().unwrap(), &pods())
    }

    #[test]
    fn addresses_follow_the_pods() {
        let (directory, mut pods) = (directory(), pods());
        let find = |pods: &Fixed, destination: &str| {
            directory.find(&HeaderMap::new(), destination.parse().unwrap(), pods)
        };
        assert_eq!(find(&pods, "10.0.0.2:80"), Some(0));
        pods.1 = [vec!["10.0.0.1"], vec!["10.0.0.2", "10.0.0.9"]];
        assert_eq!(find(&pods, "10.0.0.2:80"), Some(0), "nobody has said that they have changed");
        pods.0 = 1;
        assert_eq!(find(&pods, "10.0.0.2:80"), Some(1));
        assert_eq!(find(&pods, "10.0.0.9:80"), Some(1), "it is another's no more");
        assert_eq!(find(&pods, "10.0.0.3:80"), None);
    }

    #[test]
    fn services_are_known_by_their_names() {
        let here = "127.0.0.1:15001";
        for host in [
            "payment",
            "payment:8080",
            "Payment",
            "payment.",
            "payment.default",
            "payment.default.svc:80",
            "payment.default.svc.cluster.local",
        ] {
            assert_eq!(find(host, here), Some(0), "{host}");
        }
        assert_eq!(find("cart", here), Some(1));
        for host in ["", "carts", "cart.elsewhere", "cart/..", "payment cart", "default", "[::1]:80"] {
            assert_eq!(find(host, here), None, "{host}");
        }
    }

    #[test]
    fn addresses_count_when_the_connection_was_redirected() {
        assert_eq!(find("10.0.0.2:8080", "10.0.0.2:8080"), Some(0));
        assert_eq!(find("", "10.0.0.3:8080"), Some(1), "an address may stand twice in one service");
        assert_eq!(find("cart", "10.0.0.2:8080"), Some(1), "the name wins");
        assert_eq!(find("", "10.0.0.9:8080"), None, "two services have it");
        assert_eq!(find("", "10.0.0.2:15001"), None, "it was not redirected");
        assert_eq!(find("", "10.0.0.4:8080"), None);
    }
}
