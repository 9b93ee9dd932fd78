//! What is a proper request (RFC 9110, RFC 9112, RFC 9113), and how it looks inside: target in origin form,
//! host in `Host`, whatever version it came in. What is none is refused here, before any handler.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HOST};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;

use crate::body::Body;

/// Why a request is not handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// HTTP/1.1 demands exactly one.
    #[error("the request must have one valid Host field")]
    Host,
    /// The target is of a form that the method does not take.
    #[error("the request target is malformed")]
    Target,
    /// Too many header fields.
    #[error("the request has too many header fields")]
    TooManyFields,
    /// A tunnel was asked for.
    #[error("CONNECT is not supported")]
    Connect,
    /// Another protocol was asked for.
    #[error("upgrading to another protocol is not supported")]
    Upgrade,
    /// An expectation that is not known.
    #[error("the expectation is not supported")]
    Expectation,
}

impl Refusal {
    /// The status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::Target => StatusCode::BAD_REQUEST,
            Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Connect | Self::Upgrade => StatusCode::NOT_IMPLEMENTED,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
        }
    }

    /// The answer that says so.
    pub fn answer(self) -> Response<Body> {
        plain(self.status(), &self.to_string())
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

/// A request as hyper read it, checked and brought into its inner form.
pub(crate) fn read(request: Request<Incoming>, headers_max: usize) -> Result<Request<Body>, Refusal> {
    let (mut head, content) = request.into_parts();
    if head.headers.len() > headers_max {
        return Err(Refusal::TooManyFields);
    }
    if head.method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    let host = host(&head.uri, head.version, head.headers.get_all(HOST).iter())?;
    if let Some(host) = host {
        head.headers.insert(HOST, host);
    }
    head.uri = origin_form(&head.uri, &head.method)?;
    Ok(Request::from_parts(head, Body::request(content)))
}

/// What `Host` is to say: the target's own authority goes before the field (RFC 9112, 3.2.2).
fn host<'a>(
    uri: &Uri,
    version: Version,
    mut fields: impl Iterator<Item = &'a HeaderValue>,
) -> Result<Option<HeaderValue>, Refusal> {
    let (field, second) = (fields.next(), fields.next());
    if second.is_some() || (version == Version::HTTP_11 && field.is_none()) {
        return Err(Refusal::Host);
    }
    let stated = match (uri.authority(), field) {
        (Some(authority), _) => authority.as_str().as_bytes(),
        (None, Some(field)) => field.as_bytes(),
        (None, None) => return Ok(None),
    };
    // An empty host is allowed where the target has no authority of its own (RFC 9112, 3.2).
    let valid = stated.is_empty() || Authority::try_from(stated).is_ok_and(|host| is_host(&host));
    if !valid {
        return Err(Refusal::Host);
    }
    HeaderValue::from_bytes(stated).map(Some).map_err(|_| Refusal::Host)
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
    use super::*;

    fn hosted(uri: &str, version: Version, fields: &[&str]) -> Result<Option<String>, Refusal> {
        let fields: Vec<_> = fields.iter().map(|field| HeaderValue::from_str(field).unwrap()).collect();
        let host = host(&uri.parse().unwrap(), version, fields.iter())?;
        Ok(host.map(|host| host.to_str().unwrap().to_owned()))
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
