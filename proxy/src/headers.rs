//! What a proxy does to header fields between its two sides (RFC 9110, section 7.6): fields of one
//! hop are taken off, `Via` is added. All other fields pass as they are. Lists are read member by member over all their
//! lines, as bytes: what is odd in one member hides no other. What is said of the client is [`crate::forwarded`]'s.

use std::borrow::Cow;

use http::header::{CONNECTION, EXPECT, HeaderName, TE, VIA};
use http::{HeaderMap, HeaderValue, Method, Version};

use crate::message::Refusal;

pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const MAX_FORWARDS: HeaderName = HeaderName::from_static("max-forwards");

/// Whether a field concerns one hop, whether or not `Connection` names it. By text: the compiler looks at the length
/// first, which tells most fields apart.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-authentication-info"
            | "http2-settings"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Fields that are for all who pass a message on and for its recipient, so that `Connection` cannot take them off (RFC
/// 9110, 7.6.1, forbids to name them): without them it would be another message, one of another sender, or one whose
/// protection is gone. Families of them, by how their names begin, and single ones.
static END_TO_END_FAMILIES: [&str; 10] = [
    "accept",
    "access-control-",
    "content-",
    "grpc-",
    "if-",
    "sec-",
    "x-b3-",
    "x-envoy-",
    "x-forwarded",
    "x-request-",
];
static END_TO_END: [&str; 31] = [
    "age",
    "allow",
    "authentication-info",
    "authorization",
    "b3",
    "baggage",
    "cache-control",
    "cookie",
    "date",
    "etag",
    "expires",
    "forwarded",
    "host",
    "last-modified",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "range",
    "referer",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "te",
    "traceparent",
    "tracestate",
    "vary",
    "via",
    "www-authenticate",
    "x-attempt-count",
    "x-real-ip",
];

/// Takes off the fields of one hop. `TE: trailers` stays, since what it asks for is end to end.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // Few messages have any: looking through the names that are there is cheaper than looking each one up.
    let is_of_this_hop = |name: &&HeaderName| is_hop_by_hop(name) || **name == TE;
    let of_this_hop: Vec<_> = headers.keys().filter(is_of_this_hop).cloned().collect();
    if of_this_hop.contains(&CONNECTION) && !headers.get_all(CONNECTION).iter().all(names_nothing_else) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
    for name in of_this_hop.iter().filter(|name| **name != TE) {
        headers.remove(name);
    }
    if of_this_hop.contains(&TE) {
        let trailers = members(headers, &TE).any(|member| member.eq_ignore_ascii_case(b"trailers"));
        headers.remove(TE);
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
    }
}

/// Whether a line of `Connection` says what most do: it names nothing that is not taken off in any case.
fn names_nothing_else(line: &HeaderValue) -> bool {
    line.as_bytes().eq_ignore_ascii_case(b"keep-alive")
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    members(headers, &CONNECTION)
        .filter_map(|member| HeaderName::from_bytes(member).ok())
        .filter(|name| !is_end_to_end(name.as_str()))
        .collect()
}

fn is_end_to_end(name: &str) -> bool {
    END_TO_END.contains(&name) || END_TO_END_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// The comma-separated members of a field, over all its lines.
pub(crate) fn members<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl DoubleEndedIterator<Item = &'a [u8]> + use<'a> {
    let lines = headers.get_all(name).iter();
    let members = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// The value of a field: of all its lines, in their order (RFC 9110, 5.3).
pub(crate) fn value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let first = lines.next()?;
    let mut all = Cow::Borrowed(first);
    for line in lines {
        all.to_mut().extend_from_slice(b", ");
        all.to_mut().extend_from_slice(line);
    }
    Some(all)
}

/// Puts a field in the place of all lines of its name, as [`HeaderMap::insert`] does. That makes room for one more before
/// it looks, and so hashes all names anew in a map that is full, although most of the time there is one to be replaced.
pub(crate) fn put(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    let is_full = headers.len() == headers.capacity() && headers.len() == headers.keys_len();
    let only = if is_full { headers.get_mut(&name) } else { None };
    match only {
        Some(only) => *only = value,
        None => drop(headers.insert(name, value)),
    }
}

/// Checks what the caller asks of this very hop, and takes note of it by taking it off.
pub(crate) fn settle_demands(headers: &mut HeaderMap) -> Result<(), Refusal> {
    if !headers.contains_key(EXPECT) {
        return Ok(());
    }
    let is = |known: &'static [u8]| move |member: &[u8]| member.eq_ignore_ascii_case(known);
    if !members(headers, &EXPECT).all(is(b"100-continue")) {
        return Err(Refusal::Expectation);
    }
    // The server says 100 when the content is first asked for.
    headers.remove(EXPECT);
    Ok(())
}

/// Counts down `Max-Forwards` for the methods that it is for; whether this hop is the last. Of several numbers the least
/// counts; what is none says nothing.
pub(crate) fn is_last_hop(method: &Method, headers: &mut HeaderMap) -> bool {
    if *method != Method::TRACE && *method != Method::OPTIONS {
        return false;
    }
    match members(headers, &MAX_FORWARDS).filter_map(number).min() {
        Some(0) => true,
        Some(left) => {
            headers.insert(MAX_FORWARDS, HeaderValue::from(left - 1));
            false
        }
        None => false,
    }
}

/// The number that `digits` write, or the greatest there is when it is greater.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers<V: AsRef<[u8]>>(fields: &[(&'static str, V)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
            headers.append(HeaderName::from_static(name), value);
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
    fn odd_bytes_hide_no_other_member() {
        let mut map = headers(&[
            ("connection", &b"x-mine, \xff, x-yours"[..]),
            ("connection", b"x-\xe4, x y, ,x-last"),
            ("te", b"\xff, trailers"),
            ("x-mine", b"1"),
            ("x-yours", b"1"),
            ("x-last", b"1"),
        ]);
        strip_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("te", "trailers")]));
        let mut map = headers(&[("te", &b"trailers\xff, gzip"[..])]);
        strip_hop_by_hop(&mut map);
        assert_eq!(map, HeaderMap::new());
    }

    #[test]
    fn what_others_rely_on_cannot_be_named_away() {
        for name in [
            "accept-encoding",
            "access-control-allow-origin",
            "authorization",
            "b3",
            "baggage",
            "cache-control",
            "content-encoding",
            "content-length",
            "content-security-policy",
            "content-type",
            "cookie",
            "date",
            "forwarded",
            "grpc-status",
            "grpc-timeout",
            "host",
            "if-match",
            "max-forwards",
            "origin",
            "range",
            "sec-fetch-site",
            "set-cookie",
            "strict-transport-security",
            "traceparent",
            "tracestate",
            "vary",
            "via",
            "www-authenticate",
            "x-attempt-count",
            "x-b3-traceid",
            "x-envoy-expected-rq-timeout-ms",
            "x-envoy-internal",
            "x-forwarded-client-cert",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-port",
            "x-forwarded-proto",
            "x-real-ip",
            "x-request-id",
        ] {
            let mut map = headers(&[("connection", name), (name, "1")]);
            strip_hop_by_hop(&mut map);
            assert_eq!(map, headers(&[(name, "1")]), "{name}");
        }
        for name in ["x-mine", "keep-alive", "upgrade", "trailer", "priority"] {
            let mut map = headers(&[("connection", name), (name, "1")]);
            strip_hop_by_hop(&mut map);
            assert_eq!(map, HeaderMap::new(), "{name}");
        }
    }

    #[test]
    fn demands_are_settled_or_refused_member_by_member() {
        for (lines, name, refusal) in [
            (&[&b"100-Continue"[..]][..], "expect", None),
            (&[b"100-continue, 100-continue", b"100-continue"], "expect", None),
            (&[b""], "expect", None),
            (&[b"a miracle"], "expect", Some(Refusal::Expectation)),
            (&[b"100-continue", b"a-miracle"], "expect", Some(Refusal::Expectation)),
            (&[b"100-continue, a-miracle"], "expect", Some(Refusal::Expectation)),
            (&[b"100-continue, \xff"], "expect", Some(Refusal::Expectation)),
            (&[b"\xff"], "expect", Some(Refusal::Expectation)),
            (&[b"100-continue;q=1"], "expect", Some(Refusal::Expectation)),
        ] {
            let mut map = headers(&lines.iter().map(|line| (name, *line)).collect::<Vec<_>>());
            assert_eq!(settle_demands(&mut map).err(), refusal, "{name}: {lines:?}");
            assert!(refusal.is_some() || !map.contains_key(EXPECT), "the expectation is met here");
        }
    }

    #[test]
    fn max_forwards_counts_down_for_trace_and_options() {
        let mut map = headers(&[("max-forwards", "1")]);
        assert!(!is_last_hop(&Method::GET, &mut map));
        assert!(!is_last_hop(&Method::TRACE, &mut map));
        assert!(is_last_hop(&Method::TRACE, &mut map));
    }

    #[test]
    fn the_least_of_max_forwards_counts() {
        for (lines, left) in [
            (&[&b"2"[..]][..], &["1"][..]),
            (&[b"007"], &["6"]),
            (&[b"5, 3", b"4"], &["2"]),
            (&[b"\xff, 3"], &["2"]),
            (&[b"99999999999"], &["4294967294"]),
            (&[b"+5"], &["+5"]),
            (&[b"-1"], &["-1"]),
            (&[b"many", b"x"], &["many", "x"]),
        ] {
            let mut map = headers(&lines.iter().map(|line| ("max-forwards", *line)).collect::<Vec<_>>());
            assert!(!is_last_hop(&Method::OPTIONS, &mut map));
            assert_eq!(map.get_all(MAX_FORWARDS).iter().collect::<Vec<_>>(), left, "{lines:?}");
        }
        assert!(is_last_hop(&Method::TRACE, &mut headers(&[("max-forwards", "3, 0")])));
        assert!(is_last_hop(&Method::TRACE, &mut headers(&[("max-forwards", "3"), ("max-forwards", "0")])));
    }

    #[test]
    fn a_hop_adds_itself_to_via() {
        let mut map = headers(&[("via", "1.0 first")]);
        Via::new("gateway").add(&mut map, Version::HTTP_2);
        assert_eq!(map, headers(&[("via", "1.0 first"), ("via", "2 gateway")]));
    }
}
