//! What a proxy does to header fields between its two sides (RFC 9110, section 7.6): fields of one
//! hop are taken off, `Via` and `X-Forwarded-*` are added. All other fields pass as they are.

use std::fmt::Write;
use std::net::SocketAddr;

use http::header::{self, CONNECTION, EXPECT, HeaderName, TE, UPGRADE, VIA};
use http::{HeaderMap, HeaderValue, Method, Version};

use crate::message::Refusal;
use crate::telemetry::trace;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const MAX_FORWARDS: HeaderName = HeaderName::from_static("max-forwards");

/// Fields that concern one hop, whether or not `Connection` names them.
static HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-authentication-info"),
    HeaderName::from_static("http2-settings"),
    header::TRANSFER_ENCODING,
    UPGRADE,
];

/// Fields that `Connection` must not take off: without them it would be another message.
static PROTECTED: [HeaderName; 5] =
    [header::HOST, header::CONTENT_LENGTH, header::CONTENT_TYPE, trace::TRACEPARENT, trace::TRACESTATE];

/// Takes off the fields of one hop. `TE: trailers` stays, since what it asks for is end to end.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // Few messages have any: looking through the names that are there is cheaper than looking each one up.
    let of_this_hop: Vec<_> = headers.keys().filter(|name| HOP_BY_HOP.contains(name)).cloned().collect();
    if of_this_hop.contains(&CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
    for name in of_this_hop {
        headers.remove(name);
    }
    if headers.contains_key(TE) {
        let trailers = tokens(headers, &TE).any(|token| token.eq_ignore_ascii_case("trailers"));
        headers.remove(TE);
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
    }
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    tokens(headers, &CONNECTION)
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        .filter(|name| !PROTECTED.contains(name) && name != TE)
        .collect()
}

/// The comma-separated members of a field, over all its lines.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

/// Checks what the caller asks of this very hop, and takes note of it by taking it off.
pub(crate) fn settle_demands(headers: &mut HeaderMap) -> Result<(), Refusal> {
    // The offer to speak HTTP/2 may be ignored; other protocols would be missed.
    if tokens(headers, &UPGRADE).any(|protocol| !protocol.eq_ignore_ascii_case("h2c")) {
        return Err(Refusal::Upgrade);
    }
    // The server says 100 when the content is first asked for.
    match headers.remove(EXPECT) {
        Some(other) if !other.as_bytes().eq_ignore_ascii_case(b"100-continue") => Err(Refusal::Expectation),
        _ => Ok(()),
    }
}

/// Counts down `Max-Forwards` for the methods that it is for; whether this hop is the last.
pub(crate) fn is_last_hop(method: &Method, headers: &mut HeaderMap) -> bool {
    if *method != Method::TRACE && *method != Method::OPTIONS {
        return false;
    }
    let left = headers.get(MAX_FORWARDS).and_then(|value| value.to_str().ok());
    match left.and_then(|left| left.trim().parse::<u32>().ok()) {
        Some(0) => true,
        Some(left) => {
            headers.insert(MAX_FORWARDS, HeaderValue::from(left - 1));
            false
        }
        None => false,
    }
}

/// What a proxy adds to `Via`, for each version that a message may have come in.
pub(crate) struct Via {
    http10: HeaderValue,
    http11: HeaderValue,
    http2: HeaderValue,
}

impl Via {
    /// For a proxy that calls itself `pseudonym`.
    pub(crate) fn new(pseudonym: &'static str) -> Self {
        let value = |version| {
            let text = format!("{version} {pseudonym}");
            HeaderValue::try_from(text).expect("pseudonyms are tokens")
        };
        Self { http10: value("1.0"), http11: value("1.1"), http2: value("2") }
    }

    /// Adds the proxy to the `Via` of a message that came in `version`.
    pub(crate) fn add(&self, headers: &mut HeaderMap, version: Version) {
        let value = match version {
            Version::HTTP_10 => &self.http10,
            Version::HTTP_2 => &self.http2,
            _ => &self.http11,
        };
        headers.append(VIA, value.clone());
    }
}

/// Tells the upstream where the request came from. Earlier proxies' claims are kept in front.
pub(crate) fn add_forwarded(headers: &mut HeaderMap, peer: SocketAddr, scheme: &'static str) {
    let mut origins = String::new();
    for origin in tokens(headers, &FORWARDED_FOR) {
        origins.push_str(origin);
        origins.push_str(", ");
    }
    let written = write!(origins, "{}", peer.ip());
    if let (Ok(()), Ok(value)) = (written, HeaderValue::try_from(origins)) {
        headers.insert(FORWARDED_FOR, value);
    }
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn fields_of_one_hop_are_taken_off() {
        let mut map = headers(&[
            ("connection", "close, x-mine"),
            ("connection", "host, X-Yours"),
            ("host", "a"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "secret"),
            ("te", "gzip;q=0.5, trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-mine", "1"),
            ("x-yours", "1"),
            ("x-all", "1"),
        ]);
        strip_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("host", "a"), ("te", "trailers"), ("x-all", "1")]));
    }

    #[test]
    fn demands_are_settled_or_refused() {
        let settle = |fields| settle_demands(&mut headers(fields));
        assert_eq!(settle(&[("upgrade", "h2c"), ("expect", "100-Continue")]), Ok(()));
        assert_eq!(settle(&[("upgrade", "h2c, websocket")]), Err(Refusal::Upgrade));
        assert_eq!(settle(&[("expect", "a miracle")]), Err(Refusal::Expectation));
    }

    #[test]
    fn max_forwards_counts_down_for_trace_and_options() {
        let mut map = headers(&[("max-forwards", "1")]);
        assert!(!is_last_hop(&Method::GET, &mut map));
        assert!(!is_last_hop(&Method::TRACE, &mut map));
        assert!(is_last_hop(&Method::TRACE, &mut map));
    }

    #[test]
    fn origins_are_appended() {
        let mut map = headers(&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")]);
        add_forwarded(&mut map, "[::1]:5".parse().unwrap(), "http");
        Via::new("gateway").add(&mut map, Version::HTTP_2);
        let expected = [
            ("x-forwarded-for", "1.1.1.1, 2.2.2.2, ::1"),
            ("x-forwarded-proto", "http"),
            ("via", "2 gateway"),
        ];
        assert_eq!(map, headers(&expected));
    }
}
