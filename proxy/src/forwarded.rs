//! What a request says of where it comes from and who vouched for it: `X-Forwarded-*` (`X-Forwarded-Client-Cert` among
//! them), `Forwarded` (RFC 7239), `X-Real-IP`, and what Envoy and hoplab tell each other. From a hop that is trusted it
//! is passed on, with this hop added; from all others it is replaced by what is known here, or taken off.
//! Who is trusted is said in [`crate::trust`]. A sidecar has no [`Edge`]: it passes these fields as they are.

use std::net::IpAddr;

use http::header::{FORWARDED, HOST, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::headers::{FORWARDED_FOR, FORWARDED_PROTO, put};
use crate::server::Connection;
use crate::trust::{Origin, Trusted};
use crate::upstream::ATTEMPT_COUNT;

const FORWARDED_HOST: &str = "x-forwarded-host";
const FORWARDED_PORT: &str = "x-forwarded-port";
const REAL_IP: &str = "x-real-ip";

/// Fields that every request is given.
static GIVEN: [HeaderName; 2] = [FORWARDED_FOR, FORWARDED_PROTO];

/// The edge, where requests come in that nobody has vouched for.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    /// Who is believed.
    pub trusted: Trusted,
    /// Fields that are believed from everybody, since a policy says so.
    pub believed: Vec<HeaderName>,
}

impl Edge {
    /// Puts what is known in the place of what is claimed; says who the client is.
    pub(crate) fn settle(&self, headers: &mut HeaderMap, connection: &Connection) -> IpAddr {
        let origin = self.trusted.origin(connection.peer.ip(), headers);
        let scheme = if connection.secure { "https" } else { "http" };
        // Few requests have any but those that every request is given.
        let is_claim = |name: &&HeaderName| !GIVEN.contains(name) && is_claim(name.as_str());
        let claims: Vec<_> = headers.keys().filter(is_claim).cloned().collect();
        for claim in claims.into_iter().filter(|claim| !self.believed.contains(claim)) {
            settle_claim(claim, headers, origin, scheme);
        }
        let peer = connection.peer_text();
        let hops = if origin.is_trusted {
            joined(headers, &FORWARDED_FOR, peer.as_bytes())
        } else {
            Some(peer.clone())
        };
        if let Some(hops) = hops {
            put(headers, FORWARDED_FOR, hops);
        }
        if !(origin.is_trusted && has_scheme(headers)) {
            put(headers, FORWARDED_PROTO, HeaderValue::from_static(scheme));
        }
        origin.client
    }
}

/// Whether a field of this name is for proxies to write. Services that read fields as variables do not tell `_` from
/// `-`.
fn is_claim(name: &str) -> bool {
    const FAMILIES: [&str; 2] = ["x-forwarded-", "x-envoy-"];
    const NAMES: [&str; 3] = ["forwarded", "x-forwarded", REAL_IP];
    if !name.starts_with(['x', 'f']) {
        return false;
    }
    FAMILIES.iter().any(|family| name.get(..family.len()).is_some_and(|start| is_spelt(start, family)))
        || NAMES.iter().any(|known| is_spelt(name, known))
        // How often something was attempted behind the edge is not for clients to say.
        || is_spelt(name, ATTEMPT_COUNT.as_str())
}

fn is_spelt(name: &str, known: &str) -> bool {
    let same = |(byte, known): (u8, u8)| byte == known || (byte == b'_' && known == b'-');
    name.len() == known.len() && name.bytes().zip(known.bytes()).all(same)
}

/// What becomes of the field `claim`, which is none of those that every request is given.
fn settle_claim(claim: HeaderName, headers: &mut HeaderMap, origin: Origin, scheme: &'static str) {
    let Origin { peer, is_trusted, client } = origin;
    let known = match claim.as_str() {
        "forwarded" => {
            let element = element(peer, headers.get(HOST), scheme);
            if is_trusted { joined(headers, &FORWARDED, element.as_bytes()) } else { value(element) }
        }
        // A trusted hop's word is as good as the address that was found, where none was.
        REAL_IP if !is_trusted || client != peer => value(client.to_string()),
        // The spelling of who wants to be overlooked.
        other if is_trusted && !other.contains('_') => return,
        FORWARDED_HOST => headers.get(HOST).cloned(),
        FORWARDED_PORT => Some(port(headers.get(HOST), scheme)),
        _ => None,
    };
    match known {
        Some(known) => drop(headers.insert(claim, known)),
        None => drop(headers.remove(claim)),
    }
}

/// Whether a trusted hop has told one scheme, and one that there is.
fn has_scheme(headers: &HeaderMap) -> bool {
    const SCHEMES: [&[u8]; 4] = [b"http", b"https", b"ws", b"wss"];
    let mut lines = headers.get_all(FORWARDED_PROTO).iter();
    let (scheme, second) = (lines.next(), lines.next());
    let is_known = |scheme: &HeaderValue| {
        SCHEMES.iter().any(|known| scheme.as_bytes().trim_ascii().eq_ignore_ascii_case(known))
    };
    second.is_none() && scheme.is_some_and(is_known)
}

/// What this hop knows, as RFC 7239 writes it.
fn element(peer: IpAddr, host: Option<&HeaderValue>, scheme: &str) -> String {
    let node = match peer {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    match host.and_then(|host| host.to_str().ok()) {
        Some(host) => format!("for={node};host=\"{host}\";proto={scheme}"),
        None => format!("for={node};proto={scheme}"),
    }
}

/// The port that the client asked for.
fn port(host: Option<&HeaderValue>, scheme: &str) -> HeaderValue {
    let host = host.map_or(&b""[..], HeaderValue::as_bytes);
    let port = host.rsplit(|byte| *byte == b':').next().filter(|port| port.len() < host.len());
    let port = port.filter(|port| !port.is_empty() && port.iter().all(u8::is_ascii_digit));
    let usual = || HeaderValue::from_static(if scheme == "https" { "443" } else { "80" });
    port.and_then(|port| HeaderValue::from_bytes(port).ok()).unwrap_or_else(usual)
}

/// All lines of a field as one, byte by byte, and `own` after them.
fn joined(headers: &HeaderMap, name: &HeaderName, own: &[u8]) -> Option<HeaderValue> {
    let mut all = Vec::new();
    for line in headers.get_all(name) {
        let line = line.as_bytes().trim_ascii();
        if !line.is_empty() {
            all.extend_from_slice(line);
            all.extend_from_slice(b", ");
        }
    }
    all.extend_from_slice(own);
    HeaderValue::from_maybe_shared(bytes::Bytes::from(all)).ok()
}

fn value(text: String) -> Option<HeaderValue> {
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMED: [(&str, &[u8]); 13] = [
        ("host", b"shop.example.com:8443"),
        ("x-forwarded-for", b"6.6.6.6, 192.0.2.7\xff"),
        ("x-forwarded-for", b"192.0.2.7"),
        ("x-forwarded-proto", b"https"),
        ("x-forwarded-host", b"other.example.com"),
        ("x-forwarded-port", b"444"),
        ("x-forwarded-prefix", b"/evil"),
        ("x_forwarded-host", b"evil"),
        ("forwarded", b"for=192.0.2.7;by=\"a, b\""),
        ("x-real-ip", b"6.6.6.6"),
        ("x-envoy-internal", b"true"),
        ("x-attempt-count", b"9"),
        ("x-mine", b"1"),
    ];

    fn headers(fields: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn settled(trusted: Trusted, fields: &[(&'static str, &[u8])]) -> (HeaderMap, String) {
        let mut headers = headers(fields);
        let peer = "10.0.0.1:5000".parse().unwrap();
        let connection = Connection::new(peer, peer);
        let edge = Edge { trusted, believed: vec![HeaderName::from_static("x-envoy-believed")] };
        let client = edge.settle(&mut headers, &connection);
        (headers, client.to_string())
    }

    #[test]
    fn claims_of_a_stranger_are_replaced_by_what_is_known() {
        let (map, client) = settled(Trusted::Nobody, &CLAIMED);
        let known: [(_, &[u8]); 8] = [
            ("host", b"shop.example.com:8443"),
            ("x-forwarded-for", b"10.0.0.1"),
            ("x-forwarded-proto", b"http"),
            ("x-forwarded-host", b"shop.example.com:8443"),
            ("x-forwarded-port", b"8443"),
            ("forwarded", b"for=10.0.0.1;host=\"shop.example.com:8443\";proto=http"),
            ("x-real-ip", b"10.0.0.1"),
            ("x-mine", b"1"),
        ];
        assert_eq!((map, client.as_str()), (headers(&known), "10.0.0.1"));
    }

    #[test]
    fn claims_of_a_trusted_hop_are_passed_on() {
        let (map, client) = settled(Trusted::Blocks(vec!["10.0.0.0/8".parse().unwrap()]), &CLAIMED);
        let passed: [(_, &[u8]); 11] = [
            ("host", b"shop.example.com:8443"),
            ("x-forwarded-for", b"6.6.6.6, 192.0.2.7\xff, 192.0.2.7, 10.0.0.1"),
            ("x-forwarded-proto", b"https"),
            ("x-forwarded-host", b"other.example.com"),
            ("x-forwarded-port", b"444"),
            ("x-forwarded-prefix", b"/evil"),
            (
                "forwarded",
                b"for=192.0.2.7;by=\"a, b\", for=10.0.0.1;host=\"shop.example.com:8443\";proto=http",
            ),
            ("x-real-ip", b"192.0.2.7"),
            ("x-envoy-internal", b"true"),
            ("x-attempt-count", b"9"),
            ("x-mine", b"1"),
        ];
        assert_eq!((map, client.as_str()), (headers(&passed), "192.0.2.7"));
    }

    #[test]
    fn what_nobody_claimed_is_not_told_but_for_address_and_scheme() {
        for trusted in [Trusted::Nobody, Trusted::Hops(1)] {
            let (map, client) = settled(trusted, &[("host", b"a"), ("x-envoy-believed", b"1")]);
            let told: [(_, &[u8]); 4] = [
                ("host", b"a"),
                ("x-envoy-believed", b"1"),
                ("x-forwarded-for", b"10.0.0.1"),
                ("x-forwarded-proto", b"http"),
            ];
            assert_eq!((map, client.as_str()), (headers(&told), "10.0.0.1"));
        }
    }

    #[test]
    fn a_scheme_is_believed_when_it_is_one() {
        for (lines, scheme) in [
            (&[&b"https"[..]][..], "https"),
            (&[b"HTTPS "], "HTTPS "),
            (&[b"wss"], "wss"),
            (&[b"https, http"], "http"),
            (&[b"https", b"https"], "http"),
            (&[b"gopher"], "http"),
            (&[b"\xff"], "http"),
            (&[b""], "http"),
        ] {
            let fields: Vec<_> = lines.iter().map(|line| ("x-forwarded-proto", *line)).collect();
            let (map, _) = settled(Trusted::Hops(1), &fields);
            let all: Vec<_> = map.get_all(FORWARDED_PROTO).iter().collect();
            assert_eq!(all, [scheme], "{lines:?}");
        }
    }

    #[test]
    fn ports_are_those_of_hosts() {
        for (host, scheme, expected) in [
            ("a", "http", "80"),
            ("a:8080", "http", "8080"),
            ("a:", "https", "443"),
            ("[::1]", "https", "443"),
            ("[::1]:81", "http", "81"),
        ] {
            assert_eq!(port(Some(&HeaderValue::from_static(host)), scheme), expected, "{host}");
        }
        let element = element("::1".parse().unwrap(), None, "https");
        assert_eq!(element, "for=\"[::1]\";proto=https");
    }
}
