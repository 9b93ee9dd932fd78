//! Which service a request is meant for, told from its authority, as an app writes it; else from where
//! its connection was going before it was redirected to the sidecar. Sync, and knows no connection.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use hoplab_proxy::host::Endpoint;
use http::HeaderMap;
use http::header::HOST;
use http::uri::Authority;
use indexmap::IndexMap;

/// What may follow a service's name: Kubernetes' search domains.
const SUFFIXES: [&str; 4] = ["", ".default", ".default.svc", ".default.svc.cluster.local"];

/// Services by what apps call them.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    names: IndexMap<String, usize>,
    addresses: BTreeMap<IpAddr, Vec<usize>>,
    port: u16,
}

impl Directory {
    /// A directory for a sidecar that listens on `port`. Services are numbered in their order.
    pub(super) fn new<'a>(port: u16, services: impl Iterator<Item = (&'a str, &'a [Endpoint])>) -> Self {
        let mut directory = Self { names: IndexMap::new(), addresses: BTreeMap::new(), port };
        for (number, (name, endpoints)) in services.enumerate() {
            for suffix in SUFFIXES {
                directory.names.insert(format!("{name}{suffix}"), number);
            }
            for address in endpoints.iter().filter_map(|endpoint| endpoint.host.parse().ok()) {
                let users: &mut Vec<usize> = directory.addresses.entry(address).or_default();
                if users.last() != Some(&number) {
                    users.push(number);
                }
            }
        }
        directory
    }

    /// The service that a request with `headers` is meant for, which came over a connection to
    /// `destination`.
    ///
    /// The name wins. An app that calls pods by their addresses is understood when its connection
    /// was redirected here, and the address is that of one service alone; the balance still decides
    /// which of the service's pods is asked.
    pub(super) fn find(&self, headers: &HeaderMap, destination: SocketAddr) -> Option<usize> {
        self.by_name(headers).or_else(|| self.by_address(destination))
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

    fn by_address(&self, destination: SocketAddr) -> Option<usize> {
        let redirected = destination.port() != self.port;
        match self.addresses.get(&destination.ip())?.as_slice() {
            [service] if redirected => Some(*service),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(host: &str, destination: &str) -> Option<usize> {
        let endpoints =
            |hosts: &[&str]| hosts.iter().map(|host| Endpoint::new(*host, 15006)).collect::<Vec<_>>();
        let services = [
            ("payment", endpoints(&["10.0.0.1", "10.0.0.2", "10.0.0.9"])),
            ("cart", endpoints(&["cart-0", "10.0.0.9", "10.0.0.3", "10.0.0.3"])),
        ];
        let services = services.iter().map(|(name, endpoints)| (*name, endpoints.as_slice()));
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(HOST, host.parse().unwrap());
        }
        Directory::new(15001, services).find(&headers, destination.parse().unwrap())
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
