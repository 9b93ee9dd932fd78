//! What is a proper request (RFC 9110, RFC 9112, RFC 9113), and how it looks inside: target in origin form,
//! host in `Host`, whatever version it came in. What is none is refused here, before any handler, and so is a head that
//! is too large: the fields that hops add are left out of the count, so that a hop takes what another like it hands on.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, HeaderName, TRANSFER_ENCODING, VIA};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, Version};

use crate::body::Body;
use crate::grpc;
use crate::headers;
use crate::http2::fields;
use crate::telemetry::Fault;

/// Why a request is not handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// HTTP/1.1 demands exactly one.
    #[error("the request must have one valid Host field")]
    Host,
    /// The target is of a form that the method does not take.
    #[error("the request target is malformed")]
    Target,
    /// A field has a value that its version of HTTP forbids.
    #[error("a header field is malformed")]
    Field,
    /// Too many header fields.
    #[error("the request has too many header fields")]
    TooManyFields,
    /// Too many bytes of target and header fields.
    #[error("the request's head is too large")]
    HeadTooLarge,
    /// A tunnel was asked for.
    #[error("CONNECT is not supported")]
    Connect,
    /// An expectation that is not known.
    #[error("the expectation is not supported")]
    Expectation,
}

impl Refusal {
    /// The status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::Target | Self::Field => StatusCode::BAD_REQUEST,
            Self::TooManyFields | Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Connect => StatusCode::NOT_IMPLEMENTED,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
        }
    }

    /// The status of gRPC that says so.
    fn grpc_status(self) -> u8 {
        match self {
            Self::Host | Self::Target | Self::Field => Fault::Malformed.grpc_status(),
            Self::TooManyFields | Self::HeadTooLarge => grpc::RESOURCE_EXHAUSTED,
            Self::Connect | Self::Expectation => grpc::UNIMPLEMENTED,
        }
    }

    /// The answer that says so to a request with `headers`: as gRPC where it is that.
    pub fn answer_to(self, headers: &HeaderMap) -> Response<Body> {
        if grpc::is_grpc(headers) {
            grpc::answer(self.grpc_status(), &self.to_string())
        } else {
            plain(self.status(), &self.to_string())
        }
    }
}

/// An answer of one line of text.
pub fn plain(status: StatusCode, line: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from(format!("{line}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// An answer without content that says which methods there are.
pub fn allow(status: StatusCode, methods: &[Method]) -> Response<Body> {
    let methods = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if let Ok(methods) = HeaderValue::from_str(&methods) {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}

/// Fields that a hop may add to a request that it passes on, or that another version of HTTP needs. One line of each
/// counts for nothing; of `Via`, to which each hop adds one, [`VIA_LINES`] do.
static ADDED_BY_HOPS: [HeaderName; 11] = [
    HOST,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-client-cert"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("x-attempt-count"),
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("x-envoy-expected-rq-timeout-ms"),
];

/// As many hops may follow each other.
const VIA_LINES: usize = 16;

/// How many fields of an answer are taken, but for those that hops add: a date, and a line of `Via` each.
const ANSWER_FIELDS_MAX: usize = 100;

/// How many fields of an answer must be read so that [`has_too_many_fields`] can be told.
pub(crate) const ANSWER_FIELDS_READ: usize = ANSWER_FIELDS_MAX + 1 + VIA_LINES;

/// Whether an answer has more fields than are taken, so that the next hop takes what this one hands on.
pub(crate) fn has_too_many_fields(answer: &HeaderMap) -> bool {
    answer.len() > ANSWER_FIELDS_MAX && {
        let vias = answer.get_all(VIA).iter().count().min(VIA_LINES);
        answer.len() - vias - usize::from(answer.contains_key(DATE)) > ANSWER_FIELDS_MAX
    }
}

/// How large a request's head may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeadLimits {
    /// Header fields, but for those that hops add.
    pub(crate) fields: usize,
    /// Bytes of the target, and of the fields' names and values, but for [`Self::ADDED_BYTES`] of those that hops add.
    pub(crate) bytes: usize,
}

impl HeadLimits {
    /// How many bytes of the fields that hops add count for nothing.
    const ADDED_BYTES: usize = 4 * 1024;

    /// What a field costs beside its name and value: four bytes in HTTP/1.1, 32 in HTTP/2's reckoning (RFC 9113, 6.5.2).
    const FIELD_BYTES: usize = 32;

    /// How many fields must be read so that this can be judged.
    pub(crate) fn fields_read(self) -> usize {
        self.fields + ADDED_BY_HOPS.len() + VIA_LINES
    }

    /// How many bytes of a head must be read so that this can be judged.
    pub(crate) fn bytes_read(self) -> usize {
        self.bytes + Self::ADDED_BYTES + self.fields_read() * Self::FIELD_BYTES
    }

    fn check(self, head: &Parts) -> Result<(), Refusal> {
        let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
        let (mut fields, mut bytes) = (head.headers.len(), target);
        bytes += head.headers.iter().map(bytes_of).sum::<usize>();
        if fields > self.fields || bytes > self.bytes {
            let (count, sum) = added_by_hops(&head.headers);
            fields -= count;
            bytes -= Self::ADDED_BYTES.min(sum);
        }
        if fields > self.fields {
            return Err(Refusal::TooManyFields);
        }
        if bytes > self.bytes { Err(Refusal::HeadTooLarge) } else { Ok(()) }
    }
}

/// The bytes of a request's fields as a limit on them counts: names, values, and four for what stands between and behind
/// them in HTTP/1.1; but for those that hops add, as they are left out of the limit on the whole head.
pub fn fields_bytes(fields: &HeaderMap) -> u64 {
    const BESIDE: usize = b": \r\n".len();
    let all = fields.iter().map(bytes_of).sum::<usize>() + fields.len() * BESIDE;
    let (count, bytes) = added_by_hops(fields);
    (all - HeadLimits::ADDED_BYTES.min(bytes + count * BESIDE)) as u64
}

/// How many fields hops have added, as far as they count for nothing, and of how many bytes.
fn added_by_hops(fields: &HeaderMap) -> (usize, usize) {
    let added = ADDED_BY_HOPS.iter().flat_map(|name| {
        let lines = if name == VIA { VIA_LINES } else { 1 };
        fields.get_all(name).iter().take(lines).map(move |value| bytes_of((name, value)))
    });
    added.fold((0, 0), |(count, sum), bytes| (count + 1, sum + bytes))
}

fn bytes_of((name, value): (&HeaderName, &HeaderValue)) -> usize {
    name.as_str().len() + value.len()
}

/// Checks the head of a request as it was read, and brings it into its inner form.
pub(crate) fn settle(head: &mut Parts, limits: HeadLimits) -> Result<(), Refusal> {
    limits.check(head)?;
    if head.method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    if head.version == Version::HTTP_2 {
        check_http2(head)?;
    }
    check_host(&head.uri, head.version, head.headers.get_all(HOST).iter())?;
    if let Some(authority) = head.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::Host)?;
        headers::put(&mut head.headers, HOST, host);
    }
    head.uri = origin_form(&head.uri, &head.method)?;
    Ok(())
}

/// What HTTP/2 forbids, and `h2` lets pass (RFC 9113, 8.2.1 and 8.3.1).
fn check_http2(head: &Parts) -> Result<(), Refusal> {
    let path = head.uri.path_and_query().map_or("", |path| path.as_str());
    if !path.starts_with(['/', '*']) || head.uri.scheme_str() == Some("") {
        return Err(Refusal::Target);
    }
    if fields::are_proper(&head.headers) { Ok(()) } else { Err(Refusal::Field) }
}

/// Whether there is one host, and a valid one: the target's own authority goes before the field (RFC 9112, 3.2.2).
fn check_host<'a>(
    uri: &Uri,
    version: Version,
    mut fields: impl Iterator<Item = &'a HeaderValue>,
) -> Result<(), Refusal> {
    let (field, second) = (fields.next(), fields.next());
    if second.is_some() || (version == Version::HTTP_11 && field.is_none()) {
        return Err(Refusal::Host);
    }
    let stated = match (uri.authority(), field) {
        (Some(authority), _) => authority.as_str().as_bytes(),
        (None, Some(field)) => field.as_bytes(),
        // HTTP/2 demands either (RFC 9113, 8.3.1).
        (None, None) if version == Version::HTTP_2 => return Err(Refusal::Host),
        (None, None) => return Ok(()),
    };
    // An empty host is allowed where the target has no authority of its own (RFC 9112, 3.2), but not in HTTP/2.
    let valid = (stated.is_empty() && version != Version::HTTP_2)
        || is_plain_name(stated)
        || Authority::try_from(stated).is_ok_and(|host| is_host(&host));
    if valid { Ok(()) } else { Err(Refusal::Host) }
}

/// Whether a host is of the kind that most are, of which no parser has to be asked.
fn is_plain_name(host: &[u8]) -> bool {
    !host.is_empty() && host.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

/// Whether it is a name with or without a port, and no more.
fn is_host(authority: &Authority) -> bool {
    let port = authority.as_str().strip_prefix(authority.host());
    let port = port.map(|port| port.strip_prefix(':').unwrap_or(port));
    !authority.host().is_empty() && port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The target's path and query. `*` is for OPTIONS alone.
fn origin_form(uri: &Uri, method: &Method) -> Result<Uri, Refusal> {
    let Some(path) = uri.path_and_query() else {
        // An absolute target with an empty path means the root; a bare authority means nothing here.
        return if uri.scheme().is_some() { Ok(Uri::from_static("/")) } else { Err(Refusal::Target) };
    };
    match path.path() {
        "*" if method == Method::OPTIONS => Ok(Uri::from(path.clone())),
        text if text.starts_with('/') => Ok(Uri::from(path.clone())),
        _ => Err(Refusal::Target),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn hosted(uri: &str, version: Version, fields: &[&str]) -> Result<Option<String>, Refusal> {
        let fields: Vec<_> = fields.iter().map(|field| HeaderValue::from_str(field).unwrap()).collect();
        let mut head = Request::get(uri).version(version).body(()).unwrap().into_parts().0;
        head.headers.extend(fields.into_iter().map(|field| (HOST, field)));
        settle(&mut head, HeadLimits { fields: 10, bytes: 100 })?;
        Ok(head.headers.get(HOST).map(|host| host.to_str().unwrap().to_owned()))
    }

    #[test]
    fn hosts_are_told_from_target_and_field() {
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        assert_eq!(hosted("/", one, &["a:80"]), Ok(Some("a:80".to_owned())));
        assert_eq!(hosted("http://b/", one, &["a"]), Ok(Some("b".to_owned())));
        assert_eq!(hosted("http://b/", two, &[]), Ok(Some("b".to_owned())));
        assert_eq!(hosted("/", Version::HTTP_10, &[]), Ok(None));
        assert_eq!(hosted("/", one, &["[::1]:80"]), Ok(Some("[::1]:80".to_owned())));
        assert_eq!(hosted("/", one, &[""]), Ok(Some(String::new())));
        for fields in [&[][..], &["a", "a"], &["a b"], &["a/b"], &["me@a"], &["a:b"], &[":80"]] {
            assert_eq!(hosted("/", one, fields), Err(Refusal::Host), "{fields:?}");
        }
        for fields in [&[][..], &[""]] {
            assert_eq!(hosted("/", two, fields), Err(Refusal::Host), "{fields:?}");
        }
    }

    #[test]
    fn what_hops_add_is_left_out_of_the_count() {
        let limits = HeadLimits { fields: 2, bytes: 20 };
        let check = |target: &str, fields: &[(&str, &str)]| {
            let mut request = Request::get(target);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            limits.check(&request.body(()).unwrap().into_parts().0)
        };
        let long = "a".repeat(HeadLimits::ADDED_BYTES);
        for (target, fields, result) in [
            ("/", &[("x-a", "1"), ("x-b", "1")][..], Ok(())),
            ("/", &[("x-a", "1"), ("x-b", "1"), ("x-c", "1")], Err(Refusal::TooManyFields)),
            (
                "/",
                &[("x-a", "1"), ("x-b", "1"), ("host", "h"), ("via", "1.1 a"), ("te", "")],
                Err(Refusal::TooManyFields),
            ),
            (
                "/",
                &[("x-a", "1"), ("x-b", "1"), ("host", "h"), ("via", "1.1 a"), ("traceparent", "0")],
                Ok(()),
            ),
            ("/", &[("x-a", "1"), ("x-b", "1"), ("via", "1.0 a"), ("via", "1.1 b")], Ok(())),
            ("/", &[("x-a", "1"), ("te", "1"), ("host", "a"), ("host", "b")], Err(Refusal::TooManyFields)),
            ("/?23456789abcdef", &[("x-a", "1")], Ok(())),
            ("/?23456789abcdefg", &[("x-a", "1")], Err(Refusal::HeadTooLarge)),
            ("/?23456789abcdef", &[("x-a", "1"), ("via", "1.1 a")], Ok(())),
            ("/", &[("via", &long[..4093])], Ok(())),
            ("/23456789abcdefghi", &[("via", &long[..4093])], Ok(())),
            ("/23456789abcdefghijk", &[("via", &long[..4095])], Err(Refusal::HeadTooLarge)),
        ] {
            assert_eq!(check(target, fields), result, "{target} {} fields", fields.len());
        }
    }

    #[test]
    fn targets_are_brought_into_origin_form() {
        let form = |uri: &str, method: Method| {
            origin_form(&uri.parse().unwrap(), &method).map(|uri| uri.to_string())
        };
        assert_eq!(form("/a?b=c", Method::GET), Ok("/a?b=c".to_owned()));
        assert_eq!(form("http://h/a?b", Method::GET), Ok("/a?b".to_owned()));
        assert_eq!(form("http://h", Method::GET), Ok("/".to_owned()));
        assert_eq!(form("*", Method::OPTIONS), Ok("*".to_owned()));
        assert_eq!(form("*", Method::GET), Err(Refusal::Target));
        assert_eq!(form("h", Method::GET), Err(Refusal::Target));
    }
}
